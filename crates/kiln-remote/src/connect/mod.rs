//! Waits until the machine lets us in.
//!
//! The loop tries again whatever fails: an address that is not known yet, a closed port, a log-in that is refused
//! because the machine has not installed the key yet. It ends with success, with the deadline, on request, when the
//! log-in was refused too often, or when the machine shows another host key than the one expected.

mod config;
mod failure;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kiln_core::communicator::Communicator;
use kiln_core::duration::format_go;
use kiln_core::error::ErrorKind;
use kiln_core::{Error, Events, Result};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use config::{
    Address, Algorithms, Bastion, ConnectConfig, Credentials, HostKeyPolicy, LoginKey, Pace, Route,
    SocksProxy, Transfer, Tunnel,
};
pub use failure::{Failure, Progress};

use crate::config::Resolved;
use crate::dial::Dialer;
use crate::none::NoneCommunicator;
use crate::ssh::SshCommunicator;

/// Connects as `resolved` says; the communicator `none` is there at once and says nothing.
pub async fn communicator<A, F>(
    resolved: &Resolved,
    dialer: Arc<dyn Dialer>,
    address: A,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Arc<dyn Communicator>>
where
    A: Fn() -> F + Send + Sync,
    F: Future<Output = Result<Address>> + Send,
{
    match resolved {
        Resolved::None => Ok(Arc::new(NoneCommunicator)),
        Resolved::Ssh(config) => Ok(Arc::new(connect(config, dialer, address, events, cancel).await?)),
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub struct NotConnected {
    /// What the build fails with.
    pub error: Error,
    /// What the last try failed with; `None` if the wait was cancelled.
    pub last: Option<Failure>,
}

impl From<Error> for NotConnected {
    fn from(error: Error) -> NotConnected {
        NotConnected { error, last: None }
    }
}

/// Waits for SSH and returns the connection. `address` is asked before every try: it may not be known at first. Its
/// future may be dropped unfinished.
///
/// The failure has been shown when this returns.
pub async fn connect<A, F>(
    config: &ConnectConfig,
    dialer: Arc<dyn Dialer>,
    address: A,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<SshCommunicator>
where
    A: Fn() -> F + Send + Sync,
    F: Future<Output = Result<Address>> + Send,
{
    connect_or_why(config, dialer, address, events, cancel).await.map_err(|why| why.error)
}

/// Does what [`connect`] does for a caller that can find out more about a machine that lets nobody in.
pub async fn connect_or_why<A, F>(
    config: &ConnectConfig,
    dialer: Arc<dyn Dialer>,
    address: A,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<SshCommunicator, NotConnected>
where
    A: Fn() -> F + Send + Sync,
    F: Future<Output = Result<Address>> + Send,
{
    if let Ok(Ok(known)) = within(Some(Instant::now() + KNOWN_AT_ONCE), cancel, address()).await {
        events.say(format!("Using SSH communicator to connect: {}", known.host)).await;
    }
    let first = wait(config, &dialer, &address, events, cancel).await?;
    let Some(pause) = config.pause else {
        return Ok(first);
    };
    // The machine may restart in the pause; who asks for one wants the connection that comes after.
    events.say(format!("Pausing {} before connecting...", format_go(pause))).await;
    let host_keys = first.host_key_policy();
    drop(first);
    tokio::select! {
        () = cancel.cancelled() => return Err(Error::cancelled().into()),
        () = tokio::time::sleep(pause) => {}
    }
    let config = ConnectConfig { host_keys, ..config.clone() };
    wait(&config, &dialer, &address, events, cancel).await
}

/// An address that takes longer to find is not "known already".
const KNOWN_AT_ONCE: Duration = Duration::from_millis(200);

async fn wait<A, F>(
    config: &ConnectConfig,
    dialer: &Arc<dyn Dialer>,
    address: &A,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<SshCommunicator, NotConnected>
where
    A: Fn() -> F + Send + Sync,
    F: Future<Output = Result<Address>> + Send,
{
    events.say("Waiting for SSH to become available...").await;
    let deadline = config.timeout.map(|timeout| Instant::now() + timeout);
    let (mut last, progress) = (None, Progress::default());
    match within(deadline, cancel, tries(config, dialer, address, &mut last, &progress)).await {
        Err(Ended::Cancelled) => Err(Error::cancelled().into()),
        Ok(Ok(communicator)) => {
            events.say("Connected to SSH!").await;
            Ok(communicator)
        }
        Ok(Err(failure)) => {
            let text = format!("Error waiting for SSH: {failure}");
            events.error(&text).await;
            let error = Error { shown: true, ..Error::new(text) };
            let error = match failure.is_authentication() {
                true => error.kind(ErrorKind::Refused),
                false => error,
            };
            let error = failure.hints().into_iter().fold(error, Error::hint);
            Err(NotConnected { error, last: Some(failure) })
        }
        Err(Ended::Deadline) => {
            events.error("Timeout waiting for SSH.").await;
            let waited = format_go(config.timeout.unwrap_or_default());
            // The message is Packer's and stays alone; what it does not say stands in the hints.
            let error = Error { shown: true, ..Error::new("Timeout waiting for SSH.") };
            // A failure that was seen says more than a try that was cut short.
            let last = last.or_else(|| progress.take()).unwrap_or(Failure::NeverTried);
            let error = error.kind(ErrorKind::TimedOut).hint(format!("waited {waited}; at last: {last}"));
            let error = last.hints().into_iter().fold(error, Error::hint);
            Err(NotConnected { error, last: Some(last) })
        }
    }
}

/// Tries until it succeeds or it makes no sense to go on. Each failure is left in `last`, for the deadline's text.
async fn tries<A, F>(
    config: &ConnectConfig,
    dialer: &Arc<dyn Dialer>,
    address: &A,
    last: &mut Option<Failure>,
    progress: &Progress,
) -> std::result::Result<SshCommunicator, Failure>
where
    A: Fn() -> F + Send + Sync,
    F: Future<Output = Result<Address>> + Send,
{
    let mut attempts = 0;
    let mut pause = config.pace.first;
    loop {
        let failure = match address().await {
            Err(error) => Failure::NoAddress(error.chain()),
            Ok(address) => match SshCommunicator::open(config, Arc::clone(dialer), address, progress).await {
                Ok(communicator) => return Ok(communicator),
                Err(failure) => failure,
            },
        };
        tracing::debug!(%failure, "SSH is not available yet");
        if failure.is_final() {
            return Err(failure);
        }
        let wait = if failure.is_authentication() {
            attempts += 1;
            if config.handshake_attempts.is_some_and(|limit| attempts >= limit) {
                return Err(failure);
            }
            config.pace.after_refused_login
        } else {
            let wait = pause;
            pause = (pause * 3 / 2).min(config.pace.longest);
            wait
        };
        *last = Some(failure);
        tokio::time::sleep(wait).await;
    }
}

enum Ended {
    Cancelled,
    Deadline,
}

async fn within<T>(
    deadline: Option<Instant>,
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> std::result::Result<T, Ended> {
    let expired = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Ended::Cancelled),
        done = work => Ok(done),
        () = expired => Err(Ended::Deadline),
    }
}
