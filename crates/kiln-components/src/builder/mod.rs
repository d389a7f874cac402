//! Builders.

pub mod file;
pub mod null;

mod accept_all;
