//! Images: `Waiting`, `Creating`, `CreateFailed`, `Available`, `UnAvailable`, `Deprecated`.

use serde::{Deserialize, Serialize};

use super::{Ecs, Tag};
use crate::{
    Acknowledged, ImageId, InstanceId, RegionId, SnapshotId, action::action, answer::nested,
    page::paged_by_number, params::comma_list,
};

/// Lists images. Without `status` only those `Available`. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImages {
    /// Only this one.
    pub image_id: Option<ImageId>,
    /// Only with this text in the name: a fuzzy filter. Whoever wants the exact name compares the answers.
    pub image_name: Option<String>,
    /// Only of this family.
    pub image_family: Option<String>,
    /// Only in these states.
    #[serde(serialize_with = "comma_list")]
    pub status: Vec<String>,
    /// `system`, `self`, `others` or `marketplace`.
    pub image_owner_alias: Option<String>,
    /// Also those no longer for sale.
    pub show_expired: Option<bool>,
    /// Only made from this snapshot.
    pub snapshot_id: Option<SnapshotId>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 100.
    pub page_size: Option<u32>,
}

/// One page of images.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeImagesAnswer {
    /// The images.
    #[serde(deserialize_with = "nested")]
    pub images: Vec<Image>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Image {
    /// Its id.
    pub image_id: ImageId,
    /// Its name.
    pub image_name: String,
    /// Its family.
    pub image_family: String,
    /// Its version.
    pub image_version: String,
    /// Its description.
    pub description: String,
    /// See the top of this file.
    pub status: String,
    /// `62%`.
    pub progress: String,
    /// `system`, `self`, `others` or `marketplace`.
    pub image_owner_alias: String,
    /// `linux` or `windows`.
    #[serde(rename = "OSType")]
    pub os_type: String,
    /// The system's name for people.
    #[serde(rename = "OSName")]
    pub os_name: String,
    /// `x86_64`, `arm64` or `i386`.
    pub architecture: String,
    /// Size of the system disk in GiB.
    pub size: u32,
    /// `BIOS`, `UEFI` or `UEFI-Preferred`.
    pub boot_mode: String,
    /// What hardware it is made for.
    pub features: ImageFeatures,
    /// Its resource group.
    pub resource_group_id: String,
    /// Whether it is a copy.
    pub is_copied: bool,
    /// `True` if it is shared with other accounts.
    pub is_self_shared: String,
    /// Whether cloud-init works in it (needed for user data).
    pub is_support_cloudinit: bool,
    /// Whether a user other than root may log in.
    pub login_as_non_root_supported: bool,
    /// When it was begun.
    pub creation_time: String,
    /// Its disks, with the snapshots they are made of.
    #[serde(deserialize_with = "nested")]
    pub disk_device_mappings: Vec<ImageDisk>,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

/// A disk of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageDisk {
    /// Where it will be attached: `/dev/xvda`.
    pub device: String,
    /// GiB, as text.
    pub size: String,
    /// The snapshot; empty for public images.
    pub snapshot_id: SnapshotId,
    /// `system` or `data`.
    #[serde(rename = "Type")]
    pub disk_type: String,
    /// Progress of a copy.
    pub progress: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// What hardware an image is made for. An unset field of a request leaves the image's own value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageFeatures {
    /// `v2`: instances of it may insist on tokens at the metadata service. Does not go back to `v1`.
    pub imds_support: Option<String>,
    /// `supported` or `unsupported`: whether it has the driver for NVMe disks. `CreateImage` does not take it.
    pub nvme_support: Option<String>,
}

action!(
    /// Returns one page of images.
    Ecs.describe_images(DescribeImages) -> DescribeImagesAnswer, Read, 38 s
);
paged_by_number!(DescribeImages, images: Image, 100);

/// Asks for the newest available image of a family.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImageFromFamily {
    /// The family.
    pub image_family: String,
}

/// The newest image, if there is one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeImageFromFamilyAnswer {
    /// The image; absent if the family has none.
    pub image: Option<Image>,
}

action!(
    /// Returns the newest available image of a family.
    Ecs.describe_image_from_family(DescribeImageFromFamily) -> DescribeImageFromFamilyAnswer, Read, 10 s
);

/// Makes an image of an instance, of a system disk's snapshot, or of disks. Priority in the API: instance, disk mappings,
/// snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateImage {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// Its name: unique in the region, 2–128 characters.
    pub image_name: String,
    /// Its version.
    pub image_version: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its family.
    pub image_family: Option<String>,
    /// `BIOS`, `UEFI` or `UEFI-Preferred`.
    pub boot_mode: Option<String>,
    /// `ImdsSupport` alone.
    pub features: Option<ImageFeatures>,
    /// `x86_64` or `arm64`; taken from the instance if there is one.
    pub architecture: Option<String>,
    /// Of this instance, with all its disks.
    pub instance_id: Option<InstanceId>,
    /// Of this snapshot of a system disk.
    pub snapshot_id: Option<SnapshotId>,
    /// Of these disks.
    #[serde(rename = "DiskDeviceMapping")]
    pub disk_device_mappings: Vec<DiskDeviceMapping>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// A disk of an image to make.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DiskDeviceMapping {
    /// `system` or `data`.
    pub disk_type: Option<String>,
    /// Where it will be attached.
    pub device: Option<String>,
    /// GiB.
    pub size: Option<u32>,
    /// Its content.
    pub snapshot_id: Option<SnapshotId>,
}

