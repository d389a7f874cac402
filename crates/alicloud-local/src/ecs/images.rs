//! Images: the public ones of the catalogue, and the custom ones that instances and snapshots become.

use serde_json::{Value, json};

use super::disks::take_snapshot;
use crate::api::{
    Action, Answer, ApiError, Cx, Effect, Outcome, PAGE_100, ecs_tags, proper_name, read, refuse, write,
};
use crate::catalogue::{self, PublicImage};
use crate::model::{
    Content, Image, ImageDisk, ImageStatus, InstanceStatus, Snapshot, SnapshotStatus, State, Tags,
};
use crate::timings;

/// The actions of images.
pub const ACTIONS: &[Action] = &[
    read("DescribeImages", &["RegionId"], describe),
    read("DescribeImageFromFamily", &["RegionId", "ImageFamily"], from_family),
    write("CreateImage", &["RegionId"], create),
    write("CopyImage", &["RegionId", "ImageId", "DestinationRegionId"], copy),
    write("CancelCopyImage", &["RegionId", "ImageId"], cancel_copy),
    write("DeleteImage", &["RegionId", "ImageId"], delete),
    write("ModifyImageAttribute", &["RegionId", "ImageId"], modify),
    write("ModifyImageSharePermission", &["RegionId", "ImageId"], share),
    read("DescribeImageSharePermission", &["RegionId", "ImageId"], describe_shares),
];

/// Returns the image of the catalogue that an image of either kind began with.
pub fn base_of(state: &State, id: &str) -> Option<&'static PublicImage> {
    let base = state.images.get(id).map_or(id, |image| image.base_image.as_str());
    catalogue::public_image(base)
}

/// Finds the newest image of a family: the caller's own before the public ones.
pub fn newest_of_family(cx: &Cx<'_>, region: &str, family: &str) -> Option<String> {
    let own = cx.state.images.values().filter(|image| {
        image.region == region
            && image.family == family
            && image.stage.now == ImageStatus::Available
            && (image.owner == cx.uid || image.shared_with.contains(&cx.uid))
    });
    let public =
        || catalogue::public_images().iter().filter(|image| image.family == family && !image.expired);
    own.max_by(|one, other| one.created.cmp(&other.created).then_with(|| one.id.cmp(&other.id)))
        .map(|image| image.id.clone())
        .or_else(|| public().max_by_key(|image| day(&image.id)).map(|image| image.id.clone()))
}

/// Returns the day in a public image's name, `20240819` or so.
fn day(id: &str) -> &str {
    id.rsplit('_').next().and_then(|end| end.split('.').next()).unwrap_or_default()
}

fn describe(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let params = cx.params;
    let statuses: Vec<&str> = params.get("Status").unwrap_or("Available").split(',').map(str::trim).collect();
    const STATUSES: [&str; 7] =
        ["Creating", "Waiting", "Available", "UnAvailable", "CreateFailed", "Deprecated", "ALL"];
    if statuses.iter().any(|status| !STATUSES.contains(status)) {
        return Err(refuse("InvalidImageStatus.NotSupported"));
    }
    let expired_too = params.flag("ShowExpired")?;
    let ids: Option<Vec<&str>> = params.get("ImageId").map(|ids| ids.split(',').map(str::trim).collect());
    let owner = params.get("ImageOwnerAlias");
    // The name is a fuzzy filter: it need only be part of the image's.
    let name_part = params.get("ImageName").map(|name| name.replace('*', ""));
    let fits = |id: &str, name: &str, family: &str, os_type: &str, architecture: &str| {
        ids.as_ref().is_none_or(|ids| ids.contains(&id))
            && name_part.as_ref().is_none_or(|part| name.contains(part.as_str()))
            && params.get("ImageFamily").is_none_or(|wanted| wanted == family)
            && params.get("OSType").is_none_or(|wanted| wanted == os_type)
            && params.get("Architecture").is_none_or(|wanted| wanted == architecture)
    };
    let now = cx.now();
    let mut items: Vec<Value> = Vec::new();
    if owner.is_none_or(|owner| owner == "self" || owner == "others") {
        for image in cx.state.images.values().filter(|image| image.region == region.id) {
            let mine = image.owner == cx.uid;
            let base = catalogue::public_image(&image.base_image);
            let status = json!(image.stage.now);
            let shown = (mine && owner != Some("others"))
                || (!mine && image.shared_with.contains(&cx.uid) && owner != Some("self"));
            if shown
                && (statuses.contains(&"ALL") || statuses.iter().any(|wanted| status == *wanted))
                && fits(
                    &image.id,
                    &image.name,
                    &image.family,
                    base.map_or("linux", |base| &base.os_type),
                    base.map_or("x86_64", |base| &base.architecture),
                )
                && params
                    .get("SnapshotId")
                    .is_none_or(|id| image.disks.iter().any(|disk| disk.snapshot_id == id))
                && params.wants(&image.tags)
            {
                items.push(custom_entry(cx, image, base, mine, now));
            }
        }
    }
    let public_wanted = owner.is_none_or(|owner| owner == "system")
        && params.get("SnapshotId").is_none()
        && params.indexes("Tag").is_empty()
        && (statuses.contains(&"ALL") || statuses.contains(&"Available"));
    if public_wanted {
        let public = catalogue::public_images().iter().filter(|image| {
            (expired_too || !image.expired)
                && fits(&image.id, &image.id, &image.family, &image.os_type, &image.architecture)
        });
        items.extend(public.map(public_entry));
    }
    let mut answer = cx.page("Images", "Image", items, PAGE_100)?;
    answer["RegionId"] = json!(region.id);
    Ok(answer)
}

