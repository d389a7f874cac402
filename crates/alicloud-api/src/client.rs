//! The client: what all calls share, and the handles of the products.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    CallObserver, Credentials, CredentialsProvider, Endpoints, Error, ErrorKind, Limits, Pace, RegionId,
    Result, RetryPolicy, SignatureMethod, http::Http, limit::Limiter,
};

/// Gives each signature what makes it unlike all others. Handed in, so that tests can fix it.
pub trait Freshness: fmt::Debug + Send + Sync {
    /// Returns the time now.
    fn now(&self) -> Timestamp;
    /// Returns text never returned before.
    fn nonce(&self) -> String;
}

/// The system's clock, and random UUIDs.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemFreshness;

impl Freshness for SystemFreshness {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn nonce(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

/// What a client is made of. [`ClientConfig::new`] gives the usual; every field may then be replaced.
#[derive(Clone)]
pub struct ClientConfig {
    /// Who signs.
    pub credentials: Arc<dyn CredentialsProvider>,
    /// Where calls go.
    pub endpoints: Endpoints,
    /// The region of [`Client::sts`] and the default for callers.
    pub region: RegionId,
    /// How calls are signed.
    pub signature: SignatureMethod,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Time and nonce of signatures.
    pub freshness: Arc<dyn Freshness>,
    /// How often and how long calls are repeated.
    pub retry: RetryPolicy,
    /// How often actions may be called.
    pub limits: Limits,
    /// The shortest pause between two looks of a wait; lower it for a cloud whose clock runs faster.
    pub poll_floor: Duration,
    /// Replaces the time of a try, connecting included: by default 5 s to connect and then the action's own time.
    pub timeout: Option<Duration>,
    /// Sees each try of each call.
    pub observer: Option<Arc<dyn CallObserver>>,
}

impl ClientConfig {
    /// The usual settings: public endpoints, ACS3 signatures, the system's clock.
    pub fn new(
        credentials: impl Into<Arc<dyn CredentialsProvider>>,
        region: impl Into<RegionId>,
    ) -> ClientConfig {
        ClientConfig {
            credentials: credentials.into(),
            endpoints: Endpoints::new(),
            region: region.into(),
            signature: SignatureMethod::default(),
            user_agent: concat!("alicloud-api/", env!("CARGO_PKG_VERSION")).to_owned(),
            freshness: Arc::new(SystemFreshness),
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            poll_floor: Pace::default().floor,
            timeout: None,
            observer: None,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("credentials", &self.credentials)
            .field("endpoints", &self.endpoints)
            .field("region", &self.region)
            .field("signature", &self.signature)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

/// A client for all regions and products. Cloning it shares connections, limits and credentials.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cancel: CancellationToken,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ClientConfig,
    pub(crate) http: Http,
    pub(crate) limiter: Limiter,
}

impl Client {
    /// Makes a client. Nothing is sent, and no certificate is read before a call needs it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the user agent cannot be a header's value.
    pub fn new(config: ClientConfig) -> Result<Client> {
        if reqwest::header::HeaderValue::from_str(&config.user_agent).is_err() {
            let why = format!("user agent {:?}: only visible ASCII characters are wanted", config.user_agent);
            return Err(Error::new(ErrorKind::Config, why));
        }
        let limiter = Limiter::new(config.limits.clone(), config.poll_floor);
        let shared = Shared { config, http: Http::default(), limiter };
        Ok(Client { shared: Arc::new(shared), cancel: CancellationToken::new() })
    }

    /// Returns a client over the same connections whose calls end when `cancel` does: pauses at once, looking calls at
    /// once, calls with an effect after their current try, whose answer is awaited.
    pub fn with_cancel(&self, cancel: CancellationToken) -> Client {
        Client { shared: self.shared.clone(), cancel }
    }

    /// Returns the default region.
    pub fn region(&self) -> &RegionId {
        &self.shared.config.region
    }

    /// Returns the credentials that the next call would be signed with.
    ///
    /// # Errors
    ///
    /// Those of the provider.
    pub async fn credentials(&self) -> Result<Credentials> {
        self.shared.config.credentials.credentials().await
    }

    /// Returns the endpoints.
    pub fn endpoints(&self) -> &Endpoints {
        &self.shared.config.endpoints
    }

    /// Returns the pace of waits on this client's cloud: the usual one with [`ClientConfig::poll_floor`].
    pub fn pace(&self) -> Pace {
        Pace::with_floor(self.shared.config.poll_floor)
    }

    /// Returns the Ecs calls of a region.
    pub fn ecs(&self, region: impl Into<RegionId>) -> crate::ecs::Ecs {
        crate::ecs::Ecs::new(self.clone(), region.into())
    }

    /// Returns the Vpc calls of a region.
    pub fn vpc(&self, region: impl Into<RegionId>) -> crate::vpc::Vpc {
        crate::vpc::Vpc::new(self.clone(), region.into())
    }

    /// Returns the Sts calls, served in the client's region.
    pub fn sts(&self) -> crate::sts::Sts {
        crate::sts::Sts::new(self.clone(), self.region().clone())
    }

    /// Returns the Ram calls; Ram is one service for all regions.
    pub fn ram(&self) -> crate::ram::Ram {
        crate::ram::Ram::new(self.clone(), self.region().clone())
    }
}
