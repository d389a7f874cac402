//! A run's journal on disk: one JSON object a line, on stable storage before anybody acts on it.
//!
//! One thread writes for all builds of the run: whatever waits is written together and synced once, so a thousand
//! builds cost hardly more syncs than one. The folder's lock file tells a live run from a dead one, even after a
//! reboot has given its process id to somebody else.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use kiln_core::ledger::{Journal, JournalError, Record};
use tokio::sync::{mpsc, oneshot};

use crate::options::CrashAfter;

const FILE: &str = "journal.jsonl";
const LOCK: &str = "lock";
/// How many records may wait for the disk before their builds do.
const QUEUE: usize = 256;

/// Returns the folder of all runs.
pub(crate) fn runs_dir(state_dir: &Path) -> PathBuf {
    state_dir.join("runs")
}

/// The journal of a run that is under way.
pub(crate) struct FileJournal {
    path: PathBuf,
    queue: mpsc::Sender<Pending>,
    /// Held as long as the run lives.
    _lock: File,
}

struct Pending {
    line: Vec<u8>,
    done: oneshot::Sender<io::Result<()>>,
}

impl FileJournal {
    /// Makes the run's folder and opens its journal, locked. Blocks; call it off the runtime's threads.
    pub(crate) fn open(run_dir: &Path, crash_after: Option<CrashAfter>) -> io::Result<FileJournal> {
        DirBuilder::new().recursive(true).mode(0o700).create(run_dir)?;
        let lock = lock_file(run_dir)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another process is working on this run")
            }
            TryLockError::Error(error) => error,
        })?;
        let path = run_dir.join(FILE);
        let file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&path)?;
        // A new record must not stand on the line of a torn one.
        let whole = whole_lines(&std::fs::read(&path)?).len();
        let whole = u64::try_from(whole).map_err(io::Error::other)?;
        file.set_len(whole)?;
        // The names of file and folder must survive a power cut as well.
        File::open(run_dir)?.sync_all()?;
        if let Some(parent) = run_dir.parent() {
            File::open(parent)?.sync_all()?;
        }
        let (queue, pending) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_all(&file, whole, pending, crash_after))?;
        Ok(FileJournal { path, queue, _lock: lock })
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&self, record: Record) -> Result<(), JournalError> {
        let failed = |source| JournalError { path: self.path.display().to_string(), source };
        let mut line = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let (done, written) = oneshot::channel();
        let gone = || failed(io::Error::other("the journal's writer has ended"));
        self.queue.send(Pending { line, done }).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?.map_err(failed)
    }
}

/// `written` is the length of the file; `crash_after` is [`crate::Options::crash_after_records`].
fn write_all(
    mut file: &File,
    mut written: u64,
    mut pending: mpsc::Receiver<Pending>,
    crash_after: Option<CrashAfter>,
) {
    let mut batch = Vec::with_capacity(QUEUE);
    let mut left = crash_after.map(|crash| crash.records);
    // The crash has to come after exactly so many records, so they are then written one by one.
    let most = if crash_after.is_some() { 1 } else { QUEUE };
    while pending.blocking_recv_many(&mut batch, most) > 0 {
        let bytes: Vec<u8> = batch.iter().flat_map(|pending| pending.line.iter().copied()).collect();
        let result = file.write_all(&bytes).and_then(|()| file.sync_data());
        match result {
            Ok(()) => written += bytes.len() as u64,
            // Half a record (the disk is full) would make every later one unreadable. Where it cannot be taken back
            // nothing more is written: the builds stop.
            Err(_) if file.set_len(written).is_err() => return,
            Err(_) => {}
        }
        left = left.map(|left| left.saturating_sub(1));
        if let (Some(0), Some(CrashAfter { act, .. })) = (left, crash_after) {
            left = None;
            act();
        }
        for Pending { done, .. } in batch.drain(..) {
            let copy =
                result.as_ref().map(|_| ()).map_err(|error| io::Error::new(error.kind(), error.to_string()));
            // A build that was dropped meanwhile no longer listens; its record stands all the same.
            let _ = done.send(copy);
        }
    }
}

fn lock_file(run_dir: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(run_dir.join(LOCK))
}

/// Returns whether a process holds the run.
pub(crate) fn is_alive(run_dir: &Path) -> bool {
    File::open(run_dir.join(LOCK))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("read the journal `{path}`")]
    Io {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line in the middle is not a record.
    #[error("the journal `{path}` is damaged at line {line}")]
    Damaged {
        /// Which.
        path: String,
        /// From 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Returns the records of a run. A torn last line (the power went while it was written) counts as not written: what
/// it would have announced was not begun.
pub(crate) fn read(run_dir: &Path) -> Result<Vec<Record>, ReadError> {
    let path = run_dir.join(FILE);
    let name = || path.display().to_string();
    let text = std::fs::read(&path).map_err(|source| ReadError::Io { path: name(), source })?;
    let lines = whole_lines(&text).split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_slice(line).map_err(|source| ReadError::Damaged {
                path: name(),
                line: index + 1,
                source,
            })
        })
        .collect()
}

/// Returns the text without a torn last line.
fn whole_lines(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(outcome: &str) -> Record {
        Record::RunFinished { outcome: outcome.to_owned(), time: "2026-01-02T03:04:05Z".to_owned() }
    }

    #[tokio::test]
    async fn a_torn_last_line_counts_as_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(dir.path(), None).unwrap();
        journal.append(finished("done")).await.unwrap();
        let mut file = OpenOptions::new().append(true).open(dir.path().join(FILE)).unwrap();
        file.write_all(b"{\"record\":\"run_fin").unwrap();
        assert_eq!(read(dir.path()).unwrap(), [finished("done")]);
    }

    #[tokio::test]
    async fn a_record_after_a_torn_line_is_readable() {
        let dir = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&finished("failed")).unwrap();
        std::fs::write(dir.path().join(FILE), format!("{line}\n{{\"record\":\"run_fin")).unwrap();
        let journal = FileJournal::open(dir.path(), None).unwrap();
        journal.append(finished("done")).await.unwrap();
        assert_eq!(read(dir.path()).unwrap(), [finished("failed"), finished("done")]);
    }

    #[tokio::test]
    async fn a_damaged_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "nonsense\n").unwrap();
        let error = read(dir.path()).unwrap_err();
        assert!(error.to_string().ends_with("is damaged at line 1"), "{error}");
    }

    #[tokio::test]
    async fn a_run_is_alive_while_its_journal_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(dir.path(), None).unwrap();
        assert!(is_alive(dir.path()));
        assert!(FileJournal::open(dir.path(), None).is_err());
        drop(journal);
        assert!(!is_alive(dir.path()));
    }
}
