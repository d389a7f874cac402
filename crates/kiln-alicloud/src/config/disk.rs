//! A disk of the temporary instance.

use alicloud_api::ecs;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::given;

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
    /// Key the disk is encrypted with; by default the service key. Needs `disk_encrypted`.
    pub disk_kms_key_id: Option<String>,
    /// `PL0` to `PL3`: performance level of a disk of category `cloud_essd`.
    pub disk_performance_level: Option<String>,
}

impl DiskConfig {
    fn size(&self) -> Option<u32> {
        self.disk_size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0)
    }

    /// Returns what the cloud would refuse, or do otherwise than it was meant.
    pub(super) fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        if let Some(level) = given(&self.disk_performance_level) {
            if !["PL0", "PL1", "PL2", "PL3"].contains(&level) {
                let message =
                    format!("disk_performance_level should be 'PL0', 'PL1', 'PL2' or 'PL3', not '{level}'");
                faults.push((message, ""));
            }
            if let Some(category) = given(&self.disk_category).filter(|category| *category != "cloud_essd") {
                let message = format!("a disk of category {category} has no disk_performance_level");
                faults.push((message, "only `cloud_essd` has performance levels"));
            }
        }
        // What is believed to be encrypted with a key must not turn out plain.
        if given(&self.disk_kms_key_id).is_some() && self.disk_encrypted != Some(true) {
            let hint = "set `disk_encrypted` to true, or leave the key out";
            faults.push(("disk_kms_key_id without disk_encrypted encrypts nothing".to_owned(), hint));
        }
        faults
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
            performance_level: self.disk_performance_level.clone(),
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
            performance_level: self.disk_performance_level.clone(),
            delete_with_instance: Some(true),
        }
    }
}
