//! A stream on which a single read or write may only take so long.
//!
//! Keep-alive messages notice a dead machine only while they can be written. Once the send buffer is full nothing
//! can, and a transfer to a dead machine would hang until the kernel gives up, a quarter of an hour later. So a write
//! that stays blocked for as long as the keep-alives would have taken ends the connection too.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Anything a connection can run over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream with limits.
pub struct Guarded {
    stream: Box<dyn Stream>,
    read: Limit,
    write: Limit,
}

impl Guarded {
    pub fn new(stream: Box<dyn Stream>, read: Option<Duration>, write: Option<Duration>) -> Guarded {
        Guarded { stream, read: Limit::new(read), write: Limit::new(write) }
    }
}

/// A timer that runs while an operation is blocked.
struct Limit {
    limit: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    is_running: bool,
}

impl Limit {
    fn new(limit: Option<Duration>) -> Limit {
        Limit { limit, timer: None, is_running: false }
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
        what: &str,
    ) -> Poll<io::Result<T>> {
        let Some(limit) = self.limit else {
            return result;
        };
        if result.is_ready() {
            self.is_running = false;
            return result;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.is_running {
            timer.as_mut().reset(Instant::now() + limit);
            self.is_running = true;
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => {
                let message = format!("no {what} within {}", kiln_core::duration::format_go(limit));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.read.watch(cx, result, "data came")
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.write.watch(cx, result, "data was taken")
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        this.write.watch(cx, result, "data was taken")
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.write.watch(cx, result, "end of data was taken")
    }
}
