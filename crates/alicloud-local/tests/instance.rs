//! Instances as their users meet them: through OpenSSH's own clients.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use alicloud_local::instance::{Gate, HelperProgram, Machine, MachineHost, MachineSpec, Platform};
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
            login_user: "root".to_owned(),
            authorized_keys: vec![self.public_key.clone()],
            password: None,
            user_data: None,
            disk_limit_bytes: None,
            listen: "127.0.0.1:0".parse().unwrap(),
            speed: 100.0,
            metadata: BTreeMap::new(),
            metadata_url: None,
            gate: Gate::open(),
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
        self.client_with(&[], program, port_flag, address)
    }

    /// OpenSSH takes the first value of an option it is given, so one's own stand in front.
    fn client_with(&self, options: &[&str], program: &str, port_flag: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(program);
        command.args(options);
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

fn as_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn a_key_rules_the_password_out_and_both_are_checked() {
    let Some(world) = World::new().await else { return };
    let ask = world.path("ask");
    std::fs::write(&ask, "#!/bin/sh\necho \"$ANSWER\"\n").unwrap();
    std::fs::set_permissions(&ask, std::fs::Permissions::from_mode(0o755)).unwrap();
    let log_in = async |machine: &Machine, method: &str, answer: &str| {
        let methods = format!("PreferredAuthentications={method}");
        let options = ["-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1", "-o", &methods];
        let mut ssh = world.client_with(&options, "ssh", "-p", machine.address());
        ssh.args(["root@127.0.0.1", "echo in"]);
        ssh.env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force").env("ANSWER", answer);
        run(ssh, b"").await
    };
    let mut spec = world.spec("password");
    spec.authorized_keys = Vec::new();
    spec.password = Some("right".to_owned());
    let (machine, _notes) = world.boot(spec).await;
    assert_eq!(log_in(&machine, "password", "right").await.out, "in\n");
    assert_eq!(log_in(&machine, "keyboard-interactive", "right").await.out, "in\n");
    for method in ["password", "keyboard-interactive"] {
        let refused = log_in(&machine, method, "wrong").await;
        assert_eq!(refused.status, Some(255));
        assert!(
            refused.err.contains("Permission denied (publickey,password,keyboard-interactive)"),
            "{}",
            refused.err
        );
    }
    assert_eq!(world.ssh(&machine, "echo in").await.status, Some(255));

    machine.destroy().await;

    let mut spec = world.spec("bound");
    spec.login_user = "ecs-user".to_owned();
    spec.password = Some("right".to_owned());
    let (machine, _notes) = world.boot(spec).await;
    let refused = world.ssh(&machine, "echo in").await;
    assert_eq!(refused.status, Some(255), "the key is not root's");
    if !(have("setpriv") || have("sudo")) {
        return;
    }
    let mut ssh = world.client("ssh", "-p", machine.address());
    ssh.args(["ecs-user@127.0.0.1", "sudo mkdir -p /root/.ssh; sudo cp .ssh/authorized_keys /root/.ssh/"]);
    assert_eq!(run(ssh, b"").await.status, Some(0));
    // What the file says now counts.
    assert_eq!(world.ssh(&machine, "echo in").await.out, "in\n");
    let refused = log_in(&machine, "password", "right").await;
    assert!(refused.err.contains("Permission denied (publickey)"), "{}", refused.err);
    // A user whom the guest does not have.
    let mut ssh = world.client("ssh", "-p", machine.address());
    ssh.args(["nobody-here@127.0.0.1", "id"]);
    assert_eq!(run(ssh, b"").await.status, Some(255));
    let mut ssh = world.client("ssh", "-p", machine.address());
    ssh.args(["ecs-user@127.0.0.1", "pwd"]);
    assert_eq!(run(ssh, b"").await.out, "/home/ecs-user\n");
    if have("setpriv") || have("sudo") {
        let mut ssh = world.client("ssh", "-p", machine.address());
        ssh.args(["ecs-user@127.0.0.1", "echo secret | sudo -S -E sh -c 'id -u; touch /etc/by-root; cat' && ls -l /etc/by-root | cut -d' ' -f3"]);
        let output = run(ssh, b"").await;
        assert_eq!(output.out, "0\nsecret\nroot\n", "{}", output.err);
        let mut ssh = world.client("ssh", "-p", machine.address());
        ssh.args(["ecs-user@127.0.0.1", "touch /etc/by-user"]);
        assert_eq!(run(ssh, b"").await.status, if as_root() { Some(1) } else { Some(0) });
    }
    machine.destroy().await;
}

#[tokio::test]
async fn a_terminal_has_a_size_and_no_separate_errors() {
    let Some(world) = World::new().await else { return };
    let (machine, _notes) = world.boot(world.spec("tty")).await;
    let output = world
        .ssh_with(
            &machine,
            &["-tt"],
            "test -t 0 && echo terminal; echo $TERM; echo err >&2; echo x >/dev/tty; exit 7",
            b"",
        )
        .await;
    assert_eq!(output.status, Some(7), "{}", output.err);
    assert!(
        output.out.starts_with("terminal\r\n") && output.out.ends_with("err\r\nx\r\n"),
        "{:?}",
        output.out
    );
    assert_eq!(output.err, "");
    machine.destroy().await;
}

#[tokio::test]
async fn files_go_both_ways_by_scp_and_sftp() {
    let Some(world) = World::new().await else { return };
    let (machine, _notes) = world.boot(world.spec("files")).await;
    let big: Vec<u8> =
        (0..20_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(world.path("big"), &big).unwrap();
    std::fs::create_dir_all(world.path("tree/sub dir")).unwrap();
    std::fs::write(world.path("tree/sub dir/a b"), "deep").unwrap();
    std::fs::write(world.path("tree/run"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(world.path("tree/run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let here = |name: &str| world.path(name).display().to_string();

    // `-O` is the old protocol, which the built-in scp serves; without it OpenSSH uses SFTP.
    for (mode, to) in [("-O", "/root/old"), ("-q", "/root/new")] {
        assert_eq!(world.ssh(&machine, &format!("mkdir {to}")).await.status, Some(0));
        let remote = |name: &str| format!("root@127.0.0.1:{to}{name}");
        let sent = world.transfer(&machine, "scp", &[mode, &here("big"), &remote("/")]).await;
        assert_eq!(sent.status, Some(0), "{}", sent.err);
        let sent = world.transfer(&machine, "scp", &[mode, "-r", "-p", &here("tree"), &remote("/")]).await;
        assert_eq!(sent.status, Some(0), "{}", sent.err);
        let back = here(&format!("back{mode}"));
        let got = world.transfer(&machine, "scp", &[mode, &remote("/big"), &back]).await;
        assert_eq!(got.status, Some(0), "{}", got.err);
        assert!(std::fs::read(&back).unwrap() == big);
        let got =
            world.transfer(&machine, "scp", &[mode, "-r", &remote("/tree"), &format!("{back}.tree")]).await;
        assert_eq!(got.status, Some(0), "{}", got.err);
        assert_eq!(std::fs::read_to_string(format!("{back}.tree/sub dir/a b")).unwrap(), "deep");
        let seen = world
            .ssh(&machine, &format!("wc -c <{to}/big; stat -c %a {to}/tree/run; cat '{to}/tree/sub dir/a b'"))
            .await;
        assert_eq!(seen.out, "20000000\n755\ndeep");
        let missing = world.transfer(&machine, "scp", &[mode, &remote("/none"), &back]).await;
        assert_eq!(missing.status, Some(1));
        assert!(missing.err.contains("No such file or directory"), "{}", missing.err);
        let refused = world.transfer(&machine, "scp", &[mode, &here("big"), &remote("/none/x")]).await;
        assert_eq!(refused.status, Some(1));
    }
    std::fs::write(
        world.path("batch"),
        format!("mkdir d\nput {0} d/one\nrename d/one d/two\nchmod 600 d/two\nln -s two d/link\nls -l d\nget d/link {0}2\nrm d/link\nrm d/two\nrmdir d\n", here("tree/run")),
    )
    .unwrap();
    let batch = world.transfer(&machine, "sftp", &["-b", &here("batch"), "root@127.0.0.1"]).await;
    assert_eq!(batch.status, Some(0), "{} {}", batch.out, batch.err);
    assert!(batch.out.contains("-rw-------"), "{}", batch.out);
    assert_eq!(std::fs::read_to_string(here("tree/run2")).unwrap(), "#!/bin/sh\n");

    // Both directions of one channel at once, more than all buffers hold.
    let mut ssh = world.client("ssh", "-p", machine.address());
    ssh.args(["root@127.0.0.1", "cat"]);
    assert_eq!(run(ssh, &vec![b'x'; 20_000_000]).await.out.len(), 20_000_000);
    // The words packer sends.
    let upload = world.ssh_with(&machine, &[], "scp -vt /tmp\n", b"C0644 3 script_1.sh\nabc\0").await;
    assert_eq!((upload.status, upload.out.as_str()), (Some(0), "\0\0\0"), "{}", upload.err);
    machine.destroy().await;
}

#[tokio::test]
async fn the_host_is_out_of_sight_and_out_of_reach() {
    let Some(world) = World::new().await else { return };
    let (machine, _notes) = world.boot(world.spec("wall")).await;
    let secret = world.path("secret");
    std::fs::write(&secret, "secret").unwrap();
    let host_pid = std::process::id();
    let hidden = format!(
        "ls -A /root /home/* /srv /mnt /sys; cat {}; test -e {} || echo unseen; kill -9 {host_pid} 2>/dev/null || echo unharmed",
        secret.display(),
        world.dir.path().display()
    );
    let output = world.ssh(&machine, &hidden).await;
    assert!(output.out.ends_with("unseen\nunharmed\n"), "{}", output.out);
    // Of what root of the host has there is nothing; the guest's own keys are.
    assert!(!output.out.contains("secret") && output.out.contains("/root:\n.ssh\n\n"), "{}", output.out);
    let output = world.ssh(&machine, "for p in /proc/[0-9]*; do echo $p; done | wc -l").await;
    assert!(output.out.trim().parse::<u32>().unwrap() < 10, "{}", output.out);
    for refused in [
        "mount -t tmpfs none /mnt",
        "umount /proc/sys",
        "echo x >/proc/sys/kernel/core_pattern",
        "echo h >/proc/sysrq-trigger && test -s /proc/sysrq-trigger",
        "chmod 600 /dev/null",
        "mknod /root/disk b 8 0",
        "cat /proc/1/environ",
        "readlink /proc/1/exe",
        "ls /proc/1/root/",
        "unshare -Ur mount -t proc proc /mnt",
    ] {
        let output = world.ssh(&machine, refused).await;
        assert_ne!(output.status, Some(0), "{refused}: {}{}", output.out, output.err);
    }
    let shadow = world.ssh(&machine, "cat /etc/shadow | grep -c '\\$'").await;
    assert_eq!(shadow.out, "0\n");
    machine.destroy().await;
}

#[tokio::test]
async fn what_is_simulated_says_so_and_lands_in_the_image() {
    let Some(world) = World::new().await else { return };
    let (machine, mut notes) = world.boot(world.spec("played")).await;
    let begun = Instant::now();
    let output = world.ssh(&machine, "sleep 30; sleep 0.5 1.5s").await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(
        output.err,
        "[simulated] sleep 30 passes in 0.3 s\n[simulated] sleep 0.5 1.5s passes in 0.02 s\n"
    );
    assert_eq!(notes.recv().await.unwrap(), "sleep 30 passes in 0.3 s");

    let output = world
        .ssh(&machine, "yum install redis.x86_64 -y && rpm -q redis.x86_64 && /usr/bin/yum list installed")
        .await;
    assert_eq!(output.status, Some(0), "{}", output.err);
    assert!(
        output
            .err
            .starts_with("[simulated] yum: recorded redis.x86_64 as installed, nothing was downloaded;"),
        "{}",
        output.err
    );
    assert!(output.out.ends_with("Complete!\nredis.x86_64\nredis.x86_64\n"), "{}", output.out);
    assert_eq!(world.ssh(&machine, "yum install nginx").await.status, Some(1));
    assert_eq!(world.ssh(&machine, "yum frobnicate").await.status, Some(1));
    assert_eq!(world.ssh(&machine, "rpm -q nginx").await.status, Some(1));
    assert_eq!(world.ssh(&machine, "apt-get --version").await.status, Some(127));
    let output = world
        .ssh(
            &machine,
            "systemctl enable --now redis && systemctl is-active redis && systemctl is-enabled nginx",
        )
        .await;
    assert_eq!((output.status, output.out.as_str()), (Some(1), "active\ndisabled\n"), "{}", output.err);
    machine.capture(&world.path("layer")).await.unwrap();
    machine.destroy().await;

    let mut spec = world.spec("played-again");
    spec.image_layers = vec![world.path("layer")];
    let (machine, _notes) = world.boot(spec).await;
    let output = world.ssh(&machine, "rpm -qa; systemctl is-enabled redis; systemctl is-active redis").await;
    assert_eq!(output.out, "redis.x86_64\nenabled\ninactive\n");
    machine.destroy().await;
}

#[tokio::test]
async fn a_full_disk_is_full_and_outlives_a_stop() {
    let Some(world) = World::new().await else { return };
    let mut spec = world.spec("small");
    spec.disk_limit_bytes = Some(8 << 20);
    let (machine, _notes) = world.boot(spec.clone()).await;
    let output = world.ssh(&machine, "echo kept >/root/kept; head -c 20000000 /dev/zero >/root/big").await;
    assert_ne!(output.status, Some(0));
    assert!(output.err.contains("No space left on device"), "{}", output.err);
    std::fs::write(world.path("big"), vec![1; 9 << 20]).unwrap();
    let big = world.path("big").display().to_string();
    let sent = world.transfer(&machine, "scp", &["-O", &big, "root@127.0.0.1:/opt/big"]).await;
    assert_eq!(sent.status, Some(1));
    assert!(sent.err.contains("No space left on device"), "{}", sent.err);
    assert_eq!(world.ssh(&machine, "rm -f /root/big /opt/big; cat /root/kept").await.out, "kept\n");
    machine.capture(&world.path("live")).await.unwrap();
    assert_eq!(std::fs::read_to_string(world.path("live/root/root/kept")).unwrap(), "kept\n");
    machine.stop(false).await;
    machine.capture(&world.path("stopped")).await.unwrap();
    assert_eq!(std::fs::read_to_string(world.path("stopped/root/root/kept")).unwrap(), "kept\n");
    drop(machine);
    let (machine, _notes) = world.boot(spec).await;
    assert_eq!(world.ssh(&machine, "cat /root/kept").await.out, "kept\n");
    machine.destroy().await;
}

/// Tries until the machine answers again.
async fn answers(world: &World, machine: &Machine, command: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let output = world.ssh(machine, command).await;
        if output.status == Some(0) {
            return output.out;
        }
        assert!(Instant::now() < deadline, "{}", output.err);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_reboot_cuts_the_connection_and_keeps_the_disk() {
    let Some(world) = World::new().await else { return };
    let (machine, _notes) = world.boot(world.spec("again")).await;
    let address = machine.address();
    let output =
        world.ssh(&machine, "echo kept >/root/kept; touch /run/gone; echo before; reboot; echo after").await;
    assert_eq!((output.status, output.out.as_str()), (Some(255), "before\n"), "{}", output.err);
    assert_eq!(
        answers(&world, &machine, "cat /root/kept; ls /run/gone 2>/dev/null || echo gone").await,
        "kept\ngone\n"
    );
    assert_eq!(machine.address(), address);

    assert_eq!(world.ssh(&machine, "shutdown -h now").await.status, Some(255));
    tokio::time::timeout(Duration::from_secs(10), machine.wait_stopped()).await.unwrap();
    assert_eq!(world.ssh(&machine, "true").await.status, Some(255));
    machine.stop(true).await;
    let spec = world.spec("again");
    drop(machine);
    let (machine, _notes) = world.boot(spec).await;
    assert_eq!(world.ssh(&machine, "cat /root/kept").await.out, "kept\n");

    // A stop cuts what runs.
    let mut ssh = world.client("ssh", "-p", machine.address());
    ssh.args(["root@127.0.0.1", "echo on; exec /bin/sleep 100"]);
    let (cut, ()) = tokio::join!(run(ssh, b""), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        machine.stop(false).await;
    });
    assert_eq!((cut.status, cut.out.as_str()), (Some(255), "on\n"));
    machine.destroy().await;
}

#[tokio::test]
async fn user_data_runs_once_and_the_console_shows_the_host_keys() {
    let Some(world) = World::new().await else { return };
    let mut spec = world.spec("data");
    spec.user_data = Some(b"#!/bin/sh\necho \"runs as $(id -un)\"\necho line >>/root/runs\n".to_vec());
    spec.metadata.insert("instance-id".to_owned(), "i-data".to_owned());
    let (machine, _notes) = world.boot(spec.clone()).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !String::from_utf8_lossy(&machine.console()).contains(" login: ") {
        assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&machine.console()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let console = String::from_utf8(machine.console()).unwrap();
    assert!(console.contains("\nruns as root\n"), "{console}");
    let block = console.split("-----BEGIN SSH HOST KEY KEYS-----\n").nth(1).unwrap();
    let ed25519 = block.lines().find(|line| line.starts_with("ssh-ed25519 ")).unwrap();

    // The console's key is the server's.
    let known = world.path("known");
    let port = machine.address().port();
    std::fs::write(&known, format!("[127.0.0.1]:{port} {ed25519}\n")).unwrap();
    let known = format!("UserKnownHostsFile={}", known.display());
    let options = ["-o", "StrictHostKeyChecking=yes", "-o", &known];
    let mut ssh = world.client_with(&options, "ssh", "-p", machine.address());
    ssh.args(["root@127.0.0.1", "cat /run/alicloud-local/metadata/instance-id"]);
    let output = run(ssh, b"").await;
    assert_eq!((output.status, output.out.as_str()), (Some(0), "i-data"), "{}", output.err);

    machine.stop(false).await;
    drop(machine);
    let (machine, _notes) = world.boot(spec).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.ssh(&machine, "cat /root/runs").await.out, "line\n");
    machine.destroy().await;
}

#[tokio::test]
async fn old_clients_find_an_algorithm() {
    let Some(world) = World::new().await else { return };
    let rsa = world.path("rsa");
    if !have("ssh-keygen") {
        return;
    }
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(&rsa)
        .status()
        .await;
    assert!(made.unwrap().success());
    let mut spec = world.spec("old");
    spec.authorized_keys = vec![std::fs::read_to_string(world.path("rsa.pub")).unwrap()];
    let (machine, _notes) = world.boot(spec).await;
    // What Go's library of 2018 offers, and what a careful administrator allows.
    for (algorithms, exchange) in
        [("ssh-rsa", "ecdh-sha2-nistp256"), ("rsa-sha2-512", "diffie-hellman-group16-sha512")]
    {
        let (key, exchange) =
            (format!("PubkeyAcceptedAlgorithms={algorithms}"), format!("KexAlgorithms={exchange}"));
        let old = [
            "-o",
            "HostKeyAlgorithms=ecdsa-sha2-nistp256",
            "-o",
            "Ciphers=aes128-ctr",
            "-o",
            "MACs=hmac-sha1",
        ];
        let mut options = vec!["-o", &key, "-o", &exchange];
        options.extend(if algorithms == "ssh-rsa" { &old[..] } else { &[] });
        let mut ssh = world.client_with(&options, "ssh", "-p", machine.address());
        ssh.arg("-i").arg(&rsa).args(["root@127.0.0.1", "echo in"]);
        let output = run(ssh, b"").await;
        assert_eq!(output.out, "in\n", "{}", output.err);
    }
    machine.destroy().await;
}

/// Runs this very program's tests as a user without any right.
#[tokio::test]
async fn everything_holds_without_being_root() {
    if !as_root() || !have("setpriv") {
        return;
    }
    let me = std::env::current_exe().unwrap();
    let mut again = Command::new("setpriv");
    again.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&me).args(["--test-threads=2"]);
    // What does not depend on rights is not tried twice.
    again.args(
        ["files_go", "old_clients", "a_key_rules", "a_terminal"].iter().flat_map(|name| ["--skip", name]),
    );
    again.env("TMPDIR", "/tmp").env("HOME", "/").current_dir("/");
    let output = run(again, b"").await;
    assert_eq!(output.status, Some(0), "{}\n{}", output.out, output.err);
}

/// Boots a machine with a process in it and waits to be killed; see the test below.
#[tokio::test]
#[ignore = "is run by `nothing_outlives_the_program`"]
async fn boots_and_waits() {
    let Some(world) = World::new().await else { return };
    let mut spec = world.spec("mortal");
    spec.speed = 1.0;
    let (machine, _notes) = world.boot(spec).await;
    #[expect(clippy::disallowed_methods, reason = "a test hands itself its figure")]
    let seconds = std::env::var("SLEEP").unwrap();
    let begun = world.ssh(&machine, &format!("(setsid sleep {seconds} >/dev/null 2>&1 </dev/null &)")).await;
    assert_eq!(begun.status, Some(0));
    println!("ready {}", world.dir.path().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_outlives_the_program() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    if World::new().await.is_none() {
        return;
    }
    let seconds = format!("1234.{}", std::process::id());
    let line = format!("sleep\0{seconds}\0");
    let sleeps = || {
        let is_it = |entry: std::fs::DirEntry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|found| found == line.as_bytes())
        };
        std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(is_it)
    };
    let until = async |wanted: bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while sleeps() != wanted {
            assert!(Instant::now() < deadline, "sleeps: {}", !wanted);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args(["--ignored", "--exact", "boots_and_waits", "--nocapture"])
        .env("SLEEP", &seconds)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut program = program.spawn().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut dir = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, ready)) = line.split_once("ready ") {
            dir = Some(PathBuf::from(ready));
            break;
        }
    }
    let dir = dir.expect("a machine that waits");
    until(true).await;
    program.start_kill().unwrap();
    program.wait().await.unwrap();
    until(false).await;
    // An overlay's own folder may be closed even to its owner.
    let opened = Command::new("chmod").args(["-R", "u+rwx"]).arg(&dir).status().await.unwrap();
    assert!(opened.success());
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn where_no_sandbox_is_possible_the_error_says_what_to_enable() {
    if !have("unshare") {
        return;
    }
    // A user namespace may forbid others below it.
    let forbid = "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$@\"";
    let words =
        ["--user", "--map-root-user", "sh", "-c", forbid, "sh", env!("CARGO_BIN_EXE_instance-helper")];
    let helper = HelperProgram { path: PathBuf::from("unshare"), args: words.map(Into::into).into() };
    let dir = tempfile::tempdir().unwrap();
    let error = MachineHost::probe(helper, dir.path()).await.unwrap_err();
    assert_eq!(
        error.reason,
        "boot the instance: create a user namespace (unshare): No space left on device (os error 28)"
    );
    assert!(error.hints[0].contains("sysctl user.max_user_namespaces="), "{:?}", error.hints);
}

#[tokio::test]
async fn the_hosts_own_package_manager_works_where_it_belongs() {
    let Some(world) = World::new().await else { return };
    if !as_root() || !have("dpkg-deb") {
        return;
    }
    let mut spec = world.spec("debian");
    spec.platform = Platform::named("Debian", "12");
    let (machine, _notes) = world.boot(spec).await;
    let package = "mkdir -p p/DEBIAN p/opt/tiny; echo hello >p/opt/tiny/file; chown 42 p/opt/tiny/file; \
        printf 'Package: tiny\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@y>\\nDescription: x\\n' >p/DEBIAN/control; \
        dpkg-deb -b p tiny.deb >/dev/null && dpkg -i tiny.deb >/dev/null && dpkg -s tiny | grep Status; stat -c %u /opt/tiny/file";
    let output = world.ssh(&machine, package).await;
    assert_eq!(output.out, "Status: install ok installed\n42\n", "{}", output.err);
    machine.capture(&world.path("layer")).await.unwrap();
    machine.destroy().await;
    let mut spec = world.spec("debian-again");
    spec.platform = Platform::named("Debian", "12");
    spec.image_layers = vec![world.path("layer")];
    let (machine, _notes) = world.boot(spec).await;
    let output =
        world.ssh(&machine, "dpkg -s tiny | grep Status; stat -c %u /opt/tiny/file; command -v yum").await;
    assert_eq!(output.out, "Status: install ok installed\n42\n", "{}", output.err);
    machine.destroy().await;
}

#[tokio::test]
async fn a_cloud_config_gives_host_keys_files_and_users_before_anybody_gets_in() {
    let Some(world) = World::new().await else { return };
    let key = russh::keys::PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
    let private = key.to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap();
    let indented: String = private.lines().map(|line| format!("    {line}\n")).collect();
    let config = format!(
        "#cloud-config\nssh_keys:\n  ed25519_private: |\n{indented}users:\n- default\n- name: ann\n  ssh_authorized_keys: [\"{}\"]\n\
         write_files:\n- path: /etc/app/conf\n  permissions: '0640'\n  content: |\n    one\n    two\nruncmd:\n- [sh, -c, \"id -un >/root/ran\"]\npackages: [redis]\n",
        world.public_key.trim()
    );
    let mut spec = world.spec("config");
    spec.user_data = Some(config.into_bytes());
    let (machine, mut notes) = world.boot(spec.clone()).await;
    let known = world.path("known");
    let port = machine.address().port();
    let public = key.public_key().to_openssh().unwrap();
    std::fs::write(&known, format!("[127.0.0.1]:{port} {public}\n")).unwrap();
    let known = format!("UserKnownHostsFile={}", known.display());
    let options = ["-o", "StrictHostKeyChecking=yes", "-o", &known];
    let script = "cat /etc/app/conf /root/ran; stat -c %a /etc/app/conf";
    let output = world.ssh_with(&machine, &options, script, b"").await;
    assert_eq!((output.status, output.out.as_str()), (Some(0), "one\ntwo\nroot\n640\n"), "{}", output.err);
    let mut ssh = world.client("ssh", "-p", machine.address());
    ssh.args(["ann@127.0.0.1", "id -un; pwd"]);
    let output = run(ssh, b"").await;
    let name = if as_root() { "ann" } else { "root" };
    assert_eq!(output.out, format!("{name}\n/home/ann\n"), "{}", output.err);
    assert_eq!(notes.recv().await.unwrap(), "`packages` of the cloud-config is not simulated");
    // A restart keeps the host key, and does nothing twice.
    machine.stop(false).await;
    drop(machine);
    let (machine, _notes) = world.boot(spec).await;
    let console = String::from_utf8_lossy(&machine.console()).into_owned();
    assert!(!console.contains("`packages`"), "{console}");
    std::fs::write(world.path("known"), format!("[127.0.0.1]:{} {public}\n", machine.address().port()))
        .unwrap();
    assert_eq!(world.ssh_with(&machine, &options, "echo in", b"").await.out, "in\n");
    machine.destroy().await;
}

#[tokio::test]
async fn an_image_keeps_the_keys_that_were_left_in_it() {
    let Some(world) = World::new().await else { return };
    let (machine, _notes) = world.boot(world.spec("left")).await;
    assert_eq!(world.ssh(&machine, "cat ~/.ssh/authorized_keys").await.out.trim(), world.public_key.trim());
    machine.stop(false).await;
    machine.capture(&world.path("with")).await.unwrap();
    machine.destroy().await;

    let other = russh::keys::PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
    let other = other.public_key().to_openssh().unwrap();
    let mut spec = world.spec("next");
    spec.image_layers = vec![world.path("with")];
    spec.authorized_keys = vec![other.clone()];
    let (machine, _notes) = world.boot(spec.clone()).await;
    // The key of the machine that the image was made of still opens it.
    let lines = world.ssh(&machine, "cat ~/.ssh/authorized_keys").await.out;
    assert_eq!(lines, format!("{}\n{}\n", world.public_key.trim(), other.trim()));
    // One that is unbound goes with the next start; whoever takes his own away locks himself out.
    machine.stop(false).await;
    drop(machine);
    spec.authorized_keys = Vec::new();
    let (machine, _notes) = world.boot(spec).await;
    let output = world.ssh(&machine, "cat ~/.ssh/authorized_keys; rm ~/.ssh/authorized_keys").await;
    assert_eq!(output.out, format!("{}\n", world.public_key.trim()));
    assert_eq!(world.ssh(&machine, "true").await.status, Some(255));
    let console = String::from_utf8_lossy(&machine.console()).into_owned();
    assert!(console.contains("sshd: Failed publickey for root from 127.0.0.1"), "{console}");
    machine.destroy().await;
}

#[tokio::test]
async fn a_closed_gate_answers_nothing() {
    let Some(world) = World::new().await else { return };
    let open = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut spec = world.spec("gate");
    let asked = open.clone();
    spec.gate = Gate::new(move |_| asked.load(std::sync::atomic::Ordering::Relaxed));
    let (machine, _notes) = world.boot(spec).await;
    let refused = world.ssh_with(&machine, &["-o", "ConnectTimeout=1"], "true", b"").await;
    assert!(refused.err.contains("timed out"), "{}", refused.err);
    open.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.ssh(&machine, "echo in").await.out, "in\n");
    machine.destroy().await;
}
