//! Stops the instance, or waits until a provisioner (or somebody) has, and says meanwhile what it waits for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alicloud_api::ecs::{DescribeInstances, StopInstance};
use alicloud_api::{InstanceId, Verdict};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::{EventKind, Events};

use crate::build::Site;
use crate::failure::Doing as _;

pub(crate) async fn stop(site: &Site<'_>, id: &InstanceId) -> Result<()> {
    let (events, config) = (&site.cx.events, &site.plan.config.image);
    if !config.disable_stop_instance {
        events.say(format!("Stopping instance: {id}")).await;
        let request = StopInstance {
            instance_id: id.clone(),
            force_stop: Some(config.force_stop_instance),
            // It is never started again, so its processors need not be paid for while the image is made.
            stopped_mode: Some("StopCharging".to_owned()),
        };
        match site.cloud.ecs().stop_instance(&request).await {
            // It is stopping already: a repetition after a lost answer, or a provisioner that was quicker.
            Err(error) if error.is("IncorrectInstanceStatus") => {}
            stopping => drop(stopping.doing("Error stopping alicloud instance")?),
        }
    }
    events.say(format!("Waiting instance stopped: {id}")).await;
    let stopped = stopped(site, id).await.doing("Error waiting for alicloud instance to stop");
    stopped.map_err(|error| advised(error, config.disable_stop_instance, config.force_stop_instance))
}

async fn stopped(site: &Site<'_>, id: &InstanceId) -> alicloud_api::Result<()> {
    let by_itself = site.plan.config.image.disable_stop_instance;
    let limit = match by_itself {
        true => site.cloud.on_its_clock(site.plan.image.stop_timeout),
        false => site.plan.image.stop_timeout,
    };
    let patience = Patience::new(&site.cx.events, id, limit, by_itself);
    let ecs = site.cloud.ecs();
    let look = DescribeInstances { instance_ids: vec![id.clone()], ..Default::default() };
    let (ecs, look, patience) = (&ecs, &look, &patience);
    let probe = || async move {
        let answer = ecs.describe_instances(look).await?;
        let status = answer.instances.into_iter().next().map(|instance| instance.status);
        Ok(match status.as_deref() {
            Some("Stopped") => Verdict::Done(()),
            Some(status) => {
                patience.tell(status).await;
                Verdict::not_yet(status.to_owned())
            }
            None => Verdict::not_yet("not listed"),
        })
    };
    site.cloud.wait(format!("instance `{id}` to be stopped"), limit, &[], probe).await
}

fn advised(error: Error, by_itself: bool, by_force: bool) -> Error {
    match (error.kind == ErrorKind::TimedOut, by_itself, by_force) {
        (true, true, _) => error.hint(
            "`disable_stop_instance` is set, and nobody has stopped the instance: let the last provisioner do it \
             (`shutdown -h now`), or leave the field out",
        ),
        (true, false, false) => error.hint("`force_stop_instance` switches the instance off without asking it"),
        (true, false, true) | (false, ..) => error,
    }
}

/// Says once a minute what is waited for; at once where nobody may have asked the instance to stop.
struct Patience<'a> {
    events: &'a Events,
    id: &'a InstanceId,
    begun: Instant,
    limit: Duration,
    by_itself: bool,
    /// The minute, from 1, of the last hint.
    told: AtomicU64,
}

impl<'a> Patience<'a> {
    fn new(events: &'a Events, id: &'a InstanceId, limit: Duration, by_itself: bool) -> Patience<'a> {
        let told = AtomicU64::new(if by_itself { 0 } else { 1 });
        Patience { events, id, begun: Instant::now(), limit, by_itself, told }
    }

    async fn tell(&self, status: &str) {
        // On its way it needs no help.
        if status == "Stopping" {
            self.told.fetch_max(1, Ordering::Relaxed);
        }
        let minute = self.begun.elapsed().as_secs() / 60 + 1;
        if self.told.swap(minute, Ordering::Relaxed) >= minute {
            return;
        }
        let text = match (self.by_itself, minute) {
            (true, 1) => format!(
                "`disable_stop_instance` is set: waiting up to {} for somebody to stop instance `{}`, which is \
                 {status}; a provisioner can (`shutdown -h now`), or you in the console",
                minutes(self.limit),
                self.id
            ),
            (_, minute) => format!(
                "instance `{}` is {status} after {}; waiting up to {}",
                self.id,
                minutes(Duration::from_secs((minute - 1) * 60)),
                minutes(self.limit)
            ),
        };
        self.events.emit(EventKind::Hint { text }).await;
    }
}

fn minutes(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
