//! A brake per product, action and region: a process with thousands of builds does not run into the cloud's throttling
//! in the first place, and where it does, all of them slow down together.
//!
//! The default is generous; the cloud's own limits differ by account, and it counts by whole minutes: what was refused
//! in one minute passes in the next. So a refusal lets one call a second through; if even those are refused, the
//! action rests until the next minute. Then the rate doubles every ten quiet seconds until it is the usual one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Freshness, Product, RegionId};

/// How often an action may be called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls per second in the long run; more than 0.
    pub per_second: f64,
    /// Calls that may be made at once after a quiet time; at least 1.
    pub burst: u32,
}

impl Rate {
    fn interval(self) -> Duration {
        // At least one call an hour, so that a rate of 0 is a slow queue and not an overflow.
        Duration::from_secs_f64(1.0 / self.per_second.max(1.0 / 3600.0))
    }
}

/// The rates of a client, the same in each region.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For each action that has no rate of its own.
    pub default: Rate,
    /// Rates of single actions.
    pub actions: HashMap<(Product, &'static str), Rate>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { default: Rate { per_second: 100.0, burst: 200 }, actions: HashMap::new() }
    }
}

/// What the cloud counts by itself.
type Call = (Product, &'static str, RegionId);

/// All brakes of an account.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    /// A second of the cloud; shorter where its clock runs faster.
    second: Duration,
    lanes: Mutex<HashMap<Call, Arc<Lane>>>,
}

/// The brake of one action in one region.
#[derive(Debug)]
pub(crate) struct Lane {
    rate: Rate,
    second: Duration,
    state: Mutex<State>,
    /// Calls of a slowed action wait one behind the other, so that all profit at once when the rate recovers.
    queue: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// When the bucket would be full again (GCRA): one word of state.
    full_again: Option<Instant>,
    slow: Option<Slow>,
}

#[derive(Debug, Clone, Copy)]
struct Slow {
    /// The last refusal.
    since: Instant,
    /// Refusals of calls that were made at the slow pace, in this minute.
    refused: u32,
    /// No call before this.
    rests_until: Instant,
    /// When the last call passed.
    passed: Instant,
}

/// So many refusals at the slow pace, and the action rests for the minute.
const REFUSALS_MAX: u32 = 3;
/// In so many quiet seconds the rate doubles.
const DOUBLING_SECONDS: u32 = 10;

impl Limiter {
    pub(crate) fn new(limits: Limits, poll_floor: Duration) -> Limiter {
        // Who looks more often than usual has a cloud with a faster clock.
        let usual = crate::Pace::default().floor;
        let pace = poll_floor.as_secs_f64() / usual.as_secs_f64();
        let second = Duration::from_secs_f64(pace.clamp(0.001, 1.0));
        Limiter { limits, second, lanes: Mutex::default() }
    }

    pub(crate) fn lane(&self, product: Product, action: &'static str, region: &RegionId) -> Arc<Lane> {
        // A panic elsewhere cannot leave a lane half-written: a poisoned map is as good as any.
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry((product, action, region.clone())).or_insert_with(|| {
            let rate = self.limits.actions.get(&(product, action)).copied().unwrap_or(self.limits.default);
            Arc::new(Lane {
                rate,
                second: self.second,
                state: Mutex::default(),
                queue: tokio::sync::Mutex::default(),
            })
        });
        Arc::clone(lane)
    }
}

