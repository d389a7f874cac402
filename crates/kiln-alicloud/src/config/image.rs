//! What becomes of the instance: its end, the image, and to whom it belongs.

use std::collections::BTreeMap;
use std::time::Duration;

use kiln_core::scope::Scope;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::{Check, given};
use super::disk::DiskConfig;

/// The fields of image, disks and the instance's end.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ImageConfig {
    /// **Required.** Name of the image: 2 to 128 characters, no spaces, not beginning with `http://` or `https://`.
    pub image_name: Option<String>,
    /// Version of the image, 1 to 40 characters.
    pub image_version: Option<String>,
    /// Description of the image, 2 to 256 characters.
    pub image_description: Option<String>,
    /// Resource group of the image.
    pub resource_group_id: Option<String>,
    /// Accounts the image is shared with.
    pub image_share_account: Vec<String>,
    /// Accounts the image is no longer shared with.
    pub image_unshare_account: Vec<String>,
    /// Delete existing images of exactly this name (own ones only) before the image is made. `-force` sets it.
    pub image_force_delete: bool,
    /// Delete their snapshots too. `-force` sets it.
    pub image_force_delete_snapshots: bool,
    /// Make the image from a snapshot of the system disk alone.
    pub image_ignore_data_disks: bool,
    /// Provision, but make no image.
    pub skip_create_image: bool,
    /// Tags of the image and its snapshots.
    pub tags: BTreeMap<String, String>,
    /// Further tags, one a block; wins over an equal key of `tags`.
    pub tag: Vec<TagConfig>,
    /// Family the image becomes the newest of.
    pub target_image_family: Option<String>,
    /// Boot mode of the image: `BIOS`, `UEFI` or `UEFI-Preferred`.
    pub boot_mode: Option<String>,
    /// Seconds to wait for snapshot and image; 3600 by default.
    pub wait_snapshot_ready_timeout: Option<i64>,

    /// The system disk of the temporary instance.
    pub system_disk_mapping: DiskConfig,
    /// Data disks of the temporary instance; they become part of the image unless `image_ignore_data_disks` is set.
    pub image_disk_mappings: Vec<DiskConfig>,

    /// Stop the instance by force.
    pub force_stop_instance: bool,
    /// Do not stop the instance: a provisioner does.
    pub disable_stop_instance: bool,
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

/// The image to make, checked.
pub(crate) struct ImagePlan {
    pub name: String,
    /// `tags` and `tag` together.
    pub tags: BTreeMap<String, String>,
    /// `image_force_delete` or `-force`.
    pub force_delete: bool,
    /// `image_force_delete_snapshots` or `-force`.
    pub force_delete_snapshots: bool,
    /// Time for snapshot and image.
    pub snapshot_timeout: Duration,
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
}

impl Check<'_> {
    /// Checks the fields of the image; `None` with at least one fault.
    pub(super) fn image(&mut self, config: &ImageConfig, scope: &Scope) -> Option<ImagePlan> {
        if let Some(name) = given(&config.image_name) {
            self.image_name(name);
        } else {
            self.fault("image_name", "image_name must be specified", "");
        }
        if let Some(family) = given(&config.target_image_family) {
            self.family(family);
        }
        if given(&config.boot_mode).is_some_and(|mode| !["BIOS", "UEFI", "UEFI-Preferred"].contains(&mode)) {
            self.fault("boot_mode", "boot_mode should to be one of 'BIOS', 'UEFI' or 'UEFI-Preferred'", "");
        }
        if config.tags.len() + config.tag.len() > 20 {
            self.fault("tags", "more than 20 tags", "the cloud takes at most 20 tags a resource");
        }
        let mut tags = config.tags.clone();
        tags.extend(config.tag.iter().map(|tag| (tag.key.clone(), tag.value.clone())));
        let seconds = config.wait_snapshot_ready_timeout.and_then(|seconds| u64::try_from(seconds).ok());
        Some(ImagePlan {
            name: given(&config.image_name)?.to_owned(),
            tags,
            force_delete: config.image_force_delete || scope.force,
            force_delete_snapshots: config.image_force_delete_snapshots || scope.force,
            snapshot_timeout: Duration::from_secs(seconds.filter(|seconds| *seconds > 0).unwrap_or(3600)),
        })
    }

    fn image_name(&mut self, name: &str) {
        if !(2..=128).contains(&name.len()) {
            self.fault("image_name", "image_name must less than 128 letters and more than 1 letters", "");
        }
        if name.starts_with("http://") || name.starts_with("https://") {
            self.fault("image_name", "image_name can't start with 'http://' or 'https://'", "");
        }
        if name.contains(char::is_whitespace) {
            self.fault("image_name", "image_name can't include spaces", "");
        }
    }

    fn family(&mut self, family: &str) {
        if ["aliyun", "acs:", "http://", "https://"].iter().any(|prefix| family.starts_with(prefix)) {
            let message = "target_image_family can't start with 'aliyun', 'acs:', 'http://' or 'https://'";
            return self.fault("target_image_family", message, "");
        }
        let rest = |letter: char| letter.is_alphanumeric() || "_-.:".contains(letter);
        let well_formed =
            family.chars().next().is_some_and(char::is_alphabetic) && family.chars().skip(1).all(rest);
        if !well_formed || !(2..=128).contains(&family.chars().count()) {
            let message = "target_image_family should be [2, 128] English or Chinese characters. It must begin with an \
                           uppercase/lowercase letter or a Chinese character, and may contain numbers, '_' or '-'";
            self.fault("target_image_family", message, "");
        }
    }
}
