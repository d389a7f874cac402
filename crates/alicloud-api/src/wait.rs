//! Waiting for a state: look, judge, pause, look again, with a deadline, a closed list of tolerated errors, and an ear
//! for cancellation.
//!
//! The pause grows with the time already waited, so what is lost between "it is so" and "we saw it" stays a few percent
//! of the state's own duration, whether it takes one second or ten minutes and whatever the cloud's clock.

use std::{borrow::Cow, future::Future, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Error, ErrorKind, Result};

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// The wait is over.
    Done(T),
    /// Look again; how it stands, fit behind "last seen": `at 62%`, `Pending`.
    NotYet(Cow<'static, str>),
    /// It cannot come to pass any more; how it stands: `CreateFailed`.
    Failed(Cow<'static, str>),
}

impl<T> Verdict<T> {
    /// Shorthand for [`Verdict::NotYet`].
    pub fn not_yet(seen: impl Into<Cow<'static, str>>) -> Verdict<T> {
        Verdict::NotYet(seen.into())
    }

    /// Shorthand for [`Verdict::Failed`].
    pub fn failed(seen: impl Into<Cow<'static, str>>) -> Verdict<T> {
        Verdict::Failed(seen.into())
    }
}

/// How often to look: the pause after a look is `elapsed × growth`, within `floor` and `ceiling`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The shortest pause, and the one before the second look.
    pub floor: Duration,
    /// The longest pause.
    pub ceiling: Duration,
    /// The part of the time already waited that may be lost again; 0.04 = 4 %.
    pub growth: f64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { floor: Duration::from_millis(100), ceiling: Duration::from_secs(5), growth: 0.04 }
    }
}

impl Pace {
    /// The usual pace with another shortest pause, for a cloud whose clock runs faster.
    pub fn with_floor(floor: Duration) -> Pace {
        let usual = Pace::default();
        Pace { floor, ceiling: usual.ceiling.max(floor), ..usual }
    }

    fn pause(&self, elapsed: Duration) -> Duration {
        elapsed.mul_f64(self.growth.max(0.0)).min(self.ceiling).max(self.floor)
    }
}

/// What is waited for and under which terms. Made afresh for each wait, so that nothing about it is implied.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What is waited for, fit behind "waited 10m for": ``snapshot `s-…` ``.
    pub what: String,
    /// How long in all.
    pub deadline: Duration,
    /// How often to look.
    pub pace: Pace,
    /// Error codes that mean "not yet" here, such as `InvalidAllocationId.NotFound` just after an allocation. Any
    /// other error ends the wait; the transport has already repeated what is worth repeating.
    pub tolerated: &'static [&'static str],
    /// Ends the wait at once. A look in progress is dropped: looking changes nothing.
    pub cancel: CancellationToken,
}

