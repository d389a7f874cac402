//! Applies defaults, reads key files, and finds everything that is wrong. Messages are Packer's where it has some.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kiln_core::diagnostic::Fault;
use kiln_core::duration::{GoDuration, parse_go};
use kiln_core::scope::World;
use kiln_core::{Secret, Value};
use russh::keys::Certificate;

use super::{CommunicatorConfig, Interval};
use crate::connect::{
    Algorithms, Bastion, ConnectConfig, Credentials, HostKeyPolicy, LoginKey, Pace, Route, SocksProxy,
    Transfer, Tunnel,
};
use crate::keys::{self, KeyKind, ReadKeyError};

/// Packer's limits, where neither is set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
const DEFAULT_ATTEMPTS: u32 = 10;
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A way to reach the machine, with defaults applied and files read.
#[derive(Debug, Clone)]
pub enum Resolved {
    /// SSH.
    Ssh(Box<ConnectConfig>),
    /// The machine is not reached at all.
    None,
}

impl Resolved {
    /// Returns what `{{ build `ConnType` }}` gives.
    pub fn kind(&self) -> &'static str {
        match self {
            Resolved::Ssh(_) => "ssh",
            Resolved::None => "none",
        }
    }
}

/// A fault and the field it is about.
type FieldFaults = Vec<(&'static str, Fault)>;

/// Returns the faults, each at the place where its field stands in `settings`; at the whole block where it is absent.
pub fn place(faults: FieldFaults, settings: &Value) -> Vec<Fault> {
    faults
        .into_iter()
        .map(|(field, fault)| {
            let value = settings.get(field).and_then(|value| value.span.clone());
            fault.at(value.or_else(|| settings.span.clone()))
        })
        .collect()
}

impl CommunicatorConfig {
    /// Returns everything that is wrong with these fields, each with the field it is about.
    pub fn validate(&self, world: &dyn World) -> FieldFaults {
        self.resolve(world).err().unwrap_or_default()
    }

    /// Returns what is likely to go wrong here, though the template is right.
    pub fn warnings(&self, world: &dyn World) -> Vec<String> {
        let is_ssh = matches!(self.communicator.as_deref().unwrap_or_default(), "" | "ssh");
        let is_without_agent = world.env("SSH_AUTH_SOCK").is_none_or(|path| path.is_empty());
        let fields = [
            ("ssh_agent_auth", self.ssh_agent_auth),
            ("ssh_bastion_agent_auth", self.ssh_bastion_agent_auth && self.ssh_bastion_host.is_some()),
        ];
        let in_vain = fields.into_iter().filter(|(_, is_set)| *is_set && is_ssh && is_without_agent);
        in_vain
            .map(|(field, _)| {
                format!("{field} is set, but SSH_AUTH_SOCK is not: no agent will be asked for keys")
            })
            .collect()
    }

    /// Returns the configuration with defaults applied and key files read, or everything that is wrong with it.
    pub fn resolve(&self, world: &dyn World) -> Result<Resolved, FieldFaults> {
        let mut faults = Faults { world, found: Vec::new() };
        match self.communicator.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("ssh") {
            "none" => Ok(Resolved::None),
            "ssh" => {
                let config = self.ssh(&mut faults);
                match faults.found.is_empty() {
                    true => Ok(Resolved::Ssh(Box::new(config))),
                    false => Err(faults.found),
                }
            }
            "winrm" => {
                if is_unset(self.winrm_username.as_deref()) {
                    faults.add("winrm_username", "winrm_username must be specified.");
                }
                let hint = "build this image with `communicator = \"ssh\"` for now";
                let fault = Fault::new("the communicator `winrm` is not in this version of Kiln").hint(hint);
                faults.found.push(("communicator", fault));
                Err(faults.found)
            }
            other => {
                faults.add("communicator", format!("Communicator type {other} is invalid"));
                Err(faults.found)
            }
        }
    }

    fn ssh(&self, faults: &mut Faults<'_>) -> ConnectConfig {
        if is_unset(self.ssh_username.as_deref()) {
            faults.add(
                "ssh_username",
                "An ssh_username must be specified\n  Note: some builders used to default ssh_username to \"root\".",
            );
        }
        let (timeout, handshake_attempts) = self.limits();
        let agent = faults.agent_socket();
        let keys = self.login_keys(faults);
        let forward_agent = agent.clone().filter(|_| !self.ssh_disable_agent_forwarding);
        let kind = self.temporary_key_kind(faults);
        ConnectConfig {
            host: self.ssh_host.clone().filter(|host| !host.is_empty()),
            port: port(self.ssh_port, 22),
            credentials: Credentials {
                username: self.ssh_username.clone().unwrap_or_default(),
                password: self.ssh_password.clone().filter(|password| !password.is_empty()),
                use_agent: self.ssh_agent_auth,
                agent: agent.clone().filter(|_| self.ssh_agent_auth),
                keys,
            },
            forward_agent,
            route: self.route(agent, faults),
            timeout,
            handshake_attempts,
            pause: set(self.pause_before_connecting),
            pace: Pace::default(),
            host_keys: HostKeyPolicy::default(),
            algorithms: self.algorithms(faults),
            keep_alive: self.keep_alive(faults),
            read_write_timeout: set(self.ssh_read_write_timeout),
            pty: self.ssh_pty,
            transfer: self.transfer(faults),
            remote_tunnels: tunnels("ssh_remote_tunnels", &self.ssh_remote_tunnels, faults),
            local_tunnels: tunnels("ssh_local_tunnels", &self.ssh_local_tunnels, faults),
            temporary_key: kind,
        }
    }

    /// Packer: each limit has its default only while the other is unset too.
    fn limits(&self) -> (Option<Duration>, Option<u32>) {
        let timeout = set(self.ssh_wait_timeout).or(set(self.ssh_timeout));
        let attempts = self.ssh_handshake_attempts.filter(|attempts| *attempts > 0);
        match (timeout, attempts) {
            (None, None) => (Some(DEFAULT_TIMEOUT), Some(DEFAULT_ATTEMPTS)),
            limits => limits,
        }
    }

    /// The key of the file first, then the one a component put in.
    fn login_keys(&self, faults: &mut Faults<'_>) -> Vec<LoginKey> {
        let key_file = self.ssh_private_key_file.as_deref().filter(|path| !path.is_empty());
        let certificate_file = self.ssh_certificate_file.as_deref().filter(|path| !path.is_empty());
        if certificate_file.is_some() && key_file.is_none() {
            faults.add(
                "ssh_certificate_file",
                "ssh_certificate_file needs ssh_private_key_file to be specified",
            );
        }
        let mut keys = Vec::new();
        if let Some(path) = key_file {
            keys.extend(faults.key("ssh_private_key_file", path, "ssh_certificate_file", certificate_file));
        }
        if let Some(bytes) = &self.ssh_private_key {
            match keys::read_private_key("ssh_private_key", &String::from_utf8_lossy(&bytes.0)) {
                Ok(key) => keys.push(LoginKey { key: Arc::new(key), certificate: None }),
                Err(error) => faults.add("ssh_private_key", format!("ssh_private_key is invalid: {error}")),
            }
        }
        keys
    }

    fn temporary_key_kind(&self, faults: &mut Faults<'_>) -> KeyKind {
        let name = self.temporary_key_pair_type.as_deref().unwrap_or_default();
        KeyKind::parse(name, self.temporary_key_pair_bits).unwrap_or_else(|error| {
            let field = match error.is_about_size() {
                true => "temporary_key_pair_bits",
                false => "temporary_key_pair_type",
            };
            faults.add(field, error.to_string());
            KeyKind::default()
        })
    }

    fn route(&self, agent: Option<PathBuf>, faults: &mut Faults<'_>) -> Route {
        let bastion = self.ssh_bastion_host.as_deref().filter(|host| !host.is_empty());
        let proxy = self.ssh_proxy_host.as_deref().filter(|host| !host.is_empty());
        match (bastion, proxy) {
            (Some(_), Some(_)) => {
                faults.add(
                    "ssh_proxy_host",
                    "please specify either ssh_bastion_host or ssh_proxy_host, not both",
                );
                Route::Direct
            }
            (Some(host), None) => Route::Bastion(Box::new(self.bastion(host, agent, faults))),
            (None, Some(host)) => Route::Socks(SocksProxy {
                host: host.to_owned(),
                port: port(self.ssh_proxy_port, 1080),
                username: self.ssh_proxy_username.clone().filter(|name| !name.is_empty()),
                password: self.ssh_proxy_password.clone(),
            }),
            (None, None) => Route::Direct,
        }
    }

    fn bastion(&self, host: &str, agent: Option<PathBuf>, faults: &mut Faults<'_>) -> Bastion {
        if self.ssh_bastion_interactive {
            faults.add(
                "ssh_bastion_interactive",
                "ssh_bastion_interactive is not in this version of Kiln; use a key, a password or the agent",
            );
        }
        let own = |path: &Option<String>| path.clone().filter(|path| !path.is_empty());
        let key_file = own(&self.ssh_bastion_private_key_file).or(own(&self.ssh_private_key_file));
        let certificate_file = own(&self.ssh_bastion_certificate_file).or(own(&self.ssh_certificate_file));
        let password = self.ssh_bastion_password.clone().filter(|password| !password.is_empty());
        let is_keyless = password.is_none() && key_file.is_none() && !self.ssh_bastion_agent_auth;
        if is_keyless && !self.ssh_bastion_interactive {
            faults.add(
                "ssh_bastion_host",
                "ssh_bastion_password, ssh_bastion_private_key_file or ssh_bastion_agent_auth must be specified",
            );
        }
        // A file that is both the machine's and the bastion's has had its fault reported already.
        let inherited = own(&self.ssh_bastion_private_key_file).is_none();
        let keys = key_file.and_then(|path| {
            let found = faults.found.len();
            let certificate = certificate_file.as_deref();
            let key = faults.key(
                "ssh_bastion_private_key_file",
                &path,
                "ssh_bastion_certificate_file",
                certificate,
            );
            if inherited {
                faults.found.truncate(found);
            }
            key
        });
        Bastion {
            host: host.to_owned(),
            port: port(self.ssh_bastion_port, 22),
            credentials: Credentials {
                username: self.ssh_bastion_username.clone().unwrap_or_default(),
                password,
                use_agent: self.ssh_bastion_agent_auth,
                agent: agent.filter(|_| self.ssh_bastion_agent_auth),
                keys: keys.into_iter().collect(),
            },
        }
    }

    fn algorithms(&self, faults: &mut Faults<'_>) -> Algorithms {
        let ciphers = self.ssh_ciphers.clone().unwrap_or_default();
        for name in ciphers.iter().filter(|name| Algorithms::cipher(name).is_none()) {
            faults.add("ssh_ciphers", format!("ssh_ciphers: the cipher `{name}` is unknown"));
        }
        let kex = self.ssh_key_exchange_algorithms.clone().unwrap_or_default();
        for name in kex.iter().filter(|name| Algorithms::key_exchange(name).is_none()) {
            let message = format!("ssh_key_exchange_algorithms: the algorithm `{name}` is unknown");
            faults.add("ssh_key_exchange_algorithms", message);
        }
        Algorithms { ciphers, key_exchange: kex }
    }

    fn keep_alive(&self, faults: &mut Faults<'_>) -> Option<Duration> {
        let Some(Interval(text)) = self.ssh_keep_alive_interval.as_ref().filter(|text| !text.0.is_empty())
        else {
            return Some(DEFAULT_KEEP_ALIVE);
        };
        let (is_negative, amount) = match text.strip_prefix('-') {
            Some(amount) => (true, amount),
            None => (false, text.as_str()),
        };
        let duration = match amount.parse() {
            Ok(nanos) => Ok(Duration::from_nanos(nanos)),
            Err(_) => parse_go(amount),
        };
        match duration {
            Ok(_) if is_negative => None,
            Ok(Duration::ZERO) => Some(DEFAULT_KEEP_ALIVE),
            Ok(duration) => Some(duration),
            Err(reason) => {
                faults.add("ssh_keep_alive_interval", format!("ssh_keep_alive_interval: {reason}"));
                None
            }
        }
    }

    fn transfer(&self, faults: &mut Faults<'_>) -> Transfer {
        match self.ssh_file_transfer_method.as_deref().unwrap_or_default() {
            "" | "scp" => Transfer::Scp,
            "sftp" => Transfer::Sftp,
            other => {
                let message =
                    format!("ssh_file_transfer_method ('{other}') is invalid, valid methods: sftp, scp");
                faults.add("ssh_file_transfer_method", message);
                Transfer::Scp
            }
        }
    }
}

/// What is wrong so far, and where files and the environment are.
struct Faults<'a> {
    world: &'a dyn World,
    found: FieldFaults,
}

