//! What chores and tests share: a cloud served by a process of its own, and the fault campaign that runs in such
//! clouds. `crates/kiln/tests` calls it with the program it was built with, `cargo xtask campaign` with any.
#![expect(clippy::print_stderr, reason = "a chore talks to the person at the terminal")]

pub mod campaign;
pub mod machine;
pub mod peer;
pub mod served;
