//! The program is killed at every record of its journal; `gc` then leaves an empty cloud.

use super::fixture::{TestCloud, shell, template};

/// Makes the program kill itself right after so many records are on disk (debug builds only).
const CRASH: &str = "KILN_CRASH_AFTER_RECORDS";

#[test]
fn a_kill_at_any_record_leaves_what_gc_deletes() {
    let template = template(r#""image_ignore_data_disks": true"#, &shell("true"));
    let cloud = TestCloud::start();
    for records in 1.. {
        let world = cloud.world_with(&template).env(CRASH, &records.to_string());
        let output = world.kiln(&["build", "-color=false", "t.json"]);
        if output.code == 0 {
            // It came to its end before: every record has had its turn.
            assert!(records > 25, "only {records} records");
            break;
        }
        assert_eq!(output.code, -1, "killed, not failed:\n{}{}", output.stdout, output.stderr);
        let world = world.env(CRASH, "");
        let said = world.kiln(&["gc"]).expect(0);
        // An image that was handed over before the kill is the user's.
        cloud.assert_only_images(&format!("after {records} records:\n{}{said}", output.stdout));
        assert!(records < 200);
        let again = world.kiln(&["gc"]).expect(0);
        assert_eq!(again, "Nothing is left behind.\n", "after {records} records");
        if let Some(image) = cloud.inventory().images.first() {
            assert!(image.name == "kiln-test" && image.status == "Available", "{image:?}");
            let world = cloud.world_with(&template);
            let _ = world.kiln(&["build", "-color=false", "-force", "t.json"]).expect(0);
            break;
        }
    }
}

#[test]
fn a_lost_journal_is_made_up_for_by_tags() {
    let cloud = TestCloud::start();
    let world = cloud.world_with(&template("", &shell("true"))).env(CRASH, "18");
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