impl Faults<'_> {
    fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.found.push((field, Fault::new(message)));
    }

    fn agent_socket(&self) -> Option<PathBuf> {
        self.world.env("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Reads a key file and, if given, its certificate.
    fn key(
        &mut self,
        key_field: &'static str,
        key_file: &str,
        certificate_field: &'static str,
        certificate_file: Option<&str>,
    ) -> Option<LoginKey> {
        let key = self.read(key_file).and_then(|text| {
            keys::read_private_key(key_file, text.expose()).map_err(|error: ReadKeyError| error.to_string())
        });
        let certificate = certificate_file.map(|path| {
            self.read(path).and_then(|text| {
                Certificate::from_openssh(text.expose().trim()).map_err(|error| error.to_string())
            })
        });
        if let Err(reason) = &key {
            self.add(key_field, format!("{key_field} is invalid: {reason}"));
        }
        if let Some(Err(reason)) = &certificate {
            self.add(certificate_field, format!("{certificate_field} is invalid: {reason}"));
        }
        let (key, certificate) = (Arc::new(key.ok()?), certificate.transpose().ok()?);
        Some(LoginKey { key, certificate })
    }

    /// Reads a file, `~` being the home directory; errors are worded as Go words them.
    fn read(&self, path: &str) -> Result<Secret, String> {
        let expanded = match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = self.world.env("HOME").ok_or("cannot expand `~`: HOME is not set")?;
                PathBuf::from(format!("{home}{rest}"))
            }
            _ => PathBuf::from(path),
        };
        let bytes = self.world.read_bytes(&expanded).map_err(|error| stat_error(&expanded, &error))?;
        String::from_utf8(bytes)
            .map(Secret::new)
            .map_err(|_| format!("Failed to read key '{path}': no key found"))
    }
}

fn stat_error(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("stat {}: no such file or directory", path.display()),
        std::io::ErrorKind::PermissionDenied => format!("open {}: permission denied", path.display()),
        _ => format!("open {}: {error}", path.display()),
    }
}

fn is_unset(text: Option<&str>) -> bool {
    text.unwrap_or_default().is_empty()
}

/// Zero is unset, as everywhere in Packer.
fn set(duration: Option<GoDuration>) -> Option<Duration> {
    duration.map(|duration| duration.0).filter(|duration| !duration.is_zero())
}

fn port(port: Option<u16>, default: u16) -> u16 {
    port.filter(|port| *port != 0).unwrap_or(default)
}

fn tunnels(field: &'static str, texts: &[String], faults: &mut Faults<'_>) -> Vec<Tunnel> {
    let mut tunnels = Vec::new();
    for text in texts {
        match Tunnel::parse(text) {
            Some(tunnel) => tunnels.push(tunnel),
            None => {
                let message = format!(
                    "{field} ('{text}') is invalid: PORT:HOST:PORT is wanted, such as 8080:localhost:80"
                );
                faults.add(field, message);
            }
        }
    }
    tunnels
}
