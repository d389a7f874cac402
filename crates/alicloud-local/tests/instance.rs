//! Instances as their users meet them: through OpenSSH's own clients.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use alicloud_local::instance::{HelperProgram, Machine, MachineHost, MachineSpec, Platform};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::mpsc;

/// A host, a folder, and a key that opens every machine.
struct World {
    dir: tempfile::TempDir,
    host: MachineHost,
    public_key: String,
}

struct Output {
    status: Option<i32>,
    out: String,
    err: String,
}

fn helper() -> HelperProgram {
    HelperProgram { path: PathBuf::from(env!("CARGO_BIN_EXE_instance-helper")), args: Vec::new() }
}

/// Returns whether a program is here; in CI its absence is a failure.
fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).exists()));
    assert!(found || std::env::var_os("CI").is_none(), "`{program}` is needed in CI");
    if !found {
        eprintln!("skipped: no `{program}` on this host");
    }
    found
}

impl World {
    async fn new() -> Option<World> {
        World::with(helper()).await
    }

    async fn with(helper: HelperProgram) -> Option<World> {
        if !have("ssh") || !have("scp") || !have("sftp") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let host = match MachineHost::probe(helper, &dir.path().join("work")).await {
            Ok(host) => host,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "{error}: {:?}", error.hints);
                eprintln!("skipped: {error}: {:?}", error.hints);
                return None;
            }
        };
        let key = russh::keys::PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, key.to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Some(World { host, public_key: key.public_key().to_openssh().unwrap(), dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn spec(&self, id: &str) -> MachineSpec {
        MachineSpec {
            id: id.to_owned(),
            hostname: format!("host-{id}"),
            image_layers: Vec::new(),
            dir: self.path(id),
            platform: Platform::named("CentOS", "7.3"),
            authorized_keys: vec![self.public_key.clone()],
            password: None,
            user_data: None,
            disk_limit_bytes: None,
            listen: "127.0.0.1:0".parse().unwrap(),
            speed: 100.0,
            metadata: BTreeMap::new(),
        }
    }

    async fn boot(&self, spec: MachineSpec) -> (Machine, mpsc::Receiver<String>) {
        let (send, notes) = mpsc::channel(100);
        let machine = self.host.boot(spec, send).await.unwrap_or_else(|error| {
            panic!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string))
        });
        (machine, notes)
    }

    fn client(&self, program: &str, port_flag: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(program);
        command.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
        command.args([
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "IdentitiesOnly=yes",
        ]);
        command.arg("-i").arg(self.path("key"));
        command.args([port_flag, &address.port().to_string()]).kill_on_drop(true);
        command
    }

    async fn ssh(&self, machine: &Machine, command: &str) -> Output {
        self.ssh_with(machine, &[], command, b"").await
    }

    async fn ssh_with(&self, machine: &Machine, options: &[&str], command: &str, input: &[u8]) -> Output {
        let mut ssh = self.client("ssh", "-p", machine.address());
        ssh.args(options).args(["root@127.0.0.1", command]);
        run(ssh, input).await
    }

    async fn transfer<S: AsRef<OsStr>>(&self, machine: &Machine, program: &str, words: &[S]) -> Output {
        let mut command = self.client(program, "-P", machine.address());
        command.args(words);
        run(command, b"").await
    }
}

async fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feed = tokio::spawn(async move {
        let _ = stdin.write_all(&input).await;
    });
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output())
        .await
        .expect("in time")
        .unwrap();
    let _ = feed.await;
    Output {
        status: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test]
async fn a_command_has_its_streams_and_its_status() {
    let Some(world) = World::new().await else { return };
    let begun = Instant::now();
    let (machine, _notes) = world.boot(world.spec("first")).await;
    eprintln!("booted in {:?}", begun.elapsed());
    let begun = Instant::now();
    let (second, _notes) = world.boot(world.spec("second")).await;
    eprintln!("booted again in {:?}", begun.elapsed());

    let output = world.ssh(&machine, "echo out; echo err >&2; exit 42").await;
    assert_eq!((output.status, output.out.as_str(), output.err.as_str()), (Some(42), "out\n", "err\n"));
    let output =
        world.ssh_with(&machine, &[], "read line; echo \"got $line\"; cat | wc -c", b"one\ntwo\n").await;
    assert_eq!((output.status, output.out.trim_end()), (Some(0), "got one\n4"), "{}", output.err);
    let output = world
        .ssh(&machine, "hostname; id -un; pwd; . /etc/os-release; echo $ID; cat /etc/redhat-release")
        .await;
    assert_eq!(output.out, "host-first\nroot\n/root\ncentos\nCentOS Linux release 7.3 (Core)\n");
    let output = world.ssh(&second, "hostname").await;
    assert_eq!(output.out, "host-second\n");
    // OpenSSH gives 255 for a death by signal.
    assert_eq!(world.ssh(&machine, "kill -9 $$").await.status, Some(255));
    machine.destroy().await;
    second.destroy().await;
    assert!(!world.path("first").exists());
}

#[tokio::test]
async fn an_image_holds_what_was_written_and_lacks_what_was_deleted() {
    let Some(world) = World::new().await else { return };
    let (machine, _notes) = world.boot(world.spec("a")).await;
    let script = "echo data >/root/made; mkdir -p /opt/app /etc/app; echo x >/etc/app/conf; chmod 000 /etc/app/conf; \
         ln -s made /root/link; rm /etc/issue; rm -r /etc/skel; mkdir /etc/skel; echo t >/tmp/gone; \
         echo tool >/usr/local/bin/tool; chmod 755 /usr/local/bin/tool";
    let output = world.ssh(&machine, script).await;
    assert_eq!((output.status, output.err.as_str()), (Some(0), ""));
    machine.stop(false).await;
    assert!(machine.capture(&world.path("layer1")).await.unwrap() > 0);
    machine.destroy().await;

    let mut spec = world.spec("b");
    spec.image_layers = vec![world.path("layer1")];
    let (machine, _notes) = world.boot(spec.clone()).await;
    let output = world
        .ssh(&machine, "cat /root/made /root/link; ls -A /etc/skel /tmp; ls /etc/issue; cat /etc/app/conf; cat /usr/local/bin/tool; rm /root/made")
        .await;
    assert_eq!(output.out, "data\ndata\n/etc/skel:\n\n/tmp:\nx\ntool\n", "{}", output.err);
    // A second image on top of the first, of a machine that runs.
    machine.capture(&world.path("layer2")).await.unwrap();
    machine.destroy().await;
    spec.id = "c".to_owned();
    spec.dir = world.path("c");
    spec.image_layers = vec![world.path("layer1"), world.path("layer2")];
    let (machine, _notes) = world.boot(spec).await;
    assert_eq!(world.ssh(&machine, "ls /root; cat /etc/hostname").await.out, "link\nhost-b\n");
    machine.destroy().await;
}
