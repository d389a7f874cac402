//! Post-processor `shell-local`: scripts that run on this machine once there is an artifact.

use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::artifact::Artifact;
use kiln_core::component::{
    Factory, KeepInput, PostProcessContext, PostProcessed, PostProcessor, Preparation, Prepared,
};
use kiln_core::error::Result;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use crate::late;
use crate::shell_local::config::ShellLocalConfig;
use crate::shell_local::{Caller, ShellLocal, Surroundings};

/// Prepares the post-processor `shell-local`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShellLocalPostProcessorFactory;

impl Factory<dyn PostProcessor> for ShellLocalPostProcessorFactory {
    fn name(&self) -> &'static str {
        "shell-local"
    }

    fn summary(&self) -> &'static str {
        "Runs shell scripts on the machine Kiln runs on, after the build."
    }

    fn schema(&self) -> Schema {
        Schema::of::<ShellLocalConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn PostProcessor> {
        let config = ShellLocalConfig::decode(settings, scope)?;
        let scripts = config.check(settings, scope)?;
        let component =
            Arc::new(ShellLocalPostProcessor(ShellLocal::new(config, scripts, Caller::PostProcessor)));
        Ok(Prepared { component, warnings: Vec::new(), generated: Vec::new() })
    }
}

struct ShellLocalPostProcessor(ShellLocal);

#[async_trait]
impl PostProcessor for ShellLocalPostProcessor {
    async fn post_process(&self, cx: &PostProcessContext, input: &Artifact) -> Result<PostProcessed> {
        let scope = late::scope_of(input, &cx.scope);
        self.0.run(Surroundings { events: &cx.events, cancel: &cx.cancel, scope: &scope }).await?;
        Ok(PostProcessed { artifact: Some(input.clone()), keep_input: KeepInput::Forced })
    }
}
