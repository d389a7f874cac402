//! The table of this room's components: adding one is one file and one row.

use std::sync::Arc;

use kiln_core::component::Registry;
use kiln_core::reclaim::ReclaimTable;
use kiln_remote::dial::Dialer;

use crate::builder::file::FileBuilderFactory;
use crate::builder::null::NullFactory;
use crate::post_processor::manifest::ManifestFactory;
use crate::post_processor::shell_local::ShellLocalPostProcessorFactory;
use crate::provisioner::breakpoint::BreakpointFactory;
use crate::provisioner::file::FileProvisionerFactory;
use crate::provisioner::shell::ShellFactory;
use crate::provisioner::shell_local::ShellLocalProvisionerFactory;
use crate::provisioner::sleep::SleepFactory;
use crate::reclaim::{FILE, FileReclaim};

/// Adds every component of this room to `registry`; machines are reached through `dialer`.
pub fn register(registry: &mut Registry, dialer: Arc<dyn Dialer>) {
    registry.builder(NullFactory::new(dialer));
    registry.builder(FileBuilderFactory);

    registry.provisioner(ShellFactory);
    registry.provisioner(ShellLocalProvisionerFactory);
    registry.provisioner(FileProvisionerFactory);
    registry.provisioner(BreakpointFactory);
    registry.provisioner(SleepFactory);

    registry.post_processor(ManifestFactory);
    registry.post_processor(ShellLocalPostProcessorFactory);
}

/// Returns how to delete what this room's components create, for unwinding and `gc`.
pub fn reclaim_table() -> ReclaimTable {
    let mut table = ReclaimTable::default();
    table.insert(FILE, Arc::new(FileReclaim));
    table
}
