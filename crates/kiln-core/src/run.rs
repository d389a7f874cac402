//! The durable heart of a build: each effect goes through [`Run`].

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Context, Error, Result};
use crate::event::{EventKind, Events};
use crate::ledger::{Intent, Journal, Record, Resource};

/// One build's ledger. Cheap to clone.
#[derive(Clone)]
pub struct Run {
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    build: String,
    journal: Arc<dyn Journal>,
    events: Events,
    releaser: Arc<dyn Releaser>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Results of steps, of this attempt and of earlier ones.
    recorded: BTreeMap<String, serde_json::Value>,
    /// What this build answers for, in order of intent.
    held: Vec<Resource>,
    /// Keys of what was handed over: it is not ours to make again.
    kept: BTreeSet<String>,
    /// Keys this attempt has used: a key used twice would make a resumed run another run.
    used: BTreeSet<Used>,
}

/// Steps and resources have names of their own: a file builder's step and file may both be `target`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Used {
    Step(String),
    Resource(String),
}

/// What a journal says of a build that ran before.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Results of steps by key.
    pub steps: BTreeMap<String, serde_json::Value>,
    /// What is still held.
    pub held: Vec<Resource>,
}

/// Deletes a resource early. The engine implements it over the reclaim table; see [`Run::release`].
#[async_trait::async_trait]
pub trait Releaser: Send + Sync {
    /// Announces and deletes `resource`; on success nothing is left.
    async fn release(&self, resource: &Resource) -> Result<()>;
}

/// Something the build holds. Dropping it deletes nothing: the ledger is clean-up, not `Drop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The ledger key.
    pub key: String,
    /// Its id in the cloud.
    pub id: String,
    /// Facts learnt at creation.
    pub facts: BTreeMap<String, String>,
}

/// What an acquiring effect returns.
#[derive(Debug, Clone, Default)]
pub struct Acquired {
    /// The id in the cloud.
    pub id: String,
    /// Facts deleting or later steps need; no secrets.
    pub facts: BTreeMap<String, String>,
}

impl Acquired {
    /// Returns an acquisition with nothing but its id.
    pub fn id(id: impl Into<String>) -> Acquired {
        Acquired { id: id.into(), facts: BTreeMap::new() }
    }
}

impl Run {
    /// Returns the ledger of build `build` in run `id`, going on from what was `recorded`.
    pub fn new(
        id: &str,
        build: &str,
        journal: Arc<dyn Journal>,
        events: Events,
        releaser: Arc<dyn Releaser>,
        recorded: Recorded,
    ) -> Run {
        let state = State { recorded: recorded.steps, held: recorded.held, ..State::default() };
        let (id, build) = (id.to_owned(), build.to_owned());
        Run { shared: Arc::new(Shared { id, build, journal, events, releaser, state: Mutex::new(state) }) }
    }

    /// Returns the run's id (a UUID).
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Returns the build's display name.
    pub fn build(&self) -> &str {
        &self.shared.build
    }

    /// Returns the client token of the effect `key`: the same for every attempt of the same run, build and key, so
    /// that a retry can never create twice. At most 64 ASCII characters.
    pub fn token(&self, key: &str) -> String {
        let name = format!("{}/{}/{key}", self.shared.id, self.shared.build);
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
    }

    /// Does an effect once and records its result; a resumed run gets the recorded result instead.
    ///
    /// `key` is literal, stable and unique within the build. Time, random values and generated names come out of
    /// a step too. Never put a secret into the result: the journal is a file. A step that failed may be tried again
    /// under its key.
    pub async fn step<T, F, Fut>(&self, key: &str, effect: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        if let Some(value) = self.claim_step(key)? {
            return serde_json::from_value(value)
                .context(format!("read the recorded result of step `{key}`"));
        }
        let result = self.record_step(key, effect).await;
        if result.is_err() {
            self.state(|state| state.used.remove(&Used::Step(key.to_owned())));
        }
        result
    }

