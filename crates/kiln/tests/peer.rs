//! The peer: Debian's packer 1.6.6, which has never heard of us, works in `kiln cloud serve`.
//!
//! That version knows no endpoint option: it speaks plain http on port 80 to the cloud's usual host names. So it gets
//! an `/etc/hosts` of its own in a mount namespace, and instances listen on port 22 of loopback addresses. It looks
//! again after five seconds whatever the speed of the cloud, which is why these tests take half a minute.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use alicloud_local::InventorySnapshot;
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;

use super::support::{Output, Running, World};

const KEY: &str = "LTAI5tPeerKeyId";
const SECRET: &str = "peerSecret0123456789";
/// The hosts it asks for cn-beijing. Before each call the location service, by https, which is refused here at once;
/// then it does as the endpoint table of its library says. Without a name here a resolver would be asked each time.
const HOSTS: &str = "ecs-cn-hangzhou.aliyuncs.com location-readonly.aliyuncs.com";
/// So fast that most states have passed at the first look.
const SPEED: &str = "20000";
/// Packer takes half a minute; one that hangs is ended here.
const PATIENCE: &str = "150";
/// What the account owns, where a build is to make nothing but an instance.
const OWNED: &str = r#"{
  "access_keys": {"LTAI5tPeerKeyId": "peerSecret0123456789"},
  "vpcs": [{"id": "vpc-own", "region": "cn-beijing"}],
  "vswitches": [{"id": "vsw-own", "vpc": "vpc-own"}],
  "security_groups": [{"id": "sg-own", "vpc": "vpc-own"}]
}"#;

/// Skips a test for want of something; in CI that is a failure.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{why}");
    eprintln!("skipped: {why}");
}

/// Whether packer can be run against a cloud of ours here.
fn peer_can_run() -> bool {
    if !nix::unistd::geteuid().is_root() {
        skip("root is needed: for port 80, port 22, and a mount namespace");
        return false;
    }
    let version = Command::new("packer").arg("version").env("CHECKPOINT_DISABLE", "1").output();
    match version {
        Ok(output) if output.stdout.starts_with(b"Packer v1.6.6") => true,
        Ok(output) => {
            skip(&format!("`packer` is not 1.6.6 but {}", String::from_utf8_lossy(&output.stdout)));
            false
        }
        Err(_) => {
            skip("Debian's `packer` is not installed");
            false
        }
    }
}

/// `kiln cloud serve` on port 80 of a loopback address. Ended when dropped.
struct Served<'a> {
    world: &'a World,
    address: &'static str,
    running: Option<Running<'a>>,
}

impl<'a> Served<'a> {
    /// Each test has an address of its own, so that they can run at once.
    fn start(world: &'a World, address: &'static str) -> Served<'a> {
        let listen = format!("{address}:80");
        let arguments = ["cloud", "serve", "-listen", &listen, "-loopback-ssh-port", "22", "-speed", SPEED];
        let running = world.start(&[&arguments[..], &["-with", "account.json"]].concat());
        let mut served = Served { world, address, running: Some(running) };
        served.running.as_mut().unwrap().wait_for("Serving");
        served
    }

    /// Runs `packer build` to its end.
    fn packer(&self, template: &str) -> Output {
        let hosts = self.world.path("hosts");
        std::fs::write(&hosts, format!("127.0.0.1 localhost\n{} {HOSTS}\n", self.address)).unwrap();
        let output = Command::new("timeout")
            .args(["--kill-after=5", PATIENCE, "unshare", "--mount", "sh", "-c"])
            .args(["mount --bind hosts /etc/hosts && exec packer build -color=false \"$0\"", template])
            .current_dir(hosts.parent().unwrap())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", hosts.parent().unwrap())
            .env("CHECKPOINT_DISABLE", "1")
            .env("ALICLOUD_ACCESS_KEY", KEY)
            .env("ALICLOUD_SECRET_KEY", SECRET)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs our own program in the same cloud.
    fn kiln(&self, arguments: &[&str]) -> Output {
        self.world.kiln(arguments)
    }

    /// Looks into the cloud, as any program on this machine may.
    fn look<T: DeserializeOwned>(&self, what: &str) -> T {
        let mut stream = TcpStream::connect((self.address, 80)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET /_local/{what} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 OK"), "{head}");
        serde_json::from_str(body).unwrap()
    }

    fn inventory(&self) -> InventorySnapshot {
        self.look("inventory")
    }

    fn actions(&self) -> Vec<String> {
        let calls: Vec<serde_json::Value> = self.look("calls");
        calls.iter().map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::SIGTERM);
            let _ = running.finish();
        }
    }
}

