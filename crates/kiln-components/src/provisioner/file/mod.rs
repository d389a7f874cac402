//! Provisioner `file`: copies files to the machine, or from it.

pub mod config;
mod progress;
mod transfer;

use std::sync::Arc;

use kiln_core::component::{Factory, Preparation, Prepared, Provisioner};
use kiln_core::decode::decode;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use config::FileProvisionerConfig;

/// Prepares the provisioner `file`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileProvisionerFactory;

impl Factory<dyn Provisioner> for FileProvisionerFactory {
    fn name(&self) -> &'static str {
        "file"
    }

    fn summary(&self) -> &'static str {
        "Uploads files to the machine or downloads files from it."
    }

    fn schema(&self) -> Schema {
        Schema::of::<FileProvisionerConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Provisioner> {
        let config: FileProvisionerConfig = decode(settings, scope)?;
        let (transfer, warnings) = config.check(settings, scope)?;
        Ok(Prepared { component: Arc::new(transfer), warnings, generated: Vec::new() })
    }
}
