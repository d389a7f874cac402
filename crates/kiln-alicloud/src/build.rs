//! The build, from top to bottom. Independent steps run at once; there is no clean-up here: what is acquired is in the
//! ledger, and the engine deletes it.

use std::sync::Arc;

use alicloud_api::{InstanceId, SecurityGroupId, ZoneId};
use kiln_core::artifact::Artifact;
use kiln_core::component::BuildContext;
use kiln_core::error::Result;
use kiln_core::ledger::Intent;
use kiln_remote::dial::Dialer;
use tokio_util::sync::CancellationToken;

use crate::cloud::Cloud;
use crate::config::{Plan, Public};
use crate::lanes::{Lane, Lanes};
use crate::publish;
use crate::reclaim::Kind;
use crate::steps::instance::Parts;
use crate::steps::key_pair::BoundKey;
use crate::steps::source_image::SourceImage;
use crate::steps::vswitch::Subnet;
use crate::steps::{
    address, connect, instance, key_pair, pre_validate, security_group, source_image, vpc, vswitch,
};

/// What every step works with.
pub(crate) struct Site<'a> {
    pub cx: &'a BuildContext,
    pub plan: &'a Plan,
    pub cloud: Cloud,
    pub dialer: &'a Arc<dyn Dialer>,
}

impl Site<'_> {
    /// Returns the intent to make the build's one resource of `kind`; what it `needs` cannot go before it.
    pub(crate) fn intent(&self, kind: Kind, needs: &[Kind]) -> Intent {
        Intent {
            key: kind.key().to_owned(),
            kind: kind.name().to_owned(),
            token: self.cx.run.token(kind.key()),
            name: None,
            place: self.cloud.place(),
            needs: needs.iter().map(|kind| kind.key().to_owned()).collect(),
        }
    }
}

/// What stands before the instance does.
struct Ground {
    source: SourceImage,
    key: BoundKey,
    subnet: Subnet,
    security_group: SecurityGroupId,
}

pub(crate) async fn build(site: &Site<'_>) -> Result<Option<Artifact>> {
    let cx = site.cx;
    let zone = cx.step("stepPreValidate", || pre_validate::pre_validate(site)).await?;
    let ground = lay_ground(site, &zone).await?;
    let parts = Parts {
        source: &ground.source,
        key: &ground.key,
        subnet: &ground.subnet,
        security_group: &ground.security_group,
    };
    let id = cx.step("stepCreateAlicloudInstance", || instance::run(site, &parts)).await?;
    tokio::select! {
        result = with_instance(site, &ground, &id) => result,
        () = instance::stay_alive(site, &id) => unreachable!("signs of life never end"),
    }
}

/// Source image ∥ key pair ∥ network: none needs another. The first failure ends the others' waits, but each effect
/// that has begun is finished and recorded.
async fn lay_ground(site: &Site<'_>, zone: &ZoneId) -> Result<Ground> {
    let [source_lane, key_lane, vpc_lane, vswitch_lane, group_lane] = Lanes::open(&site.cx.events);
    let group = site.cx.cancel.child_token();
    let cx = BuildContext { cancel: group.clone(), ..site.cx.clone() };
    let site = &Site { cx: &cx, cloud: site.cloud.with_cancel(&group), ..*site };

    let source = source_lane
        .end_after(cx.step("stepCheckAlicloudSourceImage", || source_image::find(site, &source_lane)));
    let key = key_lane.end_after(cx.step("stepConfigAlicloudKeyPair", || key_pair::make(site, &key_lane)));
    let network = network(site, zone, vpc_lane, vswitch_lane, group_lane);
    let (source, key, network) = futures_util::join!(
        ending_all(&group, source),
        ending_all(&group, key),
        ending_all(&group, network),
    );
    // The failure itself, not the cancellations it caused.
    let results = (source, key, network);
    let failure = |error: &kiln_core::Error| !error.is_cancelled();
    let failed = results.0.as_ref().err().is_some_and(failure);
    let (source, key, (subnet, security_group)) = match results {
        (Err(error), ..) if failed => return Err(error),
        (_, Err(error), _) | (_, _, Err(error)) if failure(&error) => return Err(error),
        (source, key, network) => (source?, key?, network?),
    };
    Ok(Ground { source, key, subnet, security_group })
}

/// Runs `work`; its failure ends the waits of everything else under `group`.
async fn ending_all<T>(group: &CancellationToken, work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = work.await;
    if result.is_err() {
        group.cancel();
    }
    result
}

/// VPC, then vSwitch ∥ security group.
async fn network(
    site: &Site<'_>,
    zone: &ZoneId,
    vpc_lane: Lane,
    vswitch_lane: Lane,
    group_lane: Lane,
) -> Result<(Subnet, SecurityGroupId)> {
    let cx = site.cx;
    let existing = vswitch::existing(site).await?;
    let (known_vpc, subnet) = match existing {
        Some(it) => (Some(it.vpc_id), Some((it.vswitch_id, it.zone_id))),
        None => (None, None),
    };
    let vpc = cx.step("stepConfigAlicloudVPC", || vpc::find_or_make(site, &vpc_lane, known_vpc.clone()));
    let vpc = vpc_lane.end_after(vpc).await?;
    let make_subnet = cx.step("stepConfigAlicloudVSwitch", || async {
        match &subnet {
            Some((id, zone)) => Ok(Subnet { id: id.clone(), zone: zone.clone() }),
            None => vswitch::make(site, &vswitch_lane, vpc.clone(), zone.clone()).await,
        }
    });
    let make_group = cx.step("stepConfigAlicloudSecurityGroup", || {
        security_group::find_or_make(site, &group_lane, vpc.clone())
    });
    let (subnet, security_group) =
        futures_util::join!(vswitch_lane.end_after(make_subnet), group_lane.end_after(make_group));
    Ok((subnet?, security_group?))
}

/// From the instance to the image.
async fn with_instance(site: &Site<'_>, ground: &Ground, id: &InstanceId) -> Result<Option<Artifact>> {
    let cx = site.cx;
    if site.plan.address.public == Public::Own {
        cx.step("stepConfigAlicloudEIP", || address::known(site, id)).await?;
    }
    if let Some(name) = &ground.key.name {
        cx.events.message(format!("Attach keypair {name} to instance: {id}")).await;
    }
    let running = cx.step("stepRunAlicloudInstance", || instance::running(site, id)).await?;
    let host = address::to_connect(site, &running).await?;
    let communicator = cx.step("StepConnect", || connect::get_in(site, &host, &ground.key)).await?;
    let values = connect::values(site, id, &host, &ground.key, &ground.source)?;
    cx.step("StepProvision", || cx.provision(Arc::clone(&communicator), values.clone())).await?;
    if let Some(name) =
        ground.key.temporary().filter(|_| site.plan.config.communicator.ssh_clear_authorized_keys)
    {
        let clear = || async {
            kiln_remote::authorized_keys::clear(communicator.as_ref(), name, &cx.events, &cx.cancel).await;
            Ok(())
        };
        cx.step("StepCleanupTempKeys", clear).await?;
    }
    drop(communicator);
    publish::publish(site, &ground.source, id, &values).await
}
