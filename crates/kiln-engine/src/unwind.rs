//! Deletes what a build no longer needs: dependants before what they stand on, everything else at once, each deletion
//! repeated until the cloud agrees or the deadline passes.
//!
//! The lines shown keep one order (the reclaim table's ranks) whatever runs at once, because people and scripts read
//! them. Nothing here decides *what* is deleted; that is the ledger's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kiln_core::commons::Commons;
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::Events;
use kiln_core::ledger::Resource;
use kiln_core::reclaim::{Announcement, Reason, Reclaim, ReclaimTable};
use kiln_core::run::{Releaser, Run};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long one resource may resist before it is reported as left behind.
const DEADLINE: Duration = Duration::from_secs(600);
/// How long a quick deletion may take after everything else has been given up.
const LAST_CALL: Duration = Duration::from_secs(30);
/// Pauses between attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Deletes the resources of one build.
pub(crate) struct Unwinder {
    /// Grows: post-processors bring kinds of their own.
    table: RwLock<ReclaimTable>,
    events: Events,
    /// Ends deletions that take long.
    hurry: CancellationToken,
    /// Lines of resources released early: shown with the others, in order, when unwinding begins.
    early: Mutex<Vec<(u32, Vec<Announcement>)>>,
    /// Resources whose deletion is under way elsewhere, so that nobody deletes twice.
    busy: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    /// How to delete what was made by another build, by key: its account may be another.
    adopted: RwLock<BTreeMap<String, Arc<dyn Reclaim>>>,
    /// Keys of what resisted: reported once, not fought for again by a second unwinding.
    resisted: Mutex<BTreeSet<String>>,
}

/// What became of one resource.
pub(crate) enum Fate {
    /// It is gone.
    Gone,
    /// It is still there, for this reason.
    Left(String),
}

impl Unwinder {
    pub(crate) fn new(table: ReclaimTable, events: Events, hurry: CancellationToken) -> Unwinder {
        Unwinder {
            table: RwLock::new(table),
            events,
            hurry,
            early: Mutex::default(),
            busy: Mutex::default(),
            adopted: RwLock::default(),
            resisted: Mutex::default(),
        }
    }

