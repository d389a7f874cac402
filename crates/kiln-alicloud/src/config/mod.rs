//! The builder's fields, as templates write them. Each is decoded, checked in `check` and used; there is none that is
//! only accepted.

mod access;
mod check;
mod disk;
mod image;
mod image_plan;
mod launch;
mod launch_check;

use kiln_remote::config::CommunicatorConfig;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use access::{Access, AccessConfig, DEFAULT_REGION, Refusal, endpoints};
pub(crate) use check::{Check, KeyPlan, Plan, given};
pub(crate) use image::ImageConfig;
pub(crate) use image_plan::{CopyFailure, Encryption, ImagePlan, Marks};
pub(crate) use launch::{DEFAULT_BANDWIDTH, HostKeySource, LaunchConfig, Market, Public, Source};

/// Builder `alicloud-ecs`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    /// Who builds and where.
    #[serde(flatten)]
    pub access: AccessConfig,

    /// The temporary instance and its network.
    #[serde(flatten)]
    pub launch: LaunchConfig,

    /// What becomes of the instance.
    #[serde(flatten)]
    pub image: ImageConfig,
    /// How to reach the instance.
    #[serde(flatten)]
    pub communicator: CommunicatorConfig,
}
