//! One build from beginning to end: builder, post-processors, and whatever has to be undone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use kiln_core::artifact::Artifact;
use kiln_core::commons::Commons;
use kiln_core::component::BuildContext;
use kiln_core::error::{Error, Result};
use kiln_core::event::{ArtifactSummary, BuildResult, EventKind, Events, Outcome};
use kiln_core::ledger::{Journal, Record, Resource};
use kiln_core::reclaim::Reason;
use kiln_core::run::{Recorded, Run};
use kiln_core::scope::{BuildValues, OnError};
use kiln_core::value::Value;
use tokio::sync::Mutex;

use crate::on_error::{Decision, Policy};
use crate::options::Engine;
use crate::post_process::PostProcessing;
use crate::prepare::PreparedBuild;
use crate::provision::Provisioning;
use crate::unwind::Unwinder;

/// How one build ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) result: BuildResult,
}

/// Runs one build. Never fails: what went wrong is in the answer.
pub(crate) async fn run_build(
    engine: &Engine,
    journal: &Arc<dyn Journal>,
    commons: &Commons,
    build: PreparedBuild,
) -> Ended {
    let begun = Instant::now();
    let name = build.planned.name.clone();
    let events = engine.events.for_build(&name);
    events.emit(EventKind::BuildStarted).await;
    let result = Attempt::new(engine, journal, commons, build, events.clone()).run().await;
    let stopped = engine.interrupt.stop.is_cancelled();
    let (outcome, error, artifacts) = match result {
        Ok(artifacts) => (Outcome::Done, None, artifacts),
        Err(error) if error.is_cancelled() || stopped => (Outcome::Cancelled, Some(error), Vec::new()),
        Err(error) => (Outcome::Failed, Some(error), Vec::new()),
    };
    for hint in error.iter().flat_map(|error| &error.hints) {
        events.emit(EventKind::Hint { text: hint.clone() }).await;
    }
    let error = error.map(|error| error.chain());
    let record = Record::BuildFinished {
        build: name.clone(),
        outcome: word(outcome).to_owned(),
        time: now(),
        artifacts: artifacts.iter().map(|artifact| artifact.id.clone()).collect(),
        error: error.as_deref().map(|error| events.secrets().apply(error).into_owned()),
    };
    // The build is over either way; a journal that cannot be written has already failed it, if it mattered.
    if let Err(failure) = journal.append(record).await {
        tracing::warn!(error = %failure, "the end of a build was not recorded");
    }
    let artifacts: Vec<ArtifactSummary> = artifacts.iter().map(summary).collect();
    let finished = EventKind::BuildFinished {
        outcome,
        elapsed: begun.elapsed(),
        error: error.clone(),
        artifacts: artifacts.clone(),
    };
    events.emit(finished).await;
    Ended { outcome, result: BuildResult { build: name, error, artifacts } }
}

/// What one build works with.
struct Attempt<'a> {
    engine: &'a Engine,
    journal: &'a Arc<dyn Journal>,
    build: PreparedBuild,
    events: Events,
    run: Run,
    commons: Commons,
    unwinder: Arc<Unwinder>,
    policy: Arc<Policy>,
    provisioning: Arc<Provisioning>,
}

