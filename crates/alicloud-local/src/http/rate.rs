//! How many calls are taken in a minute. Windows are whole minutes of the cloud's time, counted for each account,
//! region and action by itself: what is refused in one minute is taken in the next.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::api::{ApiError, refuse};
use crate::clock::Clock;

/// The length of a window in the real cloud.
const WINDOW: Duration = Duration::from_secs(60);

/// Whose calls are counted together: account, region, action.
type Who = (String, String, String);

/// The calls of the present minute.
#[derive(Debug, Default)]
pub struct Rates(Mutex<(i64, HashMap<Who, u32>)>);

impl Rates {
    /// Counts a call and refuses it when there were as many in this minute as the account may make. `limits` are
    /// numbers by action; `*` stands for those that are not named.
    pub fn count(
        &self,
        clock: &Clock,
        limits: &BTreeMap<String, u32>,
        (account, region, action): (&str, &str, &str),
    ) -> Result<(), ApiError> {
        let Some(limit) = limits.get(action).or_else(|| limits.get("*")) else { return Ok(()) };
        let length = i64::try_from(clock.scaled(WINDOW).as_millis()).unwrap_or(i64::MAX).max(1);
        let window = clock.now().0.div_euclid(length);
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0 != window {
            *counted = (window, HashMap::new());
        }
        let calls = counted.1.entry((account.to_owned(), region.to_owned(), action.to_owned())).or_default();
        if *calls >= *limit {
            return Err(refuse("Throttling.User"));
        }
        *calls += 1;
        Ok(())
    }
}
