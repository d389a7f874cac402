//! What happens between steps and after a failure: `-debug` and `-on-error`, wrapped around steps from outside.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use kiln_core::component::StepPolicy;
use kiln_core::error::Error;
use kiln_core::event::Events;
use kiln_core::prompt::Prompt;
use kiln_core::scope::OnError;
use tokio_util::sync::CancellationToken;

/// What the person at the build, or the flag, has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Delete everything temporary.
    CleanUp,
    /// Leave everything as it is.
    Abort,
}

/// The policy of one build.
pub(crate) struct Policy {
    pub(crate) events: Events,
    pub(crate) prompt: Arc<dyn Prompt>,
    pub(crate) stop: CancellationToken,
    pub(crate) mode: OnError,
    pub(crate) debug: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Steps that ended, in order; Packer names them in its lines.
    steps: Vec<Step>,
    answer: Option<Decision>,
}

struct Step {
    name: String,
    failed: bool,
}

impl Policy {
    pub(crate) fn new(
        events: Events,
        prompt: Arc<dyn Prompt>,
        stop: CancellationToken,
        mode: OnError,
        debug: bool,
    ) -> Policy {
        Policy { events, prompt, stop, mode, debug, state: Mutex::default() }
    }

    /// Returns what to do after a failure of the build.
    pub(crate) fn decision(&self) -> Decision {
        let answer = self.state().answer;
        match self.mode {
            OnError::Cleanup => Decision::CleanUp,
            OnError::Abort | OnError::RunCleanupProvisioner => Decision::Abort,
            OnError::Ask => answer.unwrap_or(Decision::CleanUp),
        }
    }

    /// Says what is left as it is, in Packer's lines. `skip` is the step whose clean-up was done all the same.
    pub(crate) async fn say_aborted(&self, error: &Error, skip: Option<&str>) {
        let mut steps = self.steps(|_| true);
        steps.retain(|step| Some(step.as_str()) != skip);
        if self.stop.is_cancelled() {
            self.events.error("Interrupted, aborting...").await;
        } else if let Some(step) = steps.first() {
            self.events.error(error.chain()).await;
            self.events.error(format!("Step {step:?} failed, aborting...")).await;
        }
        for step in steps.iter().skip(1) {
            self.events.error(format!("aborted: skipping cleanup of step {step:?}")).await;
        }
    }

    /// Pauses before each clean-up with `-debug`. Packer's pause is a step of its own behind each step, so the one
    /// that failed has none.
    pub(crate) async fn pause_before_cleanup(&self) {
        if self.debug {
            for step in self.steps(|step| !step.failed) {
                self.pause(&format!("Pausing before cleanup of step '{step}'. Press enter to continue."))
                    .await;
            }
        }
    }

    async fn pause(&self, query: &str) {
        tokio::select! {
            // Without a terminal nobody is asked, and the build goes on.
            _ = self.prompt.ask(query) => {}
            () = self.stop.cancelled() => {}
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns names of steps, the last first.
    fn steps(&self, wanted: impl Fn(&Step) -> bool) -> Vec<String> {
        let state = self.state();
        state.steps.iter().rev().filter(|step| wanted(step)).map(|step| step.name.clone()).collect()
    }

    fn note(&self, step: &str, failed: bool) {
        let mut state = self.state();
        match state.steps.iter_mut().find(|known| known.name == step) {
            Some(known) => known.failed = failed,
            None => state.steps.push(Step { name: step.to_owned(), failed }),
        }
    }
}

#[async_trait]
impl StepPolicy for Policy {
    async fn succeeded(&self, step: &str) {
        self.note(step, false);
        if self.debug {
            self.pause(&format!("Pausing after run of step '{step}'. Press enter to continue.")).await;
        }
    }

    async fn failed(&self, step: &str, error: &Error) -> bool {
        self.note(step, true);
        if error.is_cancelled() || self.mode != OnError::Ask {
            return false;
        }
        self.events.error(error.chain()).await;
        self.events.error(format!("Step {step:?} failed")).await;
        loop {
            let query = "[c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even \
                         if retry succeeds)?";
            let answer = tokio::select! {
                answer = self.prompt.ask(query) => answer.unwrap_or_default(),
                () = self.stop.cancelled() => String::new(),
            };
            match answer.chars().next().map(|letter| letter.to_ascii_lowercase()) {
                None | Some('c') => {
                    self.state().answer = Some(Decision::CleanUp);
                    return false;
                }
                Some('a') => {
                    self.state().answer = Some(Decision::Abort);
                    return false;
                }
                Some('r') => return true,
                Some(_) => self.events.say(format!("Incorrect input: {answer:?}")).await,
            }
        }
    }
}
