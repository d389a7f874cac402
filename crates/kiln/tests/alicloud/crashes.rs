//! The program is killed, and `gc` finds less than it could wish for. Kills at every record of the journal are part of
//! the campaign.

use super::fixture::{TestCloud, shell, template};

/// Makes the program kill itself right after so many records are on disk.
const CRASH: &str = "KILN_CRASH_AFTER_RECORDS";

#[test]
fn a_lost_journal_is_made_up_for_by_tags() {
    let cloud = TestCloud::start();
    let world = cloud.world_with(&template("", &shell("true"))).env(CRASH, "13");
    let output = world.kiln(&["build", "-color=false", "t.json"]);
    assert_eq!(output.code, -1);
    let run = std::fs::read_dir(world.state().join("runs")).unwrap().next().unwrap().unwrap();
    let id = run.file_name().to_string_lossy().into_owned();
    std::fs::remove_dir_all(run.path()).unwrap();
    assert!(!cloud.inventory().is_empty_but_for_images());

    let world = world.env(CRASH, "").env("ALICLOUD_REGION", "cn-beijing");
    // Whose run it is cannot be told: it may be alive on another machine.
    let said = world.kiln(&["gc"]).expect(0);
    assert!(said.contains(&format!("`kiln gc {id}` deletes it")), "{said}");
    let _ = world.kiln(&["gc", "-dry-run", &id]).expect(0);
    assert!(!cloud.inventory().is_empty_but_for_images());
    let said = world.kiln(&["gc", &id]).expect(0);
    cloud.assert_empty(&said);
}

#[test]
fn another_clouds_resources_are_not_taken_for_gone() {
    let cloud = TestCloud::start();
    let world = cloud.world_with(&template("", &shell("true"))).env(CRASH, "13");
    assert_eq!(world.kiln(&["build", "-color=false", "t.json"]).code, -1);
    let world = world.env(CRASH, "");
    let elsewhere = TestCloud::start();
    let endpoint = elsewhere.endpoint();
    let world = world.env("ALICLOUD_ECS_ENDPOINT", &endpoint).env("ALICLOUD_VPC_ENDPOINT", &endpoint);
    let said = world.kiln(&["gc"]).expect(0);
    assert!(said.contains("passed over: run ") && said.contains("Nothing else is left behind."), "{said}");
    let endpoint = cloud.endpoint();
    let world = world.env("ALICLOUD_ECS_ENDPOINT", &endpoint).env("ALICLOUD_VPC_ENDPOINT", &endpoint);
    let said = world.kiln(&["gc"]).expect(0);
    cloud.assert_empty(&said);
}
