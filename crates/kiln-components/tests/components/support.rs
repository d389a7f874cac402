//! The world around a component under test.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use kiln_components::register;
use kiln_core::artifact::Artifact;
use kiln_core::commons::Commons;
use kiln_core::communicator::Communicator;
use kiln_core::component::{
    BuildContext, PostProcessContext, PostProcessed, ProvisionContext, ProvisionHook, Registry, StepPolicy,
};
use kiln_core::diagnostic::Fault;
use kiln_core::error::{Error, Result};
use kiln_core::event::{Event, EventKind, Events, OutputStream};
use kiln_core::ledger::{Journal, JournalError, Record, Resource};
use kiln_core::prompt::{NoAnswer, Prompt};
use kiln_core::run::{Recorded, Releaser, Run};
use kiln_core::scope::{BuildValues, FileKind, OnError, Scope, SecretRequest, World};
use kiln_core::secret::SecretFilter;
use kiln_core::value::Value;
use kiln_remote::dial::Direct;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

/// A folder of its own, and everything a component is handed.
pub struct Room {
    pub folder: tempfile::TempDir,
    pub scope: Scope,
    pub events: Events,
    pub cancel: CancellationToken,
    received: Receiver<Event>,
}

pub const RUN: &str = "f4353d0b-1c2c-6356-0090-5d490f556a52";

impl Room {
    pub fn new() -> Room {
        let folder = tempfile::tempdir().unwrap();
        let values = [
            ("ID", "Null"),
            ("Host", "10.0.0.1"),
            ("PackerHTTPAddr", "ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER"),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), Value::from(value)));
        let world = TestWorld { folder: folder.path().to_owned(), random: AtomicU8::new(0) };
        let scope = Scope {
            build_name: "web".to_owned(),
            builder_type: "null".to_owned(),
            core_version: "1.16.0".to_owned(),
            debug: false,
            force: false,
            on_error: OnError::Cleanup,
            template_path: None,
            user_variables: BTreeMap::from([("who".to_owned(), "you".to_owned())]),
            run_uuid: RUN.to_owned(),
            values: BuildValues::Known(values.into_iter().collect()),
            world: Arc::new(world),
        };
        let (events, received) = Events::channel(SecretFilter::default());
        Room { folder, scope, events, cancel: CancellationToken::new(), received }
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Prepares and runs a provisioner.
    pub async fn provision(
        &self,
        kind: &str,
        settings: serde_json::Value,
        communicator: Arc<dyn Communicator>,
    ) -> Result<()> {
        let prepared = registry().provisioners[kind].prepare(&Value::from(&settings), &self.scope);
        let provisioner = prepared.map_err(told).unwrap().component;
        let cx = ProvisionContext {
            communicator,
            events: self.events.clone(),
            cancel: self.cancel.clone(),
            scope: Arc::new(self.scope.clone()),
            prompt: Arc::new(Nobody),
        };
        provisioner.provision(&cx).await
    }

    /// Prepares and runs a post-processor.
    pub async fn post_process(
        &self,
        kind: &str,
        settings: serde_json::Value,
        input: &Artifact,
    ) -> Result<PostProcessed> {
        let prepared = registry().post_processors[kind].prepare(&Value::from(&settings), &self.scope);
        let post_processor = prepared.map_err(told).unwrap().component;
        let cx = PostProcessContext {
            events: self.events.clone(),
            cancel: self.cancel.clone(),
            scope: Arc::new(self.scope.clone()),
            run: self.run(),
        };
        post_processor.post_process(&cx, input).await
    }

    /// Prepares and runs a builder; `hook` stands for the provisioners.
    pub async fn build(
        &self,
        kind: &str,
        settings: serde_json::Value,
        hook: Arc<dyn ProvisionHook>,
    ) -> Result<Option<Artifact>> {
        let prepared = registry().builders[kind].prepare(&Value::from(&settings), &self.scope);
        let builder = prepared.map_err(told).unwrap().component;
        let cx = BuildContext {
            commons: Commons::new(self.run(), 1),
            run: self.run(),
            events: self.events.clone(),
            cancel: self.cancel.clone(),
            scope: Arc::new(self.scope.clone()),
            hook,
            policy: Arc::new(Nobody),
        };
        builder.build(&cx).await
    }

    fn run(&self) -> Run {
        Run::new(
            RUN,
            "null.web",
            Arc::new(Nobody),
            self.events.clone(),
            Arc::new(Nobody),
            Recorded::default(),
        )
    }

    /// Returns what was said, one line an event, with what differs from run to run replaced.
    pub fn shown(&mut self) -> String {
        let mut lines = Vec::new();
        while let Ok(event) = self.received.try_recv() {
            lines.extend(line(event.kind));
        }
        self.plain(&lines.join("\n"))
    }

    /// Returns `text` with what differs from run to run replaced.
    pub fn plain(&self, text: &str) -> String {
        let mut text = text.replace(&*self.folder.path().to_string_lossy(), "<CWD>");
        for name in ["packer-shell", "pkr-file-content"] {
            let mut from = 0;
            while let Some(at) = text[from..].find(name) {
                let start = from + at + name.len();
                let end =
                    text[start..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| start + end);
                text.replace_range(start..end, "<N>");
                from = start;
            }
        }
        text
    }
}

