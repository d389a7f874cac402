//! Each call of a build fails in turn, in each way a call can fail. Whatever happens, the build ends, with the right
//! exit code, and nothing is left behind.

use std::collections::BTreeMap;
use std::sync::Mutex;

use alicloud_local::{FaultEffect, FaultRule};

use super::fixture::{TestCloud, shell, template};

/// How many clouds work at once.
const AT_ONCE: usize = 3;

/// How a call fails, and whether a build can finish all the same.
fn ways() -> [(&'static str, FaultEffect, bool); 6] {
    let code = || "OperationDenied".to_owned();
    [
        (
            "refused before the effect",
            FaultEffect::Refuse { code: code(), message: None, status: None },
            false,
        ),
        (
            "refused after the effect",
            FaultEffect::FailAfter { code: code(), message: None, status: None },
            false,
        ),
        ("cut before the effect", FaultEffect::DropBefore, true),
        ("answer lost", FaultEffect::DropAfter, true),
        ("throttled", FaultEffect::Throttle, true),
        ("unavailable", FaultEffect::Unavailable, true),
    ]
}

/// Calls whose refusal does not fail the build: clean-up asks again, and `stepPreValidate`'s look-alikes are looks.
fn is_clean_up(action: &str) -> bool {
    action.starts_with("Delete")
}

fn plain() -> String {
    template("", &shell("echo hello > /etc/hello"))
}

fn data_disks() -> String {
    template(r#""image_ignore_data_disks": true, "image_disk_mappings": [{"disk_size": 20}]"#, &shell("true"))
}

/// Runs every case of `template`; `AT_ONCE` workers share the list.
fn campaign(template: &str) {
    let cloud = TestCloud::start();
    let _ = cloud.world_with(template).kiln(&["build", "-color=false", "t.json"]).expect(0);
    let mut actions = cloud.actions();
    actions.dedup();
    let counted = actions.iter().fold(BTreeMap::new(), |mut counted: BTreeMap<&str, u64>, action| {
        *counted.entry(action).or_default() += 1;
        counted
    });
    let cases: Vec<_> = counted
        .iter()
        .flat_map(|(action, count)| (1..=*count).map(move |nth| (*action, nth)))
        .flat_map(|call| ways().map(|way| (call, way)))
        .collect();
    assert!(cases.len() > 60, "{actions:?}");
    let (queue, failures) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(((action, nth), way)) = queue.lock().unwrap().pop() else {
                        break;
                    };
                    failures.lock().unwrap().extend(case(template, action, nth, way));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

/// Returns what went wrong in one case.
fn case(template: &str, action: &str, nth: u64, way: (&str, FaultEffect, bool)) -> Option<String> {
    let (name, effect, passes) = way;
    let cloud = TestCloud::start();
    cloud.add_fault(FaultRule { nth, ..FaultRule::new(action, effect) });
    let world = cloud.world_with(template);
    let output = world.kiln(&["build", "-color=false", "t.json"]);
    let expected = if passes || is_clean_up(action) { 0 } else { 1 };
    let inventory = cloud.inventory();
    let mut left = inventory.leftovers();
    if output.code != 0 {
        left.extend(inventory.images.iter().map(|image| format!("image {}", image.id)));
        left.extend(inventory.snapshots.iter().map(|snapshot| format!("snapshot {}", snapshot.id)));
    }
    let runs = world.kiln(&["gc", "-dry-run"]).stdout;
    let wrong = output.code != expected || !left.is_empty() || !runs.starts_with("Nothing is left behind.");
    wrong.then(|| {
        format!(
            "--- {action} #{nth} {name}: code {} (expected {expected}), left {left:?}, gc says {runs:?}\n{}{}",
            output.code, output.stdout, output.stderr
        )
    })
}

#[test]
fn each_call_of_a_plain_build_may_fail() {
    campaign(&plain());
}

#[test]
fn each_call_of_a_build_by_snapshot_may_fail() {
    campaign(&data_disks());
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
