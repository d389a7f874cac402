//! `kiln version`.

use super::help::documented;
use super::{Command, Invocation, PACKER_VERSION};
use crate::failure::{DONE, Outcome};

documented! {
    /// Prints the Packer version Kiln stands for, as scripts expect it, and Kiln's own below.
    const HELP;
}

/// The row of the table.
pub const COMMAND: Command =
    Command { name: "version", synopsis: "Prints the version", usage: "", help: HELP, flags: &[], run };

fn run(cx: &Invocation) -> Outcome {
    cx.ui.machine("version", &[PACKER_VERSION])?;
    // The word is Packer's, typing slip included: programs look for it.
    cx.ui.machine("version-prelease", &[""])?;
    cx.ui.machine("version-commit", &[""])?;
    cx.ui.say(&format!("Packer v{PACKER_VERSION}"))?;
    cx.ui.say(&format!("Kiln v{}", env!("CARGO_PKG_VERSION")))?;
    Ok(DONE)
}
