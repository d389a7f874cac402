//! The templates of the documents users learnt from build unmodified, with no account at all. The embedded cloud is
//! kept in a folder, so that a test can look at what it holds and what was asked of it.

use std::collections::BTreeMap;

use alicloud_local::{Cloud, CloudOptions, HelperProgram, InventorySnapshot};

use super::fixture::{seed, shell};
use crate::support::World;

/// A build of a seed, and the cloud it left.
struct Built {
    world: World,
    said: String,
    inventory: InventorySnapshot,
    calls: Vec<serde_json::Value>,
}

const LOCAL: [&str; 4] = ["-color=false", "-local", "-local-state=cloud", "-local-speed=1000"];

impl Built {
    #[track_caller]
    fn of(name: &str) -> Built {
        Built::with(name, &[], "{}")
    }

    #[track_caller]
    fn with(name: &str, arguments: &[&str], owned: &str) -> Built {
        let world = World::with("t.json", &seed(name)).file("owned.json", owned);
        let arguments =
            [&["build"], &LOCAL[..], &["-local-with=owned.json"], arguments, &["t.json"]].concat();
        let said = world.kiln(&arguments).expect(0);
        let inventory = look(&world);
        let calls = world.read("cloud/calls.jsonl");
        let calls = calls.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let built = Built { world, said, inventory, calls };
        built.looks_as_promised();
        built
    }

    /// What every seed has in common.
    #[track_caller]
    fn looks_as_promised(&self) {
        let image = self.image();
        assert_eq!(image.status, "Available");
        let ending =
            format!("--> alicloud-ecs: Alicloud images were created:\n\n{}: {}\n", image.region, image.id);
        assert!(self.said.ends_with(&ending), "{}", self.said);
        assert!(self.said.contains("==> alicloud-ecs: Connected to SSH!\n"), "{}", self.said);
    }

    fn image(&self) -> &alicloud_local::Existing {
        assert_eq!(self.inventory.images.len(), 1, "{}", self.said);
        &self.inventory.images[0]
    }

    #[track_caller]
    fn leaves_nothing_else(&self) {
        assert_eq!(self.inventory.leftovers(), Vec::<String>::new(), "{}", self.said);
    }

    fn calls_of<'a>(&'a self, action: &'a str) -> impl Iterator<Item = &'a serde_json::Value> {
        self.calls.iter().filter(move |call| call["action"] == action)
    }

    /// Starts an instance of the image and returns what `command` prints in it.
    #[track_caller]
    fn inside(&self, command: &str) -> String {
        let image = self.image();
        let template = format!(
            r#"{{"builders": [{{
                "type": "alicloud-ecs", "region": "{}", "image_name": "look", "skip_create_image": true,
                "source_image": "{}", "instance_type": "ecs.g6.large", "ssh_username": "root"
            }}], "provisioners": [{}]}}"#,
            image.region,
            image.id,
            shell(command)
        );
        std::fs::write(self.world.path("look.json"), template).unwrap();
        let arguments = [&["build"], &LOCAL[..], &["look.json"]].concat();
        self.world.kiln(&arguments).expect(0)
    }
}

/// Opens the cloud a build kept.
fn look(world: &World) -> InventorySnapshot {
    let helper = HelperProgram { path: env!("CARGO_BIN_EXE_kiln").into(), args: vec!["__instance".into()] };
    let options = CloudOptions {
        state_dir: Some(world.path("cloud")),
        allow_no_sandbox: true,
        ..CloudOptions::new(helper)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let cloud = Cloud::start(options).await.unwrap();
        let inventory = cloud.inventory();
        cloud.shutdown().await;
        inventory
    })
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn carries_tags(built: &Built, pairs: &[(&str, &str)]) {
    let expected = tags(pairs);
    assert_eq!(built.image().tags.clone().into_iter().collect::<BTreeMap<_, _>>(), expected);
    assert!(!built.inventory.snapshots.is_empty());
    for snapshot in &built.inventory.snapshots {
        assert_eq!(
            snapshot.tags.clone().into_iter().collect::<BTreeMap<_, _>>(),
            expected,
            "{}",
            snapshot.id
        );
    }
}

#[test]
fn seed_000_tags_the_image_and_its_snapshots() {
    let built = Built::of("000-tags");
    carries_tags(&built, &[("app", "web"), ("version", "v1.0.0")]);
    // A public address by default, given to the instance at its creation: it never has to be stopped for one.
    let run: Vec<_> = built.calls_of("RunInstances").collect();
    assert_eq!(run.len(), 1);
    assert_eq!(run[0]["params"]["InternetMaxBandwidthOut"], "5");
    assert_eq!(run[0]["params"]["InternetChargeType"], "PayByTraffic");
    assert_eq!(run[0]["params"]["IoOptimized"], "optimized");
    assert!(run[0]["params"]["AutoReleaseTime"].is_string() && run[0]["params"]["KeyPairName"].is_string());
    assert_eq!(built.calls_of("StartInstance").count(), 0);
    assert_eq!(built.calls_of("StopInstance").count(), 1);
    assert!(built.said.contains("==> alicloud-ecs: Allocated EIP: "), "{}", built.said);
    built.leaves_nothing_else();
}

