//! Trying again what a machine that is just starting, or restarting, may refuse for a while.

use std::future::Future;
use std::time::Duration;

use kiln_core::component::ProvisionContext;
use kiln_core::error::{Error, ErrorKind, Result};
use tokio::time::Instant;

/// How long after a failure the next attempt begins.
const PACE: Duration = Duration::from_secs(2);

/// What no amount of waiting changes, by the words it is reported with, and what to do about it.
///
/// Packer tries these for the whole of `start_retry_timeout` too: five silent minutes by default, and then the same
/// error. Here they end at once.
const PERMANENT: [(&str, &str); 6] = [
    (
        "is not implemented when communicator",
        "communicator `none` reaches no machine: use `shell-local`, or give the builder a communicator",
    ),
    (
        "Permission denied",
        "the remote user may not write there: choose another `remote_folder` or `ssh_username`",
    ),
    (
        "permission denied",
        "the remote user may not write there: choose another `remote_folder` or `ssh_username`",
    ),
    ("No space left on device", "the machine's disk is full: give it a larger one, or free some space first"),
    ("Read-only file system", "choose a `remote_folder` on a file system that can be written"),
    ("SCP failed to start", "install scp on the machine, or set `ssh_file_transfer_method` to `sftp`"),
];

/// Attempts until one succeeds, `limit` has passed since the first (looked at after each failure), the error is one
/// that no waiting changes, or the provisioner should stop. Returns the last error then.
pub(crate) async fn until<T, F, Fut>(
    cx: &ProvisionContext,
    what: &str,
    limit: Duration,
    mut attempt: F,
) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if let Some(advice) = permanent(&error) {
            return Err(error.hint(advice));
        }
        let elapsed = begun.elapsed();
        let answered = matches!(error.kind, ErrorKind::Refused | ErrorKind::Cancelled);
        if answered || elapsed >= limit {
            return Err(error);
        }
        // Packer is silent here, and so is whatever reads our lines; who watches sees why it takes long.
        cx.events.progress(
            &format!("{what} again: {}", error.chain()),
            elapsed.as_secs(),
            Some(limit.as_secs()),
            "s",
        );
        tracing::info!(what, error = %error.chain(), "trying again");
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Err(error.kind(ErrorKind::Cancelled)),
            () = tokio::time::sleep(PACE) => {}
        }
    }
}

fn permanent(error: &Error) -> Option<&'static str> {
    match error.kind {
        ErrorKind::Cancelled | ErrorKind::TimedOut | ErrorKind::Disconnected => None,
        ErrorKind::Refused | ErrorKind::Failed => {
            let text = error.chain();
            PERMANENT.iter().find(|(words, _)| text.contains(words)).map(|(_, advice)| *advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_cannot_change_is_known_by_its_words() {
        let refused = Error::new("Upload is not implemented when communicator = 'none'");
        assert!(permanent(&Error::new("Error uploading script").source(refused)).is_some());
        assert!(permanent(&Error::new("scp: /x: Permission denied").kind(ErrorKind::Disconnected)).is_none());
        assert!(permanent(&Error::new("connection refused")).is_none());
    }
}
