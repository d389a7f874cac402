//! The instance: created running, once, with its key pair, user data, tags and public address, so that it never has to
//! be stopped and started to attach something.

use std::collections::BTreeMap;
use std::time::Duration;

use alicloud_api::ecs::{DescribeInstances, Instance, ModifyInstanceAutoReleaseTime, RunInstances};
use alicloud_api::{InstanceId, SecurityGroupId, Verdict};
use kiln_core::error::{Error, Result};
use kiln_core::run::Acquired;

use super::key_pair::BoundKey;
use super::source_image::SourceImage;
use super::vswitch::Subnet;
use crate::build::Site;
use crate::cloud::MEDIUM;
use crate::config::{DEFAULT_BANDWIDTH, Public, given};
use crate::failure::Doing as _;
use crate::reclaim::{FACT_KEY_PAIR, FACT_PUBLIC, Kind};
use crate::tags;

/// The cloud releases the instance this long after the last sign of life, whatever happens to us. The API accepts half
/// an hour at least.
const RELEASE_AFTER: Duration = Duration::from_secs(2 * 3600);
/// How often life is signalled.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20 * 60);

/// What the instance is made of.
pub(crate) struct Parts<'a> {
    pub source: &'a SourceImage,
    pub key: &'a BoundKey,
    pub subnet: &'a Subnet,
    pub security_group: &'a SecurityGroupId,
}

/// Creates the instance.
pub(crate) async fn run(site: &Site<'_>, parts: &Parts<'_>) -> Result<InstanceId> {
    site.cx.events.say("Creating instance...").await;
    let intent = site.intent(Kind::Instance, &[Kind::SecurityGroup, Kind::VSwitch]);
    let request = request(site, parts, &intent.token);
    let mut facts = BTreeMap::new();
    facts.extend(parts.key.name.clone().map(|name| (FACT_KEY_PAIR.to_owned(), name)));
    if site.plan.address.public == Public::Own {
        facts.insert(FACT_PUBLIC.to_owned(), "own".to_owned());
    }
    let create = || async {
        let answer = site.cloud.ecs().run_instances(&request).await.doing("Error creating instance")?;
        let id = answer.instance_ids.into_iter().next();
        let id = id.ok_or_else(|| Error::new("Error creating instance: the cloud named no instance"))?;
        Ok(Acquired { id: id.into(), facts })
    };
    let held = site.cx.run.acquire(intent, create).await?;
    site.cx.events.message(format!("Created instance: {}", held.id)).await;
    Ok(held.id.into())
}

fn request(site: &Site<'_>, parts: &Parts<'_>, token: &str) -> RunInstances {
    let config = &site.plan.config;
    let text = |field: &Option<String>| given(field).map(str::to_owned);
    let password = config.communicator.ssh_password.as_ref().filter(|password| !password.is_empty());
    RunInstances {
        client_token: Some(token.to_owned()),
        image_id: Some(parts.source.id.clone()),
        instance_type: Some(site.plan.instance_type.clone()),
        instance_name: text(&config.launch.instance_name),
        amount: Some(1),
        zone_id: Some(parts.subnet.zone.clone()),
        vswitch_id: Some(parts.subnet.id.clone()),
        security_group_id: Some(parts.security_group.clone()),
        internet_charge_type: given(&config.launch.internet_charge_type).map(charge_type),
        internet_max_bandwidth_out: bandwidth(site),
        key_pair_name: parts.key.name.clone(),
        password: password.map(|password| alicloud_api::Secret::new(password.expose())),
        user_data: site.plan.user_data.clone(),
        ram_role_name: text(&config.launch.ecs_ram_role_name),
        security_enhancement_strategy: text(&config.launch.security_enhancement_strategy),
        io_optimized: config
            .launch
            .io_optimized
            .map(|optimized| if optimized { "optimized" } else { "none" }.to_owned()),
        system_disk: config.image.system_disk_mapping.system(),
        data_disks: config.image.image_disk_mappings.iter().map(|disk| disk.data()).collect(),
        auto_release_time: Some(release_time()),
        tags: tags::temporary(site.cx.run.id(), token, &config.launch.run_tags),
        ..Default::default()
    }
}

/// A figure above zero makes the cloud give the instance a public address of its own.
fn bandwidth(site: &Site<'_>) -> Option<u32> {
    let given = site.plan.config.launch.internet_max_bandwidth_out;
    let given = given.and_then(|bandwidth| u32::try_from(bandwidth).ok()).filter(|bandwidth| *bandwidth > 0);
    match site.plan.address.public {
        Public::Own => Some(given.unwrap_or(DEFAULT_BANDWIDTH)),
        // An instance with an address of its own cannot be bound to an elastic one.
        Public::Eip(_) | Public::None => None,
    }
}

/// The documentation of users spells it in several ways.
fn charge_type(text: &str) -> String {
    let known = ["PayByTraffic", "PayByBandwidth"].into_iter().find(|known| known.eq_ignore_ascii_case(text));
    known.unwrap_or(text).to_owned()
}

fn release_time() -> String {
    (jiff::Timestamp::now() + RELEASE_AFTER).strftime("%Y-%m-%dT%H:%M:00Z").to_string()
}

/// Pushes the cloud's own release of the instance forward for as long as the build lives. Never returns.
pub(crate) async fn stay_alive(site: &Site<'_>, id: &InstanceId) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + SIGN_OF_LIFE, SIGN_OF_LIFE);
    loop {
        ticks.tick().await;
        let auto_release_time = Some(release_time());
        let request = ModifyInstanceAutoReleaseTime { instance_id: id.clone(), auto_release_time };
        // The next one comes long before the time is up.
        if let Err(error) = site.cloud.ecs().modify_instance_auto_release_time(&request).await {
            tracing::warn!(%error, "the instance's release was not pushed forward");
        }
    }
}

/// Waits until the instance runs.
pub(crate) async fn running(site: &Site<'_>, id: &InstanceId) -> Result<Instance> {
    site.cx.events.say(format!("Starting instance: {id}")).await;
    let ended = |status: &str| matches!(status, "Stopped" | "Stopping");
    wait_for(site, id, "to run", |instance| match instance.status.as_str() {
        "Running" => Verdict::Done(instance),
        status if ended(status) => Verdict::failed(status.to_owned()),
        status => Verdict::not_yet(status.to_owned()),
    })
    .await
    .doing("Timeout waiting for instance to start")
}

/// Looks at the instance until `judge` is satisfied.
pub(crate) async fn wait_for<T>(
    site: &Site<'_>,
    id: &InstanceId,
    what: &str,
    judge: impl Fn(Instance) -> Verdict<T>,
) -> alicloud_api::Result<T> {
    let ecs = site.cloud.ecs();
    let look = DescribeInstances { instance_ids: vec![id.clone()], ..Default::default() };
    let (ecs, look, judge) = (&ecs, &look, &judge);
    let probe = || async move {
        let answer = ecs.describe_instances(look).await?;
        Ok(match answer.instances.into_iter().next() {
            Some(instance) => judge(instance),
            // The list may lag behind the call that created it.
            None => Verdict::not_yet("not listed"),
        })
    };
    site.cloud.wait(format!("instance `{id}` {what}"), MEDIUM, &[], probe).await
}
