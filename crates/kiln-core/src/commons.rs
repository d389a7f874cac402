//! What the builds of one run make once and use together: a temporary network serves a thousand instances as well as
//! one, and an account may have ten of them.
//!
//! A shared resource stands in the run's journal under [`SHARED`] instead of a build's name, with its intent on disk
//! before the call like any other. It lives until the last builder of the run has ended, whose clean-up deletes it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::ledger::{Intent, Resource};
use crate::reclaim::{Reclaim, ReclaimTable};
use crate::run::{Acquired, Held, Run};

/// Stands in the journal where a build's own resources have the build's name.
pub const SHARED: &str = "(shared)";

/// One build's way to what its run shares. Cheap to clone.
#[derive(Clone)]
pub struct Commons {
    shared: Arc<Shared>,
    /// How to delete what this build makes for all, with the account of its configuration.
    table: ReclaimTable,
}

struct Shared {
    run: Run,
    entries: Mutex<BTreeMap<String, Arc<Entry>>>,
    /// Builders that have not ended.
    members: AtomicUsize,
    /// Whether a build left its things as they are; what they stand on stays too.
    abandoned: AtomicBool,
}

#[derive(Default)]
struct Entry {
    /// Held while somebody makes it: whoever comes second waits and uses what the first has made.
    made: AsyncMutex<Option<Held>>,
    /// Held while somebody gets it ready.
    ready: AsyncMutex<bool>,
    reclaim: Mutex<Option<Arc<dyn Reclaim>>>,
}

impl Commons {
    /// Returns what `members` builds share. `run` is a ledger under the name [`SHARED`].
    pub fn new(run: Run, members: usize) -> Commons {
        let shared = Shared {
            run,
            entries: Mutex::default(),
            members: AtomicUsize::new(members),
            abandoned: AtomicBool::new(false),
        };
        Commons { shared: Arc::new(shared), table: ReclaimTable::default() }
    }

    /// Returns the same for a build that deletes by `table`.
    #[must_use]
    pub fn for_build(&self, table: ReclaimTable) -> Commons {
        Commons { shared: Arc::clone(&self.shared), table }
    }

    /// Returns the client token of the shared effect `key`: see [`Run::token`].
    pub fn token(&self, key: &str) -> String {
        self.shared.run.token(key)
    }

    /// Returns what `intent.key` names, created by whichever build asks first. The key has to say everything that
    /// makes one such resource unlike another: account, region, settings.
    ///
    /// If the first one fails, the next one tries for itself. Only waiting for another build ends with `cancel`: an
    /// effect runs to its record.
    ///
    /// # Errors
    ///
    /// As [`Run::acquire`]; or this build's table does not know how to delete such a thing.
    pub async fn acquire<F, Fut>(&self, intent: Intent, cancel: &CancellationToken, effect: F) -> Result<Held>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Acquired>>,
    {
        let reclaim = Arc::clone(self.table.get(&intent.kind)?);
        let entry = self.entry(&intent.key);
        let turn = cancel.run_until_cancelled(entry.made.lock()).await;
        let mut made = turn.ok_or_else(Error::cancelled)?;
        if let Some(held) = made.as_ref() {
            return Ok(held.clone());
        }
        *entry.reclaim.lock().unwrap_or_else(PoisonError::into_inner) = Some(reclaim);
        let held = self.shared.run.acquire(intent, effect).await?;
        *made = Some(held.clone());
        Ok(held)
    }

    /// Gets what `key` names ready, once for all builds: waits until it can be used, opens a port. If the first one
    /// fails, the next one tries for itself.
    ///
    /// # Errors
    ///
    /// Those of `work`; or `cancel` ended the wait for another build.
    pub async fn once<F, Fut>(&self, key: &str, cancel: &CancellationToken, work: F) -> Result<()>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<()>>,
    {
        let entry = self.entry(key);
        let turn = cancel.run_until_cancelled(entry.ready.lock()).await;
        let mut ready = turn.ok_or_else(Error::cancelled)?;
        if !*ready {
            work().await?;
            *ready = true;
        }
        Ok(())
    }

    /// Returns everything shared that is held, each with how to delete it. For the engine's unwinding.
    pub fn held(&self) -> Vec<(Resource, Arc<dyn Reclaim>)> {
        let entries = self.entries();
        let row = |resource: Resource| {
            let entry = entries.get(&resource.intent.key)?;
            let reclaim = entry.reclaim.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
            Some((resource, reclaim))
        };
        self.shared.run.held().into_iter().filter_map(row).collect()
    }

    /// Returns the ledger that shared resources stand in. For the engine's unwinding.
    pub fn ledger(&self) -> &Run {
        &self.shared.run
    }

    /// Whether every other builder of the run has ended.
    pub fn is_last(&self) -> bool {
        self.shared.members.load(Ordering::Acquire) <= 1
    }

    /// Notes that a builder has ended and holds nothing that stands on what is shared. Returns whether it was the
    /// last: what is shared is then to be deleted.
    pub fn leave(&self) -> bool {
        self.shared.members.fetch_sub(1, Ordering::AcqRel) <= 1
    }

    /// Notes that a build leaves its things as they are (`-on-error=abort`): what is shared stays as well.
    pub fn abandon(&self) {
        self.shared.abandoned.store(true, Ordering::Release);
    }

    /// Whether what is shared has to stay.
    pub fn is_abandoned(&self) -> bool {
        self.shared.abandoned.load(Ordering::Acquire)
    }

    fn entry(&self, key: &str) -> Arc<Entry> {
        Arc::clone(self.entries().entry(key.to_owned()).or_default())
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing shared is deleted before the last build ends.
pub struct NeverEarly;

#[async_trait::async_trait]
impl crate::run::Releaser for NeverEarly {
    async fn release(&self, resource: &Resource) -> Result<()> {
        Err(Error::new(format!("release `{}`, which other builds use", resource.intent.key)))
    }
}
