//! Asking the person at the terminal, whatever the standard streams are connected to.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use async_trait::async_trait;
use kiln_core::prompt::{NoAnswer, Prompt};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::render::desk::Request;

/// Asks at `/dev/tty`. The question is written by the renderer, so that it stands behind what happened before it.
pub struct Terminal {
    requests: mpsc::Sender<Request>,
    stop: CancellationToken,
    /// One question at a time.
    turn: Mutex<()>,
}

impl Terminal {
    /// Returns a prompt; once `stop` is set nobody is asked any more.
    pub fn new(requests: mpsc::Sender<Request>, stop: CancellationToken) -> Terminal {
        Terminal { requests, stop, turn: Mutex::default() }
    }
}

/// Nobody is asked where programs read along.
pub struct Nobody;

#[async_trait]
impl Prompt for Nobody {
    async fn ask(&self, _query: &str) -> Result<String, NoAnswer> {
        Err(NoAnswer::Machine)
    }
}

/// Tells the renderer that the question is over, also when the future that asked it is dropped.
struct Question<'a> {
    requests: &'a mpsc::Sender<Request>,
    newline: bool,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        // The channel has room for a question and its end; if the renderer is gone, so is the line to end.
        let _ = self.requests.try_send(Request::Answered { newline: self.newline });
    }
}

#[async_trait]
impl Prompt for Terminal {
    async fn ask(&self, query: &str) -> Result<String, NoAnswer> {
        let _turn = self.turn.lock().await;
        if self.stop.is_cancelled() {
            return Err(NoAnswer::Interrupted);
        }
        let terminal = open().ok_or(NoAnswer::NoTerminal)?;
        let (shown, seen) = oneshot::channel();
        let request = Request::Ask { query: query.to_owned(), shown };
        self.requests.send(request).await.map_err(|_| NoAnswer::NoTerminal)?;
        let mut question = Question { requests: &self.requests, newline: true };
        let answer = tokio::select! {
            answer = async {
                // The renderer may be gone; the question stands then as well as it can.
                let _ = seen.await;
                read_line(&terminal).await
            } => answer,
            () = self.stop.cancelled() => Err(NoAnswer::Interrupted),
        };
        question.newline = answer.is_err();
        answer
    }
}

/// A job in the background would be stopped by the kernel if it read: it has no terminal to ask at.
fn open() -> Option<AsyncFd<File>> {
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open("/dev/tty")
        .ok()?;
    let foreground = nix::unistd::tcgetpgrp(&file).ok()?;
    (foreground == nix::unistd::getpgrp()).then(|| watched(file))?
}

#[expect(unsafe_code, reason = "the runtime is told of a descriptor by number")]
fn watched(file: File) -> Option<AsyncFd<File>> {
    // SAFETY: a `File` owns its descriptor and keeps the same one until it is dropped.
    unsafe { AsyncFd::register(file) }.ok()
}

async fn read_line(terminal: &AsyncFd<File>) -> Result<String, NoAnswer> {
    let mut line = Vec::new();
    loop {
        let mut ready = terminal.readable().await.map_err(|_| NoAnswer::NoTerminal)?;
        let mut buffer = [0u8; 256];
        let count = match ready.try_io(|terminal| terminal.get_ref().read(&mut buffer)) {
            // Not ready after all.
            Err(_) => continue,
            Ok(Err(_)) => return Err(NoAnswer::NoTerminal),
            Ok(Ok(count)) => count,
        };
        line.extend_from_slice(&buffer[..count]);
        // End of file (Ctrl-D) answers with what there is, as an empty line would.
        if count == 0 || line.contains(&b'\n') || line.contains(&b'\r') {
            let end = line.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(line.len());
            return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
        }
    }
}
