//! Why one try to connect failed, told apart so that the last one explains a timeout.

use std::sync::{Mutex, PoisonError};

use super::Address;

/// Packer's prefix for a refused log-in.
const AUTHENTICATION_PREFIX: &str = "Packer experienced an authentication error when trying to connect via SSH. \
    This can happen if your username/password are wrong. You may want to double-check your credentials as part of \
    your debugging process. original error: ";

/// What the try that is under way waits for, as the failure it is if that never comes.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Option<Failure>>);

impl Progress {
    /// Notes what is waited for now.
    pub fn waits_for(&self, failure: Failure) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// Returns what was waited for last.
    pub fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Why a try failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The deadline came before the first try ended.
    #[error("the first try had not ended")]
    NeverTried,
    /// The machine's address is not known (yet).
    #[error("no address: {0}")]
    NoAddress(String),
    /// Nobody listens on the port.
    #[error("{0}: connection refused")]
    Refused(Address),
    /// Nothing came back.
    #[error("{0}: no answer")]
    Silent(Address),
    /// There is no way to the address.
    #[error("{0}: {1}")]
    Unreachable(Address, String),
    /// The bastion or the proxy, or the way from there on.
    #[error("{0}: {1}")]
    OnTheWay(String, Box<Failure>),
    /// The port was open, but SSH did not get going in time.
    #[error("Timeout during SSH handshake ({0})")]
    HandshakeTimedOut(Address),
    /// What answered did not become an SSH connection.
    #[error("{0}: SSH handshake failed: {1}")]
    Handshake(Address, String),
    /// Client and server have no algorithm in common.
    #[error("{address}: no common {kind} algorithm; offered {ours}, the server has {theirs}")]
    NoCommonAlgorithm {
        /// The server.
        address: Address,
        /// What for.
        kind: String,
        /// Our list.
        ours: String,
        /// The server's list.
        theirs: String,
    },
    /// The machine's key is not the expected one.
    #[error("{address}: the host key is {shown}, but {expected} is expected")]
    HostKey {
        /// The server.
        address: Address,
        /// Fingerprint of what it showed.
        shown: String,
        /// Fingerprints of what it may show.
        expected: String,
    },
    /// The log-in was refused.
    #[error(
        "{AUTHENTICATION_PREFIX}ssh: handshake failed: ssh: unable to authenticate, attempted methods [{}], \
         no supported methods remain", .tried.join(" ")
    )]
    Authentication {
        /// Who wanted to log in.
        user: String,
        /// The methods that were tried.
        tried: Vec<String>,
        /// The methods the server would still take.
        remaining: Vec<String>,
        /// What else went wrong (an agent that does not answer, say).
        notes: Vec<String>,
    },
    /// A tunnel could not be opened.
    #[error("the tunnel {0}: {1}")]
    Tunnel(String, String),
}

impl Failure {
    /// Returns whether it counts towards `ssh_handshake_attempts`.
    pub fn is_authentication(&self) -> bool {
        match self {
            Failure::Authentication { .. } => true,
            Failure::OnTheWay(_, failure) => failure.is_authentication(),
            Failure::NeverTried
            | Failure::NoAddress(_)
            | Failure::Refused(_)
            | Failure::Silent(_)
            | Failure::Unreachable(..)
            | Failure::HandshakeTimedOut(_)
            | Failure::Handshake(..)
            | Failure::NoCommonAlgorithm { .. }
            | Failure::HostKey { .. }
            | Failure::Tunnel(..) => false,
        }
    }

    /// Returns whether another try cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Failure::HostKey { .. } | Failure::Tunnel(..) => true,
            Failure::OnTheWay(_, failure) => failure.is_final(),
            _ => false,
        }
    }

    /// Returns what the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Failure::NeverTried => return Vec::new(),
            Failure::NoAddress(_) => {
                "check that the machine has an address this computer can reach".to_owned()
            }
            Failure::Refused(address) => format!(
                "{} answers, but nobody listens on port {}: check `ssh_port`, and that the image starts an SSH server",
                address.host, address.port
            ),
            Failure::Silent(address) => format!(
                "nothing came back from {} on port {}: check the security group, the route, and that the address is the \
                 one to reach the machine by",
                address.host, address.port
            ),
            Failure::Unreachable(address, _) => {
                format!("there is no way from here to {}: check the network and the address", address.host)
            }
            Failure::OnTheWay(hop, failure) => match failure.as_ref() {
                // Nothing is wrong with the machine itself: its own fields would lead astray.
                Failure::Refused(address) | Failure::Silent(address) | Failure::Unreachable(address, _)
                    if hop.ends_with(&address.to_string()) =>
                {
                    let fields = if hop.contains("proxy") {
                        "ssh_proxy_host` and `ssh_proxy_port"
                    } else {
                        "ssh_bastion_host` and `ssh_bastion_port"
                    };
                    format!("the way leads over {hop}: check `{fields}`")
                }
                failure => return failure.hints(),
            },
            Failure::HandshakeTimedOut(address) | Failure::Handshake(address, _) => {
                format!("something listens on {address}; check that it is an SSH server")
            }
            Failure::NoCommonAlgorithm { .. } => {
                "set `ssh_ciphers` or `ssh_key_exchange_algorithms` to what the server has".to_owned()
            }
            Failure::HostKey { .. } => "another machine may have answered at this address".to_owned(),
            Failure::Authentication { user, tried, remaining, notes, .. } => {
                let mut hints = notes.clone();
                let listed = |methods: &[String]| match methods.is_empty() {
                    true => "nothing".to_owned(),
                    false => methods.join(", "),
                };
                let tried: Vec<String> = tried.iter().filter(|method| *method != "none").cloned().collect();
                hints.push(format!(
                    "tried {} as `{user}`; the server would take {}: check `ssh_username` and the key or password",
                    listed(&tried),
                    listed(remaining)
                ));
                return hints;
            }
            Failure::Tunnel(..) => {
                "check that the port is free and that the server allows forwarding".to_owned()
            }
        };
        vec![hint]
    }
}
