//! Which cloud a command works in, and the components that work in it: the real one, or the embedded one of
//! `-local`, which lives inside this process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Weak};
use std::time::Duration;

use alicloud_local::{
    AddressMode, Cloud, CloudOptions, HelperProgram, Inventory, Note, Reach, StartError, helper_main,
};
use async_trait::async_trait;
use kiln_alicloud::Setup;
use kiln_core::component::Registry;
use kiln_core::event::{EventKind, Events};
use kiln_core::secret::SecretFilter;
use kiln_engine::gc::{CLOUD, EPHEMERAL};
use kiln_remote::dial::{Dialer, Direct};
use tokio::net::TcpStream;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commands::meta::LOCAL_SPEED;
use crate::credential_files::CredentialFiles;
use crate::env_vars::{
    ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY, ALIYUN_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_SECRET,
    ALIYUN_SECURITY_GROUP_ID, ECS_ENDPOINT, Environment, KILN_ADDRESS_URL,
};
use crate::failure::Failure;
use crate::flags::Parsed;

/// The word that makes this program an instance's helper.
const INSTANCE_WORD: &str = "__instance";

/// The APIs that are pointed at the embedded cloud.
const PRODUCTS: [&str; 4] = ["ECS", "VPC", "STS", "RAM"];

/// The variables that hold an access key id and its secret, of either builder.
const KEY_VARIABLES: [[&str; 2]; 2] =
    [[ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY], [ALIYUN_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_SECRET]];

/// The shortest pause between two looks at a state of the real cloud.
const POLL_FLOOR: Duration = Duration::from_millis(300);

/// Runs this process as the helper of an instance, if that is what it was started as.
pub fn instance_helper() -> Option<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.get(1) {
        Some(word) if word == INSTANCE_WORD => {
            let code = helper_main(&arguments[2..]);
            Some(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
        }
        _ => None,
    }
}

/// What components are told of the cloud they work in.
#[derive(Clone)]
pub struct Surroundings {
    /// The environment templates and components see.
    pub environment: Environment,
    /// How to reach the cloud and its machines.
    pub setup: Setup,
}

impl Surroundings {
    /// Returns the name by which journals know the cloud; `None`: the real one.
    pub fn cloud(&self) -> Option<String> {
        self.setup.place.get(CLOUD).cloned()
    }
}

/// The same where the cloud is a process on this machine (`kiln cloud serve`): asking costs nobody anything.
const LOOPBACK_POLL_FLOOR: Duration = Duration::from_millis(20);

/// Returns the cloud of the endpoints: the real one, or one that another process serves. Journals name the latter, so
/// that `gc` never takes one cloud's "no such instance" for another's.
pub fn direct(environment: &Environment, secrets: &SecretFilter, run: &str) -> Surroundings {
    let place = environment.filled("ALICLOUD_ECS_ENDPOINT").map(|endpoint| (CLOUD.to_owned(), endpoint));
    let poll_floor = match &place {
        Some((_, endpoint)) if endpoint.starts_with("http://127.") => LOOPBACK_POLL_FLOOR,
        _ => POLL_FLOOR,
    };
    let setup = Setup {
        files: Arc::new(CredentialFiles),
        secrets: secrets.clone(),
        session_name: format!("packer-{run}"),
        place: place.into_iter().collect(),
        poll_floor,
        ..setup(environment, Arc::new(Direct))
    };
    Surroundings { environment: environment.clone(), setup }
}

fn setup(environment: &Environment, dialer: Arc<dyn Dialer>) -> Setup {
    let asked = environment.clone();
    Setup::new(Arc::new(move |name| asked.get(name)), dialer)
}

/// Returns every component there is: the tables of the rooms, joined.
pub fn registry(place: &Surroundings) -> Registry {
    let mut registry = Registry::default();
    kiln_components::registry::register(&mut registry, Arc::clone(&place.setup.dialer));
    kiln_alicloud::register(&mut registry, &place.setup);
    registry
}

/// A running embedded cloud.
pub struct Local {
    cloud: Arc<Cloud>,
    environment: Environment,
    secrets: SecretFilter,
    place: String,
    speed: f64,
    notes: JoinHandle<Vec<String>>,
    notes_end: CancellationToken,
}