impl<'a> Attempt<'a> {
    fn new(
        engine: &'a Engine,
        journal: &'a Arc<dyn Journal>,
        commons: &Commons,
        build: PreparedBuild,
        events: Events,
    ) -> Attempt<'a> {
        let interrupt = &engine.interrupt;
        let commons = commons.for_build(build.builder.reclaim());
        let unwinder = Unwinder::new(build.builder.reclaim(), events.clone(), interrupt.hurry.clone());
        let unwinder = Arc::new(unwinder);
        let run = Run::new(
            &engine.options.run_id,
            &build.planned.name,
            Arc::clone(journal),
            events.clone(),
            Arc::clone(&unwinder) as _,
            Recorded::default(),
        );
        let policy = Policy::new(
            events.clone(),
            Arc::clone(&engine.prompt),
            interrupt.stop.clone(),
            engine.options.on_error,
            engine.options.debug,
        );
        let provisioning = Provisioning {
            planned: build.planned.clone(),
            registry: engine.registry.clone(),
            scope: build.scope.clone(),
            events: events.clone(),
            stop: interrupt.stop.clone(),
            hurry: interrupt.hurry.clone(),
            prompt: Arc::clone(&engine.prompt),
            failed: Mutex::default(),
            values: Mutex::default(),
        };
        let (policy, provisioning) = (Arc::new(policy), Arc::new(provisioning));
        Attempt { engine, journal, build, events, run, commons, unwinder, policy, provisioning }
    }

    async fn run(self) -> Result<Vec<Artifact>> {
        let started = Record::BuildStarted {
            build: self.build.planned.name.clone(),
            plan: self.build.planned.fingerprint(),
        };
        self.journal.append(started).await.map_err(|error| Error::new("begin the build").source(error))?;
        let cx = BuildContext {
            run: self.run.clone(),
            commons: self.commons.clone(),
            events: self.events.clone(),
            cancel: self.engine.interrupt.stop.clone(),
            scope: Arc::new(self.build.scope.clone()),
            hook: Arc::clone(&self.provisioning) as _,
            policy: Arc::clone(&self.policy) as _,
        };
        match survive(self.build.builder.build(&cx)).await {
            Ok(artifact) => {
                self.policy.pause_before_cleanup().await;
                let left = self.unwind_and_leave(Reason::Finished).await;
                self.tell_left(&left).await;
                match artifact {
                    Some(artifact) => self.post_process(artifact).await,
                    None => Ok(Vec::new()),
                }
            }
            Err(error) => Err(self.undo(error).await),
        }
    }

    async fn undo(&self, error: Error) -> Error {
        match self.policy.decision() {
            Decision::CleanUp => {
                self.policy.pause_before_cleanup().await;
                let error = self.provisioning.clean_up_after(error).await;
                let left = self.unwind_and_leave(Reason::FailedOrCancelled).await;
                self.tell_left(&left).await;
                error
            }
            Decision::Abort => {
                self.commons.abandon();
                self.commons.leave();
                let mut error = error;
                let mut skip = None;
                if self.engine.options.on_error == OnError::RunCleanupProvisioner {
                    error = self.provisioning.clean_up_after(error).await;
                    skip = Some("StepProvision");
                }
                self.policy.say_aborted(&error, skip).await;
                let shared = self.commons.held().into_iter().map(|(resource, _)| resource);
                let left: Vec<Resource> = self.run.held().into_iter().chain(shared).collect();
                self.tell_left(&left).await;
                error
            }
        }
    }

    /// Deletes what the build still holds at the end of its builder, and what the run shared if no other builder
    /// needs it any more.
    async fn unwind_and_leave(&self, reason: Reason) -> Vec<Resource> {
        if self.commons.is_last() && !self.commons.is_abandoned() {
            // Together, so that the lines keep their order.
            let left = self.unwind_all(reason).await;
            self.commons.leave();
            return left;
        }
        let mut left = self.unwind(reason).await;
        if left.iter().any(|resource| self.stands_on_commons(resource)) {
            // The last build need not try for minutes to delete what this one's remains stand on.
            self.commons.abandon();
            left.extend(self.commons.held().into_iter().map(|(resource, _)| resource));
        }
        if self.commons.leave() && !self.commons.is_abandoned() {
            left.extend(self.unwind_all(reason).await);
        }
        left
    }

    /// Deletes what the build still holds; a step of its own among the build's, if there is anything.
    async fn unwind(&self, reason: Reason) -> Vec<Resource> {
        if self.run.held().is_empty() {
            return self.unwinder.unwind(&self.run, reason).await;
        }
        let work = async { Ok(self.unwinder.unwind(&self.run, reason).await) };
        self.events.timed("clean-up", work).await.unwrap_or_default()
    }

    fn stands_on_commons(&self, resource: &Resource) -> bool {
        let shared = self.commons.held();
        let needed = |key: &String| shared.iter().any(|(resource, _)| resource.intent.key == *key);
        resource.intent.needs.iter().any(needed)
    }

    async fn unwind_all(&self, reason: Reason) -> Vec<Resource> {
        if self.commons.held().is_empty() {
            return self.unwind(reason).await;
        }
        let work = async { Ok(self.unwinder.unwind_all(Some(&self.run), &self.commons, reason).await) };
        self.events.timed("clean-up", work).await.unwrap_or_default()
    }

    async fn tell_left(&self, left: &[Resource]) {
        tell_left(&self.events, &self.engine.options.run_id, left).await;
    }

    async fn post_process(&self, artifact: Artifact) -> Result<Vec<Artifact>> {
        if self.engine.interrupt.stop.is_cancelled() {
            return Err(self.made_all_the_same(&artifact, Error::cancelled()));
        }
        let mut values = self.provisioning.values.lock().await.clone();
        if let Some(serde_json::Value::Object(generated)) = artifact.state.get("generated_data") {
            values.extend(generated.iter().map(|(name, value)| (name.clone(), Value::from(value))));
        }
        let mut processing = PostProcessing {
            registry: &self.engine.registry,
            scope: Arc::new(self.build.scope.with_values(BuildValues::Known(values))),
            events: &self.events,
            stop: &self.engine.interrupt.stop,
            run: &self.run,
            table: self.build.builder.reclaim(),
            destroyed: false,
        };
        let chains = &self.build.planned.post_processors;
        let results = survive(processing.run(chains, &artifact)).await;
        // A post-processor's own temporary things go the same way as the builder's.
        self.unwinder.learn(&processing.table);
        let destroyed = processing.destroyed;
        let reason = if results.is_ok() { Reason::Finished } else { Reason::FailedOrCancelled };
        let left = self.unwind(reason).await;
        self.tell_left(&left).await;
        results.map_err(|error| match destroyed {
            true => error,
            false => self.made_all_the_same(&artifact, error),
        })
    }

    /// A build that fails lists no artifacts, but what it made is there and is the user's.
    fn made_all_the_same(&self, artifact: &Artifact, error: Error) -> Error {
        match artifact.resources.is_empty() {
            true => error,
            false => error.hint(format!("`{}` was made all the same, and is kept", artifact.id)),
        }
    }
}

