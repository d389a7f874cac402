//! An embedded cloud that a test can look into, and templates for it.

use std::path::Path;

use alicloud_local::{
    AddressMode, CallRecord, Cloud, CloudOptions, FaultRule, HelperProgram, Inventory, InventorySnapshot,
};
use tokio::runtime::Runtime;

use crate::support::World;

/// The key the cloud knows.
pub const KEY: &str = "LTAI5tTestKeyId";
/// Its secret.
pub const SECRET: &str = "testSecret0123456789ABCDEFGH";
/// Stands in templates (and, in quotes, in inventories) for the port on which the cloud's instances listen.
const SSH_PORT: &str = "[SSH-PORT]";
/// States pass this many times as fast as in the real cloud.
const SPEED: f64 = 1000.0;

/// A cloud in this process. Ended when dropped.
pub struct TestCloud {
    runtime: Runtime,
    cloud: Option<Cloud>,
    ssh_port: u16,
}

impl TestCloud {
    /// Starts a cloud whose account owns nothing.
    pub fn start() -> TestCloud {
        TestCloud::with("{}")
    }

    /// Starts a cloud whose account owns what an inventory file says.
    pub fn with(inventory: &str) -> TestCloud {
        TestCloud::with_options(inventory, |_| {})
    }

    /// Starts a cloud with some of its options changed.
    pub fn with_options(inventory: &str, change: impl FnOnce(&mut CloudOptions)) -> TestCloud {
        let helper =
            HelperProgram { path: env!("CARGO_BIN_EXE_kiln").into(), args: vec!["__instance".into()] };
        // Clouds side by side give their instances the same loopback addresses.
        let ssh_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let quoted = format!("\"{SSH_PORT}\"");
        let mut inventory = Inventory::from_json(&inventory.replace(&quoted, &ssh_port.to_string())).unwrap();
        inventory.account.access_keys.insert(KEY.to_owned(), SECRET.to_owned());
        let mut options = CloudOptions {
            speed: SPEED,
            addresses: AddressMode::Loopback { port: ssh_port },
            inventory: Some(inventory),
            ..CloudOptions::new(helper)
        };
        change(&mut options);
        let runtime = Runtime::new().unwrap();
        let cloud = runtime.block_on(Cloud::start(options)).unwrap();
        TestCloud { runtime, cloud: Some(cloud), ssh_port }
    }

    fn cloud(&self) -> &Cloud {
        self.cloud.as_ref().unwrap()
    }

    /// Returns where its API listens.
    pub fn endpoint(&self) -> String {
        self.cloud().endpoint()
    }

    /// Returns where the machine that runs the build asks for its role's keys.
    pub fn metadata_endpoint(&self) -> String {
        self.cloud().metadata_endpoint()
    }

    /// Returns a world in which the program works in this cloud.
    pub fn world(&self) -> World {
        let endpoint = self.endpoint();
        let world = World::new().env("ALICLOUD_ACCESS_KEY", KEY).env("ALICLOUD_SECRET_KEY", SECRET);
        ["ECS", "VPC", "STS", "RAM"]
            .iter()
            .fold(world, |world, product| world.env(&format!("ALICLOUD_{product}_ENDPOINT"), &endpoint))
    }

    /// Returns a world with a template.
    pub fn world_with(&self, template: &str) -> World {
        self.world().file("t.json", &template.replace(SSH_PORT, &self.ssh_port.to_string()))
    }

    pub fn calls(&self) -> Vec<CallRecord> {
        self.cloud().calls()
    }

    /// Returns the names of the actions called so far, in order, repetitions of looks left out.
    pub fn actions(&self) -> Vec<String> {
        let mut actions: Vec<String> = Vec::new();
        for call in self.calls() {
            if !(call.action.starts_with("Describe") && actions.contains(&call.action)) {
                actions.push(call.action);
            }
        }
        actions
    }

    pub fn add_fault(&self, rule: FaultRule) {
        self.cloud().add_fault(rule);
    }

    pub fn inventory(&self) -> InventorySnapshot {
        // Looking lets what is due happen, which may start or end machines.
        let _runtime = self.runtime.enter();
        self.cloud().inventory()
    }

    /// Fails unless nothing but images is left.
    #[track_caller]
    pub fn assert_only_images(&self, said: &str) {
        let left = self.inventory().leftovers();
        assert!(left.is_empty(), "left behind: {left:?}\n{said}");
    }

    /// Fails unless nothing at all is left.
    #[track_caller]
    pub fn assert_empty(&self, said: &str) {
        self.assert_only_images(said);
        let inventory = self.inventory();
        assert!(inventory.images.is_empty() && inventory.snapshots.is_empty(), "{inventory:?}\n{said}");
    }
}

impl Drop for TestCloud {
    fn drop(&mut self) {
        if let Some(cloud) = self.cloud.take() {
            self.runtime.block_on(cloud.shutdown());
        }
    }
}

/// Returns a template that uses every step of the plain build; `fields` are further lines of the builder.
pub fn template(fields: &str, provisioners: &str) -> String {
    format!(
        r#"{{
  "builders": [{{
    "type": "alicloud-ecs",
    "region": "cn-beijing",
    "image_name": "kiln-test",
    "source_image": "centos_7_03_64_20G_alibase_20170818.vhd",
    "instance_type": "ecs.t5-lc1m1.small",
    "ssh_username": "root",
    "ssh_port": "{SSH_PORT}",
    "ssh_timeout": "60s",
    "tags": {{"app": "web"}}{comma}{fields}
  }}],
  "provisioners": [{provisioners}]
}}"#,
        comma = if fields.is_empty() { "" } else { ",\n    " },
    )
}

/// Returns a shell provisioner.
pub fn shell(command: &str) -> String {
    format!(r#"{{"type": "shell", "inline": [{command:?}]}}"#)
}

/// Returns the seeds' template of this name, unmodified.
pub fn seed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../kiln-template/tests/seeds")
        .join(format!("{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
