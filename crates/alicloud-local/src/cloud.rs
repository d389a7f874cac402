//! The cloud itself: its parts put together, started and stopped.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{ApiError, Consoles, Effect, refuse};
use crate::clock::Clock;
use crate::ecs::{images, key_pairs};
use crate::faults::{FaultBook, FaultEffect, FaultRule};
use crate::http::{Connections, Nonces, Rates, router};
use crate::ids::Ids;
use crate::instance::{MachineHost, MachineSpec, NoSandbox, Platform};
use crate::inventory::{self, InventoryError, InventorySnapshot};
use crate::journal::{CallRecord, Journal};
use crate::machines::{Host, Machines, Order, Sandboxes};
use crate::metadata::{Asker, Builder, Metadata, Question, Refusal};
use crate::model::{
    AccessKey, Account, Content, EipStatus, Instance, InstanceStatus, SnapshotStatus, Stage, State,
};
use crate::note::Note;
use crate::options::{AddressMode, CloudOptions};
use crate::store::{Store, StoreError};

mod forward;
mod reach;
#[cfg(test)]
mod tests;

pub use reach::Reach;

/// How long open connections may take to end when the cloud is shut down.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// A running cloud.
pub struct Cloud {
    inner: Arc<Inner>,
    address: SocketAddr,
    credentials: (String, String),
    server: tokio::task::JoinHandle<()>,
}

