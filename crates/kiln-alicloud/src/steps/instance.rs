//! The instance: created running, once, with its key pair, user data, tags and public address, so that it never has to
//! be stopped and started to attach something.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alicloud_api::ecs::{Instance, ModifyInstanceAutoReleaseTime, RunInstances};
use alicloud_api::{InstanceId, Verdict};
use kiln_core::error::{Error, Result};
use kiln_core::event::EventKind;
use kiln_core::ledger::Intent;
use kiln_core::run::Acquired;

use super::choice::{self, Candidate, Choice};
use super::key_pair::BoundKey;
use super::refusal::{self, Refusal};
use super::source_image::SourceImage;
use super::spot;
use crate::build::Site;
use crate::config::{DEFAULT_BANDWIDTH, Market, Public, given};
use crate::failure::Doing as _;
use crate::network::{Network, Subnet};
use crate::reclaim::{FACT_KEY_PAIR, FACT_PUBLIC, Kind};
use crate::{tags, user_data};

/// The cloud releases the instance this long after the last sign of life, whatever happens to us. The API accepts half
/// an hour at least.
const RELEASE_AFTER: Duration = Duration::from_secs(2 * 3600);
/// How often life is signalled.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20 * 60);

/// What the instance is made of.
pub(crate) struct Parts<'a> {
    pub source: &'a SourceImage,
    pub key: &'a BoundKey,
    pub network: &'a Network,
    pub choice: &'a Choice,
}

/// Creates the instance: the first of the choice that the cloud lets us have.
pub(crate) async fn run(site: &Site<'_>, parts: &Parts<'_>) -> Result<InstanceId> {
    site.cx.events.say("Creating instance...").await;
    let mut refusals: Vec<Refusal> = Vec::new();
    for (number, candidate) in (1..).zip(&parts.choice.0) {
        if refusals.iter().any(|refusal| refusal.concerns(candidate)) {
            continue;
        }
        site.cx.check()?;
        if let Some(last) = refusals.last() {
            let text = format!("The cloud refused with {}; asking for {candidate}.", last.code());
            site.cx.events.emit(EventKind::Hint { text }).await;
        }
        match create(site, parts, candidate, number).await? {
            Ok(id) => {
                site.cx.events.message(format!("Created instance: {id}")).await;
                return Ok(id);
            }
            Err(error) => refusals.push(Refusal::new(candidate, error)),
        }
    }
    Err(refusal::told(refusals))
}

/// Asks for one candidate; the inner error is a refusal that need not be that of another.
async fn create(
    site: &Site<'_>,
    parts: &Parts<'_>,
    candidate: &Candidate,
    number: usize,
) -> Result<Result<InstanceId, alicloud_api::Error>> {
    let subnet = match candidate.zone.as_str() {
        "" => parts.network.first.clone(),
        _ => parts.network.subnet(site, &candidate.zone).await?,
    };
    let mut intent = Intent { needs: parts.network.needs(&subnet), ..site.intent(Kind::Instance, &[]) };
    if number > 1 {
        // Another request under the same token would be refused, or answered with the first one's answer.
        intent.token = site.cx.run.token(&format!("{}/{number}", intent.key));
    }
    let (key, request) = (intent.key.clone(), request(site, parts, candidate, &subnet, &intent.token)?);
    let mut facts = BTreeMap::new();
    facts.extend(parts.key.name.clone().map(|name| (FACT_KEY_PAIR.to_owned(), name)));
    if site.plan.launch.address.public == Public::Own {
        facts.insert(FACT_PUBLIC.to_owned(), "own".to_owned());
    }
    let mut refused = None;
    let create = || async {
        let answer = match site.cloud.ecs().run_instances(&request).await {
            Err(error) if refusal::is_of_the_candidate(&error) => {
                refused = Some(error);
                return Err(Error::new("refused"));
            }
            answer => answer.doing("Error creating instance")?,
        };
        let id = answer.instance_ids.into_iter().next();
        let id = id.ok_or_else(|| Error::new("Error creating instance: the cloud named no instance"))?;
        Ok(Acquired { id: id.into(), facts })
    };
    let held = site.cx.run.acquire(intent, create).await;
    match (held, refused) {
        (Ok(held), _) => Ok(Ok(held.id.into())),
        (Err(_), Some(refused)) => {
            // The cloud said plainly that it made nothing: there is nothing to look for.
            if let Some(resource) = site.cx.run.held().iter().find(|resource| resource.intent.key == key) {
                site.cx.run.released(resource).await;
            }
            Ok(Err(refused))
        }
        (Err(error), None) => Err(error),
    }
}

