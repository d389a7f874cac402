//! The calls of a build, from an empty account to an image and back.

use serde_json::{Value, json};

use super::world::World;

const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fn beijing<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("RegionId", "cn-beijing")], more].concat()
}

#[tokio::test]
async fn a_build_makes_an_image_and_its_resources_go_in_the_order_of_their_dependencies() {
    let world = World::new().await;
    let (vpc, vswitch, group) = world.network().await;
    world.ok("ImportKeyPair", &beijing(&[("KeyPairName", "packer_1"), ("PublicKeyBody", PUBLIC_KEY)])).await;
    let rule = [
        ("SecurityGroupId", group.as_str()),
        ("Permissions.1.IpProtocol", "tcp"),
        ("Permissions.1.PortRange", "22/22"),
        ("Permissions.1.SourceCidrIp", "0.0.0.0/0"),
    ];
    world.ok("AuthorizeSecurityGroup", &beijing(&rule)).await;
    let eip = world.ok("AllocateEipAddress", &beijing(&[("Tag.1.Key", "run"), ("Tag.1.Value", "7")])).await;
    let address = eip["EipAddress"].as_str().unwrap().to_owned();
    let eip = eip["AllocationId"].as_str().unwrap().to_owned();
    world.pass(1).await;
    let more = [("KeyPairName", "packer_1"), ("Tag.1.Key", "run"), ("Tag.1.Value", "7")];
    let id = world.instance(&vswitch, &group, &more).await;

    let entry = world.describe(&id).await;
    assert_eq!(entry["Status"], "Pending");
    assert_eq!(entry["Tags"]["Tag"], json!([{"TagKey": "run", "TagValue": "7"}]));
    let bind = [("AllocationId", eip.as_str()), ("InstanceId", id.as_str()), ("InstanceType", "EcsInstance")];
    assert_eq!(world.refused("AssociateEipAddress", &bind).await, "IncorrectInstanceStatus");
    assert_eq!(
        world.refused("StopInstance", &[("InstanceId", &id)]).await,
        "IncorrectInstanceStatus.Initializing"
    );
    world.pass(4).await;
    assert_eq!(world.describe(&id).await["Status"], "Starting");
    world.pass(16).await;
    assert_eq!(world.describe(&id).await["Status"], "Running");
    assert_eq!(world.cloud.dial(&address, 22), None, "the address is not bound yet");

    world.ok("AssociateEipAddress", &bind).await;
    world.pass(8).await;
    world.asked("boot on 0 layers with 1 keys").await;
    world.pass(0).await;
    assert!(world.cloud.dial(&address, 22).is_some());
    assert_eq!(world.cloud.dial(&address, 23), None);
    let private = world.describe(&id).await["VpcAttributes"]["PrivateIpAddress"]["IpAddress"][0].clone();
    assert_eq!(world.cloud.dial(private.as_str().unwrap(), 22), world.cloud.dial(&address, 22));

    world.ok("StopInstance", &[("InstanceId", &id)]).await;
    assert_eq!(world.cloud.dial(&address, 22), None);
    world.pass(10).await;
    assert_eq!(world.describe(&id).await["Status"], "Stopped");
    let tags = [
        ("InstanceId", id.as_str()),
        ("ImageName", "packer_basic"),
        ("Tag.1.Key", "app"),
        ("Tag.1.Value", "web"),
    ];
    let image = world.ok("CreateImage", &beijing(&tags)).await["ImageId"].as_str().unwrap().to_owned();
    let same = [("InstanceId", id.as_str()), ("ImageName", "packer_basic")];
    assert_eq!(world.refused("CreateImage", &beijing(&same)).await, "InvalidImageName.Duplicated");
    world.asked("capture").await;
    assert_eq!(image_entry(&world, &image).await, Value::Null, "only what is available is listed unasked");
    world.pass(30).await;
    let any = beijing(&[("ImageId", &image), ("Status", "Creating,Waiting,Available,CreateFailed")]);
    let entry = world.ok("DescribeImages", &any).await["Images"]["Image"][0].clone();
    assert_eq!((&entry["Status"], &entry["Progress"]), (&json!("Creating"), &json!("50%")));
    world.pass(30).await;
    let entry = image_entry(&world, &image).await;
    assert_eq!(entry["Status"], "Available");
    assert_eq!(entry["Tags"]["Tag"], json!([{"TagKey": "app", "TagValue": "web"}]));
    let snapshot =
        entry["DiskDeviceMappings"]["DiskDeviceMapping"][0]["SnapshotId"].as_str().unwrap().to_owned();

    assert_eq!(world.refused("DeleteVpc", &[("VpcId", &vpc)]).await, "DependencyViolation.VSwitch");
    assert_eq!(world.refused("DeleteVSwitch", &[("VSwitchId", &vswitch)]).await, "DependencyViolation");
    let of_group = beijing(&[("SecurityGroupId", &group)]);
    assert_eq!(world.refused("DeleteSecurityGroup", &of_group).await, "DependencyViolation");
    assert_eq!(world.refused("ReleaseEipAddress", &[("AllocationId", &eip)]).await, "IncorrectEipStatus");
    let pairs = beijing(&[("KeyPairNames", "[\"packer_1\"]")]);
    let bound = world.refused("DeleteKeyPairs", &pairs).await;
    assert_eq!(bound, "InvalidParameter.KeypairAlreadyAttachedInstance");

    world.ok("UnassociateEipAddress", &bind).await;
    world.pass(2).await;
    world.ok("ReleaseEipAddress", &[("AllocationId", &eip)]).await;
    world.ok("DeleteInstance", &[("InstanceId", &id), ("Force", "true")]).await;
    world.asked("destroy").await;
    assert_eq!(world.refused("DeleteSecurityGroup", &of_group).await, "DependencyViolation");
    world.pass(5).await;
    assert_eq!(world.describe(&id).await, Value::Null);
    world.ok("DeleteSecurityGroup", &of_group).await;
    world.ok("DeleteVSwitch", &[("VSwitchId", &vswitch)]).await;
    assert_eq!(world.refused("DeleteVpc", &[("VpcId", &vpc)]).await, "DependencyViolation.VSwitch");
    world.pass(1).await;
    world.ok("DeleteVpc", &[("VpcId", &vpc)]).await;
    world.ok("DeleteKeyPairs", &pairs).await;
    let inventory = world.cloud.inventory();
    assert_eq!(inventory.leftovers(), Vec::<String>::new());
    assert_eq!(inventory.images.len(), 1);

    assert_eq!(world.refused("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await, "SnapshotCreatedImage");
    world.ok("DeleteImage", &beijing(&[("ImageId", &image)])).await;
    assert_eq!(world.cloud.inventory().leftovers(), [format!("snapshot {snapshot}")]);
    world.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    assert!(world.cloud.inventory().is_empty());
    world.cloud.shutdown().await;
}

async fn image_entry(world: &World, image: &str) -> Value {
    let answer = world.ok("DescribeImages", &beijing(&[("ImageId", image)])).await;
    answer["Images"]["Image"][0].clone()
}

#[tokio::test]
async fn an_image_waits_for_its_files_and_the_next_instance_stands_on_them() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[]).await;
    world.pass(28).await;
    world.asked("boot on 0 layers with 0 keys").await;
    let image = world.ok("CreateImage", &beijing(&[("InstanceId", &id), ("ImageName", "first")])).await;
    let image = image["ImageId"].as_str().unwrap();
    world.asked("capture").await;
    world.pass(60).await;
    let second = world.instance(&vswitch, &group, &[("ImageId", image)]).await;
    world.pass(28).await;
    world.asked("boot on 1 layers with 0 keys").await;
    let console = world.ok("GetInstanceConsoleOutput", &beijing(&[("InstanceId", &second)])).await;
    assert!(!console["ConsoleOutput"].as_str().unwrap().is_empty());
    let in_use = world.refused("DeleteImage", &beijing(&[("ImageId", image)])).await;
    assert_eq!(in_use, "ImageUsingByInstance");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn the_older_way_leaves_an_instance_stopped_until_it_is_started() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let params = beijing(&[
        ("ImageId", "ubuntu_18_04_x64_20G_alibase_20210128.vhd"),
        ("InstanceType", "ecs.t5-c1m2.large"),
        ("VSwitchId", &vswitch),
        ("SecurityGroupId", &group),
    ]);
    let id = world.ok("CreateInstance", &params).await["InstanceId"].as_str().unwrap().to_owned();
    world.pass(4).await;
    assert_eq!(world.describe(&id).await["Status"], "Stopped");
    let pair = world.ok("CreateKeyPair", &beijing(&[("KeyPairName", "packer_2")])).await;
    assert!(pair["PrivateKeyBody"].as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    let ids = format!("[\"{id}\"]");
    let bound =
        world.ok("AttachKeyPair", &beijing(&[("KeyPairName", "packer_2"), ("InstanceIds", &ids)])).await;
    assert_eq!(bound["FailCount"], 0);
    world.ok("StartInstance", &[("InstanceId", &id)]).await;
    assert_eq!(world.refused("StartInstance", &[("InstanceId", &id)]).await, "IncorrectInstanceStatus");
    world.pass(24).await;
    world.asked("boot on 0 layers with 1 keys").await;
    assert_eq!(world.describe(&id).await["Status"], "Running");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn an_instance_is_released_at_its_time() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[("AutoReleaseTime", "2026-01-02T04:04:00Z")]).await;
    world.pass(30 * 60).await;
    let later = [("InstanceId", id.as_str()), ("AutoReleaseTime", "2026-01-02T05:04:00Z")];
    world.ok("ModifyInstanceAutoReleaseTime", &later).await;
    world.pass(60 * 60).await;
    assert_eq!(world.describe(&id).await["Status"], "Running");
    world.pass(30 * 60).await;
    world.pass(5).await;
    assert_eq!(world.describe(&id).await, Value::Null);
    assert!(world.cloud.inventory().disks.is_empty());
    let past = [("AutoReleaseTime", "2026-01-02T03:10:00Z")];
    let params = [
        ("RegionId", "cn-beijing"),
        ("ImageId", "ubuntu_18_04_x64_20G_alibase_20210128.vhd"),
        ("InstanceType", "ecs.g6.large"),
        ("VSwitchId", &vswitch),
        ("SecurityGroupId", &group),
    ];
    let refused = world.refused("RunInstances", &[&params[..], &past].concat()).await;
    assert_eq!(refused, "InvalidAutoReleaseTime.Malformed");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn what_is_kept_is_there_in_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let inventory_text = r#"{"vpcs": [{"id": "vpc-xxxx", "region": "cn-hangzhou"}]}"#;
    let world = World::with(inventory_text, Some(folder.path())).await;
    let key = world.cloud.credentials();
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[]).await;
    world.pass(28).await;
    world.asked("boot on 0 layers with 0 keys").await;
    let image = world.ok("CreateImage", &beijing(&[("InstanceId", &id), ("ImageName", "kept")])).await;
    let image = image["ImageId"].as_str().unwrap().to_owned();
    world.asked("capture").await;
    world.pass(60).await;
    let snapshot = world.cloud.inventory().snapshots[0].id.clone();
    let layer = folder.path().join("layers").join(&snapshot).join("captured");
    assert!(layer.exists());
    world.cloud.shutdown().await;

    // The clock of a test begins anew, so the image is as young as it was.
    let world = World::with(inventory_text, Some(folder.path())).await;
    assert_eq!(world.cloud.credentials(), key);
    assert_eq!(world.describe(&id).await["Status"], "Stopped");
    world.pass(200).await;
    assert_eq!(image_entry(&world, &image).await["Status"], "Available");
    let inventory = world.cloud.inventory();
    assert_eq!(inventory.vpcs.len(), 2);
    let stated = World::with(inventory_text, None).await;
    let new = inventory.leftovers_since(&stated.cloud.inventory());
    assert_eq!(new.iter().filter(|left| left.starts_with("vpc ")).count(), 1, "{new:?}");
    stated.cloud.shutdown().await;
    world.ok("DeleteImage", &beijing(&[("ImageId", &image)])).await;
    world.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    for _ in 0..500 {
        if !layer.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert!(!layer.exists(), "nothing needs the layer any more");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_snapshot_of_the_system_disk_becomes_an_image_without_data_disks() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[("DataDisk.1.Size", "40")]).await;
    world.pass(28).await;
    let disks = world.ok("DescribeDisks", &beijing(&[("InstanceId", &id)])).await;
    assert_eq!(disks["TotalCount"], 2);
    let system = world.ok("DescribeDisks", &beijing(&[("InstanceId", &id), ("DiskType", "system")])).await;
    let disk = system["Disks"]["Disk"][0]["DiskId"].as_str().unwrap().to_owned();
    let snapshot = world.ok("CreateSnapshot", &[("DiskId", &disk), ("RetentionDays", "1")]).await;
    let snapshot = snapshot["SnapshotId"].as_str().unwrap().to_owned();
    let params = beijing(&[("SnapshotId", &snapshot), ("ImageName", "system_only")]);
    assert_eq!(world.refused("CreateImage", &params).await, "IncorrectSnapshotStatus");
    world.asked("capture").await;
    world.pass(30).await;
    let image = world.ok("CreateImage", &params).await["ImageId"].as_str().unwrap().to_owned();
    world.pass(60).await;
    let mappings = image_entry(&world, &image).await["DiskDeviceMappings"]["DiskDeviceMapping"].clone();
    assert_eq!(mappings.as_array().unwrap().len(), 1);
    world.cloud.shutdown().await;
}
