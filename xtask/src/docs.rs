//! `cargo xtask docs`: the generated parts of `docs/` are written by the same test that checks them.

use std::process::ExitCode;

use anyhow::Result;

use crate::machine::cargo;

/// Writes the generated parts anew.
pub fn run() -> Result<ExitCode> {
    let mut test = cargo();
    test.args(["test", "--quiet", "--package", "kiln", "--test", "it", "docs"]).env("KILN_UPDATE_DOCS", "1");
    Ok(if test.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