    /// Adds kinds of resources.
    pub(crate) fn learn(&self, table: &ReclaimTable) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).extend(table);
    }

    fn row(&self, resource: &Resource) -> Result<Arc<dyn Reclaim>> {
        let adopted = self.adopted.read().unwrap_or_else(PoisonError::into_inner);
        match adopted.get(&resource.intent.key) {
            Some(reclaim) => Ok(Arc::clone(reclaim)),
            None => {
                self.table.read().unwrap_or_else(PoisonError::into_inner).get(&resource.intent.kind).cloned()
            }
        }
    }

    /// Deletes everything `run` still holds and records what became of it. Returns what is left of what has not
    /// been reported before.
    pub(crate) async fn unwind(&self, run: &Run, reason: Reason) -> Vec<Resource> {
        let fates = self.delete_all(&run.held(), reason, run).await;
        let left = fates.into_iter().filter(|(_, fate)| matches!(fate, Fate::Left(_)));
        left.map(|(resource, _)| resource).collect()
    }

    /// Deletes what all builds of the run shared, together with what its last build still holds (`own`), as
    /// [`Unwinder::unwind`].
    pub(crate) async fn unwind_all(
        &self,
        own: Option<&Run>,
        commons: &Commons,
        reason: Reason,
    ) -> Vec<Resource> {
        let mut resources = own.map(Run::held).unwrap_or_default();
        let mut shared = BTreeSet::new();
        for (resource, reclaim) in commons.held() {
            let key = resource.intent.key.clone();
            self.adopted.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), reclaim);
            shared.insert(key);
            resources.push(resource);
        }
        let books = JointBooks { own, commons: commons.ledger(), shared };
        let fates = self.delete_all(&resources, reason, &books).await;
        let left = fates.into_iter().filter(|(_, fate)| matches!(fate, Fate::Left(_)));
        left.map(|(resource, _)| resource).collect()
    }

    /// Deletes `resources`; each fate is noted in `books` as soon as it is known. The answer is in the order they ended.
    pub(crate) async fn delete_all(
        &self,
        resources: &[Resource],
        reason: Reason,
        books: &dyn Books,
    ) -> Vec<(Resource, Fate)> {
        let resisted = self.resisted.lock().await.clone();
        let mut waiting: Vec<&Resource> =
            resources.iter().filter(|resource| !resisted.contains(&resource.intent.key)).collect();
        let lines = Lines::new(self, &waiting, reason).await;
        let mut under_way = FuturesUnordered::new();
        let mut fates: Vec<(Resource, Fate)> = Vec::new();
        loop {
            let (ready, blocked): (Vec<_>, Vec<_>) =
                waiting.iter().copied().partition(|resource| is_free(resource, resources, &fates));
            waiting = blocked;
            for resource in ready {
                let lines = &lines;
                under_way.push(async move {
                    lines.started(resource).await;
                    let fate = self.delete(resource).await;
                    books.note(resource, &fate).await;
                    if matches!(fate, Fate::Gone) {
                        lines.gone(resource, reason).await;
                    }
                    (resource.clone(), fate)
                });
            }
            match under_way.next().await {
                Some(fate) => fates.push(fate),
                None => break,
            }
        }
        // What stands below something that resisted cannot go either.
        for resource in waiting {
            lines.started(resource).await;
            let fate = Fate::Left("something that depends on it is still there".to_owned());
            books.note(resource, &fate).await;
            fates.push((resource.clone(), fate));
        }
        let left = fates.iter().filter(|(_, fate)| matches!(fate, Fate::Left(_)));
        self.resisted.lock().await.extend(left.map(|(resource, _)| resource.intent.key.clone()));
        fates
    }

    async fn delete(&self, resource: &Resource) -> Fate {
        let turn = Arc::clone(self.busy.lock().await.entry(resource.intent.key.clone()).or_default());
        let _turn = turn.lock().await;
        match self.try_delete(resource).await {
            Ok(()) => Fate::Gone,
            Err(error) => Fate::Left(error.chain()),
        }
    }

    async fn try_delete(&self, resource: &Resource) -> Result<()> {
        let reclaim = self.row(resource)?;
        let deadline = Instant::now() + DEADLINE;
        let mut pause = PAUSES.0;
        loop {
            if self.hurry.is_cancelled() {
                return self.last_call(reclaim.as_ref(), resource).await;
            }
            let error = match delete_until(deadline, reclaim.as_ref(), resource, &self.hurry).await {
                Ok(()) => return Ok(()),
                Err(_) if self.hurry.is_cancelled() => continue,
                Err(error) => error,
            };
            let next = Instant::now() + pause;
            if error.kind == ErrorKind::Refused || next > deadline {
                return Err(error);
            }
            tracing::debug!(kind = resource.intent.kind, error = error.chain(), "deletion is tried again");
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.hurry.cancelled() => {}
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// What is quick has one more try, out of reach of the signal that ended everything else.
    async fn last_call(&self, reclaim: &dyn Reclaim, resource: &Resource) -> Result<()> {
        match reclaim.is_quick() {
            true => {
                let deadline = Instant::now() + LAST_CALL;
                delete_until(deadline, reclaim, resource, &CancellationToken::new()).await
            }
            false => Err(Error::new("clean-up was cut short")),
        }
    }
}

/// Where fates are noted, each as soon as it is known: a crash in the middle of a clean-up repeats little.
#[async_trait]
pub(crate) trait Books: Send + Sync {
    async fn note(&self, resource: &Resource, fate: &Fate);
}

#[async_trait]
impl Books for Run {
    async fn note(&self, resource: &Resource, fate: &Fate) {
        match fate {
            Fate::Gone => self.released(resource).await,
            Fate::Left(reason) => self.left(resource, reason).await,
        }
    }
}

/// The books of a build and of what it shared.
struct JointBooks<'a> {
    own: Option<&'a Run>,
    commons: &'a Run,
    shared: BTreeSet<String>,
}

#[async_trait]
impl Books for JointBooks<'_> {
    async fn note(&self, resource: &Resource, fate: &Fate) {
        let own = self.own.filter(|_| !self.shared.contains(&resource.intent.key));
        own.unwrap_or(self.commons).note(resource, fate).await;
    }
}

/// Deletes what is known, or first looks for what the intent may have created.
async fn delete_once(reclaim: &dyn Reclaim, resource: &Resource, cancel: &CancellationToken) -> Result<()> {
    if resource.id.is_some() {
        return reclaim.delete(resource, cancel).await;
    }
    for found in reclaim.find(&resource.intent).await? {
        reclaim.delete(&found, cancel).await?;
    }
    Ok(())
}

