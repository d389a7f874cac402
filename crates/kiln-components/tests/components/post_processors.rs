//! Post-processors `manifest` and `shell-local`, and the small provisioners.

use std::path::PathBuf;
use std::sync::Arc;

use insta::assert_snapshot;
use kiln_core::artifact::Artifact;
use kiln_core::component::KeepInput;
use kiln_remote::none::NoneCommunicator;
use serde_json::json;

use crate::support::Room;

fn artifact(room: &Room) -> Artifact {
    room.write("dir/out.txt", "12345678");
    Artifact {
        builder_id: "packer.file".to_owned(),
        id: "File".to_owned(),
        files: vec![PathBuf::from("dir/out.txt"), PathBuf::from("gone.txt")],
        ..Artifact::default()
    }
}

#[tokio::test]
async fn a_manifest_grows_with_every_build() {
    let mut room = Room::new();
    let input = artifact(&room);
    let settings = json!({ "output": "m.json", "strip_time": true, "custom_data": { "b": "{{ build `ID` }}", "a": "x" } });
    let output = room.post_process("manifest", settings, &input).await.unwrap();
    assert_eq!((output.artifact.as_ref(), output.keep_input), (Some(&input), KeepInput::Forced));
    assert_snapshot!(room.read("m.json"), @r#"
    {
      "builds": [
        {
          "name": "web",
          "builder_type": "null",
          "files": [
            {
              "name": "dir/out.txt",
              "size": 8
            },
            {
              "name": "gone.txt",
              "size": 0
            }
          ],
          "artifact_id": "File",
          "packer_run_uuid": "f4353d0b-1c2c-6356-0090-5d490f556a52",
          "custom_data": {
            "a": "x",
            "b": "Null"
          }
        }
      ],
      "last_run_uuid": "f4353d0b-1c2c-6356-0090-5d490f556a52"
    }
    "#);
    assert!(!room.read("m.json").ends_with('\n'));

    room.scope.build_name = "second".to_owned();
    room.post_process("manifest", json!({ "output": "m.json", "strip_path": true }), &input).await.unwrap();
    let text = room.read("m.json");
    let names: Vec<_> = text.lines().filter(|line| line.contains("\"name\"")).map(str::trim).collect();
    assert_eq!(
        names,
        [
            r#""name": "web","#,
            r#""name": "dir/out.txt","#,
            r#""name": "gone.txt","#,
            r#""name": "second","#,
            r#""name": "out.txt","#,
            r#""name": "gone.txt","#,
        ]
    );
    assert!(text.contains("\"build_time\": "));

    // Another run with -force starts afresh; the same run goes on.
    room.scope.force = true;
    room.scope.run_uuid = "another".to_owned();
    for builds in 1..=2 {
        room.post_process("manifest", json!({ "output": "m.json" }), &input).await.unwrap();
        assert_eq!(room.read("m.json").matches("builder_type").count(), builds);
    }
    let names: Vec<_> =
        std::fs::read_dir(room.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "lock or temporary file left: {names:?}");
}

#[tokio::test]
async fn many_builds_may_write_one_manifest_at_once() {
    let room = Room::new();
    let input = artifact(&room);
    let runs = (0..20).map(|_| room.post_process("manifest", json!({}), &input));
    for result in futures_util::future::join_all(runs).await {
        result.unwrap();
    }
    assert_eq!(room.read("packer-manifest.json").matches("builder_type").count(), 20);
}

#[tokio::test]
async fn a_broken_manifest_is_left_alone() {
    let room = Room::new();
    room.write("m.json", "{");
    let error =
        room.post_process("manifest", json!({ "output": "m.json" }), &artifact(&room)).await.unwrap_err();
    assert_eq!(error.chain(), "Unable to parse content from m.json: unexpected end of JSON input");
    assert_eq!(room.read("m.json"), "{");
}

#[tokio::test]
async fn shell_local_knows_what_the_artifact_says_of_its_build() {
    let mut room = Room::new();
    let mut input = artifact(&room);
    input.state.insert("generated_data".to_owned(), json!({ "ID": "from the artifact" }));
    let settings =
        json!({ "inline": ["echo {{ build `ID` }}"], "execute_command": ["{{.Vars}} {{.Script}}"] });
    let output = room.post_process("shell-local", settings, &input).await.unwrap();
    assert_eq!((output.artifact.as_ref(), output.keep_input), (Some(&input), KeepInput::Forced));
    assert!(room.shown().starts_with("say     Running local shell script: <CWD>/packer-shell<N>\nstdout  "));
}

#[tokio::test]
async fn a_breakpoint_stops_unless_it_is_disabled() {
    let mut room = Room::new();
    let none = Arc::new(NoneCommunicator);
    for settings in [json!({ "disable": true }), json!({ "disable": true, "note": "n" })] {
        room.provision("breakpoint", settings, none.clone()).await.unwrap();
    }
    for settings in [json!({}), json!({ "note": "n" })] {
        let error = room.provision("breakpoint", settings, none.clone()).await.unwrap_err();
        assert_eq!(error.chain(), "Error asking for input: no available tty");
    }
    assert_snapshot!(room.shown(), @r#"
    say     Breakpoint provisioner disabled; continuing...
    say     Breakpoint provisioner with note "n" disabled; continuing...
    say     Pausing at breakpoint provisioner.
    say     Pausing at breakpoint provisioner with note "n".
    "#);
}

#[tokio::test]
async fn sleeping_ends_on_request_and_says_nothing() {
    let mut room = Room::new();
    let none = Arc::new(NoneCommunicator);
    room.provision("sleep", json!({ "duration": "1ms" }), none.clone()).await.unwrap();
    room.cancel.cancel();
    let error = room.provision("sleep", json!({ "duration": "1h" }), none).await.unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(room.shown(), "");
}
