//! Provisioner `shell-local`: scripts that run on this machine, beside the one being built.

use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::component::{Factory, Preparation, Prepared, ProvisionContext, Provisioner};
use kiln_core::error::Result;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use crate::shell_local::config::ShellLocalConfig;
use crate::shell_local::{Caller, ShellLocal, Surroundings};

/// Prepares the provisioner `shell-local`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShellLocalProvisionerFactory;

impl Factory<dyn Provisioner> for ShellLocalProvisionerFactory {
    fn name(&self) -> &'static str {
        "shell-local"
    }

    fn summary(&self) -> &'static str {
        "Runs shell scripts on the machine Kiln runs on."
    }

    fn schema(&self) -> Schema {
        Schema::of::<ShellLocalConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Provisioner> {
        let config = ShellLocalConfig::decode(settings, scope)?;
        let scripts = config.check(settings, scope)?;
        let component =
            Arc::new(ShellLocalProvisioner(ShellLocal::new(config, scripts, Caller::Provisioner)));
        Ok(Prepared { component, warnings: Vec::new(), generated: Vec::new() })
    }
}

struct ShellLocalProvisioner(ShellLocal);

#[async_trait]
impl Provisioner for ShellLocalProvisioner {
    async fn provision(&self, cx: &ProvisionContext) -> Result<()> {
        self.0.run(Surroundings { events: &cx.events, cancel: &cx.cancel, scope: &cx.scope }).await
    }
}
