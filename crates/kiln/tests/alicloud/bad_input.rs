//! What users get wrong: exit code 1, an error that says what to do, nothing left behind.

use super::fixture::{TestCloud, shell, template};
use crate::support::Output;

/// Builds a faulty template; returns everything said.
#[track_caller]
fn fails(cloud: &TestCloud, template: &str) -> String {
    said(cloud, cloud.world_with(template).kiln(&["build", "-color=false", "t.json"]))
}

#[track_caller]
fn said(cloud: &TestCloud, output: Output) -> String {
    let said = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, 1, "{said}");
    cloud.assert_empty(&said);
    said
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest_one_and_its_place() {
    let cloud = TestCloud::start();
    let said = fails(&cloud, &template(r#""image_nmae": "x""#, ""));
    says(&said, &["unknown configuration key: '\"image_nmae\"'", "t.json:12:5", "is `image_name` meant?"]);
    assert!(cloud.calls().is_empty());
}

#[test]
fn all_missing_fields_are_told_at_once() {
    let cloud = TestCloud::start();
    let said = fails(&cloud, r#"{"builders": [{"type": "alicloud-ecs"}]}"#);
    says(
        &said,
        &[
            "region option or ALICLOUD_REGION must be provided in template file or environment variables.",
            "image_name must be specified",
            "An ssh_username must be specified",
            "An alicloud_instance_type must be specified",
            "A source_image must be specified",
        ],
    );
}

#[test]
fn missing_credentials_name_the_sources_tried() {
    let cloud = TestCloud::start();
    let world =
        cloud.world_with(&template("", "")).env("ALICLOUD_ACCESS_KEY", "").env("ALICLOUD_SECRET_KEY", "");
    let said = said(&cloud, world.kiln(&["build", "-color=false", "t.json"]));
    says(
        &said,
        &[
            "(ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY) or ram_role_name option must be set",
            "sources tried",
        ],
    );
}

#[test]
fn a_wrong_secret_key_is_told_apart_from_an_unknown_key() {
    let cloud = TestCloud::start();
    let world = cloud.world_with(&template("", "")).env("ALICLOUD_SECRET_KEY", "wrong");
    let wrong = said(&cloud, world.kiln(&["build", "-color=false", "t.json"]));
    says(&wrong, &["ErrorCode: SignatureDoesNotMatch", "check `secret_key`"]);
    let world = cloud.world_with(&template("", "")).env("ALICLOUD_ACCESS_KEY", "LTAIunknown");
    let unknown = said(&cloud, world.kiln(&["build", "-color=false", "t.json"]));
    says(&unknown, &["ErrorCode: InvalidAccessKeyId.NotFound", "check `access_key`"]);
}

#[test]
fn an_unknown_region_image_or_type_is_refused_before_anything_is_made() {
    let cloud = TestCloud::start();
    let region = template("", "").replace("cn-beijing", "cn-beijin");
    says(&fails(&cloud, &region), &["Not a valid alicloud region: cn-beijin", "is `cn-beijing` meant?"]);
    let image = template("", "").replace("centos_7_03_64_20G_alibase_20170818.vhd", "nope.vhd");
    says(&fails(&cloud, &image), &["No alicloud image was found matching filters: nope.vhd"]);
    let kind = template("", "").replace("ecs.t5-lc1m1.small", "ecs.t5-lc1m1.smal");
    says(
        &fails(&cloud, &kind),
        &[
            "The instance type ecs.t5-lc1m1.smal isn't available in this region.",
            "is `ecs.t5-lc1m1.small` meant?",
        ],
    );
    assert!(!cloud.actions().iter().any(|action| action == "RunInstances"));
}

#[test]
fn a_taken_image_name_is_refused_by_its_exact_name_only() {
    let taken = |name: &str| {
        format!(r#"{{"images": [{{"id": "m-old", "region": "cn-beijing", "name": "{name}"}}]}}"#)
    };
    let cloud = TestCloud::with(&taken("kiln-test"));
    let output = cloud.world_with(&template("", "")).kiln(&["build", "-color=false", "t.json"]);
    says(&output.stdout, &["Error: Image Name: 'kiln-test' is used by an existing alicloud image: m-old"]);
    assert_eq!(output.code, 1);
    let cloud = TestCloud::with(&taken("kiln-test-2"));
    let output = cloud.world_with(&template("", "")).kiln(&["build", "-color=false", "t.json"]);
    let _ = output.expect(0);
}

#[test]
fn force_replaces_the_image_of_exactly_the_same_name() {
    let cloud = TestCloud::with(
        r#"{"images": [
            {"id": "m-old", "region": "cn-beijing", "name": "kiln-test"},
            {"id": "m-other", "region": "cn-beijing", "name": "kiln-test-2"}
        ]}"#,
    );
    let output = cloud.world_with(&template("", "")).kiln(&["build", "-color=false", "-force", "t.json"]);
    let said = output.expect(0);
    says(
        &said,
        &[
            "Force delete flag found, skipping prevalidating image name.",
            "Deleting duplicated image and snapshot",
        ],
    );
    let images = cloud.inventory().images;
    let mut names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["kiln-test", "kiln-test-2"]);
    assert!(images.iter().all(|image| image.id != "m-old"));
}

#[test]
fn no_stock_is_told_with_the_seeds_lines_of_clean_up() {
    let cloud = TestCloud::with(
        r#"{"faults": [{"action": "RunInstances", "times": 0, "effect": {"do": "refuse", "code": "OperationDenied.NoStock"}}]}"#,
    );
    let said = fails(&cloud, &template("", ""));
    says(
        &said,
        &[
            "Error creating instance: SDK.ServerError\n",
            "ErrorCode: OperationDenied.NoStock\n",
            "Deleting security group because of cancellation or error...\n",
            "Deleting vSwitch because of cancellation or error...\n",
            "Deleting VPC because of cancellation or error...\n",
            "Deleting temporary keypair...\n",
            "choose another `instance_type`",
        ],
    );
}

#[test]
fn a_missing_script_is_found_before_anything_is_made() {
    let cloud = TestCloud::start();
    let said = fails(&cloud, &template("", r#"{"type": "shell", "script": "nope.sh"}"#));
    says(&said, &["Bad script 'nope.sh': stat nope.sh: no such file or directory"]);
    assert!(cloud.calls().is_empty());
}

#[test]
fn a_script_that_fails_fails_the_build_with_its_status() {
    let cloud = TestCloud::start();
    let said = fails(&cloud, &template("", &shell("echo begun; exit 3")));
    says(
        &said,
        &[
            "==> alicloud-ecs: begun\n",
            "Provisioning step had errors: Running the cleanup provisioner, if present...",
            "Script exited with non-zero exit status: 3. Allowed exit codes are: [0]",
            "Deleting instance because of cancellation or error...",
        ],
    );
}

#[test]
fn a_refused_log_in_ends_the_wait_with_the_reason() {
    let cloud = TestCloud::start();
    // A key of its own that the instance does not know.
    let world = cloud.world();
    let keys = world.path("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&keys)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "ssh-keygen is missing");
        return println!("SKIPPED: ssh-keygen is missing");
    }
    let fields = r#""ssh_private_key_file": "key", "ssh_timeout": "0s", "ssh_handshake_attempts": 1"#;
    let template = template(fields, "").replace("\"ssh_timeout\": \"60s\",\n    ", "");
    let key = std::fs::read_to_string(&keys).unwrap();
    let output = cloud.world_with(&template).file("key", &key).kiln(&["build", "-color=false", "t.json"]);
    let said = said(&cloud, output);
    says(&said, &["Error waiting for SSH: Packer experienced an authentication error"]);
}

#[test]
fn a_full_disk_in_the_instance_is_the_scripts_error() {
    let cloud = TestCloud::with(r#"{"instance_disk_bytes": 33554432}"#);
    let said = fails(&cloud, &template("", &shell("dd if=/dev/zero of=/var/big bs=1M count=64")));
    says(&said, &["No space left on device", "Script exited with non-zero exit status: 1."]);
}

#[test]
fn an_api_that_cannot_be_reached_is_named() {
    let cloud = TestCloud::start();
    // Port 1 of the loopback network: nobody listens there.
    let world = ["ECS", "VPC"].iter().fold(cloud.world_with(&template("", "")), |world, product| {
        world.env(&format!("ALICLOUD_{product}_ENDPOINT"), "http://127.0.0.1:1")
    });
    let said = said(&cloud, world.kiln(&["build", "-color=false", "t.json"]));
    says(&said, &["SDK.ServerUnreachable", "the cloud's endpoint cannot be reached"]);
}

#[test]
fn plain_http_is_only_for_the_loopback_network() {
    let cloud = TestCloud::start();
    let world = cloud.world_with(&template("", "")).env("ALICLOUD_ECS_ENDPOINT", "http://ecs.example.com");
    let said = said(&cloud, world.kiln(&["build", "-color=false", "t.json"]));
    says(&said, &["ecs.example.com", "http"]);
}
