//! With `image_ignore_data_disks`: a snapshot of the system disk alone, of which the image is made.

use alicloud_api::ecs::{CreateSnapshot, DescribeDisks, DescribeSnapshots};
use alicloud_api::{InstanceId, Verdict};
use kiln_core::error::{Error, Result};
use kiln_core::run::{Acquired, Held};

use crate::build::Site;
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
    let request = CreateSnapshot {
        client_token: Some(intent.token.clone()),
        disk_id: disk.clone(),
        tags: tags::temporary(site.cx.run.id(), &intent.token, &site.plan.config.launch.run_tags),
        ..Default::default()
    };
    let create = || async {
        let made = ecs.create_snapshot(&request).await.doing("Error creating snapshot")?;
        Ok(Acquired::id(made.snapshot_id))
    };
    let held = site.cx.run.acquire(intent, create).await?;
    site.cx.events.say(format!("Creating snapshot from system disk {disk}: {}", held.id)).await;
    let look = DescribeSnapshots { snapshot_ids: vec![held.id.as_str().into()], ..Default::default() };
    let (ecs, look, events) = (&ecs, &look, &site.cx.events);
    let probe = || async move {
        let answer = ecs.describe_snapshots(look).await?;
        Ok(match answer.snapshots.into_iter().next() {
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
    let waited =
        site.cloud.wait(format!("snapshot `{}`", held.id), site.plan.image.snapshot_timeout, &[], probe).await;
    waited.doing("Timeout waiting for snapshot to be created").map_err(raise_timeout)?;
    Ok(held)
}

/// Names the field that allows more time.
pub(super) fn raise_timeout(error: Error) -> Error {
    match error.kind {
        kiln_core::ErrorKind::TimedOut => error.hint("raise `wait_snapshot_ready_timeout`"),
        _ => error,
    }
}
