//! Snapshots: `progressing`, `accomplished`, `failed`.

use serde::{Deserialize, Serialize};

use super::{Ecs, Tag};
use crate::{
    Acknowledged, DiskId, InstanceId, SnapshotId, action::action, answer::nested, page::paged_by_number,
    params::json_list,
};

/// Makes a snapshot of a disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateSnapshot {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// The disk.
    pub disk_id: DiskId,
    /// Its name.
    pub snapshot_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Days until the cloud deletes it by itself, 1–65536.
    pub retention_days: Option<u32>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// The new snapshot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateSnapshotAnswer {
    /// Its id.
    pub snapshot_id: SnapshotId,
}

action!(
    /// Begins a snapshot of a disk.
    Ecs.create_snapshot(CreateSnapshot) -> CreateSnapshotAnswer, Token, 86 s
);

/// Lists snapshots. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSnapshots {
    /// Only these, at most 100.
    #[serde(serialize_with = "json_list")]
    pub snapshot_ids: Vec<SnapshotId>,
    /// Only of this instance's disks.
    pub instance_id: Option<InstanceId>,
    /// Only of this disk.
    pub disk_id: Option<DiskId>,
    /// Only with this name.
    pub snapshot_name: Option<String>,
    /// `progressing`, `accomplished`, `failed` or `all`.
    pub status: Option<String>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 100.
    pub page_size: Option<u32>,
}

/// One page of snapshots.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeSnapshotsAnswer {
    /// The snapshots.
    #[serde(deserialize_with = "nested")]
    pub snapshots: Vec<Snapshot>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// A snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Snapshot {
    /// Its id.
    pub snapshot_id: SnapshotId,
    /// Its name.
    pub snapshot_name: String,
    /// `progressing`, `accomplished` or `failed`.
    pub status: String,
    /// `62%`.
    pub progress: String,
    /// The disk it is of.
    pub source_disk_id: DiskId,
    /// `system` or `data`.
    pub source_disk_type: String,
    /// `image`, `disk`, `image_disk` or `none`: what was made from it.
    pub usage: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// When it was begun.
    pub creation_time: String,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

action!(
    /// Returns one page of snapshots.
    Ecs.describe_snapshots(DescribeSnapshots) -> DescribeSnapshotsAnswer, Read, 10 s
);
paged_by_number!(DescribeSnapshots, snapshots: Snapshot, 100);

/// Deletes a snapshot, also one still in progress.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteSnapshot {
    /// Its id.
    pub snapshot_id: SnapshotId,
    /// Also when disks were made from it. (An image made from it still forbids it.)
    pub force: Option<bool>,
}

action!(
    /// Deletes a snapshot.
    Ecs.delete_snapshot(DeleteSnapshot) -> Acknowledged, Safe, 10 s
);
