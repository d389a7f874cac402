//! What an instance is ordered with: disks, a zone with stock, the spot market; and its attributes afterwards.

use serde_json::{Value, json};

use super::world::World;
use crate::{FaultEffect, FaultRule};

const HERE: (&str, &str) = ("RegionId", "cn-beijing");

/// The parameters of an instance in a network, `more` taking the place of the usual ones.
fn order<'a>(vswitch: &'a str, group: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut params = vec![
        HERE,
        ("ImageId", "aliyun_3_x64_20G_alibase_20240819.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("VSwitchId", vswitch),
        ("SecurityGroupId", group),
    ];
    params.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    params.extend_from_slice(more);
    params
}

async fn disks(world: &World, more: &[(&str, &str)]) -> Vec<Value> {
    let answer = world.ok("DescribeDisks", &[&[HERE], more].concat()).await;
    answer["Disks"]["Disk"].as_array().unwrap().clone()
}

#[tokio::test]
async fn disks_are_as_ordered_and_one_that_does_not_go_with_its_instance_stays() {
    let inventory = r#"{"snapshots": [{"id": "s-data", "region": "cn-beijing", "size_gib": 60}]}"#;
    let world = World::with(inventory, None).await;
    let (_, vswitch, group) = world.network().await;
    let more = [
        ("SystemDisk.Category", "cloud_essd"),
        ("SystemDisk.PerformanceLevel", "PL0"),
        ("SystemDisk.Size", "50"),
        ("SystemDisk.DiskName", "system"),
        ("SystemDisk.Encrypted", "true"),
        ("SystemDisk.KMSKeyId", "key-1"),
        ("DataDisk.1.Size", "500"),
        ("DataDisk.1.Category", "cloud_essd"),
        ("DataDisk.1.PerformanceLevel", "PL2"),
        ("DataDisk.1.Description", "logs"),
        ("DataDisk.1.DeleteWithInstance", "false"),
        ("DataDisk.2.SnapshotId", "s-data"),
        ("DataDisk.2.Encrypted", "true"),
        ("Tag.1.Key", "run"),
        ("Tag.1.Value", "7"),
    ];
    let id = world.instance(&vswitch, &group, &more).await;
    let mut found = disks(&world, &[("InstanceId", &id)]).await;
    found.sort_by_key(|disk| disk["Device"].as_str().unwrap().to_owned());
    let shape = |disk: &Value| {
        let names =
            ["Device", "Category", "PerformanceLevel", "Size", "Encrypted", "KMSKeyId", "DeleteWithInstance"];
        names.map(|name| disk[name].to_string().replace('"', "")).join(" ")
    };
    assert_eq!(
        found.iter().map(shape).collect::<Vec<_>>(),
        [
            "/dev/xvda cloud_essd PL0 50 true key-1 true",
            "/dev/xvdb cloud_essd PL2 500 false  false",
            "/dev/xvdc cloud_auto  60 true  true",
        ]
    );
    assert_eq!((&found[0]["DiskName"], &found[1]["Description"]), (&json!("system"), &json!("logs")));
    assert_eq!(found[1]["Tags"]["Tag"], json!([{"TagKey": "run", "TagValue": "7"}]), "tags are on all of it");
    assert_eq!(disks(&world, &[("Encrypted", "true")]).await.len(), 2);
    let in_use = found[1]["DiskId"].as_str().unwrap().to_owned();
    assert_eq!(world.refused("DeleteDisk", &[("DiskId", &in_use)]).await, "IncorrectDiskStatus");
    world.pass(28).await;
    world.ok("DeleteInstance", &[("InstanceId", &id), ("Force", "true")]).await;
    world.pass(5).await;
    let left = disks(&world, &[]).await;
    assert_eq!((left.len(), &left[0]["Status"]), (1, &json!("Available")));
    assert!(world.cloud.inventory().leftovers().contains(&format!("disk {in_use}")));
    world.ok("DeleteDisk", &[("DiskId", &in_use)]).await;
    assert!(disks(&world, &[]).await.is_empty());
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn each_mistake_with_disks_and_spot_has_its_code() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let spot = ("SpotStrategy", "SpotWithPriceLimit");
    let cases: [(&[(&str, &str)], &str); 17] = [
        (&[("SystemDisk.KMSKeyId", "k")], "InvalidParameter.EncryptedIllegal"),
        (&[("SystemDisk.Size", "4096")], "InvalidDiskSize.NotSupported"),
        (&[("SystemDisk.PerformanceLevel", "PL1")], "InvalidParameter.SystemDisk.PerformanceLevel"),
        (&[("DataDisk.1.Size", "1"), ("DataDisk.1.Category", "cloud_ssd")], "InvalidDiskSize.NotSupported"),
        (
            &[
                ("DataDisk.1.Size", "100"),
                ("DataDisk.1.Category", "cloud_essd"),
                ("DataDisk.1.PerformanceLevel", "PL3"),
            ],
            "OperationDenied.PerformanceLevelNotMatch",
        ),
        (&[("DataDisk.1.Size", "20"), ("DataDisk.1.Device", "/dev/xvda")], "InvalidDevice.InUse"),
        (&[("SpotStrategy", "Cheap")], "InvalidSpotStrategy"),
        (&[spot], "MissingSpotPriceLimit"),
        (&[spot, ("SpotPriceLimit", "0.0001")], "InvalidSpotPriceLimit"),
        (&[spot, ("SpotPriceLimit", "0.001")], "InvalidSpotPriceLimit.LowerThanPublicPrice"),
        (&[spot, ("SpotPriceLimit", "9"), ("SpotDuration", "3")], "InvalidSpotDuration"),
        (
            &[spot, ("SpotPriceLimit", "9"), ("SpotInterruptionBehavior", "Sleep")],
            "InvalidParameter.SpotInterruptionBehavior",
        ),
        (&[spot, ("InstanceChargeType", "PrePaid")], "InvalidSpotPrepaid"),
        (&[("InstanceChargeType", "PrePaid")], "OperationDenied.PrepayNotAvailable"),
        (&[("HttpTokens", "never")], "InvalidParameter.HttpTokens"),
        (&[("DataDisk.1.Sise", "20")], "InvalidParameter.Unknown"),
        (&[("DryRun", "true")], "DryRunOperation"),
    ];
    for (more, code) in cases {
        assert_eq!(world.refused("RunInstances", &order(&vswitch, &group, more)).await, code, "{more:?}");
    }
    assert!(world.cloud.inventory().instances.is_empty());
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn stock_is_a_matter_of_zone_type_and_market() {
    let inventory = r#"{"sold_out": [
        {"zone": "cn-beijing-h", "instance_type": "ecs.g7.large", "spot": true},
        {"zone": "cn-beijing-a", "not_on_sale": true},
        {"zone": "cn-beijing-h", "instance_type": "ecs.g6.large"}
    ]}"#;
    let world = World::with(inventory, None).await;
    let stock = async |more: &[(&str, &str)], zone: &str| {
        let params = [&[HERE, ("DestinationResource", "InstanceType")], more].concat();
        let answer = world.ok("DescribeAvailableResource", &params).await;
        let zones = answer["AvailableZones"]["AvailableZone"].as_array().unwrap().clone();
        let zone = zones.into_iter().find(|entry| entry["ZoneId"] == zone).unwrap();
        let resource = &zone["AvailableResources"]["AvailableResource"][0];
        let first = &resource["SupportedResources"]["SupportedResource"][0];
        assert_eq!(zone["StatusCategory"], first["StatusCategory"]);
        first["StatusCategory"].as_str().unwrap().to_owned()
    };
    let g7 = ("InstanceType", "ecs.g7.large");
    let as_spot = ("SpotStrategy", "SpotAsPriceGo");
    assert_eq!(stock(&[g7], "cn-beijing-h").await, "WithStock");
    assert_eq!(stock(&[g7, as_spot], "cn-beijing-h").await, "WithoutStock");
    assert_eq!(stock(&[g7], "cn-beijing-a").await, "ClosedWithoutStock");
    assert_eq!(stock(&[("InstanceType", "ecs.g6.large")], "cn-beijing-h").await, "WithoutStock");
    let (vpc, vswitch, group) = world.network().await;
    let closed = [("CidrBlock", "172.16.1.0/24"), ("ZoneId", "cn-beijing-a"), ("VpcId", &vpc)];
    let closed = world.ok("CreateVSwitch", &closed).await["VSwitchId"].as_str().unwrap().to_owned();
    world.pass(2).await;
    let run = async |vswitch: &str, more: &[(&str, &str)]| {
        let (_, answer) = world.client.call("RunInstances", &order(vswitch, &group, more)).await.unwrap();
        answer["Code"].as_str().map(str::to_owned)
    };
    assert_eq!(run(&vswitch, &[as_spot]).await.as_deref(), Some("OperationDenied.NoStock"));
    assert_eq!(run(&closed, &[]).await.as_deref(), Some("Zone.NotOnSale"));
    assert_eq!(run(&vswitch, &[]).await, None);
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_spot_instance_is_told_that_it_is_taken_back_and_gone_five_minutes_later() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let spot = [("SpotStrategy", "SpotWithPriceLimit"), ("SpotPriceLimit", "1.5"), ("SpotDuration", "0")];
    let wait = FaultEffect::Interrupt { after_seconds: 600.0 };
    world.cloud.add_fault(FaultRule::new("RunInstances", wait));
    let id = world.instance(&vswitch, &group, &spot).await;
    let stops = [("SpotStrategy", "SpotAsPriceGo"), ("SpotInterruptionBehavior", "Stop")];
    let other = world.instance(&vswitch, &group, &stops).await;
    let usual = world.instance(&vswitch, &group, &[]).await;
    let entry = world.describe(&id).await;
    assert_eq!(
        [&entry["SpotStrategy"], &entry["SpotPriceLimit"], &entry["SpotDuration"]],
        [&json!("SpotWithPriceLimit"), &json!(1.5), &json!(0)]
    );
    world.pass(599).await;
    assert_eq!(world.describe(&id).await["OperationLocks"]["LockReason"], json!([]));
    world.pass(1).await;
    assert_eq!(
        world.describe(&id).await["OperationLocks"]["LockReason"],
        json!([{"LockReason": "Recycling"}])
    );
    assert!(world.cloud.interrupt(&other));
    assert!(!world.cloud.interrupt(&usual), "it is no spot instance");
    world.pass(299).await;
    assert_eq!(world.describe(&id).await["Status"], "Running");
    world.pass(6).await;
    world.pass(5).await;
    assert_eq!(world.describe(&id).await, Value::Null);
    assert_eq!(world.describe(&other).await["Status"], "Stopped");
    assert_eq!(world.describe(&usual).await["Status"], "Running");
    let url = format!("{}/_local/interrupt", world.client.endpoint);
    let none = json!({"instance": "i-none"});
    assert_eq!(world.client.http.post(url).json(&none).send().await.unwrap().status(), 404);
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn attributes_of_an_instance_can_be_changed() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[("HttpTokens", "required")]).await;
    world.pass(28).await;
    let of = ("InstanceId", id.as_str());
    let entry = world.describe(&id).await;
    assert_eq!(entry["MetadataOptions"]["HttpTokens"], "required");
    let change =
        [of, ("InstanceName", "named"), ("Description", "of a test"), ("DeletionProtection", "true")];
    world.ok("ModifyInstanceAttribute", &change).await;
    let metadata = [HERE, of, ("HttpEndpoint", "enabled"), ("HttpTokens", "optional")];
    world.ok("ModifyInstanceMetadataOptions", &metadata).await;
    let entry = world.describe(&id).await;
    assert_eq!(
        [&entry["InstanceName"], &entry["Description"], &entry["MetadataOptions"]["HttpTokens"]],
        [&json!("named"), &json!("of a test"), &json!("optional")]
    );
    let delete = [of, ("Force", "true")];
    assert_eq!(world.refused("DeleteInstance", &delete).await, "InvalidOperation.DeletionProtection");
    world.ok("ModifyInstanceAttribute", &[of, ("DeletionProtection", "false")]).await;
    let running = [of, ("UserData", "IyEvYmluL3No")];
    assert_eq!(world.refused("ModifyInstanceAttribute", &running).await, "IncorrectInstanceStatus");
    let group = [of, ("SecurityGroupIds.1", "sg-none")];
    assert_eq!(world.refused("ModifyInstanceAttribute", &group).await, "InvalidSecurityGroupId.NotFound");
    world.ok("RebootInstance", &[of]).await;
    world.pass(4).await;
    assert_eq!(world.describe(&id).await["Status"], "Starting");
    world.pass(16).await;
    assert_eq!(world.describe(&id).await["Status"], "Running");
    world.ok("DeleteInstance", &delete).await;
    world.cloud.shutdown().await;
}
