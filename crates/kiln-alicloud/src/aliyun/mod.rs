//! The older builder `aliyun`: fields, variables, lines and artifact of its own in front of the newer builder's engine.
//!
//! There is no step here: what is made, waited for and deleted is the engine's.

mod artifact;
mod config;
mod network;
mod reclaim;
mod voice;

use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::artifact::Artifact;
use kiln_core::component::{BuildContext, Builder, Factory, Preparation, Prepared};
use kiln_core::error::Result;
use kiln_core::reclaim::ReclaimTable;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use crate::build::{self, Site};
use crate::cloud::{Cloud, Setup};
use crate::config::Plan;
use crate::failure;

use config::Config;
pub(crate) use config::{are_alike, of_place};
use voice::OlderVoice;

/// The name templates use.
const NAME: &str = "aliyun";

/// Makes the builder.
pub(crate) struct AliyunFactory {
    pub setup: Setup,
}

impl Factory<dyn Builder> for AliyunFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "The older builder of Alibaba Cloud ECS images: starts an instance in the network of a security group, \
         provisions it, and makes an image of a snapshot of its system disk."
    }

    fn schema(&self) -> Schema {
        Schema::of::<Config>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Builder> {
        let config: Config = kiln_core::decode::decode(settings, scope)?;
        let plan = config.plan(settings, scope, &self.setup)?;
        let cloud =
            Cloud::connect(&self.setup, &plan.access).map_err(|error| vec![failure::fault(&error)])?;
        let warnings = config.warning().into_iter().chain(plan.warnings(scope)).collect();
        let builder = Aliyun { plan, cloud, setup: self.setup.clone() };
        let generated = ["SourceImageName"].map(str::to_owned).to_vec();
        Ok(Prepared { component: Arc::new(builder), warnings, generated })
    }
}

/// The builder, ready to run.
struct Aliyun {
    plan: Plan,
    cloud: Cloud,
    setup: Setup,
}

#[async_trait]
impl Builder for Aliyun {
    async fn build(&self, cx: &BuildContext) -> Result<Option<Artifact>> {
        for secret in self.plan.secrets() {
            cx.events.secrets().register(secret.expose());
        }
        let cx = &BuildContext {
            events: cx.events.in_the_voice_of(Arc::new(OlderVoice::default())),
            ..cx.clone()
        };
        let cloud = self.cloud.with_cancel(&cx.cancel);
        let site = Site { cx, plan: &self.plan, cloud, dialer: &self.setup.dialer };
        let settled = network::settle(&site, &self.setup).await?;
        let plan = settled.as_ref().unwrap_or(&self.plan);
        let made = build::build(&Site { plan, ..site }).await;
        let made = made.map_err(|error| match plan.access.advice(&error) {
            Some(advice) => error.hint(advice),
            None => error,
        })?;
        Ok(made.map(|made| artifact::in_older_words(made, plan)))
    }

    fn reclaim(&self) -> ReclaimTable {
        reclaim::table(&self.cloud)
    }
}