#[test]
fn seed_001_tags_builds_alike() {
    let built = Built::of("001-tags");
    carries_tags(&built, &[("app", "web"), ("version", "v1.0.0")]);
    built.leaves_nothing_else();
}

#[test]
fn seed_001_snapshot_timeout_allows_longer_waits() {
    let built = Built::of("001-snapshot-timeout");
    assert_eq!(built.image().region, "cn-hangzhou");
    let shows_expired = |call: &serde_json::Value| call["params"]["ShowExpired"] == "true";
    assert!(built.calls_of("DescribeImages").any(shows_expired));
    built.leaves_nothing_else();
}

#[test]
fn seed_001_private_ip_builds_in_the_network_it_names() {
    let owned = r#"{
        "vpcs": [{"id": "vpc-xxxx", "region": "cn-hangzhou"}],
        "vswitches": [{"id": "vsw-xxxx", "vpc": "vpc-xxxx"}]
    }"#;
    let built = Built::with("001-ssh-private-ip", &[], owned);
    for action in ["CreateVpc", "CreateVSwitch", "AllocateEipAddress"] {
        assert_eq!(built.calls_of(action).count(), 0, "{action}");
    }
    assert_eq!(built.calls_of("CreateSecurityGroup").count(), 1);
    let run = built.calls_of("RunInstances").next().unwrap();
    assert_eq!(run["params"]["VSwitchId"], "vsw-xxxx");
    assert!(run["params"]["InternetMaxBandwidthOut"].is_null());
    assert!(built.said.contains("Using SSH communicator to connect: 172.16."), "{}", built.said);
    assert!(!built.said.contains("EIP"), "{}", built.said);
    // What the account owned is still there, and nothing else.
    assert_eq!(built.inventory.leftovers(), ["vpc vpc-xxxx", "vswitch vsw-xxxx"]);
}

#[test]
fn seed_001_image_family_starts_from_the_newest_and_becomes_the_newest() {
    let built = Built::of("001-image-family");
    assert!(built.said.contains("Found lastest image: "), "{}", built.said);
    assert!(built.said.contains(" by image family: acs:centos_7_9_x64\n"), "{}", built.said);
    assert_eq!(built.image().detail, "test_packer_basic");
    built.leaves_nothing_else();
}

#[test]
fn seed_002_redis_is_in_the_image() {
    let built = Built::of("002-basic-redis");
    built.leaves_nothing_else();
    // The order of the document's log.
    let lines = [
        "Found image ID: ",
        "Creating temporary keypair: packer_",
        "Creating vpc...",
        "Created vpc: ",
        "Creating vswitch...",
        "Created vswitch: ",
        "Creating security group...",
        "Created security group: ",
        "Creating instance...",
        "Created instance: ",
        "Allocating EIP...",
        "Allocated EIP: ",
        "Attach keypair ",
        "Starting instance: ",
        "Using SSH communicator to connect: ",
        "Connected to SSH!",
        "Provisioning with shell script: ",
        "Stopping instance: ",
        "Waiting instance stopped: ",
        "Creating image: ",
        "Detach keypair ",
        "Cleaning up 'EIP'",
        "Cleaning up 'instance'",
        "Cleaning up 'security group'",
        "Cleaning up 'vSwitch'",
        "Cleaning up 'VPC'",
        "Deleting temporary keypair...",
    ];
    let mut rest = built.said.as_str();
    for line in lines {
        let line = format!("==> alicloud-ecs: {line}");
        let at = rest
            .find(&line)
            .unwrap_or_else(|| panic!("`{line}` is missing or out of order:\n{}", built.said));
        rest = &rest[at + line.len()..];
    }
    let inside = built.inside("cat /var/lib/alicloud-local/packages; ls -A /root/.ssh 2>/dev/null | wc -l");
    assert!(inside.contains("==> alicloud-ecs: redis.x86_64"), "{inside}");
    // No key of ours stays in the image.
    assert!(inside.contains("==> alicloud-ecs: 0\n"), "{inside}");
}

#[test]
fn seed_003_ubuntu_carries_its_tag() {
    let built = Built::of("003-ubuntu-tags");
    carries_tags(&built, &[("tag_key", "tag_value")]);
    assert_eq!((built.image().region.as_str(), built.image().name.as_str()), ("cn-shenzhen", "cus_image"));
    built.leaves_nothing_else();
}

#[test]
fn keys_come_from_the_environment_or_from_the_command_line() {
    let account = r#"{"access_keys": {"LTAIown": "own-secret"}}"#;
    let built =
        Built::with("000-tags", &["-var", "access_key=LTAIown", "-var", "secret_key=own-secret"], account);
    built.leaves_nothing_else();
    assert!(!built.said.contains("own-secret"), "{}", built.said);
    let world = World::with("t.json", &seed("000-tags")).file("owned.json", account);
    let world = world.env("ALICLOUD_ACCESS_KEY", "LTAIown").env("ALICLOUD_SECRET_KEY", "own-secret");
    let arguments = [&["build"], &LOCAL[..], &["-local-with=owned.json", "t.json"]].concat();
    let _ = world.kiln(&arguments).expect(0);
}
