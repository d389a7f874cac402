//! Making an image of an instance, of snapshots, or of a snapshot: if several are named, the first of these counts.

use serde_json::json;

use super::{
    BOOT_MODES, DEFAULT_BOOT_MODE, base_of, check_description, check_family, check_name, end_of, one_of,
};
use crate::api::{Answer, ApiError, Cx, refuse};
use crate::ecs::disks::take_snapshot;
use crate::model::{Image, ImageDisk, ImageStatus, InstanceStatus, Snapshot, SnapshotStatus, Tags};
use crate::timings;

/// An image has at most this many disks: the system's and sixteen for data.
const DISKS_MAX: usize = 17;

/// What an image is made of.
struct Source {
    /// The public image it all began with; empty if that is not known.
    base_image: String,
    disks: Vec<ImageDisk>,
    nvme: bool,
    imds_v2: bool,
    boot_mode: String,
}

impl Source {
    /// What is known of disks alone.
    fn of_disks(base_image: String, disks: Vec<ImageDisk>) -> Source {
        Source { base_image, disks, nvme: false, imds_v2: false, boot_mode: DEFAULT_BOOT_MODE.to_owned() }
    }
}

/// Makes an image; its snapshots are new ones if it is made of an instance.
pub fn create(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let name = cx.params.get("ImageName").map(str::to_owned);
    if let Some(name) = &name {
        check_name(cx, &region.id, name)?;
    }
    let family = cx.params.text("ImageFamily");
    check_family(&family)?;
    let description = cx.params.text("Description");
    check_description(&description)?;
    let version = cx.params.text("ImageVersion");
    if version.chars().count() > 40 {
        return Err(ApiError::invalid("ImageVersion"));
    }
    let architecture = match cx.params.get("Architecture") {
        Some(given) if !["i386", "x86_64", "arm64"].contains(&given) => {
            return Err(refuse("InvalidArchitecture.Malformed"));
        }
        given => given.map(str::to_owned),
    };
    let boot_mode = one_of(cx, "BootMode", BOOT_MODES)?;
    let imds = one_of(cx, "Features.ImdsSupport", &["v1", "v2"])?;
    let detect = one_of(cx, "DetectionStrategy", &["Standard"])?.is_some();
    let tags = cx.params.tags()?;
    super::within_quota(cx, &region.id)?;

    let source = if let Some(instance) = cx.params.get("InstanceId") {
        of_instance(cx, &region.id, instance, name.as_deref(), &tags)?
    } else if !cx.params.indexes("DiskDeviceMapping").is_empty() {
        of_mappings(cx, &region.id)?
    } else if let Some(snapshot) = cx.params.get("SnapshotId") {
        of_snapshot(cx, &region.id, snapshot)?
    } else {
        return Err(ApiError::missing("InstanceId"));
    };
    let id = cx.new_id("m", region);
    let image = Image {
        id: id.clone(),
        owner: cx.uid.clone(),
        region: region.id.clone(),
        name: name.unwrap_or_else(|| id.clone()),
        family,
        version,
        description,
        resource_group: cx.params.text("ResourceGroupId"),
        boot_mode: boot_mode.unwrap_or(source.boot_mode),
        architecture,
        platform: cx.params.get("Platform").map(str::to_owned),
        license_type: String::new(),
        nvme: source.nvme,
        imds_v2: imds.map_or(source.imds_v2, |version| version == "v2"),
        detect,
        community: false,
        base_image: source.base_image,
        size_gib: source.disks.iter().find(|disk| disk.system).map_or(20, |disk| disk.size_gib),
        copied: false,
        copying: None,
        disks: source.disks,
        shared_with: Vec::new(),
        tags,
        created: cx.now(),
        stage: cx.stage(ImageStatus::Creating, &[(timings::IMAGE_CREATE, end_of(cx))]),
    };
    cx.state.images.insert(id.clone(), image);
    Ok(json!({"ImageId": id}))
}

/// Takes snapshots of all disks of an instance for a new image.
fn of_instance(
    cx: &mut Cx<'_>,
    region: &str,
    id: &str,
    image_name: Option<&str>,
    tags: &Tags,
) -> Result<Source, ApiError> {
    let found =
        cx.account().instances.get(id).filter(|instance| instance.region == region && !instance.deleting);
    let instance = found.ok_or_else(|| refuse("InvalidInstanceId.NotFound"))?;
    if !matches!(instance.stage.now, InstanceStatus::Running | InstanceStatus::Stopped) {
        return Err(refuse("IncorrectInstanceStatus"));
    }
    let base = base_of(cx.state, &instance.image_id);
    let custom = cx.state.images.get(&instance.image_id);
    let recent = base.is_some_and(|base| base.is_recent());
    let mut source = Source {
        base_image: base.map_or_else(String::new, |base| base.id.clone()),
        disks: Vec::new(),
        nvme: custom.map_or(recent, |image| image.nvme),
        imds_v2: custom.map_or(recent, |image| image.imds_v2),
        boot_mode: custom.map_or(DEFAULT_BOOT_MODE, |image| &image.boot_mode).to_owned(),
    };
    let mut disks: Vec<_> =
        cx.account().disks.values().filter(|disk| disk.instance_id.as_deref() == Some(id)).cloned().collect();
    disks.sort_by(|one, other| other.system.cmp(&one.system).then_with(|| one.device.cmp(&other.device)));
    crate::ecs::disks::snapshot_quota(cx, region, disks.len())?;
    for disk in disks {
        let name = format!("Created_from_{}", image_name.unwrap_or(id));
        let snapshot_id = take_snapshot(cx, &disk, name, tags.clone(), timings::IMAGE_CREATE)?;
        source.disks.push(ImageDisk {
            snapshot_id,
            device: disk.device,
            size_gib: disk.size_gib,
            system: disk.system,
            encrypted: disk.encrypted,
            kms_key: disk.kms_key,
        });
    }
    Ok(source)
}

