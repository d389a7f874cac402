//! Provisioner `breakpoint`: stops until somebody presses enter.

use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::component::{Factory, Preparation, Prepared, ProvisionContext, Provisioner};
use kiln_core::decode::decode;
use kiln_core::error::{Error, Result};
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::paths::given;

/// The settings of provisioner `breakpoint`.
#[derive(Deserialize, JsonSchema)]
pub struct BreakpointConfig {
    /// Shown when the build stops here.
    pub note: Option<String>,
    /// Do not stop.
    #[serde(default)]
    pub disable: bool,
}

/// Prepares `breakpoint`.
#[derive(Debug, Clone, Copy, Default)]
pub struct BreakpointFactory;

impl Factory<dyn Provisioner> for BreakpointFactory {
    fn name(&self) -> &'static str {
        "breakpoint"
    }

    fn summary(&self) -> &'static str {
        "Pauses the build until enter is pressed."
    }

    fn schema(&self) -> Schema {
        Schema::of::<BreakpointConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Provisioner> {
        let config: BreakpointConfig = decode(settings, scope)?;
        Ok(Prepared { component: Arc::new(Breakpoint(config)), warnings: Vec::new(), generated: Vec::new() })
    }
}

struct Breakpoint(BreakpointConfig);

#[async_trait]
impl Provisioner for Breakpoint {
    async fn provision(&self, cx: &ProvisionContext) -> Result<()> {
        let with_note = given(&self.0.note).map(|note| format!(" with note \"{note}\"")).unwrap_or_default();
        if self.0.disable {
            let lead = "Breakpoint provisioner";
            cx.events.say(format!("{lead}{with_note} disabled; continuing...")).await;
            return Ok(());
        }
        cx.events.say(format!("Pausing at breakpoint provisioner{with_note}.")).await;
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(Error::cancelled()),
            answer = cx.prompt.ask("Press enter to continue.") => match answer {
                Ok(_) => Ok(()),
                Err(error) => Err(Error::new("Error asking for input").source(error)),
            },
        }
    }
}
