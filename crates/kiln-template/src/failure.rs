//! A template or variables file that could not be read.

use kiln_core::diagnostic::Fault;

/// Why a file could not be read. Packer prints such failures as one plain error line, without the form of a
/// diagnostic; `message` is that text, letter for letter. What Kiln knows beyond it is in `faults`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// Packer's text; it may span lines and end in line feeds.
    pub message: String,
    /// Every fault found, with its place and what to do about it.
    pub faults: Vec<Fault>,
}

impl LoadError {
    /// Returns a failure without further faults.
    pub fn new(message: impl Into<String>) -> LoadError {
        LoadError { message: message.into(), faults: Vec::new() }
    }

    /// Returns the failure with one more fault.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> LoadError {
        self.faults.push(fault);
        self
    }
}
