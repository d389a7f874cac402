//! Chores, in Rust so that they run wherever cargo does: `cargo xtask test`, `cargo xtask bench`, `cargo xtask docs`.
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person at the terminal")]

mod api_facts;
mod bench;
mod campaign_chore;
mod docs;
mod measure;
mod scale;
mod test;

use std::process::ExitCode;

use xtask::{machine, peer};

const HELP: &str = "\
usage: cargo xtask CHORE

  test [ARGS]   installs what the tests need where it may, then runs all of them (ARGS go to the test runner)
  bench [NAME]  measures against the peer in one run and prints ratios (all, or: version validate build)
  bench scale [N…]
                so many builds in one process (1 16 64 256 1000): time, memory, calls; the peer's beside the small ones
  campaign [NAME]
                fails every call of some builds in every way, interrupts and kills them, and prints what was left (all,
                or only the builds and troubles named; --peer: a sample, beside packer)
  docs          writes the generated parts of docs/ anew
  api-facts     writes anew which parameters the real API has, from the models of the official SDKs
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let chore = args.first().map(String::as_str);
    let rest = args.get(1..).unwrap_or_default();
    let done = match chore {
        Some("test") => test::run(rest),
        Some("bench") => bench::run(rest),
        Some("campaign") => campaign_chore::run(rest),
        Some("docs") => docs::run(),
        Some("api-facts") => api_facts::run(),
        Some("help" | "-h" | "--help") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
