//! Seeds about the disks of the instance and of the image.

use super::{Built, state};

#[test]
fn seed_001_ignored_data_disks_are_there_during_the_build_and_not_in_the_image() {
    let built = Built::of("001-ignore-data-disks");
    let run = built.the_call("RunInstances");
    assert_eq!(run["DataDisk.1.SnapshotId"], "s-bp1xxxxxx");
    assert_eq!(run["DataDisk.1.Device"], "dev/xvdb");
    // A temporary disk that stayed behind would be billed for ever.
    assert_eq!(run["DataDisk.1.DeleteWithInstance"], "true");
    let snapshot = built.the_call("CreateSnapshot");
    assert!(snapshot["DiskId"].is_string());
    let image = built.the_call("CreateImage");
    assert!(image["SnapshotId"].is_string() && image["InstanceId"].is_null(), "{image}");
    // The system disk alone; 40 GiB is the API's default.
    assert_eq!(disks_of_the_image(&built), [("/dev/xvda".to_owned(), 40)]);
    assert!(built.said.contains("==> alicloud-ecs: Creating snapshot from system disk d-"), "{}", built.said);
    let shows_expired = |call: &serde_json::Value| call["params"]["ShowExpired"] == "true";
    assert!(built.calls_of("DescribeImages").any(shows_expired));
    built.leaves_nothing_else();
}

#[test]
fn seed_001_system_and_data_disks_are_in_the_image() {
    let built = Built::of("001-system-and-data-disks");
    let run = built.the_call("RunInstances");
    for (name, value) in [
        ("SystemDisk.Category", "cloud_essd"),
        ("SystemDisk.Size", "20"),
        ("DataDisk.1.SnapshotId", "s-xxxxxxxxxxxxxxx"),
        ("DataDisk.1.Device", "dev/xvdb"),
        ("DataDisk.1.Category", "cloud_essd"),
        ("DataDisk.1.DeleteWithInstance", "true"),
    ] {
        assert_eq!(run[name], value, "{name}: {run}");
    }
    let disks = disks_of_the_image(&built);
    assert_eq!(disks, [("/dev/xvda".to_owned(), 20), ("dev/xvdb".to_owned(), 40)]);
    assert_eq!(built.inventory.snapshots_of_images.len(), 2);
    built.leaves_nothing_else();
    built.redis_is_inside();
}

/// Returns device and size in GiB of each.
fn disks_of_the_image(built: &Built) -> Vec<(String, u64)> {
    let state = state(&built.world);
    let disks = state["images"][&built.image().id]["disks"].as_array().unwrap().clone();
    disks
        .iter()
        .map(|disk| (disk["device"].as_str().unwrap().to_owned(), disk["size_gib"].as_u64().unwrap()))
        .collect()
}