impl Lane {
    /// Waits until a call may be made.
    pub(crate) async fn pass(&self) {
        loop {
            let Some(pause) = self.reserve() else {
                // Slowed: one after the other. Whoever is dropped while waiting gives its place free.
                let _turn = self.queue.lock().await;
                while let Some(pause) = self.next_slow() {
                    // In steps, as the pace may change meanwhile.
                    tokio::time::sleep(pause.min(self.second)).await;
                }
                return;
            };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
                // Refused meanwhile: what was reserved is not worth anything any more.
                if self.state().slow.is_some() {
                    continue;
                }
            }
            return;
        }
    }

    /// Learns that a call that was made at `made` was refused, and returns how long the action rests.
    pub(crate) fn refused(&self, made: Instant, freshness: &dyn Freshness) -> Duration {
        let now = Instant::now();
        let mut state = self.state();
        let fresh = Slow { since: now, refused: 0, rests_until: now, passed: now };
        let slow = state.slow.get_or_insert(fresh);
        // Of calls that were on their way together, one refusal counts.
        if made > slow.since {
            let a_minute_ago = now.duration_since(slow.since) > 60 * self.second;
            slow.refused = if a_minute_ago { 1 } else { slow.refused + 1 };
            slow.since = now;
        }
        if slow.refused >= REFUSALS_MAX {
            slow.rests_until = slow.rests_until.max(now + self.to_next_minute(freshness));
            slow.refused = 0;
        }
        (slow.rests_until.max(slow.passed + self.second)).saturating_duration_since(now)
    }

    /// Takes a place at the usual rate and returns how long to wait for it; `None` where the action is slowed.
    fn reserve(&self) -> Option<Duration> {
        let now = Instant::now();
        let interval = self.rate.interval();
        let mut state = self.state();
        if state.slow.is_some_and(|slow| self.slow_interval(slow, now).is_some()) {
            return None;
        }
        if state.slow.take().is_some() {
            // Recovered, but not with a burst in hand.
            state.full_again = Some(now + interval * self.rate.burst.max(1));
        }
        let full = state.full_again.unwrap_or(now).max(now) + interval;
        state.full_again = Some(full);
        Some(full.saturating_duration_since(now).saturating_sub(interval * self.rate.burst.max(1)))
    }

    /// Lets the next call of a slowed action through (`None`), or returns how long it has to wait yet.
    fn next_slow(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        let Some(slow) = &mut state.slow else { return None };
        let interval = self.slow_interval(*slow, now).unwrap_or_else(|| self.rate.interval());
        let next = slow.rests_until.max(slow.passed + interval);
        if now < next {
            return Some(next - now);
        }
        slow.passed = now;
        None
    }

    /// Returns the pause between two calls of a slowed action, or `None` once it is as quick as usual again.
    fn slow_interval(&self, slow: Slow, now: Instant) -> Option<Duration> {
        let quiet = now.saturating_duration_since(slow.since.max(slow.rests_until));
        let doublings = quiet.as_nanos() / (DOUBLING_SECONDS * self.second).as_nanos().max(1);
        let interval = self.second / 2_u32.pow(u32::try_from(doublings).unwrap_or(30).min(30));
        Some(interval).filter(|interval| *interval > self.rate.interval())
    }

    fn to_next_minute(&self, freshness: &dyn Freshness) -> Duration {
        let minute = 60 * self.second;
        if self.second < Duration::from_secs(1) {
            return minute;
        }
        let into = Duration::from_millis(
            u64::try_from(freshness.now().as_millisecond().rem_euclid(60_000)).unwrap_or(0),
        );
        // A second more: two clocks seldom agree.
        minute.saturating_sub(into) + self.second
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemFreshness;

    const USUAL: Duration = Duration::from_millis(300);

    fn lane(rate: Rate) -> (Limiter, Arc<Lane>) {
        let limiter = Limiter::new(Limits { default: rate, actions: HashMap::new() }, USUAL);
        let lane = limiter.lane(Product::Ecs, "DescribeInstances", &"cn-beijing".into());
        (limiter, lane)
    }

    async fn passing(lane: &Lane) -> u128 {
        let started = Instant::now();
        lane.pass().await;
        started.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_burst_calls_queue_at_the_rate_of_their_action_and_region() {
        let (limiter, lane) = lane(Rate { per_second: 10.0, burst: 2 });
        let reserve = || lane.reserve().unwrap().as_millis();
        assert_eq!([reserve(), reserve(), reserve(), reserve()], [0, 0, 100, 200]);
        for (action, region) in [("RunInstances", "cn-beijing"), ("DescribeInstances", "cn-hangzhou")] {
            let other = limiter.lane(Product::Ecs, action, &region.into());
            assert_eq!(other.reserve(), Some(Duration::ZERO));
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!([reserve(), reserve(), reserve()], [0, 0, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_slows_everybody_down_and_quiet_brings_the_rate_back() {
        let (_, lane) = lane(Rate { per_second: 100.0, burst: 10 });
        let made = Instant::now();
        // A hundred that were on their way together count once.
        for _ in 0..100 {
            lane.refused(made, &SystemFreshness);
        }
        assert_eq!([passing(&lane).await, passing(&lane).await], [1000, 1000]);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!([passing(&lane).await, passing(&lane).await], [0, 500]);
        tokio::time::advance(Duration::from_secs(60)).await;
        passing(&lane).await;
        assert!(lane.state().slow.is_none(), "back to the usual rate");
    }

    #[tokio::test(start_paused = true)]
    async fn an_action_refused_at_the_slow_pace_rests_for_the_minute() {
        let (_, lane) = lane(Rate { per_second: 100.0, burst: 10 });
        let mut rest = Duration::ZERO;
        for _ in 0..=REFUSALS_MAX {
            lane.pass().await;
            rest = lane.refused(Instant::now(), &SystemFreshness);
        }
        assert!(rest > Duration::from_secs(1) && rest <= Duration::from_secs(61), "{rest:?}");
        let waited = Duration::from_millis(u64::try_from(passing(&lane).await).unwrap());
        assert!(waited >= rest, "{waited:?} of {rest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_profit_from_the_recovery() {
        let (_, lane) = lane(Rate { per_second: 1000.0, burst: 10 });
        lane.refused(Instant::now(), &SystemFreshness);
        let started = Instant::now();
        let waiting = (0..1000).map(|_| {
            let lane = Arc::clone(&lane);
            tokio::spawn(async move { lane.pass().await })
        });
        for call in waiting.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(90), "not 1,000 s: {:?}", started.elapsed());
    }
}
