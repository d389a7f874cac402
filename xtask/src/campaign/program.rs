//! One run of a program in a folder of its own, ended when it hangs.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How often what a program says is looked at, where something is to happen when it has said it.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A folder with a home, a place for temporary files and a working directory; nothing of the environment gets in.
pub(super) struct Desk {
    dir: PathBuf,
}

/// How a run ended.
pub(super) struct End {
    /// The exit code; nothing if a signal ended it.
    pub code: Option<i32>,
    pub hung: bool,
    pub wall: Duration,
    /// Both outputs, as they came.
    pub said: String,
}

impl Desk {
    pub(super) fn set(dir: PathBuf) -> Result<Desk> {
        for folder in ["home", "tmp", "cwd"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        Ok(Desk { dir })
    }

    /// Returns a path in the working directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join("cwd").join(name)
    }

    /// Returns how many records the journals of this home have.
    pub(super) fn records(&self) -> Result<u64> {
        let mut records = 0;
        for run in fs::read_dir(self.dir.join("home/.local/state/kiln/runs"))? {
            let journal = fs::read_to_string(run?.path().join("journal.jsonl"))?;
            records += journal.lines().count() as u64;
        }
        Ok(records)
    }

    /// Returns a command that works here.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir.join("home")).env("TMPDIR", self.dir.join("tmp"));
        command.current_dir(self.dir.join("cwd"));
        command
    }

    /// Runs `command` to its end, or until `patience` is over.
    pub(super) fn run(&self, command: &mut Command, patience: Duration) -> Result<End> {
        self.run_struck(command, patience, None)
    }

    /// Does the same, and sends the program and all its children a signal as soon as it has said a text.
    pub(super) fn run_struck(
        &self,
        command: &mut Command,
        patience: Duration,
        strike: Option<(&str, &str)>,
    ) -> Result<End> {
        let log = self.dir.join("said");
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let begun = Instant::now();
        let mut child = command.spawn().with_context(|| format!("run {:?}", command.get_program()))?;
        let id = child.id();
        let (done, ended) = channel();
        let waiting = std::thread::spawn(move || {
            let status = child.wait();
            let _ = done.send(());
            status
        });
        let signal = |name: &str| {
            Command::new("kill").args([format!("-{name}"), "--".to_owned(), format!("-{id}")]).status()
        };
        let said =
            |text: &str| fs::read(&log).is_ok_and(|said| String::from_utf8_lossy(&said).contains(text));
        let mut strike = strike;
        let hung = loop {
            let (pace, is_last) = match strike {
                Some(_) => (LOOK_AGAIN, begun.elapsed() > patience),
                None => (patience.saturating_sub(begun.elapsed()), true),
            };
            match (ended.recv_timeout(pace), strike) {
                (Err(RecvTimeoutError::Timeout), _) if is_last => break true,
                (Err(RecvTimeoutError::Timeout), Some((text, name))) if said(text) => {
                    signal(name)?;
                    strike = None;
                }
                (Err(RecvTimeoutError::Timeout), _) => {}
                (Ok(()) | Err(RecvTimeoutError::Disconnected), _) => break false,
            }
        };
        if hung {
            signal("KILL")?;
        }
        let status = waiting.join().ok().context("wait for the program")??;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok(End { code: status.code(), hung, wall: begun.elapsed(), said })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Thousands of them would fill a disk.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
