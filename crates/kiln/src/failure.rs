//! How a command fails: one place turns every room's errors into text and an exit code.

use std::io;

use kiln_core::diagnostic::Diagnostics;
use kiln_core::error::Error;

/// Success.
pub const DONE: u8 = 0;
/// Any failure: usage, template, build, cancellation.
pub const FAILED: u8 = 1;
/// No command, or one that does not exist.
pub const NO_COMMAND: u8 = 127;

/// What a command returns: its exit code, or why there is none of its own.
pub type Outcome = Result<u8, Failure>;

/// Why a command could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense: help, then the reason, if there is one to tell.
    Usage {
        /// The command's help.
        help: String,
        /// What was wrong.
        reason: Option<String>,
    },
    /// Faults of a template.
    Template(Diagnostics),
    /// One text that stands for itself, with advice.
    Told {
        /// What failed and why, the chain joined.
        text: String,
        /// What to do next.
        hints: Vec<String>,
    },
    /// The user knows already, or nobody is there to read it (a closed pipe).
    Silent,
}

impl Failure {
    /// Returns a failure with this text.
    pub fn told(text: impl Into<String>) -> Failure {
        Failure::Told { text: text.into(), hints: Vec::new() }
    }

    /// Returns the failure with one more piece of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        if let Failure::Told { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error.shown {
            true => Failure::Silent,
            false => Failure::Told { text: error.chain(), hints: error.hints },
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Failure {
        Failure::Template(diagnostics)
    }
}

/// Output that cannot be written. A closed pipe is how a reader says that it has seen enough.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Silent,
            _ => Failure::told(format!("write the output: {error}")),
        }
    }
}