fn public_entry(image: &PublicImage) -> Value {
    let created = match day(&image.id) {
        date if date.len() == 8 => format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..]),
        _ => String::new(),
    };
    json!({
        "ImageId": image.id, "ImageName": image.id, "ImageFamily": image.family, "ImageOwnerAlias": "system",
        "ImageVersion": "", "Description": "", "OSName": image.os_name, "OSNameEn": image.os_name,
        "OSType": image.os_type, "Platform": image.platform, "Architecture": image.architecture,
        "Size": image.size_gib, "Status": "Available", "Progress": "100%", "Usage": "instance", "IsCopied": false,
        "IsSubscribed": false, "IsSelfShared": "", "IsSupportCloudinit": true, "IsSupportIoOptimized": true,
        "LoginAsNonRootSupported": false, "BootMode": "BIOS", "CreationTime": created,
        "DiskDeviceMappings": {"DiskDeviceMapping": []}, "Tags": {"Tag": []},
    })
}

fn custom_entry(
    cx: &Cx<'_>,
    image: &Image,
    base: Option<&PublicImage>,
    mine: bool,
    now: crate::clock::Moment,
) -> Value {
    let creating = image.stage.now == ImageStatus::Creating;
    let percent = if creating { image.stage.percent(now) } else { 100 };
    let used = cx.account().instances.values().any(|instance| instance.image_id == image.id);
    let disks: Vec<Value> = image
        .disks
        .iter()
        .map(|disk| {
            json!({
                "SnapshotId": disk.snapshot_id, "Device": disk.device, "Size": disk.size_gib.to_string(),
                "Type": if disk.system { "system" } else { "data" }, "Encrypted": disk.encrypted, "Format": "",
                "ImportOSSBucket": "", "ImportOSSObject": "", "Progress": "", "RemainTime": 0,
            })
        })
        .collect();
    json!({
        "ImageId": image.id, "ImageName": image.name, "ImageFamily": image.family, "ImageVersion": image.version,
        "ImageOwnerAlias": if mine { "self" } else { "others" },
        "ImageOwnerId": image.owner.parse::<u64>().unwrap_or_default(), "Description": image.description,
        "ResourceGroupId": image.resource_group,
        "OSName": base.map_or("Linux", |base| &base.os_name), "OSNameEn": base.map_or("Linux", |base| &base.os_name),
        "OSType": base.map_or("linux", |base| &base.os_type), "Platform": base.map_or("Others Linux", |base| &base.platform),
        "Architecture": base.map_or("x86_64", |base| &base.architecture), "Size": image.size_gib,
        "Status": image.stage.now, "Progress": format!("{percent}%"), "Usage": if used { "instance" } else { "none" },
        "IsCopied": image.copied, "IsSubscribed": false,
        "IsSelfShared": if image.shared_with.is_empty() { "False" } else { "True" },
        "IsSupportCloudinit": true, "IsSupportIoOptimized": true, "LoginAsNonRootSupported": false,
        "BootMode": image.boot_mode, "CreationTime": image.created.to_seconds(),
        "DiskDeviceMappings": {"DiskDeviceMapping": disks}, "Tags": ecs_tags(&image.tags),
    })
}