fn line(kind: EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Say { text } => format!("say     {text}"),
        EventKind::Message { text } => format!("message {text}"),
        EventKind::Error { text } => format!("error   {text}"),
        EventKind::RemoteOutput { stream: OutputStream::Stdout, line } => format!("stdout  {line}"),
        EventKind::RemoteOutput { stream: OutputStream::Stderr, line } => format!("stderr  {line}"),
        EventKind::StepStarted { step } => format!("step    {step}"),
        _ => return None,
    })
}

pub fn registry() -> Registry {
    let mut registry = Registry::default();
    register(&mut registry, Arc::new(Direct));
    registry
}

/// Returns faults as text, hints indented.
pub fn told(faults: Vec<Fault>) -> String {
    let tell = |fault: &Fault| {
        let hint = fault.hint.as_ref().map(|hint| format!("\n    {hint}")).unwrap_or_default();
        format!("{}{hint}", fault.message)
    };
    faults.iter().map(tell).collect::<Vec<_>>().join("\n")
}

struct TestWorld {
    folder: PathBuf,
    random: AtomicU8,
}

impl World for TestWorld {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn stat(&self, path: &Path) -> io::Result<FileKind> {
        let folder = std::fs::metadata(path)?.is_dir();
        Ok(if folder { FileKind::Folder } else { FileKind::File })
    }

    fn list(&self, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, name: &str) -> Option<String> {
        (name == "TMPDIR").then(|| self.folder.to_string_lossy().into_owned())
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn working_dir(&self) -> PathBuf {
        self.folder.clone()
    }

    fn random(&self) -> [u8; 16] {
        [self.random.fetch_add(1, Ordering::Relaxed) + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    fn secret(&self, _: &SecretRequest) -> Result<String, String> {
        Err("no secrets here".to_owned())
    }
}

/// Stands for whoever has nothing to say.
pub struct Nobody;

#[async_trait]
impl Prompt for Nobody {
    async fn ask(&self, _: &str) -> Result<String, NoAnswer> {
        Err(NoAnswer::NoTerminal)
    }
}

#[async_trait]
impl Journal for Nobody {
    async fn append(&self, _: Record) -> Result<(), JournalError> {
        Ok(())
    }
}

#[async_trait]
impl Releaser for Nobody {
    async fn release(&self, _: &Resource) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StepPolicy for Nobody {
    async fn succeeded(&self, _: &str) {}

    async fn failed(&self, _: &str, _: &Error) -> bool {
        false
    }
}

#[async_trait]
impl ProvisionHook for Nobody {
    async fn provision(&self, _: Arc<dyn Communicator>, _: BTreeMap<String, Value>) -> Result<()> {
        Ok(())
    }
}
