//! From a running instance to a connection, and what is left of it in the image: host keys, the temporary key, and what
//! is told when nobody gets in.

use alicloud_local::{FaultEffect, FaultRule};

use super::fixture::{TestCloud, shell, template};
use crate::support::Output;

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
}

#[track_caller]
fn builds(cloud: &TestCloud, fields: &str, command: &str) -> Output {
    let output =
        cloud.world_with(&template(fields, &shell(command))).kiln(&["build", "-color=false", "t.json"]);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    cloud.assert_only_images(&output.stdout);
    output
}

/// Starts an instance of the only image and returns what `command` prints in it.
#[track_caller]
fn inside(cloud: &TestCloud, command: &str) -> String {
    let image = cloud.inventory().images[0].id.clone();
    let look = template(r#""skip_create_image": true"#, &shell(command))
        .replace("centos_7_03_64_20G_alibase_20170818.vhd", &image)
        .replace("kiln-test", "kiln-look");
    cloud.world_with(&look).kiln(&["build", "-color=false", "t.json"]).expect(0)
}

fn refuse(code: &str) -> FaultEffect {
    FaultEffect::Refuse { code: code.to_owned(), message: None, status: None }
}

const TRUSTED: &str = "is trusted on first use";

#[test]
fn the_host_key_is_the_one_on_the_console() {
    let cloud = TestCloud::start();
    let output = builds(&cloud, "", "true");
    assert!(!output.stderr.contains(TRUSTED), "{}", output.stderr);
    assert!(cloud.actions().iter().any(|action| action == "GetInstanceConsoleOutput"));
}

#[test]
fn a_console_that_cannot_be_read_is_no_failure() {
    let cloud = TestCloud::start();
    cloud.add_fault(FaultRule {
        times: 0,
        ..FaultRule::new("GetInstanceConsoleOutput", refuse("Forbidden.RAM"))
    });
    let output = builds(&cloud, "", "true");
    says(&output.stderr, &["The host key of `i-", TRUSTED, "its console cannot be read", "Forbidden.RAM"]);
}

#[test]
fn the_first_key_is_trusted_where_the_template_says_so() {
    let cloud = TestCloud::start();
    let output = builds(&cloud, r#""ssh_host_key": "first-use""#, "true");
    says(&output.stderr, &[TRUSTED, "as `ssh_host_key` says"]);
    assert!(!cloud.actions().iter().any(|action| action == "GetInstanceConsoleOutput"));
}

#[test]
fn a_host_key_of_the_run_is_installed_and_does_not_stay() {
    let cloud = TestCloud::start();
    let fields =
        r##""ssh_host_key": "user-data", "user_data": "#!/bin/sh\necho done > /etc/from-user-data\n""##;
    let output = builds(&cloud, fields, "cat /etc/from-user-data");
    says(&output.stdout, &["==> alicloud-ecs: done\n"]);
    assert!(!output.stderr.contains(TRUSTED), "{}", output.stderr);
    assert!(!output.stderr.contains("may still be in the image"), "{}", output.stderr);
    assert!(!cloud.actions().iter().any(|action| action == "GetInstanceConsoleOutput"));
}

#[test]
fn no_key_of_the_build_stays_in_the_image() {
    let cloud = TestCloud::start();
    let output = builds(
        &cloud,
        "",
        "echo ssh-ed25519 AAAAusers own >> ~/.ssh/authorized_keys; grep -c . ~/.ssh/authorized_keys",
    );
    says(&output.stdout, &["==> alicloud-ecs: 2\n"]);
    assert!(!output.stdout.contains("authorized_keys"), "{}", output.stdout);
    assert!(!output.stderr.contains("may still be in the image"), "{}", output.stderr);
    // What the user put there, and the key of the instance that looks; not the one of the instance that built.
    let said = inside(&cloud, "grep -c . ~/.ssh/authorized_keys; grep -c AAAAusers ~/.ssh/authorized_keys");
    says(&said, &["==> alicloud-ecs: 2\n==> alicloud-ecs: 1\n"]);
}

#[test]
fn who_cannot_get_in_is_told_what_the_cloud_knows() {
    let cloud = TestCloud::with(
        r#"{
        "vpcs": [{"id": "vpc-own", "region": "cn-beijing"}],
        "security_groups": [{"id": "sg-closed", "vpc": "vpc-own", "open_ports": [80]}]
    }"#,
    );
    // Time enough to boot and write to the console on a machine that does other things as well.
    let fields = r#""security_group_id": "sg-closed", "ssh_timeout": "20s""#;
    let template = template(fields, &shell("true")).replace("\"ssh_timeout\": \"60s\",\n    ", "");
    let world = cloud.world_with(&template);
    let output = world.kiln(&["build", "-color=false", "t.json"]);
    assert_eq!(output.code, 1, "{}\n{}", output.stdout, output.stderr);
    says(&output.stdout, &["Timeout waiting for SSH."]);
    says(
        &output.stderr,
        &[
            "Cannot connect to 127.",
            "Instance `i-",
            "is Running: public address ",
            "Security group (`sg-closed`) lets nobody in on port ",
            "lines of the console:\n",
            "Linux version",
            "The screen: ",
            "waited 20s; at last: ",
        ],
    );
    // Standard output is Packer's.
    assert!(!output.stdout.contains("console"), "{}", output.stdout);
    let picture = output.stderr.lines().find_map(|line| line.split_once("The screen: ")).unwrap().1;
    let name = picture.trim().rsplit('/').next().unwrap();
    assert_eq!(std::fs::read(world.path(name)).unwrap()[..2], [0xff, 0xd8]);
}

#[test]
fn a_diagnosis_that_fails_hides_nothing() {
    let cloud = TestCloud::with(
        r#"{
        "vpcs": [{"id": "vpc-own", "region": "cn-beijing"}],
        "security_groups": [{"id": "sg-closed", "vpc": "vpc-own", "open_ports": []}]
    }"#,
    );
    for action in ["GetInstanceConsoleOutput", "GetInstanceScreenshot", "DescribeSecurityGroupAttribute"] {
        cloud.add_fault(FaultRule { times: 0, ..FaultRule::new(action, refuse("Forbidden.RAM")) });
    }
    let fields = r#""security_group_id": "sg-closed", "ssh_timeout": "2s""#;
    let template = template(fields, &shell("true")).replace("\"ssh_timeout\": \"60s\",\n    ", "");
    let output = cloud.world_with(&template).kiln(&["build", "-color=false", "t.json"]);
    assert_eq!(output.code, 1, "{}\n{}", output.stdout, output.stderr);
    says(&output.stdout, &["Timeout waiting for SSH."]);
    says(
        &output.stderr,
        &["The console cannot be read: ", "There is no picture of the screen: ", "waited 2s; at last: "],
    );
}
