//! The builder's fields, as templates write them. Each is decoded, checked in `check` and used; there is none that is
//! only accepted.

mod access;
mod check;
mod disk;
mod image;

use std::collections::BTreeMap;

use kiln_remote::config::CommunicatorConfig;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use access::{Access, AccessConfig};
pub(crate) use check::{DEFAULT_BANDWIDTH, KeyPlan, Plan, Public, Source, given};
pub(crate) use image::{ImageConfig, ImagePlan};

/// Builder `alicloud-ecs`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    /// Who builds and where.
    #[serde(flatten)]
    pub access: AccessConfig,

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

    /// What becomes of the instance.
    #[serde(flatten)]
    pub image: ImageConfig,
    /// How to reach the instance.
    #[serde(flatten)]
    pub communicator: CommunicatorConfig,
}
