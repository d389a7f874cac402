//! The builds whose every call is made to fail, each with the account it is built in. A row of data is a build more.

use serde_json::{Value, json};

/// Where builds build.
const REGION: &str = "cn-beijing";

/// One build.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    /// Fields of the builder besides those that every build has.
    fields: fn() -> Value,
    /// What the account owns beforehand, as `kiln cloud serve -with` reads it.
    owns: fn() -> Value,
    /// Shell lines that provision it.
    script: &'static [&'static str],
    /// How many images it makes, copies counted.
    pub images: usize,
}

/// Every build there is.
pub const ALL: [Scenario; 4] = [
    // Every temporary resource there is: network, key pair, address.
    Scenario {
        name: "plain",
        fields: || json!({}),
        owns: || json!({}),
        script: &["echo hello > /etc/hello"],
        images: 1,
    },
    // By way of a snapshot of the system disk.
    Scenario {
        name: "data-disks",
        fields: || {
            json!({
                "image_ignore_data_disks": true,
                "image_disk_mappings": [{"disk_size": 20}, {"disk_size": 30, "disk_name": "second"}],
            })
        },
        owns: || json!({}),
        script: &[],
        images: 1,
    },
    // An image and two copies of it, all of them encrypted; the family moves when all are there.
    Scenario {
        name: "encrypted-copies",
        fields: || {
            json!({
                "image_encrypted": true,
                "image_copy_regions": ["cn-hangzhou", "cn-shanghai"],
                "image_copy_names": ["copy-in-hangzhou-{{user `name`}}", "copy-in-shanghai-{{user `name`}}"],
                "target_image_family": "campaign",
            })
        },
        owns: || json!({}),
        script: &[],
        images: 3,
    },
    // Nothing temporary but key pair and instance: what is given must stay.
    Scenario {
        name: "given-network",
        fields: || {
            json!({
                "vpc_id": "vpc-own", "vswitch_id": "vsw-own", "security_group_id": "sg-own", "ssh_private_ip": true,
            })
        },
        owns: || {
            json!({
                "vpcs": [{"id": "vpc-own", "region": REGION}],
                "vswitches": [{"id": "vsw-own", "vpc": "vpc-own"}],
                "security_groups": [{"id": "sg-own", "vpc": "vpc-own", "open_ports": [22]}],
            })
        },
        script: &[],
        images: 1,
    },
];

/// The plain build, as the older packer understands it: it has to be asked for the address that everybody needs.
pub(super) const SCENARIO_OF_SAMPLE: Scenario = Scenario {
    name: "plain",
    fields: || json!({"associate_public_ip_address": true}),
    owns: || json!({}),
    script: &["sleep 600"],
    images: 1,
};

impl Scenario {
    /// Returns the template of the build that makes images called `name`, for a cloud whose instances listen on
    /// `ssh_port`.
    pub(super) fn template(&self, name: &str, ssh_port: u16) -> Value {
        let mut builder = json!({
            "type": "alicloud-ecs",
            "region": REGION,
            "image_name": "{{user `name`}}",
            "source_image": "centos_7_03_64_20G_alibase_20170818.vhd",
            "instance_type": "ecs.t5-lc1m1.small",
            "internet_charge_type": "PayByTraffic",
            "io_optimized": "true",
            "ssh_username": "root",
            "ssh_port": ssh_port,
            "ssh_timeout": "60s",
            "tags": {"app": "web"},
        });
        merge(&mut builder, (self.fields)());
        let provisioners: Vec<Value> = match self.script {
            [] => Vec::new(),
            lines => vec![json!({"type": "shell", "inline": lines})],
        };
        json!({ "variables": {"name": name}, "builders": [builder], "provisioners": provisioners })
    }

    /// Returns what the account owns, in a cloud whose instances listen on `ssh_port`.
    pub(super) fn owns(&self, ssh_port: u16) -> Value {
        let mut owns = (self.owns)();
        // A served cloud's instances answer on another port than 22.
        for group in owns.get_mut("security_groups").and_then(Value::as_array_mut).into_iter().flatten() {
            group["open_ports"] = json!([ssh_port]);
        }
        // One cloud sees many builds.
        owns["quotas"] = json!({"image": 100_000, "snapshot": 100_000});
        owns
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
