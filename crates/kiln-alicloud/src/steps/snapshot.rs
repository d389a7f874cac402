//! With `image_ignore_data_disks`: a snapshot of the system disk alone, of which the image is made.

use alicloud_api::ecs::{CreateSnapshot, DescribeDisks, ResourceType, UntagResources};
use alicloud_api::{InstanceId, Verdict};
use kiln_core::error::{Error, Result};
use kiln_core::run::{Acquired, Held};

use crate::build::Site;
use crate::config::{Encryption, given};
use crate::failure::Doing as _;
use crate::reclaim::Kind;
use crate::tags;

pub(crate) async fn of_system_disk(site: &Site<'_>, instance: &InstanceId) -> Result<Held> {
    let ecs = site.cloud.ecs();
    let look = DescribeDisks {
        instance_id: Some(instance.clone()),
        disk_type: Some("system".to_owned()),
        ..Default::default()
    };
    let disks = ecs.describe_disks(&look).await.doing("Error describe disks")?.disks;
    let disk = disks.into_iter().next().map(|disk| disk.disk_id);
    let disk = disk.ok_or_else(|| Error::new("Unable to find system disk of instance"))?;
    let intent = site.intent(Kind::Snapshot, &[]);
    let plan = &site.plan.image;
    // A snapshot that only a temporary image needs may be deleted by the cloud itself should we not come to it. One that
    // stays cannot have an end: it could only be put off, not lifted.
    let days = (plan.snapshot_timeout + plan.copy_timeout).as_secs().div_ceil(DAY) + 1;
    let is_temporary = plan.encryption == Encryption::ByCopy;
    let request = CreateSnapshot {
        client_token: Some(intent.token.clone()),
        disk_id: disk.clone(),
        retention_days: u32::try_from(days.min(DAYS_MAX)).ok().filter(|_| is_temporary),
        resource_group_id: given(&site.plan.config.image.resource_group_id).map(str::to_owned),
        tags: tags::temporary(site.cx.run.id(), &intent.token, &site.plan.config.launch.run_tags),
        ..Default::default()
    };
    let create = || async {
        let made = ecs.create_snapshot(&request).await.doing("Error creating snapshot")?;
        Ok(Acquired::id(made.snapshot_id))
    };
    let held = site.cx.run.acquire(intent, create).await?;
    site.cx.events.say(format!("Creating snapshot from system disk {disk}: {}", held.id)).await;
    let (cloud, id, events) = (&site.cloud, held.id.as_str(), &site.cx.events);
    let probe = || async move {
        Ok(match cloud.snapshot(id).await? {
            Some(snapshot) if snapshot.status == "accomplished" => Verdict::Done(()),
            Some(snapshot) if snapshot.status == "failed" => Verdict::failed("failed"),
            Some(snapshot) => {
                let percent = snapshot.progress.trim_end_matches('%').parse().unwrap_or(0);
                events.progress("snapshot", percent, Some(100), "%");
                Verdict::not_yet(format!("at {percent}%"))
            }
            None => Verdict::not_yet("not listed"),
        })
    };
    let waited = site
        .cloud
        .wait(format!("snapshot `{}`", held.id), site.plan.image.snapshot_timeout, &[], probe)
        .await;
    waited.doing("Timeout waiting for snapshot to be created").map_err(raise_timeout)?;
    Ok(held)
}

/// Takes Kiln's own tags off a snapshot whose image is ready: it *is* that image's disk now.
pub(crate) async fn becomes_the_users(site: &Site<'_>, snapshot: &Held) -> Result<()> {
    let plan = &site.plan;
    let keys = tags::keys_of_temporary(&plan.config.launch.run_tags);
    let keys = keys.filter(|key| !plan.image.tags.contains_key(*key)).map(str::to_owned).collect();
    let request = UntagResources {
        resource_type: ResourceType::Snapshot,
        resource_ids: vec![snapshot.id.clone()],
        keys,
    };
    let done = site.cloud.ecs().untag_resources(&request).await;
    done.doing("Error removing tags from snapshot").map(drop)
}

/// Seconds.
const DAY: u64 = 24 * 3600;
/// The longest life of a snapshot that has an end.
const DAYS_MAX: u64 = 65536;

/// Names the field that allows more time.
pub(super) fn raise_timeout(error: Error) -> Error {
    match error.kind {
        kiln_core::ErrorKind::TimedOut => error.hint("raise `wait_snapshot_ready_timeout`"),
        _ => error,
    }
}
