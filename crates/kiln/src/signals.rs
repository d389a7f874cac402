//! Ctrl-C in three stages: stop and clean up; clean up only what is quick; leave at once, the journal knows.

use std::io;

use kiln_core::event::Events;
use kiln_engine::Interrupt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// Listens for SIGINT and SIGTERM until the task is aborted. `stopping` says what the first does, `run` is named in what
/// the user is told to do.
pub fn watch(
    interrupt: Interrupt,
    events: Events,
    stopping: &'static str,
    run: String,
) -> io::Result<JoinHandle<()>> {
    let interrupts = signal(SignalKind::interrupt())?;
    let terminations = signal(SignalKind::terminate())?;
    Ok(tokio::spawn(serve(interrupt, events, stopping, run, interrupts, terminations)))
}

async fn serve(
    interrupt: Interrupt,
    events: Events,
    stopping: &'static str,
    run: String,
    mut interrupts: Signal,
    mut terminations: Signal,
) {
    let name = either(&mut interrupts, &mut terminations).await;
    interrupt.stop.cancel();
    events.error(format!("{stopping} after receiving {name}")).await;

    either(&mut interrupts, &mut terminations).await;
    interrupt.hurry.cancel();
    events
        .error(format!(
            "Asked again: deleting only what is quick; `kiln gc {run}` deletes the rest. Once more leaves at once."
        ))
        .await;

    either(&mut interrupts, &mut terminations).await;
    // Everything that exists is in the journal, on disk, since before it was made.
    std::process::exit(i32::from(crate::failure::FAILED));
}

/// Returns Go's name of the signal that came.
async fn either(interrupts: &mut Signal, terminations: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupts.recv() => "interrupt",
        _ = terminations.recv() => "terminated",
    }
}
