//! Disks and snapshots.

use serde_json::{Value, json};

use crate::api::{
    Action, Answer, ApiError, Cx, Effect, Outcome, PAGE_100, ecs_tags, proper_name, read, refuse, write,
};
use crate::catalogue;
use crate::model::{Content, Disk, InstanceStatus, Snapshot, SnapshotStatus, Tags};
use crate::timings;

/// The actions of disks and snapshots.
pub const ACTIONS: &[Action] = &[
    read("DescribeDisks", &["RegionId"], describe_disks),
    write("DeleteDisk", &["DiskId"], delete_disk),
    write("CreateSnapshot", &["DiskId"], create_snapshot),
    read("DescribeSnapshots", &["RegionId"], describe_snapshots),
    write("DeleteSnapshot", &["SnapshotId"], delete_snapshot),
];

/// The categories of disks there are, with the smallest and the largest size in GiB (documentation of CreateDisk).
pub const CATEGORIES: &[(&str, u64, u64)] = &[
    ("cloud", 5, 2000),
    ("cloud_efficiency", 20, 32768),
    ("cloud_ssd", 20, 32768),
    ("cloud_essd", 1, 65536),
    ("cloud_auto", 1, 65536),
    ("cloud_essd_entry", 10, 32768),
    ("cloud_regional_disk_auto", 10, 65536),
];

fn describe_disks(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let params = cx.params;
    let ids = params.json_list("DiskIds")?;
    let wanted = |name: &str, has: bool| params.get(name).is_none_or(|_| params.flag(name) == Ok(has));
    let disks = cx.account().disks.values().filter(|disk| {
        disk.region == region.id
            && ids.as_ref().is_none_or(|ids| ids.contains(&disk.id))
            && params.get("InstanceId").is_none_or(|id| disk.instance_id.as_deref() == Some(id))
            && params.get("DiskType").is_none_or(|kind| kind == "all" || (kind == "system") == disk.system)
            && params.get("Category").is_none_or(|category| category == "all" || category == disk.category)
            && params.get("DiskName").is_none_or(|name| name == disk.name)
            && params.get("ZoneId").is_none_or(|zone| zone == disk.zone)
            && params.get("Status").is_none_or(|status| status == "All" || status == disk_status(disk))
            && params.get("SnapshotId").is_none_or(|id| disk.source_snapshot.as_deref() == Some(id))
            && params.get("KMSKeyId").is_none_or(|key| key == disk.kms_key)
            && wanted("Encrypted", disk.encrypted)
            && wanted("DeleteWithInstance", disk.delete_with_instance)
            && wanted("Portable", !disk.system)
            && params.wants(&disk.tags)
    });
    let items: Vec<Value> = disks
        .map(|disk| {
            json!({
                "DiskId": disk.id, "DiskName": disk.name, "RegionId": disk.region, "ZoneId": disk.zone,
                "Type": if disk.system { "system" } else { "data" }, "Category": disk.category, "Size": disk.size_gib,
                "Status": disk_status(disk), "Device": disk.device,
                "Description": disk.description, "PerformanceLevel": disk.performance_level,
                "InstanceId": disk.instance_id.clone().unwrap_or_default(), "Encrypted": disk.encrypted,
                "KMSKeyId": disk.kms_key, "DeleteWithInstance": disk.delete_with_instance, "Portable": !disk.system,
                "SourceSnapshotId": disk.source_snapshot.clone().unwrap_or_default(),
                "CreationTime": disk.created.to_seconds(), "Tags": ecs_tags(&disk.tags),
            })
        })
        .collect();
    cx.page("Disks", "Disk", items, PAGE_100)
}

fn disk_status(disk: &Disk) -> &'static str {
    if disk.instance_id.is_some() { "In_use" } else { "Available" }
}

fn delete_disk(cx: &mut Cx<'_>) -> Answer {
    let id = cx.params.text("DiskId");
    let disk = cx.account().disks.get(&id).ok_or_else(|| refuse("InvalidDiskId.NotFound"))?;
    if disk.instance_id.is_some() {
        return Err(refuse("IncorrectDiskStatus"));
    }
    cx.account_mut().disks.remove(&id);
    Ok(json!({}))
}

fn create_snapshot(cx: &mut Cx<'_>) -> Answer {
    let id = cx.params.text("DiskId");
    let disk = cx.account().disks.get(&id).cloned().ok_or_else(|| refuse("InvalidDiskId.NotFound"))?;
    let name = cx.params.text("SnapshotName");
    if !name.is_empty() && (!proper_name(&name) || name.starts_with("auto")) {
        return Err(refuse("InvalidSnapshotName.Malformed"));
    }
    let retention_days: Option<u32> = cx.params.number("RetentionDays")?;
    if retention_days.is_some_and(|days| !(1..=65536).contains(&days)) {
        return Err(ApiError::invalid("RetentionDays"));
    }
    if let Some(instance) = disk.instance_id.as_ref().and_then(|id| cx.account().instances.get(id)) {
        let steady = matches!(instance.stage.now, InstanceStatus::Running | InstanceStatus::Stopped);
        if !steady || instance.deleting {
            return Err(refuse("IncorrectDiskStatus"));
        }
    }
    let tags = cx.params.tags()?;
    snapshot_quota(cx, &disk.region, 1)?;
    let snapshot = take_snapshot(cx, &disk, name, tags, timings::SNAPSHOT_CREATE)?;
    let description = cx.params.text("Description");
    if let Some(taken) = cx.account_mut().snapshots.get_mut(&snapshot) {
        (taken.retention_days, taken.description) = (retention_days, description);
    }
    Ok(json!({"SnapshotId": snapshot}))
}

