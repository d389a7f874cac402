//! Ways to fail besides those of the campaign: the cloud says yes, and then nothing comes of it.

use alicloud_local::{FaultEffect, FaultRule};

use super::fixture::{TestCloud, shell, template};

fn data_disks() -> String {
    template(r#""image_ignore_data_disks": true, "image_disk_mappings": [{"disk_size": 20}]"#, &shell("true"))
}

#[test]
fn an_image_that_cannot_be_made_is_noticed_at_once() {
    for (action, said) in [
        ("CreateImage", "cannot become ready: CreateFailed"),
        ("CreateSnapshot", "cannot become ready: failed"),
    ] {
        let cloud = TestCloud::start();
        cloud.add_fault(FaultRule::new(action, FaultEffect::CreationFails));
        let output = cloud.world_with(&data_disks()).kiln(&["build", "-color=false", "t.json"]);
        assert!(output.stdout.contains(said), "{}", output.stdout);
        assert_eq!(output.code, 1);
        cloud.assert_empty(&output.stdout);
    }
}

// Found by the campaign: the image was gone, its snapshot not yet, and trying again found no image to ask for its
// snapshots.
#[test]
fn a_clean_up_that_is_broken_off_finds_the_snapshots_of_an_image_that_is_gone() {
    let cloud = TestCloud::start();
    let refused = FaultEffect::Refuse { code: "OperationDenied".to_owned(), message: None, status: None };
    cloud.add_fault(FaultRule::new("DeleteSnapshot", refused));
    let encrypted = template(r#""image_encrypted": true"#, &shell("true"));
    let said = cloud.world_with(&encrypted).kiln(&["build", "-color=false", "t.json"]).expect(0);
    assert!(said.contains("Creating temporary image for encryption"), "{said}");
    cloud.assert_only_images(&said);
}
