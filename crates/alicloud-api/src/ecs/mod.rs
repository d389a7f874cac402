//! Elastic Compute Service, 2014-05-26. A file per family; a struct per request, named as the action.
//!
//! `RegionId` is the handle's and stands in no request. A field that is `None` or empty is not sent.

mod disks;
mod images;
mod instances;
mod key_pairs;
mod regions;
mod security_groups;
mod snapshots;
mod tags;
mod zones;

pub use disks::*;
pub use images::*;
pub use instances::*;
pub use key_pairs::*;
pub use regions::*;
pub use security_groups::*;
pub use snapshots::*;
pub use tags::*;
pub use zones::*;

crate::action::handle! {
    /// The Ecs calls of one region; from [`Client::ecs`](crate::Client::ecs).
    Ecs
}
