//! Builder `alicloud-ecs`: Alibaba Cloud ECS custom images.
//!
//! [`build`](self) reads from top to bottom; each effect is a file in `steps`; how each kind of resource is found and
//! deleted stands in `reclaim` and nowhere else.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod registry;

// What the template says.
mod config;

// What is done about it.
mod build;
mod cloud;
mod lanes;
mod publish;
mod steps;
mod tags;

// How it ends.
mod artifact;
mod failure;
mod reclaim;

pub use cloud::{Environment, Setup};
pub use registry::{reclaim_table, register, sweeps};
