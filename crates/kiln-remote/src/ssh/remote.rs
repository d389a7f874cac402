//! A helper program on the machine, talked to over its standard streams.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use kiln_core::communicator::Exit;
use kiln_core::error::ErrorKind;
use kiln_core::{Error, Result};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::Inner;
use super::exec::{accepted, failed};
use super::link::Link;

/// What a well-behaved helper may say while it is being written to: answers of a few bytes, an error of a line.
const UNREAD_LIMIT: usize = 64 << 10;

/// The end of what it wrote to standard error, kept for the error text.
const ERRORS_KEPT: usize = 4 << 10;

/// A helper program that runs.
pub struct Remote<'a> {
    inner: &'a Inner,
    link: Arc<Link>,
    read: ChannelReadHalf,
    // Taken when the channel is closed.
    write: Option<ChannelWriteHalf<Msg>>,
    heard: Heard,
}

/// What came from it so far.
#[derive(Default)]
struct Heard {
    unread: BytesMut,
    errors: Vec<u8>,
    exit: Option<Exit>,
    has_ended: bool,
}

impl Heard {
    fn take(&mut self, message: Option<ChannelMsg>) {
        match message {
            Some(ChannelMsg::Data { data }) => self.unread.extend_from_slice(&data),
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                self.errors.extend_from_slice(&data);
                let excess = self.errors.len().saturating_sub(ERRORS_KEPT);
                self.errors.drain(..excess);
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => self.exit = Some(Exit::Code(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                self.exit = Some(Exit::Signal(match signal_name {
                    Sig::Custom(name) => name,
                    known => format!("{known:?}"),
                }));
            }
            Some(ChannelMsg::Close) | None => self.has_ended = true,
            Some(_) => {}
        }
    }
}

impl<'a> Remote<'a> {
    /// Starts `command`.
    pub async fn start(inner: &'a Inner, command: &str) -> Result<Remote<'a>> {
        let (mut channel, link) = inner.channel().await?;
        channel.exec(true, command).await.map_err(|error| failed(inner, &link, &error))?;
        accepted(inner, &link, &mut channel, &format!("the command `{command}`")).await?;
        let (read, write) = channel.split();
        Ok(Remote { inner, link, read, write: Some(write), heard: Heard::default() })
    }

    /// Writes all of `bytes`; ends early if the helper ends.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        let Remote { read, write, heard, .. } = self;
        let Some(write) = write else {
            return Err(Error::new("the helper's input is closed"));
        };
        let sent = {
            let sending = write.data_bytes(bytes);
            tokio::pin!(sending);
            loop {
                tokio::select! {
                    sent = &mut sending => break sent,
                    // Writing waits for ever when the helper is gone: who listens must be told by its messages.
                    message = read.wait() => {
                        heard.take(message);
                        if heard.has_ended {
                            break Err(russh::Error::Disconnect);
                        }
                        if heard.unread.len() > UNREAD_LIMIT {
                            return Err(Error::new("the remote helper talks when it should listen"));
                        }
                    }
                }
            }
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) if !self.heard.has_ended => Err(failed(self.inner, &self.link, &error)),
            // It may have said why before it ended.
            Err(_) => match self.complaint() {
                Some(text) => Err(Error::new(text)),
                None => Err(self.ended_early()),
            },
        }
    }

    /// Returns the next byte; `None` when the helper has ended.
    pub async fn byte(&mut self) -> Result<Option<u8>> {
        Ok(self.fill().await.then(|| self.heard.unread.get_u8()))
    }

    /// Returns what comes up to the next line feed, without it.
    pub async fn line(&mut self) -> Result<String> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.heard.unread[searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.heard.unread.split_to(searched + at);
                self.heard.unread.advance(1);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            searched = self.heard.unread.len();
            if self.heard.has_ended || searched > UNREAD_LIMIT {
                return Err(self.ended_early());
            }
            let message = self.read.wait().await;
            self.heard.take(message);
        }
    }

    /// Copies the next `size` bytes to `sink`.
    pub async fn copy(&mut self, size: u64, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()> {
        let mut left = size;
        while left > 0 {
            if !self.fill().await {
                return Err(self.ended_early());
            }
            let length = self.heard.unread.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let chunk = self.heard.unread.split_to(length);
            sink.write_all(&chunk)
                .await
                .map_err(|error| Error::new("write what was downloaded").source(error))?;
            left -= length as u64;
        }
        Ok(())
    }

    /// Waits until something is unread; returns whether there is.
    async fn fill(&mut self) -> bool {
        while self.heard.unread.is_empty() && !self.heard.has_ended {
            let message = self.read.wait().await;
            self.heard.take(message);
        }
        !self.heard.unread.is_empty()
    }

    /// Ends its input, waits for its end, and returns how that was.
    pub async fn finish(mut self) -> Result<()> {
        if let Some(write) = &self.write {
            let _ = write.eof().await;
        }
        while !self.heard.has_ended {
            self.heard.unread.clear();
            let message = self.read.wait().await;
            self.heard.take(message);
        }
        self.write = None;
        match &self.heard.exit {
            Some(Exit::Code(0)) => Ok(()),
            _ => Err(self.ended_early()),
        }
    }

    /// Waits for the end of a helper that has stopped answering, and returns its error.
    pub async fn ended(mut self) -> Error {
        while !self.heard.has_ended {
            let message = self.read.wait().await;
            self.heard.take(message);
        }
        self.write = None;
        self.ended_early()
    }

    /// Returns the text of an scp error that has come and was not read.
    fn complaint(&self) -> Option<String> {
        let at = self.heard.unread.iter().position(|byte| matches!(byte, 1 | 2))?;
        let text = String::from_utf8_lossy(&self.heard.unread[at + 1..]).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn ended_early(&self) -> Error {
        tracing::debug!(stderr = %String::from_utf8_lossy(&self.heard.errors), "the remote helper ended");
        match &self.heard.exit {
            Some(Exit::Code(127)) => Error::new(
                "SCP failed to start. This usually means that SCP is not\nproperly installed on the remote system.",
            ),
            Some(Exit::Code(status)) if *status != 0 => {
                Error::new(format!("Process exited with status {status}"))
            }
            Some(Exit::Signal(name)) => Error::new(format!("Process exited with: signal {name}")),
            Some(_) => Error::new("the remote helper ended too early"),
            None => match self.link.ended() {
                Some(reason) => self.inner.lost(reason),
                None => {
                    self.inner.lost("the remote helper ended without a status").kind(ErrorKind::Disconnected)
                }
            },
        }
    }
}

impl Drop for Remote<'_> {
    fn drop(&mut self) {
        // A transfer that was given up must not leave its helper waiting on the machine.
        if let Some(write) = self.write.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let _ = write.close().await;
            });
        }
    }
}
