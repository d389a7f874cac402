//! Provisioner `sleep`: waits.

use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::component::{Factory, Preparation, Prepared, ProvisionContext, Provisioner};
use kiln_core::decode::decode;
use kiln_core::duration::GoDuration;
use kiln_core::error::{Error, Result};
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of provisioner `sleep`.
#[derive(Deserialize, JsonSchema)]
pub struct SleepConfig {
    /// How long to wait.
    #[serde(default)]
    #[schemars(extend("x-default" = "0s"))]
    pub duration: GoDuration,
}

/// Prepares `sleep`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SleepFactory;

impl Factory<dyn Provisioner> for SleepFactory {
    fn name(&self) -> &'static str {
        "sleep"
    }

    fn summary(&self) -> &'static str {
        "Waits for a while."
    }

    fn schema(&self) -> Schema {
        Schema::of::<SleepConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Provisioner> {
        let config: SleepConfig = decode(settings, scope)?;
        Ok(Prepared { component: Arc::new(Sleep(config)), warnings: Vec::new(), generated: Vec::new() })
    }
}

struct Sleep(SleepConfig);

#[async_trait]
impl Provisioner for Sleep {
    async fn provision(&self, cx: &ProvisionContext) -> Result<()> {
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(Error::cancelled()),
            () = tokio::time::sleep(self.0.duration.0) => Ok(()),
        }
    }
}
