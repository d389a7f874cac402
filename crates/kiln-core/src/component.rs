//! The component traits: what the engine calls, and what it hands over.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::artifact::Artifact;
use crate::commons::Commons;
use crate::communicator::Communicator;
use crate::diagnostic::Fault;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::prompt::Prompt;
use crate::reclaim::ReclaimTable;
use crate::run::Run;
use crate::schema::Schema;
use crate::scope::Scope;
use crate::value::Value;

/// A component that is ready to run. There is no half-configured one.
pub struct Prepared<C: ?Sized> {
    /// The component.
    pub component: Arc<C>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Names of generated data it will make known, besides the standard ones (builders).
    pub generated: Vec<String>,
}

/// What `prepare` returns: everything that is wrong, at once.
pub type Preparation<C> = std::result::Result<Prepared<C>, Vec<Fault>>;

/// A kind of component, by its name in templates. Preparing has no effects.
pub trait Factory<C: ?Sized>: Send + Sync {
    /// The name templates use: `alicloud-ecs`.
    fn name(&self) -> &'static str;
    /// One sentence for the documentation.
    fn summary(&self) -> &'static str;
    /// The configuration it takes.
    fn schema(&self) -> Schema;
    /// Decodes and checks `settings` (a resolved block), gathering all faults.
    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<C>;
}

/// All components the program has, by kind and name.
#[derive(Clone, Default)]
pub struct Registry {
    /// Builders.
    pub builders: BTreeMap<&'static str, Arc<dyn Factory<dyn Builder>>>,
    /// Provisioners.
    pub provisioners: BTreeMap<&'static str, Arc<dyn Factory<dyn Provisioner>>>,
    /// Post-processors.
    pub post_processors: BTreeMap<&'static str, Arc<dyn Factory<dyn PostProcessor>>>,
    /// Data sources.
    pub data_sources: BTreeMap<&'static str, Arc<dyn Factory<dyn DataSource>>>,
}

impl Registry {
    /// Adds a builder.
    pub fn builder(&mut self, factory: impl Factory<dyn Builder> + 'static) {
        self.builders.insert(factory.name(), Arc::new(factory));
    }

    /// Adds a provisioner.
    pub fn provisioner(&mut self, factory: impl Factory<dyn Provisioner> + 'static) {
        self.provisioners.insert(factory.name(), Arc::new(factory));
    }

    /// Adds a post-processor.
    pub fn post_processor(&mut self, factory: impl Factory<dyn PostProcessor> + 'static) {
        self.post_processors.insert(factory.name(), Arc::new(factory));
    }

    /// Adds a data source.
    pub fn data_source(&mut self, factory: impl Factory<dyn DataSource> + 'static) {
        self.data_sources.insert(factory.name(), Arc::new(factory));
    }
}

/// Makes a machine, has it provisioned, and makes an artifact of it.
#[async_trait]
pub trait Builder: Send + Sync {
    /// Builds. `None`: nothing was made, and that is no failure.
    async fn build(&self, cx: &BuildContext) -> Result<Option<Artifact>>;

    /// How to delete what this builder creates, with the account of its configuration.
    fn reclaim(&self) -> ReclaimTable {
        ReclaimTable::default()
    }
}

/// Changes a machine, or does something beside it.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Provisions once.
    async fn provision(&self, cx: &ProvisionContext) -> Result<()>;
}

/// Turns an artifact into another, or does something with it.
#[async_trait]
pub trait PostProcessor: Send + Sync {
    /// Processes `input`.
    async fn post_process(&self, cx: &PostProcessContext, input: &Artifact) -> Result<PostProcessed>;

    /// How to delete what its artifacts name.
    fn reclaim(&self) -> ReclaimTable {
        ReclaimTable::default()
    }
}

/// What a post-processor returns.
#[derive(Debug, Clone, PartialEq)]
pub struct PostProcessed {
    /// The new artifact; `None` ends the chain silently.
    pub artifact: Option<Artifact>,
    /// Whether its input should be kept.
    pub keep_input: KeepInput,
}