/// Returns a world in which `kiln` works in the cloud at `address`, whose account owns what `account` says.
fn world(address: &str, account: &str) -> World {
    let world = World::with("account.json", account)
        .env("ALICLOUD_ACCESS_KEY", KEY)
        .env("ALICLOUD_SECRET_KEY", SECRET);
    let endpoint = format!("http://{address}");
    ["ECS", "VPC", "STS", "RAM"]
        .iter()
        .fold(world, |world, product| world.env(&format!("ALICLOUD_{product}_ENDPOINT"), &endpoint))
}

/// Returns a template that both programs understand.
fn template(name: &str, source: &str, fields: &str, script: &str) -> String {
    format!(
        r#"{{
  "builders": [{{
    "type": "alicloud-ecs",
    "region": "cn-beijing",
    "image_name": "{name}",
    "source_image": "{source}",
    "instance_type": "ecs.t5-lc1m1.small",
    "internet_charge_type": "PayByTraffic",
    "io_optimized": "true",
    "ssh_username": "root",
    {fields}
  }}],
  "provisioners": [{{"type": "shell", "inline": {script}}}]
}}"#
    )
}

const CENTOS: &str = "centos_7_03_64_20G_alibase_20170818.vhd";

#[test]
fn packer_builds_an_image_that_holds_what_its_script_wrote() {
    if !peer_can_run() {
        return;
    }
    let account = format!(r#"{{"access_keys": {{"{KEY}": "{SECRET}"}}}}"#);
    let script =
        r#"["sleep 30", "mkdir -p /etc/redis.d", "echo 'maxmemory 256mb' > /etc/redis.d/memory.conf"]"#;
    let fields = r#""associate_public_ip_address": true, "tags": {"app": "redis"}"#;
    let world = world("127.81.0.1", &account)
        .file("redis.json", &template("redis-by-packer", CENTOS, fields, script));
    let served = Served::start(&world, "127.81.0.1");
    let said = served.packer("redis.json").expect(0);

    let inventory = served.inventory();
    let left = inventory.leftovers();
    assert!(left.is_empty(), "left behind: {left:?}\n{said}");
    let [image] = &inventory.images[..] else { panic!("{:?}", inventory.images) };
    assert!(
        said.ends_with(&format!(
            "--> alicloud-ecs: Alicloud images were created:\n\ncn-beijing: {}\n",
            image.id
        )),
        "{said}"
    );
    assert_eq!((&image.name[..], &image.status[..]), ("redis-by-packer", "Available"));
    for tagged in [image, &inventory.snapshots[0]] {
        assert_eq!(tagged.tags.get("app").map(String::as_str), Some("redis"), "{tagged:?}");
    }
    // It worked as that version does: an instance made stopped, started later, all with the older APIs.
    let actions = served.actions();
    for action in ["CreateInstance", "AssociateEipAddress", "AttachKeyPair", "StartInstance", "AddTags"] {
        assert!(actions.iter().any(|called| called == action), "{action}: {actions:?}");
    }

    // Our own program builds upon that image and finds the file.
    let upon =
        template("upon", &image.id, r#""skip_create_image": true"#, r#"["cat /etc/redis.d/memory.conf"]"#);
    std::fs::write(world.path("upon.json"), upon).unwrap();
    let said = served.kiln(&["build", "-color=false", "upon.json"]).expect(0);
    assert!(said.contains("alicloud-ecs: maxmemory 256mb\n"), "{said}");
    assert!(served.inventory().is_empty_but_for_images());
}

#[test]
fn packer_tells_a_failing_script_and_cleans_up() {
    if !peer_can_run() {
        return;
    }
    let fields = r#""vpc_id": "vpc-own", "vswitch_id": "vsw-own", "security_group_id": "sg-own", "ssh_private_ip": true"#;
    let fails = template("fails", CENTOS, fields, r#"["echo on", "exit 3"]"#);
    let world = world("127.82.0.1", OWNED).file("fails.json", &fails);
    let served = Served::start(&world, "127.82.0.1");
    let before = served.inventory();
    let said = served.packer("fails.json").expect(1);
    assert!(said.contains("Script exited with non-zero exit status: 3."), "{said}");
    assert!(said.ends_with("==> Builds finished but no artifacts were created.\n"), "{said}");
    // Where no call fails besides, that version leaves nothing either.
    let after = served.inventory();
    assert_eq!(after.leftovers(), before.leftovers(), "{said}");
    assert!(after.images.is_empty() && after.snapshots.is_empty(), "{after:?}");
    assert!(!served.actions().iter().any(|action| action == "CreateImage"));
}
