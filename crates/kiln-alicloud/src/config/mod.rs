//! The builder's fields, as templates write them. Each is decoded, checked in `check` and used; there is none that is
//! only accepted.

mod check;
mod disk;

use std::collections::BTreeMap;

use kiln_core::Secret;
use kiln_remote::config::CommunicatorConfig;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use check::{DEFAULT_BANDWIDTH, KeyPlan, Plan, Public, Source, given};
pub(crate) use disk::DiskConfig;

/// Builder `alicloud-ecs`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    /// Access key id. From `ALICLOUD_ACCESS_KEY` if unset.
    pub access_key: Option<String>,
    /// Access key secret. From `ALICLOUD_SECRET_KEY` if unset.
    pub secret_key: Option<Secret>,
    /// Token of temporary credentials. From `SECURITY_TOKEN` if the key comes from the environment.
    pub security_token: Option<Secret>,
    /// **Required.** Region to build in, such as `cn-beijing`. From `ALICLOUD_REGION` if unset.
    pub region: Option<String>,
    /// Do not check that the region exists.
    pub skip_region_validation: bool,
    /// Also find source images that are not offered any more.
    pub skip_image_validation: bool,
    /// Host (or URL) of the ECS API in `region`, for private clouds; VPC calls follow it unless
    /// `ALICLOUD_VPC_ENDPOINT` is set.
    pub custom_endpoint_ecs: Option<String>,

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

    /// **Required.** Type of the temporary instance, such as `ecs.g7.large`.
    pub instance_type: Option<String>,
    /// Image to start from. This or `image_family` is required.
    pub source_image: Option<String>,
    /// Family whose newest image to start from, such as `acs:ubuntu_22_04_x64`.
    pub image_family: Option<String>,
    /// Name of the temporary instance.
    pub instance_name: Option<String>,
    /// Whether the temporary instance is I/O optimised; by default as its type demands.
    pub io_optimized: Option<bool>,
    /// Zone to build in; by default one that has the instance type in stock.
    pub zone_id: Option<String>,
    /// RAM role of the temporary instance. The caller needs `ram:PassRole`.
    pub ecs_ram_role_name: Option<String>,
    /// Tags of everything temporary, besides Kiln's own.
    pub run_tags: BTreeMap<String, String>,
    /// `Active` or `Deactive`: the cloud's security agent on the temporary instance.
    pub security_enhancement_strategy: Option<String>,
    /// Existing security group; by default a temporary one, open only for the communicator's port.
    pub security_group_id: Option<String>,
    /// Name of the temporary security group.
    pub security_group_name: Option<String>,
    /// Existing VPC; by default a temporary one.
    pub vpc_id: Option<String>,
    /// Name of the temporary VPC.
    pub vpc_name: Option<String>,
    /// Address block of the temporary VPC and its vSwitch; 172.16.0.0/16 with a vSwitch of 172.16.0.0/24 by default.
    pub vpc_cidr_block: Option<String>,
    /// Existing vSwitch; its VPC is used if `vpc_id` is unset.
    pub vswitch_id: Option<String>,
    /// Name of the temporary vSwitch.
    pub vswitch_name: Option<String>,
    /// Whether the instance gets a public address. Unset: it does, unless `ssh_private_ip` is set.
    pub associate_public_ip_address: Option<bool>,
    /// Existing elastic address to bind during the build.
    pub eip_id: Option<String>,
    /// Connect to the private address.
    pub ssh_private_ip: bool,
    /// `PayByTraffic` or `PayByBandwidth`.
    pub internet_charge_type: Option<String>,
    /// Bandwidth of the public address in Mbit/s; 5 by default.
    pub internet_max_bandwidth_out: Option<i64>,
    /// User data of the instance.
    pub user_data: Option<String>,
    /// File whose bytes are the user data.
    pub user_data_file: Option<String>,
    /// Stop the instance by force.
    pub force_stop_instance: bool,
    /// Do not stop the instance: a provisioner does.
    pub disable_stop_instance: bool,

    /// How to reach the instance.
    #[serde(flatten)]
    pub communicator: CommunicatorConfig,
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