/// How the flags want the embedded cloud.
#[derive(Debug, Default)]
pub struct Wish {
    /// How many times faster its states pass.
    pub speed: Option<f64>,
    /// Where it is kept.
    pub state: Option<PathBuf>,
    /// What the account owns.
    pub with: Option<PathBuf>,
}

impl Wish {
    /// Reads the flags of a build.
    pub fn of_build(flags: &Parsed) -> Wish {
        Wish {
            speed: flags.factor("local-speed"),
            state: flags.text("local-state").map(PathBuf::from),
            with: flags.text("local-with").map(PathBuf::from),
        }
    }

    /// Returns the options of a cloud, and the inventory's own words about its accounts.
    pub fn options(&self, environment: &Environment) -> Result<CloudOptions, Failure> {
        self.options_with(environment, Inventory::default())
    }

    /// Does what [`Wish::options`] does; where no file says what the account owns, it owns what is in `unsaid`.
    fn options_with(&self, environment: &Environment, unsaid: Inventory) -> Result<CloudOptions, Failure> {
        let helper = HelperProgram { path: own_program(), args: vec![INSTANCE_WORD.into()] };
        let mut options = CloudOptions::new(helper);
        options.speed = self.speed.unwrap_or(LOCAL_SPEED);
        options.state_dir = self.state.as_deref().map(absolute);
        let mut inventory = match &self.with {
            None => unsaid,
            Some(path) => read_inventory(path)?,
        };
        // The account is the user's own, unless the file says whose it is.
        if inventory.account.access_keys.is_empty() {
            let pairs = KEY_VARIABLES.map(|names| names.map(|name| environment.filled(name)));
            let whole = pairs.into_iter().filter_map(|[key, secret]| key.zip(secret));
            inventory.account.access_keys.extend(whole);
        }
        options.inventory = Some(inventory);
        options.addresses = AddressMode::Mapped;
        Ok(options)
    }
}

impl Local {
    /// Starts the embedded cloud as the flags want it.
    pub async fn start(flags: &Parsed, environment: &Environment, events: &Events) -> Result<Local, Failure> {
        let wish = Wish::of_build(flags);
        // The templates of the documents build unchanged.
        let options = wish.options_with(environment, Inventory::of_documents())?;
        let speed = options.speed;
        let place = match &options.state_dir {
            Some(dir) => dir.display().to_string(),
            None => EPHEMERAL.to_owned(),
        };
        let group = only_group(&options);
        let cloud = Cloud::start(options).await.map_err(not_started)?;
        let environment = environment.with(overlay(&cloud, group, environment));
        let kept = match &wish.state {
            Some(dir) => format!("; its state is kept in {}", dir.display()),
            None => "; nothing of it is kept".to_owned(),
        };
        events
            .say(format!("==> kiln: working in an embedded cloud, {speed}x as fast as the real one{kept}"))
            .await;
        let notes_end = CancellationToken::new();
        let notes = notes(&cloud, notes_end.clone(), events.clone());
        let secrets = events.secrets().clone();
        Ok(Local { cloud: Arc::new(cloud), environment, secrets, place, speed, notes, notes_end })
    }

    /// Returns the embedded cloud as components see it.
    pub fn surroundings(&self) -> Surroundings {
        let dialer = Arc::new(CloudDialer { cloud: Arc::downgrade(&self.cloud) });
        let place = BTreeMap::from([(CLOUD.to_owned(), self.place.clone())]);
        let poll_floor = POLL_FLOOR.div_f64(self.speed.max(1.0)).max(Duration::from_millis(5));
        let setup = setup(&self.environment, dialer);
        let setup = Setup {
            secrets: self.secrets.clone(),
            is_embedded: true,
            place,
            poll_floor,
            clock_speed: self.speed,
            ..setup
        };
        Surroundings { environment: self.environment.clone(), setup }
    }

