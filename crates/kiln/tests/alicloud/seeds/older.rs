//! The seed of the older builder `aliyun`, and what its document promises besides.

use super::{Built, OWNED, state};
use crate::alicloud::fixture::{KEY, SECRET, TestCloud, seed, shell};
use crate::support::{Output, World};

/// A cloud that owns the network the builder needs, and another builder's template for it.
const NETWORK: &str = r#"{
    "vpcs": [{"id": "vpc-own", "region": "cn-shanghai"}],
    "vswitches": [
        {"id": "vsw-sold-out", "vpc": "vpc-own", "zone": "cn-shanghai-b", "cidr": "172.16.1.0/24"},
        {"id": "vsw-own", "vpc": "vpc-own", "zone": "cn-shanghai-g", "cidr": "172.16.2.0/24"}
    ],
    "security_groups": [{"id": "sg-own", "vpc": "vpc-own", "open_ports": ["[SSH-PORT]"]}],
    "sold_out": [{"zone": "cn-shanghai-b"}]
}"#;

/// Returns a template that names next to nothing.
fn template(fields: &str, provisioners: &str) -> String {
    format!(
        r#"{{"builders": [{{
            "type": "aliyun", "region_id": "cn-shanghai", "instance_type": "ecs.s2.large",
            "base_image_id": "ubuntu1404_64_40G_cloudinit_20160427.raw", "ssh_port": "[SSH-PORT]"{fields}
        }}], "provisioners": [{provisioners}]}}"#
    )
}

/// The world of a served cloud, with the older builder's variables.
fn served(cloud: &TestCloud, template: &str) -> World {
    let world = cloud.world_with(template).env("ALIYUN_ACCESS_KEY_ID", KEY);
    let world = world.env("ALIYUN_ACCESS_KEY_SECRET", SECRET).env("ALIYUN_SECURITY_GROUP_ID", "sg-own");
    // The newer builder's are no concern of this one.
    world.env("ALICLOUD_ACCESS_KEY", "").env("ALICLOUD_SECRET_KEY", "")
}

fn said(output: &Output) -> String {
    format!("{}\n{}", output.stdout, output.stderr)
}

#[test]
fn seed_004_builds_in_the_security_groups_network() {
    let built = Built::in_world(World::with("t.json", &seed("004-aliyun-builder")), &[]);
    built.never_calls(&["CreateVpc", "CreateVSwitch", "CreateSecurityGroup", "ImportKeyPair"]);
    built.never_calls(&["AllocateEipAddress"]);
    let run = built.the_call("RunInstances");
    assert_eq!(run["SecurityGroupId"], "sg-uf6xxxx");
    assert_eq!(run["VSwitchId"], "vsw-uf6xxxx");
    assert!(run["InternetMaxBandwidthOut"].is_null() && run["KeyPairName"].is_null());
    assert!(run["InstanceName"].as_str().unwrap().starts_with("packer-aliyun-"), "{run}");
    // One that nobody knows, and nobody is told.
    assert_eq!(run["Password"], "<hidden>", "{run}");
    let image = built.the_call("CreateImage");
    assert!(image["SnapshotId"].is_string() && image["InstanceId"].is_null(), "{image}");
    assert!(image["Description"].as_str().unwrap().starts_with("ubuntu image created by packer at 1"));
    let (id, name) = (built.image().id.clone(), built.image().name.clone());
    assert!(name.starts_with("packer-ubuntu-1"), "{name}");
    assert_eq!((built.image().region.as_str(), built.image().status.as_str()), ("cn-shanghai", "Available"));
    let ending =
        format!("--> aliyun: A disk image was created: '{name}' (ID: {id}) in region 'cn-shanghai'\n");
    assert!(built.said.ends_with(&ending), "{}", built.said);
    // The snapshot is the image's, and stays with it.
    built.leaves_nothing_else();
    assert_eq!(state(&built.world)["images"][&id]["disks"].as_array().unwrap().len(), 1);
}

#[test]
fn seed_004_speaks_as_the_original_did() {
    let built = Built::in_world(World::with("t.json", &seed("004-aliyun-builder")), &[]);
    let lines = [
        "Creating instance...\n",
        "Instance has been created!\n",
        "Starting the instance...\n",
        "Waiting for instance to become running status...\n",
        "Instance has been started!\n",
        "Getting instance info...\n",
        "Inner IP : 172.16.",
        "Getting disk info...\n",
        "Using SSH communicator to connect: 172.16.",
        "Waiting for SSH to become available...\n",
        "Connected to SSH!\n",
        "Provisioning with shell script: ",
        "ubuntu\n",
        "Stop instance...\n",
        "Instance has been stopped!\n",
        "Creating disk snapshot...\n",
        "Snapshot has been created!\n",
        "Image has been created!\n",
        "Delete instance...\n",
        "Instance has been deleted!\n",
    ];
    built.says_in_order("aliyun", &lines);
    // And nothing besides.
    let told = built.said.lines().filter(|line| line.starts_with("==> aliyun: ")).count();
    assert_eq!(told, lines.len(), "{}", built.said);
}

#[test]
fn the_oldest_names_of_all_are_enough() {
    let cloud = TestCloud::with(NETWORK);
    let world = served(&cloud, &template("", &shell("id -un")));
    let said = world.kiln(&["build", "-color=false", "t.json"]).expect(0);
    assert!(said.contains("==> aliyun: root\n"), "{said}");
    let inventory = cloud.inventory();
    assert!(inventory.images[0].name.starts_with("packer-1"), "{inventory:?}");
    let calls = cloud.calls();
    let call = |action: &str| &calls.iter().find(|call| call.action == action).unwrap().params;
    assert_eq!(call("CreateImage")["Description"], "Created by Packer for Aliyun");
    // The zone that has the type in stock.
    assert_eq!(call("RunInstances")["VSwitchId"], "vsw-own");
    let left = ["vpc vpc-own", "vswitch vsw-own", "vswitch vsw-sold-out", "security group sg-own"];
    assert_eq!(inventory.leftovers(), left);
    assert_eq!(world.kiln(&["gc"]).expect(0), "Nothing is left behind.\n");
}

