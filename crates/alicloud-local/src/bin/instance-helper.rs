//! The instance helper as a program of its own, for the tests of this crate and for programs that
//! embed the cloud without being able to execute themselves.

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    std::process::exit(alicloud_local::instance::helper_main(&words));
}
