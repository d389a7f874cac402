//! What the server may ask of us: whether its key is right, and channels it wants to open. Whatever was not asked for
//! is refused.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure};

use super::tunnel;
use crate::connect::{HostKeyPolicy, Tunnel};

/// The policy and what was learnt under it; outlives connections.
pub struct HostKeys {
    policy: HostKeyPolicy,
    learnt: OnceLock<PublicKey>,
}

impl HostKeys {
    pub fn new(policy: HostKeyPolicy) -> HostKeys {
        HostKeys { policy, learnt: OnceLock::new() }
    }

    /// Returns the fingerprints that are accepted if `key` is not among them.
    fn refuse(&self, key: &KeyData) -> Option<String> {
        let expected: Vec<&PublicKey> = match &self.policy {
            HostKeyPolicy::AcceptAny => return None,
            HostKeyPolicy::Pinned(keys) => keys.iter().collect(),
            HostKeyPolicy::TrustOnFirstUse => match self.learnt.get() {
                None => return None,
                Some(key) => vec![key],
            },
        };
        let is_expected = expected.iter().any(|expected| expected.key_data() == key);
        (!is_expected)
            .then(|| expected.iter().map(|key| fingerprint(key.key_data())).collect::<Vec<_>>().join(" or "))
    }

    /// Remembers the key of a connection that logged in.
    fn learn(&self, key: PublicKey) {
        let _ = self.learnt.set(key);
    }

    /// Returns the policy with what was learnt.
    pub fn policy(&self) -> HostKeyPolicy {
        match (&self.policy, self.learnt.get()) {
            (HostKeyPolicy::TrustOnFirstUse, Some(key)) => HostKeyPolicy::Pinned(vec![key.clone()]),
            (policy, _) => policy.clone(),
        }
    }
}

fn fingerprint(key: &KeyData) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

/// What is known of one connection from its callbacks.
#[derive(Default)]
pub struct Observed {
    /// The key the server showed.
    shown: Mutex<Option<PublicKey>>,
    /// What it showed and what was expected, if that was refused.
    refused: Mutex<Option<(String, String)>>,
    /// Why the connection ended.
    ended: OnceLock<String>,
}

impl Observed {
    pub fn refused(&self) -> Option<(String, String)> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// Makes the key that was shown the one to expect from now on.
    pub fn trust(&self, host_keys: &HostKeys) {
        if let Some(key) = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take() {
            host_keys.learn(key);
        }
    }
}

/// Answers the server.
pub struct Client {
    pub host_keys: Arc<HostKeys>,
    pub observed: Arc<Observed>,
    /// Socket of the agent the machine may use.
    pub agent: Option<PathBuf>,
    /// Ports of the machine that lead here.
    pub tunnels: Vec<Tunnel>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.clone(),
            // Not offered by us, so no server should send one; the key inside is what counts.
            PublicKeyOrCertificate::Certificate(certificate) => {
                PublicKey::from(certificate.public_key().clone())
            }
        };
        if let Some(expected) = self.host_keys.refuse(key.key_data()) {
            let refused = (fingerprint(key.key_data()), expected);
            *self.observed.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
            return Ok(false);
        }
        *self.observed.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Ok(true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let text = match reason {
            DisconnectReason::ReceivedDisconnect(info) => info.message,
            DisconnectReason::Error(russh::Error::KeepaliveTimeout) => {
                "the machine no longer answers".to_owned()
            }
            DisconnectReason::Error(error) => error.to_string(),
        };
        let _ = self.observed.ended.set(text);
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.agent.clone() {
            Some(socket) => {
                reply.accept().await;
                tokio::spawn(tunnel::to_agent(channel, socket));
            }
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        connected_port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.tunnels.iter().find(|tunnel| u32::from(tunnel.port) == connected_port) {
            Some(tunnel) => {
                reply.accept().await;
                tokio::spawn(tunnel::to_target(channel, tunnel.target.clone()));
            }
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }
}
