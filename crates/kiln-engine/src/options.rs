//! What a run is told, and what it is handed.

use std::path::PathBuf;
use std::sync::Arc;

use kiln_core::component::Registry;
use kiln_core::event::Events;
use kiln_core::prompt::Prompt;
use kiln_core::scope::{OnError, World};
use tokio_util::sync::CancellationToken;

/// What the command line says about a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many builds may run at once; 0: all. 1 also means one after the other.
    pub parallel_builds: usize,
    /// `-debug`: one build at a time, a pause after each step.
    pub debug: bool,
    /// `-force`.
    pub force: bool,
    /// `-on-error`.
    pub on_error: OnError,
    /// The version templates see.
    pub core_version: String,
    /// The run's UUID.
    pub run_id: String,
    /// Where journals live: `STATE/runs/RUN/journal.jsonl`.
    pub state_dir: PathBuf,
    /// Fault injection for tests of crash safety.
    pub crash_after_records: Option<CrashAfter>,
}

/// What is done to this process once so many records are on disk, before anybody acts on the last of them.
#[derive(Debug, Clone, Copy)]
pub struct CrashAfter {
    /// How many records, from 1.
    pub records: u64,
    /// What is done, once: the process is killed, or is sent a signal.
    pub act: fn(),
}

/// How a user stops a run, in two stages; a third leaves the process and needs nobody here.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    /// Start nothing new, end waits, unwind.
    pub stop: CancellationToken,
    /// Unwind only what is quick, and list the rest.
    pub hurry: CancellationToken,
}

/// Everything a run needs besides its plan.
#[derive(Clone)]
pub struct Engine {
    /// The components there are.
    pub registry: Registry,
    /// The outside.
    pub world: Arc<dyn World>,
    /// Where to say what happens.
    pub events: Events,
    /// Whom to ask.
    pub prompt: Arc<dyn Prompt>,
    /// How the user stops it.
    pub interrupt: Interrupt,
    /// The command line.
    pub options: Options,
}