/// A last look is given at least this long, even if the deadline comes first.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Looks by `probe` until it says [`Verdict::Done`], and returns what that held. The first look is at once, the last one
/// at the deadline.
///
/// # Errors
///
/// - [`ErrorKind::TimedOut`]: ``waited 10m for snapshot `s-…`, last seen at 62%``.
/// - [`ErrorKind::Failed`]: ``image `m-…` cannot become ready: CreateFailed``, as soon as `probe` says so.
/// - [`ErrorKind::Cancelled`], without delay.
/// - the error of a look whose code is not in [`Wait::tolerated`].
pub async fn wait_until<T, F, Fut>(wait: Wait, probe: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Verdict<T>>>,
{
    let cancel = wait.cancel.clone();
    let what = wait.what.clone();
    match cancel.run_until_cancelled(look_until(wait, probe)).await {
        Some(result) => result,
        None => Err(Error::new(ErrorKind::Cancelled, format!("cancelled while waiting for {what}"))),
    }
}

async fn look_until<T, F, Fut>(wait: Wait, mut probe: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Verdict<T>>>,
{
    let started = Instant::now();
    let end = started + wait.deadline;
    let mut seen: Cow<'static, str> = "nothing yet".into();
    let mut last_error = None;
    loop {
        let is_last_look = Instant::now() >= end;
        match tokio::time::timeout_at(end.max(Instant::now() + LAST_LOOK), probe()).await {
            Ok(Ok(Verdict::Done(value))) => return Ok(value),
            Ok(Ok(Verdict::NotYet(state))) => {
                seen = state;
                last_error = None;
            }
            Ok(Ok(Verdict::Failed(state))) => {
                return Err(Error::new(
                    ErrorKind::Failed,
                    format!("{} cannot become ready: {state}", wait.what),
                ));
            }
            Ok(Err(error)) if error.is_any(wait.tolerated) => {
                seen = format!("answering `{}`", error.code().unwrap_or_default()).into();
                last_error = Some(error);
            }
            Ok(Err(error)) => return Err(error),
            Err(_elapsed) => return Err(timed_out(&wait, &seen, last_error)),
        }
        if is_last_look {
            return Err(timed_out(&wait, &seen, last_error));
        }
        let next = Instant::now() + wait.pace.pause(started.elapsed());
        tokio::time::sleep_until(next.min(end)).await;
    }
}

fn timed_out(wait: &Wait, seen: &str, last_error: Option<Error>) -> Error {
    let text = format!("waited {} for {}, last seen {seen}", whole_units(wait.deadline), wait.what);
    let error = Error::new(ErrorKind::TimedOut, text);
    match last_error {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}

/// Writes a duration as people do: `10m`, `1h30m`, `45s`, `1.5s`, `200ms`.
fn whole_units(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        return format!("{millis}ms");
    }
    if !millis.is_multiple_of(1000) {
        return format!("{}s", duration.as_secs_f64());
    }
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn wait(deadline: Duration) -> Wait {
        Wait {
            what: "snapshot `s-1`".to_owned(),
            deadline,
            pace: Pace::default(),
            tolerated: &["InvalidSnapshotId.NotFound"],
            cancel: CancellationToken::new(),
        }
    }

    fn refused(code: &str) -> Error {
        Error::new(ErrorKind::Api { code: code.to_owned() }, "")
    }

    /// Waits for something that takes `takes`; returns how much later it was seen and after how many looks.
    async fn overshoot(takes: Duration) -> (Duration, u32) {
        let started = Instant::now();
        let looks = Cell::new(0);
        wait_until(wait(Duration::from_secs(3600)), || {
            looks.set(looks.get() + 1);
            async move {
                let ready = started.elapsed() >= takes;
                Ok(if ready { Verdict::Done(()) } else { Verdict::not_yet("progressing") })
            }
        })
        .await
        .unwrap();
        (started.elapsed() - takes, looks.get())
    }

    #[tokio::test(start_paused = true)]
    async fn the_overshoot_is_a_few_percent_whatever_the_duration() {
        for seconds in [3, 10, 30, 60, 120] {
            let takes = Duration::from_secs(seconds) + Duration::from_millis(17);
            let (late, looks) = overshoot(takes).await;
            assert!(late <= takes.mul_f64(0.05), "{seconds} s: {late:?} late");
            assert!(looks < 150, "{seconds} s: {looks} looks");
        }
        // The ceiling: never more than five seconds.
        let (late, looks) = overshoot(Duration::from_secs(1800)).await;
        assert!(late <= Duration::from_secs(5) && looks < 500, "{late:?} late, {looks} looks");
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_says_what_how_long_and_what_was_seen() {
        let never = || async { Ok(Verdict::<()>::not_yet("at 62%")) };
        let error = wait_until(wait(Duration::from_secs(600)), never).await.unwrap_err();
        assert_eq!(error.to_string(), "waited 10m for snapshot `s-1`, last seen at 62%");
        assert_eq!(*error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_a_last_look_at_the_deadline() {
        let started = Instant::now();
        let deadline = Duration::from_secs(1000);
        let mut patient = wait(deadline);
        patient.pace = Pace { floor: Duration::from_secs(7), ceiling: Duration::from_secs(300), growth: 0.5 };
        wait_until(patient, || async move {
            let ready = started.elapsed() >= deadline;
            Ok(if ready { Verdict::Done(()) } else { Verdict::not_yet("") })
        })
        .await
        .unwrap();
        assert_eq!(started.elapsed(), deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn only_listed_codes_are_tolerated() {
        let looks = Cell::new(0);
        let error = wait_until(wait(Duration::from_secs(60)), || {
            looks.set(looks.get() + 1);
            let code = if looks.get() < 3 { "InvalidSnapshotId.NotFound" } else { "Forbidden.RAM" };
            async move { Err::<Verdict<()>, _>(refused(code)) }
        })
        .await
        .unwrap_err();
        assert!(error.is("Forbidden.RAM"));
        assert_eq!(looks.get(), 3);

        let error = wait_until(wait(Duration::from_secs(60)), || async {
            Err::<Verdict<()>, _>(refused("InvalidSnapshotId.NotFound"))
        })
        .await
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "waited 1m for snapshot `s-1`, last seen answering `InvalidSnapshotId.NotFound`"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_state_ends_the_wait_at_once() {
        let started = Instant::now();
        let error =
            wait_until(wait(Duration::from_secs(60)), || async { Ok(Verdict::<()>::failed("failed")) })
                .await
                .unwrap_err();
        assert_eq!(error.to_string(), "snapshot `s-1` cannot become ready: failed");
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn cancellation_interrupts_pauses_and_hanging_looks() {
        for hangs in [false, true] {
            let slow = wait(Duration::from_secs(3600));
            let cancel = slow.cancel.clone();
            let started = Instant::now();
            let canceller = async {
                tokio::time::sleep(Duration::from_secs(100)).await;
                cancel.cancel();
            };
            let waiting = wait_until(slow, || async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(Verdict::<()>::not_yet("progressing"))
            });
            let (result, ()) = tokio::join!(waiting, canceller);
            assert_eq!(*result.unwrap_err().kind(), ErrorKind::Cancelled);
            assert_eq!(started.elapsed(), Duration::from_secs(100));
        }
    }

    #[test]
    fn durations_read_as_people_write_them() {
        let cases = [(600_000, "10m"), (5_400_000, "1h30m"), (45_000, "45s"), (1500, "1.5s"), (200, "200ms")];
        for (millis, expected) in cases {
            assert_eq!(whole_units(Duration::from_millis(millis)), expected);
        }
    }
}
