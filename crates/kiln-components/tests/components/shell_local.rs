//! `shell-local`, really running.

use std::sync::Arc;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use kiln_remote::none::NoneCommunicator;
use serde_json::json;

use crate::support::Room;

async fn run(room: &Room, settings: serde_json::Value) -> kiln_core::Result<()> {
    room.provision("shell-local", settings, Arc::new(NoneCommunicator)).await
}

#[tokio::test]
async fn commands_run_in_the_working_directory_with_the_builds_variables() {
    let mut room = Room::new();
    let settings = json!({
        "inline": [
            "echo $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE $A $B {{ build `ID` }}",
            "test -n \"$PATH\" && echo $PACKER_RUN_UUID",
            "echo made > made.txt",
        ],
        "environment_vars": ["A={{ build `Host` }}", "B=1"],
        "env": { "B": "it's" },
    });
    run(&room, settings).await.unwrap();
    assert_snapshot!(room.shown(), @r"
    say     Running local shell script: <CWD>/packer-shell<N>
    stdout  web null 10.0.0.1 it's Null
    stdout  f4353d0b-1c2c-6356-0090-5d490f556a52
    ");
    assert_eq!(room.read("made.txt"), "made\n");
    assert_eq!(std::fs::read_dir(room.folder.path()).unwrap().count(), 1, "the script is still there");
}

#[tokio::test]
async fn both_streams_are_shown_and_a_failure_names_its_status() {
    let mut room = Room::new();
    let error = run(&room, json!({ "inline": ["echo failing >&2", "exit 3"] })).await.unwrap_err();
    assert_eq!(error.chain(), "Script exited with non-zero exit status: 3. Allowed exit codes are: [0]");
    assert_snapshot!(room.shown(), @r"
    say     Running local shell script: <CWD>/packer-shell<N>
    stderr  failing
    ");
    run(&room, json!({ "inline": ["exit 3"], "valid_exit_codes": [3] })).await.unwrap();
    let error = run(&room, json!({ "execute_command": ["sh", "-c", "kill -9 $$"], "inline": ["x"] })).await;
    assert!(error.unwrap_err().message.contains("status: -1."));
}

#[tokio::test]
async fn scripts_run_in_order_by_their_absolute_paths() {
    let mut room = Room::new();
    room.write("a.sh", "echo a $1\n");
    room.write("sub/b.sh", "echo b $1\n");
    let settings =
        json!({ "scripts": ["./a.sh", "sub/../sub/b.sh"], "execute_command": ["sh", "{{.Script}}", "x y"] });
    run(&room, settings).await.unwrap();
    assert_snapshot!(room.shown(), @r"
    say     Running local shell script: <CWD>/a.sh
    stdout  a x y
    say     Running local shell script: <CWD>/sub/b.sh
    stdout  b x y
    ");
}

#[tokio::test]
async fn other_systems_are_skipped() {
    let mut room = Room::new();
    run(&room, json!({ "command": "exit 1", "only_on": ["windows"] })).await.unwrap();
    assert_snapshot!(room.shown(), @"say     Skipping shell-local due to runtime OS");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let mut room = Room::new();
    let settings = json!({ "inline": ["x"], "execute_command": ["/no/such/shell", "{{.Script}}"], "tempfile_extension": "sh" });
    let error = run(&room, settings).await.unwrap_err();
    assert_snapshot!(room.plain(&error.chain()), @r"
    Error executing script: <CWD>/packer-shell<N>.sh

    Please see output above for more information.
    ");
    assert_snapshot!(room.shown(), @r"
    say     Running local shell script: <CWD>/packer-shell<N>.sh
    error   start `/no/such/shell`: no such file or directory
    ");
}

#[tokio::test]
async fn stopping_stops_what_the_script_has_started_too() {
    let room = Room::new();
    let stop = room.cancel.clone();
    let pid = room.folder.path().join("pid");
    let watching = pid.clone();
    tokio::spawn(async move {
        while std::fs::read_to_string(&watching).unwrap_or_default().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    });
    let begun = Instant::now();
    let error = run(&room, json!({ "inline": ["sleep 60 & echo $! > pid; wait"] })).await.unwrap_err();
    assert!(error.is_cancelled());
    assert!(
        room.plain(&error.chain()).starts_with("Error executing script: <CWD>/packer-shell<N>\n\nPlease see")
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
    let pid = std::fs::read_to_string(pid).unwrap();
    // A signal is delivered when the kernel next runs the process; a zombie nobody has reaped yet counts as gone.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let limit = Instant::now() + Duration::from_secs(5);
    while !(state().is_empty() || state().contains(") Z")) {
        assert!(Instant::now() < limit, "still there: {}", state());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn many_scripts_at_once_do_not_disturb_each_other() {
    let rooms: Vec<Room> = (0..40).map(|_| Room::new()).collect();
    let runs = rooms.iter().map(|room| run(room, json!({ "inline": ["echo ok"] })));
    for result in futures_util::future::join_all(runs).await {
        result.unwrap();
    }
}