/// Why a cloud cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There can be no sandbox on this host.
    #[error("start the embedded cloud")]
    NoSandbox(#[source] NoSandbox),
    /// The folder cannot be used.
    #[error("start the embedded cloud")]
    Store(#[from] StoreError),
    /// The inventory cannot be used.
    #[error("start the embedded cloud")]
    Inventory(#[from] InventoryError),
    /// The speed is no number above zero.
    #[error("start the embedded cloud at speed `{0}`: a number above zero is wanted")]
    Speed(f64),
    /// The port cannot be listened on.
    #[error("listen on `{address}`")]
    Listen {
        /// Where the API was to listen.
        address: SocketAddr,
        /// Why it cannot.
        source: std::io::Error,
    },
}

impl Cloud {
    /// Starts a cloud.
    pub async fn start(options: CloudOptions) -> Result<Cloud, StartError> {
        if !(options.speed.is_finite() && options.speed > 0.0) {
            return Err(StartError::Speed(options.speed));
        }
        let clock = Clock::running(options.speed);
        Cloud::start_with(options, clock, None).await
    }

    /// Starts a cloud with a clock and, in tests, a host of their own.
    pub(crate) async fn start_with(
        options: CloudOptions,
        clock: Clock,
        host: Option<Arc<dyn Host>>,
    ) -> Result<Cloud, StartError> {
        let (store, kept) = Store::open(options.state_dir.as_deref())?;
        let host = match host {
            Some(host) => Some(host),
            None => sandboxes(&options, &store).await?,
        };
        let mut state = match kept {
            Some(state) => revived(state, &clock),
            None => fresh(options.seed),
        };
        let mut faults = FaultBook::default();
        if let Some(inventory) = &options.inventory {
            inventory::apply(&mut state, inventory, clock.now())?;
            inventory.faults.iter().cloned().for_each(|rule| faults.add(rule));
        }
        options.faults.into_iter().for_each(|rule| faults.add(rule));
        let credentials = credentials(&state);

        let listener = TcpListener::bind(options.listen).await;
        let listener = listener.map_err(|source| StartError::Listen { address: options.listen, source })?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address: options.listen, source })?;

        let bound = TcpListener::bind(options.metadata_listen).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (metadata_address, metadata_listener) =
            bound.map_err(|source| StartError::Listen { address: options.metadata_listen, source })?;
        let stated = options.inventory.as_ref().and_then(|inventory| inventory.builder.clone());
        let builder = stated.unwrap_or(options.builder);

        let notes = broadcast::Sender::new(1024);
        let (halted, halts) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            addresses: options.addresses,
            builder,
            metadata: Mutex::default(),
            metadata_address,
            disk_limit: options.inventory.as_ref().and_then(|inventory| inventory.instance_disk_bytes),
            clock,
            state: Mutex::new(Book { state, number: 0 }),
            nonces: Nonces::default(),
            ignore_unknown_parameters: options.ignore_unknown_parameters,
            rates: Rates::default(),
            machines: Machines::new(host, notes.clone(), halted),
            notes,
            journal: Mutex::default(),
            faults: Mutex::new(faults),
            forwards: Mutex::default(),
            store,
            request_ids: Mutex::new(Ids::new(options.seed)),
            wake: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        inner.sweep();
        inner.tasks.spawn(Arc::clone(&inner).drive(halts));
        let (stop, metadata) = (inner.stop.clone(), crate::http::metadata(Arc::clone(&inner)));
        tokio::spawn(async move {
            let serving = axum::serve(metadata_listener, metadata)
                .with_graceful_shutdown(async move { stop.cancelled().await });
            let _ = serving.await;
        });
        let stop = inner.stop.clone();
        let service = router(Arc::clone(&inner)).into_make_service_with_connect_info::<crate::http::Peer>();
        let server = tokio::spawn(async move {
            let serving = axum::serve(Connections(listener), service)
                .with_graceful_shutdown(async move { stop.cancelled().await });
            // It ends by being told to; accepting never fails for good.
            let _ = serving.await;
        });
        Ok(Cloud { inner, address, credentials, server })
    }

    /// Returns where the API listens, as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the default account's access key: id and secret.
    pub fn credentials(&self) -> (String, String) {
        self.credentials.clone()
    }

    /// Returns where the metadata service listens, as a URL: what `http://100.100.100.200` is on the real cloud, for
    /// the machine that runs the build.
    pub fn metadata_endpoint(&self) -> String {
        format!("http://{}", self.inner.metadata_address)
    }

    /// Returns the public address that this machine has for the cloud; security groups let it in by this.
    pub fn builder_address(&self) -> IpAddr {
        self.inner.builder_address()
    }

    /// Returns what happens to a connection from this machine to a port of an address.
    pub fn reach(&self, address: &str, port: u16) -> Reach {
        self.inner.reach(address, port)
    }

    /// Returns where a port of an instance's address leads. Nothing, when nothing answers there; [`Cloud::reach`]
    /// tells why.
    pub fn dial(&self, address: &str, port: u16) -> Option<SocketAddr> {
        match self.inner.reach(address, port) {
            Reach::Open(at) => Some(at),
            Reach::Refused | Reach::Dropped | Reach::Unknown => None,
        }
    }

    /// Returns the calls so far.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.inner.calls()
    }

    /// Returns what exists now.
    pub fn inventory(&self) -> InventorySnapshot {
        self.inner.inventory()
    }

    /// Adds a fault rule.
    pub fn add_fault(&self, rule: FaultRule) {
        self.inner.add_fault(rule);
    }

    /// Takes a spot instance back, as the real cloud does when it needs the room: it is told so now, and gone five
    /// minutes later. Returns whether there is such a spot instance.
    pub fn interrupt(&self, instance: &str) -> bool {
        self.inner.interrupt(instance, Duration::ZERO)
    }

    /// Returns what the cloud simulates and what fails in it, from now on.
    pub fn notes(&self) -> broadcast::Receiver<Note> {
        self.inner.notes.subscribe()
    }

    /// Moves the clock forward at once, by this much of the states' time here.
    pub fn step(&self, by: Duration) {
        self.inner.clock.step(by);
        self.inner.settle();
    }

    /// Stops everything: instances end, and what was not to be kept is removed.
    pub async fn shutdown(mut self) {
        self.inner.stop.cancel();
        if tokio::time::timeout(LAST_ANSWERS, &mut self.server).await.is_err() {
            self.server.abort();
        }
        self.inner.machines.close(self.inner.store.keeps()).await;
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.store.close().await;
        self.keep_calls().await;
    }

    /// A folder that is kept also tells what was asked of the cloud: `calls.jsonl`, a record a line.
    async fn keep_calls(&self) {
        if !self.inner.store.keeps() {
            return;
        }
        let path = self.inner.store.folders().root.join("calls.jsonl");
        let lines = self.inner.calls().into_iter().filter_map(|call| serde_json::to_string(&call).ok());
        let text: String = lines.map(|line| line + "\n").collect();
        let append = move || {
            use std::io::Write as _;
            std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
        };
        // The calls are for whoever looks back; the state itself is kept without them.
        if let Ok(Err(error)) = tokio::task::spawn_blocking(append).await {
            tracing::warn!(%error, "the calls were not kept");
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // Whoever forgot to shut down still gets its tasks ended.
        self.inner.stop.cancel();
    }
}

