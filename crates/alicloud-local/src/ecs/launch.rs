//! Making instances: `RunInstances`, and the older `CreateInstance` that leaves them stopped.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::regions::Stock;
use super::{images, key_pairs, regions};
use crate::access;
use crate::api::{Answer, ApiError, Cx, Effect, Outcome, refuse};
use crate::catalogue::{self, Region};
use crate::clock::Moment;
use crate::model::{Disk, ImageStatus, Instance, InstanceStatus, MetadataOptions, NetworkStatus, Spot, Tags};
use crate::timings;
use crate::vpc::addresses;

mod disks;
pub mod spot;

use disks::DiskOrder;

/// User data may be this long before it is encoded.
const USER_DATA_MAX: usize = 32 * 1024;

/// What a call asks for, checked.
struct Order {
    region: &'static Region,
    instance_type: String,
    image_id: String,
    layers: Vec<String>,
    vpc_id: String,
    vswitch_id: String,
    zone: String,
    cidr: String,
    security_groups: Vec<String>,
    auto_release: Option<Moment>,
    bandwidth_out: u32,
    tags: Tags,
    disks: Vec<DiskOrder>,
    spot: Option<Spot>,
    metadata: MetadataOptions,
}

/// Makes instances that start by themselves.
pub fn run_instances(cx: &mut Cx<'_>) -> Answer {
    let amount: u32 = cx.params.number("Amount")?.unwrap_or(1);
    if !(1..=100).contains(&amount) {
        return Err(ApiError::invalid("Amount"));
    }
    let order = check(cx)?;
    within_quotas(cx, &order, amount as usize)?;
    if cx.params.flag("DryRun")? {
        return Err(refuse("DryRunOperation"));
    }
    let mut ids = Vec::new();
    for _ in 0..amount {
        ids.push(make(cx, &order, true)?);
    }
    Ok(json!({"InstanceIdSets": {"InstanceIdSet": ids}, "OrderId": "", "TradePrice": 0.0}))
}

/// Makes one instance that has to be started.
pub fn create_instance(cx: &mut Cx<'_>) -> Answer {
    let order = check(cx)?;
    within_quotas(cx, &order, 1)?;
    let id = make(cx, &order, false)?;
    Ok(json!({"InstanceId": id, "OrderId": "", "TradePrice": 0.0}))
}

/// Refuses when the caller's instances in a region, or their processors, would be too many.
fn within_quotas(cx: &Cx<'_>, order: &Order, more: usize) -> Result<(), ApiError> {
    let here = || cx.account().instances.values().filter(|instance| instance.region == order.region.id);
    cx.within_quota("instance", 200, here().count() + more - 1, "QuotaExceed.PostPaidInstance")?;
    let cores = |id: &str| catalogue::instance_type(id).map_or(1, |offered| offered.cores as usize);
    let had: usize = here().map(|instance| cores(&instance.instance_type)).sum();
    let wanted = more * cores(&order.instance_type);
    cx.within_quota("vcpu", usize::MAX, (had + wanted).saturating_sub(1), "QuotaExceed.ElasticQuota")
}

fn check(cx: &Cx<'_>) -> Result<Order, ApiError> {
    let region = cx.region()?;
    let params = cx.params;
    let instance_type = params.required("InstanceType")?.to_owned();
    let (image_id, image_gib, layers, base) = image(cx, region)?;

    let offered = catalogue::instance_type(&instance_type)
        .ok_or_else(|| refuse("InvalidInstanceType.ValueNotSupported"))?;
    if !offered.runs(base.map_or("x86_64", |base| &base.architecture)) {
        return Err(refuse("InvalidInstanceType.ValueNotSupported")
            .saying("The specified InstanceType does not support the architecture of the image."));
    }

    let vswitch_id = params.get("VSwitchId").ok_or_else(|| refuse("OperationDenied.NotInVpc"))?.to_owned();
    let vswitch = cx.account().vswitches.get(&vswitch_id).filter(|vswitch| vswitch.region == region.id);
    let vswitch = vswitch.ok_or_else(|| refuse("InvalidVSwitchId.NotFound"))?;
    if vswitch.stage.now != NetworkStatus::Available {
        return Err(refuse("IncorrectVSwitchStatus"));
    }
    if let Some(zone) = params.get("ZoneId") {
        if !region.zones.iter().any(|has| has == zone) {
            return Err(refuse("InvalidZoneId.NotFound"));
        }
        if zone != vswitch.zone {
            return Err(refuse("InvalidParameter.ZoneMismatch"));
        }
    }

    let mut security_groups = params.list("SecurityGroupIds");
    security_groups.extend(params.get("SecurityGroupId").map(str::to_owned));
    if security_groups.is_empty() {
        return Err(ApiError::missing("SecurityGroupId"));
    }
    for id in &security_groups {
        let group = cx.account().security_groups.get(id).filter(|group| group.region == region.id);
        let group = group.ok_or_else(|| refuse("InvalidSecurityGroupId.NotFound"))?;
        if group.vpc_id != vswitch.vpc_id {
            return Err(refuse("InvalidSecurityGroupId.VPCMismatch"));
        }
    }
    check_login(cx, region)?;
    let spot = spot::read(cx, offered)?;
    match regions::stock(&cx.account().sold_out, &instance_type, &vswitch.zone, spot.is_some()) {
        Stock::With => {}
        Stock::Without => return Err(refuse("OperationDenied.NoStock")),
        Stock::Closed => return Err(refuse("Zone.NotOnSale")),
    }

    let auto_release = params.get("AutoReleaseTime").map(|text| release_time(cx.now(), text)).transpose()?;
    let bandwidth_out: u32 = params.number("InternetMaxBandwidthOut")?.unwrap_or(0);
    if bandwidth_out > 100 {
        return Err(ApiError::invalid("InternetMaxBandwidthOut"));
    }
    let charge = params.get("InternetChargeType").unwrap_or("PayByTraffic");
    if !charge.eq_ignore_ascii_case("PayByTraffic") && !charge.eq_ignore_ascii_case("PayByBandwidth") {
        return Err(ApiError::invalid("InternetChargeType"));
    }
    if params.get("IoOptimized").is_some_and(|value| value != "optimized" && value != "none") {
        return Err(ApiError::invalid("IoOptimized"));
    }
    if let Some(name) = params.get("RamRoleName") {
        let role = cx.account().roles.get(name);
        if !role.is_some_and(|role| access::trusts_service(&role.trust, "ecs.aliyuncs.com")) {
            return Err(refuse("InvalidRamRole.NotEcsRole"));
        }
        access::may_pass(cx, name)?;
    }
    Ok(Order {
        region,
        instance_type,
        layers,
        vpc_id: vswitch.vpc_id.clone(),
        vswitch_id,
        zone: vswitch.zone.clone(),
        cidr: vswitch.cidr.clone(),
        security_groups,
        auto_release,
        bandwidth_out,
        tags: params.tags()?,
        disks: disks::read(cx, region, &image_id, image_gib)?,
        image_id,
        spot,
        metadata: MetadataOptions::default().changed(cx)?,
    })
}

