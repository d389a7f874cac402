//! Provisioner `shell`: scripts that run on the machine.

pub mod config;
mod run;

use std::sync::Arc;

use kiln_core::component::{Factory, Preparation, Prepared, Provisioner};
use kiln_core::decode::decode;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use config::ShellConfig;
use run::Shell;

/// Prepares `shell`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShellFactory;

impl Factory<dyn Provisioner> for ShellFactory {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn summary(&self) -> &'static str {
        "Runs shell scripts on the machine."
    }

    fn schema(&self) -> Schema {
        Schema::of::<ShellConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Provisioner> {
        let config: ShellConfig = decode(settings, scope)?;
        let scripts = config.check(settings, scope)?;
        Ok(Prepared {
            component: Arc::new(Shell::new(config, scripts)),
            warnings: Vec::new(),
            generated: Vec::new(),
        })
    }
}
