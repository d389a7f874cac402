//! SSH: one connection, many commands and transfers at once.
//!
//! Every operation is a channel of its own. If a channel cannot be opened (the machine was restarted), the connection
//! is made anew, once, with the same credentials and the same host key. All channels share the connection's reading
//! side: a command whose output nobody takes holds the others up.

mod auth;
mod client;
mod exec;
mod link;
mod remote;
mod scp;
mod sftp;
mod socks;
mod tunnel;
mod wire;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::communicator::{Command, Communicator, FileInfo, Running};
use kiln_core::error::ErrorKind;
use kiln_core::{Error, Result};
use russh::Channel;
use russh::client::Msg;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio_util::sync::DropGuard;

use crate::connect::{Address, ConnectConfig, Failure, HostKeyPolicy, Progress, Transfer};
use crate::dial::Dialer;
use client::HostKeys;
use link::{Link, Purpose};

/// A connection to a machine.
pub struct SshCommunicator {
    inner: Arc<Inner>,
    // Ends what listens for the local tunnels.
    _tunnels: Option<DropGuard>,
}

struct Inner {
    config: ConnectConfig,
    dialer: Arc<dyn Dialer>,
    address: Address,
    host_keys: Arc<HostKeys>,
    link: Mutex<Arc<Link>>,
}

impl SshCommunicator {
    /// Connects and logs in, once. Use [`connect`](crate::connect::connect) to wait for a machine.
    pub async fn open(
        config: &ConnectConfig,
        dialer: Arc<dyn Dialer>,
        address: Address,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let host_keys = Arc::new(HostKeys::new(config.host_keys.clone()));
        let link = Link::open(config, &dialer, &address, &host_keys, Purpose::First(progress)).await?;
        let inner = Arc::new(Inner {
            config: config.clone(),
            dialer,
            address,
            host_keys,
            link: Mutex::new(Arc::new(link)),
        });
        let tunnels = tunnel::listen(&inner).await?;
        Ok(SshCommunicator { inner, _tunnels: tunnels })
    }

    /// Returns where the machine is.
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    /// Returns the policy another connection to the same machine should have: the key that was learnt is pinned.
    pub fn host_key_policy(&self) -> HostKeyPolicy {
        self.inner.host_keys.policy()
    }
}

impl Inner {
    /// Opens a channel, over a new connection if the old one does not give one.
    async fn channel(&self) -> Result<(Channel<Msg>, Arc<Link>)> {
        let link = Arc::clone(&*self.link.lock().await);
        let first = match link.channel().await {
            Ok(channel) => return Ok((channel, link)),
            Err(error) => error,
        };
        tracing::debug!(error = %first, address = %self.address, "no channel; connecting again");
        let link = {
            // Whoever comes first connects; the others find the new connection here.
            let mut current = self.link.lock().await;
            if Arc::ptr_eq(&current, &link) {
                let renewed =
                    Link::open(&self.config, &self.dialer, &self.address, &self.host_keys, Purpose::Again)
                        .await;
                *current = Arc::new(renewed.map_err(|failure| {
                    let hints = failure.hints();
                    hints.into_iter().fold(self.lost(&first.to_string()).source(failure), Error::hint)
                })?);
            }
            Arc::clone(&current)
        };
        match link.channel().await {
            Ok(channel) => Ok((channel, link)),
            Err(error) => Err(self.lost(&error.to_string())),
        }
    }

    fn lost(&self, reason: &str) -> Error {
        Error::new(format!("the connection to {} was lost ({reason})", self.address))
            .kind(ErrorKind::Disconnected)
    }
}

#[async_trait]
impl Communicator for SshCommunicator {
    async fn start(&self, command: Command) -> Result<Running> {
        exec::start(&self.inner, command).await
    }

    async fn upload(
        &self,
        path: &str,
        source: &mut (dyn AsyncRead + Send + Unpin),
        info: Option<FileInfo>,
    ) -> Result<()> {
        match self.inner.config.transfer {
            Transfer::Scp => scp::upload(&self.inner, path, source, info).await,
            Transfer::Sftp => sftp::upload(&self.inner, path, source, info).await,
        }
    }

    async fn upload_dir(&self, destination: &str, source: &Path, contents_only: bool) -> Result<()> {
        match self.inner.config.transfer {
            Transfer::Scp => scp::upload_dir(&self.inner, destination, source, contents_only).await,
            Transfer::Sftp => sftp::upload_dir(&self.inner, destination, source, contents_only).await,
        }
    }

    async fn download(&self, path: &str, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()> {
        match self.inner.config.transfer {
            Transfer::Scp => scp::download(&self.inner, path, sink).await,
            Transfer::Sftp => sftp::download(&self.inner, path, sink).await,
        }
    }

    async fn download_dir(&self, source: &str, destination: &Path) -> Result<()> {
        // Packer uses scp here whatever the method, and places the folder the same way for both.
        scp::download_dir(&self.inner, source, destination).await
    }
}
