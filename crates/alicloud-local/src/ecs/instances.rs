//! Instances after they were made: looking, starting, stopping, deleting.

use serde_json::{Value, json};

use super::{images, launch};
use crate::api::{Action, Answer, ApiError, Cx, Effect, Outcome, PAGE_100, ecs_tags, read, refuse, write};
use crate::catalogue;
use crate::model::{EipStatus, Instance, InstanceStatus};
use crate::timings;
use crate::vpc::addresses;

/// The actions of instances.
pub const ACTIONS: &[Action] = &[
    write("RunInstances", &["RegionId", "InstanceType"], launch::run_instances),
    write("CreateInstance", &["RegionId", "InstanceType"], launch::create_instance),
    read("DescribeInstances", &["RegionId"], describe),
    read("DescribeInstanceStatus", &["RegionId"], describe_status),
    read("DescribeInstanceAttribute", &["InstanceId"], describe_attribute),
    write("StartInstance", &["InstanceId"], start),
    write("StopInstance", &["InstanceId"], stop),
    write("RebootInstance", &["InstanceId"], reboot),
    write("DeleteInstance", &["InstanceId"], delete),
    write("AllocatePublicIpAddress", &["InstanceId"], allocate_public_address),
    write("ModifyInstanceAutoReleaseTime", &["InstanceId"], modify_auto_release),
];

fn ip_list(address: Option<&str>) -> Value {
    json!({"IpAddress": address.into_iter().collect::<Vec<_>>()})
}

fn entry(cx: &Cx<'_>, instance: &Instance) -> Value {
    let account = cx.account();
    let eip = account.eips.values().find(|eip| {
        eip.instance_id.as_deref() == Some(&instance.id)
            && matches!(eip.stage.now, EipStatus::InUse | EipStatus::Associating)
    });
    let base = images::base_of(cx.state, &instance.image_id);
    let offered = catalogue::instance_type(&instance.instance_type);
    let spot = instance.spot.as_ref();
    let locks: Vec<Value> = lock(instance).into_iter().map(|reason| json!({"LockReason": reason})).collect();
    json!({
        "InstanceId": instance.id, "InstanceName": instance.name, "HostName": instance.hostname,
        "Description": instance.description, "RegionId": instance.region, "ZoneId": instance.zone,
        "Status": instance.stage.now, "InstanceType": instance.instance_type,
        "InstanceTypeFamily": offered.map_or("", |offered| offered.family()),
        "Cpu": offered.map_or(1, |offered| offered.cores),
        "Memory": offered.map_or(0.0, |offered| offered.memory_gib * 1024.0),
        "ImageId": instance.image_id, "OSName": base.map_or("Linux", |base| &base.os_name),
        "OSNameEn": base.map_or("Linux", |base| &base.os_name), "OSType": base.map_or("linux", |base| &base.os_type),
        "InstanceNetworkType": "vpc", "InstanceChargeType": "PostPaid",
        "SpotStrategy": spot.map_or("NoSpot", |spot| &spot.strategy),
        "SpotPriceLimit": spot.and_then(|spot| spot.price_limit).unwrap_or_default(),
        "SpotDuration": spot.map_or(0, |spot| spot.protected_hours),
        "SpotInterruptionBehavior": spot.map_or("", |spot| if spot.stops { "Stop" } else { "Terminate" }),
        "InternetChargeType": instance.charge_type, "InternetMaxBandwidthOut": instance.bandwidth_out,
        "IoOptimized": instance.io_optimized, "KeyPairName": instance.key_pair.clone().unwrap_or_default(),
        "StoppedMode": if instance.stage.now == InstanceStatus::Stopped { "KeepCharging" } else { "Not-applicable" },
        "InnerIpAddress": ip_list(None), "PublicIpAddress": ip_list(instance.public_ip.as_deref()),
        "EipAddress": eip.map_or_else(
            || json!({"AllocationId": "", "IpAddress": "", "InternetChargeType": ""}),
            |eip| json!({
                "AllocationId": eip.id, "IpAddress": eip.address, "InternetChargeType": eip.charge_type,
                "Bandwidth": eip.bandwidth.parse::<u32>().unwrap_or_default(), "IsSupportUnassociate": true,
            }),
        ),
        "VpcAttributes": {
            "VpcId": instance.vpc_id, "VSwitchId": instance.vswitch_id, "NatIpAddress": "",
            "PrivateIpAddress": ip_list(Some(&instance.private_ip)),
        },
        "SecurityGroupIds": {"SecurityGroupId": instance.security_groups},
        "OperationLocks": {"LockReason": locks}, "DeletionProtection": instance.deletion_protection,
        "MetadataOptions": {
            "HttpEndpoint": if instance.metadata.enabled { "enabled" } else { "disabled" },
            "HttpTokens": if instance.metadata.tokens_required { "required" } else { "optional" },
            "HttpPutResponseHopLimit": instance.metadata.hop_limit,
        },
        "AutoReleaseTime": instance.auto_release.map_or_else(String::new, crate::clock::Moment::to_minutes),
        "CreationTime": instance.created.to_minutes(), "StartTime": instance.created.to_minutes(),
        "ExpiredTime": "2099-12-31T15:59Z", "ResourceGroupId": "", "Tags": ecs_tags(&instance.tags),
    })
}

