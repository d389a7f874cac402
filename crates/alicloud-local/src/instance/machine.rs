//! One machine from boot to destruction. A driver task owns its sandbox and is the only one to
//! start and end it; everybody else sees the state it publishes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use russh::keys::PrivateKey;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::console::Console;
use super::first_boot::come_up;
use super::helper::wire::{End, InitReport, InitRequest};
use super::host::MachineHost;
use super::sandbox::{Live, Sandbox};
use super::spec::{MachineError, MachineSpec};
use super::user_data::{self, Plan};
use super::{keys, tree};

/// Marks a captured layer that has to be copied before it can be used, since it lies where there
/// can be no whiteouts.
pub(crate) const WHITEOUT_FILES: &str = "whiteouts-are-files";

/// What of a guest's disk never becomes part of an image, as paths below the root's layer.
const NOT_IN_IMAGES: [&str; 6] = ["tmp", "run", "proc", "dev", "sys", "etc/machine-id"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running(Live),
    /// On its way to `Stopped` or to running again.
    Ending,
    Stopped,
}

/// What the SSH server and its sessions share with the machine.
pub(crate) struct Shared {
    pub host: MachineHost,
    pub spec: MachineSpec,
    /// What the user data says.
    pub plan: Plan,
    host_keys: RwLock<Vec<PrivateKey>>,
    pub state: watch::Sender<State>,
    notes: mpsc::Sender<String>,
    console: Mutex<Console>,
}

impl Shared {
    pub fn live(&self) -> Option<Live> {
        match *self.state.borrow() {
            State::Running(live) => Some(live),
            State::Ending | State::Stopped => None,
        }
    }

    pub fn console(&self) -> MutexGuard<'_, Console> {
        self.console.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the server what is simulated. Notes are for people: one that finds the queue full is
    /// on the console still.
    pub fn note(&self, text: String) {
        self.console().service("simulated", &text);
        let _ = self.notes.try_send(text);
    }

    pub fn host_keys(&self) -> Vec<PrivateKey> {
        self.host_keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_host_keys(&self, keys: Vec<PrivateKey>) {
        *self.host_keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// What every program of the guest finds in its environment besides the usual.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = self.spec.metadata_url.iter();
        url.map(|url| ("ALICLOUD_METADATA_ENDPOINT".to_owned(), url.clone())).collect()
    }
}

enum Order {
    Stop { force: bool, done: oneshot::Sender<()> },
}

/// A machine that was booted. Dropping it ends the guest at once and leaves its folder; see
/// [`Machine::destroy`].
pub struct Machine {
    shared: Arc<Shared>,
    address: SocketAddr,
    orders: mpsc::Sender<Order>,
    driver: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Machine")
            .field("id", &self.shared.spec.id)
            .field("address", &self.address)
            .finish()
    }
}

/// Runs what touches many files where it blocks nobody.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MachineError> + Send + 'static,
) -> Result<T, MachineError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| MachineError::ShuttingDown)?
}

impl Machine {
    pub(crate) async fn boot(
        host: MachineHost,
        spec: MachineSpec,
        notes: mpsc::Sender<String>,
    ) -> Result<Machine, MachineError> {
        keys::authorized(&spec.authorized_keys)?;
        let plan = spec.user_data.as_deref().map(user_data::plan).unwrap_or_default();
        let listener = TcpListener::bind(spec.listen).await;
        let listener = listener.map_err(|source| MachineError::Listen { address: spec.listen, source })?;
        let address =
            listener.local_addr().map_err(|source| MachineError::Listen { address: spec.listen, source })?;
        let (prepare_host, prepare_spec, given) = (host.clone(), spec.clone(), plan.host_keys.clone());
        let (request, host_keys, first_boot) = off_the_runtime(move || {
            let request = prepare_host.prepare(&prepare_spec)?;
            let (keys, made) = keys::load_or_make(&prepare_spec.dir, &prepare_spec.hostname, &given)?;
            Ok((request, keys, made))
        })
        .await?;
        let sandbox = Sandbox::start(host.helper(), &request).await?;
        let shared = Arc::new(Shared {
            host,
            spec,
            plan,
            host_keys: RwLock::new(host_keys),
            state: watch::Sender::new(State::Running(sandbox.live)),
            notes,
            console: Mutex::default(),
        });
        let (orders, received) = mpsc::channel(4);
        let driver = Driver { shared: shared.clone(), request, address, orders: received };
        let driver = tokio::spawn(driver.run(sandbox, listener, first_boot));
        Ok(Machine { shared, address, orders, driver })
    }

