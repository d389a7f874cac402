//! Provisioner `shell`: the commands a machine gets are an interface.

use std::sync::Arc;

use insta::assert_snapshot;
use kiln_core::communicator::{Exit, Stream};
use kiln_core::error::{Error, ErrorKind};
use kiln_remote::none::NoneCommunicator;
use serde_json::json;

use crate::machine::Machine;
use crate::support::Room;

#[tokio::test]
async fn an_inline_script_is_uploaded_run_and_removed() {
    let mut room = Room::new();
    let output = [(Stream::Stdout, "hi\nbye"), (Stream::Stderr, "oops \r\n")];
    let machine = Arc::new(Machine::default().reply("PACKER_BUILD_NAME", &output, Exit::Code(0)));
    let settings =
        json!({ "inline": ["echo hi", "echo {{ build `ID` }} {{ user `who` }}"], "env": { "A": "it's" } });
    room.provision("shell", settings, machine.clone()).await.unwrap();
    assert_snapshot!(machine.log(), @r##"
    upload /tmp/script_2.sh (-) "#!/bin/sh -e\necho hi\necho Null you\n"
    run chmod 0755 /tmp/script_2.sh
    run chmod +x /tmp/script_2.sh; A='it'"'"'s' PACKER_BUILDER_TYPE='null' PACKER_BUILD_NAME='web'  /tmp/script_2.sh
    run rm -f /tmp/script_2.sh
    run rm -f 
    "##);
    assert_snapshot!(room.shown(), @r"
    say     Provisioning with shell script: <CWD>/packer-shell<N>
    stdout  hi
    stderr  oops
    stdout  bye
    ");
    let left: Vec<_> = std::fs::read_dir(room.folder.path()).unwrap().collect();
    assert!(left.is_empty(), "the local script is still there");
}

#[tokio::test]
async fn a_shebang_in_the_first_command_is_used_unless_one_is_set() {
    for (settings, script) in [
        (json!({ "inline": ["#!/bin/bash", "x"] }), r##""#!/bin/bash\nx\n""##),
        (
            json!({ "inline": ["#!/bin/bash", "x"], "inline_shebang": "/bin/zsh" }),
            r##""#!/bin/zsh\n#!/bin/bash\nx\n""##,
        ),
    ] {
        let (room, machine) = (Room::new(), Arc::new(Machine::default()));
        room.provision("shell", settings, machine.clone()).await.unwrap();
        assert!(machine.log().contains(script), "{}", machine.log());
    }
}

#[tokio::test]
async fn variables_may_go_by_a_private_file_instead_of_the_command_line() {
    let (room, machine) = (Room::new(), Arc::new(Machine::default()));
    room.write("a.sh", "one\r\n");
    let settings = json!({
        "scripts": ["a.sh", "a.sh"], "use_env_var_file": true, "environment_vars": ["SECRET=s3cret"],
        "remote_folder": "/root", "remote_file": "x.sh",
    });
    room.provision("shell", settings, machine.clone()).await.unwrap();
    assert_snapshot!(machine.log(), @r#"
    upload /root/varfile_1.sh (0600 88) "export PACKER_BUILDER_TYPE='null'\nexport PACKER_BUILD_NAME='web'\nexport SECRET='s3cret'\n"
    run chmod 0600 /root/varfile_1.sh
    upload /root/x.sh (-) "one\n"
    run chmod 0755 /root/x.sh
    run chmod +x /root/x.sh; . /root/varfile_1.sh && /root/x.sh
    run rm -f /root/x.sh
    upload /root/x.sh (-) "one\n"
    run chmod 0755 /root/x.sh
    run chmod +x /root/x.sh; . /root/varfile_1.sh && /root/x.sh
    run rm -f /root/x.sh
    run rm -f /root/varfile_1.sh
    "#);
}

#[tokio::test]
async fn the_command_and_the_paths_may_be_chosen() {
    let (room, machine) = (Room::new(), Arc::new(Machine::default()));
    room.write("a.sh", "one\r\n");
    let settings = json!({
        "script": "a.sh", "binary": true, "skip_clean": true, "remote_path": "/opt/run.sh",
        "execute_command": "echo '{{ build `Host` }}' | {{.Vars}} sudo -S -E sh '{{.Path}}'",
    });
    room.provision("shell", settings, machine.clone()).await.unwrap();
    assert_snapshot!(machine.log(), @r#"
    upload /opt/run.sh (-) "one\r\n"
    run chmod 0755 /opt/run.sh
    run echo '10.0.0.1' | PACKER_BUILDER_TYPE='null' PACKER_BUILD_NAME='web'  sudo -S -E sh '/opt/run.sh'
    "#);
}

#[tokio::test]
async fn a_script_that_fails_fails_the_build() {
    let room = Room::new();
    let machine = Machine::default().reply("PACKER_BUILD_NAME", &[], Exit::Code(3));
    let error =
        room.provision("shell", json!({ "inline": ["exit 3"] }), Arc::new(machine)).await.unwrap_err();
    assert_eq!(error.chain(), "Script exited with non-zero exit status: 3. Allowed exit codes are: [0]");
}

#[tokio::test]
async fn a_lost_connection_is_an_error_unless_it_is_expected() {
    let run = async |settings| {
        let machine = Machine::default().reply("PACKER_BUILD_NAME", &[], Exit::Disconnected);
        Room::new().provision("shell", settings, Arc::new(machine)).await
    };
    let error = run(json!({ "inline": ["reboot"] })).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    assert!(
        error.message.starts_with("Script disconnected unexpectedly. If you expected"),
        "{}",
        error.message
    );
    run(json!({ "inline": ["reboot"], "expect_disconnect": true })).await.unwrap();
    run(json!({ "inline": ["reboot"], "valid_exit_codes": [0, 2300218] })).await.unwrap();
}

#[tokio::test]
async fn what_cannot_succeed_is_not_tried_for_five_minutes() {
    let room = Room::new();
    let error =
        room.provision("shell", json!({ "inline": ["x"] }), Arc::new(NoneCommunicator)).await.unwrap_err();
    assert_eq!(error.chain(), "Error uploading script: Upload is not implemented when communicator = 'none'");
    assert_eq!(error.hints.len(), 1);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let room = Room::new();
    let lost = Error::new("connection lost").kind(ErrorKind::Disconnected);
    let machine = Arc::new(Machine::default().fail_upload(lost));
    room.provision("shell", json!({ "inline": ["x"], "skip_clean": true }), machine.clone()).await.unwrap();
    assert_eq!(machine.log().matches("upload").count(), 2, "{}", machine.log());
}

#[tokio::test]
async fn a_script_that_cannot_be_removed_is_an_error() {
    let room = Room::new();
    let machine = Machine::default().reply("rm -f", &[], Exit::Code(1));
    let error = room.provision("shell", json!({ "inline": ["x"] }), Arc::new(machine)).await.unwrap_err();
    assert_eq!(error.chain(), "Error removing temporary script at /tmp/script_2.sh!");
}

#[tokio::test]
async fn pausing_afterwards_is_said_and_ends_on_request() {
    let mut room = Room::new();
    room.cancel.cancel();
    let error = room
        .provision("shell", json!({ "inline": ["x"], "pause_after": "1h" }), Arc::new(Machine::default()))
        .await;
    assert!(error.unwrap_err().is_cancelled());

    room = Room::new();
    let settings = json!({ "inline": ["x"], "pause_after": "1ms" });
    room.provision("shell", settings, Arc::new(Machine::default())).await.unwrap();
    assert!(room.shown().contains("say     Pausing 1ms after this provisioner..."));
}
