//! What ran, how it ended, and what is left: read from the journals.

use std::path::{Path, PathBuf};

use kiln_core::ledger::Resource;

use crate::journal::{self, ReadError, runs_dir};
use crate::ledger::{LedgerError, RunLog};

/// One run of the past, or one that is under way.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// Its UUID.
    pub id: String,
    /// When it began, RFC 3339.
    pub time: String,
    /// When it ended, if it came to its end.
    pub finished: Option<String>,
    /// The template as the user named it.
    pub template: String,
    /// Its builds, each with how it ended and the ids of what it made.
    pub builds: Vec<BuildSummary>,
    /// `done`, `failed`, `cancelled`; `None` if it never came to its end.
    pub outcome: Option<String>,
    /// Whether a process is working on it.
    pub alive: bool,
    /// What still has to be deleted, with the build that made it.
    pub left: Vec<(String, Resource)>,
}

/// One build of a run.
#[derive(Debug, Clone)]
pub struct BuildSummary {
    /// Display name.
    pub name: String,
    /// `done`, `failed`, `cancelled`; `None` if it never came to its end.
    pub outcome: Option<String>,
    /// Ids of what it made.
    pub artifacts: Vec<String>,
}

/// A run whose journal cannot be used, and why.
#[derive(Debug)]
pub struct Unreadable {
    /// The run's folder.
    pub dir: PathBuf,
    /// Why.
    pub reason: RunError,
}

/// Why a run's journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It makes no sense.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Returns all runs, oldest first, and those that cannot be read. Blocks.
pub fn list(state_dir: &Path) -> std::io::Result<(Vec<RunSummary>, Vec<Unreadable>)> {
    let entries = match std::fs::read_dir(runs_dir(state_dir)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(error),
    };
    let mut runs = Vec::new();
    let mut unreadable = Vec::new();
    for entry in entries {
        let dir = entry?.path();
        // Asked before the journal is read: what a dead run's journal says stands, and a run that ends meanwhile is
        // taken for alive, which costs nothing.
        let alive = journal::is_alive(&dir);
        match load(&dir) {
            Ok(log) => runs.push(summarize(&log, alive)),
            // Killed before its first record was written: nothing had begun.
            Err(RunError::Read(ReadError::Io { source, .. }))
                if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(reason) => unreadable.push(Unreadable { dir, reason }),
        }
    }
    runs.retain(|run| !run.id.is_empty());
    runs.sort_by(|a, b| (&a.time, &a.id).cmp(&(&b.time, &b.id)));
    Ok((runs, unreadable))
}

pub(crate) fn load(run_dir: &Path) -> Result<RunLog, RunError> {
    Ok(RunLog::replay(journal::read(run_dir)?)?)
}

fn summarize(log: &RunLog, alive: bool) -> RunSummary {
    let builds = log.order.iter().map(|name| {
        let log = log.builds.get(name).cloned().unwrap_or_default();
        BuildSummary { name: name.clone(), outcome: log.outcome, artifacts: log.artifacts }
    });
    RunSummary {
        id: log.run.clone(),
        time: log.time.clone(),
        finished: log.finished.clone(),
        template: log.template.clone(),
        builds: builds.collect(),
        outcome: log.outcome.clone(),
        alive,
        left: log.open(),
    }
}