/// Returns why an instance is locked: a spot instance that is about to be taken back.
fn lock(instance: &Instance) -> Option<&'static str> {
    instance.spot.as_ref().and_then(|spot| spot.reclaim_at).map(|_| "Recycling")
}

fn describe(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let params = cx.params;
    let ids = params.json_list("InstanceIds")?;
    if ids.as_ref().is_some_and(|ids| ids.len() > 100) {
        return Err(ApiError::invalid("InstanceIds"));
    }
    let instances = cx.account().instances.values().filter(|instance| {
        instance.region == region.id
            && ids.as_ref().is_none_or(|ids| ids.contains(&instance.id))
            && params.get("InstanceName").is_none_or(|name| {
                let part = name.trim_matches('*');
                if part == name { instance.name == name } else { instance.name.contains(part) }
            })
            && params.get("Status").is_none_or(|status| json!(instance.stage.now) == status)
            && params.get("VpcId").is_none_or(|id| id == instance.vpc_id)
            && params.get("VSwitchId").is_none_or(|id| id == instance.vswitch_id)
            && params.get("ZoneId").is_none_or(|id| id == instance.zone)
            && params.get("ImageId").is_none_or(|id| id == instance.image_id)
            && params
                .get("SecurityGroupId")
                .is_none_or(|id| instance.security_groups.iter().any(|group| group == id))
            && params.get("KeyPairName").is_none_or(|name| instance.key_pair.as_deref() == Some(name))
            && params.get("InstanceType").is_none_or(|id| id == instance.instance_type)
            // It is written in small letters here, in the answer with a capital.
            && params
                .get("LockReason")
                .is_none_or(|reason| lock(instance).is_some_and(|lock| lock.eq_ignore_ascii_case(reason)))
            && params.wants(&instance.tags)
    });
    let items: Vec<Value> = instances.map(|instance| entry(cx, instance)).collect();
    cx.page("Instances", "Instance", items, PAGE_100)
}

fn describe_status(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let ids = cx.params.list("InstanceId");
    let items: Vec<Value> = cx
        .account()
        .instances
        .values()
        .filter(|instance| instance.region == region.id && (ids.is_empty() || ids.contains(&instance.id)))
        .map(|instance| json!({"InstanceId": instance.id, "Status": instance.stage.now}))
        .collect();
    cx.page("InstanceStatuses", "InstanceStatus", items, PAGE_100)
}

pub fn owned<'a>(cx: &'a Cx<'_>) -> Result<&'a Instance, ApiError> {
    let found = cx.params.get("InstanceId").and_then(|id| cx.account().instances.get(id));
    found
        .filter(|instance| cx.in_region(&instance.region))
        .ok_or_else(|| refuse("InvalidInstanceId.NotFound"))
}

pub fn owned_mut<'a>(cx: &'a mut Cx<'_>, id: &str) -> Result<&'a mut Instance, ApiError> {
    cx.account_mut().instances.get_mut(id).ok_or_else(|| refuse("InvalidInstanceId.NotFound"))
}

fn describe_attribute(cx: &mut Cx<'_>) -> Answer {
    Ok(entry(cx, owned(cx)?))
}

/// Refuses unless the instance has this status; while it is being made the code is another.
pub fn wants_status(instance: &Instance, wanted: InstanceStatus) -> Result<(), ApiError> {
    match instance.stage.now {
        InstanceStatus::Pending => Err(refuse("IncorrectInstanceStatus.Initializing")),
        now if now == wanted && !instance.deleting => Ok(()),
        _ => Err(refuse("IncorrectInstanceStatus")),
    }
}

