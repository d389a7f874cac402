//! Files and folders, there and back, by both methods.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use kiln_core::communicator::{Communicator, FileInfo};
use kiln_remote::connect::Transfer;
use kiln_remote::ssh::SshCommunicator;

use crate::support::{Sshd, sshd};

const BOTH: [Transfer; 2] = [Transfer::Scp, Transfer::Sftp];

async fn connect(sshd: &Sshd, transfer: Transfer) -> SshCommunicator {
    let mut config = sshd.config();
    config.transfer = transfer;
    sshd.connect(&config).await.unwrap()
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Returns every path below `folder` with its mode and its content.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let mode = mode(path.to_str().unwrap());
            match path.is_dir() {
                true => {
                    found.push(format!("{mode:o} {name}/"));
                    left.push(path);
                }
                false => found.push(format!("{mode:o} {name} {:?}", std::fs::read_to_string(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

/// A folder with all that is awkward.
fn sample(at: &Path) {
    for (name, mode) in [("a b", 0o755), ("a b/empty folder", 0o750), ("deep", 0o700), ("deep/er", 0o755)] {
        std::fs::create_dir_all(at.join(name)).unwrap();
        std::fs::set_permissions(at.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    for (name, text, mode) in [
        ("top.txt", "top", 0o644),
        ("a b/with space.sh", "#!/bin/sh\n", 0o755),
        ("a b/empty", "", 0o600),
        ("deep/er/ünï", "u", 0o640),
    ] {
        std::fs::write(at.join(name), text).unwrap();
        std::fs::set_permissions(at.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink("top.txt", at.join("link")).unwrap();
}

const SAMPLE: [&str; 9] = [
    "600 a b/empty \"\"",
    "640 deep/er/ünï \"u\"",
    "644 link \"top\"",
    "644 top.txt \"top\"",
    "700 deep/",
    "750 a b/empty folder/",
    "755 a b/",
    "755 a b/with space.sh \"#!/bin/sh\\n\"",
    "755 deep/er/",
];

#[tokio::test]
async fn a_file_goes_there_and_back() {
    let sshd = sshd!();
    for transfer in BOTH {
        let ssh = connect(&sshd, transfer).await;
        std::fs::create_dir_all(sshd.path("with space")).unwrap();
        for (name, content, given) in [
            ("plain", b"hello".to_vec(), None),
            ("with space/and mode", b"#!/bin/sh".to_vec(), Some(0o751)),
            ("empty", Vec::new(), Some(0o600)),
            ("empty of unknown size", Vec::new(), None),
        ] {
            let path = sshd.path(name);
            let info = given.map(|mode| FileInfo { mode, size: content.len() as u64 });
            ssh.upload(&path, &mut &content[..], info).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content, "{name}");
            assert_eq!(mode(&path), given.unwrap_or(0o644), "{name} {transfer:?}");
            let mut back = Vec::new();
            ssh.download(&path, &mut back).await.unwrap();
            assert_eq!(back, content);
            std::fs::remove_file(&path).unwrap();
        }
        // A shorter file leaves nothing of a longer one.
        ssh.upload(&sshd.path("twice"), &mut &b"longer"[..], None).await.unwrap();
        ssh.upload(&sshd.path("twice"), &mut &b"new"[..], None).await.unwrap();
        assert_eq!(std::fs::read(sshd.path("twice")).unwrap(), b"new");
    }
}

#[tokio::test]
async fn a_large_file_goes_there_and_back() {
    let sshd = sshd!();
    let content: Vec<u8> = (0..20_000_000u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    for transfer in BOTH {
        let ssh = connect(&sshd, transfer).await;
        let path = sshd.path("large");
        let info = Some(FileInfo { mode: 0o644, size: content.len() as u64 });
        for info in [info, None] {
            let begun = Instant::now();
            ssh.upload(&path, &mut &content[..], info).await.unwrap();
            eprintln!(
                "{transfer:?} up {:.0} MiB/s",
                content.len() as f64 / 1048576.0 / begun.elapsed().as_secs_f64()
            );
            assert!(std::fs::read(&path).unwrap() == content);
        }
        let begun = Instant::now();
        let mut back = Vec::new();
        ssh.download(&path, &mut back).await.unwrap();
        eprintln!(
            "{transfer:?} down {:.0} MiB/s",
            content.len() as f64 / 1048576.0 / begun.elapsed().as_secs_f64()
        );
        assert!(back == content);
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_folder_goes_there_and_back() {
    let sshd = sshd!();
    let source = sshd.folder.path().join("the source");
    sample(&source);
    for (n, transfer) in BOTH.into_iter().enumerate() {
        let ssh = connect(&sshd, transfer).await;
        let there = sshd.folder.path().join(format!("there {n}"));
        std::fs::create_dir(&there).unwrap();
        ssh.upload_dir(there.to_str().unwrap(), &source, false).await.unwrap();
        assert_eq!(tree(&there.join("the source")), SAMPLE, "{transfer:?}");
        assert_eq!(std::fs::read_dir(&there).unwrap().count(), 1);

        let contents = sshd.folder.path().join(format!("contents{n}"));
        std::fs::create_dir(&contents).unwrap();
        ssh.upload_dir(contents.to_str().unwrap(), &source, true).await.unwrap();
        assert_eq!(tree(&contents), SAMPLE, "{transfer:?}");
        // Again over what is there.
        ssh.upload_dir(contents.to_str().unwrap(), &source, true).await.unwrap();

        let back = sshd.folder.path().join(format!("back{n}"));
        ssh.download_dir(&format!("{}/", contents.display()), &back).await.unwrap();
        assert_eq!(tree(&back.join(format!("contents{n}"))), SAMPLE, "{transfer:?}");
        ssh.download_dir(&there.join("the source").display().to_string(), &back).await.unwrap();
        assert_eq!(tree(&back.join("the source")), SAMPLE, "{transfer:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_an_error() {
    let sshd = sshd!();
    std::fs::create_dir(sshd.path("folder")).unwrap();
    std::fs::write(sshd.path("file"), "x").unwrap();
    let (folder, nowhere) = (sshd.path("folder"), sshd.path("no/where/file"));
    for transfer in BOTH {
        let ssh = connect(&sshd, transfer).await;
        let text = |error: kiln_core::Error| error.chain();
        let onto_folder = text(ssh.upload(&folder, &mut &b"x"[..], None).await.unwrap_err());
        let missing_parent = text(ssh.upload(&nowhere, &mut &b"x"[..], None).await.unwrap_err());
        let missing_file = text(ssh.download(&nowhere, &mut Vec::new()).await.unwrap_err());
        let of_folder = text(ssh.download(&folder, &mut Vec::new()).await.unwrap_err());
        let missing_target = text(ssh.upload_dir(&nowhere, sshd.folder.path(), true).await.unwrap_err());
        let missing_folder =
            text(ssh.download_dir(&nowhere, &sshd.folder.path().join("b")).await.unwrap_err());
        match transfer {
            Transfer::Scp => {
                assert_eq!(onto_folder, format!("scp: {folder}: Is a directory"));
                assert!(missing_parent.ends_with("No such file or directory"), "{missing_parent}");
                assert_eq!(missing_file, format!("scp: {nowhere}: No such file or directory"));
                assert_eq!(of_folder, format!("scp: {folder}: not a regular file"));
                assert!(!missing_target.is_empty(), "{missing_target}");
            }
            Transfer::Sftp => {
                assert!(onto_folder.starts_with(&format!("sftp: create {folder}: ")), "{onto_folder}");
                assert!(missing_parent.contains("No such file"), "{missing_parent}");
                assert!(missing_file.contains("No such file"), "{missing_file}");
                assert!(!of_folder.is_empty(), "{of_folder}");
                assert!(missing_target.contains("No such file"), "{missing_target}");
            }
        }
        assert_eq!(missing_folder, format!("scp: {nowhere}: No such file or directory"));
        // None of it spoils the connection.
        ssh.upload(&sshd.path("after"), &mut &b"fine"[..], None).await.unwrap();
    }
}

#[tokio::test]
async fn a_link_in_a_circle_ends() {
    let sshd = sshd!();
    let source = sshd.folder.path().join("circle");
    std::fs::create_dir_all(source.join("in")).unwrap();
    std::os::unix::fs::symlink("..", source.join("in/out")).unwrap();
    std::fs::create_dir(sshd.path("target")).unwrap();
    for transfer in BOTH {
        let ssh = connect(&sshd, transfer).await;
        let error = ssh.upload_dir(&sshd.path("target"), &source, true).await.unwrap_err();
        assert!(error.chain().contains("a symbolic link leads back"), "{}", error.chain());
    }
}

#[tokio::test]
async fn transfers_and_commands_share_a_connection() {
    let sshd = sshd!("MaxSessions 40");
    for transfer in BOTH {
        let ssh = connect(&sshd, transfer).await;
        let content = vec![7u8; 3_000_000];
        let all = (0..6).map(|n| {
            let (ssh, sshd, content) = (&ssh, &sshd, &content);
            async move {
                let path = sshd.path(&format!("file{n}"));
                ssh.upload(&path, &mut &content[..], None).await.unwrap();
                let mut back = Vec::new();
                ssh.download(&path, &mut back).await.unwrap();
                assert!(&back == content);
            }
        });
        futures_util::future::join_all(all).await;
    }
}

#[tokio::test]
async fn a_machine_without_scp_says_so() {
    let sshd = sshd!("SetEnv PATH=/nonexistent");
    let ssh = connect(&sshd, Transfer::Scp).await;
    let error = ssh.upload(&sshd.path("f"), &mut &b"x"[..], None).await.unwrap_err();
    let expected =
        "SCP failed to start. This usually means that SCP is not\nproperly installed on the remote system.";
    assert_eq!(error.chain(), expected);
}

#[tokio::test]
async fn a_transfer_over_a_dying_connection_fails() {
    let sshd = sshd!();
    for transfer in BOTH {
        let ssh = connect(&sshd, transfer).await;
        let path = sshd.path("endless");
        let killer = async {
            while std::fs::metadata(&path).map_or(0, |metadata| metadata.len()) < 100_000 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            sshd.kill_sessions();
        };
        let mut endless = tokio::io::repeat(1);
        let info = Some(FileInfo { mode: 0o644, size: 1 << 40 });
        let upload = ssh.upload(&path, &mut endless, info);
        let both = async { tokio::join!(upload, killer) };
        let (result, ()) = tokio::time::timeout(std::time::Duration::from_secs(20), both).await.unwrap();
        assert!(result.is_err(), "{transfer:?}");
        std::fs::remove_file(&path).unwrap();
    }
}
