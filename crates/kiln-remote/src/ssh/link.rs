//! One connection that is logged in: dialling, the way through a bastion or a proxy, handshake, log-in.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle, Msg};
use russh::keys::Algorithm;
use russh::{Channel, Preferred, cipher, kex, mac};
use tokio::time::timeout;

use super::client::{Client, HostKeys, Observed};
use super::wire::{Guarded, Stream};
use super::{auth, socks};
use crate::connect::{
    Address, Algorithms, Bastion, ConnectConfig, Credentials, Failure, HostKeyPolicy, Progress, Route,
};
use crate::dial::Dialer;

/// Packer's limits for the TCP connection, and for all between it and being logged in.
const DIAL_LIMIT: Duration = Duration::from_secs(15);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// Keep-alive messages that may stay unanswered.
const KEEP_ALIVE_MAX: usize = 3;

/// What a connection is made for.
#[derive(Clone, Copy)]
pub enum Purpose<'a> {
    /// The first one; whoever waits for it wants to know how far it is.
    First(&'a Progress),
    /// To take the place of one that was lost. The forwarded agent's keys are tried too, as Packer does.
    Again,
}

impl Purpose<'_> {
    fn waits_for(self, failure: Failure) {
        match self {
            Purpose::First(progress) => progress.waits_for(failure),
            Purpose::Again => {}
        }
    }
}

/// A connection that is logged in.
pub struct Link {
    handle: Handle<Client>,
    observed: Arc<Observed>,
    // The connection this one runs through; it must not end before.
    _bastion: Option<Box<Link>>,
}

