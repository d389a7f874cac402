//! Looking images up: by filters, or the newest of a family.

use serde_json::{Value, json};

use super::newest_of_family;
use crate::api::{Answer, ApiError, Cx, PAGE_100, ecs_tags, refuse};
use crate::catalogue::{self, PublicImage};
use crate::model::{Image, ImageStatus};

/// The statuses that may be asked for.
const STATUSES: [&str; 7] =
    ["Creating", "Waiting", "Available", "UnAvailable", "CreateFailed", "Deprecated", "ALL"];

/// What of an image the filters look at.
struct Shape<'a> {
    id: &'a str,
    name: &'a str,
    family: &'a str,
    os_type: &'a str,
    architecture: &'a str,
}

impl Shape<'_> {
    fn fits(&self, cx: &Cx<'_>) -> bool {
        let params = cx.params;
        let is = |name: &str, has: &str| params.get(name).is_none_or(|wanted| wanted == has);
        // The name is a fuzzy filter: it need only be part of the image's.
        let named = |part: &str| self.name.contains(&part.replace('*', ""));
        let runs_on =
            |id: &str| catalogue::instance_type(id).is_some_and(|offered| offered.runs(self.architecture));
        params.get("ImageId").is_none_or(|ids| ids.split(',').any(|id| id.trim() == self.id))
            && params.get("ImageName").is_none_or(named)
            && is("ImageFamily", self.family)
            && is("OSType", self.os_type)
            && is("Architecture", self.architecture)
            && params.get("InstanceType").is_none_or(runs_on)
    }
}

/// Lists images; only available ones, unless the call asks for others.
pub fn images(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let params = cx.params;
    let statuses: Vec<&str> = params.get("Status").unwrap_or("Available").split(',').map(str::trim).collect();
    if statuses.iter().any(|status| !STATUSES.contains(status)) {
        return Err(refuse("InvalidImageStatus.NotSupported"));
    }
    let owner = params.get("ImageOwnerAlias");
    if owner.is_some_and(|owner| !["self", "system", "others", "marketplace"].contains(&owner)) {
        return Err(ApiError::invalid("ImageOwnerAlias"));
    }
    let usage = super::one_of(cx, "Usage", &["instance", "none"])?;
    let community = params.flag("IsPublic")?;
    let wanted_status = |status: &str| statuses.contains(&"ALL") || statuses.contains(&status);
    let owner_id = params.get("ImageOwnerId");
    let mut items: Vec<Value> = Vec::new();
    for image in cx.state.images.values().filter(|image| image.region == region.id) {
        let mine = image.owner == cx.uid;
        let shared = image.shared_with.contains(&cx.uid);
        let listed = match owner {
            Some("self") => mine,
            // Of others, community images are listed only when they are asked for, and then nothing else.
            Some("others") => !mine && if community { image.community } else { shared },
            None => mine || shared,
            Some(_) => false,
        };
        let status = json!(image.stage.now);
        let base = catalogue::public_image(&image.base_image);
        let shape = Shape {
            id: &image.id,
            name: &image.name,
            family: &image.family,
            os_type: base.map_or("linux", |base| &base.os_type),
            architecture: architecture(image, base),
        };
        let from_snapshot = |id: &str| image.disks.iter().any(|disk| disk.snapshot_id == id);
        if listed
            && status.as_str().is_some_and(wanted_status)
            && shape.fits(cx)
            && owner_id.is_none_or(|id| mine || id == image.owner)
            && params.get("SnapshotId").is_none_or(from_snapshot)
            && params.get("ResourceGroupId").is_none_or(|group| group == image.resource_group)
            && usage.as_deref().is_none_or(|usage| usage == usage_of(cx, &image.id))
            && params.wants(&image.tags)
        {
            items.push(custom(cx, image));
        }
    }
    let only_custom = ["SnapshotId", "ResourceGroupId", "ImageOwnerId"];
    if owner.is_none_or(|owner| owner == "system")
        && !community
        && only_custom.iter().all(|name| params.get(name).is_none())
        && params.indexes("Tag").is_empty()
        && wanted_status("Available")
    {
        let expired_too = params.flag("ShowExpired")?;
        let offered = catalogue::public_images().iter().filter(|image| {
            let shape = Shape {
                id: &image.id,
                name: &image.id,
                family: &image.family,
                os_type: &image.os_type,
                architecture: &image.architecture,
            };
            (expired_too || !image.expired)
                && shape.fits(cx)
                && usage.as_deref().is_none_or(|usage| usage == usage_of(cx, &image.id))
        });
        items.extend(offered.map(|image| public(cx, image)));
    }
    let mut answer = cx.page("Images", "Image", items, PAGE_100)?;
    answer["RegionId"] = json!(region.id);
    Ok(answer)
}

