//! What machines run on, as this crate's own small interface: the sandboxes of `instance`, or a stand-in in tests.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{Semaphore, mpsc};

use crate::api::Console;
use crate::instance::{Machine, MachineHost, MachineSpec};

/// How many times it is looked whether a machine is still held, 5 ms apart.
const LETTING_GO: u32 = 400;

/// Something that boots machines.
#[async_trait]
pub trait Host: Send + Sync {
    /// Boots one; errors are texts for the person at the build.
    async fn boot(&self, spec: MachineSpec, notes: mpsc::Sender<String>) -> Result<Arc<dyn Guest>, String>;
}

/// A machine that was booted.
#[async_trait]
pub trait Guest: Send + Sync {
    /// Where it answers.
    fn address(&self) -> SocketAddr;
    /// What it has written to its console, and for how long it has been silent.
    fn console(&self) -> Console;
    /// Returns when it has stopped, by whomever.
    async fn stopped(&self);
    /// Stops it.
    async fn stop(&self, force: bool);
    /// Puts aside the files it has changed.
    async fn capture(&self, into: &Path) -> Result<(), String>;
    /// Throws it away.
    async fn destroy(&self);
}

/// The sandboxes of this crate.
pub struct Sandboxes {
    host: MachineHost,
    /// So that a thousand instances made at once do not all boot at once: each is up sooner when they take turns.
    booting: Semaphore,
}

/// How many sandboxes boot at once, for each processor.
const BOOTING_PER_PROCESSOR: usize = 4;

impl Sandboxes {
    /// Machines on a host.
    pub fn new(host: MachineHost) -> Sandboxes {
        raise_descriptors();
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Sandboxes { host, booting: Semaphore::new(processors * BOOTING_PER_PROCESSOR) }
    }
}

/// Lets this process have as many files open as it may: an instance takes about half a dozen, and the usual limit of
/// 1,024 would end at some 150 instances. Guests get the usual limit back.
fn raise_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!(%error, "raise the number of open files");
    }
}

/// A sandbox; gone once it was destroyed.
struct Sandbox {
    machine: Mutex<Option<Arc<Machine>>>,
    address: SocketAddr,
}

impl Sandbox {
    fn machine(&self) -> Option<Arc<Machine>> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Writes an error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

#[async_trait]
impl Host for Sandboxes {
    async fn boot(&self, spec: MachineSpec, notes: mpsc::Sender<String>) -> Result<Arc<dyn Guest>, String> {
        // The semaphore is never closed; without a turn it would boot all the same.
        let _turn = self.booting.acquire().await.ok();
        let machine = self.host.boot(spec, notes).await.map_err(|error| chain(&error))?;
        let address = machine.address();
        Ok(Arc::new(Sandbox { machine: Mutex::new(Some(Arc::new(machine))), address }))
    }
}

#[async_trait]
impl Guest for Sandbox {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn console(&self) -> Console {
        let (text, silent) = self.machine().map(|machine| machine.read_console()).unwrap_or_default();
        Console { text, silent }
    }

    async fn stopped(&self) {
        if let Some(machine) = self.machine() {
            machine.wait_stopped().await;
        }
    }

    async fn stop(&self, force: bool) {
        if let Some(machine) = self.machine() {
            machine.stop(force).await;
        }
    }

    async fn capture(&self, into: &Path) -> Result<(), String> {
        match self.machine() {
            Some(machine) => machine.capture(into).await.map(|_| ()).map_err(|error| chain(&error)),
            None => Err("the machine is gone".to_owned()),
        }
    }

    async fn destroy(&self) {
        let taken = self.machine.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut machine) = taken else { return };
        machine.stop(true).await;
        // Whoever still waits for it to stop lets go now.
        for _ in 0..LETTING_GO {
            match Arc::try_unwrap(machine) {
                Ok(machine) => return machine.destroy().await,
                Err(shared) => machine = shared,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A host whose machines only note what was asked of them.
#[cfg(test)]
#[derive(Default)]
pub struct FakeHost {
    /// What was asked, in order.
    pub log: Arc<std::sync::Mutex<Vec<String>>>,
}

#[cfg(test)]
struct FakeGuest {
    spec: MachineSpec,
    log: Arc<std::sync::Mutex<Vec<String>>>,
}

#[cfg(test)]
#[async_trait]
impl Host for FakeHost {
    async fn boot(&self, spec: MachineSpec, _: mpsc::Sender<String>) -> Result<Arc<dyn Guest>, String> {
        let layers = spec.image_layers.len();
        self.log
            .lock()
            .unwrap()
            .push(format!("boot on {layers} layers with {} keys", spec.authorized_keys.len()));
        if let Some(url) = &spec.metadata_url {
            self.log.lock().unwrap().push(format!("metadata at {url}"));
        }
        Ok(Arc::new(FakeGuest { spec, log: Arc::clone(&self.log) }))
    }
}

#[cfg(test)]
#[async_trait]
impl Guest for FakeGuest {
    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.spec.listen.ip(), 2222)
    }

    fn console(&self) -> Console {
        let text = format!("\u{1b}[1m{}\u{1b}[0m login:", self.spec.hostname).into_bytes();
        Console { text, silent: Duration::from_secs(60) }
    }

    async fn stopped(&self) {
        std::future::pending().await
    }

    async fn stop(&self, force: bool) {
        self.log.lock().unwrap().push(format!("stop, force: {force}"));
    }

    async fn capture(&self, into: &Path) -> Result<(), String> {
        std::fs::create_dir_all(into).map_err(|error| error.to_string())?;
        std::fs::write(into.join("captured"), &self.spec.id).map_err(|error| error.to_string())?;
        self.log.lock().unwrap().push("capture".to_owned());
        Ok(())
    }

    async fn destroy(&self) {
        self.log.lock().unwrap().push("destroy".to_owned());
    }
}