impl Link {
    /// Connects and logs in.
    pub async fn open(
        config: &ConnectConfig,
        dialer: &Arc<dyn Dialer>,
        address: &Address,
        host_keys: &Arc<HostKeys>,
        purpose: Purpose<'_>,
    ) -> Result<Link, Failure> {
        purpose.waits_for(Failure::Silent(address.clone()));
        let (stream, bastion) = match &config.route {
            Route::Direct => (dial(dialer, address).await?, None),
            Route::Socks(proxy) => {
                let proxy_address = Address { host: proxy.host.clone(), port: proxy.port };
                let on_the_way =
                    |failure| Failure::OnTheWay(format!("the proxy {proxy_address}"), Box::new(failure));
                let stream = dial(dialer, &proxy_address).await.map_err(on_the_way)?;
                let through = socks::connect(stream, proxy, address);
                let stream = timeout(DIAL_LIMIT, through)
                    .await
                    .map_err(|_| on_the_way(Failure::Silent(address.clone())))?;
                (stream.map_err(on_the_way)?, None)
            }
            Route::Bastion(bastion) => {
                let name = format!("the bastion {}:{}", bastion.host, bastion.port);
                let through = through_bastion(config, dialer, bastion, address);
                let (stream, link) =
                    through.await.map_err(|failure| Failure::OnTheWay(name, Box::new(failure)))?;
                (stream, Some(Box::new(link)))
            }
        };
        let spare_agent = config.forward_agent.as_deref().filter(|_| matches!(purpose, Purpose::Again));
        purpose.waits_for(Failure::HandshakeTimedOut(address.clone()));
        let client = Client {
            host_keys: Arc::clone(host_keys),
            observed: Arc::default(),
            agent: config.forward_agent.clone(),
            tunnels: config.remote_tunnels.clone(),
        };
        let mut link = log_in(config, stream, client, address, &config.credentials, spare_agent).await?;
        link._bastion = bastion;
        for tunnel in &config.remote_tunnels {
            let asked =
                timeout(HANDSHAKE_LIMIT, link.handle.tcpip_forward("localhost", tunnel.port.into())).await;
            let reason = match asked {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            return Err(Failure::Tunnel(format!("{}:{}", tunnel.port, tunnel.target), reason));
        }
        Ok(link)
    }

    /// Opens a channel for a command or a subsystem.
    pub async fn channel(&self) -> Result<Channel<Msg>, russh::Error> {
        match timeout(HANDSHAKE_LIMIT, self.handle.channel_open_session()).await {
            Ok(channel) => channel,
            Err(_) => Err(russh::Error::ConnectionTimeout),
        }
    }

    /// Opens a connection from the machine to `target`.
    pub async fn direct(&self, target: &Address) -> Result<Channel<Msg>, russh::Error> {
        let opened =
            self.handle.channel_open_direct_tcpip(target.host.as_str(), target.port.into(), "127.0.0.1", 0);
        match timeout(HANDSHAKE_LIMIT, opened).await {
            Ok(channel) => channel,
            Err(_) => Err(russh::Error::ConnectionTimeout),
        }
    }

    /// Returns why the connection ended, if it did.
    pub fn ended(&self) -> Option<&str> {
        match self.observed.ended() {
            Some(reason) => Some(reason),
            None => self.handle.is_closed().then_some("connection closed"),
        }
    }
}

/// Connects by TCP: this is also the look whether the port is open.
async fn dial(dialer: &Arc<dyn Dialer>, address: &Address) -> Result<Box<dyn Stream>, Failure> {
    use std::io::ErrorKind;
    match timeout(DIAL_LIMIT, dialer.dial(&address.host, address.port)).await {
        Err(_) => Err(Failure::Silent(address.clone())),
        Ok(Err(error)) => Err(match error.kind() {
            ErrorKind::ConnectionRefused => Failure::Refused(address.clone()),
            ErrorKind::TimedOut => Failure::Silent(address.clone()),
            _ => Failure::Unreachable(address.clone(), error.to_string()),
        }),
        Ok(Ok(stream)) => {
            // Small messages must not wait for each other.
            let _ = stream.set_nodelay(true);
            Ok(Box::new(stream))
        }
    }
}

async fn through_bastion(
    config: &ConnectConfig,
    dialer: &Arc<dyn Dialer>,
    bastion: &Bastion,
    address: &Address,
) -> Result<(Box<dyn Stream>, Link), Failure> {
    let bastion_address = Address { host: bastion.host.clone(), port: bastion.port };
    let stream = dial(dialer, &bastion_address).await?;
    let client = Client {
        host_keys: Arc::new(HostKeys::new(HostKeyPolicy::TrustOnFirstUse)),
        observed: Arc::default(),
        agent: None,
        tunnels: Vec::new(),
    };
    let link = log_in(config, stream, client, &bastion_address, &bastion.credentials, None).await?;
    let channel =
        timeout(DIAL_LIMIT, link.direct(address)).await.map_err(|_| Failure::Silent(address.clone()))?;
    match channel {
        Ok(channel) => Ok((Box::new(channel.into_stream()), link)),
        Err(error) => Err(Failure::Unreachable(address.clone(), error.to_string())),
    }
}

/// Handshake and log-in, within the limit for both.
async fn log_in(
    config: &ConnectConfig,
    stream: Box<dyn Stream>,
    client: Client,
    address: &Address,
    credentials: &Credentials,
    spare_agent: Option<&std::path::Path>,
) -> Result<Link, Failure> {
    let (host_keys, observed) = (Arc::clone(&client.host_keys), Arc::clone(&client.observed));
    let work = async {
        let write_limit = config.read_write_timeout.or(config.keep_alive.map(|interval| interval * 4));
        let stream = Guarded::new(stream, config.read_write_timeout, write_limit);
        let settings = settings(config, &host_keys.policy());
        let mut handle = client::connect_stream(Arc::new(settings), stream, client)
            .await
            .map_err(|error| handshake_failure(address, &observed, error))?;
        auth::log_in(&mut handle, address, credentials, spare_agent, &observed).await?;
        observed.trust(&host_keys);
        Ok(Link { handle, observed: Arc::clone(&observed), _bastion: None })
    };
    timeout(HANDSHAKE_LIMIT, work).await.unwrap_or_else(|_| Err(Failure::HandshakeTimedOut(address.clone())))
}

fn handshake_failure(address: &Address, observed: &Observed, error: russh::Error) -> Failure {
    if let Some((shown, expected)) = observed.refused() {
        return Failure::HostKey { address: address.clone(), shown, expected };
    }
    match error {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => Failure::NoCommonAlgorithm {
            address: address.clone(),
            kind: format!("{kind:?}").to_lowercase(),
            ours: ours.join(", "),
            theirs: theirs.join(", "),
        },
        error => Failure::Handshake(address.clone(), error.to_string()),
    }
}

fn settings(config: &ConnectConfig, host_keys: &HostKeyPolicy) -> client::Config {
    client::Config {
        nodelay: true,
        keepalive_interval: config.keep_alive,
        keepalive_max: KEEP_ALIVE_MAX,
        preferred: preferred(&config.algorithms, host_keys),
        ..client::Config::default()
    }
}

/// The library prefers ChaCha20; AES-GCM is half as fast again where the processor helps, which is everywhere now.
/// The elliptic curve and SHA-1 entries at the ends are what Packer's library offers besides: old servers need them.
fn preferred(algorithms: &Algorithms, host_keys: &HostKeyPolicy) -> Preferred {
    let mut preferred = Preferred {
        cipher: vec![
            cipher::AES_256_GCM,
            cipher::AES_128_GCM,
            cipher::CHACHA20_POLY1305,
            cipher::AES_256_CTR,
            cipher::AES_192_CTR,
            cipher::AES_128_CTR,
        ]
        .into(),
        compression: vec![russh::compression::NONE].into(),
        ..Preferred::DEFAULT
    };
    if let HostKeyPolicy::Pinned(keys) = host_keys {
        // A server with several keys must show one that can be compared.
        let is_pinned = |name: &Algorithm| keys.iter().any(|key| is_of_kind(&key.algorithm(), name));
        let pinned: Vec<Algorithm> = preferred.key.iter().filter(|name| is_pinned(name)).cloned().collect();
        if !pinned.is_empty() {
            preferred.key = pinned.into();
        }
    }
    let mut macs = preferred.mac.to_vec();
    macs.push(mac::HMAC_SHA1);
    preferred.mac = macs.into();
    if !algorithms.ciphers.is_empty() {
        preferred.cipher = algorithms.ciphers.iter().filter_map(|name| Algorithms::cipher(name)).collect();
    }
    let mut exchanges: Vec<kex::Name> = match algorithms.key_exchange.is_empty() {
        true => {
            let mut names = preferred.kex.to_vec();
            let curves = [kex::ECDH_SHA2_NISTP256, kex::ECDH_SHA2_NISTP384, kex::ECDH_SHA2_NISTP521];
            names.splice(3..3, curves);
            names
        }
        false => algorithms.key_exchange.iter().filter_map(|name| Algorithms::key_exchange(name)).collect(),
    };
    // Not algorithms but announcements; without them the server names no signature algorithms and the connection is
    // open to the Terrapin attack.
    for extension in [kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT] {
        if !exchanges.contains(&extension) {
            exchanges.push(extension);
        }
    }
    preferred.kex = exchanges.into();
    preferred
}

/// Whether a key of the algorithm `key` can sign as `name`; an RSA key can with any hash.
fn is_of_kind(key: &Algorithm, name: &Algorithm) -> bool {
    key == name || matches!((key, name), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}
