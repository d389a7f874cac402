//! Seeds about who builds: keys, profiles, roles. In the embedded cloud of `-local` its own key serves instead of all
//! of them; so each is also built in a served cloud, which signs in every caller as the real one does.

use super::{Built, OWNED, left_by};
use crate::alicloud::fixture::{KEY, SECRET, TestCloud, seed};
use crate::support::World;

/// What says that nothing of a real account was looked at.
fn is_served_by_its_own_key(built: &Built, fields: &str) {
    let note = format!("in the embedded cloud its own key serves instead of {fields}: ");
    assert!(built.hints.contains(&note), "{}", built.hints);
}

/// The seed in a world of this cloud, whose instances have a port of their own.
fn served(cloud: &TestCloud, name: &str) -> World {
    let ported = seed(name).replace("\"ssh_username\"", "\"ssh_port\": \"[SSH-PORT]\", \"ssh_username\"");
    cloud.world_with(&ported).env("ALICLOUD_ACCESS_KEY", "").env("ALICLOUD_SECRET_KEY", "")
}

#[track_caller]
fn builds(cloud: &TestCloud, world: &World) -> String {
    let said = world.kiln(&["build", "-color=false", "t.json"]).expect(0);
    assert_eq!(cloud.inventory().images.len(), 1, "{said}");
    cloud.assert_only_images(&said);
    said
}

#[test]
fn keys_come_from_the_environment_or_from_the_command_line() {
    let account = r#"{"access_keys": {"LTAIown": "own-secret"}}"#;
    let world = World::with("t.json", &seed("000-tags")).file("owned.json", account);
    let variables = ["-var", "access_key=LTAIown", "-var", "secret_key=own-secret"];
    let built = Built::in_world(world, &[&["-local-with=owned.json"], &variables[..]].concat());
    built.looks_as_promised();
    assert!(!built.said.contains("own-secret"), "{}", built.said);
    let world = World::with("t.json", &seed("000-tags")).file("owned.json", account);
    let world = world.env("ALICLOUD_ACCESS_KEY", "LTAIown").env("ALICLOUD_SECRET_KEY", "own-secret");
    Built::in_world(world, &["-local-with=owned.json"]).looks_as_promised();
}

#[test]
fn seed_001_profile_builds_with_local_alone() {
    let built = Built::of("001-profile");
    is_served_by_its_own_key(&built, "profile");
    built.leaves_nothing_else();
    built.redis_is_inside();
}

#[test]
fn seed_001_profile_signs_in_with_the_keys_of_its_file() {
    let cloud = TestCloud::start();
    let profiles = seed("001-aliyun-config")
        .replace(&format!("\"{}\"", "x".repeat(23)), &format!("\"{KEY}\""))
        .replace(&format!("\"{}\"", "x".repeat(20)), &format!("\"{SECRET}\""));
    let world = served(&cloud, "001-profile");
    let folder = world.path("../home/.aliyun");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.json"), profiles).unwrap();
    // Keys of another environment are there too; the profile wins.
    let world = world.env("ALICLOUD_ACCESS_KEY", "LTAIother").env("ALICLOUD_SECRET_KEY", "another-secret");
    let said = builds(&cloud, &world);
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn seed_001_profile_without_its_file_says_where_it_looked() {
    let cloud = TestCloud::start();
    let output = served(&cloud, "001-profile").kiln(&["build", "-color=false", "t.json"]);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, 1, "{said}");
    assert!(said.contains("packer_sk") && said.contains("/.aliyun/config.json"), "{said}");
    assert!(cloud.calls().is_empty());
}

#[test]
fn seed_001_ram_role_name_builds_with_local_alone() {
    let built = Built::of("001-ram-role-name");
    is_served_by_its_own_key(&built, "ram_role_name");
    built.leaves_nothing_else();
    built.redis_is_inside();
}

#[test]
fn seed_001_ram_role_name_signs_in_with_what_the_metadata_service_tells() {
    let cloud = TestCloud::with(
        r#"{
            "roles": [{"name": "ImageTestAle", "trust": {"Version": "1", "Statement": [
                {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}}
            ]}}],
            "builder": {"role": "ImageTestAle", "require_token": true}
        }"#,
    );
    let world = served(&cloud, "001-ram-role-name");
    let world = world.env("ALICLOUD_METADATA_ENDPOINT", &cloud.metadata_endpoint());
    // No key stands anywhere else.
    let _ = builds(&cloud, &world);
}

#[test]
fn seed_001_ram_role_arn_builds_with_local_alone() {
    let built = Built::of("001-ram-role-arn");
    is_served_by_its_own_key(&built, "ram_role_arn, ram_session_name");
    built.leaves_nothing_else();
    built.redis_is_inside();
}

#[test]
fn seed_001_ram_role_arn_makes_the_image_in_the_roles_account() {
    let cloud = TestCloud::with(
        r#"{
            "uid": "1234567890123456",
            "accounts": [{"uid": "186xxxxxxxxxx07", "roles": [{"name": "packer-test"}]}]
        }"#,
    );
    // Account B's keys, from the environment.
    let world = served(&cloud, "001-ram-role-arn");
    let world = world.env("ALICLOUD_ACCESS_KEY", KEY).env("ALICLOUD_SECRET_KEY", SECRET);
    let _ = builds(&cloud, &world);
    let calls = cloud.calls();
    let assumed = calls.iter().find(|call| call.action == "AssumeRole").unwrap();
    assert_eq!(assumed.params["RoleArn"], "acs:ram::186xxxxxxxxxx07:role/packer-test");
    assert_eq!(assumed.params["RoleSessionName"], "packer-test");
    assert_eq!(cloud.inventory().images[0].account, "186xxxxxxxxxx07");
}

#[test]
fn seed_001_ecs_ram_role_name_is_the_instances_role() {
    let built = Built::of("001-ecs-ram-role-name");
    assert_eq!(built.the_call("RunInstances")["RamRoleName"], "packer-test");
    built.leaves_nothing_else();
    built.redis_is_inside();
}

#[test]
fn scripts_get_temporary_keys_of_the_instances_role() {
    let address = "http://100.100.100.200/latest/meta-data/ram/security-credentials/packer-test";
    let ask = format!("(curl -s {address} || wget -qO- {address}) | grep -o 'STS\\.' && echo GIVEN");
    let template = seed("001-ecs-ram-role-name")
        .replace(r#""yum install redis.x86_64 -y""#, &serde_json::to_string(&ask).unwrap());
    assert!(template.contains("GIVEN"));
    let world = World::with("t.json", &template);
    let built = Built::in_world(world, &[]);
    assert!(built.said.contains("==> alicloud-ecs: GIVEN\n"), "{}", built.said);
    let (inventory, _) = left_by(&built.world);
    assert_eq!(inventory.leftovers(), OWNED);
}
