//! The program is killed at every record of its journal; `gc` then leaves an empty cloud.

use std::sync::atomic::{AtomicU64, Ordering};

use super::fixture::{TestCloud, shell, template};

/// Makes the program kill itself right after so many records are on disk (debug builds only).
const CRASH: &str = "KILN_CRASH_AFTER_RECORDS";

/// How many clouds work at once.
const AT_ONCE: u64 = 3;

#[test]
fn a_kill_at_any_record_leaves_what_gc_deletes() {
    let template = template(r#""image_ignore_data_disks": true"#, &shell("true"));
    let next = AtomicU64::new(1);
    let longest = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let cloud = TestCloud::start();
                loop {
                    let records = next.fetch_add(1, Ordering::Relaxed);
                    assert!(records < 200);
                    if killed_after(&cloud, &template, records) {
                        longest.fetch_max(records, Ordering::Relaxed);
                    } else {
                        break;
                    }
                }
            });
        }
    });
    assert!(longest.into_inner() > 25, "hardly any record had its turn");
}

/// Returns whether the program was killed before it came to its end.
fn killed_after(cloud: &TestCloud, template: &str, records: u64) -> bool {
    let world = cloud.world_with(template).env(CRASH, &records.to_string());
    // An image that was handed over before an earlier kill is the user's; it is replaced.
    let output = world.kiln(&["build", "-color=false", "-force", "t.json"]);
    if output.code == 0 {
        return false;
    }
    assert_eq!(output.code, -1, "killed, not failed:\n{}{}", output.stdout, output.stderr);
    let world = world.env(CRASH, "");
    let said = world.kiln(&["gc"]).expect(0);
    cloud.assert_only_images(&format!("after {records} records:\n{}{said}", output.stdout));
    let images = cloud.inventory().images;
    assert!(images.len() <= 1 && images.iter().all(|image| image.status == "Available"), "{images:?}");
    assert_eq!(world.kiln(&["gc"]).expect(0), "Nothing is left behind.\n", "after {records} records");
    true
}

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
