//! Post-processors.

pub mod manifest;
pub mod shell_local;
