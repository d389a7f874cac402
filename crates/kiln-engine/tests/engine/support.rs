//! A bench: components that do what a test says, a cloud in memory, and everything that came out.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use kiln_core::artifact::Artifact;
use kiln_core::communicator::{Command, Communicator, FileInfo, Running};
use kiln_core::component::*;
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::{Event, EventKind, Events};
use kiln_core::ledger::{Intent, Record, Resource};
use kiln_core::plan::{Plan, PlannedBuild, PlannedPostProcessor, PlannedProvisioner};
use kiln_core::prompt::{NoAnswer, Prompt};
use kiln_core::reclaim::{Announcement, Reason, Reclaim, ReclaimTable};
use kiln_core::run::{Acquired, Held};
use kiln_core::schema::Schema;
use kiln_core::scope::{FileKind, OnError, Scope, SecretRequest, World};
use kiln_core::secret::SecretFilter;
use kiln_core::value::Value;
use kiln_engine::{Engine, Interrupt, Options, RunReport};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub const RUN: &str = "11111111-2222-4333-8444-555555555555";

type Script<C, I, T> = Arc<dyn Fn(C, I) -> BoxFuture<'static, Result<T>> + Send + Sync>;

/// Components by the name that stands as their settings.
#[derive(Default, Clone)]
pub struct Scripts {
    builders: BTreeMap<String, Script<BuildContext, (), Option<Artifact>>>,
    provisioners: BTreeMap<String, Script<ProvisionContext, (), ()>>,
    post_processors: BTreeMap<String, Script<PostProcessContext, Artifact, PostProcessed>>,
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub cloud: Arc<Cloud>,
    pub prompt: Arc<Answers>,
    pub interrupt: Interrupt,
    pub options: Options,
    scripts: Scripts,
}

/// What came out of a run.
pub struct Ran {
    pub report: RunReport,
    pub events: Vec<Event>,
    pub records: Vec<Record>,
}

impl Bench {
    pub fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            parallel_builds: 0,
            debug: false,
            force: false,
            on_error: OnError::Cleanup,
            core_version: "1.16.0".to_owned(),
            run_id: RUN.to_owned(),
            state_dir: dir.path().to_owned(),
            crash_after_records: None,
        };
        Bench {
            dir,
            cloud: Arc::default(),
            prompt: Arc::default(),
            interrupt: Interrupt::default(),
            options,
            scripts: Scripts::default(),
        }
    }

    pub fn builder<F, Fut>(&mut self, name: &str, script: F)
    where
        F: Fn(BuildContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Artifact>>> + Send + 'static,
    {
        self.scripts.builders.insert(name.to_owned(), Arc::new(move |cx, ()| Box::pin(script(cx))));
    }

    pub fn provisioner<F, Fut>(&mut self, name: &str, script: F)
    where
        F: Fn(ProvisionContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.scripts.provisioners.insert(name.to_owned(), Arc::new(move |cx, ()| Box::pin(script(cx))));
    }

    pub fn post_processor<F, Fut>(&mut self, name: &str, script: F)
    where
        F: Fn(PostProcessContext, Artifact) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<PostProcessed>> + Send + 'static,
    {
        let script = move |cx, input| Box::pin(script(cx, input)) as BoxFuture<'static, _>;
        self.scripts.post_processors.insert(name.to_owned(), Arc::new(script));
    }

    /// A builder that has its provisioners run in `StepProvision` and makes nothing.
    pub fn provisioning_builder(&mut self) {
        self.builder("plain", |cx: BuildContext| async move {
            cx.step("StepConnect", || async { Ok(()) }).await?;
            cx.step("StepProvision", || cx.provision(Arc::new(NoMachine), BTreeMap::new())).await?;
            Ok(None)
        });
    }

    pub async fn run(&self, builds: Vec<PlannedBuild>) -> Ran {
        let (report, events) = self.try_run(builds).await;
        let journal = self.dir.path().join("runs").join(&self.options.run_id).join("journal.jsonl");
        let text = std::fs::read_to_string(journal).unwrap();
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Ran { report: report.unwrap(), events, records }
    }

    pub async fn try_run(&self, builds: Vec<PlannedBuild>) -> (Result<RunReport>, Vec<Event>) {
        let plan = Plan { builds, template_name: "t.json".to_owned(), ..Plan::default() };
        let (events, mut received) = Events::channel(SecretFilter::default());
        let seen = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(event) = received.recv().await {
                seen.push(event);
            }
            seen
        });
        let engine = Engine {
            registry: registry(&self.scripts, &self.cloud),
            world: Arc::new(Still),
            events,
            prompt: Arc::clone(&self.prompt) as _,
            interrupt: self.interrupt.clone(),
            options: self.options.clone(),
        };
        let (builds, diagnostics) =
            kiln_engine::prepare(&plan, &engine.registry, &engine.world, &engine.options);
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        let report = kiln_engine::run(&plan, builds, engine).await;
        (report, seen.await.unwrap())
    }
}

