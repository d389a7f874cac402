//! Tells how far a copy has come, while it is read or written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use kiln_core::event::Events;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is copied between two reports.
const PACE: u64 = 1 << 20;

/// A stream that reports what passes through it.
pub(super) struct Reported<'a, S> {
    stream: S,
    events: &'a Events,
    what: String,
    total: Option<u64>,
    done: u64,
    told: u64,
}

impl<'a, S> Reported<'a, S> {
    /// Returns `stream` reporting to `events`.
    pub(super) fn new(stream: S, events: &'a Events, what: String, total: Option<u64>) -> Reported<'a, S> {
        Reported { stream, events, what, total, done: 0, told: 0 }
    }

    /// Returns what is behind it.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    fn passed(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.done - self.told >= PACE || (bytes > 0 && Some(self.done) == self.total) {
            self.told = self.done;
            self.events.progress(&self.what, self.done, self.total, "bytes");
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Reported<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let bytes = buffer.filled().len() - before;
        self.passed(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Reported<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.passed(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
