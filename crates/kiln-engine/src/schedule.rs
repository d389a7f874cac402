//! Runs the builds of a plan side by side and sums up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kiln_core::commons::{Commons, NeverEarly, SHARED};
use kiln_core::error::{Context as _, Error, Result};
use kiln_core::event::{BuildResult, EventKind, Events, Outcome};
use kiln_core::ledger::{FORMAT, Journal, Record};
use kiln_core::plan::Plan;
use kiln_core::reclaim::{Reason, ReclaimTable};
use kiln_core::run::{Recorded, Run};
use tokio::sync::Semaphore;

use crate::build::{Ended, now, run_build, tell_left, word};
use crate::journal::{FileJournal, runs_dir};
use crate::options::Engine;
use crate::prepare::PreparedBuild;
use crate::unwind::Unwinder;

/// How a run ended.
#[derive(Debug)]
pub struct RunReport {
    /// The gravest of its builds' ends.
    pub outcome: Outcome,
    /// Builds that ran, in order.
    pub results: Vec<BuildResult>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Runs `builds`. Fails only if the journal cannot be opened: nothing has happened then.
pub async fn run(plan: &Plan, builds: Vec<PreparedBuild>, engine: Engine) -> Result<RunReport> {
    let begun = Instant::now();
    for secret in &plan.secrets {
        engine.events.secrets().register(secret);
    }
    let names: Vec<String> = builds.iter().map(|build| build.planned.name.clone()).collect();
    let journal = open_journal(&engine, plan, &names).await?;
    let (run, debug) = (engine.options.run_id.clone(), engine.options.debug);
    engine.events.emit(EventKind::RunStarted { run, builds: names, debug }).await;

    let ended = run_all(&engine, &journal, builds).await;
    let interrupted = engine.interrupt.stop.is_cancelled();
    let outcome = gravest(&ended, interrupted);
    let results: Vec<BuildResult> = ended.into_iter().map(|ended| ended.result).collect();
    if interrupted {
        tell_made(&engine.events, &results).await;
    }
    let record = Record::RunFinished { outcome: word(outcome).to_owned(), time: now() };
    // What was done is told all the same; `runs` will say that the run never came to its end.
    if let Err(failure) = journal.append(record).await {
        tracing::warn!(error = %failure, "the end of the run was not recorded");
    }
    let elapsed = begun.elapsed();
    let finished = EventKind::RunFinished { outcome, elapsed, interrupted, results: results.clone() };
    engine.events.emit(finished).await;
    Ok(RunReport { outcome, results, elapsed })
}

/// A run that was interrupted lists no artifacts, not even of builds that had finished.
async fn tell_made(events: &Events, results: &[BuildResult]) {
    for result in results {
        for artifact in result.artifacts.iter().filter(|artifact| !artifact.id.is_empty()) {
            let text = format!("`{}` was made all the same, and is kept", artifact.id);
            events.for_build(&result.build).emit(EventKind::Hint { text }).await;
        }
    }
}

async fn open_journal(engine: &Engine, plan: &Plan, builds: &[String]) -> Result<Arc<dyn Journal>> {
    let dir = runs_dir(&engine.options.state_dir).join(&engine.options.run_id);
    let shown = dir.display().to_string();
    let crash_after = engine.options.crash_after_records;
    let opened = tokio::task::spawn_blocking(move || FileJournal::open(&dir, crash_after)).await;
    let journal = opened
        .map_err(|error| Error::new("open the journal").source(error))?
        .context(format!("make the run's folder `{shown}`"))
        .map_err(|error| error.hint("name a writable folder with -state-dir or KILN_STATE_DIR"))?;
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let started = Record::RunStarted {
        format: FORMAT,
        run: engine.options.run_id.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: now(),
        template: plan.template_name.clone(),
        builds: builds.to_vec(),
        pid: std::process::id(),
    };
    journal.append(started).await.context("begin the run")?;
    Ok(journal)
}

/// At most `parallel_builds` at once; permits are handed out in the order of the plan.
async fn run_all(engine: &Engine, journal: &Arc<dyn Journal>, builds: Vec<PreparedBuild>) -> Vec<Ended> {
    let limit = match (engine.options.debug, engine.options.parallel_builds) {
        (true, _) => 1,
        (false, 0) => Semaphore::MAX_PERMITS,
        (false, limit) => limit.min(Semaphore::MAX_PERMITS),
    };
    let permits = Arc::new(Semaphore::new(limit));
    let commons = shared_ledger(engine, journal, builds.len());
    let mut tasks = Vec::with_capacity(builds.len());
    for build in builds {
        let name = build.planned.name.clone();
        // Waited for here, not in the task: tasks begin in any order.
        let permit = tokio::select! {
            biased;
            () = engine.interrupt.stop.cancelled() => None,
            permit = Arc::clone(&permits).acquire_owned() => permit.ok(),
        };
        let task = permit.map(|permit| {
            let (engine, journal, commons) = (engine.clone(), Arc::clone(journal), commons.clone());
            tokio::spawn(async move {
                let _permit = permit;
                run_build(&engine, &journal, &commons, build).await
            })
        });
        if task.is_none() && commons.leave() && !commons.is_abandoned() {
            delete_shared(engine, &commons, &name).await;
        }
        tasks.push((name, task));
    }
    let mut ended = Vec::with_capacity(tasks.len());
    for (name, task) in tasks {
        ended.push(match task {
            None => never_started(name),
            Some(task) => match task.await {
                Ok(build) => build,
                Err(panic) => {
                    // What it held may stand on what is shared; `gc` deletes both.
                    commons.abandon();
                    broken(name, &panic, engine).await
                }
            },
        });
    }
    ended
}

/// Returns the ledger of what `builds` builds share.
fn shared_ledger(engine: &Engine, journal: &Arc<dyn Journal>, builds: usize) -> Commons {
    let events = engine.events.for_build(SHARED);
    let releaser = Arc::new(NeverEarly) as _;
    let run = &engine.options.run_id;
    let ledger = Run::new(run, SHARED, Arc::clone(journal), events, releaser, Recorded::default());
    Commons::new(ledger, builds)
}

/// The last build to end, `last`, is one that never began: nobody else deletes what the others shared.
async fn delete_shared(engine: &Engine, commons: &Commons, last: &str) {
    let events = engine.events.for_build(last);
    let unwinder = Unwinder::new(ReclaimTable::default(), events.clone(), engine.interrupt.hurry.clone());
    let left = unwinder.unwind_all(None, commons, Reason::FailedOrCancelled).await;
    tell_left(&events, &engine.options.run_id, &left).await;
}

fn never_started(build: String) -> Ended {
    let error = Some(Error::cancelled().chain());
    Ended { outcome: Outcome::Cancelled, result: BuildResult { build, error, artifacts: Vec::new() } }
}

/// Even the clean-up panicked; the other builds go on, and the journal knows what this one held.
async fn broken(build: String, panic: &tokio::task::JoinError, engine: &Engine) -> Ended {
    let run = &engine.options.run_id;
    let error = Some(format!("internal error: {panic}; `kiln gc {run}` deletes what it left"));
    let finished = EventKind::BuildFinished {
        outcome: Outcome::Failed,
        elapsed: Duration::ZERO,
        error: error.clone(),
        artifacts: Vec::new(),
    };
    engine.events.for_build(&build).emit(finished).await;
    Ended { outcome: Outcome::Failed, result: BuildResult { build, error, artifacts: Vec::new() } }
}

fn gravest(ended: &[Ended], interrupted: bool) -> Outcome {
    let any = |outcome| ended.iter().any(|ended| ended.outcome == outcome);
    match (interrupted || any(Outcome::Cancelled), any(Outcome::Failed)) {
        (true, _) => Outcome::Cancelled,
        (false, true) => Outcome::Failed,
        (false, false) => Outcome::Done,
    }
}
