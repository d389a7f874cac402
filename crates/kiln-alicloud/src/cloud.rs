//! The account a build works in: one client for all its calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alicloud_api::ecs::Ecs;
use alicloud_api::vpc::Vpc;
use alicloud_api::{Client, ClientConfig, Credentials, Endpoints, Product, RegionId, Verdict, Wait};
use kiln_core::error::{Error, Result};
use kiln_remote::connect::Pace;
use kiln_remote::dial::Dialer;
use tokio_util::sync::CancellationToken;

use crate::config::Access;
use crate::failure::Doing as _;

/// Tells the value of an environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the program hands this room.
#[derive(Clone)]
pub struct Setup {
    /// The environment: credentials, region, endpoints.
    pub env: Environment,
    /// How instances are reached.
    pub dialer: Arc<dyn Dialer>,
    /// What every intent says of its place besides the region: which cloud, if it is not the real one.
    pub place: BTreeMap<String, String>,
    /// The shortest pause between two looks at a state; lower for a cloud whose clock runs faster.
    pub poll_floor: Duration,
}

impl Setup {
    /// Returns an environment variable that is set and not empty.
    pub(crate) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// Returns the credentials of the environment. A key is never paired with another source's secret.
    pub(crate) fn env_credentials(&self) -> Option<Credentials> {
        let credentials =
            Credentials::new(self.env("ALICLOUD_ACCESS_KEY")?, self.env("ALICLOUD_SECRET_KEY")?);
        Some(match self.env("SECURITY_TOKEN") {
            Some(token) => credentials.with_security_token(token),
            None => credentials,
        })
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
    /// Returns the account of `access`. Nothing is sent.
    pub(crate) fn connect(setup: &Setup, access: &Access) -> Result<Cloud> {
        let mut endpoints =
            Endpoints::from_env(|name| setup.env(name)).doing("read the endpoints of the environment")?;
        if let Some(endpoint) = &access.endpoint_ecs {
            endpoints = endpoints.with(Product::Ecs, endpoint).doing("read `custom_endpoint_ecs`")?;
        }
        let config = ClientConfig {
            endpoints,
            poll_floor: setup.poll_floor,
            user_agent: concat!("Kiln/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..ClientConfig::new(Arc::clone(&access.provider), access.region.clone())
        };
        let client = Client::new(config).doing("make a client")?;
        let mut place = setup.place.clone();
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

    /// Returns the account of the environment.
    pub(crate) fn from_env(setup: &Setup) -> Result<Cloud> {
        let credentials = setup
            .env_credentials()
            .ok_or_else(|| Error::new("no credentials: set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY"))?;
        let region = setup.env("ALICLOUD_REGION").unwrap_or_else(|| "cn-hangzhou".to_owned());
        Cloud::connect(setup, &Access::from_keys(credentials, region.into(), "the environment"))
    }

    /// Returns the same account with waits and calls that end when `cancel` does.
    pub(crate) fn with_cancel(&self, cancel: &CancellationToken) -> Cloud {
        Cloud { client: self.client.with_cancel(cancel.clone()), cancel: cancel.clone(), ..self.clone() }
    }

    /// Returns the same account where an intent says its resource lives: `gc` serves builds of all regions, and of
    /// private clouds that only their templates name.
    pub(crate) fn at(&self, place: &BTreeMap<String, String>) -> Result<Cloud> {
        let region = place.get(REGION).map_or_else(|| self.region.clone(), |region| region.as_str().into());
        let endpoint = place.get(CUSTOM_ENDPOINT);
        if endpoint == self.place.get(CUSTOM_ENDPOINT) {
            return Ok(self.in_region(region.as_str()));
        }
        let access = Access { region, endpoint_ecs: endpoint.cloned(), ..self.access.clone() };
        Cloud::connect(&self.setup, &access)
    }

    /// Returns the same account in another region.
    pub(crate) fn in_region(&self, region: &str) -> Cloud {
        Cloud { region: region.into(), ..self.clone() }
    }

    /// Returns what tells this account from others of the same run; not secret.
    pub(crate) fn identity(&self) -> &str {
        &self.access.identity
    }

    pub(crate) fn region(&self) -> &RegionId {
        &self.region
    }

    pub(crate) fn ecs(&self) -> Ecs {
        self.client.ecs(self.region.clone())
    }

    pub(crate) fn vpc(&self) -> Vpc {
        self.client.vpc(self.region.clone())
    }

    /// Returns how soon to look again whether the instance lets us in: as often as a state's first look.
    pub(crate) fn connect_pace(&self, usual: Pace) -> Pace {
        let longest = (self.poll_floor * 3).min(usual.longest);
        Pace { first: usual.first.min(longest), longest, ..usual }
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
const CUSTOM_ENDPOINT: &str = "custom_endpoint_ecs";
/// Key of an intent's place.
pub(crate) const REGION: &str = "region";

/// Packer's short wait: 36 looks, 5 s apart.
pub(crate) const SHORT: Duration = Duration::from_secs(3 * 60);
/// Packer's medium wait: 360 looks, 5 s apart.
pub(crate) const MEDIUM: Duration = Duration::from_secs(30 * 60);
