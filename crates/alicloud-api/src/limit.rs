//! A brake per product and action: a token bucket, so that a process with thousands of builds does not run into the
//! cloud's throttling in the first place. The default is generous; the cloud's own limits differ by account.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::Product;

/// How often an action may be called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls per second in the long run; more than 0.
    pub per_second: f64,
    /// Calls that may be made at once after a quiet time; at least 1.
    pub burst: u32,
}

/// The rates of a client.
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

/// The buckets. An action's bucket is the instant at which it would be full again (GCRA): one word of state.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    full_again: Mutex<HashMap<(Product, &'static str), Instant>>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Limiter {
        Limiter { limits, full_again: Mutex::default() }
    }

    /// Takes a place in the action's queue and returns how long to wait for it.
    pub(crate) fn reserve(&self, product: Product, action: &'static str) -> Duration {
        let key = (product, action);
        let rate = self.limits.actions.get(&key).copied().unwrap_or(self.limits.default);
        // At least one call an hour, so that a rate of 0 is a slow queue and not an overflow.
        let interval = Duration::from_secs_f64(1.0 / rate.per_second.max(1.0 / 3600.0));
        let room = interval * rate.burst.max(1);
        let now = Instant::now();
        // A panic elsewhere cannot leave an instant half-written: a poisoned map is as good as any.
        let mut full_again = self.full_again.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let full = full_again.entry(key).or_insert(now);
        *full = (*full).max(now) + interval;
        full.saturating_duration_since(now).saturating_sub(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_the_burst_calls_queue_at_the_rate() {
        let rate = Rate { per_second: 10.0, burst: 2 };
        let limiter = Limiter::new(Limits { default: rate, actions: HashMap::new() });
        let reserve = || limiter.reserve(Product::Ecs, "DescribeInstances").as_millis();
        assert_eq!([reserve(), reserve(), reserve(), reserve()], [0, 0, 100, 200]);
        assert_eq!(limiter.reserve(Product::Ecs, "RunInstances"), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!([reserve(), reserve(), reserve()], [0, 0, 100]);
    }
}