/// What is left is never silent: its ids and the command that deletes it.
pub(crate) async fn tell_left(events: &Events, run: &str, left: &[Resource]) {
    if left.is_empty() {
        return;
    }
    let ids: Vec<String> =
        left.iter().filter_map(|resource| Some(format!("`{}`", resource.id.as_ref()?))).collect();
    let ids = match ids.is_empty() {
        true => "something whose creation was not answered".to_owned(),
        false => ids.join(", "),
    };
    let text = format!("left behind: {ids}; `kiln gc {run}` deletes it");
    events.emit(EventKind::Hint { text }).await;
}

/// A panic is a defect of ours; it fails this build alone, which is then undone like any other.
async fn survive<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::new(format!("internal error: {}", text.unwrap_or_else(|| "a panic".to_owned())))
            .hint("this is a defect of Kiln; please report it"))
    })
}

fn summary(artifact: &Artifact) -> ArtifactSummary {
    ArtifactSummary {
        builder_id: artifact.builder_id.clone(),
        id: artifact.id.clone(),
        text: artifact.text.clone(),
        files: artifact.files.iter().map(|file| file.display().to_string()).collect(),
    }
}

/// Returns the word journals use.
pub(crate) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done | Outcome::Skipped => "done",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
    }
}

/// Returns the time journals record.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
