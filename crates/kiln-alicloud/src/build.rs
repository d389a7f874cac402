//! The build, from top to bottom. Independent steps run at once; there is no clean-up here: what is acquired is in the
//! ledger, and the engine deletes it.

use std::sync::Arc;

use alicloud_api::{InstanceId, ZoneId};
use kiln_core::artifact::Artifact;
use kiln_core::component::BuildContext;
use kiln_core::error::Result;
use kiln_core::ledger::Intent;
use kiln_remote::dial::Dialer;
use tokio_util::sync::CancellationToken;

use crate::cloud::Cloud;
use crate::config::{Plan, Public};
use crate::lanes::Lanes;
use crate::network::{self, Network, NetworkLanes};
use crate::publish;
use crate::reclaim::Kind;
use crate::steps::instance::Parts;
use crate::steps::key_pair::BoundKey;
use crate::steps::source_image::SourceImage;
use crate::steps::{address, connect, instance, key_pair, leftovers, pre_validate, source_image, spot};

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
    network: Network,
}

pub(crate) async fn build(site: &Site<'_>) -> Result<Option<Artifact>> {
    let cx = site.cx;
    let choice = cx.step("stepPreValidate", || pre_validate::pre_validate(site)).await?;
    let ground = lay_ground(site, choice.zone()).await?;
    let parts = Parts { source: &ground.source, key: &ground.key, network: &ground.network, choice: &choice };
    let id = cx.step("stepCreateAlicloudInstance", || instance::run(site, &parts)).await?;
    let result = tokio::select! {
        result = with_instance(site, &ground, &id) => result,
        () = instance::stay_alive(site, &id) => unreachable!("signs of life never end"),
    };
    match result {
        Err(error) => Err(spot::explain(site, &id, error).await),
        made => made,
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
    let lanes = NetworkLanes { vpc: vpc_lane, vswitch: vswitch_lane, security_group: group_lane };
    let network = network::find_or_make(site, zone, lanes);
    let (source, key, network) = futures_util::join!(
        ending_all(&group, source),
        ending_all(&group, key),
        ending_all(&group, network),
    );
    // The failure itself, not the cancellations it caused.
    let results = (source, key, network);
    let failure = |error: &kiln_core::Error| !error.is_cancelled();
    let failed = results.0.as_ref().err().is_some_and(failure);
    let (source, key, network) = match results {
        (Err(error), ..) if failed => return Err(error),
        (_, Err(error), _) | (_, _, Err(error)) if failure(&error) => return Err(error),
        (source, key, network) => (source?, key?, network?),
    };
    Ok(Ground { source, key, network })
}

/// Runs `work`; its failure ends the waits of everything else under `group`.
async fn ending_all<T>(group: &CancellationToken, work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = work.await;
    if result.is_err() {
        group.cancel();
    }
    result
}

/// From the instance to the image.
async fn with_instance(site: &Site<'_>, ground: &Ground, id: &InstanceId) -> Result<Option<Artifact>> {
    let cx = site.cx;
    if site.plan.launch.address.public == Public::Own {
        cx.step("stepConfigAlicloudEIP", || address::known(site, id)).await?;
    }
    if let Some(name) = &ground.key.name {
        cx.events.message(format!("Attach keypair {name} to instance: {id}")).await;
    }
    let running = cx.step("stepRunAlicloudInstance", || instance::running(site, id)).await?;
    let host = address::to_connect(site, &running).await?;
    let communicator = cx.step("StepConnect", || connect::get_in(site, id, &host, &ground.key)).await?;
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
    leftovers::remove(site, communicator.as_ref(), &ground.key).await;
    drop(communicator);
    publish::publish(site, &ground.source, id, &values).await
}
