//! Keeps what another provider gave until shortly before it expires, for any number of callers.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Credentials, CredentialsProvider};
use crate::{Error, ErrorKind, Freshness, Result};

/// Sees credentials before anybody signs with them, so that they can be kept out of every output.
pub trait CredentialsObserver: fmt::Debug + Send + Sync {
    /// These will be used from now on.
    fn obtained(&self, credentials: &Credentials);
}

/// A provider that asks `inner` once and again before what it gave expires.
///
/// - Callers that come while nothing valid is at hand wait for one renewal and share its result, good or bad.
/// - Before the end, in the margin, one caller renews and all others go on with what there is; if that fails it is
///   tried again after a pause, and the old credentials serve as long as they are valid.
/// - A renewal has a time limit, and dropping a caller's future abandons it: the next caller begins anew.
#[derive(Debug)]
pub struct Renewing {
    inner: Arc<dyn CredentialsProvider>,
    /// In words, for errors.
    source: String,
    margin: Duration,
    freshness: Arc<dyn Freshness>,
    observer: Option<Arc<dyn CredentialsObserver>>,
    state: Mutex<State>,
    /// Held by who renews.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// Renewals that have ended, well or not.
    ended: u64,
    failure: Option<Failure>,
}

#[derive(Debug, Clone)]
struct Held {
    credentials: Credentials,
    /// From when on to renew.
    ageing: Option<Timestamp>,
    /// The cloud says that they have expired, whatever our clock says.
    refused: bool,
}

#[derive(Debug, Clone)]
struct Failure {
    error: Arc<Error>,
    at: Instant,
}

/// What there is at hand.
enum AtHand {
    Fresh(Credentials),
    Ageing(Credentials),
    /// Nothing valid; this many renewals have ended so far.
    Nothing(u64),
}

/// The longest time of a renewal that callers wait for.
const RENEWAL_MAX: Duration = Duration::from_secs(60);
/// The longest time of a renewal that could also be made later.
const EARLY_RENEWAL_MAX: Duration = Duration::from_secs(15);
/// The pause after a failed renewal while the old credentials are valid.
const AFTER_FAILURE: Duration = Duration::from_secs(20);

impl Renewing {
    /// Wraps `inner`; `source` names it in errors, `margin` is how long before their end credentials are renewed (but
    /// never more than a third of their life, so that short-lived ones are not renewed at every call).
    pub fn new(
        inner: Arc<dyn CredentialsProvider>,
        source: impl Into<String>,
        margin: Duration,
        freshness: Arc<dyn Freshness>,
    ) -> Renewing {
        let (state, turn) = (Mutex::default(), tokio::sync::Mutex::new(()));
        Renewing { inner, source: source.into(), margin, freshness, observer: None, state, turn }
    }

    /// Lets `observer` see all credentials before they are used.
    pub fn observed_by(mut self, observer: Option<Arc<dyn CredentialsObserver>>) -> Renewing {
        self.observer = observer;
        self
    }

    fn at_hand(&self) -> AtHand {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.freshness.now();
        match &state.held {
            Some(held) if !held.refused && held.credentials.expires.is_none_or(|expires| now < expires) => {
                match held.ageing.is_some_and(|ageing| ageing <= now) {
                    true => AtHand::Ageing(held.credentials.clone()),
                    false => AtHand::Fresh(held.credentials.clone()),
                }
            }
            _ => AtHand::Nothing(state.ended),
        }
    }

    /// Renews ahead of time, unless somebody does so already or has just failed to.
    async fn renew_early(&self, old: Credentials) -> Credentials {
        let Ok(_turn) = self.turn.try_lock() else {
            return old;
        };
        // Somebody may have done it between our look and our turn.
        let old = match self.at_hand() {
            AtHand::Fresh(credentials) => return credentials,
            AtHand::Ageing(credentials) => credentials,
            AtHand::Nothing(_) => old,
        };
        let just_failed = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.failure.as_ref().is_some_and(|failure| failure.at.elapsed() < AFTER_FAILURE)
        };
        if just_failed {
            return old;
        }
        match self.renew(EARLY_RENEWAL_MAX).await {
            Ok(renewed) => renewed,
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%error, cause, "the credentials are valid for a while; renewing them failed");
                old
            }
        }
    }

    /// Waits for valid credentials: for the renewal that is under way, or for one of our own.
    async fn renew_now(&self, ended_before: u64) -> Result<Credentials> {
        let _turn = self.turn.lock().await;
        match self.at_hand() {
            AtHand::Fresh(credentials) | AtHand::Ageing(credentials) => return Ok(credentials),
            // It ended while we waited and gave nothing: another try at once would do no better.
            AtHand::Nothing(ended) if ended != ended_before => {
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(failure) = &state.failure {
                    return Err(self.failed(&failure.error));
                }
            }
            AtHand::Nothing(_) => {}
        }
        self.renew(RENEWAL_MAX).await
    }

    /// Asks the inner provider. The caller holds the turn.
    async fn renew(&self, time: Duration) -> Result<Credentials> {
        let asked = self.freshness.now();
        let result = tokio::time::timeout(time, self.inner.credentials()).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::TimedOut, format!("no answer within {} s", time.as_secs())))
        });
        let result = result.and_then(|credentials| match credentials.expires {
            Some(expires) if expires <= asked => {
                let why = format!("the source gave credentials that expired at {expires}");
                Err(Error::new(ErrorKind::Credentials, why))
            }
            _ => Ok(credentials),
        });
        if let (Ok(credentials), Some(observer)) = (&result, &self.observer) {
            observer.obtained(credentials);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended += 1;
        match result {
            Ok(credentials) => {
                let ageing = credentials.expires.map(|expires| ageing(asked, expires, self.margin));
                state.held = Some(Held { credentials: credentials.clone(), ageing, refused: false });
                state.failure = None;
                Ok(credentials)
            }
            Err(error) => {
                let error = Arc::new(error);
                state.failure = Some(Failure { error: Arc::clone(&error), at: Instant::now() });
                Err(self.failed(&error))
            }
        }
    }

    fn failed(&self, error: &Arc<Error>) -> Error {
        let why = format!("no credentials from {}", self.source);
        Error::new(ErrorKind::Credentials, why).with_source(Arc::clone(error))
    }
}

/// Returns from when on credentials that were given at `given` and end at `expires` are renewed.
fn ageing(given: Timestamp, expires: Timestamp, margin: Duration) -> Timestamp {
    let life = expires.duration_since(given);
    let margin = SignedDuration::try_from(margin).unwrap_or(SignedDuration::MAX).min(life / 3);
    expires.checked_sub(margin).unwrap_or(given)
}

#[async_trait]
impl CredentialsProvider for Renewing {
    async fn credentials(&self) -> Result<Credentials> {
        match self.at_hand() {
            AtHand::Fresh(credentials) => Ok(credentials),
            AtHand::Ageing(credentials) => Ok(self.renew_early(credentials).await),
            AtHand::Nothing(ended) => self.renew_now(ended).await,
        }
    }

    fn expired(&self, credentials: &Credentials) -> bool {
        // The source may itself keep what it once had.
        self.inner.expired(credentials);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.held {
            Some(held) if held.credentials.access_key_id == credentials.access_key_id => held.refused = true,
            // Others are at hand already.
            _ => {}
        }
        true
    }
}