impl Ran {
    /// What a person reads of the builds.
    pub fn shown(&self) -> Vec<String> {
        self.events.iter().filter_map(|event| shown(&event.kind)).collect()
    }

    pub fn error(&self, build: usize) -> &str {
        self.report.results[build].error.as_deref().unwrap_or_default()
    }

    /// What the journal says of resources and steps, in a word each.
    pub fn journal(&self) -> Vec<String> {
        let word = |record: &Record| {
            Some(match record {
                Record::StepDone { key, .. } => format!("step {key}"),
                Record::Intended { intent, .. } => format!("intended {}", intent.key),
                Record::Acquired { key, .. } => format!("acquired {key}"),
                Record::Kept { key, .. } => format!("kept {key}"),
                Record::Released { key, .. } => format!("released {key}"),
                Record::ReleaseFailed { key, reason, .. } => format!("left {key}: {reason}"),
                Record::BuildFinished { build, outcome, .. } => format!("{build} {outcome}"),
                Record::RunFinished { outcome, .. } => format!("run {outcome}"),
                Record::RunStarted { .. } | Record::BuildStarted { .. } | Record::Collected { .. } => {
                    return None;
                }
            })
        };
        self.records.iter().filter_map(word).collect()
    }
}

pub fn shown(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Say { text } => format!("say {text}"),
        EventKind::Message { text } => format!("message {text}"),
        EventKind::Error { text } => format!("error {text}"),
        EventKind::Hint { text } => format!("hint {text}"),
        _ => return None,
    })
}

/// Returns a build whose builder is the script `script`.
pub fn build(script: &str) -> PlannedBuild {
    PlannedBuild {
        name: script.to_owned(),
        build_name: script.to_owned(),
        builder_type: "fake".to_owned(),
        span: None,
        settings: Arc::new(Value::from(script)),
        provisioners: Vec::new(),
        error_cleanup: None,
        post_processors: Vec::new(),
    }
}

pub fn provisioner(script: &str) -> PlannedProvisioner {
    PlannedProvisioner {
        kind: "fake".to_owned(),
        span: None,
        settings: Arc::new(Value::from(script)),
        pause_before: Duration::ZERO,
        timeout: Duration::ZERO,
        max_retries: 0,
    }
}

pub fn post_processor(script: &str) -> PlannedPostProcessor {
    PlannedPostProcessor {
        kind: "fake".to_owned(),
        name: script.to_owned(),
        span: None,
        settings: Arc::new(Value::from(script)),
        keep_input_artifact: None,
    }
}

/// Returns an artifact that stands for one thing in the cloud.
pub fn artifact(cloud: &Cloud, id: &str) -> Artifact {
    cloud.create(id, "");
    let intent = Intent { key: id.to_owned(), kind: "image".to_owned(), ..Intent::default() };
    let resource = Resource { intent, id: Some(id.to_owned()), ..Resource::default() };
    Artifact { id: id.to_owned(), resources: vec![resource], ..Artifact::default() }
}

pub fn intent(cx: &BuildContext, kind: &str, key: &str, needs: &[&str]) -> Intent {
    Intent {
        key: key.to_owned(),
        kind: kind.to_owned(),
        token: cx.run.token(key),
        needs: needs.iter().map(|key| (*key).to_owned()).collect(),
        ..Intent::default()
    }
}

/// Creates `key` (its id too) in the cloud, through the ledger.
pub async fn make(
    cx: &BuildContext,
    cloud: &Arc<Cloud>,
    kind: &str,
    key: &str,
    needs: &[&str],
) -> Result<Held> {
    cx.check()?;
    let intent = intent(cx, kind, key, needs);
    let (cloud, token) = (Arc::clone(cloud), intent.token.clone());
    let effect = || async move {
        cloud.create(key, &token);
        Ok(Acquired::id(key))
    };
    cx.run.acquire(intent, effect).await
}

