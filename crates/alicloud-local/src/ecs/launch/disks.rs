//! Which disks a new instance gets: the system's, those of the image, and those the call names.

use crate::api::{ApiError, Cx, refuse};
use crate::catalogue::Region;
use crate::ecs::disks::{CATEGORIES, data_device};
use crate::model::SnapshotStatus;

/// An instance has at most this many disks: the system's and sixteen for data.
const DISKS_MAX: usize = 17;

/// What a disk gets for which no category is named, where it is supported (notice of 2026-01-30).
const USUAL_CATEGORY: &str = "cloud_auto";

/// A disk to be made.
#[derive(Clone)]
pub struct DiskOrder {
    pub system: bool,
    pub category: String,
    pub performance_level: String,
    pub size_gib: u64,
    pub name: String,
    pub description: String,
    pub device: String,
    pub snapshot: Option<String>,
    pub delete_with_instance: bool,
    pub encrypted: bool,
    pub kms_key: String,
}

/// Reads `SystemDisk.*` and `DataDisk.N.*` and adds the disks of the image.
pub fn read(
    cx: &Cx<'_>,
    region: &Region,
    image_id: &str,
    image_gib: u64,
) -> Result<Vec<DiskOrder>, ApiError> {
    let mut disks = vec![system(cx, image_id, image_gib)?];
    if let Some(image) = cx.state.images.get(image_id) {
        for disk in image.disks.iter().filter(|disk| !disk.system) {
            disks.push(DiskOrder {
                system: false,
                category: USUAL_CATEGORY.to_owned(),
                performance_level: String::new(),
                size_gib: disk.size_gib,
                name: String::new(),
                description: String::new(),
                device: disk.device.clone(),
                snapshot: Some(disk.snapshot_id.clone()).filter(|id| !id.is_empty()),
                delete_with_instance: true,
                encrypted: disk.encrypted,
                kms_key: disk.kms_key.clone(),
            });
        }
    }
    for at in cx.params.indexes("DataDisk") {
        let disk = data(cx, region, &format!("DataDisk.{at}"), &disks)?;
        // One that is named like a disk of the image takes its place.
        match disks.iter_mut().find(|other| other.device == disk.device) {
            Some(other) if other.system => return Err(refuse("InvalidDevice.InUse")),
            Some(other) => *other = disk,
            None => disks.push(disk),
        }
    }
    if disks.len() > DISKS_MAX {
        return Err(refuse("InstanceDiskNumLimitExceed"));
    }
    Ok(disks)
}

fn system(cx: &Cx<'_>, image_id: &str, image_gib: u64) -> Result<DiskOrder, ApiError> {
    let size: Option<u64> = cx.params.number("SystemDisk.Size")?;
    if size.is_some_and(|size| size < image_gib) {
        return Err(refuse("InvalidSystemDiskSize.LessThanImageSize"));
    }
    // Documented: the greater of 40 GiB and the image's size.
    let size_gib = size.unwrap_or(image_gib.max(40));
    if size_gib > 2048 {
        return Err(refuse("InvalidDiskSize.NotSupported"));
    }
    let inherited =
        cx.state.images.get(image_id).and_then(|image| image.disks.iter().find(|disk| disk.system));
    let encryption = encryption(cx, "SystemDisk")?;
    let (category, performance_level) = kind(cx, "SystemDisk", size_gib)?;
    Ok(DiskOrder {
        system: true,
        category,
        performance_level,
        size_gib,
        name: cx.params.text("SystemDisk.DiskName"),
        description: cx.params.text("SystemDisk.Description"),
        device: "/dev/xvda".to_owned(),
        snapshot: None,
        delete_with_instance: true,
        encrypted: encryption.is_some() || inherited.is_some_and(|disk| disk.encrypted),
        kms_key: encryption
            .unwrap_or_else(|| inherited.map_or_else(String::new, |disk| disk.kms_key.clone())),
    })
}

