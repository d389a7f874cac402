//! What a template says about reaching the machine: the fields every builder has in common.
//!
//! A builder flattens [`CommunicatorConfig`] into its own configuration and calls
//! [`CommunicatorConfig::resolve`] when it is prepared: defaults are applied, files are read, and all that is wrong
//! comes back at once.

mod resolve;

use std::fmt;

use kiln_core::Secret;
use kiln_core::duration::GoDuration;
use schemars::JsonSchema;
use serde::Deserialize;

pub use resolve::{Resolved, place};

/// How to reach the machine being built.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommunicatorConfig {
    /// How to talk to the machine: `ssh` (the default), `winrm` or `none`.
    #[schemars(extend("x-default" = "ssh"))]
    pub communicator: Option<String>,
    /// How long to wait after the first connection before connecting again and going on.
    pub pause_before_connecting: Option<GoDuration>,

    /// Address to connect to. Most builders find it themselves.
    pub ssh_host: Option<String>,
    /// Port to connect to; 22 by default.
    #[schemars(extend("x-default" = "22"))]
    pub ssh_port: Option<u16>,
    /// User to log in as. Required for `ssh`.
    pub ssh_username: Option<String>,
    /// Password to log in with; also the answer to every keyboard-interactive question.
    pub ssh_password: Option<Secret>,
    /// Name of a key pair in the cloud to bind to the machine.
    pub ssh_keypair_name: Option<String>,
    /// Name of the temporary key pair; by default `packer_` and a UUID.
    pub temporary_key_pair_name: Option<String>,
    /// Kind of the temporary key: `rsa` (the default), `ecdsa` or `ed25519`.
    #[schemars(extend("x-default" = "rsa"))]
    pub temporary_key_pair_type: Option<String>,
    /// Size of the temporary key: for `rsa` 4096 by default, for `ecdsa` 521 by default (256, 384 or 521).
    pub temporary_key_pair_bits: Option<u32>,
    /// Ciphers to offer, in place of the default list.
    pub ssh_ciphers: Option<Vec<String>>,
    /// Key exchange algorithms to offer, in place of the default list.
    pub ssh_key_exchange_algorithms: Option<Vec<String>>,
    /// Whether to remove the temporary key from the `authorized_keys` files after provisioning.
    pub ssh_clear_authorized_keys: bool,
    /// Private key to log in with, in OpenSSH or PEM form, not encrypted. `~` is the home directory.
    pub ssh_private_key_file: Option<String>,
    /// OpenSSH certificate for the private key.
    pub ssh_certificate_file: Option<String>,
    /// Whether commands run in a pseudo-terminal.
    pub ssh_pty: bool,
    /// How long to wait for SSH. 5 minutes if `ssh_handshake_attempts` is unset too, else without limit.
    #[schemars(extend("x-default" = "5m"))]
    pub ssh_timeout: Option<GoDuration>,
    /// The older name of `ssh_timeout`; wins over it.
    pub ssh_wait_timeout: Option<GoDuration>,
    /// How many refused log-ins to accept. 10 if `ssh_timeout` is unset too, else without limit.
    #[schemars(extend("x-default" = "10"))]
    pub ssh_handshake_attempts: Option<u32>,
    /// Whether to log in with the keys of the SSH agent (`SSH_AUTH_SOCK`).
    pub ssh_agent_auth: bool,
    /// Whether the machine is kept from using the local SSH agent.
    pub ssh_disable_agent_forwarding: bool,
    /// Host to connect through.
    pub ssh_bastion_host: Option<String>,
    /// The bastion's port; 22 by default.
    #[schemars(extend("x-default" = "22"))]
    pub ssh_bastion_port: Option<u16>,
    /// User to log in as at the bastion.
    pub ssh_bastion_username: Option<String>,
    /// Password for the bastion.
    pub ssh_bastion_password: Option<Secret>,
    /// Whether to ask on the terminal what the bastion asks.
    pub ssh_bastion_interactive: bool,
    /// Whether to log in at the bastion with the keys of the SSH agent.
    pub ssh_bastion_agent_auth: bool,
    /// Private key for the bastion; `ssh_private_key_file` by default.
    pub ssh_bastion_private_key_file: Option<String>,
    /// Certificate for the bastion; `ssh_certificate_file` by default.
    pub ssh_bastion_certificate_file: Option<String>,
    /// How files are copied: `scp` (the default) or `sftp`.
    #[schemars(extend("x-default" = "scp"))]
    pub ssh_file_transfer_method: Option<String>,
    /// SOCKS5 proxy to connect through.
    pub ssh_proxy_host: Option<String>,
    /// The proxy's port; 1080 by default.
    #[schemars(extend("x-default" = "1080"))]
    pub ssh_proxy_port: Option<u16>,
    /// User name for the proxy.
    pub ssh_proxy_username: Option<String>,
    /// Password for the proxy.
    pub ssh_proxy_password: Option<Secret>,
    /// How long the connection may be silent before it is tested; 5s by default, a negative value never tests.
    #[schemars(extend("x-default" = "5s"))]
    pub ssh_keep_alive_interval: Option<Interval>,
    /// How long a single read or write may take; without limit by default.
    pub ssh_read_write_timeout: Option<GoDuration>,
    /// Ports of the machine that lead here: `PORT:HOST:PORT`.
    pub ssh_remote_tunnels: Vec<String>,
    /// Local ports that lead to what the machine can reach: `PORT:HOST:PORT`.
    pub ssh_local_tunnels: Vec<String>,
    /// For components only: the public key, as bytes.
    pub ssh_public_key: Option<KeyBytes>,
    /// For components only: a private key to log in with, as bytes.
    pub ssh_private_key: Option<KeyBytes>,

    /// User to log in as over WinRM. Required for `winrm`.
    pub winrm_username: Option<String>,
    /// Password for WinRM.
    pub winrm_password: Option<Secret>,
    /// Address for WinRM. Most builders find it themselves.
    pub winrm_host: Option<String>,
    /// Port for WinRM; 5985 by default, 5986 with `winrm_use_ssl`.
    #[schemars(extend("x-default" = "5985"))]
    pub winrm_port: Option<u16>,
    /// How long to wait for WinRM; 30m by default.
    #[schemars(extend("x-default" = "30m"))]
    pub winrm_timeout: Option<GoDuration>,
    /// Whether to speak WinRM over HTTPS.
    pub winrm_use_ssl: bool,
    /// Whether to accept any certificate.
    pub winrm_insecure: bool,
    /// Whether to log in with NTLM in place of Basic.
    pub winrm_use_ntlm: Option<bool>,
    /// Whether to go past the proxy of the environment.
    pub winrm_no_proxy: bool,
}

/// A duration in Go's syntax (or nanoseconds) where a negative one means "never".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Interval(pub String);

/// A key as bytes; never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct KeyBytes(pub Vec<u8>);

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(kiln_core::secret::MASK)
    }
}
