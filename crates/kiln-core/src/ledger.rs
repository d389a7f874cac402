//! What is written down, and when: the records of a run's journal.
//!
//! A journal is one JSON object a line. The intent to create stands before the call that creates; the identity
//! right after; so a crash at any point, or an answer lost on the way, leaves either nothing or something that can
//! be found by token, name or tag.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// The journal format this program writes. Other versions are refused by name.
pub const FORMAT: u32 = 1;

/// What is about to be created, said before the call that creates it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Literal, stable and unique within the build: `vpc`, `instance`.
    pub key: String,
    /// Row of the reclaim table: `alicloud-vpc`.
    pub kind: String,
    /// The client token sent along, so that a retry cannot create twice and a lost answer can be asked for again.
    pub token: String,
    /// The name it will have, where the kind has unique names (key pairs, images).
    pub name: Option<String>,
    /// Where: `region`, `endpoint`, … whatever `find` and `delete` need and is no secret.
    pub place: BTreeMap<String, String>,
    /// Keys of resources that cannot be deleted before this one is gone.
    pub needs: Vec<String>,
}

/// Something that exists, or may exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What was intended.
    pub intent: Intent,
    /// Its id in the cloud (or path), once known.
    pub id: Option<String>,
    /// Facts that deleting needs and that were learnt at creation, no secrets.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// One line of a journal. `build` is the build's display name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// First line.
    RunStarted {
        /// [`FORMAT`].
        format: u32,
        /// The run's id.
        run: String,
        /// Program version.
        version: String,
        /// RFC 3339.
        time: String,
        /// The template as the user named it.
        template: String,
        /// Names of the builds.
        builds: Vec<String>,
        /// Process id, so that `runs` and `gc` can tell a live run from a dead one.
        pid: u32,
    },
    /// A build began.
    BuildStarted {
        /// Which.
        build: String,
        /// Hash of what was planned for it.
        plan: String,
    },
    /// A step's result.
    StepDone {
        /// Which build.
        build: String,
        /// The step's key.
        key: String,
        /// Its result.
        value: serde_json::Value,
    },
    /// Something is about to be created.
    Intended {
        /// Which build.
        build: String,
        /// What.
        intent: Intent,
    },
    /// It was created.
    Acquired {
        /// Which build.
        build: String,
        /// The intent's key.
        key: String,
        /// Its id.
        id: String,
        /// See [`Resource::facts`].
        facts: BTreeMap<String, String>,
    },
    /// It belongs to the user now.
    Kept {
        /// Which build.
        build: String,
        /// The intent's key.
        key: String,
    },
    /// It is gone, or never came to be.
    Released {
        /// Which build.
        build: String,
        /// The intent's key.
        key: String,
    },
    /// It could not be deleted (yet).
    ReleaseFailed {
        /// Which build.
        build: String,
        /// The intent's key.
        key: String,
        /// Why.
        reason: String,
    },
    /// A build ended.
    BuildFinished {
        /// Which.
        build: String,
        /// `done`, `failed`, `cancelled`.
        outcome: String,
        /// RFC 3339.
        time: String,
        /// Artifact ids.
        artifacts: Vec<String>,
        /// The error, secrets masked.
        error: Option<String>,
    },
    /// Last line of a run that came to its end.
    RunFinished {
        /// `done`, `failed`, `cancelled`.
        outcome: String,
        /// RFC 3339.
        time: String,
    },
    /// `gc` has been here.
    Collected {
        /// RFC 3339.
        time: String,
    },
}

/// Why a record could not be written. A build stops at once then: an effect without its record must not happen.
#[derive(Debug, thiserror::Error)]
#[error("write the journal `{path}`")]
pub struct JournalError {
    /// The journal's file.
    pub path: String,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// Where records go.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Returns when the record is on stable storage.
    async fn append(&self, record: Record) -> Result<(), JournalError>;
}
