//! Images after they were made: copies, attributes, families, with whom they are shared.

use serde_json::{Value, json};

use super::world::World;
use crate::{FaultEffect, FaultRule};

/// An account with an image, and another one that it may be shared with.
const ACCOUNT: &str = r#"{
    "uid": "1000000000000001",
    "images": [{"id": "m-base", "region": "cn-beijing", "name": "base", "family": "fam", "tags": {"k": "v"}}],
    "accounts": [{"uid": "1000000000000002", "access_keys": {"other": "secret"}}]
}"#;

const BASE: [(&str, &str); 2] = [("RegionId", "cn-beijing"), ("ImageId", "m-base")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&BASE[..], more].concat()
}

async fn account() -> World {
    World::with(ACCOUNT, None).await
}

/// Returns the entry of an image of any status.
async fn entry(world: &World, region: &str, image: &str) -> Value {
    let params = [("RegionId", region), ("ImageId", image), ("Status", "ALL")];
    world.ok("DescribeImages", &params).await["Images"]["Image"][0].clone()
}

fn id(answer: &Value) -> String {
    answer["ImageId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_copy_is_made_in_the_other_region_and_takes_neither_family_nor_marks_along() {
    let world = account().await;
    let marks = [("Features.NvmeSupport", "supported"), ("BootMode", "UEFI")];
    world.ok("ModifyImageAttribute", &with(&marks)).await;
    let order = [
        ("DestinationRegionId", "cn-shanghai"),
        ("DestinationImageName", "copy"),
        ("Encrypted", "true"),
        ("KMSKeyId", "key-1"),
        ("Tag.1.Key", "app"),
        ("Tag.1.Value", "web"),
        ("ClientToken", "token-1"),
    ];
    let copy = id(&world.ok("CopyImage", &with(&order)).await);
    assert_eq!(id(&world.ok("CopyImage", &with(&order)).await), copy, "the token finds the first one");
    let made = entry(&world, "cn-shanghai", &copy).await;
    assert_eq!((&made["Status"], &made["Progress"]), (&json!("Creating"), &json!("0%")));
    let snapshot = made["DiskDeviceMappings"]["DiskDeviceMapping"][0]["SnapshotId"].as_str().unwrap();
    let ids = format!("[\"{snapshot}\"]");
    let there = [("RegionId", "cn-shanghai"), ("SnapshotIds", ids.as_str())];
    assert_eq!(
        world.ok("DescribeSnapshots", &there).await["Snapshots"]["Snapshot"][0]["Status"],
        "progressing"
    );
    // Neither end of the copy can be deleted now.
    assert_eq!(world.refused("DeleteImage", &BASE).await, "OperationDenied.ImageCopying");
    let of_copy = [("RegionId", "cn-shanghai"), ("ImageId", copy.as_str())];
    assert_eq!(world.refused("DeleteImage", &of_copy).await, "OperationDenied.ImageCopying");
    world.pass(45).await;
    assert_eq!(entry(&world, "cn-shanghai", &copy).await["Progress"], "50%");
    world.pass(45).await;
    let done = entry(&world, "cn-shanghai", &copy).await;
    assert_eq!(
        [&done["Status"], &done["IsCopied"], &done["ImageFamily"], &done["BootMode"], &done["ImageName"]],
        [&json!("Available"), &json!(true), &json!(""), &json!("BIOS"), &json!("copy")]
    );
    assert_eq!(done["Features"]["NvmeSupport"], "unsupported");
    assert_eq!(done["Tags"]["Tag"], json!([{"TagKey": "app", "TagValue": "web"}]));
    assert_eq!(done["DiskDeviceMappings"]["DiskDeviceMapping"][0]["Encrypted"], true);
    let snapshot = world.ok("DescribeSnapshots", &there).await["Snapshots"]["Snapshot"][0].clone();
    assert_eq!((&snapshot["Status"], &snapshot["KMSKeyId"]), (&json!("accomplished"), &json!("key-1")));
    assert_eq!(world.refused("CancelCopyImage", &of_copy).await, "IncorrectImageStatus");
    world.ok("DeleteImage", &BASE).await;
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn five_copies_are_made_at_a_time_and_the_sixth_waits_its_turn() {
    let images: Vec<String> = (0..7)
        .map(|n| format!(r#"{{"id": "m-{n}", "region": "cn-beijing", "name": "image-{n}"}}"#))
        .collect();
    let world = World::with(&format!(r#"{{"images": [{}]}}"#, images.join(",")), None).await;
    let mut copies = Vec::new();
    for n in 0..7 {
        let source = format!("m-{n}");
        let order =
            [("RegionId", "cn-beijing"), ("ImageId", &source), ("DestinationRegionId", "cn-hangzhou")];
        copies.push(id(&world.ok("CopyImage", &order).await));
        world.pass(1).await;
    }
    let statuses = async || {
        let mut seen = Vec::new();
        for copy in &copies {
            seen.push(entry(&world, "cn-hangzhou", copy).await["Status"].as_str().unwrap_or("-").to_owned());
        }
        seen.join(" ")
    };
    let five = "Creating Creating Creating Creating Creating";
    assert_eq!(statuses().await, format!("{five} Waiting Waiting"));
    // One that is cancelled makes room, and is gone with its snapshots.
    let cancelled = [("RegionId", "cn-hangzhou"), ("ImageId", copies[6].as_str())];
    world.ok("CancelCopyImage", &cancelled).await;
    assert_eq!(statuses().await, format!("{five} Waiting -"));
    world.pass(83).await;
    assert_eq!(statuses().await, "Available Creating Creating Creating Creating Creating -");
    world.pass(90).await;
    assert_eq!(statuses().await, "Available Available Available Available Available Available -");
    assert_eq!(world.cloud.inventory().leftovers(), Vec::<String>::new());
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn each_mistake_with_copies_has_its_code() {
    let world = account().await;
    let to = |region: &'static str| ("DestinationRegionId", region);
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[to("cn-atlantis")], "DestinationRegion.NotFound"),
        (&[to("cn-beijing")], "IncorrectDestinationRegion"),
        (&[to("cn-shanghai"), ("KMSKeyId", "k")], "InvalidParameter.EncryptedIllegal"),
        (&[to("cn-shanghai"), ("DestinationImageName", "acs:copy")], "InvalidImageName.Malformed"),
        (&[to("cn-shanghai"), ("DestinationDescription", "x")], "InvalidDescription.Malformed"),
        (
            &[to("cn-beijing"), ("Encrypted", "false"), ("DestinationImageName", "base")],
            "InvalidImageName.Duplicated",
        ),
    ];
    for (more, code) in cases {
        assert_eq!(world.refused("CopyImage", &with(more)).await, code, "{more:?}");
    }
    let same_region = [to("cn-beijing"), ("Encrypted", "true"), ("DestinationImageName", "encrypted")];
    let copy = id(&world.ok("CopyImage", &with(&same_region)).await);
    let again = [to("cn-beijing"), ("Encrypted", "true"), ("DestinationImageName", "other")];
    assert_eq!(world.refused("CopyImage", &with(&again)).await, "OperationDenied.ImageCopyConflict");
    let of_copy = [("RegionId", "cn-beijing"), ("ImageId", copy.as_str()), to("cn-shanghai")];
    assert_eq!(world.refused("CopyImage", &of_copy).await, "IncorrectImageStatus");
    world.pass(90).await;
    let plain = [&of_copy[..], &[("Encrypted", "false")]].concat();
    assert_eq!(world.refused("CopyImage", &plain).await, "OperationDeined.EncryptedSnapshot");
    // Encrypted with the service's own key, it cannot be given to others.
    let share = [("RegionId", "cn-beijing"), ("ImageId", &copy), ("AddAccount.1", "1000000000000002")];
    let refused = world.refused("ModifyImageSharePermission", &share).await;
    assert_eq!(refused, "InvalidOperation.ServiceKeyEncryptedImageUnsupported");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn copies_and_images_fail_on_demand() {
    let world = account().await;
    world.cloud.add_fault(FaultRule::new("CopyImage", FaultEffect::CreationFails));
    world
        .cloud
        .add_fault(FaultRule { nth: 2, ..FaultRule::new("CopyImage", FaultEffect::BecomesUnavailable) });
    world.cloud.add_fault(FaultRule { nth: 3, ..FaultRule::new("CopyImage", FaultEffect::Stuck) });
    for (region, status, snapshot_status) in [
        ("cn-shanghai", "CreateFailed", "failed"),
        ("cn-hangzhou", "UnAvailable", "accomplished"),
        ("cn-shenzhen", "Creating", "progressing"),
    ] {
        let copy = id(&world.ok("CopyImage", &with(&[("DestinationRegionId", region)])).await);
        world.pass(1000).await;
        assert_eq!(entry(&world, region, &copy).await["Status"], status);
        let snapshots = world.ok("DescribeSnapshots", &[("RegionId", region)]).await;
        assert_eq!(snapshots["Snapshots"]["Snapshot"][0]["Status"], snapshot_status);
    }
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn the_newest_image_of_a_family_is_found_until_it_is_deprecated() {
    let world = account().await;
    let newest = async |family: &str| {
        let params = [("RegionId", "cn-beijing"), ("ImageFamily", family)];
        let answer = world.ok("DescribeImageFromFamily", &params).await;
        answer["Image"]["ImageId"].as_str().map(str::to_owned)
    };
    assert_eq!(newest("fam").await.as_deref(), Some("m-base"));
    world.pass(1).await;
    let order = [
        ("DestinationRegionId", "cn-beijing"),
        ("DestinationImageName", "second"),
        ("Encrypted", "true"),
        ("KMSKeyId", "key-1"),
    ];
    let second = id(&world.ok("CopyImage", &with(&order)).await);
    world.pass(90).await;
    assert_eq!(newest("fam").await.as_deref(), Some("m-base"), "a copy is in no family");
    let change = async |more: &[(&str, &str)]| {
        let params = [&[("RegionId", "cn-beijing"), ("ImageId", second.as_str())], more].concat();
        world.client.call("ModifyImageAttribute", &params).await.unwrap().1["Code"]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(change(&[("ImageFamily", "fam"), ("Description", "the second")]).await, None);
    assert_eq!(newest("fam").await.as_deref(), Some(second.as_str()));
    assert_eq!(newest("acs:1000000000000001:fam").await.as_deref(), Some(second.as_str()));
    assert_eq!(newest("acs:1000000000000002:fam").await, None);
    assert_eq!(change(&[("Status", "Deprecated")]).await, None);
    assert_eq!(newest("fam").await.as_deref(), Some("m-base"));
    assert_eq!(entry(&world, "cn-beijing", &second).await["Status"], "Deprecated");
    let share = [("RegionId", "cn-beijing"), ("ImageId", &second), ("AddAccount.1", "1000000000000002")];
    let refused = world.refused("ModifyImageSharePermission", &share).await;
    assert_eq!(refused, "OperationDenied.InvalidImageStatus");
    // It can still be launched by its id.
    let (_, vswitch, group) = world.network().await;
    world.instance(&vswitch, &group, &[("ImageId", &second)]).await;
    assert_eq!(change(&[("Status", "Available")]).await, None);
    assert_eq!(newest("fam").await.as_deref(), Some(second.as_str()));

    let refused: [(&[(&str, &str)], &str); 5] = [
        (&[("ImageName", "base")], "InvalidImageName.Duplicated"),
        (&[("ImageFamily", "acs:x")], "InvalidImageFamily.Malformed"),
        (&[("BootMode", "CSM")], "InvalidParameter.BootMode"),
        (&[("Features.ImdsSupport", "v1")], "InvalidParameter.Features.ImdsSupport"),
        (&[("Status", "UnAvailable")], "InvalidParameter.Status"),
    ];
    for (more, code) in refused {
        assert_eq!(change(more).await.as_deref(), Some(code), "{more:?}");
    }
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn an_image_is_shared_with_ten_accounts_a_request_and_fifty_in_all() {
    let world = account().await;
    let share = async |from: usize, count: usize| {
        let pairs: Vec<(String, String)> = (0..count)
            .map(|at| (format!("AddAccount.{}", at + 1), format!("20000000000{:05}", from + at)))
            .collect();
        let more: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = world.client.call("ModifyImageSharePermission", &with(&more)).await.unwrap().1;
        answer["Code"].as_str().map(str::to_owned)
    };
    assert_eq!(share(0, 12).await, None);
    let page = async |number: &str| {
        let params = with(&[("PageNumber", number), ("PageSize", "8")]);
        world.ok("DescribeImageSharePermission", &params).await
    };
    let first = page("1").await;
    assert_eq!(first["TotalCount"], 10, "of twelve the first ten were taken");
    assert_eq!(page("2").await["Accounts"]["Account"].as_array().unwrap().len(), 2);
    for ten in 1..5 {
        assert_eq!(share(ten * 10, 10).await, None);
    }
    assert_eq!(share(50, 1).await.as_deref(), Some("QuotaExceed.ShareImageUser"));
    // A copy that is being made can be shared with nobody, but asking for nothing is no mistake.
    let copy = id(&world.ok("CopyImage", &with(&[("DestinationRegionId", "cn-shanghai")])).await);
    let nobody = [("RegionId", "cn-shanghai"), ("ImageId", copy.as_str())];
    world.ok("ModifyImageSharePermission", &nobody).await;
    let somebody = [&nobody[..], &[("AddAccount.1", "1000000000000002")]].concat();
    assert_eq!(world.refused("ModifyImageSharePermission", &somebody).await, "IncorrectImageStatus");
    world.pass(90).await;
    let not_an_account = with(&[("AddAccount.1", "someone")]);
    assert_eq!(world.refused("ModifyImageSharePermission", &not_an_account).await, "InvalidAccount.NotFound");
    let oneself = with(&[("AddAccount.1", "1000000000000001")]);
    assert_eq!(world.refused("ModifyImageSharePermission", &oneself).await, "InvalidAccount.Forbbiden");

    // Shared, it can be neither deprecated nor simply deleted.
    let deprecate = with(&[("Status", "Deprecated")]);
    assert_eq!(world.refused("ModifyImageAttribute", &deprecate).await, "ImageUseShared");
    assert_eq!(world.refused("DeleteImage", &BASE).await, "ImageUseShared");
    world.ok("DeleteImage", &with(&[("Force", "true")])).await;
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn what_is_shared_can_be_used_and_copied_within_its_region_and_a_community_image_by_everybody() {
    let world = account().await;
    let endpoint = &world.client.endpoint;
    let other = super::world::Client::new(endpoint, ("other".to_owned(), "secret".to_owned()));
    let listed = async |more: &[(&str, &str)]| {
        let params = [&[("RegionId", "cn-beijing"), ("ImageOwnerAlias", "others")], more].concat();
        other.call("DescribeImages", &params).await.unwrap().1["TotalCount"].clone()
    };
    assert_eq!(listed(&[]).await, 0);
    world.ok("ModifyImageSharePermission", &with(&[("AddAccount.1", "1000000000000002")])).await;
    assert_eq!(listed(&[]).await, 1);
    let far = with(&[("DestinationRegionId", "cn-shanghai")]);
    let (_, answer) = other.call("CopyImage", &far).await.unwrap();
    assert_eq!(answer["Code"], "OperationDenied.SameRegionOnly");
    let near = with(&[("DestinationRegionId", "cn-beijing"), ("DestinationImageName", "mine")]);
    let (status, answer) = other.call("CopyImage", &near).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    world.ok("ModifyImageSharePermission", &with(&[("RemoveAccount.1", "1000000000000002")])).await;
    assert_eq!(listed(&[]).await, 0);

    let both = with(&[("IsPublic", "true"), ("AddAccount.1", "1000000000000002")]);
    assert_eq!(world.refused("ModifyImageSharePermission", &both).await, "InvalidParameter.IsPublic");
    world.ok("ModifyImageSharePermission", &with(&[("IsPublic", "true")])).await;
    assert_eq!((listed(&[]).await, listed(&[("IsPublic", "true")]).await), (json!(0), json!(1)));
    assert_eq!(world.refused("CopyImage", &far).await, "OperationDenied.CommunityImage");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn an_image_of_snapshots_has_the_disks_that_the_mappings_name() {
    let inventory = r#"{"snapshots": [{"id": "s-data", "region": "cn-beijing", "size_gib": 60}]}"#;
    let world = World::with(inventory, None).await;
    let (_, vswitch, group) = world.network().await;
    let instance = world.instance(&vswitch, &group, &[]).await;
    world.pass(28).await;
    world.asked("boot on 0 layers with 0 keys").await;
    let here = ("RegionId", "cn-beijing");
    let disks = world.ok("DescribeDisks", &[here, ("InstanceId", &instance)]).await;
    let disk = disks["Disks"]["Disk"][0]["DiskId"].as_str().unwrap();
    let snapshot = world.ok("CreateSnapshot", &[("DiskId", disk)]).await;
    let system = snapshot["SnapshotId"].as_str().unwrap();
    world.asked("capture").await;
    world.pass(30).await;
    let mapped = [
        here,
        ("ImageName", "mapped"),
        ("DiskDeviceMapping.1.SnapshotId", system),
        ("DiskDeviceMapping.2.SnapshotId", "s-data"),
        ("DiskDeviceMapping.2.Size", "100"),
        ("DiskDeviceMapping.3.DiskType", "data"),
        ("DiskDeviceMapping.3.Size", "30"),
        // Of what is named the mappings count.
        ("SnapshotId", "s-none"),
        ("Features.ImdsSupport", "v2"),
        ("DetectionStrategy", "Standard"),
        ("Architecture", "x86_64"),
    ];
    let image = id(&world.ok("CreateImage", &mapped).await);
    world.pass(60).await;
    let made = entry(&world, "cn-beijing", &image).await;
    let list = made["DiskDeviceMappings"]["DiskDeviceMapping"].as_array().unwrap();
    let shapes: Vec<String> = list
        .iter()
        .map(|disk| {
            let text = |name: &str| disk[name].as_str().unwrap().to_owned();
            format!("{} {} {} {}", text("Type"), text("Device"), text("Size"), text("SnapshotId"))
        })
        .collect();
    assert_eq!(
        shapes,
        [
            format!("system /dev/xvda 40 {system}"),
            "data /dev/xvdb 100 s-data".into(),
            "data /dev/xvdc 30 ".into()
        ]
    );
    assert_eq!(made["Features"]["ImdsSupport"], "v2");
    assert_eq!(made["DetectionOptions"]["Status"], "Finished");
    assert_eq!(made["OSName"], "CentOS  7.3 64 bit");
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("DiskDeviceMapping.1.SnapshotId", "s-data")], "OperationDenied"),
        (
            &[("DiskDeviceMapping.1.SnapshotId", system), ("DiskDeviceMapping.2.SnapshotId", system)],
            "InvalidDevice.InUse",
        ),
        (
            &[("DiskDeviceMapping.1.SnapshotId", system), ("DiskDeviceMapping.1.Size", "5")],
            "InvalidSize.ValueNotSupported",
        ),
        (&[("DiskDeviceMapping.1.DiskType", "floppy")], "InvalidDiskType.ValueNotSupported"),
    ];
    for (more, code) in cases {
        assert_eq!(world.refused("CreateImage", &[&[here], more].concat()).await, code, "{more:?}");
    }
    world.cloud.shutdown().await;
}