fn from_family(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let found = newest_of_family(cx, &region.id, cx.params.required("ImageFamily")?);
    // A family without an image is no error: the answer then holds no image.
    let image = found.and_then(|id| {
        let custom = cx.state.images.get(&id).map(|image| {
            custom_entry(
                cx,
                image,
                catalogue::public_image(&image.base_image),
                image.owner == cx.uid,
                cx.now(),
            )
        });
        custom.or_else(|| catalogue::public_image(&id).map(public_entry))
    });
    Ok(image.map_or_else(|| json!({}), |image| json!({"Image": image})))
}

/// Refuses a name that is malformed or taken.
fn check_name(cx: &Cx<'_>, region: &str, name: &str) -> Result<(), ApiError> {
    let lower = name.to_ascii_lowercase();
    if !proper_name(name) || lower.starts_with("aliyun") || lower.starts_with("acs:") {
        return Err(refuse("InvalidImageName.Malformed"));
    }
    let taken = |image: &Image| image.owner == cx.uid && image.region == region && image.name == name;
    if cx.state.images.values().any(taken) { Err(refuse("InvalidImageName.Duplicated")) } else { Ok(()) }
}

fn create(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let name = cx.params.get("ImageName").map(str::to_owned);
    if let Some(name) = &name {
        check_name(cx, &region.id, name)?;
    }
    let family = cx.params.text("ImageFamily");
    let lower = family.to_ascii_lowercase();
    if !family.is_empty()
        && (!proper_name(&family) || lower.starts_with("acs:") || lower.starts_with("aliyun"))
    {
        return Err(refuse("InvalidImageFamily.Malformed"));
    }
    let tags = cx.params.tags()?;
    let has =
        cx.state.images.values().filter(|image| image.owner == cx.uid && image.region == region.id).count();
    cx.within_quota("image", 100, has, "QuotaExceed.Image")?;

    let (base_image, disks) = match (cx.params.get("InstanceId"), cx.params.get("SnapshotId")) {
        (Some(instance), _) => disks_of_instance(cx, &region.id, instance, name.as_deref(), &tags)?,
        (None, Some(snapshot)) => disk_of_snapshot(cx, &region.id, snapshot)?,
        (None, None) => {
            let mappings = cx.params.indexes("DiskDeviceMapping");
            let first =
                mappings.first().and_then(|at| cx.params.get(&format!("DiskDeviceMapping.{at}.SnapshotId")));
            let snapshot = first.ok_or_else(|| ApiError::missing("InstanceId"))?;
            disk_of_snapshot(cx, &region.id, snapshot)?
        }
    };
    let id = cx.new_id("m", region);
    let end = if cx.outcome == Outcome::Fails { ImageStatus::CreateFailed } else { ImageStatus::Available };
    let image = Image {
        id: id.clone(),
        owner: cx.uid.clone(),
        region: region.id.clone(),
        name: name.unwrap_or_else(|| id.clone()),
        family,
        version: cx.params.text("ImageVersion"),
        description: cx.params.text("Description"),
        resource_group: cx.params.text("ResourceGroupId"),
        boot_mode: cx.params.get("BootMode").unwrap_or("BIOS").to_owned(),
        base_image,
        size_gib: disks.iter().find(|disk| disk.system).map_or(20, |disk| disk.size_gib),
        copied: false,
        disks,
        shared_with: Vec::new(),
        tags,
        created: cx.now(),
        stage: cx.stage(ImageStatus::Creating, &[(timings::IMAGE_CREATE, end)]),
    };
    cx.state.images.insert(id.clone(), image);
    Ok(json!({"ImageId": id}))
}

