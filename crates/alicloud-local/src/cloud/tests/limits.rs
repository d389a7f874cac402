//! How much of everything there may be, and how often it may be asked for.

use super::world::World;
use crate::Inventory;

const HERE: (&str, &str) = ("RegionId", "cn-beijing");

#[tokio::test]
async fn quotas_are_counted_by_kind_and_region() {
    let quotas = r#"{"quotas": {
        "vpc": 1, "vswitch": 2, "eip": 1, "security_group": 1, "key_pair": 1, "image": 1, "snapshot": 1, "vcpu": 3
    }}"#;
    let world = World::with(quotas, None).await;
    let (vpc, vswitch, group) = world.network().await;
    assert_eq!(world.refused("CreateVpc", &[HERE]).await, "QuotaExceeded.Vpc");
    world.ok("CreateVpc", &[("RegionId", "cn-hangzhou")]).await;
    assert_eq!(
        world.refused("CreateSecurityGroup", &[HERE, ("VpcId", &vpc)]).await,
        "QuotaExceed.SecurityGroup"
    );
    // A block of eight addresses has four that can be given out: one of them is not the first, three not the last.
    let small = [("CidrBlock", "172.16.1.0/29"), ("ZoneId", "cn-beijing-h"), ("VpcId", &vpc)];
    let small = world.ok("CreateVSwitch", &small).await["VSwitchId"].as_str().unwrap().to_owned();
    let third = [("CidrBlock", "172.16.2.0/24"), ("ZoneId", "cn-beijing-h"), ("VpcId", &vpc)];
    assert_eq!(world.refused("CreateVSwitch", &third).await, "QuotaExceeded.VSwitch");
    let overlapping = [("CidrBlock", "172.16.0.128/25"), ("ZoneId", "cn-beijing-h"), ("VpcId", &vpc)];
    assert_eq!(world.refused("CreateVSwitch", &overlapping).await, "InvalidCidrBlock.Overlapped");
    world.ok("AllocateEipAddress", &[HERE]).await;
    assert_eq!(world.refused("AllocateEipAddress", &[HERE]).await, "QuotaExceeded.Eip");
    world.ok("CreateKeyPair", &[HERE, ("KeyPairName", "one")]).await;
    assert_eq!(world.refused("CreateKeyPair", &[HERE, ("KeyPairName", "two")]).await, "QuotaExceed.KeyPair");

    world.pass(2).await;
    let id = world.instance(&vswitch, &group, &[("InstanceType", "ecs.t5-lc1m1.small")]).await;
    let too_many = [
        HERE,
        ("ImageId", "aliyun_3_x64_20G_alibase_20240819.vhd"),
        ("InstanceType", "ecs.t5-lc1m1.small"),
        ("VSwitchId", &small),
        ("SecurityGroupId", &group),
        ("Amount", "3"),
    ];
    assert_eq!(world.refused("RunInstances", &too_many).await, "QuotaExceed.ElasticQuota");
    world.pass(28).await;
    world.asked("boot on 0 layers with 0 keys").await;
    world.ok("CreateImage", &[HERE, ("InstanceId", &id)]).await;
    assert_eq!(world.refused("CreateImage", &[HERE, ("InstanceId", &id)]).await, "QuotaExceed.Image");
    let system = world.ok("DescribeDisks", &[HERE]).await["Disks"]["Disk"][0]["DiskId"].clone();
    let refused = world.refused("CreateSnapshot", &[("DiskId", system.as_str().unwrap())]).await;
    assert_eq!(refused, "QuotaExceed.Snapshot");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_vswitch_has_as_many_addresses_as_its_block() {
    let world = World::new().await;
    let (vpc, _, group) = world.network().await;
    let small = [("CidrBlock", "172.16.1.0/29"), ("ZoneId", "cn-beijing-h"), ("VpcId", &vpc)];
    let small = world.ok("CreateVSwitch", &small).await["VSwitchId"].as_str().unwrap().to_owned();
    world.pass(2).await;
    let free = async || {
        let answer = world.ok("DescribeVSwitches", &[HERE, ("VSwitchId", &small)]).await;
        answer["VSwitches"]["VSwitch"][0]["AvailableIpAddressCount"].as_u64().unwrap()
    };
    let count = free().await;
    for _ in 0..count {
        world.instance(&small, &group, &[]).await;
    }
    assert_eq!((count, free().await), (4, 0));
    let one_more = [
        HERE,
        ("ImageId", "aliyun_3_x64_20G_alibase_20240819.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("VSwitchId", &small),
        ("SecurityGroupId", &group),
    ];
    assert_eq!(world.refused("RunInstances", &one_more).await, "QuotaExceeded.PrivateIpAddress");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn calls_are_counted_by_the_minute_and_taken_again_in_the_next() {
    let world = World::with(r#"{"rate_limits": {"DescribeImages": 2, "*": 3}}"#, None).await;
    let other_region = [("RegionId", "cn-hangzhou")];
    world.ok("DescribeImages", &[HERE]).await;
    world.ok("DescribeImages", &[HERE]).await;
    assert_eq!(world.refused("DescribeImages", &[HERE]).await, "Throttling.User");
    world.ok("DescribeImages", &other_region).await;
    for _ in 0..3 {
        world.ok("DescribeVpcs", &[HERE]).await;
    }
    assert_eq!(world.refused("DescribeVpcs", &[HERE]).await, "Throttling.User");
    // The clock began at a whole minute.
    world.pass(59).await;
    assert_eq!(world.refused("DescribeImages", &[HERE]).await, "Throttling.User");
    world.pass(1).await;
    world.ok("DescribeImages", &[HERE]).await;
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_dry_run_tells_whether_it_would_be_refused_and_changes_nothing() {
    let images = r#"{"images": [{"id": "m-a", "region": "cn-beijing", "name": "a"}]}"#;
    let world = World::with(images, None).await;
    let copy = [HERE, ("ImageId", "m-a"), ("DestinationRegionId", "cn-shanghai"), ("DryRun", "true")];
    assert_eq!(world.refused("CopyImage", &copy).await, "DryRunOperation");
    let nowhere = [HERE, ("ImageId", "m-a"), ("DestinationRegionId", "nowhere"), ("DryRun", "true")];
    assert_eq!(world.refused("CopyImage", &nowhere).await, "DestinationRegion.NotFound");
    assert_eq!(world.cloud.inventory().images.len(), 1);
    assert_eq!(world.cloud.inventory().snapshots.len(), 1);
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_quota_of_something_unknown_is_refused() {
    let options = crate::CloudOptions {
        inventory: Some(Inventory::from_json(r#"{"quotas": {"vpcs": 3}}"#).unwrap()),
        allow_no_sandbox: true,
        ..crate::CloudOptions::new(crate::HelperProgram { path: "unused".into(), args: Vec::new() })
    };
    let Err(error) = crate::Cloud::start(options).await else { panic!("it was accepted") };
    assert!(format!("{error:?}").contains("there is no quota of `vpcs`"), "{error:?}");
}
