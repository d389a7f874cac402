use super::support::{World, null_template};

#[test]
fn a_fresh_machine_has_no_runs_and_nothing_to_delete() {
    let world = World::new();
    assert_eq!(world.kiln(&["runs"]).expect(0), "No runs yet.\n");
    let out = world.kiln(&["gc"]);
    assert!(out.stderr.contains("what is in Alibaba Cloud cannot be deleted"), "{}", out.stderr);
    assert_eq!(out.expect(0), "Nothing is left behind.\n");
}

#[test]
fn runs_tells_how_builds_ended() {
    let world = World::with("t.json", &null_template(""));
    let _ = world.kiln(&["build", "-color=false", "t.json"]).expect(0);
    let out = world.kiln(&["runs"]).expect(0);
    assert!(out.contains("  done        t.json\n    null done: "), "{out}");
    assert_eq!(world.kiln(&["gc", "-dry-run"]).expect(0), "Nothing is left behind.\n");
}

#[test]
fn the_state_folder_can_be_named() {
    let world = World::with("t.json", &null_template(""));
    let _ = world.kiln(&["build", "-color=false", "-state-dir=here", "t.json"]).expect(0);
    assert!(world.path("here/runs").exists() && !world.state().exists());
    let no_home = World::with("t.json", &null_template("")).env("HOME", "");
    let out = no_home.kiln(&["build", "-color=false", "t.json"]);
    assert_eq!(out.stderr, "name one with -state-dir or KILN_STATE_DIR\n");
    assert_eq!(out.expect(1), "there is no folder for the journals of runs: HOME is not set\n");
}