type FoundImage = (String, u64, Vec<String>, Option<&'static catalogue::PublicImage>);

/// Finds the image: its id, its size, what is in it, and the public image it began with.
fn image(cx: &Cx<'_>, region: &Region) -> Result<FoundImage, ApiError> {
    let id = match (cx.params.get("ImageId"), cx.params.get("ImageFamily")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(family)) => images::newest_of_family(cx, &region.id, family).ok_or_else(|| {
            refuse("InvalidImageId.NotFound").saying("The specified image family has no image.")
        })?,
        (None, None) => return Err(ApiError::missing("ImageId")),
    };
    if let Some(public) = catalogue::public_image(&id) {
        return Ok((id, public.size_gib, Vec::new(), Some(public)));
    }
    let found = cx.state.images.get(&id);
    let image = found.filter(|image| image.region == region.id && images::may_use(image, &cx.uid));
    let image = image.ok_or_else(|| refuse("InvalidImageId.NotFound"))?;
    // One that is deprecated can still be launched by its id.
    if !matches!(image.stage.now, ImageStatus::Available | ImageStatus::Deprecated) {
        return Err(refuse("IncorrectImageStatus"));
    }
    let system = image.disks.iter().find(|disk| disk.system);
    let layers =
        system.and_then(|disk| cx.state.snapshot(&disk.snapshot_id)).map(|snapshot| snapshot.layers.clone());
    Ok((id, image.size_gib, layers.unwrap_or_default(), catalogue::public_image(&image.base_image)))
}

/// Checks what one logs in with, names, and the user data.
pub fn check_login(cx: &Cx<'_>, region: &Region) -> Result<(), ApiError> {
    let params = cx.params;
    if let Some(name) = params.get("InstanceName") {
        let count = name.chars().count();
        if !(2..=128).contains(&count) || name.starts_with("http://") || name.starts_with("https://") {
            return Err(refuse("InvalidInstanceName.Malformed"));
        }
    }
    if let Some(name) = params.get("HostName")
        && (name.len() < 2
            || name.len() > 64
            || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.')
            || name.starts_with(['-', '.'])
            || name.ends_with(['-', '.']))
    {
        return Err(refuse("InvalidHostName.Malformed"));
    }
    if let Some(password) = params.get("Password") {
        let kinds = [
            password.bytes().any(|byte| byte.is_ascii_uppercase()),
            password.bytes().any(|byte| byte.is_ascii_lowercase()),
            password.bytes().any(|byte| byte.is_ascii_digit()),
            password.bytes().any(|byte| byte.is_ascii_punctuation()),
        ];
        if !(8..=30).contains(&password.len()) || kinds.iter().filter(|has| **has).count() < 3 {
            return Err(refuse("InvalidPassword.Malformed"));
        }
    }
    if let Some(name) = params.get("KeyPairName")
        && !cx.account().key_pairs.contains_key(&key_pairs::place(&region.id, name))
    {
        return Err(refuse("InvalidKeyPairName.NotFound"));
    }
    if let Some(data) = params.get("UserData") {
        let decoded = STANDARD.decode(data).map_err(|_| refuse("InvalidUserData.Base64FormatInvalid"))?;
        if decoded.len() > USER_DATA_MAX {
            return Err(refuse("InvalidUserData.SizeExceeded"));
        }
    }
    Ok(())
}

