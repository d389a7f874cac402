//! Provisioner `file`.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use insta::assert_snapshot;
use kiln_core::error::Error;
use serde_json::json;

use crate::machine::Machine;
use crate::support::Room;

#[tokio::test]
async fn files_and_folders_go_where_the_slashes_say() {
    let (mut room, machine) = (Room::new(), Arc::new(Machine::default()));
    let path = room.write("conf/a.txt", "A");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o750)).unwrap();
    for (source, destination) in
        [("conf/a.txt", "/d/name"), ("conf/a.txt", "/d/"), ("conf", "/d"), ("conf/", "/d")]
    {
        let settings = json!({ "source": source, "destination": destination });
        room.provision("file", settings, machine.clone()).await.unwrap();
    }
    assert_snapshot!(machine.log(), @r#"
    upload /d/name (0750 1) "A"
    upload /d/a.txt (0750 1) "A"
    upload folder conf => /d (contents only: false)
    upload folder conf => /d (contents only: true)
    "#);
    assert_snapshot!(room.shown(), @r"
    say     Uploading conf/a.txt => /d/name
    say     Uploading conf/a.txt => /d/
    say     Uploading conf => /d
    say     Uploading conf/ => /d
    ");
}

#[tokio::test]
async fn content_is_uploaded_by_way_of_a_private_file() {
    let (mut room, machine) = (Room::new(), Arc::new(Machine::default()));
    let settings = json!({ "content": "hello {{ user `who` }}", "destination": "/etc/motd" });
    room.provision("file", settings, machine.clone()).await.unwrap();
    assert_snapshot!(machine.log(), @r#"upload /etc/motd (0600 9) "hello you""#);
    assert_snapshot!(room.shown(), @"say     Uploading <CWD>/pkr-file-content<N> => /etc/motd");
    assert_eq!(std::fs::read_dir(room.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn sources_come_before_source() {
    let (room, machine) = (Room::new(), Arc::new(Machine::default()));
    room.write("a", "");
    room.write("b", "");
    let settings = json!({ "source": "a", "sources": ["b"], "destination": "/d/" });
    room.provision("file", settings, machine.clone()).await.unwrap();
    assert_snapshot!(machine.log(), @r#"
    upload /d/b (0644 0) ""
    upload /d/a (0644 0) ""
    "#);
}

#[tokio::test]
async fn a_failed_upload_is_shown_and_returned() {
    let mut room = Room::new();
    room.write("a", "");
    let machine = Machine::default().fail_upload(Error::new("scp: /d: Is a directory"));
    let settings = json!({ "source": "a", "destination": "/d" });
    let error = room.provision("file", settings, Arc::new(machine)).await.unwrap_err();
    assert_eq!(error.chain(), "scp: /d: Is a directory");
    assert_eq!(error.hints, ["a destination that is a folder needs a slash at its end"]);
    assert_snapshot!(room.shown(), @r"
    say     Uploading a => /d
    error   Upload failed: scp: /d: Is a directory
    ");
}

#[tokio::test]
async fn downloads_make_the_folders_they_need() {
    let (mut room, machine) = (Room::new(), Arc::new(Machine::default()));
    for (source, destination) in
        [("/var/log/x.log", "logs/"), ("/var/log/x.log", "one/two.log"), ("/var/log/", "all/")]
    {
        let settings = json!({ "source": source, "destination": destination, "direction": "download" });
        room.provision("file", settings, machine.clone()).await.unwrap();
    }
    assert_snapshot!(machine.log(), @r"
    download /var/log/x.log
    download /var/log/x.log
    download folder /var/log/ => all
    ");
    assert_snapshot!(room.shown(), @r"
    say     Downloading /var/log/x.log => logs/x.log
    say     Downloading /var/log/x.log => one/two.log
    say     Downloading /var/log/ => all/
    ");
    assert_eq!(room.read("logs/x.log"), "downloaded");
    assert_eq!(room.read("one/two.log"), "downloaded");
    assert!(room.folder.path().join("all").is_dir());
}
