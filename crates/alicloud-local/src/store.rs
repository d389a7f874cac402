//! The folder in which a cloud is kept: its state as one file, layers and machines as folders beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::api::Folders;
use crate::model::State;

/// The folder, held for this process alone.
#[derive(Debug)]
pub struct Store {
    folders: Folders,
    keeps: bool,
    /// The newest state written, by its number: a slower, older writer must not win.
    written: Mutex<u64>,
    /// The folder, when nothing is to be kept: it goes when this is closed.
    temporary: std::sync::Mutex<Option<tempfile::TempDir>>,
    /// Held so that no second process uses the folder.
    _lock: File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system says no.
    #[error("{doing} `{}`", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("the state folder `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The state is not one of this version.
    #[error("read the state in `{}`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

fn file<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, StoreError> {
    result.map_err(|source| StoreError::File { doing, path: path.to_owned(), source })
}

/// What the names of temporary folders begin with.
const PREFIX: &str = "alicloud-local-";
/// A younger folder may be about to be locked by the process that made it.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// Makes a temporary folder that is nobody else's to look into: it will hold keys and passwords.
fn temporary_folder() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(PREFIX).permissions(fs::Permissions::from_mode(0o700)).tempdir()
}

/// Removes the temporary folders of clouds whose process was killed: nobody holds their lock any more.
fn remove_abandoned(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&entry.path()) {
            // What cannot be removed is another user's, or only takes room.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    let Ok(lock) = OpenOptions::new().write(true).open(folder.join("lock")) else {
        return false;
    };
    let age = lock.metadata().and_then(|of| of.modified()).map(|made| made.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > ABANDONED_AFTER) && lock.try_lock().is_ok()
}

impl Store {
    /// Opens the folder, or a temporary one, and reads the state in it.
    pub fn open(kept: Option<&Path>) -> Result<(Store, Option<State>), StoreError> {
        let temporary = match kept {
            Some(_) => None,
            None => {
                remove_abandoned(&std::env::temp_dir());
                Some(file("make a folder in", &std::env::temp_dir(), temporary_folder())?)
            }
        };
        let root = match (&temporary, kept) {
            (Some(temporary), _) => temporary.path().to_owned(),
            (None, Some(kept)) => kept.to_owned(),
            (None, None) => std::env::temp_dir(),
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for folder in [root.clone(), root.join("layers"), root.join("machines")] {
            file("make the folder", &folder, builder.create(&folder))?;
        }
        let lock_path = root.join("lock");
        let lock = file(
            "open",
            &lock_path,
            OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path),
        )?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::InUse(root)),
            Err(fs::TryLockError::Error(source)) => {
                return Err(StoreError::File { doing: "lock", path: lock_path, source });
            }
        }
        // What sandboxes of a process that was killed had laid out; they have ended with it.
        for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("instances-") {
                // What cannot be removed only takes room.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let path = root.join("state.json");
        let state = match fs::read(&path) {
            Ok(bytes) => {
                Some(serde_json::from_slice(&bytes).map_err(|source| StoreError::Format { path, source })?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(StoreError::File { doing: "read", path, source }),
        };
        let store = Store {
            folders: Folders { root },
            keeps: kept.is_some(),
            written: Mutex::new(0),
            temporary: std::sync::Mutex::new(temporary),
            _lock: lock,
        };
        Ok((store, state))
    }

    /// Returns where things are.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Returns whether the state is worth writing down.
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// Removes the folder if it is not to be kept, whoever still holds the store.
    pub async fn close(&self) {
        let temporary = self.temporary.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        // What cannot be removed only takes room in the system's folder of temporary files.
        let _ = tokio::task::spawn_blocking(move || drop(temporary)).await;
    }

    /// Writes the `number`-th state, whole or not at all.
    pub async fn write(&self, number: u64, state: Vec<u8>) -> io::Result<()> {
        let mut written = self.written.lock().await;
        if *written >= number {
            return Ok(());
        }
        let root = self.folders.root.clone();
        let done = tokio::task::spawn_blocking(move || {
            let draft = root.join("state.json.new");
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(&state)?;
            file.sync_data()?;
            fs::rename(&draft, root.join("state.json"))
        });
        done.await.map_err(io::Error::other)??;
        *written = number;
        Ok(())
    }
}

#[cfg(test)]
mod abandoned {
    use super::*;

    #[test]
    fn only_old_folders_that_nobody_holds_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
        let folder = |name: &str, made| {
            let folder = place.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&folder).unwrap();
            let lock = File::create(folder.join("lock")).unwrap();
            lock.set_modified(made).unwrap();
            (folder, lock)
        };
        let (dead, unlocked) = folder("dead", old);
        drop(unlocked);
        let (alive, held) = folder("alive", old);
        held.lock().unwrap();
        let (young, unlocked) = folder("young", std::time::SystemTime::now());
        drop(unlocked);
        remove_abandoned(place.path());
        assert!(!dead.exists() && alive.exists() && young.exists());
    }
}
