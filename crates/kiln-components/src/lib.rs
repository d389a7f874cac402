//! The stock components that belong to no cloud: builders `null` and `file`, the provisioners and post-processors
//! every template uses.
//!
//! A component is one file (or one folder): its configuration as a struct whose doc comments are the
//! documentation, its factory, what it does. The modules at the end are what several of them share. Nothing here
//! prints, reads the environment or opens a connection: components say events, ask [`kiln_core::scope::World`] and
//! talk to machines through a communicator.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod reclaim;
pub mod registry;

pub mod builder;
pub mod post_processor;
pub mod provisioner;
pub mod shell_local;

mod environment;
mod exit_codes;
mod late;
mod local_script;
mod paths;
mod remote;
mod retry;
mod script;

pub use registry::{reclaim_table, register};