fn data(cx: &Cx<'_>, region: &Region, prefix: &str, before: &[DiskOrder]) -> Result<DiskOrder, ApiError> {
    let value = |name: &str| cx.params.get(&format!("{prefix}.{name}"));
    let snapshot = match value("SnapshotId") {
        None => None,
        Some(id) => {
            let found = cx.account().snapshots.get(id).filter(|snapshot| snapshot.region == region.id);
            let found = found.ok_or_else(|| refuse("InvalidSnapshotId.NotFound"))?;
            if found.disk_system {
                return Err(refuse("InvalidSnapshotId.NotDataDiskSnapshot"));
            }
            if found.stage.now != SnapshotStatus::Accomplished {
                return Err(refuse("InvalidSnapshotId.NotReady"));
            }
            Some(found)
        }
    };
    let least = snapshot.map_or(0, |snapshot| snapshot.size_gib);
    let size: u64 = cx.params.number(&format!("{prefix}.Size"))?.unwrap_or(0);
    // A snapshot that is larger than what was ordered decides the size.
    let size_gib = size.max(least);
    if size_gib == 0 {
        return Err(refuse("InvalidDiskSize.NotSupported"));
    }
    let (category, performance_level) = kind(cx, prefix, size_gib)?;
    let encryption = encryption(cx, prefix)?;
    let free =
        (0..DISKS_MAX).map(data_device).find(|device| before.iter().all(|disk| disk.device != *device));
    Ok(DiskOrder {
        system: false,
        category,
        performance_level,
        size_gib,
        name: value("DiskName").unwrap_or_default().to_owned(),
        description: value("Description").unwrap_or_default().to_owned(),
        device: value("Device").map(str::to_owned).or(free).unwrap_or_default(),
        snapshot: snapshot.map(|snapshot| snapshot.id.clone()),
        delete_with_instance: value("DeleteWithInstance").is_none()
            || cx.params.flag(&format!("{prefix}.DeleteWithInstance"))?,
        encrypted: encryption.is_some() || snapshot.is_some_and(|snapshot| snapshot.encrypted),
        kms_key: encryption.unwrap_or_else(|| snapshot.map_or_else(String::new, |of| of.kms_key.clone())),
    })
}

/// Reads category and performance level, and refuses a size that they do not come in.
fn kind(cx: &Cx<'_>, prefix: &str, size_gib: u64) -> Result<(String, String), ApiError> {
    let category = cx.params.get(&format!("{prefix}.Category")).unwrap_or(USUAL_CATEGORY);
    let Some((_, least, most)) = CATEGORIES.iter().find(|(name, _, _)| *name == category) else {
        return Err(refuse("InvalidDiskCategory.NotSupported"));
    };
    if !(*least..=*most).contains(&size_gib) {
        return Err(refuse("InvalidDiskSize.NotSupported"));
    }
    let level = match (cx.params.get(&format!("{prefix}.PerformanceLevel")), category) {
        (None, "cloud_essd") => "PL1",
        (None, _) => return Ok((category.to_owned(), String::new())),
        (Some(level), "cloud_essd") => level,
        (Some(_), _) => return Err(ApiError::invalid(&format!("{prefix}.PerformanceLevel"))),
    };
    let least = match level {
        "PL0" => 1,
        "PL1" => 20,
        "PL2" => 461,
        "PL3" => 1261,
        _ => return Err(ApiError::invalid(&format!("{prefix}.PerformanceLevel"))),
    };
    if size_gib < least {
        return Err(refuse("OperationDenied.PerformanceLevelNotMatch"));
    }
    Ok((category.to_owned(), level.to_owned()))
}

/// Returns the key of a disk that is to be encrypted; an empty one is the service's own.
fn encryption(cx: &Cx<'_>, prefix: &str) -> Result<Option<String>, ApiError> {
    let encrypted = cx.params.flag(&format!("{prefix}.Encrypted"))?;
    let key = cx.params.text(&format!("{prefix}.KMSKeyId"));
    if !encrypted && !key.is_empty() {
        return Err(refuse("InvalidParameter.EncryptedIllegal"));
    }
    Ok(encrypted.then_some(key))
}
