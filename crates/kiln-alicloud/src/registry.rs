//! The components this room has, and how the program introduces them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::artifact::Artifact;
use kiln_core::component::{BuildContext, Builder, Factory, Preparation, Prepared, Registry};
use kiln_core::error::{Error, Result};
use kiln_core::event::EventKind;
use kiln_core::reclaim::{ReclaimTable, Sweep};
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use crate::aliyun::AliyunFactory;
use crate::cloud::{Cloud, Setup};
use crate::config::{Config, Plan};
use crate::{build, failure, reclaim, tags};

/// Adds builder `alicloud-ecs`, and the older `aliyun` in front of it.
pub fn register(registry: &mut Registry, setup: &Setup) {
    registry.builder(AlicloudEcsFactory { setup: setup.clone() });
    registry.builder(AliyunFactory { setup: setup.clone() });
}

/// Returns how to delete what builds of any region left behind: with the profile or role that a journal names, else
/// with the environment's credentials; and, where there are none, why.
pub fn reclaim_table(setup: &Setup) -> (ReclaimTable, Option<Error>) {
    match Cloud::of_place(setup, &BTreeMap::new()) {
        Ok(cloud) => (reclaim::table(&cloud), None),
        Err(error) => (reclaim::table(&Cloud::of_nobody(setup)), Some(error)),
    }
}

/// Returns how to find what builds in `region` left behind by its tags, with the environment's credentials.
///
/// # Errors
///
/// There are no credentials, or an endpoint's override is not a URL.
pub fn sweeps(setup: &Setup, region: &str) -> Result<Vec<Arc<dyn Sweep>>> {
    let cloud = Cloud::of_place(setup, &BTreeMap::new())?;
    Ok(vec![Arc::new(tags::TagSweep::new(cloud, region))])
}

struct AlicloudEcsFactory {
    setup: Setup,
}

impl Factory<dyn Builder> for AlicloudEcsFactory {
    fn name(&self) -> &'static str {
        "alicloud-ecs"
    }

    fn summary(&self) -> &'static str {
        "Builds an Alibaba Cloud ECS custom image: starts an instance of a source image, provisions it, and makes an \
         image of it."
    }

    fn schema(&self) -> Schema {
        Schema::of::<Config>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Builder> {
        let config: Config = kiln_core::decode::decode(settings, scope)?;
        let plan = Plan::check(config, settings, scope, &self.setup)?;
        let cloud =
            Cloud::connect(&self.setup, &plan.access).map_err(|error| vec![failure::fault(&error)])?;
        let warnings = plan.warnings(scope);
        let builder = AlicloudEcs { plan: Arc::new(plan), cloud, setup: self.setup.clone() };
        let generated = ["SourceImageName"].map(str::to_owned).to_vec();
        Ok(Prepared { component: Arc::new(builder), warnings, generated })
    }
}

/// The builder, ready to run.
struct AlicloudEcs {
    plan: Arc<Plan>,
    cloud: Cloud,
    setup: Setup,
}

#[async_trait]
impl Builder for AlicloudEcs {
    async fn build(&self, cx: &BuildContext) -> Result<Option<Artifact>> {
        for secret in self.plan.secrets() {
            cx.events.secrets().register(secret.expose());
        }
        let access = &self.plan.access;
        if let Some(note) = access.note.as_ref().filter(|note| self.setup.accounts.says_first(note)) {
            cx.events.emit(EventKind::Hint { text: note.clone() }).await;
        }
        let site = build::Site {
            cx,
            plan: &self.plan,
            cloud: self.cloud.with_cancel(&cx.cancel),
            dialer: &self.setup.dialer,
        };
        build::build(&site).await.map_err(|error| match access.advice(&error) {
            Some(advice) => error.hint(advice),
            None => error,
        })
    }

    fn reclaim(&self) -> ReclaimTable {
        reclaim::table(&self.cloud)
    }
}