/// Reads a time at which an instance is to be released: between half an hour and three years ahead.
pub fn release_time(now: Moment, text: &str) -> Result<Moment, ApiError> {
    let malformed = || refuse("InvalidAutoReleaseTime.Malformed");
    let at = Moment::parse(text).ok_or_else(malformed)?;
    // A minute is forgiven, since callers round to whole minutes and clocks differ a little.
    let soonest = now.plus(Duration::from_secs(29 * 60));
    let latest = now.plus(Duration::from_secs(3 * 366 * 24 * 3600));
    if (soonest..=latest).contains(&at) { Ok(at) } else { Err(malformed()) }
}

fn make(cx: &mut Cx<'_>, order: &Order, start: bool) -> Result<String, ApiError> {
    let id = cx.new_id("i", order.region);
    let private_ip = addresses::private(cx, &order.vswitch_id, &order.cidr)?;
    let public_ip = (start && order.bandwidth_out > 0).then(|| addresses::public(cx));
    let now = cx.now();
    let stage = if start {
        cx.stage(
            InstanceStatus::Pending,
            &[
                (timings::INSTANCE_CREATE, InstanceStatus::Starting),
                (timings::INSTANCE_START, InstanceStatus::Running),
            ],
        )
    } else {
        cx.stage(InstanceStatus::Pending, &[(timings::INSTANCE_CREATE, InstanceStatus::Stopped)])
    };
    let starts = start && cx.outcome != Outcome::Stuck;
    let (boot_at, reachable_at) =
        if starts { boot_times(cx, now, timings::INSTANCE_CREATE) } else { (None, None) };
    let params = cx.params;
    let name = params.get("InstanceName").map_or_else(|| id.clone(), str::to_owned);
    let instance = Instance {
        id: id.clone(),
        region: order.region.id.clone(),
        zone: order.zone.clone(),
        hostname: params.get("HostName").map_or_else(|| format!("iZ{}Z", &id[2..]), str::to_owned),
        name,
        description: params.text("Description"),
        instance_type: order.instance_type.clone(),
        image_id: order.image_id.clone(),
        vpc_id: order.vpc_id.clone(),
        vswitch_id: order.vswitch_id.clone(),
        security_groups: order.security_groups.clone(),
        private_ip,
        public_ip,
        bandwidth_out: order.bandwidth_out,
        charge_type: params.get("InternetChargeType").unwrap_or("PayByTraffic").to_owned(),
        io_optimized: params.get("IoOptimized") != Some("none"),
        key_pair: params.get("KeyPairName").map(str::to_owned),
        password: params.get("Password").map(str::to_owned),
        user_data: params.get("UserData").map(str::to_owned),
        ram_role: params.get("RamRoleName").map(str::to_owned),
        login_as_non_root: params.flag("ImageOptions.LoginAsNonRoot")?,
        auto_release: order.auto_release,
        tags: order.tags.clone(),
        created: now,
        stage,
        boot_at,
        reachable_at,
        deleting: false,
        screenshot_at: None,
        layers: order.layers.clone(),
        spot: order.spot.clone(),
        metadata: order.metadata,
        deletion_protection: params.flag("DeletionProtection")?,
    };
    for disk in &order.disks {
        let disk_id = cx.new_id("d", order.region);
        let made = Disk {
            id: disk_id.clone(),
            region: order.region.id.clone(),
            zone: order.zone.clone(),
            name: disk.name.clone(),
            category: disk.category.clone(),
            performance_level: disk.performance_level.clone(),
            description: disk.description.clone(),
            size_gib: disk.size_gib,
            system: disk.system,
            device: disk.device.clone(),
            instance_id: Some(id.clone()),
            delete_with_instance: disk.delete_with_instance,
            encrypted: disk.encrypted,
            kms_key: disk.kms_key.clone(),
            source_snapshot: disk.snapshot.clone(),
            // Tags of the call are those of the instance and of all that is made with it.
            tags: order.tags.clone(),
            created: now,
        };
        cx.account_mut().disks.insert(disk_id, made);
    }
    if order.disks.len() > 1 {
        cx.notes.push(format!(
            "instance `{id}`: its {} data disks hold nothing and are not mounted",
            order.disks.len() - 1
        ));
    }
    cx.account_mut().instances.insert(id.clone(), instance);
    cx.effects.push(Effect::Readdress);
    Ok(id)
}

/// Returns when the machine of an instance that begins to start after `wait` is to be booted, and from when on it answers.
pub fn boot_times(cx: &Cx<'_>, now: Moment, wait: Duration) -> (Option<Moment>, Option<Moment>) {
    let running = cx.clock.scaled(wait + timings::INSTANCE_START);
    let reachable = running + cx.clock.scaled(timings::INSTANCE_BOOT);
    let boot = reachable.saturating_sub(timings::SANDBOX_LEAD).max(cx.clock.scaled(wait));
    (Some(now.plus(boot)), Some(now.plus(reachable)))
}
