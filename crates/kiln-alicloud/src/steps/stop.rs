//! Stops the instance, or waits until a provisioner has.

use alicloud_api::ecs::StopInstance;
use alicloud_api::{InstanceId, Verdict};
use kiln_core::error::{ErrorKind, Result};

use super::instance;
use crate::build::Site;
use crate::failure::Doing as _;

pub(crate) async fn stop(site: &Site<'_>, id: &InstanceId) -> Result<()> {
    let (events, config) = (&site.cx.events, &site.plan.config.image);
    if !config.disable_stop_instance {
        events.say(format!("Stopping instance: {id}")).await;
        let force_stop = Some(config.force_stop_instance);
        let request = StopInstance { instance_id: id.clone(), force_stop, ..Default::default() };
        match site.cloud.ecs().stop_instance(&request).await {
            // It is stopping already: a repetition after a lost answer, or a provisioner that was quicker.
            Err(error) if error.is("IncorrectInstanceStatus") => {}
            stopping => drop(stopping.doing("Error stopping alicloud instance")?),
        }
    }
    events.say(format!("Waiting instance stopped: {id}")).await;
    let stopped = instance::wait_for(site, id, "to be stopped", |instance| match instance.status.as_str() {
        "Stopped" => Verdict::Done(()),
        status => Verdict::not_yet(status.to_owned()),
    });
    let stopped = stopped.await.doing("Error waiting for alicloud instance to stop");
    stopped.map_err(|error| match error.kind == ErrorKind::TimedOut && config.disable_stop_instance {
        true => error.hint("`disable_stop_instance` is set, and no provisioner has stopped the instance"),
        false => error,
    })
}