/// Whether a post-processor's input is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepInput {
    /// Kept only if the template says so.
    No,
    /// Kept unless the template says otherwise.
    Default,
    /// Kept whatever the template says: the input is part of the output.
    Forced,
}

/// Reads something a template needs.
#[async_trait]
pub trait DataSource: Send + Sync {
    /// Returns what was read.
    async fn read(&self, cancel: &CancellationToken) -> Result<Value>;
    /// Returns the shape of what will be read, with unknowns, for `validate`.
    fn shape(&self) -> Value;
}

/// Runs the provisioners in the middle of a build; the engine implements it.
#[async_trait]
pub trait ProvisionHook: Send + Sync {
    /// Runs all provisioners of the build. `values` are the build's generated data.
    async fn provision(
        &self,
        communicator: Arc<dyn Communicator>,
        values: BTreeMap<String, Value>,
    ) -> Result<()>;
}

/// What happens after a step, as `-debug` and `-on-error` ask; the engine implements it.
#[async_trait]
pub trait StepPolicy: Send + Sync {
    /// Called when a step has succeeded; returns when the build may go on.
    async fn succeeded(&self, step: &str);
    /// Called when a step has failed or was cancelled; returns whether to try it once more.
    async fn failed(&self, step: &str, error: &Error) -> bool;
}

/// What a builder is handed.
#[derive(Clone)]
pub struct BuildContext {
    /// The ledger: every effect goes through it.
    pub run: Run,
    /// What the builds of the run make once and use together.
    pub commons: Commons,
    /// Where to say what happens.
    pub events: Events,
    /// Set when the build should stop. Ends waits; an effect that has begun is finished and recorded.
    pub cancel: CancellationToken,
    /// The build.
    pub scope: Arc<Scope>,
    /// Runs the provisioners.
    pub hook: Arc<dyn ProvisionHook>,
    /// What to do between steps.
    pub policy: Arc<dyn StepPolicy>,
}

impl BuildContext {
    /// Runs the provisioners on the machine behind `communicator`.
    pub async fn provision(
        &self,
        communicator: Arc<dyn Communicator>,
        values: BTreeMap<String, Value>,
    ) -> Result<()> {
        self.hook.provision(communicator, values).await
    }

    /// Fails if the build should stop: call it before starting anything new.
    pub fn check(&self) -> Result<()> {
        match self.cancel.is_cancelled() {
            true => Err(Error::cancelled()),
            false => Ok(()),
        }
    }

    /// Does one named step (`stepCreateAlicloudInstance`): timed, paused after with `-debug`, retried if the person
    /// at the build says so with `-on-error=ask`. A step is not started once the build should stop.
    pub async fn step<T, F, Fut>(&self, step: &'static str, work: F) -> Result<T>
    where
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        loop {
            self.check()?;
            let result = self.events.timed(step, work()).await;
            match result {
                Ok(value) => {
                    self.policy.succeeded(step).await;
                    return Ok(value);
                }
                Err(error) => {
                    if !self.policy.failed(step, &error).await {
                        return Err(error);
                    }
                    self.run.try_again();
                }
            }
        }
    }
}

/// What a provisioner is handed.
#[derive(Clone)]
pub struct ProvisionContext {
    /// The way to the machine.
    pub communicator: Arc<dyn Communicator>,
    /// Where to say what happens.
    pub events: Events,
    /// Set when the provisioner should stop (cancellation or its time-out).
    pub cancel: CancellationToken,
    /// The build, with its generated data known.
    pub scope: Arc<Scope>,
    /// Whom to ask.
    pub prompt: Arc<dyn Prompt>,
}

/// What a post-processor is handed.
#[derive(Clone)]
pub struct PostProcessContext {
    /// Where to say what happens; already speaks for the post-processor.
    pub events: Events,
    /// Set when it should stop.
    pub cancel: CancellationToken,
    /// The build, with its generated data known.
    pub scope: Arc<Scope>,
    /// The ledger of the build, for post-processors with effects in a cloud.
    pub run: Run,
}
