//! A disk of the temporary instance.

use alicloud_api::ecs;
use schemars::JsonSchema;
use serde::Deserialize;

/// One disk.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct DiskConfig {
    /// Name of the disk.
    pub disk_name: Option<String>,
    /// Category: `cloud_essd`, `cloud_auto`, `cloud_efficiency`, …; by default the API picks.
    pub disk_category: Option<String>,
    /// Size in GiB.
    pub disk_size: Option<i64>,
    /// Snapshot a data disk is made of.
    pub disk_snapshot_id: Option<String>,
    /// Description of the disk.
    pub disk_description: Option<String>,
    /// Temporary disks always go with the instance; `false` on a data disk gets a warning.
    pub disk_delete_with_instance: Option<bool>,
    /// Device of a data disk, passed on as it is: `/dev/xvdb`.
    pub disk_device: Option<String>,
    /// Whether the disk is encrypted.
    pub disk_encrypted: Option<bool>,
    /// Key the disk is encrypted with.
    pub disk_kms_key_id: Option<String>,
}

impl DiskConfig {
    fn size(&self) -> Option<u32> {
        self.disk_size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0)
    }

    /// Returns the disk as `RunInstances` takes the system disk, or `None` if nothing was said of it.
    pub(crate) fn system(&self) -> Option<ecs::SystemDisk> {
        let disk = ecs::SystemDisk {
            disk_name: self.disk_name.clone(),
            category: self.disk_category.clone(),
            size: self.size(),
            description: self.disk_description.clone(),
            encrypted: self.disk_encrypted,
            kms_key_id: self.disk_kms_key_id.clone(),
            ..ecs::SystemDisk::default()
        };
        (disk != ecs::SystemDisk::default()).then_some(disk)
    }

    /// Returns the disk as `RunInstances` takes a data disk. It always goes with the instance: a temporary disk that
    /// stays behind is billed for ever.
    pub(crate) fn data(&self) -> ecs::DataDisk {
        ecs::DataDisk {
            disk_name: self.disk_name.clone(),
            category: self.disk_category.clone(),
            size: self.size(),
            snapshot_id: self.disk_snapshot_id.clone().filter(|id| !id.is_empty()).map(Into::into),
            description: self.disk_description.clone(),
            device: self.disk_device.clone(),
            encrypted: self.disk_encrypted,
            kms_key_id: self.disk_kms_key_id.clone(),
            delete_with_instance: Some(true),
            ..ecs::DataDisk::default()
        }
    }
}
