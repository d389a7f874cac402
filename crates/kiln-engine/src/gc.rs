//! Deletes what dead runs left behind: from their journals, and, where a journal is lost, by the tags that every
//! temporary resource carries.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kiln_core::commons::SHARED;
use kiln_core::error::{Context as _, Error, Result};
use kiln_core::event::Events;
use kiln_core::ledger::{Journal, Record, Resource};
use kiln_core::reclaim::{Reason, ReclaimTable, Sweep, Swept};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::build::now;
use crate::journal::{FileJournal, runs_dir};
use crate::runs::{self, RunSummary};
use crate::unwind::{Books, Fate, Unwinder};

/// Key of [`kiln_core::ledger::Intent::place`] that names the cloud a resource lives in. Absent: the real one.
pub const CLOUD: &str = "cloud";
/// The cloud inside a process that has ended: whatever lived in it is gone.
pub const EPHEMERAL: &str = "local";

/// How long another `gc` that works on the same run is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How soon to look again whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What to collect.
pub struct GcOptions {
    /// Where the journals are.
    pub state_dir: PathBuf,
    /// Only runs whose id begins so. A run named here is also swept by tag when its journal is not here.
    pub run: Option<String>,
    /// Only say what would be deleted.
    pub dry_run: bool,
    /// The cloud `reclaim` and `sweeps` speak to, as in [`CLOUD`]; `None`: the real one.
    pub cloud: Option<String>,
    /// How to delete.
    pub reclaim: ReclaimTable,
    /// How to find by tags.
    pub sweeps: Vec<Arc<dyn Sweep>>,
}

/// What `gc` did, or would do.
#[derive(Debug, Default)]
pub struct GcReport {
    /// Deleted (or to be deleted, with `dry_run`), with the run it belonged to.
    pub collected: Vec<(String, Resource)>,
    /// Still there, and why.
    pub left: Vec<(String, Resource, String)>,
    /// Passed over, and why: runs under way, journals that cannot be read, other clouds.
    pub passed_over: Vec<String>,
    /// Runs of which something is here that could not be looked at: what they left may still be there.
    pub unhandled: usize,
}

/// Collects. Fails only if the journals' folder cannot be read.
pub async fn collect(options: GcOptions, events: &Events, cancel: &CancellationToken) -> Result<GcReport> {
    let state_dir = options.state_dir.clone();
    let (known, unreadable) = tokio::task::spawn_blocking(move || runs::list(&state_dir))
        .await
        .context("read the journals")?
        .context(format!("read the journals in `{}`", options.state_dir.display()))?;
    let mut report = GcReport::default();
    for broken in unreadable {
        report.passed_over.push(format!(
            "{}: {}",
            broken.dir.display(),
            Error::new("unreadable").source(broken.reason).chain()
        ));
    }
    let collection = Collection { options: &options, events, cancel };
    for run in known.iter().filter(|run| collection.is_wanted(&run.id)) {
        if cancel.is_cancelled() {
            break;
        }
        // One run that cannot be collected is no reason to leave the others.
        if let Err(error) = collection.journal(run, &mut report).await {
            report.passed_over.push(format!("run {}: {}", run.id, error.chain()));
            report.unhandled += 1;
        }
    }
    for sweep in &options.sweeps {
        if !cancel.is_cancelled() {
            collection.sweep(sweep.as_ref(), &known, &mut report).await;
        }
    }
    Ok(report)
}

/// A resource and the build that made it.
type Owned = (String, Resource);

struct Collection<'a> {
    options: &'a GcOptions,
    events: &'a Events,
    cancel: &'a CancellationToken,
}