async fn sandboxes(options: &CloudOptions, store: &Store) -> Result<Option<Arc<dyn Host>>, StartError> {
    match MachineHost::probe(options.helper.clone(), &store.folders().root).await {
        Ok(host) => Ok(Some(Arc::new(Sandboxes::new(host)))),
        Err(_) if options.allow_no_sandbox => Ok(None),
        Err(error) => Err(StartError::NoSandbox(error)),
    }
}

/// A cloud with one account and nothing in it.
fn fresh(seed: u64) -> State {
    let mut ids = Ids::new(seed);
    let uid = format!("1{:015}", u64::from(ids.number("account", u32::MAX)));
    let key_id = format!("LTAI5t{}", ids.word("key-id", 18));
    let secret = ids.word("key-secret", 30);
    let key = AccessKey::lasting(secret, format!("acs:ram::{uid}:root"));
    let account = Account {
        uid: uid.clone(),
        access_keys: [(key_id, key)].into_iter().collect(),
        ..Account::default()
    };
    State {
        ids,
        default_account: uid.clone(),
        accounts: [(uid, account)].into_iter().collect(),
        images: std::collections::BTreeMap::new(),
    }
}

/// Brings a state that was kept back to life: machines have ended with the process that ran them.
fn revived(mut state: State, clock: &Clock) -> State {
    let now = clock.now();
    for account in state.accounts.values_mut() {
        for instance in account.instances.values_mut() {
            (instance.boot_at, instance.reachable_at) = (None, None);
            if !instance.deleting {
                instance.stage = Stage::settled(InstanceStatus::Stopped, now);
            }
        }
        for snapshot in account.snapshots.values_mut() {
            if snapshot.content == Content::Pending {
                snapshot.content = Content::Lost("the cloud ended while it was made".to_owned());
                snapshot.stage = Stage::settled(SnapshotStatus::Failed, now);
            }
        }
    }
    state
}

fn credentials(state: &State) -> (String, String) {
    let account = state.accounts.get(&state.default_account);
    let mut keys = account.into_iter().flat_map(|account| &account.access_keys);
    keys.find(|(_, key)| key.token.is_none())
        .map(|(id, key)| (id.clone(), key.secret.clone()))
        .unwrap_or_default()
}

/// The state with the number of its newest change.
struct Book {
    state: State,
    number: u64,
}