/// The new image. Other calls that make images answer the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateImageAnswer {
    /// Its id.
    pub image_id: ImageId,
}

action!(
    /// Begins an image.
    Ecs.create_image(CreateImage) -> CreateImageAnswer, Token, 36 s
);

/// Copies an image of the handle's region to another region (or the same, to encrypt it).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CopyImage {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// What to copy.
    pub image_id: ImageId,
    /// Where to.
    pub destination_region_id: RegionId,
    /// The copy's name.
    pub destination_image_name: Option<String>,
    /// The copy's description.
    pub destination_description: Option<String>,
    /// Whether the copy is encrypted; if unset, as the source.
    pub encrypted: Option<bool>,
    /// The key to encrypt with.
    #[serde(rename = "KMSKeyId")]
    pub kms_key_id: Option<String>,
    /// `aes-256` or `sm4-128`.
    pub encrypt_algorithm: Option<String>,
    /// The copy's resource group.
    pub resource_group_id: Option<String>,
    /// The copy's tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

action!(
    /// Begins a copy; its id is one of the destination's region.
    Ecs.copy_image(CopyImage) -> CreateImageAnswer, Token, 10 s
);

/// Stops a copy in progress. The handle's region is the copy's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CancelCopyImage {
    /// The copy.
    pub image_id: ImageId,
}

action!(
    /// Stops a copy in progress.
    Ecs.cancel_copy_image(CancelCopyImage) -> Acknowledged, Safe, 10 s
);

/// Makes an image of disk files in OSS.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportImage {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// Its name.
    pub image_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// `x86_64`, `arm64` or `i386`.
    pub architecture: Option<String>,
    /// `linux` or `windows`.
    #[serde(rename = "OSType")]
    pub os_type: Option<String>,
    /// The distribution: `Ubuntu`, `CentOS` …
    pub platform: Option<String>,
    /// `BIOS` or `UEFI`.
    pub boot_mode: Option<String>,
    /// `Auto`, `Aliyun` or `BYOL`.
    pub license_type: Option<String>,
    /// The role with which the cloud reads the files.
    pub role_name: Option<String>,
    /// The files.
    #[serde(rename = "DiskDeviceMapping")]
    pub disk_device_mappings: Vec<ImportedDisk>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// A disk file in OSS.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportedDisk {
    /// `RAW`, `VHD` or `QCOW2`.
    pub format: Option<String>,
    /// The bucket.
    #[serde(rename = "OSSBucket")]
    pub oss_bucket: String,
    /// The key.
    #[serde(rename = "OSSObject")]
    pub oss_object: String,
    /// GiB of the disk; at least the file's.
    pub disk_image_size: Option<u32>,
    /// Where it will be attached.
    pub device: Option<String>,
}

action!(
    /// Begins an import.
    Ecs.import_image(ImportImage) -> CreateImageAnswer, Token, 29 s
);

/// Changes what an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyImageAttribute {
    /// The image.
    pub image_id: ImageId,
    /// Its new name.
    pub image_name: Option<String>,
    /// Its new description.
    pub description: Option<String>,
    /// Its new family.
    pub image_family: Option<String>,
    /// `Available` or `Deprecated`.
    pub status: Option<String>,
    /// `BIOS`, `UEFI` or `UEFI-Preferred`.
    pub boot_mode: Option<String>,
    /// What hardware it is made for.
    pub features: Option<ImageFeatures>,
}

action!(
    /// Changes what an image says of itself.
    Ecs.modify_image_attribute(ModifyImageAttribute) -> Acknowledged, Safe, 10 s
);

/// Deletes an image; its snapshots stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteImage {
    /// The image.
    pub image_id: ImageId,
    /// Also when instances were made from it.
    pub force: Option<bool>,
}

action!(
    /// Deletes an image.
    Ecs.delete_image(DeleteImage) -> Acknowledged, Safe, 10 s
);

/// Shares an image with accounts, or takes it back; ten of each in one call, the API ignores the rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyImageSharePermission {
    /// The image.
    pub image_id: ImageId,
    /// Accounts that may use it from now on.
    #[serde(rename = "AddAccount")]
    pub add_accounts: Vec<String>,
    /// Accounts that may not any more.
    #[serde(rename = "RemoveAccount")]
    pub remove_accounts: Vec<String>,
}

action!(
    /// Shares an image with accounts, or takes it back.
    Ecs.modify_image_share_permission(ModifyImageSharePermission) -> Acknowledged, Safe, 10 s
);

/// Lists the accounts an image is shared with. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImageSharePermission {
    /// The image.
    pub image_id: ImageId,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 100.
    pub page_size: Option<u32>,
}

/// One page of accounts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeImageSharePermissionAnswer {
    /// The accounts.
    #[serde(deserialize_with = "nested")]
    pub accounts: Vec<Account>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Account {
    /// Its id.
    pub aliyun_id: String,
}

action!(
    /// Returns one page of the accounts an image is shared with.
    Ecs.describe_image_share_permission(DescribeImageSharePermission) -> DescribeImageSharePermissionAnswer, Read, 10 s
);
paged_by_number!(DescribeImageSharePermission, accounts: Account, 100);
