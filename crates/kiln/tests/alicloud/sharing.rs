//! Builds of one run share what is temporary and big enough for all: VPC, vSwitch, security group.

use std::collections::BTreeSet;

use super::fixture::{TestCloud, shell, template};

/// Returns a template of `count` builders; `fields` says what each has of its own, by its number.
fn builders(count: usize, provisioners: &str, fields: impl Fn(usize) -> String) -> String {
    let one: serde_json::Value = serde_json::from_str(&template("", provisioners)).unwrap();
    let builder = |index: usize| {
        let mut builder = one["builders"][0].clone();
        builder["name"] = format!("b{index}").into();
        builder["image_name"] = format!("image-{index}").into();
        let own: serde_json::Value = serde_json::from_str(&fields(index)).unwrap();
        builder.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        builder
    };
    let builders: Vec<_> = (0..count).map(builder).collect();
    serde_json::json!({ "builders": builders, "provisioners": one["provisioners"] }).to_string()
}

fn alike(_: usize) -> String {
    "{}".to_owned()
}

impl TestCloud {
    fn count(&self, action: &str) -> usize {
        self.calls().iter().filter(|call| call.action == action).count()
    }
}

#[test]
fn sixty_four_builds_in_one_run_need_one_network() {
    // An account may have ten VPCs; eight of these are somebody else's.
    let vpcs: Vec<String> =
        (0..8).map(|it| format!(r#"{{"region": "cn-beijing", "id": "vpc-other{it}"}}"#)).collect();
    let owned = format!(r#"{{"quotas": {{"vpc": 10}}, "vpcs": [{}]}}"#, vpcs.join(","));
    let cloud = TestCloud::with(&owned);
    let world = cloud.world_with(&builders(64, &shell("hostname"), alike));
    let said = world.kiln(&["build", "-color=false", "t.json"]).expect(0);
    let inventory = cloud.inventory();
    assert_eq!(inventory.images.len(), 64, "{said}");
    assert_eq!(inventory.vpcs.len(), 8, "{said}");
    assert!(
        inventory.instances.is_empty() && inventory.vswitches.is_empty() && inventory.key_pairs.is_empty()
    );
    for action in ["CreateVpc", "CreateVSwitch", "CreateSecurityGroup", "AuthorizeSecurityGroup", "DeleteVpc"]
    {
        assert_eq!(cloud.count(action), 1, "{action}");
    }
    // Each build says what it stands on; only the last one deletes it.
    assert_eq!(said.matches(": Created vpc: vpc-").count(), 64);
    assert_eq!(said.matches(": Cleaning up 'VPC'").count(), 1);
    let looks = cloud.count("DescribeInstances");
    assert!(looks < 64 * 6, "{looks} looks at 64 instances: they are not shared");
}

#[test]
fn builds_that_ask_for_different_networks_get_them() {
    let cloud = TestCloud::start();
    let fields = |index: usize| format!(r#"{{"vpc_name": "net-{}", "ssh_port": "[SSH-PORT]"}}"#, index % 2);
    let world = cloud.world_with(&builders(4, &shell("true"), fields));
    let said = world.kiln(&["build", "-color=false", "t.json"]).expect(0);
    assert_eq!(cloud.count("CreateVpc"), 2, "{said}");
    cloud.assert_only_images(&said);
}

#[test]
fn a_build_that_fails_leaves_the_network_to_the_others() {
    let cloud = TestCloud::start();
    let provisioners = shell(r#"case "$PACKER_BUILD_NAME" in b0) exit 3;; esac"#);
    let world = cloud.world_with(&builders(3, &provisioners, alike));
    let said = world.kiln(&["build", "-color=false", "t.json"]).expect(1);
    assert_eq!((cloud.count("CreateVpc"), cloud.inventory().images.len()), (1, 2), "{said}");
    cloud.assert_only_images(&said);
}

#[test]
fn one_build_after_the_other_finds_the_network_of_the_first() {
    let cloud = TestCloud::start();
    let world = cloud.world_with(&builders(3, &shell("true"), alike));
    let said = world.kiln(&["build", "-color=false", "-parallel-builds=1", "t.json"]).expect(0);
    assert_eq!((cloud.count("CreateVpc"), cloud.count("DeleteVpc")), (1, 1), "{said}");
    cloud.assert_only_images(&said);
}

#[test]
fn a_killed_run_of_many_builds_is_collected_whole() {
    let cloud = TestCloud::start();
    let world = cloud.world_with(&builders(3, &shell("true"), alike));
    let killed = world.env("KILN_CRASH_AFTER_RECORDS", "24");
    let said = killed.kiln(&["build", "-color=false", "t.json"]);
    assert_ne!(said.code, 0);
    assert!(!cloud.inventory().leftovers().is_empty());
    let world = killed.env("KILN_CRASH_AFTER_RECORDS", "");
    world.kiln(&["gc"]).expect(0);
    cloud.assert_only_images("after gc");
}

#[test]
fn each_account_has_a_network_of_its_own() {
    let cloud = TestCloud::with(r#"{"access_keys": {"LTAI5tOtherKeyId": "otherSecret0123456789ABCDEFGH"}}"#);
    let fields = |index: usize| match index {
        0 => {
            r#"{"access_key": "LTAI5tOtherKeyId", "secret_key": "otherSecret0123456789ABCDEFGH"}"#.to_owned()
        }
        _ => "{}".to_owned(),
    };
    let world = cloud.world_with(&builders(2, &shell("true"), fields));
    let said = world.kiln(&["build", "-color=false", "t.json"]).expect(0);
    let made: BTreeSet<String> =
        said.lines().filter(|line| line.contains("Created vpc: ")).map(last_word).collect();
    assert_eq!(made.len(), 2, "{said}");
    cloud.assert_only_images(&said);
}

fn last_word(line: &str) -> String {
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}