/// Answers with the newest image of a family; a family without one is no error, the answer then holds no image.
pub fn from_family(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let found = newest_of_family(cx, &region.id, cx.params.required("ImageFamily")?);
    let image = found.and_then(|id| {
        let own = cx.state.images.get(&id).map(|image| custom(cx, image));
        own.or_else(|| catalogue::public_image(&id).map(|image| public(cx, image)))
    });
    Ok(image.map_or_else(|| json!({}), |image| json!({"Image": image})))
}

fn usage_of(cx: &Cx<'_>, id: &str) -> &'static str {
    let used = cx.account().instances.values().any(|instance| instance.image_id == id);
    if used { "instance" } else { "none" }
}

fn architecture<'a>(image: &'a Image, base: Option<&'a PublicImage>) -> &'a str {
    image.architecture.as_deref().or(base.map(|base| base.architecture.as_str())).unwrap_or("x86_64")
}

fn features(nvme: bool, imds_v2: bool) -> Value {
    json!({
        "NvmeSupport": if nvme { "supported" } else { "unsupported" },
        "ImdsSupport": if imds_v2 { "v2" } else { "v1" },
    })
}

fn public(cx: &Cx<'_>, image: &PublicImage) -> Value {
    let created = match image.day() {
        date if date.len() == 8 => format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..]),
        _ => String::new(),
    };
    json!({
        "ImageId": image.id, "ImageName": image.id, "ImageFamily": image.family, "ImageOwnerAlias": "system",
        "ImageVersion": "", "Description": "", "OSName": image.os_name, "OSNameEn": image.os_name,
        "OSType": image.os_type, "Platform": image.platform, "Architecture": image.architecture,
        "Size": image.size_gib, "Status": "Available", "Progress": "100%", "Usage": usage_of(cx, &image.id),
        "IsCopied": false, "IsPublic": false, "Usable": true,
        "IsSubscribed": false, "IsSelfShared": "", "IsSupportCloudinit": true, "IsSupportIoOptimized": true,
        "LoginAsNonRootSupported": false, "BootMode": super::DEFAULT_BOOT_MODE, "CreationTime": created,
        "Features": features(image.is_recent(), image.is_recent()),
        "DiskDeviceMappings": {"DiskDeviceMapping": []}, "Tags": {"Tag": []},
    })
}

fn custom(cx: &Cx<'_>, image: &Image) -> Value {
    let now = cx.now();
    let base = catalogue::public_image(&image.base_image);
    let under_way = matches!(image.stage.now, ImageStatus::Creating | ImageStatus::Waiting);
    let percent = match image.stage.now {
        ImageStatus::Creating => image.stage.percent(now),
        ImageStatus::Waiting => 0,
        _ => 100,
    };
    let remaining = match image.stage.next.last() {
        Some((end, _)) if under_way => end.since(now).as_secs(),
        _ => 0,
    };
    let disks: Vec<Value> = image
        .disks
        .iter()
        .map(|disk| {
            json!({
                "SnapshotId": disk.snapshot_id, "Device": disk.device, "Size": disk.size_gib.to_string(),
                "Type": if disk.system { "system" } else { "data" }, "Encrypted": disk.encrypted, "Format": "",
                "ImportOSSBucket": "", "ImportOSSObject": "", "Progress": format!("{percent}%"),
                "RemainTime": remaining,
            })
        })
        .collect();
    let mut entry = json!({
        "ImageId": image.id, "ImageName": image.name, "ImageFamily": image.family, "ImageVersion": image.version,
        "ImageOwnerAlias": if image.owner == cx.uid { "self" } else { "others" },
        "ImageOwnerId": image.owner.parse::<u64>().unwrap_or_default(), "Description": image.description,
        "ResourceGroupId": image.resource_group, "LicenseType": image.license_type,
        "OSName": base.map_or("Linux", |base| &base.os_name), "OSNameEn": base.map_or("Linux", |base| &base.os_name),
        "OSType": base.map_or("linux", |base| &base.os_type),
        "Platform": image.platform.as_deref().or(base.map(|base| base.platform.as_str())).unwrap_or("Others Linux"),
        "Architecture": architecture(image, base), "Size": image.size_gib,
        "Status": image.stage.now, "Progress": format!("{percent}%"), "Usage": usage_of(cx, &image.id),
        "IsCopied": image.copied, "IsSubscribed": false, "IsPublic": image.community,
        "Usable": matches!(image.stage.now, ImageStatus::Available | ImageStatus::Deprecated),
        "IsSelfShared": if image.shared_with.is_empty() { "False" } else { "True" },
        "IsSupportCloudinit": true, "IsSupportIoOptimized": true, "LoginAsNonRootSupported": false,
        "BootMode": image.boot_mode, "CreationTime": image.created.to_seconds(),
        "Features": features(image.nvme, image.imds_v2),
        "DiskDeviceMappings": {"DiskDeviceMapping": disks}, "Tags": ecs_tags(&image.tags),
    });
    if image.detect && image.stage.now == ImageStatus::Available {
        entry["DetectionOptions"] = json!({"Status": "Finished", "Items": {"Item": []}});
    }
    entry
}
