//! Spot instances that the cloud takes back: it says so five minutes before, as a lock on the instance.

use std::time::Duration;

use alicloud_api::InstanceId;
use alicloud_api::ecs::DescribeInstances;
use kiln_core::error::Error;
use kiln_core::event::EventKind;

use crate::build::Site;
use crate::config::Market;

/// How often the lock is looked for.
const PACE: Duration = Duration::from_secs(60);
/// The lock's reason.
const RECYCLING: &str = "Recycling";

/// What is known of the instance's end.
enum State {
    Ours,
    /// The cloud has announced to take it.
    Going,
    Gone,
}

/// Looks every minute whether the instance is about to be taken, and says so once. Never returns.
pub(super) async fn watch(site: &Site<'_>, id: &InstanceId) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + PACE, PACE);
    loop {
        ticks.tick().await;
        if let Some(State::Going) = state(site, id).await {
            let text = "The cloud takes this spot instance back within five minutes.".to_owned();
            site.cx.events.emit(EventKind::Hint { text }).await;
            return std::future::pending().await;
        }
    }
}

/// Adds to the failure of a build that its spot instance was taken back, if it was.
pub(crate) async fn explain(site: &Site<'_>, id: &InstanceId, error: Error) -> Error {
    let is_spot = matches!(site.plan.launch.market, Market::Spot { .. });
    if !is_spot || error.is_cancelled() {
        return error;
    }
    match state(site, id).await {
        Some(State::Gone | State::Going) => error.hint(format!(
            "the cloud took the spot instance `{id}` back during the build: build again, or leave `spot_strategy` out"
        )),
        Some(State::Ours) | None => error,
    }
}

async fn state(site: &Site<'_>, id: &InstanceId) -> Option<State> {
    let look = DescribeInstances { instance_ids: vec![id.clone()], ..Default::default() };
    let found = site.cloud.ecs().describe_instances(&look).await.ok()?;
    Some(match found.instances.first() {
        None => State::Gone,
        Some(instance) if instance.operation_locks.iter().any(|lock| lock.lock_reason == RECYCLING) => {
            State::Going
        }
        Some(_) => State::Ours,
    })
}