/// Takes snapshots of all disks of an instance for a new image.
fn disks_of_instance(
    cx: &mut Cx<'_>,
    region: &str,
    id: &str,
    image_name: Option<&str>,
    tags: &Tags,
) -> Result<(String, Vec<ImageDisk>), ApiError> {
    let found =
        cx.account().instances.get(id).filter(|instance| instance.region == region && !instance.deleting);
    let instance = found.ok_or_else(|| refuse("InvalidInstanceId.NotFound"))?;
    if !matches!(instance.stage.now, InstanceStatus::Running | InstanceStatus::Stopped) {
        return Err(refuse("IncorrectInstanceStatus"));
    }
    let base = base_of(cx.state, &instance.image_id).map_or_else(String::new, |base| base.id.clone());
    let mut sources: Vec<_> =
        cx.account().disks.values().filter(|disk| disk.instance_id.as_deref() == Some(id)).cloned().collect();
    sources.sort_by(|one, other| other.system.cmp(&one.system).then_with(|| one.device.cmp(&other.device)));
    let mut disks = Vec::new();
    for disk in sources {
        let name = format!("Created_from_{}", image_name.unwrap_or(id));
        let snapshot_id = take_snapshot(cx, &disk, name, tags.clone(), timings::IMAGE_CREATE)?;
        disks.push(ImageDisk {
            snapshot_id,
            device: disk.device,
            size_gib: disk.size_gib,
            system: disk.system,
            encrypted: disk.encrypted,
        });
    }
    Ok((base, disks))
}

fn disk_of_snapshot(cx: &Cx<'_>, region: &str, id: &str) -> Result<(String, Vec<ImageDisk>), ApiError> {
    let found = cx.account().snapshots.get(id).filter(|snapshot| snapshot.region == region);
    let snapshot: &Snapshot = found.ok_or_else(|| refuse("InvalidSnapshotId.NotFound"))?;
    if snapshot.stage.now != SnapshotStatus::Accomplished {
        return Err(refuse("IncorrectSnapshotStatus"));
    }
    // What system is inside is known from the instance, while it is there, or from other images of the snapshot.
    let disk = cx.account().disks.get(&snapshot.disk_id);
    let instance =
        disk.and_then(|disk| disk.instance_id.as_ref()).and_then(|id| cx.account().instances.get(id));
    let image = cx.state.images.values().find(|image| image.disks.iter().any(|disk| disk.snapshot_id == id));
    let base = instance
        .and_then(|instance| base_of(cx.state, &instance.image_id))
        .map(|base| base.id.clone())
        .or_else(|| image.map(|image| image.base_image.clone()))
        .unwrap_or_default();
    let disk = ImageDisk {
        snapshot_id: id.to_owned(),
        device: "/dev/xvda".to_owned(),
        size_gib: snapshot.size_gib,
        system: true,
        encrypted: snapshot.encrypted,
    };
    Ok((base, vec![disk]))
}

fn own<'a>(cx: &'a Cx<'_>) -> Result<&'a Image, ApiError> {
    let region = cx.region()?;
    let image = cx.params.get("ImageId").and_then(|id| cx.state.images.get(id));
    image
        .filter(|image| image.region == region.id && image.owner == cx.uid)
        .ok_or_else(|| refuse("InvalidImageId.NotFound"))
}

fn copy(cx: &mut Cx<'_>) -> Answer {
    let source = own(cx)?.clone();
    if source.stage.now != ImageStatus::Available {
        return Err(refuse("IncorrectImageStatus"));
    }
    let target = cx.params.text("DestinationRegionId");
    let target = catalogue::region(&target).ok_or_else(|| refuse("InvalidRegionId.NotFound"))?;
    let encrypted = cx.params.flag("Encrypted")?;
    if target.id == source.region && !encrypted {
        return Err(ApiError::invalid("DestinationRegionId"));
    }
    let name = cx.params.get("DestinationImageName").map(str::to_owned);
    if let Some(name) = &name {
        check_name(cx, &target.id, name)?;
    }
    let tags = cx.params.tags()?;
    let mut disks = Vec::new();
    for disk in &source.disks {
        let id = cx.new_id("s", target);
        let original = cx.account().snapshots.get(&disk.snapshot_id);
        let snapshot = Snapshot {
            id: id.clone(),
            region: target.id.clone(),
            name: format!("Copied_from_{}", disk.snapshot_id),
            description: String::new(),
            disk_id: String::new(),
            disk_system: disk.system,
            size_gib: disk.size_gib,
            retention_days: None,
            encrypted: encrypted || disk.encrypted,
            layers: original.map(|original| original.layers.clone()).unwrap_or_default(),
            content: Content::Ready,
            tags: tags.clone(),
            created: cx.now(),
            stage: cx
                .stage(SnapshotStatus::Progressing, &[(timings::IMAGE_COPY, SnapshotStatus::Accomplished)]),
        };
        cx.account_mut().snapshots.insert(id.clone(), snapshot);
        disks.push(ImageDisk { snapshot_id: id, encrypted: encrypted || disk.encrypted, ..disk.clone() });
    }
    let id = cx.new_id("m", target);
    let end = if cx.outcome == Outcome::Fails { ImageStatus::CreateFailed } else { ImageStatus::Available };
    let image = Image {
        id: id.clone(),
        region: target.id.clone(),
        name: name.unwrap_or_else(|| id.clone()),
        family: String::new(),
        description: cx.params.get("DestinationDescription").map_or(source.description, str::to_owned),
        resource_group: cx.params.text("ResourceGroupId"),
        copied: true,
        disks,
        shared_with: Vec::new(),
        tags,
        created: cx.now(),
        stage: cx.stage(ImageStatus::Creating, &[(timings::IMAGE_COPY, end)]),
        ..source
    };
    cx.state.images.insert(id.clone(), image);
    Ok(json!({"ImageId": id}))
}

