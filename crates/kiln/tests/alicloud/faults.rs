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
