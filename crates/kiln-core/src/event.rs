//! Everything a user may see.
//!
//! Facts (each documented, in the past tense) must arrive: sending them waits for room in a bounded channel.
//! Progress may be dropped. Secrets are filtered here and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::communicator::Stream;
use crate::error::Result;
use crate::secret::SecretFilter;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up within a run, without gaps among facts.
    pub sequence: u64,
    /// When it happened, RFC 3339 with milliseconds, UTC.
    pub time: String,
    /// The build it is about (its display name), if any.
    pub build: Option<String>,
    /// The post-processor it is about, if any: its lines are prefixed `BUILD (POST-PROCESSOR)`.
    pub post_processor: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was recorded by an earlier attempt and not done again.
    Skipped,
    /// It failed.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A run began. `builds` are the display names in order; the colour lines and `-debug` note come from here.
    RunStarted {
        /// The run's id.
        run: String,
        /// Display names of the builds that will run.
        builds: Vec<String>,
        /// Whether `-debug` is on.
        debug: bool,
    },
    /// A build began.
    BuildStarted,
    /// Packer's "say": a line of the component's own progress.
    Say {
        /// The text, possibly of several lines.
        text: String,
    },
    /// Packer's "message": a detail below a say.
    Message {
        /// The text.
        text: String,
    },
    /// Packer's "error" line.
    Error {
        /// The text.
        text: String,
    },
    /// Something to know that does not stop the work.
    Warning {
        /// The text.
        text: String,
    },
    /// What to do next, or what Kiln knows beyond Packer's lines. The human renderer prints it on standard error, so
    /// that standard output stays Packer's letter for letter.
    Hint {
        /// The text.
        text: String,
    },
    /// One line a remote or local command printed (without its line end).
    RemoteOutput {
        /// Which stream.
        stream: OutputStream,
        /// The line.
        line: String,
    },
    /// A named step of a builder, a provisioner or a post-processor began.
    StepStarted {
        /// Stable name: `stepCreateAlicloudInstance`, `provisioner 1 (shell)`.
        step: String,
    },
    /// It ended.
    StepFinished {
        /// The same name.
        step: String,
        /// How.
        outcome: Outcome,
        /// How long it took.
        #[serde(with = "duration_millis")]
        elapsed: Duration,
    },
    /// The intent to create something temporary is on disk.
    ResourceIntended {
        /// Kind in the reclaim table: `alicloud-vpc`.
        kind: String,
        /// Ledger key within the build.
        key: String,
    },
    /// It was created.
    ResourceAcquired {
        /// Kind.
        kind: String,
        /// Ledger key.
        key: String,
        /// Id in the cloud.
        id: String,
    },
    /// It was handed to the user.
    ResourceKept {
        /// Kind.
        kind: String,
        /// Ledger key.
        key: String,
        /// Id in the cloud.
        id: String,
    },
    /// It was deleted (or found absent).
    ResourceReleased {
        /// Kind.
        kind: String,
        /// Ledger key.
        key: String,
        /// Id in the cloud; empty when creation had not happened.
        id: String,
    },
    /// It could not be deleted and is still there.
    ResourceLeft {
        /// Kind.
        kind: String,
        /// Ledger key.
        key: String,
        /// Id in the cloud.
        id: String,
        /// Why.
        reason: String,
    },
    /// Progress of something long. May be dropped.
    Progress {
        /// What: `upload disk.raw`, `image m-…`.
        what: String,
        /// Done so far.
        done: u64,
        /// Of how much, if known.
        total: Option<u64>,
        /// `bytes`, `%`.
        unit: String,
    },
    /// A build ended.
    BuildFinished {
        /// How.
        outcome: Outcome,
        /// How long it took.
        #[serde(with = "duration_millis")]
        elapsed: Duration,
        /// The error text, if it failed.
        error: Option<String>,
        /// What it made, in order.
        artifacts: Vec<ArtifactSummary>,
    },
    /// The run ended: the closing summary.
    RunFinished {
        /// How.
        outcome: Outcome,
        /// How long it took.
        #[serde(with = "duration_millis")]
        elapsed: Duration,
        /// Whether a signal ended it.
        interrupted: bool,
        /// Builds in order, with error or artifacts.
        results: Vec<BuildResult>,
    },
}

/// An artifact as the summary shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactSummary {
    /// Packer's builder id.
    pub builder_id: String,
    /// The artifact's id.
    pub id: String,
    /// The text.
    pub text: String,
    /// Local files.
    pub files: Vec<String>,
}

/// One build in the closing summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildResult {
    /// Display name.
    pub build: String,
    /// Why it failed.
    pub error: Option<String>,
    /// What it made.
    pub artifacts: Vec<ArtifactSummary>,
}

/// Which stream a remote line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl From<Stream> for OutputStream {
    fn from(stream: Stream) -> OutputStream {
        match stream {
            Stream::Stdout => OutputStream::Stdout,
            Stream::Stderr => OutputStream::Stderr,
        }
    }
}

/// How many facts may wait for a slow renderer before builds wait too.
const CHANNEL_CAPACITY: usize = 1024;