/// Finds a snapshot of the caller that an image can be made of.
fn finished<'a>(cx: &'a Cx<'_>, region: &str, id: &str) -> Result<&'a Snapshot, ApiError> {
    let found = cx.account().snapshots.get(id).filter(|snapshot| snapshot.region == region);
    let snapshot = found.ok_or_else(|| refuse("InvalidSnapshotId.NotFound"))?;
    if snapshot.stage.now == SnapshotStatus::Accomplished {
        Ok(snapshot)
    } else {
        Err(refuse("IncorrectSnapshotStatus"))
    }
}

fn disk_of(snapshot: &Snapshot, device: String, size_gib: u64, system: bool) -> ImageDisk {
    ImageDisk {
        snapshot_id: snapshot.id.clone(),
        device,
        size_gib,
        system,
        encrypted: snapshot.encrypted,
        kms_key: snapshot.kms_key.clone(),
    }
}

fn of_snapshot(cx: &Cx<'_>, region: &str, id: &str) -> Result<Source, ApiError> {
    let snapshot = finished(cx, region, id)?;
    let disk = disk_of(snapshot, "/dev/xvda".to_owned(), snapshot.size_gib, true);
    Ok(Source::of_disks(system_inside(cx, snapshot), vec![disk]))
}

/// Reads `DiskDeviceMapping.N.*`: one of the disks is the system's, the others may be empty.
fn of_mappings(cx: &Cx<'_>, region: &str) -> Result<Source, ApiError> {
    let (mut base_image, mut disks) = (String::new(), Vec::<ImageDisk>::new());
    for at in cx.params.indexes("DiskDeviceMapping") {
        let name = |field: &str| format!("DiskDeviceMapping.{at}.{field}");
        let kind = match cx.params.get(&name("DiskType")) {
            Some(kind) if kind != "system" && kind != "data" => {
                return Err(refuse("InvalidDiskType.ValueNotSupported"));
            }
            kind => kind,
        };
        let snapshot = cx.params.get(&name("SnapshotId")).map(|id| finished(cx, region, id)).transpose()?;
        let system = kind
            .map_or_else(|| snapshot.is_some_and(|snapshot| snapshot.disk_system), |kind| kind == "system");
        let least = snapshot.map_or(20, |snapshot| snapshot.size_gib);
        let size: u64 = cx.params.number(&name("Size"))?.unwrap_or(least);
        if size < least || size > 32768 {
            return Err(refuse("InvalidSize.ValueNotSupported"));
        }
        let usual = if system {
            "/dev/xvda".to_owned()
        } else {
            let data = disks.iter().filter(|disk| !disk.system).count();
            crate::ecs::disks::data_device(data)
        };
        let device = cx.params.get(&name("Device")).map_or(usual, str::to_owned);
        if disks.iter().any(|disk| disk.device == device) {
            return Err(refuse("InvalidDevice.InUse"));
        }
        match snapshot {
            Some(snapshot) => {
                if system {
                    base_image = system_inside(cx, snapshot);
                }
                disks.push(disk_of(snapshot, device, size, system));
            }
            None if system => return Err(ApiError::missing(&name("SnapshotId"))),
            None => disks.push(ImageDisk {
                snapshot_id: String::new(),
                device,
                size_gib: size,
                system,
                encrypted: false,
                kms_key: String::new(),
            }),
        }
    }
    let said = match disks.iter().filter(|disk| disk.system).count() {
        0 => "does not contain system disk snapshot.",
        1 if disks.len() > DISKS_MAX => return Err(ApiError::invalid("DiskDeviceMapping")),
        1 => return Ok(Source::of_disks(base_image, disks)),
        _ => "contains two or more system disk snapshots.",
    };
    let text = format!("The specified parameter DiskDeviceMapping.n.SnapshotId {said}");
    Err(refuse("OperationDenied").with_status(400).saying(text))
}

/// Returns the public image a snapshot's system began with. It is known from the instance, while that is there, or
/// from other images of the snapshot.
fn system_inside(cx: &Cx<'_>, snapshot: &Snapshot) -> String {
    let disk = cx.account().disks.get(&snapshot.disk_id);
    let instance =
        disk.and_then(|disk| disk.instance_id.as_ref()).and_then(|id| cx.account().instances.get(id));
    let mut images = cx.state.images.values();
    let image = images.find(|image| image.disks.iter().any(|disk| disk.snapshot_id == snapshot.id));
    instance
        .and_then(|instance| base_of(cx.state, &instance.image_id))
        .map(|base| base.id.clone())
        .or_else(|| image.map(|image| image.base_image.clone()))
        .unwrap_or_default()
}
