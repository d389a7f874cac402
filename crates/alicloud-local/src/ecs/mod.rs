//! Elastic Compute Service 2014-05-26.

pub mod attributes;
pub mod console;
pub mod disks;
pub mod images;
pub mod instances;
pub mod key_pairs;
pub mod launch;
pub mod regions;
pub mod security_groups;
pub mod tags;
