//! The lines of the original builder, told where the engine's steps begin and end.
//!
//! The engine's own lines are left out, but for those of connecting, which both builders have from Packer. Hints,
//! warnings, errors and progress stay as they are.

use std::sync::atomic::{AtomicBool, Ordering};

use kiln_core::event::{EventKind, Outcome, Voice};

const CREATE: &str = "stepCreateAlicloudInstance";
const RUN: &str = "stepRunAlicloudInstance";
const CONNECT: &str = "StepConnect";
const STOP: &str = "stepStopAlicloudInstance";
const SNAPSHOT: &str = "stepCreateAlicloudSnapshot";
const IMAGE: &str = "stepCreateAlicloudImage";

/// What the engine says before the address it connects to.
const ADDRESS: &str = "Using SSH communicator to connect: ";

/// Speaks as the original builder did.
#[derive(Debug, Default)]
pub(super) struct OlderVoice {
    connecting: AtomicBool,
}

impl OlderVoice {
    fn step_begins(&self, step: &str) -> Vec<EventKind> {
        self.connecting.fetch_or(step == CONNECT, Ordering::Relaxed);
        match step {
            CREATE => vec![say("Creating instance...")],
            RUN => {
                vec![say("Starting the instance..."), say("Waiting for instance to become running status...")]
            }
            CONNECT => vec![say("Getting instance info...")],
            STOP => vec![say("Stop instance...")],
            SNAPSHOT => vec![say("Creating disk snapshot...")],
            _ => Vec::new(),
        }
    }

    fn step_ends(&self, step: &str, outcome: Outcome) -> Vec<EventKind> {
        self.connecting.fetch_and(step != CONNECT, Ordering::Relaxed);
        let line = match (step, outcome) {
            (CREATE, Outcome::Done) => "Instance has been created!",
            (RUN, Outcome::Done) => "Instance has been started!",
            (STOP, Outcome::Done) => "Instance has been stopped!",
            (SNAPSHOT, Outcome::Done) => "Snapshot has been created!",
            (IMAGE, Outcome::Done) => "Image has been created!",
            _ => return Vec::new(),
        };
        vec![message(line)]
    }

    /// The original told the address after it had looked the instance up, and then looked its disk up.
    fn line(&self, text: &str, line: EventKind) -> Vec<EventKind> {
        if !self.connecting.load(Ordering::Relaxed) {
            return Vec::new();
        }
        match text.strip_prefix(ADDRESS) {
            Some(address) => {
                vec![message(&format!("Inner IP : {address}")), say("Getting disk info..."), line]
            }
            None => vec![line],
        }
    }
}

impl Voice for OlderVoice {
    fn tell(&self, kind: EventKind) -> Vec<EventKind> {
        match &kind {
            EventKind::StepStarted { step } => {
                let lines = self.step_begins(step);
                std::iter::once(kind).chain(lines).collect()
            }
            EventKind::StepFinished { step, outcome, .. } => {
                let lines = self.step_ends(step, *outcome);
                lines.into_iter().chain([kind]).collect()
            }
            EventKind::Say { text } | EventKind::Message { text } => self.line(&text.clone(), kind),
            EventKind::RunStarted { .. }
            | EventKind::BuildStarted
            | EventKind::Error { .. }
            | EventKind::Warning { .. }
            | EventKind::Hint { .. }
            | EventKind::RemoteOutput { .. }
            | EventKind::ResourceIntended { .. }
            | EventKind::ResourceAcquired { .. }
            | EventKind::ResourceKept { .. }
            | EventKind::ResourceReleased { .. }
            | EventKind::ResourceLeft { .. }
            | EventKind::Progress { .. }
            | EventKind::BuildFinished { .. }
            | EventKind::RunFinished { .. } => vec![kind],
        }
    }
}

fn say(text: &str) -> EventKind {
    EventKind::Say { text: text.to_owned() }
}

fn message(text: &str) -> EventKind {
    EventKind::Message { text: text.to_owned() }
}
