//! What a machine is made of, and the ways it can fail to come into being. Plain data; nothing
//! here acts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// How to start this program again as the instance helper: `path args… <subcommand>`. The
/// subcommand's words go to [`super::helper_main`].
#[derive(Clone, Debug)]
pub struct HelperProgram {
    /// The executable, usually this one.
    pub path: PathBuf,
    /// The words in front of the subcommand, such as `__instance`.
    pub args: Vec<OsString>,
}

/// The operating system an image claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `CentOS`, `Ubuntu`, `Aliyun`, …
    pub name: String,
    /// `7.3`, `16.04`, …
    pub version: String,
    /// The text of `/etc/os-release`.
    pub os_release: String,
    /// The package managers that belong to it: `yum`, `dnf`, `rpm`, `apt-get`, `apt`, `zypper`, `apk`.
    /// One that the host lacks is simulated, one that does not belong is hidden.
    pub package_managers: Vec<String>,
}

impl Platform {
    /// Returns a platform by its usual name, with the package managers and the os-release of that family.
    pub fn named(name: &str, version: &str) -> Platform {
        let id = match name.to_ascii_lowercase().as_str() {
            "aliyun" | "aliyun linux" | "alibaba cloud linux" => "alinux".to_owned(),
            "red hat" | "redhat" => "rhel".to_owned(),
            "opensuse" | "suse" => "opensuse".to_owned(),
            other => other.split_whitespace().next().unwrap_or("linux").to_owned(),
        };
        let (like, managers): (&str, &[&str]) = match id.as_str() {
            "ubuntu" => ("debian", &["apt-get", "apt", "dpkg"]),
            "debian" => ("", &["apt-get", "apt", "dpkg"]),
            "opensuse" => ("suse", &["zypper", "rpm"]),
            "alpine" => ("", &["apk"]),
            _ => ("rhel fedora", &["yum", "dnf", "rpm"]),
        };
        let mut os_release = format!(
            "NAME=\"{name}\"\nVERSION=\"{version}\"\nID={id}\nVERSION_ID=\"{version}\"\nPRETTY_NAME=\"{name} {version}\"\n"
        );
        if !like.is_empty() {
            os_release.push_str(&format!("ID_LIKE=\"{like}\"\n"));
        }
        Platform {
            name: name.to_owned(),
            version: version.to_owned(),
            os_release,
            package_managers: managers.iter().map(|&manager| manager.to_owned()).collect(),
        }
    }

    /// Returns the account that images of this platform have besides `root` and `ecs-user`, if any.
    pub fn default_user(&self) -> Option<&'static str> {
        match self.name.to_ascii_lowercase().as_str() {
            "ubuntu" => Some("ubuntu"),
            "centos" => Some("centos"),
            "debian" => Some("debian"),
            _ => None,
        }
    }
}

/// Who may connect to a machine's SSH server, by the address of the caller. It is asked for each connection.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Gate {
    /// A gate that lets in whom `admits` says yes to.
    pub fn new(admits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Gate {
        Gate(Arc::new(admits))
    }

    /// A gate that lets in everybody.
    pub fn open() -> Gate {
        Gate::new(|_| true)
    }

    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        (self.0)(address)
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// Everything a machine needs to know of itself.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    /// The instance id; names the machine in messages.
    pub id: String,
    /// The name the guest sees.
    pub hostname: String,
    /// The folders captured before, from the lowest to the topmost.
    pub image_layers: Vec<PathBuf>,
    /// The private folder of this machine. It holds the disk; booting again with the same folder
    /// starts the same machine again.
    pub dir: PathBuf,
    /// What the guest claims to be.
    pub platform: Platform,
    /// Whom one logs in as: `root` or `ecs-user`.
    pub login_user: String,
    /// OpenSSH public key lines that are put into the `authorized_keys` of that user at a start. Whether a key lets in
    /// is decided by that file, at the time of the log-in.
    pub authorized_keys: Vec<String>,
    /// The password of that user; works only while no key is bound, as on the real cloud.
    pub password: Option<String>,
    /// Decoded user data, executed once, as root, at the first boot: a `#!` script, a `#cloud-config` with some keys
    /// (`ssh_keys`, `ssh_authorized_keys`, `users`, `write_files`, `runcmd`), or a MIME message of these.
    pub user_data: Option<Vec<u8>>,
    /// The size of the system disk; what the guest writes beyond it fails with ENOSPC.
    pub disk_limit_bytes: Option<u64>,
    /// Where the SSH server listens (loopback). Port 0 picks one.
    pub listen: SocketAddr,
    /// How many times faster than real time the guest's `sleep` passes; 1 is real time.
    pub speed: f64,
    /// Facts shown to the guest below `/run/alicloud-local/metadata/`, by file name.
    pub metadata: BTreeMap<String, String>,
    /// What `http://100.100.100.200` is for this machine: the beginning of its own addresses of the metadata service.
    pub metadata_url: Option<String>,
    /// Who may connect.
    pub gate: Gate,
}

/// Why there can be no sandbox here, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("start a sandbox for instances: {reason}")]
pub struct NoSandbox {
    /// What was tried and refused.
    pub reason: String,
    /// What to enable, a sentence each.
    pub hints: Vec<String>,
}

/// What can go wrong with one machine.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A file or folder on the host.
    #[error("{doing} `{}`", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The helper process could not be started or spoken to.
    #[error("talk to the instance helper")]
    Helper(#[source] std::io::Error),
    /// The helper says why the sandbox did not come up.
    #[error("boot the instance: {step}")]
    Boot {
        /// What it was doing.
        step: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The helper ended without saying why.
    #[error("boot the instance: the helper ended early ({0})")]
    EarlyEnd(String),
    /// The sandbox did not come up in time.
    #[error("boot the instance: waited {0:?}, the sandbox did not report")]
    BootTimeout(std::time::Duration),
    /// The SSH port is taken or not allowed.
    #[error("listen on `{address}`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A host or authorized key cannot be made, read or kept.
    #[error("make or read the instance's SSH keys")]
    Keys(#[source] russh::keys::ssh_key::Error),
    /// A record that passes between this program and its helper.
    #[error("read or write the instance's record")]
    Record(#[source] serde_json::Error),
    /// A task of ours was cancelled, which happens when the runtime ends.
    #[error("the runtime is shutting down")]
    ShuttingDown,
}

impl MachineError {
    /// Returns a function that adds what was being done to an error of the file system.
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> MachineError {
        let path = path.into();
        move |source| MachineError::File { doing, path, source }
    }
}
