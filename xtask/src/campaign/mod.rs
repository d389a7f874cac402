//! The fault campaign: every call of some builds fails in every way a call can fail, and the program is interrupted and
//! killed at every record of its journal. Whatever happens, the build has to end, with the right exit code, and nothing
//! may be left behind: at once, or after a kill when `kiln gc` has run.
//!
//! Builds are small and wait more than they work, so many run side by side, each worker with a cloud of its own.

mod calls;
mod program;
mod report;
mod sample;
mod scenario;
mod site;
mod stock;
mod trouble;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

pub use report::Report;
pub use sample::{Comparison, compare};
pub use scenario::{ALL as SCENARIOS, Scenario};
pub use trouble::{ALL as TROUBLES, Trouble, When};

use site::Site;

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The program.
    pub kiln: PathBuf,
    /// Which builds.
    pub scenarios: Vec<Scenario>,
    /// Which troubles.
    pub troubles: Vec<Trouble>,
    /// How many builds run side by side.
    pub at_once: usize,
}

/// One build in trouble.
#[derive(Debug, Clone)]
struct Cell {
    scenario: usize,
    trouble: Trouble,
    when: When,
}

/// What came of it.
#[derive(Debug, Default)]
struct Verdict {
    /// Whether the trouble came: a journal may be a record shorter than the one rehearsed.
    befell: bool,
    /// Success, and the images are there.
    finished: bool,
    /// Failure, and there is no image.
    failed: bool,
    /// No success, but an image that was handed over before.
    kept: bool,
    left: Vec<String>,
    left_after_gc: Vec<String>,
    wall: Duration,
    /// What should not be so, and what the program said.
    wrong: Option<String>,
}

impl Campaign {
    /// Runs all of it; `progress` hears how many builds are done, of how many.
    ///
    /// # Errors
    ///
    /// When a cloud cannot be served, or a build fails that nothing happened to.
    pub fn run(&self, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Report> {
        let mut report = Report::of(self.scenarios.iter().map(|scenario| scenario.name).collect());
        let mut cells = Vec::new();
        for (index, scenario) in self.scenarios.iter().enumerate() {
            let rehearsal = Site::open(&self.kiln, scenario)?.rehearse()?;
            for &trouble in &self.troubles {
                let places: Vec<When> = if trouble.strikes_the_program() {
                    (1..=rehearsal.records).map(When::Record).collect()
                } else {
                    let call =
                        |(action, nth): &(String, u64)| When::Call { action: action.clone(), nth: *nth };
                    rehearsal.calls.iter().map(call).collect()
                };
                cells.extend(places.into_iter().map(|when| Cell { scenario: index, trouble, when }));
            }
        }
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.at_once)
                .map(|_| {
                    scope.spawn(|| {
                        self.work(&cells, &next, |cell, verdict| {
                            let mut results = results.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                            results.push((cell, verdict));
                            progress(done.fetch_add(1, Ordering::Relaxed) + 1, cells.len());
                        })
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        let results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        for (cell, verdict) in results {
            if let Some(cell) = cells.get(cell) {
                report.add(cell, verdict);
            }
        }
        Ok(report)
    }

    /// Plays cells until there are no more. Those of one build stand together, so a worker seldom needs another cloud.
    fn work(&self, cells: &[Cell], next: &AtomicUsize, mut tell: impl FnMut(usize, Verdict)) -> Result<()> {
        let mut site: Option<(usize, Site<'_>)> = None;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(cell) = cells.get(index) else { return Ok(()) };
            let mut here = match site.take() {
                Some((scenario, here)) if scenario == cell.scenario => here,
                _ => match self.scenarios.get(cell.scenario) {
                    Some(scenario) => Site::open(&self.kiln, scenario)?,
                    None => return Ok(()),
                },
            };
            tell(index, here.play(cell)?);
            site = Some((cell.scenario, here));
        }
    }
}
