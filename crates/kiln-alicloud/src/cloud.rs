//! The account a build works in: one client for all its calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alicloud_api::credentials::Files;
use alicloud_api::ecs::Ecs;
use alicloud_api::sts::Sts;
use alicloud_api::vpc::Vpc;
use alicloud_api::{Client, ClientConfig, Credentials, RegionId, Verdict, Wait};
use kiln_core::error::Result;
use kiln_core::secret::SecretFilter;
use kiln_remote::connect::Pace;
use kiln_remote::dial::Dialer;
use tokio_util::sync::CancellationToken;

use crate::accounts::{Accounts, NoFiles};
use crate::aliyun;
use crate::config::{Access, AccessConfig, DEFAULT_REGION, endpoints};
use crate::failure::Doing as _;
use crate::looks::Pollers;

/// Tells the value of an environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the program hands this room. [`Setup::new`] gives the least; every field may then be replaced.
#[derive(Clone)]
pub struct Setup {
    /// The environment: credentials, region, endpoints.
    pub env: Environment,
    /// The files that credentials may be in.
    pub files: Arc<dyn Files>,
    /// Where every secret is registered before it is used.
    pub secrets: SecretFilter,
    /// Whether the cloud is the embedded one, which no source of real credentials concerns.
    pub is_embedded: bool,
    /// What sessions of assumed roles are called where nobody names them.
    pub session_name: String,
    /// How instances are reached.
    pub dialer: Arc<dyn Dialer>,
    /// What every intent says of its place besides the region: which cloud, if it is not the real one.
    pub place: BTreeMap<String, String>,
    /// The shortest pause between two looks at a state; lower for a cloud whose clock runs faster.
    pub poll_floor: Duration,
    /// How many times faster than ours the cloud's clock runs, as that of an embedded cloud may.
    pub clock_speed: f64,
    /// What all builds share.
    pub accounts: Arc<Accounts>,
}

impl Setup {
    /// Returns a setup of the real cloud without files.
    pub fn new(env: Environment, dialer: Arc<dyn Dialer>) -> Setup {
        Setup {
            env,
            files: Arc::new(NoFiles),
            secrets: SecretFilter::default(),
            is_embedded: false,
            session_name: "packer-kiln".to_owned(),
            dialer,
            place: BTreeMap::new(),
            poll_floor: Duration::from_millis(300),
            clock_speed: 1.0,
            accounts: Arc::default(),
        }
    }

    /// Returns an environment variable that is set and not empty.
    pub(crate) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }
}

/// An account, a region, and what intents say of their place.
#[derive(Clone)]
pub(crate) struct Cloud {
    setup: Setup,
    access: Access,
    client: Client,
    region: RegionId,
    place: BTreeMap<String, String>,
    poll_floor: Duration,
    cancel: CancellationToken,
}

impl Cloud {
    /// Returns the account of `access`; builds of one account share connections, limits and credentials. Nothing is
    /// sent.
    pub(crate) fn connect(setup: &Setup, access: &Access) -> Result<Cloud> {
        let endpoints = endpoints(setup, access.endpoint_ecs.as_deref(), &access.endpoints)
            .doing("read the endpoints of the template and the environment")?;
        let config = ClientConfig {
            endpoints,
            poll_floor: setup.poll_floor,
            user_agent: USER_AGENT.to_owned(),
            ..ClientConfig::new(Arc::clone(&access.provider), access.region.clone())
        };
        let client = setup.accounts.client(&access.fingerprint, config).doing("make a client")?;
        let mut place = setup.place.clone();
        place.extend(access.place.clone());
        place.insert(REGION.to_owned(), access.region.to_string());
        if let Some(endpoint) = &access.endpoint_ecs {
            place.insert(CUSTOM_ENDPOINT.to_owned(), endpoint.clone());
        }
        let (poll_floor, cancel) = (setup.poll_floor, CancellationToken::new());
        Ok(Cloud {
            setup: setup.clone(),
            access: access.clone(),
            client,
            region: access.region.clone(),
            place,
            poll_floor,
            cancel,
        })
    }

    /// Returns the account that a place names, or else that of the environment: what `gc` works in.
    pub(crate) fn of_place(setup: &Setup, place: &BTreeMap<String, String>) -> Result<Cloud> {
        if let Some(access) = aliyun::of_place(setup, place) {
            return Cloud::connect(setup, &access);
        }
        let resolved = Access::resolve(&AccessConfig::of_place(place), setup);
        let (access, _) = resolved.map_err(|refusal| refusal.error())?;
        Cloud::connect(setup, &access)
    }

    /// Returns an account that signs nothing: only places that name another account can be reached from it.
    pub(crate) fn of_nobody(setup: &Setup) -> Cloud {
        let region = setup.env("ALICLOUD_REGION").unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let access = Access::nobody(region.into());
        let config = ClientConfig::new(Arc::clone(&access.provider), access.region.clone());
        let client =
            Client::new(config).expect("the settings of a usual client are none that could be refused");
        Cloud {
            setup: setup.clone(),
            client,
            region: access.region.clone(),
            place: setup.place.clone(),
            poll_floor: setup.poll_floor,
            cancel: CancellationToken::new(),
            access,
        }
    }