#[test]
fn a_public_address_and_a_vswitch_may_be_asked_for() {
    let cloud =
        TestCloud::with(&NETWORK.replace(r#""sold_out": [{"zone": "cn-shanghai-b"}]"#, r#""sold_out": []"#));
    let fields =
        r#", "vswitch_id": "vsw-own", "associate_public_ip_address": true, "ssh_password": "Own-Pass-1""#;
    let output = served(&cloud, &template(fields, "")).kiln(&["build", "-color=false", "t.json"]);
    assert!(!said(&output).contains("Own-Pass-1"));
    let _ = output.expect(0);
    let calls = cloud.calls();
    let run = &calls.iter().find(|call| call.action == "RunInstances").unwrap().params;
    assert_eq!((run["VSwitchId"].as_str(), run["InternetMaxBandwidthOut"].as_str()), ("vsw-own", "5"));
}

#[test]
fn everything_missing_is_told_at_once_in_the_originals_words() {
    let world = World::with("t.json", r#"{"builders": [{"type": "aliyun", "image_name": "{{env `A`}}"}]}"#);
    let output = world.kiln(&["validate", "t.json"]);
    let said = said(&output);
    assert_eq!(output.code, 1, "{said}");
    for part in [
        "access_key_id for auth must be specified",
        "access_key_secret for auth must be specified",
        "region_id is required",
        "base_image_id is required",
        "instance_type is required",
        "security_group_id is required",
        "Unable to parse image name: template: root:1:2: executing \"root\" at <env `A`>: error calling env: ",
        "ALIYUN_SECURITY_GROUP_ID",
    ] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
    // Not in the newer builder's.
    for part in ["alicloud_instance_type", "source_image", "ALICLOUD_ACCESS_KEY", "image_name must"] {
        assert!(!said.contains(part), "{said}");
    }
}

#[test]
fn a_failing_script_leaves_nothing() {
    let cloud = TestCloud::with(NETWORK);
    let world = served(&cloud, &template("", &shell("exit 3")));
    let output = world.kiln(&["build", "-color=false", "t.json"]);
    let told = said(&output);
    assert_eq!(output.code, 1, "{told}");
    assert!(
        told.contains("==> aliyun: Delete instance...\n==> aliyun: Instance has been deleted!\n"),
        "{told}"
    );
    assert!(told.contains("exit status: 3"), "{told}");
    let inventory = cloud.inventory();
    assert!(inventory.images.is_empty() && inventory.snapshots.is_empty() && inventory.instances.is_empty());
    assert_eq!(inventory.leftovers().len(), 4, "{told}");
}

#[test]
fn a_failing_image_takes_its_snapshot_along() {
    let faults = r#""faults": [{"action": "CreateImage", "times": 0, "effect": {"do": "refuse", "code": "OperationDenied"}}],"#;
    let cloud = TestCloud::with(&NETWORK.replacen('{', &format!("{{{faults}"), 1));
    let world = served(&cloud, &template("", ""));
    let told = said(&world.kiln(&["build", "-color=false", "t.json"]));
    let lines = ["==> aliyun: Delete snapshot...\n", "==> aliyun: Snapshot has been deleted!\n"];
    assert!(lines.iter().all(|line| told.contains(line)), "{told}");
    assert!(told.contains("Error creating image: "), "{told}");
    assert!(cloud.inventory().snapshots.is_empty(), "{told}");
}

#[test]
fn gc_signs_in_with_the_older_variables() {
    let cloud = TestCloud::with(NETWORK);
    let world = served(&cloud, &template("", &shell("true"))).env("KILN_CRASH_AFTER_RECORDS", "9");
    let output = world.kiln(&["build", "-color=false", "t.json"]);
    assert_eq!(output.code, -1, "{}", said(&output));
    let world = world.env("KILN_CRASH_AFTER_RECORDS", "");
    let told = world.kiln(&["gc"]).expect(0);
    let inventory = cloud.inventory();
    assert!(inventory.instances.is_empty(), "{told}");
    assert_eq!(inventory.leftovers().len(), 4, "{told}");
}

#[test]
fn a_network_without_stock_names_the_zones() {
    let only = NETWORK.replace(r#""zone": "cn-shanghai-g""#, r#""zone": "cn-shanghai-b""#);
    let cloud = TestCloud::with(&only);
    let output = served(&cloud, &template("", "")).kiln(&["build", "-color=false", "t.json"]);
    let told = said(&output);
    assert_eq!(output.code, 1, "{told}");
    let text = "VPC vpc-own of the security group has no vswitch where the instance type is in stock";
    assert!(told.contains(text) && told.contains("zones of its vswitches: cn-shanghai-b"), "{told}");
}

#[test]
fn another_endpoint_comes_from_the_older_variable() {
    let cloud = TestCloud::with(NETWORK);
    let world = served(&cloud, &template("", "")).env("ECS_ENDPOINT", "http://127.0.0.1:1");
    let told = said(&world.kiln(&["build", "-color=false", "t.json"]));
    assert!(told.contains("the cloud's endpoint cannot be reached"), "{told}");
    // `-local` never leaves this process.
    let world = World::with("t.json", &seed("004-aliyun-builder")).env("ECS_ENDPOINT", "http://127.0.0.1:1");
    let built = Built::in_world(world, &[]);
    assert_eq!(built.inventory.leftovers(), OWNED);
}
