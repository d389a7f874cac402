//! What runs on a channel: bytes in, bytes out, and the end told last.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::instance::helper::wire::EnterRequest;
use crate::instance::machine::{Shared, State};
use crate::instance::process::{self, Streams, Terminal, TerminalRequest};

/// How much may wait for a program that does not read. Beyond it the whole connection waits: the
/// library widens a channel's window before we see the data, so there is no finer way to say stop.
const WAITING_BYTES: usize = 128 * 1024 * 1024;

/// Standard error's number in SSH.
const STDERR: u32 = 1;

/// What the client sends.
pub(super) enum Input {
    Data(Bytes),
    End,
}

/// A session channel, before and while something runs on it.
pub(super) struct Opened {
    pub environment: Vec<(String, String)>,
    pub terminal: Option<TerminalRequest>,
    writer: Arc<ChannelWriteHalf<Msg>>,
    running: Option<Running>,
}

struct Running {
    input: mpsc::UnboundedSender<Input>,
    room: Arc<Semaphore>,
    process: Option<u32>,
    terminal: Option<Terminal>,
    /// The channel's end, or that of the whole connection, hangs up.
    _hangs_up: DropGuard,
}

impl Opened {
    pub fn new(writer: ChannelWriteHalf<Msg>) -> Opened {
        Opened { environment: Vec::new(), terminal: None, writer: Arc::new(writer), running: None }
    }

    /// Starts something; a channel runs one thing in its life. Returns whether it could.
    pub async fn start(
        &mut self,
        machine: &Arc<Shared>,
        mut request: EnterRequest,
        handle: Handle,
        cancel: CancellationToken,
    ) -> bool {
        if self.running.is_some() {
            return false;
        }
        request.environment.append(&mut self.environment);
        if let Some(terminal) = &self.terminal {
            request.terminal = true;
            request.environment.push(("TERM".to_owned(), terminal.name.clone()));
        }
        let (child, streams) =
            match process::start(machine.host.helper(), &request, self.terminal.as_ref()).await {
                Ok(started) => started,
                Err(error) => {
                    machine.console().service("sshd", &format!("start a process: {error}"));
                    return false;
                }
            };
        // Bounded by `room`, in bytes.
        let (input, waiting) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(WAITING_BYTES));
        let hung_up = CancellationToken::new();
        let terminal = match &streams {
            Streams::Terminal(terminal) => Some(terminal.clone()),
            Streams::Pipes { .. } => None,
        };
        self.running = Some(Running {
            input,
            room: room.clone(),
            process: child.id(),
            terminal,
            _hangs_up: hung_up.clone().drop_guard(),
        });
        let attended = Attended { machine: machine.clone(), writer: self.writer.clone(), handle };
        tokio::spawn(async move {
            // The connection or the machine going away ends our attention, not the process: like
            // under sshd it notices by its pipes. Its terminal is hung up.
            tokio::select! {
                () = cancel.cancelled() => {}
                () = hung_up.cancelled() => {}
                () = attended.attend(child, streams, waiting, room) => {}
            }
        });
        true
    }

    pub async fn input(&mut self, input: Input) {
        let Some(running) = &self.running else { return };
        if let Input::Data(data) = &input {
            // An error: nothing reads any more, and what comes is dropped.
            let Ok(seat) = running.room.acquire_many(data.len() as u32).await else { return };
            seat.forget();
        }
        let _ = running.input.send(input);
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        if let Some(Running { terminal: Some(terminal), .. }) = &self.running {
            terminal.resize(columns, rows);
        }
    }

    pub fn signal(&mut self, signal: &Sig) {
        if let Some(Running { process: Some(process), .. }) = &self.running {
            process::signal(*process, signal);
        }
    }
}

struct Attended {
    machine: Arc<Shared>,
    writer: Arc<ChannelWriteHalf<Msg>>,
    handle: Handle,
}

impl Attended {
    async fn attend(
        self,
        mut child: Child,
        streams: Streams,
        waiting: mpsc::UnboundedReceiver<Input>,
        room: Arc<Semaphore>,
    ) {
        let feeding;
        match streams {
            Streams::Pipes { input, output, errors } => {
                feeding = tokio::spawn(feed_pipe(input, waiting, room));
                tokio::join!(self.pass(output, None), self.pass(errors, Some(STDERR)));
            }
            Streams::Terminal(terminal) => {
                feeding = tokio::spawn(feed_terminal(terminal.clone(), waiting, room));
                loop {
                    let bytes = terminal.read().await;
                    if bytes.is_empty() || self.writer.data_bytes(bytes).await.is_err() {
                        break;
                    }
                }
            }
        }
        let status = child.wait().await;
        feeding.abort();
        if let Ok(status) = status {
            self.tell(status).await;
        }
        let _ = self.handle.eof(self.writer.id()).await;
        let _ = self.handle.close(self.writer.id()).await;
    }

    async fn pass(&self, mut from: impl AsyncRead + Unpin, stream: Option<u32>) {
        let mut buffer = vec![0; 128 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let bytes = Bytes::copy_from_slice(&buffer[..count]);
            let sent = match stream {
                None => self.writer.data_bytes(bytes).await,
                Some(number) => self.writer.extended_data_bytes(number, bytes).await,
            };
            // Closing the pipe is what a program notices.
            if sent.is_err() {
                break;
            }
        }
    }

    /// Tells how it ended, unless it ended because the machine did: then the connection is about
    /// to be lost, and that is the news.
    async fn tell(&self, status: ExitStatus) {
        let id = self.writer.id();
        if status.signal().is_some() {
            let mut state = self.machine.state.subscribe();
            let ending = state.wait_for(|state| !matches!(state, State::Running(_)));
            if tokio::time::timeout(Duration::from_millis(200), ending).await.is_ok() {
                std::future::pending::<()>().await;
            }
        }
        let _ = match (status.code(), status.signal()) {
            (Some(code), _) => self.handle.exit_status_request(id, code as u32).await,
            (None, signal) => {
                let name = process::signal_name(signal.unwrap_or(0));
                self.handle.exit_signal_request(id, name, false, String::new(), String::new()).await
            }
        };
    }
}

async fn feed_pipe(mut to: ChildStdin, mut waiting: mpsc::UnboundedReceiver<Input>, room: Arc<Semaphore>) {
    let _closes = CloseOnDrop(room.clone());
    while let Some(Input::Data(data)) = waiting.recv().await {
        if to.write_all(&data).await.is_err() {
            return;
        }
        room.add_permits(data.len());
    }
}

async fn feed_terminal(to: Terminal, mut waiting: mpsc::UnboundedReceiver<Input>, room: Arc<Semaphore>) {
    let _closes = CloseOnDrop(room.clone());
    while let Some(input) = waiting.recv().await {
        let done = match input {
            Input::Data(data) => {
                let done = to.write(&data).await;
                room.add_permits(data.len());
                done
            }
            // The end of input on a terminal is a key.
            Input::End => to.write(&[4]).await,
        };
        if done.is_err() {
            return;
        }
    }
}

/// Lets go of a sender that waits for room nobody will make.
struct CloseOnDrop(Arc<Semaphore>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
