//! How often and how long a call is repeated. Which answers are worth it says [`Retry`]; which calls may be repeated at
//! all is the transport's decision.

use std::time::Duration;

use crate::{Error, ErrorKind, Retry};

/// Bounds of repeating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Tries of a call, the first included.
    pub attempts_max: u32,
    /// Tries of a call when no connection can be made at all: a mistyped region should not take long to be told.
    pub unconnected_attempts_max: u32,
    /// No try begins later than this after the first one began.
    pub total_max: Duration,
    /// The pause before the second try, less a jitter of up to a half. Doubles from try to try; four times as long when
    /// throttled.
    pub first_pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts_max: 8,
            unconnected_attempts_max: 4,
            total_max: Duration::from_secs(90),
            first_pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(15),
        }
    }
}

impl RetryPolicy {
    /// Returns the pause after try number `attempt`; `jitter` is within 0..1.
    pub(crate) fn pause(&self, attempt: u32, retry: Retry, jitter: f64) -> Duration {
        let patience = if retry == Retry::Throttled { 4 } else { 1 };
        let doubled = self.first_pause.saturating_mul(patience).saturating_mul(1 << (attempt - 1).min(20));
        doubled.min(self.pause_max).mul_f64(1.0 - jitter / 2.0)
    }

    pub(crate) fn attempts_max(&self, error: &Error) -> u32 {
        match error.kind() {
            ErrorKind::Network(fault) if !fault.may_have_been_sent() => self.unconnected_attempts_max,
            _ => self.attempts_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_jitter_only_shortens() {
        let policy = RetryPolicy::default();
        let millis = |attempt, jitter| policy.pause(attempt, Retry::Server, jitter).as_millis();
        assert_eq!(
            [millis(1, 0.0), millis(2, 0.0), millis(3, 0.0), millis(30, 0.0)],
            [250, 500, 1000, 15_000]
        );
        assert_eq!(millis(1, 1.0), 125);
        assert_eq!(policy.pause(1, Retry::Throttled, 0.0), Duration::from_secs(1));
    }
}
