//! Seeds about the image itself: tags, families, time for its snapshots, and the plain build from end to end.

use super::{Built, carries_tags};
use serde_json::Value;

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
    let shows_expired = |call: &Value| call["params"]["ShowExpired"] == "true";
    assert!(built.calls_of("DescribeImages").any(shows_expired));
    built.leaves_nothing_else();
}

#[test]
fn seed_001_image_family_starts_from_the_newest_and_becomes_the_newest() {
    let built = Built::of("001-image-family");
    assert!(built.said.contains("Found lastest image: "), "{}", built.said);
    assert!(built.said.contains(" by image family: acs:centos_7_9_x64\n"), "{}", built.said);
    assert_eq!(built.image().detail, "test_packer_basic");
    built.leaves_nothing_else();
    built.redis_is_inside();
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
    built.says_in_order("alicloud-ecs", &lines);
    built.redis_is_inside();
}

#[test]
fn seed_003_ubuntu_carries_its_tag() {
    let built = Built::of("003-ubuntu-tags");
    carries_tags(&built, &[("tag_key", "tag_value")]);
    assert_eq!((built.image().region.as_str(), built.image().name.as_str()), ("cn-shenzhen", "cus_image"));
    built.leaves_nothing_else();
}
