//! Virtual Private Cloud, 2016-04-28: VPCs, vSwitches, elastic addresses. A file per family; a struct per request, named
//! as the action. `RegionId` is the handle's.
//!
//! Packer's plug-in makes these calls through Ecs 2014-05-26, which the documentation calls deprecated; codes and names
//! are the same.

mod eips;
mod tags;
mod vpcs;
mod vswitches;

pub use eips::*;
pub use tags::*;
pub use vpcs::*;
pub use vswitches::*;

pub use crate::ecs::Tag;

crate::action::handle! {
    /// The Vpc calls of one region; from [`Client::vpc`](crate::Client::vpc).
    Vpc
}
