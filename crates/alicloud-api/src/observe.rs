//! The hook through which a caller sees each try of each call, to journal or trace it. Parameters are not shown at all:
//! among them are passwords and user data.

use std::time::Duration;

use crate::{Error, Product, RegionId};

/// Sees every try of every call. Called on the task that makes the call: it returns quickly and does not block.
pub trait CallObserver: Send + Sync {
    /// One try has ended.
    fn observed(&self, call: &CallRecord<'_>);

    /// The cloud refused a call because there were too many; the action is slowed down for everybody.
    fn throttled(&self, throttled: &Throttled<'_>) {
        let _ = throttled;
    }
}

/// An action that the cloud refuses for a while.
#[derive(Clone, Copy, Debug)]
pub struct Throttled<'a> {
    /// The product called.
    pub product: Product,
    /// The action, such as `DescribeImages`.
    pub action: &'static str,
    /// The region called.
    pub region: &'a RegionId,
    /// How long nobody calls it.
    pub rest: Duration,
}

/// One try of one call.
#[derive(Clone, Copy, Debug)]
pub struct CallRecord<'a> {
    /// The product called.
    pub product: Product,
    /// The action, such as `RunInstances`.
    pub action: &'static str,
    /// The region called.
    pub region: &'a RegionId,
    /// 1 for the first try.
    pub attempt: u32,
    /// From just before signing to the end of the answer; the limiter's and the retries' pauses are not in it.
    pub duration: Duration,
    /// How it ended.
    pub outcome: CallOutcome<'a>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug)]
pub enum CallOutcome<'a> {
    /// The cloud did as asked.
    Done {
        /// The request's id, if the answer held one.
        request_id: Option<&'a str>,
    },
    /// It failed; whether there will be another try is not known here.
    Failed(&'a Error),
}