/// Makes a snapshot of a disk; that of a system disk captures what is on it.
pub fn take_snapshot(
    cx: &mut Cx<'_>,
    disk: &Disk,
    name: String,
    tags: Tags,
    wait: std::time::Duration,
) -> Result<String, ApiError> {
    let region = catalogue::region(&disk.region).ok_or_else(|| refuse("InvalidRegionId.NotFound"))?;
    let id = cx.new_id("s", region);
    let mut layers = Vec::new();
    let mut content = Content::Ready;
    if disk.system
        && let Some(instance) = disk.instance_id.clone()
        && let Some(found) = cx.account().instances.get(&instance)
    {
        layers.clone_from(&found.layers);
        layers.push(id.clone());
        content = Content::Pending;
        cx.effects.push(Effect::Capture { instance, snapshot: id.clone(), layer: id.clone() });
    }
    let end =
        if cx.outcome == Outcome::Fails { SnapshotStatus::Failed } else { SnapshotStatus::Accomplished };
    let snapshot = Snapshot {
        id: id.clone(),
        region: disk.region.clone(),
        name,
        description: String::new(),
        disk_id: disk.id.clone(),
        disk_system: disk.system,
        size_gib: disk.size_gib,
        retention_days: None,
        encrypted: disk.encrypted,
        kms_key: disk.kms_key.clone(),
        layers,
        content,
        tags,
        created: cx.now(),
        stage: cx.stage(SnapshotStatus::Progressing, &[(wait, end)]),
    };
    cx.account_mut().snapshots.insert(id.clone(), snapshot);
    Ok(id)
}

fn describe_snapshots(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let params = cx.params;
    let now = cx.now();
    let ids = params.json_list("SnapshotIds")?;
    let snapshots = cx.account().snapshots.values().filter(|snapshot| {
        snapshot.region == region.id
            && ids.as_ref().is_none_or(|ids| ids.contains(&snapshot.id))
            && params.get("DiskId").is_none_or(|id| id == snapshot.disk_id)
            && params.get("SnapshotName").is_none_or(|name| name == snapshot.name)
            && params
                .get("Status")
                .is_none_or(|status| status == "all" || json!(snapshot.stage.now) == status)
            && params.get("InstanceId").is_none_or(|id| {
                cx.account()
                    .disks
                    .get(&snapshot.disk_id)
                    .is_some_and(|disk| disk.instance_id.as_deref() == Some(id))
            })
            && params.wants(&snapshot.tags)
    });
    let items: Vec<Value> = snapshots
        .map(|snapshot| {
            let used = cx.state.images.values().any(|image| image.disks.iter().any(|disk| disk.snapshot_id == snapshot.id));
            let percent = if snapshot.stage.now == SnapshotStatus::Progressing { snapshot.stage.percent(now) } else { 100 };
            json!({
                "SnapshotId": snapshot.id, "SnapshotName": snapshot.name, "Description": snapshot.description,
                "Status": snapshot.stage.now, "Progress": format!("{percent}%"), "SourceDiskId": snapshot.disk_id,
                "SourceDiskType": if snapshot.disk_system { "system" } else { "data" },
                "SourceDiskSize": snapshot.size_gib.to_string(), "Encrypted": snapshot.encrypted,
                "KMSKeyId": snapshot.kms_key,
                "RetentionDays": snapshot.retention_days, "Usage": if used { "image" } else { "none" },
                "CreationTime": snapshot.created.to_seconds(), "SnapshotType": "user",
                "Available": snapshot.stage.now == SnapshotStatus::Accomplished, "Tags": ecs_tags(&snapshot.tags),
            })
        })
        .collect();
    cx.page("Snapshots", "Snapshot", items, PAGE_100)
}

/// Refuses when a region has no room for this many more snapshots of the caller.
pub fn snapshot_quota(cx: &Cx<'_>, region: &str, more: usize) -> Result<(), ApiError> {
    let has = cx.account().snapshots.values().filter(|snapshot| snapshot.region == region).count();
    cx.within_quota("snapshot", 1000, has + more.saturating_sub(1), "QuotaExceed.Snapshot")
}

/// Returns the device of a data disk for which none is named, counted from 0.
pub fn data_device(position: usize) -> String {
    format!("/dev/xvd{}", char::from(b'b' + u8::try_from(position % 24).unwrap_or(0)))
}

fn delete_snapshot(cx: &mut Cx<'_>) -> Answer {
    let id = cx.params.text("SnapshotId");
    if !cx.account().snapshots.contains_key(&id) {
        return Err(refuse("InvalidSnapshotId.NotFound"));
    }
    if cx.state.images.values().any(|image| image.disks.iter().any(|disk| disk.snapshot_id == id)) {
        return Err(refuse("SnapshotCreatedImage"));
    }
    cx.account_mut().snapshots.remove(&id);
    cx.effects.push(Effect::SweepLayers);
    Ok(json!({}))
}
