//! Running commands on the machine. Stopping ends the wait; the machine may go on.

use std::future::Future;

use kiln_core::communicator::{Command, Exit};
use kiln_core::component::ProvisionContext;
use kiln_core::error::{Error, Result};
use kiln_remote::output::run_and_report;

/// Runs `line` and shows what it prints.
pub(crate) async fn run(cx: &ProvisionContext, line: &str) -> Result<Exit> {
    run_and_report(&*cx.communicator, Command::new(line), &cx.events, &cx.cancel).await
}

/// Runs `line` and shows nothing.
pub(crate) async fn run_quietly(cx: &ProvisionContext, line: &str) -> Result<Exit> {
    cancellable(cx, async { Ok(cx.communicator.start(Command::new(line)).await?.wait().await) }).await
}

/// Waits for `work` unless the provisioner should stop.
pub(crate) async fn cancellable<T>(
    cx: &ProvisionContext,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Err(Error::cancelled()),
        result = work => result,
    }
}
