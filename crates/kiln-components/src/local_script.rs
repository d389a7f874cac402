//! Scripts that are written to this machine's disk for a moment, named as Packer names them.
//!
//! The file is deleted when its [`TempPath`] is dropped, on every way out.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kiln_core::error::{Context, Error, Result};
use kiln_core::scope::World;
use tempfile::TempPath;

/// How often a taken name is answered with the next one.
const ATTEMPTS: u32 = 1000;

/// Held while a script is open for writing and while a program is started: a program started meanwhile would
/// inherit the open file for an instant, and running the script would fail with "text file busy".
static STARTING: Mutex<()> = Mutex::new(());

/// Returns the right to open a script for writing, or to start a program.
pub(crate) fn exclusive() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes `text` to a new file `<temporary folder>/<prefix><digits><suffix>` with these permissions.
pub(crate) async fn write(
    world: &dyn World,
    prefix: &str,
    suffix: &str,
    text: String,
    mode: u32,
) -> Result<TempPath> {
    let folder = temporary_folder(world);
    let [a, b, c, d, ..] = world.random();
    let first = u32::from_le_bytes([a, b, c, d]);
    let (prefix, suffix) = (prefix.to_owned(), suffix.to_owned());
    let writing = move || create(&folder, &prefix, &suffix, first, &text, mode);
    tokio::task::spawn_blocking(writing).await.context("write a temporary file")?
}

fn create(folder: &Path, prefix: &str, suffix: &str, first: u32, text: &str, mode: u32) -> Result<TempPath> {
    let _exclusive = exclusive();
    for attempt in 0..ATTEMPTS {
        let name = format!("{prefix}{}", first.wrapping_add(attempt));
        let created = tempfile::Builder::new()
            .prefix(&name)
            .suffix(suffix)
            .rand_bytes(0)
            .permissions(std::fs::Permissions::from_mode(mode))
            .tempfile_in(folder);
        match created {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).context(format!("write `{}`", file.path().display()))?;
                return Ok(file.into_temp_path());
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).context(format!("create a temporary file in `{}`", folder.display()));
            }
        }
    }
    Err(Error::new(format!("`{}` has no name left for a temporary file `{prefix}…`", folder.display())))
}

/// Returns where temporary files go: `TMPDIR`, as for Packer.
fn temporary_folder(world: &dyn World) -> PathBuf {
    let named = world.env("TMPDIR").filter(|folder| !folder.is_empty());
    world.working_dir().join(named.unwrap_or_else(|| "/tmp".to_owned()))
}
