//! How each kind of temporary resource is found and deleted.
//!
//! One table serves unwinding, `gc` in another process, and an artifact's destruction; so a build function contains
//! no clean-up code.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::ledger::{Intent, Resource};

/// Why something is deleted: the words shown differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The build is done and no longer needs it.
    Finished,
    /// The build failed or was cancelled.
    FailedOrCancelled,
    /// `gc` found it in a dead run's journal or by its tags.
    Collected,
    /// An artifact is destroyed.
    Destroyed,
}

/// A line shown before or after something is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Packer's "say".
    Say(String),
    /// Packer's "message".
    Message(String),
}

/// One kind of resource: how to find it and how to delete it.
#[async_trait]
pub trait Reclaim: Send + Sync {
    /// Position of its lines among all that are cleaned up, smallest first: lines keep this order even where the
    /// work runs at once.
    fn rank(&self) -> u32;

    /// Whether deleting it takes no longer than a call or two: only such kinds are unwound after a second Ctrl-C.
    fn is_quick(&self) -> bool;

    /// What to call it in messages: `security group`.
    fn noun(&self) -> &'static str;

    /// The lines shown when its deletion begins.
    fn announce(&self, resource: &Resource, reason: Reason) -> Vec<Announcement>;

    /// The lines shown once it is gone.
    fn announce_gone(&self, _resource: &Resource, _reason: Reason) -> Vec<Announcement> {
        Vec::new()
    }

    /// Returns everything that the intent may have created, by client token, name or tag. Empty: nothing was.
    async fn find(&self, intent: &Intent) -> Result<Vec<Resource>>;

    /// Deletes it and waits until it is gone. "Not found" is success. Called again on failure by the unwinder until
    /// its deadline; must listen to `cancel`.
    async fn delete(&self, resource: &Resource, cancel: &CancellationToken) -> Result<()>;
}

/// Kinds by name.
#[derive(Clone, Default)]
pub struct ReclaimTable(BTreeMap<String, Arc<dyn Reclaim>>);

impl ReclaimTable {
    /// Adds a kind.
    pub fn insert(&mut self, kind: &str, reclaim: Arc<dyn Reclaim>) {
        self.0.insert(kind.to_owned(), reclaim);
    }

    /// Adds all of `other`; its rows win.
    pub fn extend(&mut self, other: &ReclaimTable) {
        self.0.extend(other.0.iter().map(|(kind, reclaim)| (kind.clone(), Arc::clone(reclaim))));
    }

    /// Returns the row of `kind`.
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn Reclaim>> {
        self.0.get(kind).ok_or_else(|| Error::new(format!("nobody here knows how to delete a `{kind}`")))
    }
}

/// Finds what a run left behind when its journal is lost, by the tags that every temporary resource carries.
#[async_trait]
pub trait Sweep: Send + Sync {
    /// Returns resources tagged as temporary by Kiln (of `run`, or of every run), with the time they were made where
    /// the cloud tells.
    async fn sweep(&self, run: Option<&str>) -> Result<Vec<Swept>>;
}

/// Something found by its tags.
#[derive(Debug, Clone)]
pub struct Swept {
    /// The resource, ready for [`Reclaim::delete`]; `needs` order is by kind rank.
    pub resource: Resource,
    /// The run its tag names.
    pub run: String,
    /// Whether the time after which its run cannot be alive any more (another tag) has passed.
    pub expired: bool,
}
