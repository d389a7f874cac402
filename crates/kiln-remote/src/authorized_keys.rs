//! Removes a temporary key's line from the machine before an image is made of it: as Packer does when it is asked to
//! (by the key's name), and as Kiln always does (by the key itself).

use std::time::Duration;

use kiln_core::communicator::{Command, Communicator, Exit};
use kiln_core::error::{Context as _, ErrorKind};
use kiln_core::{Error, Events, Result};
use russh::keys::PublicKey;
use tokio_util::sync::CancellationToken;

/// A machine that does not get two `sed` done by then is not worth waiting for.
const LIMIT: Duration = Duration::from_secs(60);

/// Deletes the lines that end in the key pair's name, as `ssh_clear_authorized_keys` asks, from the user's file and
/// root's. Failures are only logged: a machine may lack the files, or `sudo`.
pub async fn clear(
    communicator: &dyn Communicator,
    key_name: &str,
    events: &Events,
    cancel: &CancellationToken,
) {
    events.say("Trying to remove ephemeral keys from authorized_keys files").await;
    for line in commands(key_name) {
        let work =
            async { Ok::<_, kiln_core::Error>(communicator.start(Command::new(&line)).await?.wait().await) };
        tokio::select! {
            () = cancel.cancelled() => return,
            ended = tokio::time::timeout(LIMIT, work) => tracing::debug!(?ended, %line, "cleared authorized_keys"),
        }
    }
}

/// Deletes the lines that hold exactly this key (its base64 text) from the files of the user and of root, silently.
///
/// Nothing else of the files changes: not their owner, mode or other lines.
///
/// # Errors
///
/// The machine did not do it within `limit`: the connection is gone, or root's file is not ours to change.
pub async fn remove(communicator: &dyn Communicator, key: &PublicKey, limit: Duration) -> Result<()> {
    run(communicator, &removal(&base64(key)), limit)
        .await
        .context("remove the temporary key from authorized_keys")
}

/// Deletes the host key `key` from `/etc/ssh`, silently, so that it does not become the image's.
///
/// # Errors
///
/// As [`remove`].
pub async fn remove_host_key(
    communicator: &dyn Communicator,
    key: &PublicKey,
    limit: Duration,
) -> Result<()> {
    let script = format!(
        r#"for f in /etc/ssh/ssh_host_*_key.pub; do
  [ -f "$f" ] && grep -qF -- '{key}' "$f" && rm -f -- "$f" "${{f%.pub}}"
done
! grep -qsF -- '{key}' /etc/ssh/ssh_host_*_key.pub"#,
        key = base64(key)
    );
    run(communicator, &as_root(&script), limit).await.context("remove the temporary host key")
}

async fn run(communicator: &dyn Communicator, script: &str, limit: Duration) -> Result<()> {
    let work = async { Ok::<_, Error>(communicator.start(Command::new(script)).await?.wait().await) };
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(Exit::Code(0))) => Ok(()),
        Ok(Ok(exit)) => Err(Error::new(format!("the script ended with {exit:?}"))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::new("the machine did not answer in time").kind(ErrorKind::TimedOut)),
    }
}

/// Returns the key's text in an `authorized_keys` line: nothing else in such files can look like it.
fn base64(key: &PublicKey) -> String {
    let line = key.to_openssh().unwrap_or_default();
    line.split_whitespace().nth(1).unwrap_or("no key").to_owned()
}

/// The file is rewritten in place, and only from a complete copy: a full disk must not cost the other keys.
fn removal(key: &str) -> String {
    let one = format!(
        r#"k='{key}'
clean() {{
  [ -f "$1" ] && grep -qF -- "$k" "$1" || return 0
  t=$(mktemp) || return 1
  grep -vF -- "$k" "$1" > "$t"
  [ $? -le 1 ] && cat "$t" > "$1" || {{ rm -f "$t"; return 1; }}
  rm -f "$t"
  ! grep -qF -- "$k" "$1"
}}"#
    );
    let root = as_root(&format!(
        "{one}
clean /root/.ssh/authorized_keys"
    ));
    format!(
        "{one}
clean ~/.ssh/authorized_keys; own=$?
{{ {root}
}} && [ $own = 0 ]"
    )
}

/// Returns `script` run as root: directly where that is who we are, else by `sudo` without a question.
fn as_root(script: &str) -> String {
    let quoted = script.replace('\'', r"'\''");
    format!("if [ \"$(id -u)\" = 0 ]; then sh -c '{quoted}'; else sudo -n sh -c '{quoted}' 2>/dev/null; fi")
}

/// Root's file.
const ROOTS: &str = "/root/.ssh/authorized_keys";

fn commands(key_name: &str) -> [String; 2] {
    // The name stands within a pattern, within single quotes.
    let mut name = String::new();
    for letter in key_name.chars() {
        match letter {
            '\'' => name.push_str("'\\''"),
            '/' | '.' | '*' | '[' | ']' | '^' | '$' | '\\' => name.extend(['\\', letter]),
            letter => name.push(letter),
        }
    }
    let (user, root) = ("~/.ssh/authorized_keys", ROOTS);
    [
        format!("sed -i.bak '/ {name}$/d' {user}; rm {user}.bak"),
        format!("sudo sed -i.bak '/ {name}$/d' {root}; sudo rm {root}.bak"),
    ]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{ROOTS, base64, commands, removal};
    use crate::keys::{KeyKind, KeyPair};

    #[test]
    fn the_commands_are_packers() {
        assert_eq!(
            commands("packer_6-x"),
            [
                "sed -i.bak '/ packer_6-x$/d' ~/.ssh/authorized_keys; rm ~/.ssh/authorized_keys.bak",
                "sudo sed -i.bak '/ packer_6-x$/d' /root/.ssh/authorized_keys; sudo rm /root/.ssh/authorized_keys.bak",
            ]
        );
        assert!(commands("a'/.b")[0].starts_with("sed -i.bak '/ a'\\''\\/\\.b$/d' "));
    }
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a shell here stands for the machine's")]
    async fn exactly_the_temporary_key_goes() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        std::fs::create_dir(home.join(".ssh")).unwrap();
        let (ours, theirs) = (
            KeyPair::generate(KeyKind::Ecdsa(256)).await.unwrap(),
            KeyPair::generate(KeyKind::Ecdsa(256)).await.unwrap(),
        );
        let (ours_line, theirs_line) = (ours.public_line(), theirs.public_line());
        let options = "no-port-forwarding,command=\"echo 'not here'\"";
        let users = format!("# keys\n{}packer_6\n{theirs_line}", ours_line.replace('\n', " "));
        let roots = format!("{theirs_line}{options} {ours_line}");
        let root = home.join("roots keys");
        std::fs::write(home.join(".ssh/authorized_keys"), users).unwrap();
        std::fs::write(&root, roots).unwrap();
        // Root's file is not ours in a test: the script is given another, and needs no `sudo` for it.
        let script = removal(&base64(ours.public_key()))
            .replace(ROOTS, &format!("\"{}\"", root.display()))
            .replace("\"$(id -u)\" = 0", "0 = 0");
        let run = |script: &str| {
            Command::new("sh").args(["-c", script]).env("HOME", home).status().unwrap().code().unwrap()
        };
        assert_eq!(run(&script), 0);
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&home.join(".ssh/authorized_keys")), format!("# keys\n{theirs_line}"));
        assert_eq!(read(&root), theirs_line);
        // Again, and where there is no file at all: nothing to do.
        assert_eq!(run(&script), 0);
        std::fs::remove_file(&root).unwrap();
        assert_eq!(run(&script), 0);
    }
}