/// Things by id, with the client token they were made with.
#[derive(Default)]
pub struct Cloud {
    things: Mutex<BTreeMap<String, String>>,
    /// What happened, in order.
    pub log: Mutex<Vec<String>>,
    /// What the next deletions of a thing answer, before it goes.
    faults: Mutex<BTreeMap<String, VecDeque<ErrorKind>>>,
    /// Things whose deletion waits until somebody opens the gate or cancels.
    gates: Mutex<BTreeMap<String, Arc<Notify>>>,
}

impl Cloud {
    pub fn create(&self, id: &str, token: &str) {
        self.note(format!("create {id}"));
        self.things.lock().unwrap().insert(id.to_owned(), token.to_owned());
    }

    pub fn left(&self) -> Vec<String> {
        self.things.lock().unwrap().keys().cloned().collect()
    }

    pub fn fail(&self, id: &str, kinds: &[ErrorKind]) {
        self.faults.lock().unwrap().insert(id.to_owned(), kinds.iter().copied().collect());
    }

    pub fn gate(&self, id: &str) -> Arc<Notify> {
        Arc::clone(self.gates.lock().unwrap().entry(id.to_owned()).or_default())
    }

    pub fn note(&self, text: impl Into<String>) {
        self.log.lock().unwrap().push(text.into());
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Returns the table of its kinds, in the order of their ranks.
    pub fn table(self: &Arc<Cloud>) -> ReclaimTable {
        let mut table = ReclaimTable::default();
        for (rank, (kind, quick)) in
            (0..).zip([("image", true), ("machine", false), ("group", false), ("net", false), ("key", true)])
        {
            table.insert(kind, Arc::new(Row { kind, rank, quick, cloud: Arc::clone(self) }));
        }
        table
    }
}

pub struct Row {
    pub kind: &'static str,
    pub rank: u32,
    pub quick: bool,
    pub cloud: Arc<Cloud>,
}

#[async_trait]
impl Reclaim for Row {
    fn rank(&self) -> u32 {
        self.rank
    }

    fn is_quick(&self) -> bool {
        self.quick
    }

    fn noun(&self) -> &'static str {
        self.kind
    }

    fn announce(&self, resource: &Resource, reason: Reason) -> Vec<Announcement> {
        let id = resource.id.as_deref().unwrap_or("?");
        match reason {
            Reason::Finished => vec![Announcement::Say(format!("Cleaning up {id}"))],
            _ => vec![Announcement::Say(format!("Deleting {id}"))],
        }
    }

    async fn find(&self, intent: &Intent) -> Result<Vec<Resource>> {
        self.cloud.note(format!("find {}", intent.key));
        let things = self.cloud.things.lock().unwrap();
        let ours = things.iter().filter(|(_, token)| **token == intent.token && !token.is_empty());
        Ok(ours
            .map(|(id, _)| Resource { intent: intent.clone(), id: Some(id.clone()), ..Resource::default() })
            .collect())
    }

    async fn delete(&self, resource: &Resource, cancel: &CancellationToken) -> Result<()> {
        let id = resource.id.clone().unwrap();
        self.cloud.note(format!("delete {id}"));
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        let gate = self.cloud.gates.lock().unwrap().get(&id).cloned();
        if let Some(gate) = gate {
            tokio::select! {
                () = gate.notified() => {}
                () = cancel.cancelled() => return Err(Error::cancelled()),
            }
        }
        let fault = self.cloud.faults.lock().unwrap().get_mut(&id).and_then(VecDeque::pop_front);
        if let Some(kind) = fault {
            return Err(Error::new(format!("{id} resists")).kind(kind));
        }
        self.cloud.things.lock().unwrap().remove(&id);
        Ok(())
    }
}

/// Somebody who answers what a test says, then has no terminal.
#[derive(Default)]
pub struct Answers {
    answers: Mutex<VecDeque<String>>,
    pub queries: Mutex<Vec<String>>,
    /// Set when the questions run out, instead of having no terminal.
    interrupt: Mutex<Option<CancellationToken>>,
}

impl Answers {
    pub fn say(&self, answers: &[&str]) {
        self.answers.lock().unwrap().extend(answers.iter().map(|answer| (*answer).to_owned()));
    }

    pub fn interrupts(&self, stop: &CancellationToken) {
        *self.interrupt.lock().unwrap() = Some(stop.clone());
    }

    pub fn queries(&self) -> Vec<String> {
        self.queries.lock().unwrap().clone()
    }
}

