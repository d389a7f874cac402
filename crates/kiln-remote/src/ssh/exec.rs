//! Commands.

use std::sync::Arc;

use kiln_core::communicator::{Command, Exit, Running, Stream};
use kiln_core::error::ErrorKind;
use kiln_core::{Error, Result};
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty, Sig};
use tokio::sync::{mpsc, oneshot};

use super::Inner;
use super::link::Link;

/// Messages of output that may wait for the reader; each is at most 32 KiB.
const OUTPUT_MESSAGES: usize = 32;

/// Packer's terminal: 40 rows, 80 columns, no echo.
const TERMINAL_MODES: [(Pty, u32); 3] =
    [(Pty::ECHO, 0), (Pty::TTY_OP_ISPEED, 14400), (Pty::TTY_OP_OSPEED, 14400)];

/// Starts a command.
pub async fn start(inner: &Inner, command: Command) -> Result<Running> {
    let (mut channel, link) = inner.channel().await?;
    if inner.config.forward_agent.is_some() {
        // Not answered: a server that forbids it is no reason to fail.
        channel.agent_forward(false).await.map_err(|error| failed(inner, &link, &error))?;
    }
    if inner.config.pty {
        let asked = channel.request_pty(true, "xterm", 80, 40, 0, 0, &TERMINAL_MODES).await;
        asked.map_err(|error| failed(inner, &link, &error))?;
        accepted(inner, &link, &mut channel, "the pseudo-terminal").await?;
    }
    // The line feed is Packer's.
    let asked = channel.exec(true, format!("{}\n", command.line)).await;
    asked.map_err(|error| failed(inner, &link, &error))?;
    accepted(inner, &link, &mut channel, "the command").await?;

    let (output, output_receiver) = mpsc::channel(OUTPUT_MESSAGES);
    let (exit, exit_receiver) = oneshot::channel();
    let (read, write) = channel.split();
    let relay = Relay { read, write, output, exit, _link: link };
    tokio::spawn(relay.run(command.stdin.unwrap_or_default()));
    Ok(Running { output: output_receiver, exit: exit_receiver })
}

/// Waits for the server's yes to a request.
pub async fn accepted(inner: &Inner, link: &Link, channel: &mut Channel<Msg>, what: &str) -> Result<()> {
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure) => {
                let _ = channel.close().await;
                return Err(Error::new(format!("{} refused {what}", inner.address)));
            }
            Some(ChannelMsg::Close) | None => return Err(failed(inner, link, &russh::Error::Disconnect)),
            Some(_) => {}
        }
    }
}

/// Returns the error of an operation on a channel.
pub fn failed(inner: &Inner, link: &Link, error: &russh::Error) -> Error {
    match link.ended() {
        Some(reason) => inner.lost(reason),
        None => Error::new(format!("{}: {error}", inner.address)).kind(ErrorKind::Disconnected),
    }
}

/// Carries a command's streams between its channel and whoever started it.
struct Relay {
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
    output: mpsc::Sender<(Stream, Vec<u8>)>,
    exit: oneshot::Sender<Exit>,
    // The connection lives while its commands do.
    _link: Arc<Link>,
}

impl Relay {
    async fn run(self, stdin: Vec<u8>) {
        let Relay { mut read, write, output, mut exit, _link } = self;
        let feed = async {
            if !stdin.is_empty() {
                let _ = write.data_bytes(stdin).await;
            }
            let _ = write.eof().await;
        };
        tokio::pin!(feed);
        let mut is_fed = false;
        let mut end = Exit::Disconnected;
        loop {
            let message = tokio::select! {
                () = &mut feed, if !is_fed => {
                    is_fed = true;
                    continue;
                }
                // Nobody waits any more. The remote command goes on, as Packer has it; its output is dropped.
                () = exit.closed() => return,
                message = read.wait() => message,
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    let _ = output.send((Stream::Stdout, data.to_vec())).await;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let _ = output.send((Stream::Stderr, data.to_vec())).await;
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => end = Exit::Code(exit_status),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => end = Exit::Signal(signal(signal_name)),
                Some(ChannelMsg::Close) | None => break,
                Some(_) => {}
            }
        }
        drop(output);
        let _ = exit.send(end);
    }
}

fn signal(signal: Sig) -> String {
    match signal {
        Sig::Custom(name) => name,
        known => format!("{known:?}"),
    }
}
