//! What becomes of the instance: its end, the image, and to whom it belongs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::given;
use super::disk::DiskConfig;

/// The fields of image, disks and the instance's end.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ImageConfig {
    /// **Required.** Name of the image: 2 to 128 characters, no spaces, not beginning with `http://` or `https://`.
    pub image_name: Option<String>,
    /// Version of the image, 1 to 40 characters.
    pub image_version: Option<String>,
    /// Description of the image and its copies, 2 to 256 characters.
    pub image_description: Option<String>,
    /// Resource group of the image and its copies.
    pub resource_group_id: Option<String>,
    /// Accounts the image and its copies are shared with.
    pub image_share_account: Vec<String>,
    /// Accounts the image and its copies are no longer shared with.
    pub image_unshare_account: Vec<String>,
    /// Regions the image is copied to. All copies are made at once and waited for.
    pub image_copy_regions: Vec<String>,
    /// Names of the copies, one for each of `image_copy_regions` in its order; a copy without one is named after image
    /// and source.
    pub image_copy_names: Vec<String>,
    /// `fail` or `warn`: whether a copy that fails fails the build, or is left out of the result with a warning.
    #[schemars(extend("x-default" = "fail"))]
    pub copy_failure: Option<String>,
    /// Whether the image is encrypted. `true`: image and copies are; `false`: copies are not; unset: copies are as the
    /// image is.
    pub image_encrypted: Option<bool>,
    /// Key the image is encrypted with; by default the service key. Needs `image_encrypted`.
    pub kms_key_id: Option<String>,
    /// Keys of the copies, one for each of `image_copy_regions` in its order; by default the regions' service keys.
    #[serde(alias = "image_copy_kms_ids")]
    #[schemars(extend("x-alias" = ["image_copy_kms_ids"]))]
    pub kms_key_copy_ids: Vec<String>,
    /// Replace existing images of exactly this name (own ones only), also in copied regions that have a name. `-force`
    /// sets it.
    pub image_force_delete: bool,
    /// Delete their snapshots too. `-force` sets it.
    pub image_force_delete_snapshots: bool,
    /// No effect, as in Packer: `image_force_delete` also replaces images that instances were made of.
    pub image_force_delete_instances: bool,
    /// Make the image from a snapshot of the system disk alone.
    pub image_ignore_data_disks: bool,
    /// Provision, but make no image.
    pub skip_create_image: bool,
    /// Tags of the image, its copies and their snapshots.
    pub tags: BTreeMap<String, String>,
    /// Further tags, one a block; wins over an equal key of `tags`.
    pub tag: Vec<TagConfig>,
    /// Family the image becomes the newest of, once it is ready in all regions.
    pub target_image_family: Option<String>,
    /// Boot mode of the image and its copies: `BIOS`, `UEFI` or `UEFI-Preferred`.
    pub boot_mode: Option<String>,
    /// `supported` or `unsupported`: whether the image has the driver for NVMe disks, which newer instance types need.
    /// By default as the source image.
    pub nvme_support: Option<String>,
    /// `v1` or `v2`: `v2` lets instances of the image insist on tokens at the metadata service. By default as the source
    /// image.
    pub image_imds_support: Option<String>,
    /// Seconds to wait for snapshot and image; 3600 by default.
    pub wait_snapshot_ready_timeout: Option<i64>,
    /// Seconds to wait for the copies; 3600 by default.
    pub wait_copying_image_ready_timeout: Option<i64>,

    /// The system disk of the temporary instance.
    pub system_disk_mapping: DiskConfig,
    /// Data disks of the temporary instance; they become part of the image unless `image_ignore_data_disks` is set.
    pub image_disk_mappings: Vec<DiskConfig>,

    /// Stop the instance by force.
    pub force_stop_instance: bool,
    /// Do not stop the instance: a provisioner does.
    pub disable_stop_instance: bool,
    /// Seconds to wait until the instance has stopped; 1800 by default.
    pub wait_instance_stopped_timeout: Option<i64>,
}

/// One `tag`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct TagConfig {
    /// Key of the tag.
    pub key: String,
    /// Value of the tag.
    pub value: String,
}

impl ImageConfig {
    /// Returns what the user should know before the build.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.image_disk_mappings.iter().any(|disk| disk.disk_delete_with_instance == Some(false)) {
            let text = "disk_delete_with_instance: data disks of the temporary instance go with it all the same; a \
                        disk left behind would be billed for ever";
            warnings.push(text.to_owned());
        }
        if self.skip_create_image && (!self.image_copy_regions.is_empty() || self.shares()) {
            let text = "skip_create_image: no image is made, hence none is copied or shared";
            warnings.push(text.to_owned());
        }
        if self.image_force_delete_instances {
            warnings.push("image_force_delete_instances has no effect".to_owned());
        }
        if self.image_encrypted == Some(false)
            && self.disks_of_image().any(|disk| disk.disk_encrypted == Some(true))
        {
            let text = "image_encrypted is false, but the image is made of disks with disk_encrypted: it is encrypted \
                        all the same; only copies are not";
            warnings.push(text.to_owned());
        }
        let system = &self.system_disk_mapping;
        for (field, value) in
            [("disk_snapshot_id", &system.disk_snapshot_id), ("disk_device", &system.disk_device)]
        {
            if given(value).is_some() {
                warnings
                    .push(format!("{field} of system_disk_mapping is not used: the source image decides it"));
            }
        }
        warnings
    }

    /// Whether the image is shared, or a share taken back.
    pub(crate) fn shares(&self) -> bool {
        !self.image_share_account.is_empty() || !self.image_unshare_account.is_empty()
    }

    /// Returns the disks of the instance that become part of the image.
    pub(super) fn disks_of_image(&self) -> impl Iterator<Item = &DiskConfig> {
        let data = self.image_disk_mappings.iter().filter(|_| !self.image_ignore_data_disks);
        std::iter::once(&self.system_disk_mapping).chain(data)
    }
}
