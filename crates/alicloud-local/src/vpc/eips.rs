//! Elastic addresses.

use serde_json::{Value, json};

use super::addresses;
use crate::api::{Action, Answer, ApiError, Cx, Effect, PAGE_100, read, refuse, vpc_tags, write};
use crate::model::{Eip, EipStatus, InstanceStatus};
use crate::timings;

/// The actions of elastic addresses.
pub const ACTIONS: &[Action] = &[
    write("AllocateEipAddress", &["RegionId"], allocate),
    read("DescribeEipAddresses", &["RegionId"], describe),
    write("AssociateEipAddress", &["AllocationId", "InstanceId"], associate),
    write("UnassociateEipAddress", &["AllocationId"], unassociate),
    write("ReleaseEipAddress", &["AllocationId"], release),
];

fn allocate(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let bandwidth: u32 = cx.params.number("Bandwidth")?.unwrap_or(5);
    if bandwidth == 0 || bandwidth > 500 {
        return Err(ApiError::invalid("Bandwidth"));
    }
    let charge_type = cx.params.get("InternetChargeType").unwrap_or("PayByBandwidth").to_owned();
    if !charge_type.eq_ignore_ascii_case("PayByBandwidth")
        && !charge_type.eq_ignore_ascii_case("PayByTraffic")
    {
        return Err(ApiError::invalid("InternetChargeType"));
    }
    let tags = cx.params.tags()?;
    let has = cx.account().eips.values().filter(|eip| eip.region == region.id).count();
    cx.within_quota("eip", 20, has, "QuotaExceeded.Eip")?;
    let eip = Eip {
        id: cx.new_id("eip", region),
        region: region.id.clone(),
        address: addresses::public(cx),
        name: cx.params.text("Name"),
        bandwidth: bandwidth.to_string(),
        charge_type,
        instance_id: None,
        tags,
        created: cx.now(),
        stage: cx.stage(EipStatus::Allocating, &[(timings::EIP_ALLOCATE, EipStatus::Available)]),
    };
    let answer =
        json!({"AllocationId": eip.id, "EipAddress": eip.address, "ResourceGroupId": "rg-acfmxazb4ph6aiy"});
    cx.account_mut().eips.insert(eip.id.clone(), eip);
    Ok(answer)
}

fn describe(cx: &mut Cx<'_>) -> Answer {
    cx.region()?;
    let params = cx.params;
    let wanted: Option<Vec<&str>> = params.get("AllocationId").map(|ids| ids.split(',').collect());
    let eips = cx.account().eips.values().filter(|eip| {
        cx.in_region(&eip.region)
            && eip.stage.now != EipStatus::Allocating
            && wanted.as_ref().is_none_or(|ids| ids.contains(&eip.id.as_str()))
            && params
                .get("EipAddress")
                .is_none_or(|list| list.split(',').any(|address| address == eip.address))
            && params.get("Status").is_none_or(|status| json!(eip.stage.now) == status)
            && params.get("AssociatedInstanceId").is_none_or(|id| eip.instance_id.as_deref() == Some(id))
            && params.wants(&eip.tags)
    });
    let items: Vec<Value> = eips
        .map(|eip| {
            json!({
                "AllocationId": eip.id, "IpAddress": eip.address, "Status": eip.stage.now, "RegionId": eip.region,
                "Name": eip.name, "Bandwidth": eip.bandwidth, "InternetChargeType": eip.charge_type,
                "InstanceId": eip.instance_id.clone().unwrap_or_default(),
                "InstanceType": if eip.instance_id.is_some() { "EcsInstance" } else { "" },
                "ChargeType": "PostPaid", "ISP": "BGP", "AllocationTime": eip.created.to_seconds(),
                "OperationLocks": {"LockReason": []}, "Tags": vpc_tags(&eip.tags),
            })
        })
        .collect();
    cx.page("EipAddresses", "EipAddress", items, PAGE_100)
}

fn owned<'a>(cx: &'a Cx<'_>, id: &str) -> Result<&'a Eip, ApiError> {
    let eip = cx.account().eips.get(id).filter(|eip| cx.in_region(&eip.region));
    eip.ok_or_else(|| refuse("InvalidAllocationId.NotFound"))
}

fn associate(cx: &mut Cx<'_>) -> Answer {
    let (id, instance_id) = (cx.params.text("AllocationId"), cx.params.text("InstanceId"));
    if cx.params.get("InstanceType").is_some_and(|kind| kind != "EcsInstance") {
        return Err(ApiError::invalid("InstanceType"));
    }
    let eip = owned(cx, &id)?;
    let region = eip.region.clone();
    match eip.stage.now {
        EipStatus::Available => {}
        EipStatus::InUse | EipStatus::Associating if eip.instance_id.as_deref() == Some(&instance_id) => {
            return Err(refuse("InvalidAssociation.Duplicated"));
        }
        EipStatus::Allocating | EipStatus::Associating | EipStatus::InUse | EipStatus::Unassociating => {
            return Err(refuse("IncorrectEipStatus"));
        }
    }
    let instance = cx.account().instances.get(&instance_id).filter(|instance| instance.region == region);
    let instance = instance.ok_or_else(|| refuse("InvalidInstanceId.NotFound"))?;
    if !matches!(instance.stage.now, InstanceStatus::Running | InstanceStatus::Stopped) || instance.deleting {
        return Err(refuse("IncorrectInstanceStatus").with_status(400));
    }
    if instance.public_ip.is_some() {
        return Err(refuse("EIP_CAN_NOT_ASSOCIATE_WITH_PUBLIC_IP"));
    }
    if cx.account().eips.values().any(|other| other.instance_id.as_deref() == Some(&instance_id)) {
        return Err(refuse("BIND_INSTANCE_HAVE_PORTMAP_OR_BIND_EIP"));
    }
    let stage = cx.stage(EipStatus::Associating, &[(timings::EIP_ASSOCIATE, EipStatus::InUse)]);
    if let Some(eip) = cx.account_mut().eips.get_mut(&id) {
        eip.stage = stage;
        eip.instance_id = Some(instance_id);
    }
    Ok(json!({}))
}

fn unassociate(cx: &mut Cx<'_>) -> Answer {
    let id = cx.params.text("AllocationId");
    let eip = owned(cx, &id)?;
    let instance = cx.params.get("InstanceId");
    match eip.stage.now {
        EipStatus::InUse | EipStatus::Associating => {}
        EipStatus::Available | EipStatus::Unassociating | EipStatus::Allocating => {
            return Err(refuse("IncorrectEipStatus"));
        }
    }
    if instance.is_some_and(|instance| eip.instance_id.as_deref() != Some(instance)) {
        return Err(refuse("InvalidAssociation.NotFound"));
    }
    let stage = cx.stage(EipStatus::Unassociating, &[(timings::EIP_UNASSOCIATE, EipStatus::Available)]);
    if let Some(eip) = cx.account_mut().eips.get_mut(&id) {
        eip.stage = stage;
    }
    cx.effects.push(Effect::Readdress);
    Ok(json!({}))
}

fn release(cx: &mut Cx<'_>) -> Answer {
    let id = cx.params.text("AllocationId");
    match owned(cx, &id)?.stage.now {
        EipStatus::Available | EipStatus::Allocating => {}
        EipStatus::Associating | EipStatus::InUse | EipStatus::Unassociating => {
            return Err(refuse("IncorrectEipStatus"));
        }
    }
    cx.account_mut().eips.remove(&id);
    Ok(json!({}))
}