/// What the parts of a cloud share.
pub struct Inner {
    pub(crate) addresses: AddressMode,
    builder: Builder,
    metadata: Mutex<Metadata>,
    metadata_address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) nonces: Nonces,
    pub(crate) ignore_unknown_parameters: bool,
    rates: Rates,
    disk_limit: Option<u64>,
    /// Never held across an await.
    state: Mutex<Book>,
    machines: Machines,
    notes: broadcast::Sender<Note>,
    journal: Mutex<Journal>,
    faults: Mutex<FaultBook>,
    forwards: Mutex<forward::Forwards>,
    store: Store,
    request_ids: Mutex<Ids>,
    wake: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Returns the address that the machine of the build has for the cloud.
    pub(crate) fn builder_address(&self) -> IpAddr {
        self.builder.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Returns the address that a caller has for the cloud: this machine is the one of the build.
    pub(crate) fn seen_as(&self, address: IpAddr) -> IpAddr {
        if address.is_loopback() { self.builder_address() } else { address }
    }

    /// Looks into what the metadata service remembers.
    pub(crate) fn with_metadata<T>(&self, look: impl FnOnce(&mut Metadata) -> T) -> T {
        look(&mut lock(&self.metadata))
    }

    /// Asks the metadata service.
    pub(crate) fn ask_metadata(
        self: &Arc<Self>,
        asker: &Asker,
        question: Question<'_>,
    ) -> Result<String, Refusal> {
        let now = self.clock.now();
        self.with_state(|state| {
            self.with_metadata(|metadata| metadata.answer(state, &self.builder, asker, question, now))
        })
    }

    /// Brings the state to the present and looks at it.
    pub(crate) fn with_state<T>(self: &Arc<Self>, look: impl FnOnce(&mut State) -> T) -> T {
        let mut book = lock(&self.state);
        let effects = crate::settle::settle(&mut book.state, &self.clock);
        self.perform(&mut book.state, effects);
        look(&mut book.state)
    }

    /// Brings the state to the present.
    pub(crate) fn settle(self: &Arc<Self>) {
        self.with_state(|_| ());
        self.wake.notify_one();
    }

    /// Runs an action on the state; what it changed is kept before the caller hears of it.
    pub(crate) async fn change<T>(
        self: &Arc<Self>,
        writes: bool,
        act: impl FnOnce(&mut State, &Clock, &dyn Consoles) -> (Result<T, ApiError>, Vec<Effect>, Vec<String>),
    ) -> Result<T, ApiError> {
        let (result, draft) = {
            let mut book = lock(&self.state);
            let due = crate::settle::settle(&mut book.state, &self.clock);
            self.perform(&mut book.state, due);
            let (result, effects, notes) = act(&mut book.state, &self.clock, &self.machines);
            if result.is_ok() {
                self.perform(&mut book.state, effects);
                notes.into_iter().for_each(|note| self.note(Note::Simulated(note)));
            }
            (result, writes.then(|| self.draft(&mut book)).flatten())
        };
        if writes {
            self.wake.notify_one();
        }
        if let Some((number, bytes)) = draft
            && let Err(error) = self.store.write(number, bytes).await
        {
            return Err(
                refuse("InternalError").saying(format!("The state folder cannot be written: {error}."))
            );
        }
        result
    }

    /// Writes the state down as it is now, where it is to be kept.
    fn draft(&self, book: &mut Book) -> Option<(u64, Vec<u8>)> {
        if !self.store.keeps() {
            return None;
        }
        book.number += 1;
        serde_json::to_vec(&book.state).ok().map(|bytes| (book.number, bytes))
    }

    fn note(&self, note: Note) {
        // Nobody listening is no fault.
        let _ = self.notes.send(note);
    }

    /// Sees to what the state wants done outside.
    fn perform(self: &Arc<Self>, state: &mut State, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Boot(id) => self.boot(state, &id),
                Effect::Stop { instance, force } => self.machines.order(&instance, Order::Stop { force }),
                Effect::Destroy(id) => self.machines.order(&id, Order::Destroy),
                Effect::Capture { instance, snapshot, layer } => {
                    let cloud = Arc::clone(self);
                    let done = Box::new(move |result| cloud.captured(&snapshot, result));
                    let into = self.store.folders().layer(&layer);
                    self.machines.order(&instance, Order::Capture { into, done });
                }
                Effect::SweepLayers => self.sweep(),
                Effect::Readdress => self.readdress(state),
            }
        }
    }

    fn boot(self: &Arc<Self>, state: &State, id: &str) {
        let Some((account, instance)) = state.instance(id) else { return };
        let base = images::base_of(state, &instance.image_id);
        if base.is_some_and(|base| base.os_type == "windows") {
            self.note(Note::Failed(format!("instance `{id}` has no machine: Windows is not simulated")));
            return;
        }
        let platform = base.map_or_else(
            || Platform::named("Linux", ""),
            |base| Platform::named(&base.platform, &base.version),
        );
        let folders = self.store.folders();
        let spec = MachineSpec {
            id: id.to_owned(),
            hostname: instance.hostname.clone(),
            image_layers: instance.layers.iter().map(|name| folders.layer(name)).collect(),
            dir: folders.machine(id),
            platform,
            authorized_keys: instance
                .key_pair
                .iter()
                .filter_map(|name| key_pairs::public_line(account, &instance.region, name))
                .collect(),
            login_user: if instance.login_as_non_root { "ecs-user" } else { "root" }.to_owned(),
            password: instance.password.clone(),
            user_data: instance.user_data.as_ref().and_then(|data| STANDARD.decode(data).ok()),
            disk_limit_bytes: self.disk_limit,
            listen: self.listen_address(instance),
            speed: self.clock.speed(),
            metadata: metadata(account, instance),
            metadata_url: Some(self.metadata_url(id)),
            gate: self.gate(id),
        };
        self.machines.order(id, Order::Boot(Box::new(spec)));
    }

    /// Returns what `http://100.100.100.200` is for an instance.
    fn metadata_url(&self, id: &str) -> String {
        let key = self.with_metadata(|metadata| metadata.admit(id));
        format!("http://{}/i/{key}", self.metadata_address)
    }

    fn listen_address(&self, instance: &Instance) -> SocketAddr {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        match self.addresses {
            AddressMode::Mapped => any,
            AddressMode::Loopback { port } => {
                instance.private_ip.parse().map_or(any, |address| SocketAddr::new(address, port))
            }
        }
    }

    /// The files of a snapshot are put aside, or could not be.
    fn captured(self: &Arc<Self>, snapshot: &str, result: Result<(), String>) {
        let draft = {
            let mut book = lock(&self.state);
            match book.state.snapshot_mut(snapshot) {
                Some(found) => {
                    found.content = match result {
                        Ok(()) => Content::Ready,
                        Err(why) => {
                            let text = format!("snapshot `{snapshot}` could not be made: {why}");
                            self.note(Note::Failed(text));
                            Content::Lost(why)
                        }
                    };
                }
                // It was deleted meanwhile.
                None => self.sweep(),
            }
            self.draft(&mut book)
        };
        self.wake.notify_one();
        if let Some((number, bytes)) = draft {
            let cloud = Arc::clone(self);
            self.tasks.spawn(async move {
                if let Err(error) = cloud.store.write(number, bytes).await {
                    tracing::warn!(%error, "write the state");
                }
            });
        }
    }

    /// Removes layers, and folders of machines, that nothing needs any more.
    fn sweep(self: &Arc<Self>) {
        let cloud = Arc::clone(self);
        self.tasks.spawn_blocking(move || {
            let root = &cloud.store.folders().root;
            let list = |folder: &str| -> Vec<std::path::PathBuf> {
                let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
                entries.map(|entry| entry.path()).collect()
            };
            // What is listed before the state is asked is either known to it or not needed.
            let (layers, machines) = (list("layers"), list("machines"));
            let needed: std::collections::HashSet<String> = {
                let book = lock(&cloud.state);
                let accounts = book.state.accounts.values();
                accounts
                    .flat_map(|account| {
                        let of_instances = account.instances.values().flat_map(|instance| {
                            instance.layers.iter().cloned().chain(std::iter::once(instance.id.clone()))
                        });
                        of_instances
                            .chain(account.snapshots.values().flat_map(|snapshot| snapshot.layers.clone()))
                    })
                    .collect()
            };
            for path in layers.into_iter().chain(machines) {
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if !needed.contains(&name)
                    && let Err(error) = std::fs::remove_dir_all(&path)
                {
                    tracing::debug!(%error, path = %path.display(), "remove what is not needed");
                }
            }
        });
    }

    /// Lets elastic addresses lead where they should, where addresses are real.
    fn readdress(self: &Arc<Self>, state: &State) {
        let AddressMode::Loopback { port } = self.addresses else { return };
        let mut wanted = std::collections::HashMap::new();
        for account in state.accounts.values() {
            for eip in account.eips.values().filter(|eip| eip.stage.now == EipStatus::InUse) {
                wanted.insert(eip.address.clone(), eip.instance_id.clone().unwrap_or_default());
            }
            for instance in account.instances.values() {
                if let Some(address) = &instance.public_ip {
                    wanted.insert(address.clone(), instance.id.clone());
                }
            }
        }
        lock(&self.forwards).update(self, port, &wanted);
    }

    /// Lets time have its effects: settles when something is due, notes machines that ended by themselves.
    async fn drive(self: Arc<Self>, mut halts: mpsc::UnboundedReceiver<String>) {
        loop {
            let due = self.with_state(|state| crate::settle::next_due(state));
            let until = async {
                match due {
                    Some(due) => self.clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.wake.notified() => {}
                () = until => {}
                Some(id) = halts.recv() => self.halted(&id),
            }
        }
    }

    /// A machine ended by itself: somebody shut it down from inside.
    fn halted(self: &Arc<Self>, id: &str) {
        self.with_state(|state| {
            let now = self.clock.now();
            if let Some(instance) = state.instance_mut(id)
                && instance.stage.now == InstanceStatus::Running
                && !instance.deleting
            {
                instance.stage = Stage::settled(InstanceStatus::Stopped, now);
                (instance.boot_at, instance.reachable_at) = (None, None);
            }
        });
    }

    /// Has a spot instance taken back after some time of the real cloud.
    pub(crate) fn interrupt(self: &Arc<Self>, instance: &str, wait: Duration) -> bool {
        let at = self.clock.now().plus(self.clock.scaled(wait));
        let found = self.with_state(|state| {
            let spot = state.instance_mut(instance).and_then(|instance| instance.spot.as_mut());
            spot.map(|spot| spot.notice_at = Some(at)).is_some()
        });
        self.settle();
        found
    }

    /// Counts a call, and refuses it when there were too many in this minute.
    pub(crate) fn count(&self, uid: &str, region: &str, action: &str) -> Result<(), ApiError> {
        // Limits do not change with time, so the state need not be brought to the present for them.
        let book = lock(&self.state);
        match book.state.accounts.get(uid) {
            Some(account) if !account.rate_limits.is_empty() => {
                self.rates.count(&self.clock, &account.rate_limits, (uid, region, action))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn request_id(&self) -> String {
        lock(&self.request_ids).uuid("request")
    }

    pub(crate) fn record(&self, record: CallRecord) {
        lock(&self.journal).append(record);
    }

    pub(crate) fn calls(&self) -> Vec<CallRecord> {
        lock(&self.journal).records()
    }

    pub(crate) fn inventory(self: &Arc<Self>) -> InventorySnapshot {
        self.with_state(|state| InventorySnapshot::of(state))
    }

    pub(crate) fn add_fault(&self, rule: FaultRule) {
        lock(&self.faults).add(rule);
    }

    pub(crate) fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    pub(crate) fn faults(&self) -> Vec<FaultRule> {
        lock(&self.faults).rules()
    }

    pub(crate) fn take_faults(
        &self,
        action: &str,
        param: impl Fn(&str) -> Option<String>,
    ) -> Vec<FaultEffect> {
        lock(&self.faults).take(action, param)
    }
}

/// What an instance can find out about itself.
fn metadata(account: &Account, instance: &Instance) -> std::collections::BTreeMap<String, String> {
    let eip = account.eips.values().find(|eip| eip.instance_id.as_deref() == Some(&instance.id));
    let facts = [
        ("instance-id", instance.id.clone()),
        ("region-id", instance.region.clone()),
        ("zone-id", instance.zone.clone()),
        ("hostname", instance.hostname.clone()),
        ("image-id", instance.image_id.clone()),
        ("instance-type", instance.instance_type.clone()),
        ("private-ipv4", instance.private_ip.clone()),
        ("eipv4", eip.map(|eip| eip.address.clone()).unwrap_or_default()),
        ("vpc-id", instance.vpc_id.clone()),
        ("vswitch-id", instance.vswitch_id.clone()),
        ("owner-account-id", account.uid.clone()),
        ("ram-role-name", instance.ram_role.clone().unwrap_or_default()),
    ];
    facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
