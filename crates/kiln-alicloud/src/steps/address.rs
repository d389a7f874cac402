//! The address to connect to: the instance's own public one, an elastic one of the account, or the private one.

use std::collections::BTreeMap;
use std::time::Duration;

use alicloud_api::ecs::Instance;
use alicloud_api::vpc::{AssociateEipAddress, DescribeEipAddresses, EipAddress};
use alicloud_api::{InstanceId, Verdict};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::ledger::Intent;
use kiln_core::run::Acquired;
use tokio::time::Instant;

use super::instance;
use crate::build::Site;
use crate::cloud::{MEDIUM, SHORT};
use crate::config::Public;
use crate::failure::Doing as _;
use crate::reclaim::{FACT_INSTANCE, Kind};

/// Waits for the addresses the cloud gives at creation and shows them; these lines stand where Packer's plug-in
/// allocates an elastic address, because scripts look for them.
pub(crate) async fn known(site: &Site<'_>, id: &InstanceId) -> Result<()> {
    let events = &site.cx.events;
    events.say("Allocating EIP...").await;
    let judge = |instance: Instance| match instance.public_address() {
        Some(address) => Verdict::Done(address.to_owned()),
        None => Verdict::not_yet("without a public address"),
    };
    let address = instance::wait_for(site, id, "to have a public address", MEDIUM, judge).await;
    let address = address.doing("Error allocating EIP")?;
    events.message(format!("Allocated EIP: {address}")).await;
    Ok(())
}

/// Returns the address to connect to. The instance runs: only then can an elastic address be bound.
pub(crate) async fn to_connect(site: &Site<'_>, instance: &Instance) -> Result<String> {
    let bound = match &site.plan.launch.address.public {
        Public::Eip(id) => Some(bind(site, id, &instance.instance_id).await?),
        Public::Own => instance.public_address().map(str::to_owned),
        Public::None => None,
    };
    let address = match site.plan.launch.address.connect_private {
        true => instance.private_address().map(str::to_owned),
        false => bound,
    };
    // An empty address would be that of this machine.
    address.filter(|address| !address.is_empty()).ok_or_else(|| {
        let (which, hint) = match site.plan.launch.address.connect_private {
            true => ("private IP", "the cloud gave the instance no private address"),
            false => {
                ("public IP", "the cloud gave the instance no public address: check the account's quota")
            }
        };
        Error::new(format!("Failed to get {which} of instance")).hint(hint)
    })
}

/// Fails if the template's elastic address does not exist or is bound to something: binding it would take it away.
/// Asked before anything is made, and once more before it is bound.
pub(crate) async fn eip_is_free(site: &Site<'_>) -> Result<()> {
    match &site.plan.launch.address.public {
        Public::Eip(id) => free_eip(site, id).await.map(drop),
        Public::Own | Public::None => Ok(()),
    }
}

async fn free_eip(site: &Site<'_>, id: &str) -> Result<EipAddress> {
    let answer = site.cloud.vpc().describe_eip_addresses(&look(id)).await.doing("Failed querying EIP")?;
    let eip = answer.eip_addresses.into_iter().next().ok_or_else(|| {
        Error::new(format!("The specified EIP {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint(format!("check `eip_id`: `{}` has no such address", site.plan.region))
    })?;
    match eip.instance_id.as_str() {
        "" => Ok(eip),
        holder => Err(Error::new(format!("The specified EIP {{{id}}} is bound to {holder}."))
            .kind(ErrorKind::Refused)
            .hint("an address in use is not taken away: free it, or name another one in `eip_id`")),
    }
}

fn look(id: &str) -> DescribeEipAddresses {
    DescribeEipAddresses { allocation_id: Some(id.into()), ..Default::default() }
}

/// Asks until neither the address nor the instance is busy. A call that has begun is not given up: it may have its
/// effect.
async fn associate(site: &Site<'_>, request: &AssociateEipAddress) -> alicloud_api::Result<()> {
    let mut pauses = tokio::time::interval_at(Instant::now() + BUSY_PAUSE, BUSY_PAUSE);
    let end = Instant::now() + SHORT;
    loop {
        match site.cloud.vpc().associate_eip_address(request).await {
            Err(error) if error.is_any(BUSY) && Instant::now() < end => {
                tokio::select! {
                    () = site.cx.cancel.cancelled() => return Err(error),
                    _ = pauses.tick() => {}
                }
            }
            answer => return answer.map(drop),
        }
    }
}

/// Between two tries to bind an address.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// Codes that pass: the address or the instance is still busy with something else.
const BUSY: &[&str] = &["TaskConflict", "OperationConflict", "IncorrectEipStatus", "IncorrectInstanceStatus"];

async fn bind(site: &Site<'_>, id: &str, instance: &InstanceId) -> Result<String> {
    let events = &site.cx.events;
    let vpc = site.cloud.vpc();
    events.say("Querying EIP...").await;
    let eip = free_eip(site, id).await?;
    events.message(format!("Using EIP: {}", eip.ip_address)).await;
    let intent = Intent { name: Some(id.to_owned()), ..site.intent(Kind::EipAssociation, &[Kind::Instance]) };
    let request = AssociateEipAddress {
        client_token: Some(intent.token.clone()),
        allocation_id: id.into(),
        instance_id: instance.clone(),
        instance_type: Some("EcsInstance".to_owned()),
    };
    let (vpc, request) = (&vpc, &request);
    let bind = || async {
        associate(site, request).await.doing("Error associating EIP")?;
        let facts = BTreeMap::from([(FACT_INSTANCE.to_owned(), instance.to_string())]);
        Ok(Acquired { id: id.to_owned(), facts })
    };
    site.cx.run.acquire(intent, bind).await?;
    let look = &look(id);
    let probe = || async move {
        let answer = vpc.describe_eip_addresses(look).await?;
        let status = answer.eip_addresses.into_iter().next().map(|eip| eip.status).unwrap_or_default();
        Ok(if status == "InUse" { Verdict::Done(()) } else { Verdict::not_yet(status) })
    };
    let waited = site.cloud.wait(format!("address `{id}` to be bound"), SHORT, &[], probe).await;
    waited.doing("Error wait EIP associating timeout")?;
    Ok(eip.ip_address)
}
