//! How a component says that it failed.

use std::fmt;

/// The result of anything a component does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed, as far as anybody decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The user, or another build's failure, stopped the work.
    Cancelled,
    /// A deadline passed.
    TimedOut,
    /// The connection to the machine was lost.
    Disconnected,
    /// Somebody decided against it: asking again is of no use (wrong credentials, missing permission).
    Refused,
    /// Everything else.
    Failed,
}

/// A failure: what was being done to what, the cause, and what the user can do about it.
///
/// `Display` prints the message alone; [`Error::chain`] adds the causes. Where Packer has a line for the failure,
/// `message` is that line.
pub struct Error {
    /// What a caller may decide on.
    pub kind: ErrorKind,
    /// One line or several, without the cause.
    pub message: String,
    /// The cause.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// What to do next.
    pub hints: Vec<String>,
    /// Whether the message has already been shown to the user as an error line.
    pub shown: bool,
}

impl Error {
    /// Returns a failure with this message.
    pub fn new(message: impl Into<String>) -> Error {
        Error {
            kind: ErrorKind::Failed,
            message: message.into(),
            source: None,
            hints: Vec::new(),
            shown: false,
        }
    }

    /// Returns the failure that stands for "stopped on request".
    pub fn cancelled() -> Error {
        Error { kind: ErrorKind::Cancelled, ..Error::new("cancelled") }
    }

    /// Returns the same failure of another kind.
    #[must_use]
    pub fn kind(mut self, kind: ErrorKind) -> Error {
        self.kind = kind;
        self
    }

    /// Returns the failure with its cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Returns the failure with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hints.push(hint.into());
        self
    }

    /// Returns whether the work was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        self.kind == ErrorKind::Cancelled
    }

    /// Returns the message and all causes, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut source = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.chain())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Adds what was being done to any error.
pub trait Context<T> {
    /// Returns the error as the cause of a failure with this message.
    fn context(self, message: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::new(message).source(source))
    }
}
