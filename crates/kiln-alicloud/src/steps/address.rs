//! The address to connect to: the instance's own public one, an elastic one of the account, or the private one.

use std::collections::BTreeMap;

use alicloud_api::ecs::Instance;
use alicloud_api::vpc::{AssociateEipAddress, DescribeEipAddresses};
use alicloud_api::{InstanceId, Verdict};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::ledger::Intent;
use kiln_core::run::Acquired;

use super::instance;
use crate::build::Site;
use crate::cloud::SHORT;
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
    let address = instance::wait_for(site, id, "to have a public address", judge).await;
    let address = address.doing("Error allocating EIP")?;
    events.message(format!("Allocated EIP: {address}")).await;
    Ok(())
}

/// Returns the address to connect to. The instance runs: only then can an elastic address be bound.
pub(crate) async fn to_connect(site: &Site<'_>, instance: &Instance) -> Result<String> {
    let bound = match &site.plan.address.public {
        Public::Eip(id) => Some(bind(site, id, &instance.instance_id).await?),
        Public::Own => instance.public_address().map(str::to_owned),
        Public::None => None,
    };
    let address = match site.plan.address.connect_private {
        true => instance.private_address().map(str::to_owned),
        false => bound,
    };
    address.ok_or_else(|| {
        Error::new("Failed to get private IP of instance").hint("the instance has no address to connect to")
    })
}

async fn bind(site: &Site<'_>, id: &str, instance: &InstanceId) -> Result<String> {
    let events = &site.cx.events;
    let vpc = site.cloud.vpc();
    events.say("Querying EIP...").await;
    let look = DescribeEipAddresses { allocation_id: Some(id.into()), ..Default::default() };
    let answer = vpc.describe_eip_addresses(&look).await.doing("Failed querying EIP")?;
    let eip = answer.eip_addresses.into_iter().next().ok_or_else(|| {
        Error::new(format!("The specified EIP {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint("check `eip_id`")
    })?;
    events.message(format!("Using EIP: {}", eip.ip_address)).await;
    let intent = Intent { name: Some(id.to_owned()), ..site.intent(Kind::EipAssociation, &[Kind::Instance]) };
    let request = AssociateEipAddress {
        client_token: Some(intent.token.clone()),
        allocation_id: id.into(),
        instance_id: instance.clone(),
        instance_type: Some("EcsInstance".to_owned()),
    };
    let associate = || async {
        vpc.associate_eip_address(&request).await.doing("Error associating EIP")?;
        let facts = BTreeMap::from([(FACT_INSTANCE.to_owned(), instance.to_string())]);
        Ok(Acquired { id: id.to_owned(), facts })
    };
    site.cx.run.acquire(intent, associate).await?;
    let (vpc, look) = (&vpc, &look);
    let probe = || async move {
        let answer = vpc.describe_eip_addresses(look).await?;
        let status = answer.eip_addresses.into_iter().next().map(|eip| eip.status).unwrap_or_default();
        Ok(if status == "InUse" { Verdict::Done(()) } else { Verdict::not_yet(status) })
    };
    let waited = site.cloud.wait(format!("address `{id}` to be bound"), SHORT, &[], probe).await;
    waited.doing("Error wait EIP associating timeout")?;
    Ok(eip.ip_address)
}
