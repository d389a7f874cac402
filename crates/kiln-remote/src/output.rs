//! Turns a command's output into lines that are shown, by Packer's rules: split at line feeds, trailing white space
//! removed, and of a line that was overwritten (progress bars) only what stood there last.

use kiln_core::communicator::{Command, Communicator, Exit, Stream};
use kiln_core::{Error, Events, Result};
use tokio_util::sync::CancellationToken;

/// A line longer than this is shown in pieces, so that output without line feeds cannot fill the memory.
const LONGEST_LINE: usize = 1 << 20;

/// Runs a command, shows its output as it comes, and returns how it ended.
///
/// Cancellation ends the wait, not the remote command.
pub async fn run_and_report(
    communicator: &dyn Communicator,
    command: Command,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Exit> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Error::cancelled()),
        exit = report(communicator, command, events) => exit,
    }
}

async fn report(communicator: &dyn Communicator, command: Command, events: &Events) -> Result<Exit> {
    let mut running = communicator.start(command).await?;
    let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
    while let Some((stream, bytes)) = running.output.recv().await {
        let lines = match stream {
            Stream::Stdout => &mut stdout,
            Stream::Stderr => &mut stderr,
        };
        for line in lines.push(&bytes) {
            events.output(stream, line).await;
        }
    }
    for (stream, lines) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
        if let Some(line) = lines.finish() {
            events.output(stream, line).await;
        }
    }
    Ok(running.exit.await.unwrap_or(Exit::Disconnected))
}

/// Bytes in, lines out.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes and returns the lines they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.rest.len() >= LONGEST_LINE {
                lines.push(clean(&std::mem::take(&mut self.rest)));
            }
        }
        lines
    }

    /// Returns the last line if no line feed ended it.
    pub fn finish(self) -> Option<String> {
        (!self.rest.is_empty()).then(|| clean(&self.rest))
    }
}

fn clean(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    text.rsplit('\r').next().unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_as_packer_cuts_them() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\r\n\ntwo  \n10%\r20%\r100%\nla"), ["one", "", "two", "100%"]);
        assert_eq!(lines.push(b"st"), Vec::<String>::new());
        assert_eq!(lines.finish().as_deref(), Some("last"));
        assert_eq!(Lines::default().finish(), None);
    }

    #[test]
    fn output_without_line_feeds_is_shown_in_pieces() {
        let mut lines = Lines::default();
        let shown: usize = (0..40).map(|_| lines.push(&[b'x'; 64 << 10]).len()).sum();
        assert_eq!(shown, 2);
    }
}
