//! What a journal amounts to: one function holds every legal transition of a resource.

use std::collections::BTreeMap;

use kiln_core::ledger::{FORMAT, Record, Resource};

/// Where a resource stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It may exist.
    Intended,
    /// It exists.
    Acquired,
    /// It belongs to the user.
    Kept,
    /// It is gone.
    Released,
}

/// What may happen to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Intend,
    Acquire,
    Keep,
    Release,
    FailToRelease,
}

/// Returns where a resource stands after `happening`, or `None` if that cannot happen to it.
fn transition(from: Option<State>, happening: Happening) -> Option<State> {
    use Happening::*;
    match (from, happening) {
        // A step tried again (`-on-error=ask`, a resumed run) intends again.
        (None | Some(State::Intended | State::Released), Intend) => Some(State::Intended),
        (Some(State::Intended), Acquire) => Some(State::Acquired),
        (Some(State::Acquired), Keep) => Some(State::Kept),
        (Some(State::Intended | State::Acquired), Release) => Some(State::Released),
        (Some(state @ (State::Intended | State::Acquired)), FailToRelease) => Some(state),
        _ => None,
    }
}

/// What one build's records amount to.
#[derive(Debug, Clone, Default)]
pub(crate) struct BuildLog {
    /// Resources in order of intent.
    pub resources: Vec<(Resource, State)>,
    /// How it ended, if it did.
    pub outcome: Option<String>,
    /// What it made.
    pub artifacts: Vec<String>,
}

impl BuildLog {
    /// Returns what must still be deleted.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Resource> {
        self.resources
            .iter()
            .filter(|(_, state)| matches!(state, State::Intended | State::Acquired))
            .map(|(resource, _)| resource)
    }

    fn happen(&mut self, key: &str, happening: Happening) -> Result<&mut Resource, LedgerError> {
        let illegal = || LedgerError::Illegal { key: key.to_owned(), happening: format!("{happening:?}") };
        let (resource, state) =
            self.resources.iter_mut().find(|(resource, _)| resource.intent.key == key).ok_or_else(illegal)?;
        *state = transition(Some(*state), happening).ok_or_else(illegal)?;
        Ok(resource)
    }
}

/// What a whole journal amounts to.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunLog {
    pub run: String,
    pub time: String,
    pub template: String,
    pub builds: BTreeMap<String, BuildLog>,
    /// Names in the order the run listed them.
    pub order: Vec<String>,
    pub outcome: Option<String>,
    pub finished: Option<String>,
}

/// Why a journal makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another program version wrote it.
    #[error("the journal has format {found}, this program reads {FORMAT}")]
    Format {
        /// The version found.
        found: u32,
    },
    /// Records contradict each other.
    #[error("the journal says `{happening}` of `{key}`, which cannot happen to it")]
    Illegal {
        /// Ledger key.
        key: String,
        /// What is said to have happened.
        happening: String,
    },
}

impl RunLog {
    /// Replays `records` from the first.
    pub(crate) fn replay(records: Vec<Record>) -> Result<RunLog, LedgerError> {
        let mut log = RunLog::default();
        for record in records {
            log.apply(record)?;
        }
        Ok(log)
    }

    fn apply(&mut self, record: Record) -> Result<(), LedgerError> {
        match record {
            Record::RunStarted { format, run, time, template, builds, .. } => {
                if format != FORMAT {
                    return Err(LedgerError::Format { found: format });
                }
                (self.run, self.time, self.template, self.order) = (run, time, template, builds);
            }
            Record::BuildStarted { build, .. } => drop(self.builds.entry(build).or_default()),
            Record::StepDone { .. } | Record::Collected { .. } => {}
            Record::Intended { build, intent } => {
                let log = self.builds.entry(build).or_default();
                let key = intent.key.clone();
                let before = log
                    .resources
                    .iter()
                    .find(|(resource, _)| resource.intent.key == key)
                    .map(|(_, state)| *state);
                let state = transition(before, Happening::Intend)
                    .ok_or(LedgerError::Illegal { key: key.clone(), happening: "Intend".to_owned() })?;
                log.resources.retain(|(resource, _)| resource.intent.key != key);
                log.resources.push((Resource { intent, id: None, facts: BTreeMap::new() }, state));
            }
            Record::Acquired { build, key, id, facts } => {
                let resource = self.builds.entry(build).or_default().happen(&key, Happening::Acquire)?;
                resource.id = Some(id);
                resource.facts = facts;
            }
            Record::Kept { build, key } => {
                self.builds.entry(build).or_default().happen(&key, Happening::Keep)?;
            }
            Record::Released { build, key } => {
                self.builds.entry(build).or_default().happen(&key, Happening::Release)?;
            }
            Record::ReleaseFailed { build, key, .. } => {
                self.builds.entry(build).or_default().happen(&key, Happening::FailToRelease)?;
            }
            Record::BuildFinished { build, outcome, artifacts, .. } => {
                let log = self.builds.entry(build).or_default();
                (log.outcome, log.artifacts) = (Some(outcome), artifacts);
            }
            Record::RunFinished { outcome, time } => {
                (self.outcome, self.finished) = (Some(outcome), Some(time));
            }
        }
        Ok(())
    }

    /// Returns what must still be deleted, with its build.
    pub(crate) fn open(&self) -> Vec<(String, Resource)> {
        let open = |(build, log): (&String, &BuildLog)| {
            log.open().map(|resource| (build.clone(), resource.clone())).collect::<Vec<_>>()
        };
        self.builds.iter().flat_map(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use kiln_core::ledger::Intent;

    use super::*;

    fn intended(key: &str) -> Record {
        Record::Intended { build: "b".into(), intent: Intent { key: key.into(), ..Intent::default() } }
    }

    fn acquired(key: &str) -> Record {
        Record::Acquired {
            build: "b".into(),
            key: key.into(),
            id: format!("{key}-1"),
            facts: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_intended_or_acquired_and_not_released_is_open() {
        let kept = Record::Kept { build: "b".into(), key: "image".into() };
        let released = Record::Released { build: "b".into(), key: "vpc".into() };
        let log = RunLog::replay(vec![
            intended("vpc"),
            acquired("vpc"),
            intended("image"),
            acquired("image"),
            kept,
            intended("lost"),
            released,
        ]);
        let open: Vec<_> = log.unwrap().open().into_iter().map(|(_, resource)| resource.intent.key).collect();
        assert_eq!(open, ["lost"]);
    }

    #[test]
    fn records_that_contradict_each_other_are_refused() {
        let error = RunLog::replay(vec![acquired("vpc")]).unwrap_err();
        assert_eq!(error.to_string(), "the journal says `Acquire` of `vpc`, which cannot happen to it");
        assert!(RunLog::replay(vec![intended("vpc"), acquired("vpc"), acquired("vpc")]).is_err());
    }
}
