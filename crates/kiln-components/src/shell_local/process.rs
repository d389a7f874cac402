//! One program on this machine, with its output shown and all its descendants stopped when it should stop.
//!
//! The only place of this room that starts programs. A program is the leader of a process group of its own, so that
//! stopping it stops what it started; the price is that it cannot read from the terminal.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use kiln_core::communicator::Stream;
use kiln_core::event::Events;
use kiln_remote::output::Lines;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use crate::local_script;

/// How long a program that is asked to stop may clean up before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// What a signal's death is reported as.
const KILLED_STATUS: i64 = -1;

/// What to run.
#[derive(Clone, Copy)]
pub(super) struct Program<'a> {
    /// The program and its arguments.
    pub(super) command: &'a [String],
    /// Where it runs.
    pub(super) folder: &'a Path,
    /// Variables besides those of this process, all of which it inherits.
    pub(super) extra: &'a [(String, String)],
}

/// Why there is no exit status.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProcessError {
    /// It could not be started.
    #[error("start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It was stopped on request.
    #[error("stopped")]
    Cancelled,
}

/// Runs the program to its end and to the end of its output; returns its exit status.
pub(super) async fn run(
    program: Program<'_>,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<i64, ProcessError> {
    if cancel.is_cancelled() {
        return Err(ProcessError::Cancelled);
    }
    let mut child = start(program).map_err(|source| {
        let program = program.command.first().cloned().unwrap_or_default();
        ProcessError::Start { program, source }
    })?;
    let mut group = Group(child.id());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (status, (), ()) = tokio::join!(
            child.wait(),
            show(stdout, Stream::Stdout, events),
            show(stderr, Stream::Stderr, events)
        );
        status
    };
    tokio::pin!(work);
    let status = tokio::select! {
        biased;
        status = &mut work => status,
        () = cancel.cancelled() => {
            group.signal(Signal::SIGTERM);
            if tokio::time::timeout(GRACE, &mut work).await.is_err() {
                group.signal(Signal::SIGKILL);
                // Bounded: a descendant may have left the group and still hold the output open.
                let _ = tokio::time::timeout(GRACE, &mut work).await;
            }
            return Err(ProcessError::Cancelled);
        }
    };
    group.finished();
    Ok(status.map_or(KILLED_STATUS, number))
}

#[expect(clippy::disallowed_methods, reason = "this is the place that starts programs")]
fn start(program: Program<'_>) -> io::Result<tokio::process::Child> {
    let (name, arguments) = program
        .command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program named"))?;
    let mut command = tokio::process::Command::new(name);
    command.args(arguments).current_dir(program.folder).envs(program.extra.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let _exclusive = local_script::exclusive();
    command.spawn()
}

fn number(status: ExitStatus) -> i64 {
    status.code().map_or(KILLED_STATUS, i64::from)
}

async fn show(stream: Option<impl AsyncRead + Unpin>, which: Stream, events: &Events) {
    let Some(mut stream) = stream else { return };
    let (mut lines, mut buffer) = (Lines::default(), vec![0; 8192]);
    // A read error ends the output as its end does: the exit status tells what happened.
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        for line in lines.push(&buffer[..count]) {
            events.output(which, line).await;
        }
    }
    if let Some(line) = lines.finish() {
        events.output(which, line).await;
    }
}

/// The program's process group; killed if it is dropped before the program has ended.
struct Group(Option<u32>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // Gone already is what is wanted.
            let _ = killpg(Pid::from_raw(leader), signal);
        }
    }

    fn finished(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
