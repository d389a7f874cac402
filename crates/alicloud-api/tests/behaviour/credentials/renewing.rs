//! Renewing: one for all, in time, and with the old credentials while it fails.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alicloud_api::{
    Credentials, CredentialsProvider, Error, ErrorKind, Freshness,
    credentials::{CredentialsObserver as _, Renewing},
};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant};

use super::{Watch, chain_of, key};

/// A clock that goes with tokio's.
#[derive(Debug)]
struct Clock(Instant);

impl Freshness for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.0.elapsed()
    }

    fn nonce(&self) -> String {
        String::new()
    }
}

/// Gives `k1`, `k2`, … for an hour each; may be told to fail or to wait.
#[derive(Debug)]
struct Source {
    clock: Arc<Clock>,
    asked: AtomicUsize,
    failing: Mutex<bool>,
    gate: Option<Notify>,
}

#[async_trait]
impl CredentialsProvider for Source {
    async fn credentials(&self) -> alicloud_api::Result<Credentials> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        if *self.failing.lock().unwrap() {
            return Err(Error::new(ErrorKind::Credentials, format!("no number {number}")));
        }
        let hour = Duration::from_secs(3600);
        Ok(Credentials::new(format!("k{number}"), "s").until(self.clock.now() + hour))
    }
}

impl Source {
    fn new(gate: Option<Notify>) -> Arc<Source> {
        let clock = Arc::new(Clock(Instant::now()));
        Arc::new(Source { clock, asked: AtomicUsize::new(0), failing: Mutex::default(), gate })
    }

    fn renewing(self: &Arc<Source>) -> Arc<Renewing> {
        let margin = Duration::from_secs(300);
        Arc::new(Renewing::new(self.clone(), "the source", margin, self.clock.clone()))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_cause_one_renewal_and_share_its_end() {
    for failing in [false, true] {
        let source = Source::new(Some(Notify::new()));
        *source.failing.lock().unwrap() = failing;
        let renewing = source.renewing();
        let callers: Vec<_> = (0..1000)
            .map(|_| {
                let renewing = renewing.clone();
                tokio::spawn(async move { key(renewing.as_ref()).await })
            })
            .collect();
        tokio::task::yield_now().await;
        source.gate.as_ref().unwrap().notify_one();
        for caller in callers {
            let expected = match failing {
                false => Ok("k1".to_owned()),
                true => Err("no credentials from the source: no number 1".to_owned()),
            };
            assert_eq!(caller.await.unwrap(), expected);
        }
        assert_eq!(source.asked(), 1, "failing: {failing}");
    }
}

#[tokio::test(start_paused = true)]
async fn they_are_renewed_before_their_end_and_not_earlier() {
    let source = Source::new(None);
    let watch = Arc::new(Watch::default());
    let renewing =
        Renewing::new(source.clone(), "the source", Duration::from_secs(300), source.clock.clone())
            .observed_by(Some(watch.clone()));
    assert_eq!(key(&renewing).await.unwrap(), "k1");
    pass(3299).await;
    assert_eq!(key(&renewing).await.unwrap(), "k1");
    pass(1).await;
    assert_eq!(key(&renewing).await.unwrap(), "k2");
    assert_eq!(*watch.0.lock().unwrap(), ["k1", "k2"], "each is shown before it is given");
}

#[tokio::test(start_paused = true)]
async fn the_old_ones_serve_while_a_renewal_fails() {
    let source = Source::new(None);
    let renewing = source.renewing();
    assert_eq!(key(renewing.as_ref()).await.unwrap(), "k1");
    *source.failing.lock().unwrap() = true;
    pass(3400).await;
    for _ in 0..100 {
        assert_eq!(key(renewing.as_ref()).await.unwrap(), "k1");
    }
    assert_eq!(source.asked(), 2, "after a failure there is a pause");
    pass(21).await;
    assert_eq!(key(renewing.as_ref()).await.unwrap(), "k1");
    assert_eq!(source.asked(), 3);
    pass(200).await;
    let error = renewing.credentials().await.unwrap_err();
    assert_eq!(chain_of(&error), "no credentials from the source: no number 4");
    *source.failing.lock().unwrap() = false;
    assert_eq!(key(renewing.as_ref()).await.unwrap(), "k5");
}

#[tokio::test(start_paused = true)]
async fn while_one_renews_early_the_others_go_on_with_the_old_ones() {
    let source = Source::new(Some(Notify::new()));
    let renewing = source.renewing();
    source.gate.as_ref().unwrap().notify_one();
    assert_eq!(key(renewing.as_ref()).await.unwrap(), "k1");
    pass(3400).await;
    let first = tokio::spawn({
        let renewing = renewing.clone();
        async move { key(renewing.as_ref()).await }
    });
    tokio::task::yield_now().await;
    assert_eq!((key(renewing.as_ref()).await.unwrap(), source.asked()), ("k1".to_owned(), 2));
    // Whoever renews is cancelled: the next one does it.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    source.gate.as_ref().unwrap().notify_one();
    assert_eq!(key(renewing.as_ref()).await.unwrap(), "k3");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_has_an_end() {
    let source = Source::new(Some(Notify::new()));
    let error = source.renewing().credentials().await.unwrap_err();
    assert_eq!(chain_of(&error), "no credentials from the source: no answer within 60 s");
}

#[tokio::test(start_paused = true)]
async fn what_the_cloud_calls_expired_is_not_given_again() {
    let source = Source::new(None);
    let renewing = source.renewing();
    let old = renewing.credentials().await.unwrap();
    assert!(renewing.expired(&old));
    assert_eq!(key(renewing.as_ref()).await.unwrap(), "k2");
    // A late complaint about the old ones does not cost the new ones.
    renewing.expired(&old);
    assert_eq!(key(renewing.as_ref()).await.unwrap(), "k2");
    Watch::default().obtained(&old);
}
