//! Builders `null` and `file`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use insta::assert_snapshot;
use kiln_core::communicator::{Command, Communicator, Exit};
use kiln_core::component::ProvisionHook;
use kiln_core::error::Result;
use kiln_core::value::Value;
use serde_json::json;

use crate::support::{Nobody, Room};

/// Runs one command on the machine and keeps the generated data.
#[derive(Default)]
struct Looker(Mutex<BTreeMap<String, Value>>);

#[async_trait]
impl ProvisionHook for Looker {
    async fn provision(
        &self,
        communicator: Arc<dyn Communicator>,
        values: BTreeMap<String, Value>,
    ) -> Result<()> {
        assert_eq!(communicator.start(Command::new("anything")).await?.wait().await, Exit::Code(0));
        *self.0.lock().unwrap() = values;
        Ok(())
    }
}

#[tokio::test]
async fn null_without_a_communicator_makes_nothing_and_says_nothing() {
    let (mut room, hook) = (Room::new(), Arc::new(Looker::default()));
    let artifact =
        room.build("null", json!({ "communicator": "none" }), hook.clone()).await.unwrap().unwrap();
    assert_eq!(artifact.builder_id, "fnoeding.null");
    assert_eq!(artifact.id, "Null");
    assert_eq!(artifact.text, "Did not export anything. This is the null builder");
    assert_eq!(artifact.files.len(), 0);
    assert_eq!(artifact.state["generated_data"], json!({ "ID": "Null" }));
    assert_snapshot!(room.shown(), @r"
    step    StepConnect
    step    StepProvision
    ");
    let values = hook.0.lock().unwrap();
    let names: Vec<_> = values.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ConnType",
            "ID",
            "PackerHTTPAddr",
            "PackerHTTPIP",
            "PackerHTTPPort",
            "PackerRunUUID",
            "SSHAgentAuth",
            "SSHPrivateKey",
            "SSHPrivateKeyFile",
            "SSHPublicKey",
            "WinRMPassword",
        ]
    );
}

#[tokio::test]
async fn null_says_why_it_cannot_connect_and_keeps_the_password_to_itself() {
    let mut room = Room::new();
    // Nobody listens on port 1.
    let settings = json!({
        "ssh_host": "127.0.0.1", "ssh_port": 1, "ssh_username": "root", "ssh_password": "hunter2", "ssh_timeout": "200ms",
    });
    let error = room.build("null", settings, Arc::new(Nobody)).await.unwrap_err();
    assert!(error.chain().starts_with("Timeout waiting for SSH."), "{}", error.chain());
    assert!(!format!("{} {:?}", error.chain(), error.hints).contains("hunter2"));
    room.events.output(kiln_core::communicator::Stream::Stdout, "the password is hunter2").await;
    assert_snapshot!(room.shown(), @r"
    step    StepConnect
    say     Using SSH communicator to connect: 127.0.0.1
    say     Waiting for SSH to become available...
    error   Timeout waiting for SSH.
    stdout  the password is <sensitive>
    ");
}

#[tokio::test]
async fn a_file_is_written_and_deleted_with_its_artifact() {
    let mut room = Room::new();
    let settings = json!({ "target": "out/o.txt", "content": "content\n" });
    let artifact = room.build("file", settings, Arc::new(Looker::default())).await.unwrap().unwrap();
    assert_eq!(room.read("out/o.txt"), "content\n");
    assert_eq!(artifact.text, "Stored file: out/o.txt");
    assert_eq!(artifact.files, [std::path::Path::new("out/o.txt")]);
    assert_eq!((artifact.builder_id.as_str(), artifact.id.as_str()), ("packer.file", "File"));
    assert_snapshot!(room.shown(), @"");

    let [resource] = artifact.resources.as_slice() else { panic!("{:?}", artifact.resources) };
    let table = kiln_components::reclaim_table();
    let row = table.get(&resource.intent.kind).unwrap();
    row.delete(resource, &room.cancel).await.unwrap();
    assert!(!room.folder.path().join("out/o.txt").exists());
}

#[tokio::test]
async fn a_file_is_copied_over_what_was_there() {
    let mut room = Room::new();
    room.write("in.txt", "in");
    room.write("o.txt", "longer than that");
    room.build("file", json!({ "target": "o.txt", "source": "in.txt" }), Arc::new(Nobody)).await.unwrap();
    assert_eq!(room.read("o.txt"), "in");
    assert_snapshot!(room.shown(), @r"
    say     Copying in.txt to o.txt
    say     Copied 2 bytes
    ");
}
