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
    /// Steps started, in order; Packer names them in its lines.
    steps: Vec<String>,
    answer: Option<Decision>,
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
        let mut steps = self.state().steps.clone();
        steps.reverse();
        steps.retain(|step| Some(step.as_str()) != skip);
        if self.stop.is_cancelled() {
            self.events.error("Interrupted, aborting...").await;
        } else if let Some(step) = steps.first() {
            if self.mode != OnError::Ask {
                self.events.error(error.chain()).await;
            }
            self.events.error(format!("Step {step:?} failed, aborting...")).await;
        }
        for step in steps.iter().skip(1) {
            self.events.error(format!("aborted: skipping cleanup of step {step:?}")).await;
        }
    }

    /// Pauses before each clean-up with `-debug`.
    pub(crate) async fn pause_before_cleanup(&self) {
        if self.debug {
            let steps = self.state().steps.clone();
            for step in steps.iter().rev() {
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

    fn note(&self, step: &str) {
        let mut state = self.state();
        if !state.steps.iter().any(|known| known == step) {
            state.steps.push(step.to_owned());
        }
    }
}

#[async_trait]
impl StepPolicy for Policy {
    async fn succeeded(&self, step: &str) {
        self.note(step);
        if self.debug {
            self.pause(&format!("Pausing after run of step '{step}'. Press enter to continue.")).await;
        }
    }

    async fn failed(&self, step: &str, error: &Error) -> bool {
        self.note(step);
        if self.mode != OnError::Ask {
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
