//! Builder `alicloud-ecs`: Alibaba Cloud ECS custom images.
//!
//! [`build`](self) reads from top to bottom; each effect is a file in `steps`; how each kind of resource is found and
//! deleted stands in `reclaim` and nowhere else.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod registry;

// What the template says.
mod config;

// The older builder, in front of it all.
mod aliyun;

// What is done about it.
mod accounts;
mod build;
mod cloud;
mod diagnosis;
mod identity;
mod lanes;
mod looks;
mod network;
mod publish;
mod sources;
mod steps;
mod tags;
mod user_data;

// How it ends.
mod artifact;
mod failure;
mod reclaim;

pub use accounts::Accounts;
pub use alicloud_api::credentials::Files;
pub use cloud::{Environment, Setup};
pub use identity::{Identity, SignIn, sign_in_of_build, sign_in_of_environment};
pub use registry::{reclaim_table, register, sweeps};
