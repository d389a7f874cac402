//! How to connect, with nothing left to look up: files are read, defaults applied.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kiln_core::Secret;
use russh::keys::{Certificate, PrivateKey, PublicKey};
use russh::{cipher, kex};

use crate::keys::{KeyKind, KeyPair};

/// Where the machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// All that is needed to wait for SSH and to use it.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    /// The host the template names, if it does.
    pub host: Option<String>,
    /// The port to connect to.
    pub port: u16,
    /// How to log in. Builders add the keys and passwords they made.
    pub credentials: Credentials,
    /// Socket of the agent the machine may use.
    pub forward_agent: Option<PathBuf>,
    /// How to get to the machine.
    pub route: Route,
    /// How long to wait; `None` is without limit.
    pub timeout: Option<Duration>,
    /// How many refused log-ins end the wait; `None` is without limit.
    pub handshake_attempts: Option<u32>,
    /// How long to wait between the first connection and the one that is used.
    pub pause: Option<Duration>,
    /// How soon to look again.
    pub pace: Pace,
    /// Which host keys are accepted.
    pub host_keys: HostKeyPolicy,
    /// What to offer in place of the default lists.
    pub algorithms: Algorithms,
    /// After how much silence the connection is tested; `None` never.
    pub keep_alive: Option<Duration>,
    /// How long a single read or write may take.
    pub read_write_timeout: Option<Duration>,
    /// Whether commands run in a pseudo-terminal.
    pub pty: bool,
    /// How files are copied.
    pub transfer: Transfer,
    /// Ports of the machine that lead here.
    pub remote_tunnels: Vec<Tunnel>,
    /// Local ports that lead to what the machine can reach.
    pub local_tunnels: Vec<Tunnel>,
    /// What kind of temporary key the template asks for.
    pub temporary_key: KeyKind,
}

/// How to log in.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password, also for keyboard-interactive.
    pub password: Option<Secret>,
    /// Whether the agent's keys are tried first.
    pub use_agent: bool,
    /// Socket of that agent, if there is one.
    pub agent: Option<PathBuf>,
    /// Keys, in the order they are tried.
    pub keys: Vec<LoginKey>,
}

/// A key to log in with.
#[derive(Clone)]
pub struct LoginKey {
    /// The key.
    pub key: Arc<PrivateKey>,
    /// Its certificate.
    pub certificate: Option<Certificate>,
}

impl std::fmt::Debug for LoginKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LoginKey")
            .field(&self.key.fingerprint(russh::keys::HashAlg::Sha256).to_string())
            .finish()
    }
}

impl From<&KeyPair> for LoginKey {
    fn from(pair: &KeyPair) -> LoginKey {
        LoginKey { key: Arc::clone(pair.private()), certificate: None }
    }
}

/// How to get to the machine.
#[derive(Debug, Clone, Default)]
pub enum Route {
    /// Straight.
    #[default]
    Direct,
    /// Through another SSH server.
    Bastion(Box<Bastion>),
    /// Through a SOCKS5 proxy.
    Socks(SocksProxy),
}

/// An SSH server on the way.
#[derive(Debug, Clone)]
pub struct Bastion {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How to log in there.
    pub credentials: Credentials,
}

/// A SOCKS5 proxy.
#[derive(Debug, Clone)]
pub struct SocksProxy {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name, if it asks for one.
    pub username: Option<String>,
    /// Password for the user name.
    pub password: Option<Secret>,
}

/// How soon to look again. Packer waits 5 s whatever happened; most of that would be waiting of our own making.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The first pause while the machine does not answer.
    pub first: Duration,
    /// The longest pause while the machine does not answer.
    pub longest: Duration,
    /// The pause after a refused log-in, Packer's 2 s + 5 s: `ssh_handshake_attempts` is a number of such rounds, and
    /// machines that install their key late have that long. Faster would make `sshd` block us, too.
    pub after_refused_login: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(2),
            after_refused_login: Duration::from_secs(7),
        }
    }
}

/// Which host keys are accepted.
#[derive(Debug, Clone, Default)]
pub enum HostKeyPolicy {
    /// Any, always. For machines whose keys change on purpose.
    AcceptAny,
    /// Only these, learnt in a trustworthy way (the machine's console, say).
    Pinned(Vec<PublicKey>),
    /// The one shown by the first connection that logged in, from then on no other. Keys shown before (a machine makes
    /// its own during its first boot) do not count.
    #[default]
    TrustOnFirstUse,
}

/// How files are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// By the remote `scp`.
    #[default]
    Scp,
    /// By the `sftp` subsystem (folders are downloaded by `scp`).
    Sftp,
}

/// A port that leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// The port that is listened on, on `localhost`.
    pub port: u16,
    /// Where it leads.
    pub target: Address,
}

impl Tunnel {
    /// Returns the tunnel `PORT:HOST:PORT` denotes.
    pub fn parse(text: &str) -> Option<Tunnel> {
        let (port, target) = text.split_once(':')?;
        let (host, target_port) = target.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then_some(())?;
        let target = Address { host: host.to_owned(), port: target_port.parse().ok()? };
        Some(Tunnel { port: port.parse().ok()?, target })
    }
}

/// What to offer in place of the default lists; an empty list is the default.
#[derive(Debug, Clone, Default)]
pub struct Algorithms {
    /// Ciphers, best first.
    pub ciphers: Vec<String>,
    /// Key exchange algorithms, best first.
    pub key_exchange: Vec<String>,
}

impl Algorithms {
    /// Returns the cipher called `name`, if there is one that protects anything.
    pub fn cipher(name: &str) -> Option<cipher::Name> {
        cipher::Name::try_from(name).ok().filter(|cipher| *cipher != cipher::NONE && *cipher != cipher::CLEAR)
    }

    /// Returns the key exchange algorithm called `name`, if there is one that protects anything.
    pub fn key_exchange(name: &str) -> Option<kex::Name> {
        kex::Name::try_from(name).ok().filter(|algorithm| *algorithm != kex::NONE)
    }
}