/// Where events go. Cheap to clone; a clone may speak for one build or one post-processor of it.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<Event>,
    sequence: Arc<AtomicU64>,
    filter: SecretFilter,
    build: Option<String>,
    post_processor: Option<String>,
    voice: Option<Arc<dyn Voice>>,
}

/// Tells what happens in other words: for a component that lets another do its work.
pub trait Voice: std::fmt::Debug + Send + Sync {
    /// Returns what is sent instead of `kind`.
    fn tell(&self, kind: EventKind) -> Vec<EventKind>;
}

impl Events {
    /// Returns a sink and what the renderer reads from.
    pub fn channel(filter: SecretFilter) -> (Events, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
        let sequence = Arc::default();
        (Events { sender, sequence, filter, build: None, post_processor: None, voice: None }, receiver)
    }

    /// Returns the sink speaking for one build.
    pub fn for_build(&self, name: &str) -> Events {
        Events { build: Some(name.to_owned()), ..self.clone() }
    }

    /// Returns the sink speaking for one post-processor of its build.
    pub fn for_post_processor(&self, name: &str) -> Events {
        Events { post_processor: Some(name.to_owned()), ..self.clone() }
    }

    /// Returns the sink telling its facts in the words of `voice`.
    pub fn in_the_voice_of(&self, voice: Arc<dyn Voice>) -> Events {
        Events { voice: Some(voice), ..self.clone() }
    }

    /// Returns the filter, so that secrets learnt on the way can be registered.
    pub fn secrets(&self) -> &SecretFilter {
        &self.filter
    }

    /// Sends a fact, waiting for room. A closed channel (the renderer is gone) is no error for the sender.
    pub async fn emit(&self, kind: EventKind) {
        match &self.voice {
            None => self.send(kind).await,
            Some(voice) => {
                for kind in voice.tell(kind) {
                    self.send(kind).await;
                }
            }
        }
    }

    async fn send(&self, kind: EventKind) {
        let event = self.event(kind);
        let _ = self.sender.send(event).await;
    }

    /// Sends progress if there is room.
    pub fn progress(&self, what: &str, done: u64, total: Option<u64>, unit: &str) {
        let kind = EventKind::Progress { what: what.to_owned(), done, total, unit: unit.to_owned() };
        if let Ok(permit) = self.sender.try_reserve() {
            permit.send(self.event(kind));
        }
    }

    /// Does `work` as the step called `step`: told when it begins, and when and how it ends.
    pub async fn timed<T>(&self, step: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let begun = Instant::now();
        self.emit(EventKind::StepStarted { step: step.to_owned() }).await;
        let result = work.await;
        let outcome = match &result {
            Ok(_) => Outcome::Done,
            Err(error) if error.is_cancelled() => Outcome::Cancelled,
            Err(_) => Outcome::Failed,
        };
        let elapsed = begun.elapsed();
        self.emit(EventKind::StepFinished { step: step.to_owned(), outcome, elapsed }).await;
        result
    }

    /// Packer's "say".
    pub async fn say(&self, text: impl Into<String>) {
        self.emit(EventKind::Say { text: text.into() }).await;
    }

    /// Packer's "message".
    pub async fn message(&self, text: impl Into<String>) {
        self.emit(EventKind::Message { text: text.into() }).await;
    }

    /// Packer's "error".
    pub async fn error(&self, text: impl Into<String>) {
        self.emit(EventKind::Error { text: text.into() }).await;
    }

    /// A line of a command's output.
    pub async fn output(&self, stream: Stream, line: impl Into<String>) {
        self.emit(EventKind::RemoteOutput { stream: stream.into(), line: line.into() }).await;
    }

    fn event(&self, kind: EventKind) -> Event {
        Event {
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            build: self.build.clone(),
            post_processor: self.post_processor.clone(),
            kind: self.masked(kind),
        }
    }

    /// Replaces secrets in every text a user may see.
    fn masked(&self, mut kind: EventKind) -> EventKind {
        let mask = |text: &mut String| {
            if let std::borrow::Cow::Owned(masked) = self.filter.apply(text) {
                *text = masked;
            }
        };
        match &mut kind {
            EventKind::Say { text }
            | EventKind::Message { text }
            | EventKind::Error { text }
            | EventKind::Warning { text }
            | EventKind::Hint { text }
            | EventKind::RemoteOutput { line: text, .. }
            | EventKind::ResourceLeft { reason: text, .. }
            | EventKind::Progress { what: text, .. } => mask(text),
            EventKind::BuildFinished { error, artifacts, .. } => {
                error.iter_mut().for_each(&mask);
                artifacts.iter_mut().for_each(|artifact| mask(&mut artifact.text));
            }
            EventKind::RunFinished { results, .. } => {
                for result in results {
                    result.error.iter_mut().for_each(&mask);
                    result.artifacts.iter_mut().for_each(|artifact| mask(&mut artifact.text));
                }
            }
            EventKind::RunStarted { .. }
            | EventKind::BuildStarted
            | EventKind::StepStarted { .. }
            | EventKind::StepFinished { .. }
            | EventKind::ResourceIntended { .. }
            | EventKind::ResourceAcquired { .. }
            | EventKind::ResourceKept { .. }
            | EventKind::ResourceReleased { .. } => {}
        }
        kind
    }
}

mod duration_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
