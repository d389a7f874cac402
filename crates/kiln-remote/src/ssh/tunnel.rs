//! Ports that lead elsewhere, and the agent that is lent to the machine.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use russh::Channel;
use russh::client::Msg;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Inner;
use crate::connect::{Address, Failure, Tunnel};

const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// Listens for the local tunnels until the guard is dropped.
pub async fn listen(inner: &Arc<Inner>) -> Result<Option<DropGuard>, Failure> {
    let tunnels = &inner.config.local_tunnels;
    if tunnels.is_empty() {
        return Ok(None);
    }
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    for tunnel in tunnels {
        let listener = TcpListener::bind(("localhost", tunnel.port)).await.map_err(|error| {
            Failure::Tunnel(format!("{}:{}", tunnel.port, tunnel.target), error.to_string())
        })?;
        let work = serve(listener, tunnel.clone(), Arc::downgrade(inner));
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }
    Ok(Some(guard))
}

async fn serve(listener: TcpListener, tunnel: Tunnel, inner: Weak<Inner>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely; they come back.
                tracing::debug!(%error, port = tunnel.port, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let target = tunnel.target.clone();
        tokio::spawn(async move {
            let link = Arc::clone(&*inner.link.lock().await);
            drop(inner);
            match link.direct(&target).await {
                Ok(channel) => join(channel, stream).await,
                Err(error) => tracing::debug!(%error, %target, "the machine cannot reach the tunnel's end"),
            }
        });
    }
}

/// Leads a channel the server opened to a place that is reached from here.
pub async fn to_target(channel: Channel<Msg>, target: Address) {
    match tokio::time::timeout(DIAL_LIMIT, TcpStream::connect((target.host.as_str(), target.port))).await {
        Ok(Ok(stream)) => join(channel, stream).await,
        Ok(Err(error)) => close(channel, &target.to_string(), &error.to_string()).await,
        Err(_) => close(channel, &target.to_string(), "no answer").await,
    }
}

/// Leads a channel the server opened to the local agent.
pub async fn to_agent(channel: Channel<Msg>, socket: PathBuf) {
    match UnixStream::connect(&socket).await {
        Ok(stream) => join(channel, stream).await,
        Err(error) => close(channel, &socket.display().to_string(), &error.to_string()).await,
    }
}

async fn close(channel: Channel<Msg>, target: &str, reason: &str) {
    tracing::debug!(%target, %reason, "the tunnel's end cannot be reached");
    let _ = channel.close().await;
}

async fn join(channel: Channel<Msg>, mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut channel = channel.into_stream();
    if let Err(error) = copy_bidirectional(&mut channel, &mut stream).await {
        tracing::debug!(%error, "a tunnelled connection broke");
    }
}