    /// Returns where the SSH server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the last part of what was printed on the console.
    pub fn console(&self) -> Vec<u8> {
        self.read_console().0
    }

    /// Returns the last part of what was printed on the console, and for how long nothing was.
    pub(crate) fn read_console(&self) -> (Vec<u8>, Duration) {
        self.shared.console().read()
    }

    /// Stops the guest and waits for it: SIGTERM and some time for its processes, or at once.
    pub async fn stop(&self, force: bool) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(Order::Stop { force, done }).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Returns when the guest has stopped, by itself or by [`Machine::stop`].
    pub async fn wait_stopped(&self) {
        let _ = self.shared.state.subscribe().wait_for(|state| *state == State::Stopped).await;
    }

    /// Copies what differs from the layers below into a new layer, of the running machine (files
    /// as they are just then) or the stopped one. Returns the bytes of its files.
    pub async fn capture(&self, into: &Path) -> Result<u64, MachineError> {
        let from = disk(&self.shared);
        let into = into.to_owned();
        off_the_runtime(move || capture(&from, &into)).await
    }

    /// Ends the guest and removes its folder.
    pub async fn destroy(self) {
        self.stop(true).await;
        drop(self.orders);
        let _ = self.driver.await;
        let dir = self.shared.spec.dir.clone();
        let _ = off_the_runtime(move || {
            // The disk may lie elsewhere.
            if let Ok(disk) = std::fs::canonicalize(dir.join("disk")) {
                let _ = tree::remove(&disk);
            }
            tree::remove(&dir).map_err(MachineError::file("remove", &dir))
        })
        .await;
    }
}

/// Where a machine's changes are now: a limited disk is seen only through its keeper.
fn disk(shared: &Shared) -> PathBuf {
    match shared.live() {
        Some(Live { keeper, disk: Some(descriptor), .. }) => {
            PathBuf::from(format!("/proc/{keeper}/fd/{descriptor}/upper"))
        }
        _ => shared.spec.dir.join("disk/upper"),
    }
}

fn capture(from: &Path, into: &Path) -> Result<u64, MachineError> {
    let parent = into.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(MachineError::file("create", parent))?;
    let wanted = |below: &Path| {
        let below = below.strip_prefix("root").ok();
        !below.is_some_and(|below| NOT_IN_IMAGES.iter().any(|name| below == Path::new(name)))
    };
    let copied = tree::copy_if(from, into, &|below, _| wanted(below))
        .map_err(MachineError::file("capture the disk", from))?;
    if copied.whiteout_files {
        let mark = into.join(WHITEOUT_FILES);
        std::fs::write(&mark, "").map_err(MachineError::file("write", &mark))?;
    }
    Ok(copied.bytes)
}

struct Driver {
    shared: Arc<Shared>,
    request: InitRequest,
    address: SocketAddr,
    orders: mpsc::Receiver<Order>,
}

/// Why a run of the guest is over, and who waits for that.
struct Over {
    end: End,
    waiting: Option<oneshot::Sender<()>>,
}

