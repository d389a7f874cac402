//! The server's side of the helper: starting a sandbox and talking to its keeper. Dropping a
//! sandbox ends it, since the keeper's standard input closes.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::helper::wire::{InitReport, InitRequest, framed};
use super::spec::{HelperProgram, MachineError};

/// A sandbox comes up in some 10 ms; a machine that swaps is given this.
const BOOT_TIMEOUT: Duration = Duration::from_secs(60);

/// How to reach a running sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub keeper: i32,
    pub all_ids: bool,
    pub disk: Option<i32>,
}

pub(crate) struct Sandbox {
    pub live: Live,
    /// What was not as it should be.
    pub remarks: Vec<String>,
    /// Notes and the end.
    pub reports: mpsc::Receiver<InitReport>,
    keeper: Child,
    orders: ChildStdin,
}

impl HelperProgram {
    /// Returns the command line of a subcommand.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.path);
        // The helper needs nothing of our environment, which may hold credentials.
        command.args(&self.args).arg(subcommand).env_clear().stdin(Stdio::piped());
        command
    }
}

impl Sandbox {
    pub async fn start(helper: &HelperProgram, request: &InitRequest) -> Result<Sandbox, MachineError> {
        let record = framed(request).map_err(MachineError::Record)?;
        let mut keeper = helper
            .command("init")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(MachineError::Helper)?;
        let (Some(mut orders), Some(output), Some(errors)) =
            (keeper.stdin.take(), keeper.stdout.take(), keeper.stderr.take())
        else {
            return Err(MachineError::Helper(std::io::ErrorKind::BrokenPipe.into()));
        };
        orders.write_all(&record).await.map_err(MachineError::Helper)?;
        let (send, mut reports) = mpsc::channel(64);
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(report) = serde_json::from_str(&line) else { continue };
                if send.send(report).await.is_err() {
                    break;
                }
            }
        });
        let complaints = tokio::spawn(async move {
            let mut text = Vec::new();
            let _ = errors.take(4096).read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        match tokio::time::timeout(BOOT_TIMEOUT, reports.recv()).await {
            Err(_) => Err(MachineError::BootTimeout(BOOT_TIMEOUT)),
            Ok(Some(InitReport::Ready { keeper: pid, all_ids, disk, remarks })) => {
                Ok(Sandbox { live: Live { keeper: pid, all_ids, disk }, remarks, reports, keeper, orders })
            }
            Ok(Some(InitReport::Failed { step, errno })) => {
                Err(MachineError::Boot { step, source: std::io::Error::from_raw_os_error(errno) })
            }
            Ok(_) => {
                let status = keeper.wait().await.map_err(MachineError::Helper)?;
                let complaint = complaints.await.unwrap_or_default();
                Err(MachineError::EarlyEnd(if complaint.is_empty() { status.to_string() } else { complaint }))
            }
        }
    }

    /// Asks the guest to end (`force`: ends it). The report of its end follows.
    pub async fn end(&mut self, force: bool) {
        let _ = self.orders.write_all(if force { b"K" } else { b"T" }).await;
    }

    /// Lets go of the namespaces and of a limited disk, and waits until they are gone.
    pub async fn release(mut self) {
        drop(self.orders);
        let _ = tokio::time::timeout(Duration::from_secs(10), self.keeper.wait()).await;
    }
}
