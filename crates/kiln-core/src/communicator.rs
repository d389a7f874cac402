//! How the machine being built is talked to.

use std::path::Path;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use crate::error::Result;

/// What Packer reports as the exit status of a command whose connection was lost.
pub const DISCONNECTED_STATUS: i64 = 2_300_218;

/// A command for the machine's shell.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// The command line.
    pub line: String,
    /// What it reads.
    pub stdin: Option<Vec<u8>>,
}

impl Command {
    /// Returns the command `line` without input.
    pub fn new(line: impl Into<String>) -> Command {
        Command { line: line.into(), stdin: None }
    }
}

/// Which of the two streams a chunk came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It ran to its end and gave this status.
    Code(u32),
    /// A signal ended it (name without `SIG`).
    Signal(String),
    /// The connection was lost before the status arrived.
    Disconnected,
}

impl Exit {
    /// Returns the status as Packer counts it: a lost connection is [`DISCONNECTED_STATUS`], a signal 128 and its
    /// number.
    pub fn status(&self) -> i64 {
        match self {
            Exit::Code(code) => i64::from(*code),
            Exit::Signal(name) => 128 + signal_number(name),
            Exit::Disconnected => DISCONNECTED_STATUS,
        }
    }
}

/// Returns the number of a signal that SSH has a name for, 0 of another: the numbers POSIX fixes, whatever the machine
/// at the other end counts.
fn signal_number(name: &str) -> i64 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "SEGV" => 11,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => 0,
    }
}

/// A command under way. Output must be read, or the command waits.
#[derive(Debug)]
pub struct Running {
    /// Output as it arrives; closed when both streams ended. Bounded by the communicator.
    pub output: mpsc::Receiver<(Stream, Vec<u8>)>,
    /// Sent once, after the last output; a dropped sender counts as [`Exit::Disconnected`].
    pub exit: oneshot::Receiver<Exit>,
}

impl Running {
    /// Reads what is left of the output, discards it, and returns how the command ended.
    pub async fn wait(mut self) -> Exit {
        while self.output.recv().await.is_some() {}
        self.exit.await.unwrap_or(Exit::Disconnected)
    }
}

/// What is known of a file that is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
}

/// A way to a machine. Safe to call at once from many tasks; every call is cancel-safe for the caller (the remote
/// side may go on).
#[async_trait]
pub trait Communicator: Send + Sync {
    /// Starts a command in the remote user's shell.
    async fn start(&self, command: Command) -> Result<Running>;

    /// Writes what `source` yields to the remote `path`. Without `info` the mode is 0644.
    async fn upload(
        &self,
        path: &str,
        source: &mut (dyn AsyncRead + Send + Unpin),
        info: Option<FileInfo>,
    ) -> Result<()>;

    /// Copies a local folder to the remote `destination`; with `contents_only` (a trailing slash in the template)
    /// what it holds, else the folder itself below `destination`.
    async fn upload_dir(&self, destination: &str, source: &Path, contents_only: bool) -> Result<()>;

    /// Writes the remote file's bytes to `sink`.
    async fn download(&self, path: &str, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()>;

    /// Copies the remote folder below the local `destination`.
    async fn download_dir(&self, source: &str, destination: &Path) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_counts_as_the_library_counts_it() {
        let status = |name: &str| Exit::Signal(name.to_owned()).status();
        assert_eq!((status("KILL"), status("TERM"), status("made-up@example.com")), (137, 143, 128));
    }
}
