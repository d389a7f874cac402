//! Fields of the image that cannot work together, or at all: refused before anything is asked of the cloud.

use super::fixture::{TestCloud, template};

/// Validates the plain template with these fields; returns everything said.
#[track_caller]
fn refused(fields: &str) -> String {
    let cloud = TestCloud::start();
    let output = cloud.world_with(&template(fields, "")).kiln(&["validate", "t.json"]);
    let said = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, 1, "{said}");
    assert!(cloud.calls().is_empty());
    said
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    for (fields, reason) in [
        (
            r#""image_copy_regions": ["cn-shanghai", "cn-shanghai"], "image_copy_names": ["one", "two"]"#,
            "2 image_copy_names for 1 image_copy_regions (each counted once)",
        ),
        (
            r#""image_encrypted": true, "kms_key_copy_ids": ["key"]"#,
            "1 kms_key_copy_ids for 0 image_copy_regions",
        ),
        (r#""kms_key_id": "key""#, "kms_key_id without image_encrypted encrypts nothing"),
        (
            r#""image_copy_regions": ["cn-shanghai"], "image_copy_kms_ids": ["key"], "image_encrypted": false"#,
            "kms_key_copy_ids without image_encrypted encrypts nothing",
        ),
        (
            r#""image_copy_regions": ["cn-shanghai"], "image_copy_names": ["with space"]"#,
            "image_copy_names can't include spaces",
        ),
        (
            r#""image_encrypted": true, "image_share_account": ["1000000000001"]"#,
            "an image that is encrypted with a service key cannot be shared",
        ),
        (
            r#""image_encrypted": true, "kms_key_id": "key", "image_copy_regions": ["cn-shanghai"],
               "image_share_account": ["1000000000001"]"#,
            "name a key of your own for `cn-shanghai` in `kms_key_copy_ids`",
        ),
        (
            r#""system_disk_mapping": {"disk_encrypted": true}, "image_share_account": ["1000000000001"]"#,
            "an image that is encrypted with a service key cannot be shared",
        ),
        (
            r#""image_share_account": ["1000000000001"], "image_unshare_account": ["1000000000001"]"#,
            "1000000000001 stands in image_share_account and in image_unshare_account",
        ),
        (r#""copy_failure": "ignore""#, "copy_failure should be 'fail' or 'warn'"),
        (r#""nvme_support": "yes""#, "nvme_support should be 'supported' or 'unsupported'"),
        (r#""image_imds_support": "v3""#, "image_imds_support should be 'v1' or 'v2'"),
        (r#""boot_mode": "uefi""#, "boot_mode should to be one of 'BIOS', 'UEFI' or 'UEFI-Preferred'"),
        (r#""image_description": "x""#, "image_description must have 2 to 256 characters"),
        (r#""tag": [{"value": "x"}]"#, "a tag cannot have the key ''"),
        (r#""run_tags": {}, "tag": [{"key": "acs:x", "value": "y"}]"#, "a tag cannot have the key 'acs:x'"),
        (
            r#""system_disk_mapping": {"disk_performance_level": "PL9"}"#,
            "system_disk_mapping: disk_performance_level should be 'PL0', 'PL1', 'PL2' or 'PL3', not 'PL9'",
        ),
        (
            r#""image_disk_mappings": [{"disk_category": "cloud_ssd", "disk_performance_level": "PL1"}]"#,
            "image_disk_mappings: a disk of category cloud_ssd has no disk_performance_level",
        ),
        (
            r#""image_disk_mappings": [{"disk_kms_key_id": "key"}]"#,
            "image_disk_mappings: disk_kms_key_id without disk_encrypted encrypts nothing",
        ),
    ] {
        let said = refused(fields);
        assert!(said.contains(reason), "{fields}\n`{reason}` is missing:\n{said}");
    }
}

#[test]
fn more_than_twenty_tags_are_refused_equal_keys_counted_once() {
    let tags = |count: usize| {
        let tags: Vec<String> =
            (0..count).map(|number| format!(r#"{{"key": "k{number}", "value": "v"}}"#)).collect();
        format!(r#""tag": [{{"key": "app", "value": "db"}}, {}]"#, tags.join(", "))
    };
    // `app` stands in the template's `tags` as well.
    assert!(refused(&tags(20)).contains("more than 20 tags"));
    let cloud = TestCloud::start();
    let _ = cloud.world_with(&template(&tags(19), "")).kiln(&["validate", "t.json"]).expect(0);
}

#[test]
fn what_has_no_effect_is_warned_of() {
    let fields = r#"
    "image_force_delete_instances": true, "image_encrypted": false, "system_disk_mapping": {"disk_encrypted": true}"#;
    let cloud = TestCloud::start();
    let output = cloud.world_with(&template(fields, "")).kiln(&["validate", "t.json"]);
    // Warnings are folded to the width of a page.
    let said = output.expect(0).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("image_force_delete_instances has no effect"), "{said}");
    assert!(said.contains("it is encrypted all the same"), "{said}");
}