/// No deletion is waited for longer than `deadline`, whatever it does.
async fn delete_until(
    deadline: Instant,
    reclaim: &dyn Reclaim,
    resource: &Resource,
    cancel: &CancellationToken,
) -> Result<()> {
    match tokio::time::timeout_at(deadline, delete_once(reclaim, resource, cancel)).await {
        Ok(result) => result,
        Err(_) => Err(Error::new("it was not gone in time").kind(ErrorKind::TimedOut)),
    }
}

/// Whether nothing that needs `resource` is still there.
fn is_free(resource: &Resource, all: &[Resource], fates: &[(Resource, Fate)]) -> bool {
    let key = &resource.intent.key;
    let gone = |other: &Resource| {
        fates.iter().any(|(it, fate)| it.intent.key == other.intent.key && matches!(fate, Fate::Gone))
    };
    all.iter().filter(|other| other.intent.needs.contains(key)).all(gone)
}

/// Early deletion: quiet, because its lines belong among those of the unwinding.
#[async_trait]
impl Releaser for Unwinder {
    async fn release(&self, resource: &Resource) -> Result<()> {
        let turn = Arc::clone(self.busy.lock().await.entry(resource.intent.key.clone()).or_default());
        let _turn = turn.lock().await;
        let reclaim = self.row(resource)?;
        delete_until(Instant::now() + DEADLINE, reclaim.as_ref(), resource, &self.hurry).await?;
        let mut lines = reclaim.announce(resource, Reason::Finished);
        lines.extend(reclaim.announce_gone(resource, Reason::Finished));
        self.early.lock().await.push((reclaim.rank(), lines));
        Ok(())
    }
}

/// Shows each resource's lines in the order of ranks: those whose turn has not come wait.
struct Lines<'a> {
    unwinder: &'a Unwinder,
    state: Mutex<Vec<Line>>,
}

struct Line {
    key: Option<String>,
    announcements: Vec<Announcement>,
    rank: u32,
    started: bool,
}

impl<'a> Lines<'a> {
    async fn new(unwinder: &'a Unwinder, resources: &[&Resource], reason: Reason) -> Lines<'a> {
        let early = std::mem::take(&mut *unwinder.early.lock().await);
        let early = early.into_iter().map(|(rank, announcements)| Line {
            key: None,
            announcements,
            rank,
            started: true,
        });
        let known = resources.iter().filter_map(|resource| {
            let reclaim = unwinder.row(resource).ok()?;
            Some(Line {
                key: Some(resource.intent.key.clone()),
                announcements: reclaim.announce(resource, reason),
                rank: reclaim.rank(),
                started: false,
            })
        });
        let mut lines: Vec<Line> = early.chain(known).collect();
        lines.sort_by_key(|line| line.rank);
        let lines = Lines { unwinder, state: Mutex::new(lines) };
        lines.flush().await;
        lines
    }

    async fn started(&self, resource: &Resource) {
        let mut lines = self.state.lock().await;
        if let Some(line) = lines.iter_mut().find(|line| line.key.as_ref() == Some(&resource.intent.key)) {
            line.started = true;
        }
        drop(lines);
        self.flush().await;
    }

    /// Shows the lines of a deletion that has succeeded, after those of its beginning.
    async fn gone(&self, resource: &Resource, reason: Reason) {
        let Ok(reclaim) = self.unwinder.row(resource) else {
            return;
        };
        let gone = reclaim.announce_gone(resource, reason);
        let mut lines = self.state.lock().await;
        match lines.iter_mut().find(|line| line.key.as_ref() == Some(&resource.intent.key)) {
            Some(waiting) => waiting.announcements.extend(gone),
            None => self.show(gone).await,
        }
    }

    async fn flush(&self) {
        let mut lines = self.state.lock().await;
        while lines.first().is_some_and(|line| line.started) {
            self.show(lines.remove(0).announcements).await;
        }
    }

    async fn show(&self, announcements: Vec<Announcement>) {
        let events = &self.unwinder.events;
        for announcement in announcements {
            match announcement {
                Announcement::Say(text) => events.say(text).await,
                Announcement::Message(text) => events.message(text).await,
            }
        }
    }
}

#[cfg(test)]
mod tests;
