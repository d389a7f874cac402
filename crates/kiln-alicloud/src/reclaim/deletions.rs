//! Deletes one resource and waits until it is gone.

mod images;

use std::time::Duration;

use alicloud_api::{Error, Result as ApiResult, Verdict, ecs, vpc};
use kiln_core::error::Result;
use kiln_core::ledger::Resource;

pub(crate) use images::{ORIGINAL_NAME, REPLACED_BY, SHARED_BEFORE, WITH_SNAPSHOTS};

use super::{FACT_INSTANCE, Kind};
use crate::cloud::{Cloud, MEDIUM, SHORT};
use crate::failure::Doing as _;

pub(super) async fn delete(kind: Kind, cloud: &Cloud, id: &str, resource: &Resource) -> Result<()> {
    let done = match kind {
        Kind::KeyPair => key_pair(cloud, id).await,
        Kind::ImageShare => images::share(cloud, id, resource).await,
        Kind::ImageCopy => images::copy(cloud, id).await,
        Kind::Image => images::image(cloud, id, true).await,
        Kind::ReplacedImage => images::replaced(cloud, id, resource).await,
        Kind::Snapshot => snapshot(cloud, id).await,
        Kind::EipAssociation => eip_association(cloud, id, resource).await,
        Kind::Instance => instance(cloud, id).await,
        Kind::SecurityGroup => security_group(cloud, id).await,
        Kind::VSwitch => vswitch(cloud, id).await,
        Kind::Vpc => vpc(cloud, id).await,
    };
    done.doing(format!("delete the {} `{id}`", kind.thing()))
}

/// "Not found" is success.
fn gone<T>(result: ApiResult<T>) -> ApiResult<()> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Repeats `call` while it answers one of `tolerated`: something that depends on the resource is still going.
async fn insist<F, Fut, T>(
    cloud: &Cloud,
    what: String,
    deadline: Duration,
    tolerated: &'static [&'static str],
    call: F,
) -> ApiResult<()>
where
    F: Fn() -> Fut,
    Fut: Future<Output = ApiResult<T>>,
{
    let call = &call;
    cloud.wait(what, deadline, tolerated, || async move { gone(call().await).map(Verdict::Done) }).await
}

async fn key_pair(cloud: &Cloud, name: &str) -> ApiResult<()> {
    gone(cloud.ecs().delete_key_pairs(&ecs::DeleteKeyPairs { key_pair_names: vec![name.to_owned()] }).await)
}

async fn instance(cloud: &Cloud, id: &str) -> ApiResult<()> {
    let ecs = cloud.ecs();
    let request = ecs::DeleteInstance { instance_id: id.into(), force: Some(true) };
    let busy = &["IncorrectInstanceStatus", "IncorrectInstanceStatus.Initializing", "TaskConflict"];
    insist(cloud, format!("deletion of instance `{id}`"), SHORT, busy, || ecs.delete_instance(&request))
        .await?;
    let what = format!("instance `{id}` to be gone");
    let probe = || async move {
        Ok(match cloud.instance(id).await? {
            None => Verdict::Done(()),
            Some(instance) => Verdict::not_yet(instance.status.clone()),
        })
    };
    cloud.wait(what, MEDIUM, &[], probe).await
}

async fn eip_association(cloud: &Cloud, id: &str, resource: &Resource) -> ApiResult<()> {
    let vpc = cloud.vpc();
    let instance_id = resource.facts.get(FACT_INSTANCE).map(|instance| instance.as_str().into());
    let request = vpc::UnassociateEipAddress {
        allocation_id: id.into(),
        instance_id,
        instance_type: Some("EcsInstance".to_owned()),
        ..Default::default()
    };
    let unbound = |error: &Error| error.is("IncorrectEipStatus") || error.is_not_found();
    match vpc.unassociate_eip_address(&request).await {
        Err(error) if !unbound(&error) => return Err(error),
        _ => {}
    }
    let look = vpc::DescribeEipAddresses { allocation_id: Some(id.into()), ..Default::default() };
    let (vpc, look) = (&vpc, &look);
    let probe = || async move {
        let found = vpc.describe_eip_addresses(look).await?;
        Ok(match found.eip_addresses.first() {
            Some(eip) if eip.status != "Available" => Verdict::not_yet(eip.status.clone()),
            _ => Verdict::Done(()),
        })
    };
    cloud.wait(format!("address `{id}` to be free"), SHORT, &[], probe).await
}

async fn security_group(cloud: &Cloud, id: &str) -> ApiResult<()> {
    let ecs = cloud.ecs();
    let request = ecs::DeleteSecurityGroup { security_group_id: id.into() };
    let what = format!("deletion of security group `{id}`");
    insist(cloud, what, SHORT, &["DependencyViolation"], || ecs.delete_security_group(&request)).await
}

async fn vswitch(cloud: &Cloud, id: &str) -> ApiResult<()> {
    let vpc = cloud.vpc();
    let request = vpc::DeleteVSwitch { vswitch_id: id.into() };
    let busy = &[
        "IncorrectVSwitchStatus",
        "DependencyViolation",
        "DependencyViolation.HaVip",
        "IncorrectRouteEntryStatus",
        "TaskConflict",
    ];
    insist(cloud, format!("deletion of vSwitch `{id}`"), SHORT, busy, || vpc.delete_vswitch(&request))
        .await?;
    let look = vpc::DescribeVSwitches { vswitch_id: Some(id.into()), ..Default::default() };
    let (vpc, look) = (&vpc, &look);
    let probe = || async move {
        let found = vpc.describe_vswitches(look).await?;
        Ok(match found.vswitches.first() {
            None => Verdict::Done(()),
            Some(vswitch) => Verdict::not_yet(vswitch.status.clone()),
        })
    };
    cloud.wait(format!("vSwitch `{id}` to be gone"), SHORT, &[], probe).await
}

async fn vpc(cloud: &Cloud, id: &str) -> ApiResult<()> {
    let vpc = cloud.vpc();
    let request = vpc::DeleteVpc { vpc_id: id.into(), ..Default::default() };
    let busy = &[
        "DependencyViolation",
        "DependencyViolation.Instance",
        "DependencyViolation.RouteEntry",
        "DependencyViolation.VSwitch",
        "DependencyViolation.SecurityGroup",
        "Forbbiden",
        "TaskConflict",
        "IncorrectVpcStatus",
    ];
    insist(cloud, format!("deletion of VPC `{id}`"), SHORT, busy, || vpc.delete_vpc(&request)).await
}

async fn snapshot(cloud: &Cloud, id: &str) -> ApiResult<()> {
    let ecs = cloud.ecs();
    let request = ecs::DeleteSnapshot { snapshot_id: id.into(), force: Some(true) };
    gone(ecs.delete_snapshot(&request).await)
}
