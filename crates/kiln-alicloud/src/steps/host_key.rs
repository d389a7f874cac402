//! Whose machine this is: the key it shows is compared with one that came another way.
//!
//! A key installed by user data is known before the first packet. One that the instance writes to its console is
//! compared after the log-in and before anything is sent or run: a log-in with a key gives nothing away, as its
//! signature is bound to the connection. Either way, and without both, the key is pinned from then on: no later
//! connection of the build takes another one.

use std::time::Duration;

use alicloud_api::ecs::GetInstanceConsoleOutput;
use alicloud_api::{ErrorKind as ApiErrorKind, InstanceId, Verdict};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::EventKind;
use kiln_remote::connect::{Failure, HostKeyPolicy};
use kiln_remote::host_key::{fingerprint, may_still_come, on_console};
use kiln_remote::keys::PublicKey;
use kiln_remote::ssh::SshCommunicator;

use super::key_pair::BoundKey;
use crate::build::Site;
use crate::config::HostKeySource;

/// How long a console on which cloud-init is at work is waited for: it writes the keys at its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns what to accept at first.
pub(super) fn policy(key: &BoundKey) -> HostKeyPolicy {
    match &key.host_key {
        Some(pair) => HostKeyPolicy::Pinned(vec![pair.public_key().clone()]),
        None => HostKeyPolicy::TrustOnFirstUse,
    }
}

/// Compares the key of the connection with the console's. Says so if there is nothing to compare it with.
///
/// # Errors
///
/// The console shows other keys: another machine answered.
pub(super) async fn check(site: &Site<'_>, id: &InstanceId, connection: &SshCommunicator) -> Result<()> {
    let HostKeyPolicy::Pinned(shown) = connection.host_key_policy() else {
        return Ok(());
    };
    let Some(shown) = shown.into_iter().next() else {
        return Ok(());
    };
    let why = match site.plan.launch.host_key {
        HostKeySource::UserData => return Ok(()),
        HostKeySource::FirstUse => "as `ssh_host_key` says".to_owned(),
        HostKeySource::Console => match of_console(site, id).await {
            Ok(keys) => match compare(&shown, &keys) {
                Compared::Same => return Ok(()),
                Compared::Unknown => "its console shows none".to_owned(),
                Compared::Other => return Err(mismatch(site, connection, &shown, &keys).await),
            },
            Err(error) => format!("its console cannot be read: {error}"),
        },
    };
    let text = format!("The host key of `{id}`, {}, is trusted on first use: {why}.", fingerprint(&shown));
    site.cx.events.emit(EventKind::Hint { text }).await;
    Ok(())
}

/// What comes of comparing a key with those on a console.
#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Same,
    /// The console shows none.
    Unknown,
    Other,
}

fn compare(shown: &PublicKey, on_console: &[PublicKey]) -> Compared {
    match on_console {
        [] => Compared::Unknown,
        keys if keys.iter().any(|key| key.key_data() == shown.key_data()) => Compared::Same,
        _ => Compared::Other,
    }
}

/// Returns the keys on the console; none if there are none and none will come.
async fn of_console(site: &Site<'_>, id: &InstanceId) -> alicloud_api::Result<Vec<PublicKey>> {
    let ecs = site.cloud.ecs();
    let look = GetInstanceConsoleOutput { instance_id: id.clone(), remove_symbols: None };
    let (ecs, look) = (&ecs, &look);
    let probe = || async move {
        let text = ecs.get_instance_console_output(look).await?.text();
        let keys = on_console(&text);
        Ok(match keys.is_empty() && may_still_come(&text) {
            true => Verdict::not_yet("cloud-init at work"),
            false => Verdict::Done(keys),
        })
    };
    match site.cloud.wait(format!("host keys of `{id}`"), PATIENCE, &[], probe).await {
        Err(error) if *error.kind() == ApiErrorKind::TimedOut => Ok(Vec::new()),
        found => found,
    }
}

async fn mismatch(
    site: &Site<'_>,
    connection: &SshCommunicator,
    shown: &PublicKey,
    keys: &[PublicKey],
) -> Error {
    let failure = Failure::HostKey {
        address: connection.address().clone(),
        shown: fingerprint(shown),
        expected: keys.iter().map(fingerprint).collect::<Vec<_>>().join(" or "),
    };
    let text = format!("Error waiting for SSH: {failure}");
    site.cx.events.error(&text).await;
    let error = Error { shown: true, ..Error::new(text) }.kind(ErrorKind::Refused);
    let error = failure.hints().into_iter().fold(error, Error::hint);
    error.hint("expected are the keys on the instance's console; if the image changes its keys after that, set `ssh_host_key` to `first-use`")
}

#[cfg(test)]
mod tests {
    use kiln_remote::keys::{KeyKind, KeyPair};

    use super::*;

    #[tokio::test]
    async fn a_key_that_is_not_on_the_console_is_another_machines() {
        let (ours, other) = (
            KeyPair::generate(KeyKind::Ed25519).await.unwrap(),
            KeyPair::generate(KeyKind::Ed25519).await.unwrap(),
        );
        let (ours, other) = (ours.public_key(), other.public_key());
        assert_eq!(compare(ours, &[other.clone(), ours.clone()]), Compared::Same);
        assert_eq!(compare(ours, std::slice::from_ref(other)), Compared::Other);
        assert_eq!(compare(ours, &[]), Compared::Unknown);
    }
}