    /// Ends the cloud and every sandbox in it, and says what was simulated. Guests say so themselves where they
    /// play a program, but their output may have gone elsewhere.
    pub async fn shutdown(self, events: &Events) {
        // Dialers know it weakly, so that nobody but us holds it now; dropping it would end it too, less orderly.
        if let Some(cloud) = Arc::into_inner(self.cloud) {
            cloud.shutdown().await;
        }
        self.notes_end.cancel();
        let notes = self.notes.await.unwrap_or_default();
        if !notes.is_empty() {
            let text = format!("\nSimulated in this run:\n    {}", notes.join("\n    "));
            events.emit(EventKind::Hint { text }).await;
        }
    }
}

/// Templates that name no credentials get the embedded account's, as `{{env}}` too; endpoints lead here. Builder `aliyun`
/// cannot make a security group, so that it gets the account's, if there is one only.
fn overlay(cloud: &Cloud, group: Option<String>, environment: &Environment) -> BTreeMap<String, String> {
    let endpoint = cloud.endpoint();
    let mut overlay: BTreeMap<String, String> =
        PRODUCTS.iter().map(|product| (format!("ALICLOUD_{product}_ENDPOINT"), endpoint.clone())).collect();
    // The older name of one of these, which may lead out of here.
    overlay.insert(ECS_ENDPOINT.to_owned(), String::new());
    for names in KEY_VARIABLES {
        if names.map(|name| environment.filled(name).is_some()) != [true, true] {
            let (key, secret) = cloud.credentials();
            overlay.extend(names.map(str::to_owned).into_iter().zip([key, secret]));
        }
    }
    // Security groups of this cloud know this machine by the address it says.
    overlay.insert(KILN_ADDRESS_URL.to_owned(), format!("{endpoint}/_local/address"));
    if environment.filled(ALIYUN_SECURITY_GROUP_ID).is_none() {
        overlay.extend(group.map(|id| (ALIYUN_SECURITY_GROUP_ID.to_owned(), id)));
    }
    overlay
}

/// Returns the security group of an account that owns one and no other.
fn only_group(options: &CloudOptions) -> Option<String> {
    match options.inventory.as_ref()?.account.security_groups.as_slice() {
        [group] => Some(group.id.clone()),
        _ => None,
    }
}

fn read_inventory(path: &Path) -> Result<Inventory, Failure> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::told(format!("read `{shown}`: {error}")))?;
    Inventory::from_json(&text).map_err(|error| Failure::told(format!("read `{shown}`: {}", chain(&error))))
}

/// Returns this program by the kernel's own link to it, which leads to the running file even when another has taken its
/// name meanwhile (an update, a new build).
fn own_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the failure of a cloud that did not start, with what to do about it.
pub fn not_started(error: StartError) -> Failure {
    Failure::told(format!("start the embedded cloud: {}", chain(&error)))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Gathers what is simulated, in order, each once. What fails is told at once: a build may be about to wait minutes for
/// an instance that has no machine.
fn notes(cloud: &Cloud, stop: CancellationToken, events: Events) -> JoinHandle<Vec<String>> {
    let mut notes = cloud.notes();
    tokio::spawn(async move {
        let mut told: Vec<String> = Vec::new();
        loop {
            let note = tokio::select! {
                biased;
                note = notes.recv() => note,
                () = stop.cancelled() => return told,
            };
            let note = match note {
                Ok(Note::Simulated(text)) => text,
                Ok(Note::Failed(text)) => {
                    let text = format!("==> kiln: in the embedded cloud, {text}");
                    events.emit(EventKind::Hint { text }).await;
                    continue;
                }
                Err(RecvError::Lagged(missed)) => format!("{missed} things more"),
                Err(RecvError::Closed) => return told,
            };
            if !told.contains(&note) {
                told.push(note);
            }
        }
    })
}

/// Reaches the instances of the embedded cloud, and everything else straight out.
struct CloudDialer {
    cloud: Weak<Cloud>,
}

#[async_trait]
impl Dialer for CloudDialer {
    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        match self.cloud.upgrade().map_or(Reach::Unknown, |cloud| cloud.reach(host, port)) {
            Reach::Open(address) => TcpStream::connect(address).await,
            Reach::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
            // Whoever dials has a limit of his own, as for packets that are dropped on their way.
            Reach::Dropped => std::future::pending().await,
            Reach::Unknown => Direct.dial(host, port).await,
        }
    }
}