impl Driver {
    async fn run(mut self, mut sandbox: Sandbox, listener: TcpListener, first_boot: bool) {
        let mut listener = Some(listener);
        let mut first_boot = first_boot;
        loop {
            let connections = CancellationToken::new();
            let whole_run = connections.clone().drop_guard();
            self.shared.console().boot(&self.shared.spec, &sandbox.remarks);
            if let Some(listener) = listener.take() {
                let first = std::mem::take(&mut first_boot);
                let shared = self.shared.clone();
                tokio::spawn(come_up(shared, sandbox.live, listener, first, connections.clone()));
            }
            let over = self.watch(&mut sandbox, &connections).await;
            self.shared.state.send_replace(State::Ending);
            drop(whole_run);
            self.save_disk(&sandbox).await;
            sandbox.release().await;
            let restarted = match over.end {
                End::Reboot if over.waiting.is_none() => self.restart().await,
                _ => None,
            };
            match restarted {
                Some((again, again_listener)) => {
                    self.shared.state.send_replace(State::Running(again.live));
                    (sandbox, listener) = (again, Some(again_listener));
                }
                None => {
                    self.shared.console().kernel("machine: stopped");
                    self.shared.state.send_replace(State::Stopped);
                    if let Some(waiting) = over.waiting {
                        let _ = waiting.send(());
                    }
                    // A stop of what is stopped succeeds.
                    while let Some(Order::Stop { done, .. }) = self.orders.recv().await {
                        let _ = done.send(());
                    }
                    return;
                }
            }
        }
    }

    /// Forwards notes and orders until the guest has ended.
    async fn watch(&mut self, sandbox: &mut Sandbox, connections: &CancellationToken) -> Over {
        let mut waiting = None;
        loop {
            tokio::select! {
                report = sandbox.reports.recv() => match report {
                    Some(InitReport::Note(text)) => self.shared.note(text),
                    Some(InitReport::Ending) => {
                        self.shared.state.send_replace(State::Ending);
                        connections.cancel();
                    }
                    Some(InitReport::Ended(end)) => return Over { end, waiting },
                    Some(InitReport::Failed { step, .. }) => {
                        self.shared.console().kernel(&format!("machine: {step} failed"));
                    }
                    Some(InitReport::Ready { .. }) => {}
                    None => return Over { end: End::Stopped, waiting },
                },
                order = self.orders.recv() => match order {
                    Some(Order::Stop { force, done }) => {
                        self.shared.state.send_replace(State::Ending);
                        connections.cancel();
                        waiting = Some(done);
                        sandbox.end(force).await;
                    }
                    // The machine was dropped.
                    None => return Over { end: End::Stopped, waiting },
                },
            }
        }
    }

    /// A limited disk is memory; what it holds goes to the machine's folder while it is off.
    async fn save_disk(&self, sandbox: &Sandbox) {
        let Some(descriptor) = sandbox.live.disk else { return };
        let from = PathBuf::from(format!("/proc/{}/fd/{descriptor}/upper", sandbox.live.keeper));
        let to = self.shared.spec.dir.join("disk/upper");
        let saved = off_the_runtime(move || {
            tree::remove(&to).map_err(MachineError::file("empty", &to))?;
            std::fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(MachineError::file("create", &to))?;
            tree::copy(&from, &to).map_err(MachineError::file("save the disk", &to))
        });
        if let Err(error) = saved.await {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            self.shared.console().kernel(&format!("machine: {error}: {cause}"));
        }
    }

    async fn restart(&self) -> Option<(Sandbox, TcpListener)> {
        self.shared.console().kernel("reboot: Restarting system");
        let started = Sandbox::start(self.shared.host.helper(), &self.request).await;
        let bound = TcpListener::bind(self.address).await;
        match (started, bound) {
            (Ok(sandbox), Ok(listener)) => Some((sandbox, listener)),
            (Err(error), _) => {
                self.shared.console().kernel(&format!("machine: {error}"));
                None
            }
            (_, Err(error)) => {
                let line = format!("machine: listen on `{}`: {error}", self.address);
                self.shared.console().kernel(&line);
                None
            }
        }
    }
}
