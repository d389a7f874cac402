//! Disks.

use serde::{Deserialize, Serialize};

use super::{Ecs, Tag};
use crate::{
    Acknowledged, DiskId, InstanceId, SnapshotId, ZoneId, action::action, answer::nested,
    page::paged_by_number, params::json_list,
};

/// Lists disks. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeDisks {
    /// Only of this instance.
    pub instance_id: Option<InstanceId>,
    /// Only these, at most 100.
    #[serde(serialize_with = "json_list")]
    pub disk_ids: Vec<DiskId>,
    /// `system`, `data` or `all`.
    pub disk_type: Option<String>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 100.
    pub page_size: Option<u32>,
}

/// One page of disks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeDisksAnswer {
    /// The disks.
    #[serde(deserialize_with = "nested")]
    pub disks: Vec<Disk>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Disk {
    /// Its id.
    pub disk_id: DiskId,
    /// Its name.
    pub disk_name: String,
    /// `In_use`, `Available`, `Attaching`, `Detaching`, `Creating`, `ReIniting`.
    pub status: String,
    /// `system` or `data`.
    #[serde(rename = "Type")]
    pub disk_type: String,
    /// `cloud_essd`, `cloud_efficiency` …
    pub category: String,
    /// GiB.
    pub size: u32,
    /// Where it is attached: `/dev/xvda`.
    pub device: String,
    /// The instance it is attached to.
    pub instance_id: InstanceId,
    /// The snapshot it was made from.
    pub source_snapshot_id: Option<SnapshotId>,
    /// Its zone.
    pub zone_id: ZoneId,
    /// Whether it dies with its instance.
    pub delete_with_instance: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

action!(
    /// Returns one page of disks.
    Ecs.describe_disks(DescribeDisks) -> DescribeDisksAnswer, Read, 10 s
);
paged_by_number!(DescribeDisks, disks: Disk, 100);

/// Deletes a disk that is attached to nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteDisk {
    /// Its id.
    pub disk_id: DiskId,
}

action!(
    /// Deletes a disk that is attached to nothing.
    Ecs.delete_disk(DeleteDisk) -> Acknowledged, Safe, 10 s
);
