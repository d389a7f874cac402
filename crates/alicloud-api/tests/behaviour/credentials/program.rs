//! Credentials that a program prints.

use alicloud_api::credentials::{Asked, find};
use serde_json::json;

use super::{FILE, Memory, ground_of, key};

fn memory(command: &str) -> Memory {
    let file = json!({"profiles": [{"name": "p", "mode": "External", "process_command": command}]});
    let memory = Memory::default();
    memory.files.lock().unwrap().insert(FILE.into(), file.to_string());
    memory
}

fn asked() -> Asked {
    Asked { profile: Some("p".into()), ..Asked::default() }
}

async fn printed(command: &str) -> Result<String, String> {
    let found = find(&asked(), &ground_of(&[], memory(command))).unwrap();
    key(found.provider.as_ref()).await
}

/// Writes what the program prints into a file, since a command has no quotes.
fn prints(text: &str) -> (tempfile_free::Folder, String) {
    let folder = tempfile_free::Folder::new();
    let path = folder.0.join("out");
    std::fs::write(&path, text).unwrap();
    let command = format!("cat {}", path.display());
    (folder, command)
}

mod tempfile_free {
    /// A folder that goes with its test.
    pub struct Folder(pub std::path::PathBuf);

    impl Folder {
        pub fn new() -> Folder {
            let path = std::env::temp_dir().join(format!("alicloud-api-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

#[tokio::test]
async fn a_profile_like_object_is_taken() {
    let (_folder, command) = prints(
        r#"{"mode": "StsToken", "access_key_id": "STS.x", "access_key_secret": "s", "sts_token": "t"}"#,
    );
    assert_eq!(printed(&command).await.unwrap(), "STS.x");
    let (_folder, command) = prints(r#"{"access_key_id": "AK", "access_key_secret": "s"}"#);
    assert_eq!(printed(&command).await.unwrap(), "AK");
}

#[tokio::test]
async fn what_a_program_does_wrong_is_told_and_nothing_it_printed() {
    let cases = [
        ("false".to_owned(), "`false` failed (exit status: 1)"),
        ("/nowhere/at-all x".to_owned(), "`/nowhere/at-all` cannot be started"),
        ("echo hunter2".to_owned(), "the output of `echo`: it is not JSON (line 1, column 1)"),
        ("echo 7".to_owned(), "the output of `echo`: it is a number; a profile's object is wanted"),
        ("cat /dev/zero".to_owned(), "`cat` printed more than 64 KiB"),
        ("head -c 9 /dev/urandom".to_owned(), "the output of `head`: it is not"),
    ];
    for (command, expected) in cases {
        let error = printed(&command).await.unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
    let (_folder, command) = prints(r#"{"mode": "External", "process_command": "cat"}"#);
    assert!(printed(&command).await.unwrap_err().contains("it names a further program"));
    // No shell stands between.
    assert!(printed("echo $HOME; echo x").await.unwrap_err().contains("it is not JSON"));
}

#[tokio::test]
async fn a_program_of_a_file_that_others_may_write_is_not_started() {
    let foreign = Memory { foreign: true, ..memory("true") };
    let error = find(&asked(), &ground_of(&[], foreign)).unwrap_err().error.unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "credentials file `{FILE}`: `process_command` is not started: the file belongs to user 0, not to you"
        )
    );
}

/// The clock stands still while the program runs and jumps to the limit, as nothing else is going on.
#[tokio::test(start_paused = true)]
async fn a_program_that_hangs_is_ended() {
    let error = printed("sleep 1000").await.unwrap_err();
    assert!(error.contains("`sleep` was not done after 45 s and was ended"), "{error}");
}
