//! `cargo xtask docs`: the generated parts of `docs/` are written by the same tests that check them.

use std::process::ExitCode;

use anyhow::Result;

use crate::machine::cargo;

/// Makes the tests write what they would compare.
const REWRITE: &str = "KILN_REWRITE_DOCS";

/// Writes the generated parts anew: the pages of commands and of the environment (tests inside the program) and the
/// tables of fields (its test binary). Every such test has `page` in its name.
pub fn run() -> Result<ExitCode> {
    let mut test = cargo();
    test.args(["test", "--quiet", "--package", "kiln", "--bin", "kiln", "--test", "program", "page"]);
    let written = test.env(REWRITE, "1").status()?;
    Ok(if written.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