#[async_trait]
impl Prompt for Answers {
    async fn ask(&self, query: &str) -> Result<String, NoAnswer> {
        self.queries.lock().unwrap().push(query.to_owned());
        if let Some(answer) = self.answers.lock().unwrap().pop_front() {
            return Ok(answer);
        }
        let interrupt = self.interrupt.lock().unwrap().clone();
        match interrupt {
            Some(stop) => {
                stop.cancel();
                // Nobody will answer any more: whoever asked has to notice.
                std::future::pending().await
            }
            None => Err(NoAnswer::NoTerminal),
        }
    }
}

fn registry(scripts: &Scripts, cloud: &Arc<Cloud>) -> Registry {
    let mut registry = Registry::default();
    registry.builder(Fakes { scripts: scripts.clone(), cloud: Arc::clone(cloud) });
    registry.provisioner(Fakes { scripts: scripts.clone(), cloud: Arc::clone(cloud) });
    registry.post_processor(Fakes { scripts: scripts.clone(), cloud: Arc::clone(cloud) });
    registry
}

struct Fakes {
    scripts: Scripts,
    cloud: Arc<Cloud>,
}

struct Fake<S> {
    script: S,
    cloud: Arc<Cloud>,
}

macro_rules! factory {
    ($component:ident, $scripts:ident) => {
        impl Factory<dyn $component> for Fakes {
            fn name(&self) -> &'static str {
                "fake"
            }

            fn summary(&self) -> &'static str {
                "Does what a test says."
            }

            fn schema(&self) -> Schema {
                Schema::of::<()>()
            }

            fn prepare(&self, settings: &Value, _: &Scope) -> Preparation<dyn $component> {
                let name = settings.to_json();
                let script = Arc::clone(&self.scripts.$scripts[name.as_str().unwrap()]);
                let component = Arc::new(Fake { script, cloud: Arc::clone(&self.cloud) });
                Ok(Prepared { component, warnings: Vec::new(), generated: Vec::new() })
            }
        }
    };
}

factory!(Builder, builders);
factory!(Provisioner, provisioners);
factory!(PostProcessor, post_processors);

#[async_trait]
impl Builder for Fake<Script<BuildContext, (), Option<Artifact>>> {
    async fn build(&self, cx: &BuildContext) -> Result<Option<Artifact>> {
        (self.script)(cx.clone(), ()).await
    }

    fn reclaim(&self) -> ReclaimTable {
        self.cloud.table()
    }
}

#[async_trait]
impl Provisioner for Fake<Script<ProvisionContext, (), ()>> {
    async fn provision(&self, cx: &ProvisionContext) -> Result<()> {
        (self.script)(cx.clone(), ()).await
    }
}

#[async_trait]
impl PostProcessor for Fake<Script<PostProcessContext, Artifact, PostProcessed>> {
    async fn post_process(&self, cx: &PostProcessContext, input: &Artifact) -> Result<PostProcessed> {
        (self.script)(cx.clone(), input.clone()).await
    }

    /// A kind no builder knows.
    fn reclaim(&self) -> ReclaimTable {
        let mut table = ReclaimTable::default();
        let cloud = Arc::clone(&self.cloud);
        table.insert("upload", Arc::new(Row { kind: "upload", rank: 9, quick: true, cloud }));
        table
    }
}

/// A machine nobody talks to.
pub struct NoMachine;

#[async_trait]
impl Communicator for NoMachine {
    async fn start(&self, _: Command) -> Result<Running> {
        Err(Error::new("no machine"))
    }

    async fn upload(
        &self,
        _: &str,
        _: &mut (dyn AsyncRead + Send + Unpin),
        _: Option<FileInfo>,
    ) -> Result<()> {
        Err(Error::new("no machine"))
    }

    async fn upload_dir(&self, _: &str, _: &Path, _: bool) -> Result<()> {
        Err(Error::new("no machine"))
    }

    async fn download(&self, _: &str, _: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()> {
        Err(Error::new("no machine"))
    }

    async fn download_dir(&self, _: &str, _: &Path) -> Result<()> {
        Err(Error::new("no machine"))
    }
}

/// A world that holds still.
struct Still;

impl World for Still {
    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn read_bytes(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn stat(&self, _: &Path) -> io::Result<FileKind> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn working_dir(&self) -> PathBuf {
        PathBuf::from("/here")
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }

    fn secret(&self, _: &SecretRequest) -> Result<String, String> {
        Err("no secrets here".to_owned())
    }
}