    async fn record_step<T, F, Fut>(&self, key: &str, effect: F) -> Result<T>
    where
        T: Serialize,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let result = effect().await?;
        let value = serde_json::to_value(&result).context(format!("record the result of step `{key}`"))?;
        let (build, key) = (self.shared.build.clone(), key.to_owned());
        self.append(Record::StepDone { build, key: key.clone(), value: value.clone() }).await?;
        self.state(|state| state.recorded.insert(key, value));
        Ok(result)
    }

    /// Lets part of the build run once more over what it has recorded, as a resumed run does: for a person who asks
    /// for another try of a failed step. Its keys may then be used again; steps answer with their recorded results,
    /// and what is held is not created a second time.
    pub fn try_again(&self) {
        self.state(|state| state.used.clear());
    }

    /// Creates something that must be deleted again: the intent is on disk before `effect` runs, the identity right
    /// after. If `effect` fails the intent stays open, and unwinding looks for what it may have created; acquiring
    /// it again intends it anew, with the same token.
    ///
    /// The effect must not be raced against cancellation: it runs to its record.
    pub async fn acquire<F, Fut>(&self, intent: Intent, effect: F) -> Result<Held>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Acquired>>,
    {
        let key = intent.key.clone();
        if let Some(held) = self.claim_resource(&key)? {
            return Ok(held);
        }
        let result = self.create(intent, effect).await;
        if result.is_err() {
            self.state(|state| state.used.remove(&Used::Resource(key)));
        }
        result
    }

    async fn create<F, Fut>(&self, intent: Intent, effect: F) -> Result<Held>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Acquired>>,
    {
        let (key, kind) = (intent.key.clone(), intent.kind.clone());
        self.append(Record::Intended { build: self.shared.build.clone(), intent: intent.clone() }).await?;
        self.state(|state| {
            state.held.retain(|resource| resource.intent.key != key);
            state.held.push(Resource { intent, id: None, facts: BTreeMap::new() });
        });
        self.shared.events.emit(EventKind::ResourceIntended { kind: kind.clone(), key: key.clone() }).await;

        let Acquired { id, facts } = effect().await?;
        self.state(|state| {
            if let Some(resource) = state.held.iter_mut().find(|resource| resource.intent.key == key) {
                resource.id = Some(id.clone());
                resource.facts = facts.clone();
            }
        });
        let record = Record::Acquired {
            build: self.shared.build.clone(),
            key: key.clone(),
            id: id.clone(),
            facts: facts.clone(),
        };
        self.append(record).await?;
        self.shared.events.emit(EventKind::ResourceAcquired { kind, key: key.clone(), id: id.clone() }).await;
        Ok(Held { key, id, facts })
    }

    /// Hands what is held over to the user: it is no longer ours to delete.
    pub async fn keep(&self, held: &Held) -> Result<Resource> {
        let resource = self
            .state(|state| state.held.iter().find(|resource| resource.intent.key == held.key).cloned())
            .ok_or_else(|| Error::new(format!("keep `{}`, which this build does not hold", held.key)))?;
        self.append(Record::Kept { build: self.shared.build.clone(), key: held.key.clone() }).await?;
        self.forget(&held.key);
        self.state(|state| state.kept.insert(held.key.clone()));
        let kind = resource.intent.kind.clone();
        self.shared
            .events
            .emit(EventKind::ResourceKept { kind, key: held.key.clone(), id: held.id.clone() })
            .await;
        Ok(resource)
    }

    /// Deletes what the build no longer needs, before its end. A failure is no failure of the build: the resource
    /// stays held and unwinding tries again.
    pub async fn release(&self, key: &str) {
        let Some(resource) =
            self.state(|state| state.held.iter().find(|resource| resource.intent.key == key).cloned())
        else {
            return;
        };
        if self.shared.releaser.release(&resource).await.is_ok() {
            self.released(&resource).await;
        }
    }

    /// Returns everything the build answers for, in order of intent.
    pub fn held(&self) -> Vec<Resource> {
        self.state(|state| state.held.clone())
    }

    /// Records that `resource` is gone. For the engine's unwinding.
    pub async fn released(&self, resource: &Resource) {
        let key = resource.intent.key.clone();
        self.forget(&key);
        let record = Record::Released { build: self.shared.build.clone(), key: key.clone() };
        // It is gone whatever the disk says; `gc` looks for it once more and finds nothing.
        let _ = self.append(record).await;
        let (kind, id) = (resource.intent.kind.clone(), resource.id.clone().unwrap_or_default());
        self.shared.events.emit(EventKind::ResourceReleased { kind, key, id }).await;
    }

    /// Records that `resource` could not be deleted. For the engine's unwinding.
    pub async fn left(&self, resource: &Resource, reason: &str) {
        let key = resource.intent.key.clone();
        let reason = self.shared.events.secrets().apply(reason).into_owned();
        let record = Record::ReleaseFailed {
            build: self.shared.build.clone(),
            key: key.clone(),
            reason: reason.clone(),
        };
        // The line above all: what is left must reach the user even if the disk is full.
        let _ = self.append(record).await;
        let (kind, id) = (resource.intent.kind.clone(), resource.id.clone().unwrap_or_default());
        self.shared.events.emit(EventKind::ResourceLeft { kind, key, id, reason }).await;
    }

    async fn append(&self, record: Record) -> Result<()> {
        self.shared.journal.append(record).await.context("record what the build does")
    }

    fn forget(&self, key: &str) {
        self.state(|state| state.held.retain(|resource| resource.intent.key != key));
    }

    /// Marks the key of a step as used; returns what is recorded of it.
    fn claim_step(&self, key: &str) -> Result<Option<serde_json::Value>> {
        self.state(|state| match state.used.insert(Used::Step(key.to_owned())) {
            true => Ok(state.recorded.get(key).cloned()),
            false => Err(Error::new(format!("step key `{key}` is used twice in one build"))),
        })
    }

    /// Marks the key of a resource as used; returns what is held of it.
    fn claim_resource(&self, key: &str) -> Result<Option<Held>> {
        self.state(|state| {
            if state.kept.contains(key) {
                return Err(Error::new(format!("acquire `{key}`, which was handed over already")));
            }
            if !state.used.insert(Used::Resource(key.to_owned())) {
                return Err(Error::new(format!("resource key `{key}` is used twice in one build")));
            }
            let resource = state.held.iter().find(|resource| resource.intent.key == key);
            Ok(resource.and_then(|resource| {
                let id = resource.id.clone()?;
                Some(Held { key: key.to_owned(), id, facts: resource.facts.clone() })
            }))
        })
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
