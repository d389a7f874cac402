//! Removes a temporary key's line from the machine before an image is made of it.

use std::time::Duration;

use kiln_core::Events;
use kiln_core::communicator::{Command, Communicator};
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
    let (user, root) = ("~/.ssh/authorized_keys", "/root/.ssh/authorized_keys");
    [
        format!("sed -i.bak '/ {name}$/d' {user}; rm {user}.bak"),
        format!("sudo sed -i.bak '/ {name}$/d' {root}; sudo rm {root}.bak"),
    ]
}

#[cfg(test)]
mod tests {
    use super::commands;

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
}
