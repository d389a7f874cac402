//! Asking the person at the build.

use async_trait::async_trait;

/// Why nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Packer's words for a build without a terminal.
    #[error("no available tty")]
    NoTerminal,
    /// In machine-readable mode nobody is asked.
    #[error("machine-readable UI can't ask")]
    Machine,
    /// A signal ended the question.
    #[error("interrupted")]
    Interrupted,
}

/// Somebody who can be asked. One question at a time; cancel-safe (dropping the future withdraws the question).
#[async_trait]
pub trait Prompt: Send + Sync {
    /// Returns the answer without its line end.
    async fn ask(&self, query: &str) -> Result<String, NoAnswer>;
}