fn start(cx: &mut Cx<'_>) -> Answer {
    let instance = owned(cx)?;
    wants_status(instance, InstanceStatus::Stopped)?;
    let id = instance.id.clone();
    let stage = cx.stage(InstanceStatus::Starting, &[(timings::INSTANCE_START, InstanceStatus::Running)]);
    let (mut boot_at, mut reachable_at) = launch::boot_times(cx, cx.now(), std::time::Duration::ZERO);
    if cx.outcome == Outcome::Stuck {
        (boot_at, reachable_at) = (None, None);
    }
    let instance = owned_mut(cx, &id)?;
    (instance.stage, instance.boot_at, instance.reachable_at) = (stage, boot_at, reachable_at);
    Ok(json!({}))
}

fn stop(cx: &mut Cx<'_>) -> Answer {
    let force = cx.params.flag("ForceStop")?;
    let instance = owned(cx)?;
    // One that is still starting can be stopped by force only.
    if !(force && instance.stage.now == InstanceStatus::Starting) {
        wants_status(instance, InstanceStatus::Running)?;
    }
    let id = instance.id.clone();
    let wait = if force { timings::INSTANCE_FORCE_STOP } else { timings::INSTANCE_STOP };
    let stage = cx.stage(InstanceStatus::Stopping, &[(wait, InstanceStatus::Stopped)]);
    let instance = owned_mut(cx, &id)?;
    (instance.stage, instance.boot_at, instance.reachable_at) = (stage, None, None);
    cx.effects.push(Effect::Stop { instance: id, force });
    Ok(json!({}))
}

fn reboot(cx: &mut Cx<'_>) -> Answer {
    let force = cx.params.flag("ForceStop")?;
    let instance = owned(cx)?;
    wants_status(instance, InstanceStatus::Running)?;
    let id = instance.id.clone();
    let stage = cx.stage(
        InstanceStatus::Stopping,
        &[
            (timings::INSTANCE_FORCE_STOP, InstanceStatus::Starting),
            (timings::INSTANCE_START, InstanceStatus::Running),
        ],
    );
    let (boot_at, reachable_at) = launch::boot_times(cx, cx.now(), timings::INSTANCE_FORCE_STOP);
    let instance = owned_mut(cx, &id)?;
    (instance.stage, instance.boot_at, instance.reachable_at) = (stage, boot_at, reachable_at);
    cx.effects.push(Effect::Stop { instance: id, force });
    Ok(json!({}))
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let force = cx.params.flag("Force")?;
    let instance = owned(cx)?;
    if instance.deleting {
        // It is on its way: asking again is no mistake.
        return Ok(json!({}));
    }
    if instance.deletion_protection {
        return Err(refuse("InvalidOperation.DeletionProtection"));
    }
    match instance.stage.now {
        InstanceStatus::Pending => return Err(refuse("IncorrectInstanceStatus.Initializing")),
        InstanceStatus::Stopped => {}
        InstanceStatus::Starting | InstanceStatus::Running | InstanceStatus::Stopping if force => {}
        _ => return Err(refuse("IncorrectInstanceStatus")),
    }
    let id = instance.id.clone();
    let now = if instance.stage.now == InstanceStatus::Stopped {
        InstanceStatus::Stopped
    } else {
        InstanceStatus::Stopping
    };
    let stage = cx.stage(now, &[(timings::INSTANCE_DELETE, InstanceStatus::Deleted)]);
    let instance = owned_mut(cx, &id)?;
    (instance.stage, instance.deleting, instance.boot_at, instance.reachable_at) = (stage, true, None, None);
    cx.effects.push(Effect::Destroy(id));
    Ok(json!({}))
}

fn allocate_public_address(cx: &mut Cx<'_>) -> Answer {
    let instance = owned(cx)?;
    if instance.public_ip.is_some() {
        return Err(refuse("AllocatedAlready"));
    }
    if !matches!(instance.stage.now, InstanceStatus::Running | InstanceStatus::Stopped) || instance.deleting {
        return Err(refuse("IncorrectInstanceStatus"));
    }
    if instance.bandwidth_out == 0 {
        return Err(refuse("InvalidParameter.Conflict").saying("The instance was made without a bandwidth."));
    }
    let id = instance.id.clone();
    let address = addresses::public(cx);
    owned_mut(cx, &id)?.public_ip = Some(address.clone());
    cx.effects.push(Effect::Readdress);
    Ok(json!({"IpAddress": address}))
}

fn modify_auto_release(cx: &mut Cx<'_>) -> Answer {
    let at = cx.params.get("AutoReleaseTime").map(|text| launch::release_time(cx.now(), text)).transpose()?;
    let id = owned(cx)?.id.clone();
    owned_mut(cx, &id)?.auto_release = at;
    Ok(json!({}))
}
