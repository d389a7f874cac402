//! The templates of the documents users learnt from build unmodified, with no account at all. The embedded cloud is
//! kept in a folder, so that a test can look at what it holds and what was asked of it.

mod credentials;
mod disks;
mod images;
mod network;
mod older;
mod stopping;

use std::collections::BTreeMap;

use alicloud_local::{Cloud, CloudOptions, HelperProgram, InventorySnapshot};
use serde_json::Value;

use super::fixture::{seed, shell};
use crate::support::World;

/// A build of a seed, and the cloud it left.
struct Built {
    world: World,
    said: String,
    hints: String,
    inventory: InventorySnapshot,
    calls: Vec<Value>,
}

const LOCAL: [&str; 4] = ["-color=false", "-local", "-local-state=cloud", "-local-speed=1000"];

/// What the account of `-local` owns where no file says so: what the documents take for granted.
const OWNED: [&str; 7] = [
    "vpc vpc-uf6xxxx",
    "vpc vpc-xxxx",
    "vswitch vsw-uf6xxxx",
    "vswitch vsw-xxxx",
    "security group sg-uf6xxxx",
    "snapshot s-bp1xxxxxx",
    "snapshot s-xxxxxxxxxxxxxxx",
];

impl Built {
    /// Builds the seed unmodified. State and speed of the cloud are the only wishes.
    #[track_caller]
    fn of(name: &str) -> Built {
        Built::with(name, &[])
    }

    #[track_caller]
    fn with(name: &str, arguments: &[&str]) -> Built {
        let built = Built::in_world(World::with("t.json", &seed(name)), arguments);
        built.looks_as_promised();
        built
    }

    /// Builds `t.json` of `world`.
    #[track_caller]
    fn in_world(world: World, arguments: &[&str]) -> Built {
        let arguments = [&["build"], &LOCAL[..], arguments, &["t.json"]].concat();
        let output = world.kiln(&arguments);
        let hints = output.stderr.clone();
        let said = output.expect(0);
        let (inventory, calls) = left_by(&world);
        Built { world, said, hints, inventory, calls }
    }

    /// What every seed of the newer builder has in common.
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

    /// Everything temporary is gone; what the account owned is still there.
    #[track_caller]
    fn leaves_nothing_else(&self) {
        assert_eq!(self.inventory.leftovers(), OWNED, "{}", self.said);
    }

    fn calls_of<'a>(&'a self, action: &'a str) -> impl Iterator<Item = &'a Value> {
        self.calls.iter().filter(move |call| call["action"] == action)
    }

    /// Returns the parameters of the only call of `action`.
    #[track_caller]
    fn the_call<'a>(&'a self, action: &'a str) -> &'a Value {
        let calls: Vec<_> = self.calls_of(action).collect();
        assert_eq!(calls.len(), 1, "{action}: {calls:?}");
        &calls[0]["params"]
    }

    #[track_caller]
    fn never_calls(&self, actions: &[&str]) {
        for action in actions {
            assert_eq!(self.calls_of(action).count(), 0, "{action}");
        }
    }

    /// These lines are there, in this order.
    #[track_caller]
    fn says_in_order(&self, build: &str, lines: &[&str]) {
        let mut rest = self.said.as_str();
        for line in lines {
            let line = format!("==> {build}: {line}");
            let at = rest
                .find(&line)
                .unwrap_or_else(|| panic!("`{line}` is missing or out of order:\n{}", self.said));
            rest = &rest[at + line.len()..];
        }
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

    /// The provisioner of most seeds has run, and no key of ours has stayed in the image.
    #[track_caller]
    fn redis_is_inside(&self) {
        let inside = self
            .inside("cat /var/lib/alicloud-local/packages; echo keys: $(wc -l < /root/.ssh/authorized_keys)");
        assert!(inside.contains("==> alicloud-ecs: redis.x86_64"), "{inside}");
        // The key of the build that looks, alone.
        assert!(inside.contains("==> alicloud-ecs: keys: 1\n"), "{inside}");
    }
}

/// Opens the cloud a build kept.
fn left_by(world: &World) -> (InventorySnapshot, Vec<Value>) {
    let helper = HelperProgram { path: env!("CARGO_BIN_EXE_kiln").into(), args: vec!["__instance".into()] };
    let options = CloudOptions {
        state_dir: Some(world.path("cloud")),
        allow_no_sandbox: true,
        ..CloudOptions::new(helper)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let inventory = runtime.block_on(async {
        let cloud = Cloud::start(options).await.unwrap();
        let inventory = cloud.inventory();
        cloud.shutdown().await;
        inventory
    });
    let calls = world.read("cloud/calls.jsonl");
    (inventory, calls.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Returns the facts of the state a build kept, as its file has them.
fn state(world: &World) -> Value {
    serde_json::from_str(&world.read("cloud/state.json")).unwrap()
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The image and each of its snapshots have these tags and no others.
#[track_caller]
fn carries_tags(built: &Built, pairs: &[(&str, &str)]) {
    let expected = tags(pairs);
    assert_eq!(built.image().tags.clone().into_iter().collect::<BTreeMap<_, _>>(), expected);
    let own = &built.inventory.snapshots_of_images;
    assert!(!own.is_empty());
    for snapshot in built.inventory.snapshots.iter().filter(|it| own.contains(&it.id)) {
        assert_eq!(
            snapshot.tags.clone().into_iter().collect::<BTreeMap<_, _>>(),
            expected,
            "{}",
            snapshot.id
        );
    }
}