fn request(
    site: &Site<'_>,
    parts: &Parts<'_>,
    candidate: &Candidate,
    subnet: &Subnet,
    token: &str,
) -> Result<RunInstances> {
    let config = &site.plan.config;
    let text = |field: &Option<String>| given(field).map(str::to_owned);
    let password = config.communicator.ssh_password.as_ref().filter(|password| !password.is_empty());
    let (spot_strategy, spot_price_limit) = choice::spot(candidate.market);
    Ok(RunInstances {
        client_token: Some(token.to_owned()),
        image_id: Some(parts.source.id.clone()),
        instance_type: Some(candidate.instance_type.clone()),
        instance_name: text(&config.launch.instance_name),
        amount: Some(1),
        zone_id: Some(subnet.zone.clone()),
        vswitch_id: Some(subnet.id.clone()),
        security_group_id: Some(parts.network.security_group.id.as_str().into()),
        internet_charge_type: word(&config.launch.internet_charge_type, &["PayByTraffic", "PayByBandwidth"]),
        internet_max_bandwidth_out: bandwidth(site),
        key_pair_name: parts.key.name.clone(),
        password: password.map(|password| alicloud_api::Secret::new(password.expose())),
        user_data: user_data::sent(site.plan.launch.user_data.as_ref(), parts.key.host_key.as_ref())?,
        ram_role_name: text(&config.launch.ecs_ram_role_name),
        security_enhancement_strategy: word(
            &config.launch.security_enhancement_strategy,
            &["Active", "Deactive"],
        ),
        http_tokens: word(&config.launch.http_tokens, &["optional", "required"]),
        spot_strategy: spot_strategy.map(str::to_owned),
        spot_price_limit,
        io_optimized: config
            .launch
            .io_optimized
            .map(|optimized| if optimized { "optimized" } else { "none" }.to_owned()),
        system_disk: config.image.system_disk_mapping.system(),
        data_disks: config.image.image_disk_mappings.iter().map(|disk| disk.data()).collect(),
        auto_release_time: Some(release_time()),
        tags: tags::temporary(site.cx.run.id(), token, &config.launch.run_tags),
        ..Default::default()
    })
}

/// A figure above zero makes the cloud give the instance a public address of its own.
fn bandwidth(site: &Site<'_>) -> Option<u32> {
    let given = site.plan.config.launch.internet_max_bandwidth_out;
    let given = given.and_then(|bandwidth| u32::try_from(bandwidth).ok()).filter(|bandwidth| *bandwidth > 0);
    match site.plan.launch.address.public {
        Public::Own => Some(given.unwrap_or(DEFAULT_BANDWIDTH)),
        // An instance with an address of its own cannot be bound to an elastic one.
        Public::Eip(_) | Public::None => None,
    }
}

/// Templates spell words of the API in any case.
fn word(field: &Option<String>, known: &[&str]) -> Option<String> {
    let text = given(field)?;
    Some((*known.iter().find(|known| known.eq_ignore_ascii_case(text)).unwrap_or(&text)).to_owned())
}

fn release_time() -> String {
    (jiff::Timestamp::now() + RELEASE_AFTER).strftime("%Y-%m-%dT%H:%M:00Z").to_string()
}

/// Pushes the cloud's own release of the instance forward for as long as the build lives, and looks out for the cloud
/// taking a spot instance back. Never returns.
pub(crate) async fn stay_alive(site: &Site<'_>, id: &InstanceId) {
    let alive = push_release(site, id);
    match site.plan.launch.market {
        Market::OnDemand => alive.await,
        Market::Spot { .. } => {
            futures_util::join!(alive, spot::watch(site, id));
        }
    }
}

async fn push_release(site: &Site<'_>, id: &InstanceId) {
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
    wait_for(site, id, "to run", site.plan.launch.running_timeout, |instance| {
        match instance.status.as_str() {
            "Running" => Verdict::Done(instance),
            status if ended(status) => Verdict::failed(status.to_owned()),
            status => Verdict::not_yet(status.to_owned()),
        }
    })
    .await
    .doing("Timeout waiting for instance to start")
}

/// Looks at the instance until `judge` is satisfied.
pub(crate) async fn wait_for<T>(
    site: &Site<'_>,
    id: &InstanceId,
    what: &str,
    limit: Duration,
    judge: impl Fn(Instance) -> Verdict<T>,
) -> alicloud_api::Result<T> {
    let seen = AtomicBool::new(false);
    let (cloud, judge, seen) = (&site.cloud, &judge, &seen);
    let probe = || async move {
        Ok(match cloud.instance(id.as_str()).await? {
            Some(instance) => {
                seen.store(true, Ordering::Relaxed);
                judge(instance)
            }
            // A want of capacity may show only now; a spot instance may be taken back at any time.
            None if seen.load(Ordering::Relaxed) => Verdict::failed("gone: the cloud has deleted it"),
            // The list may lag behind the call that created it.
            None => Verdict::not_yet("not listed"),
        })
    };
    site.cloud.wait(format!("instance `{id}` {what}"), limit, &[], probe).await
}
