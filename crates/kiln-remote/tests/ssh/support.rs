//! Starts `sshd` on a free port, and what else a test needs. Everything ends with its handle.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kiln_core::event::{Event, EventKind};
use kiln_core::scope::{FileKind, SecretRequest, World};
use kiln_core::secret::SecretFilter;
use kiln_core::{Events, Result};
use kiln_remote::config::{CommunicatorConfig, Resolved};
use kiln_remote::connect::{Address, ConnectConfig, LoginKey, Pace, connect};
use kiln_remote::dial::Direct;
use kiln_remote::keys::{KeyKind, KeyPair};
use kiln_remote::ssh::SshCommunicator;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const SSHD: &str = "/usr/sbin/sshd";

/// Says that a test is skipped, and why; fails instead where tests must not be skipped.
pub fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    eprintln!("skipped: {reason}");
}

/// Starts a server, or skips the test.
macro_rules! sshd {
    ($($line:expr),*) => {
        match $crate::support::Sshd::start(&[$($line),*]).await {
            Some(sshd) => sshd,
            None => return,
        }
    };
}
pub(crate) use sshd;

/// A server, the key it lets in, and a folder to work in.
pub struct Sshd {
    child: Child,
    pub port: u16,
    pub key: KeyPair,
    pub folder: tempfile::TempDir,
}