impl Collection<'_> {
    fn is_wanted(&self, run: &str) -> bool {
        self.options.run.as_deref().is_none_or(|wanted| run.starts_with(wanted))
    }

    /// Keys are unique within a build, so each build has an unwinder of its own.
    fn unwinder(&self) -> Unwinder {
        Unwinder::new(self.options.reclaim.clone(), self.events.clone(), self.cancel.clone())
    }

    async fn journal(&self, run: &RunSummary, report: &mut GcReport) -> Result<()> {
        if run.left.is_empty() {
            return Ok(());
        }
        if run.alive {
            report.passed_over.push(format!("run {} is under way", run.id));
            return Ok(());
        }
        let (vanished, here) = self.sorted(&run.id, &run.left, report);
        if self.options.dry_run {
            report.collected.extend(here.into_iter().map(|(_, resource)| (run.id.clone(), resource)));
            return Ok(());
        }
        // A run of which nothing is here is not locked: another `gc` may be at work on it in another cloud.
        if vanished.is_empty() && here.is_empty() {
            return Ok(());
        }
        let dir = runs_dir(&self.options.state_dir).join(&run.id);
        let journal = open(&dir, self.cancel).await?;
        // Read once more now that nobody else can write: another `gc` may have been here meanwhile.
        let left = tokio::task::spawn_blocking(move || runs::load(&dir)).await;
        let left = left.context("read a journal")?.context("read the journal")?.open();
        let (vanished, here) = self.sorted(&run.id, &left, &mut GcReport::default());
        for (build, resource) in vanished {
            append(&journal, released(build, &resource)).await?;
        }
        self.delete(&journal, run, here, report).await
    }

    /// Returns what has gone with its cloud, and what is to be deleted here.
    fn sorted(&self, run: &str, left: &[Owned], report: &mut GcReport) -> (Vec<Owned>, Vec<Owned>) {
        let mut here = Vec::new();
        let mut vanished = Vec::new();
        let mut elsewhere: BTreeMap<Option<&String>, usize> = BTreeMap::new();
        for (build, resource) in left {
            match resource.intent.place.get(CLOUD) {
                Some(cloud) if cloud == EPHEMERAL => vanished.push((build.clone(), resource.clone())),
                cloud if cloud == self.options.cloud.as_ref() => here.push((build.clone(), resource.clone())),
                cloud => *elsewhere.entry(cloud).or_default() += 1,
            }
        }
        for (cloud, count) in elsewhere {
            let cloud = cloud
                .map_or("the real cloud".to_owned(), |kept| format!("the embedded cloud kept in `{kept}`"));
            report.passed_over.push(format!("run {run}: what it left ({count}) is in {cloud}"));
        }
        (vanished, here)
    }

    async fn delete(
        &self,
        journal: &FileJournal,
        run: &RunSummary,
        left: Vec<Owned>,
        report: &mut GcReport,
    ) -> Result<()> {
        let mut builds: Vec<&String> = left.iter().map(|(build, _)| build).collect();
        builds.dedup();
        // What the builds shared goes when what stood on it is gone.
        builds.sort_by_key(|build| *build == SHARED);
        for build in builds {
            let resources: Vec<Resource> = left
                .iter()
                .filter(|(owner, _)| owner == build)
                .map(|(_, resource)| resource.clone())
                .collect();
            let books = JournalBooks { journal, build };
            if build == SHARED && stands_below(&resources, &report.left, &run.id) {
                let reason = "something that depends on it is still there".to_owned();
                for resource in resources {
                    books.note(&resource, &Fate::Left(reason.clone())).await;
                    report.left.push((run.id.clone(), resource, reason.clone()));
                }
                continue;
            }
            for (resource, fate) in self.unwinder().delete_all(&resources, Reason::Collected, &books).await {
                match fate {
                    Fate::Gone => report.collected.push((run.id.clone(), resource)),
                    Fate::Left(reason) => report.left.push((run.id.clone(), resource, reason)),
                }
            }
        }
        append(journal, Record::Collected { time: now() }).await
    }

    /// A tag names a run. Whether that run is dead can be told if its journal is here; otherwise only if it was
    /// named by the user, or if the time after which it cannot be alive has passed.
    async fn sweep(&self, sweep: &dyn Sweep, known: &[RunSummary], report: &mut GcReport) {
        let swept = match sweep.sweep(None).await {
            Ok(swept) => swept,
            Err(error) => {
                report
                    .passed_over
                    .push(format!("resources could not be looked up by their tags: {}", error.chain()));
                return;
            }
        };
        let mut dead = Vec::new();
        let wanted = |found: &Swept| {
            self.is_wanted(&found.run) && !report.left.iter().any(|(_, left, _)| left.id == found.resource.id)
        };
        for found in swept.into_iter().filter(wanted).collect::<Vec<_>>() {
            let journal = known.iter().find(|run| run.id == found.run);
            let named = self.options.run.is_some();
            match journal {
                Some(run) if run.alive => report.passed_over.push(format!("run {} is under way", run.id)),
                Some(_) => dead.push(found),
                None if named || found.expired => dead.push(found),
                None => {
                    let id = found.resource.id.unwrap_or_default();
                    let text = format!(
                        "`{id}` belongs to run {0}, whose journal is not here; `kiln gc {0}` deletes it",
                        found.run
                    );
                    report.passed_over.push(text);
                }
            }
        }
        if self.options.dry_run {
            let new = dead.into_iter().map(|found| (found.run, found.resource));
            let new: Vec<_> = new
                .filter(|(_, resource)| !report.collected.iter().any(|(_, seen)| seen.id == resource.id))
                .collect();
            report.collected.extend(new);
            return;
        }
        let resources: Vec<Resource> = dead.iter().map(|found| found.resource.clone()).collect();
        for (resource, fate) in self.unwinder().delete_all(&resources, Reason::Collected, &NoBooks).await {
            let run =
                dead.iter().find(|found| found.resource.id == resource.id).map(|found| found.run.clone());
            match fate {
                Fate::Gone => report.collected.push((run.unwrap_or_default(), resource)),
                Fate::Left(reason) => report.left.push((run.unwrap_or_default(), resource, reason)),
            }
        }
    }
}