fn cancel_copy(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    if !image.copied || image.stage.now != ImageStatus::Creating {
        return Err(refuse("IncorrectImageStatus"));
    }
    let (id, disks) = (image.id.clone(), image.disks.clone());
    cx.state.images.remove(&id);
    for disk in disks {
        cx.account_mut().snapshots.remove(&disk.snapshot_id);
    }
    Ok(json!({}))
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let id = image.id.clone();
    if image.copied && image.stage.now == ImageStatus::Creating {
        return Err(refuse("IncorrectImageStatus"));
    }
    let used = cx
        .state
        .accounts
        .values()
        .flat_map(|account| account.instances.values())
        .any(|instance| instance.image_id == id && !instance.deleting);
    if used && !cx.params.flag("Force")? {
        return Err(refuse("InvalidImageId.InUse"));
    }
    cx.state.images.remove(&id);
    cx.effects.push(Effect::SweepLayers);
    Ok(json!({}))
}

fn modify(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let (id, region, old) = (image.id.clone(), image.region.clone(), image.name.clone());
    let name = cx.params.get("ImageName").map(str::to_owned);
    if let Some(name) = name.as_ref().filter(|name| **name != old) {
        check_name(cx, &region, name)?;
    }
    let params = cx.params;
    if let Some(image) = cx.state.images.get_mut(&id) {
        if let Some(name) = name {
            image.name = name;
        }
        if let Some(description) = params.get("Description") {
            description.clone_into(&mut image.description);
        }
        if let Some(family) = params.get("ImageFamily") {
            family.clone_into(&mut image.family);
        }
        if let Some(mode) = params.get("BootMode") {
            mode.clone_into(&mut image.boot_mode);
        }
    }
    Ok(json!({}))
}

fn share(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let id = image.id.clone();
    if image.stage.now != ImageStatus::Available {
        return Err(refuse("IncorrectImageStatus"));
    }
    let add = cx.params.list("AddAccount");
    let remove = cx.params.list("RemoveAccount");
    let known = |uid: &String| uid.len() >= 8 && uid.bytes().all(|byte| byte.is_ascii_digit());
    if !add.iter().all(known) {
        return Err(refuse("Account.NotExist"));
    }
    if let Some(image) = cx.state.images.get_mut(&id) {
        // Of more than ten, the API takes the first ten.
        for uid in add.into_iter().take(10) {
            if !image.shared_with.contains(&uid) {
                image.shared_with.push(uid);
            }
        }
        image.shared_with.retain(|uid| !remove.contains(uid));
    }
    Ok(json!({}))
}

fn describe_shares(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let accounts: Vec<Value> = image.shared_with.iter().map(|uid| json!({"AliyunId": uid})).collect();
    let (id, region) = (image.id.clone(), image.region.clone());
    let mut answer = cx.page("Accounts", "Account", accounts, PAGE_100)?;
    answer["ImageId"] = json!(id);
    answer["RegionId"] = json!(region);
    answer["ShareGroups"] = json!({"ShareGroup": []});
    Ok(answer)
}