    /// Returns the same account with waits and calls that end when `cancel` does.
    pub(crate) fn with_cancel(&self, cancel: &CancellationToken) -> Cloud {
        Cloud { client: self.client.with_cancel(cancel.clone()), cancel: cancel.clone(), ..self.clone() }
    }

    /// Returns the account where an intent says its resource lives: `gc` serves builds of all regions and accounts,
    /// and of private clouds that only their templates name.
    pub(crate) fn at(&self, place: &BTreeMap<String, String>) -> Result<Cloud> {
        let region = place.get(REGION).map_or_else(|| self.region.clone(), |region| region.as_str().into());
        if !AccessConfig::is_same_account(place, &self.place) || !aliyun::are_alike(place, &self.place) {
            // The region of the place, whatever its profile says.
            return Ok(Cloud::of_place(&self.setup, place)?
                .in_region(region.as_str())
                .with_cancel(&self.cancel));
        }
        let endpoint = place.get(CUSTOM_ENDPOINT);
        if endpoint == self.place.get(CUSTOM_ENDPOINT) {
            return Ok(self.in_region(region.as_str()));
        }
        let access = Access { region, endpoint_ecs: endpoint.cloned(), ..self.access.clone() };
        Cloud::connect(&self.setup, &access)
    }

    /// Returns the same account in another region.
    pub(crate) fn in_region(&self, region: &str) -> Cloud {
        let mut place = self.place.clone();
        place.insert(REGION.to_owned(), region.to_owned());
        Cloud { region: region.into(), place, ..self.clone() }
    }

    /// Returns the same account in a region the image is copied to. The template's own endpoint serves the build's
    /// region alone.
    pub(crate) fn beside(&self, region: &RegionId) -> Result<Cloud> {
        let mut place = self.place();
        place.insert(REGION.to_owned(), region.to_string());
        if *region != self.region {
            place.remove(CUSTOM_ENDPOINT);
        }
        Ok(self.at(&place)?.with_cancel(&self.cancel))
    }

    /// Returns what tells this account from others of the same run; not secret.
    pub(crate) fn identity(&self) -> &str {
        &self.access.identity
    }

    pub(crate) fn region(&self) -> &RegionId {
        &self.region
    }

    /// Returns the credentials that the next call would be signed with.
    pub(crate) async fn credentials(&self) -> alicloud_api::Result<Credentials> {
        self.client.credentials().await
    }

    pub(crate) fn sts(&self) -> Sts {
        self.client.sts()
    }

    pub(crate) fn ecs(&self) -> Ecs {
        self.client.ecs(self.region.clone())
    }

    /// Returns the pollers shared by all builds in this account and region, and the calls they make: without this
    /// build's cancellation, since others wait for the answers too.
    pub(crate) fn pollers(&self) -> (Arc<Pollers>, Ecs) {
        let whose = format!("{} {} {:?}", self.identity(), self.region, self.place);
        let client = self.client.with_cancel(CancellationToken::new());
        (self.setup.accounts.looks().of(&whose, self.poll_floor), client.ecs(self.region.clone()))
    }

    pub(crate) fn vpc(&self) -> Vpc {
        self.client.vpc(self.region.clone())
    }

    /// Returns how soon to look again whether the instance lets us in: as often as a state's first look.
    pub(crate) fn connect_pace(&self, usual: Pace) -> Pace {
        let longest = (self.poll_floor * 3).min(usual.longest);
        Pace { first: usual.first.min(longest), longest, ..usual }
    }

    /// Returns how long `time` of the cloud's clock takes here. For waits in which nothing but the cloud, or somebody
    /// who uses it, acts: what this machine does takes the time it takes.
    pub(crate) fn on_its_clock(&self, time: Duration) -> Duration {
        time.div_f64(self.setup.clock_speed.max(1.0))
    }

    /// Returns what intents say of where their resource lives.
    pub(crate) fn place(&self) -> BTreeMap<String, String> {
        self.place.clone()
    }

    /// Looks until `probe` is done, at the usual pace; only `tolerated` codes mean "not yet".
    pub(crate) async fn wait<T, F, Fut>(
        &self,
        what: String,
        deadline: Duration,
        tolerated: &'static [&'static str],
        probe: F,
    ) -> alicloud_api::Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = alicloud_api::Result<Verdict<T>>>,
    {
        let wait = Wait { what, deadline, pace: self.client.pace(), tolerated, cancel: self.cancel.clone() };
        alicloud_api::wait_until(wait, probe).await
    }
}

/// Key of an intent's place: the template's own ECS endpoint.
pub(crate) const CUSTOM_ENDPOINT: &str = "custom_endpoint_ecs";
/// Key of an intent's place.
pub(crate) const REGION: &str = "region";

/// What calls say of who makes them.
pub(crate) const USER_AGENT: &str = concat!("Kiln/", env!("CARGO_PKG_VERSION"));

/// Packer's short wait: 36 looks, 5 s apart.
pub(crate) const SHORT: Duration = Duration::from_secs(3 * 60);
/// Packer's medium wait: 360 looks, 5 s apart.
pub(crate) const MEDIUM: Duration = Duration::from_secs(30 * 60);