/// Whether something of `run` that could not be deleted needs one of `resources`.
fn stands_below(resources: &[Resource], left: &[(String, Resource, String)], run: &str) -> bool {
    let needed = |key: &String| resources.iter().any(|resource| resource.intent.key == *key);
    left.iter().any(|(of, left, _)| of == run && left.intent.needs.iter().any(needed))
}

/// The journal of the run that left something behind.
struct JournalBooks<'a> {
    journal: &'a FileJournal,
    build: &'a str,
}

#[async_trait]
impl Books for JournalBooks<'_> {
    async fn note(&self, resource: &Resource, fate: &Fate) {
        let (build, key) = (self.build.to_owned(), resource.intent.key.clone());
        let record = match fate {
            Fate::Gone => Record::Released { build, key },
            Fate::Left(reason) => Record::ReleaseFailed { build, key, reason: reason.clone() },
        };
        // What is not recorded is looked for once more by the next `gc`, and found gone.
        if let Err(error) = self.journal.append(record).await {
            tracing::warn!(%error, "what was collected is not recorded");
        }
    }
}

/// Nothing is written down about what only its tags name.
struct NoBooks;

#[async_trait]
impl Books for NoBooks {
    async fn note(&self, _resource: &Resource, _fate: &Fate) {}
}

fn released(build: String, resource: &Resource) -> Record {
    Record::Released { build, key: resource.intent.key.clone() }
}

/// Opens a dead run's journal; another `gc` that is at work on it is waited for.
async fn open(dir: &Path, cancel: &CancellationToken) -> Result<FileJournal> {
    let shown = dir.display().to_string();
    let end = Instant::now() + PATIENCE;
    loop {
        let dir = dir.to_owned();
        let opened = tokio::task::spawn_blocking(move || FileJournal::open(&dir, None)).await;
        let opened = opened.context("open a journal")?;
        let is_busy = opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        if !is_busy || Instant::now() >= end {
            return opened.context(format!("open the journal in `{shown}`"));
        }
        let waited = cancel.run_until_cancelled(tokio::time::sleep(LOOK_AGAIN)).await;
        waited.ok_or_else(Error::cancelled)?;
    }
}

async fn append(journal: &FileJournal, record: Record) -> Result<()> {
    journal.append(record).await.context("record what was collected")
}
