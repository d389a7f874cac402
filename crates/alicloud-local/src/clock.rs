//! The cloud's clock. Wall time runs as it does for the caller (so that a time a client names, such as
//! `AutoReleaseTime`, means what the client meant); only the *durations* of states are divided by the speed.
//! Tests freeze the clock and step it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

/// A point in the cloud's time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// Returns the moment that lies `duration` later.
    pub fn plus(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns the moment that lies `duration` earlier.
    pub fn minus(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns the time from `earlier` to this moment, zero when it lies before it.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// Writes the moment as the newer products do: `2026-01-02T03:04:05Z`.
    pub fn to_seconds(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// Writes the moment as Ecs writes the times of instances: `2026-01-02T03:04Z`.
    pub fn to_minutes(self) -> String {
        self.format("%Y-%m-%dT%H:%MZ")
    }

    /// Writes the moment without a zone: `2026-01-02 03:04:05`.
    pub fn to_plain_seconds(self) -> String {
        self.format("%Y-%m-%d %H:%M:%S")
    }

    /// Reads `2026-01-02T03:04:05Z`, with or without seconds.
    pub fn parse(text: &str) -> Option<Moment> {
        let whole = match text.len() {
            17 => format!("{}:00Z", text.strip_suffix('Z')?),
            _ => text.to_owned(),
        };
        let bytes = whole.as_bytes();
        if bytes.len() != 20 || bytes[10] != b'T' || bytes[19] != b'Z' {
            return None;
        }
        whole.parse::<Timestamp>().ok().map(|at| Moment(at.as_millisecond()))
    }

    fn format(self, pattern: &str) -> String {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH).strftime(pattern).to_string()
    }
}

/// The clock of one cloud.
#[derive(Debug)]
pub struct Clock {
    base: Moment,
    started: Instant,
    speed: f64,
    frozen: bool,
    stepped: watch::Sender<Duration>,
}

impl Clock {
    /// A clock that runs, with states `speed` times as fast as in the real cloud.
    pub fn running(speed: f64) -> Clock {
        Clock::new(Moment(Timestamp::now().as_millisecond()), speed, false)
    }

    /// A clock that stands at `base` and moves only by [`Clock::step`].
    #[cfg(test)]
    pub fn frozen(base: Moment) -> Clock {
        Clock::new(base, 1.0, true)
    }

    fn new(base: Moment, speed: f64, frozen: bool) -> Clock {
        Clock { base, started: Instant::now(), speed, frozen, stepped: watch::Sender::new(Duration::ZERO) }
    }

    /// Returns the present moment.
    pub fn now(&self) -> Moment {
        let stepped = self.base.plus(*self.stepped.borrow());
        if self.frozen { stepped } else { stepped.plus(self.started.elapsed()) }
    }

    /// Returns how long a state that lasts `real` in the real cloud lasts here.
    pub fn scaled(&self, real: Duration) -> Duration {
        real.div_f64(self.speed)
    }

    /// Returns the factor by which states are faster than in the real cloud.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Moves the clock forward at once.
    pub fn step(&self, by: Duration) {
        self.stepped.send_modify(|total| *total += by);
    }

    /// Returns when the clock has reached `moment`, however it got there.
    pub async fn sleep_until(&self, moment: Moment) {
        let mut stepped = self.stepped.subscribe();
        loop {
            let now = self.now();
            if now >= moment {
                return;
            }
            // The sender lives in `self`, so `changed` cannot fail while we wait.
            if self.frozen {
                let _ = stepped.changed().await;
            } else {
                let _ = tokio::time::timeout(moment.since(now), stepped.changed()).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_and_writes_the_spellings_of_the_api() {
        let moment = Moment::parse("2026-01-02T03:04:05Z").unwrap();
        assert_eq!(moment.to_seconds(), "2026-01-02T03:04:05Z");
        assert_eq!(moment.to_minutes(), "2026-01-02T03:04Z");
        assert_eq!(Moment::parse("2026-01-02T03:04Z").unwrap().to_seconds(), "2026-01-02T03:04:00Z");
        assert_eq!(Moment::parse("2026-01-02 03:04:05"), None);
        assert_eq!(Moment::parse("2026-13-02T03:04:05Z"), None);
    }

    #[tokio::test]
    async fn a_frozen_clock_moves_only_when_stepped() {
        let clock = Clock::frozen(Moment(0));
        let woken = clock.sleep_until(Moment(5_000));
        tokio::pin!(woken);
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut woken).await.is_err());
        clock.step(Duration::from_secs(5));
        woken.await;
        assert_eq!(clock.now(), Moment(5_000));
    }
}
