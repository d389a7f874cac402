//! Commands on this machine: what the provisioner and the post-processor `shell-local` share.

pub mod config;
mod process;
mod run;

pub(crate) use run::{Caller, ShellLocal, Surroundings};