impl Sshd {
    /// Starts a server with these lines added to its configuration; the first of a kind counts.
    pub async fn start(lines: &[&str]) -> Option<Sshd> {
        if !Path::new(SSHD).exists() {
            skip(&format!("{SSHD} is not installed"));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let key = KeyPair::generate(KeyKind::Ed25519).await.unwrap();
        std::fs::write(folder.path().join("authorized_keys"), key.public_line()).unwrap();
        new_host_key(folder.path()).await;
        if nix::unistd::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = folder.path().display();
        let config = format!(
            "{}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nPidFile none\n\
             AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nAllowTcpForwarding yes\nAllowAgentForwarding yes\n\
             MaxStartups 200\nUseDNS no\nPrintMotd no\nSubsystem sftp internal-sftp\nLogLevel VERBOSE\n",
            lines.join("\n")
        );
        std::fs::write(folder.path().join("sshd_config"), config).unwrap();
        let child = run(folder.path());
        let sshd = Sshd { child, port, key, folder };
        sshd.wait().await;
        Some(sshd)
    }

    async fn wait(&self) {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "sshd does not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops the server and all its sessions, as a restart of the machine does, and starts it again.
    pub async fn restart(&mut self) {
        self.kill_sessions();
        self.stop();
        self.start_again();
        self.wait().await;
    }

    /// Starts it after [`Sshd::stop`]; returns before it listens.
    pub fn start_again(&mut self) {
        self.child = run(self.folder.path());
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Returns the processes that serve connections.
    pub fn sessions(&self) -> Vec<i32> {
        let mut found = vec![self.child.id() as i32];
        let mut next = 0;
        while next < found.len() {
            let children = format!("/proc/{0}/task/{0}/children", found[next]);
            let children = std::fs::read_to_string(children).unwrap_or_default();
            found.extend(children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
            next += 1;
        }
        found.split_off(1)
    }

    pub fn kill_sessions(&self) {
        for pid in self.sessions() {
            signal(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub fn address(&self) -> Address {
        Address { host: "127.0.0.1".to_owned(), port: self.port }
    }

    /// Returns the configuration that lets the key in.
    pub fn config(&self) -> ConnectConfig {
        let mut config = self.config_of(&CommunicatorConfig::default());
        config.credentials.keys = vec![LoginKey::from(&self.key)];
        config
    }

    /// Returns what `template` means, for this server and quick.
    pub fn config_of(&self, template: &CommunicatorConfig) -> ConnectConfig {
        let username = template.ssh_username.clone().or(Some(user_name()));
        let template = CommunicatorConfig { ssh_username: username, ..template.clone() };
        quick(resolve(&template))
    }

    pub async fn connect(&self, config: &ConnectConfig) -> Result<SshCommunicator> {
        connect_to(config, self.address()).await.0
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill_sessions();
        self.stop();
    }
}

pub fn signal(pid: i32, signal: nix::sys::signal::Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

fn run(folder: &Path) -> Child {
    Command::new(SSHD)
        .args(["-D", "-f"])
        .arg(folder.join("sshd_config"))
        .arg("-E")
        .arg(folder.join("log"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Gives the machine another host key.
pub async fn new_host_key(folder: &Path) {
    let key = KeyPair::generate(KeyKind::Ed25519).await.unwrap();
    write_private(&folder.join("host_key"), key.private_text().unwrap().expose());
}

pub fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn user_name() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
}

pub fn resolve(template: &CommunicatorConfig) -> ConnectConfig {
    match template.resolve(&TestWorld::default()) {
        Ok(Resolved::Ssh(config)) => *config,
        other => panic!("{other:?}"),
    }
}

/// Makes the waiting short.
pub fn quick(config: ConnectConfig) -> ConnectConfig {
    let pace = Pace {
        first: Duration::from_millis(10),
        longest: Duration::from_millis(100),
        after_refused_login: Duration::from_millis(20),
    };
    ConnectConfig { pace, timeout: Some(Duration::from_secs(20)), handshake_attempts: Some(2), ..config }
}

/// Connects and returns what was shown besides.
pub async fn connect_to(config: &ConnectConfig, address: Address) -> (Result<SshCommunicator>, Vec<String>) {
    let (events, receiver) = Events::channel(SecretFilter::default());
    let cancel = CancellationToken::new();
    let find = || std::future::ready(Ok(address.clone()));
    let result = connect(config, Arc::new(Direct), find, &events, &cancel).await;
    drop(events);
    (result, lines(receiver).await)
}

/// Returns what was shown, each line after what kind it is.
pub async fn lines(mut receiver: mpsc::Receiver<Event>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(event) = receiver.recv().await {
        lines.push(match event.kind {
            EventKind::Say { text } => format!("say {text}"),
            EventKind::Error { text } => format!("error {text}"),
            EventKind::RemoteOutput { stream, line } => format!("{stream:?} {line}"),
            other => format!("{other:?}"),
        });
    }
    lines
}

/// A user of the system with a password; gone with the handle.
pub struct TestUser {
    pub name: String,
    pub password: String,
}

impl TestUser {
    pub fn create() -> Option<TestUser> {
        if !nix::unistd::geteuid().is_root() {
            skip("only root can make a user with a password");
            return None;
        }
        let name = format!("kiln-test-{}-{}", std::process::id(), rand::random::<u16>());
        let password = format!("pw {:x}", rand::random::<u128>());
        let made = |_| {
            Command::new("useradd")
                .args(["-M", "-d", "/", "-s", "/bin/sh", &name])
                .status()
                .unwrap()
                .success()
        };
        // Others hold the lock of the user database at times.
        assert!(
            (0..50).any(|n| made(n) || {
                std::thread::sleep(Duration::from_millis(100));
                false
            }),
            "useradd"
        );
        let user = TestUser { name, password };
        let mut child = Command::new("chpasswd").stdin(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{}:{}", user.name, user.password).unwrap();
        assert!(child.wait().unwrap().success(), "chpasswd");
        Some(user)
    }
}

impl Drop for TestUser {
    fn drop(&mut self) {
        let gone = |_| {
            Command::new("userdel")
                .arg("-f")
                .arg(&self.name)
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        };
        (0..50).any(|n| {
            gone(n) || {
                std::thread::sleep(Duration::from_millis(100));
                false
            }
        });
    }
}

/// The files of this machine and an environment of the test's own.
#[derive(Default)]
pub struct TestWorld(pub BTreeMap<&'static str, String>);

impl World for TestWorld {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
    fn read_bytes(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn stat(&self, path: &Path) -> std::io::Result<FileKind> {
        let metadata = std::fs::metadata(path)?;
        Ok(if metadata.is_dir() { FileKind::Folder } else { FileKind::File })
    }
    fn list(&self, _: &str) -> std::io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn working_dir(&self) -> PathBuf {
        PathBuf::from("/")
    }
    fn random(&self) -> [u8; 16] {
        [0; 16]
    }
    fn secret(&self, _: &SecretRequest) -> std::result::Result<String, String> {
        Err("there are no secrets here".to_owned())
    }
}
