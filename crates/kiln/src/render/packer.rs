//! Reads an event into the lines Packer has for it. The texts are an interface: scripts search for them.

use jiff::Zoned;
use kiln_core::event::{ArtifactSummary, BuildResult, Event, EventKind, OutputStream};

use super::durations::wording;

/// One call of Packer's user interface.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A text for both forms.
    Text {
        /// Packer's word for it.
        level: Level,
        /// How it is coloured where colours are on.
        paint: Paint,
        /// The text, possibly of several lines.
        text: String,
    },
    /// A text for people only (the colour lines).
    Human {
        /// How it is coloured.
        paint: Paint,
        /// The text.
        text: String,
    },
    /// Data for programs only.
    Machine {
        /// The build it is about, or empty.
        target: String,
        /// What it is.
        kind: &'static str,
        /// The data.
        data: Vec<String>,
    },
    /// What Kiln knows beyond Packer's lines.
    Aside(String),
}

/// Packer's word for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Ordinary.
    Say,
    /// Something went wrong.
    Error,
}

/// The colour of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// The terminal's own.
    Plain,
    /// That of a build, by its place in the run.
    Build(usize),
    /// That of errors.
    Red,
}

/// The state that reading needs: which builds there are, and the flags.
#[derive(Debug, Default)]
pub struct Reader {
    /// `-timestamp-ui`.
    pub timestamps: bool,
    /// `-color`: whether builds introduce their colours.
    pub introductions: bool,
    builds: Vec<String>,
    running: bool,
}

impl Reader {
    /// Returns a reader for a run with these flags.
    pub fn new(timestamps: bool, introductions: bool) -> Reader {
        Reader { timestamps, introductions, ..Reader::default() }
    }

    /// Returns the lines of `event`, in order.
    pub fn lines(&mut self, event: &Event) -> Vec<Line> {
        match &event.kind {
            EventKind::RunStarted { builds, debug, .. } => self.run_started(builds, *debug),
            EventKind::Say { text }
            | EventKind::Message { text }
            | EventKind::Warning { text }
            | EventKind::RemoteOutput { stream: OutputStream::Stdout, line: text } => {
                vec![self.call(event, Level::Say, text)]
            }
            EventKind::Error { text } | EventKind::RemoteOutput { stream: OutputStream::Stderr, line: text } => {
                vec![self.call(event, Level::Error, text)]
            }
            EventKind::Hint { text } => vec![Line::Aside(prefixed(event, text))],
            EventKind::BuildFinished { elapsed, error, .. } => {
                let name = event.build.as_deref().unwrap_or_default();
                let elapsed = wording(*elapsed);
                let (level, text) = match error {
                    None => (Level::Say, format!("Build '{name}' finished after {elapsed}.")),
                    Some(error) => (Level::Error, format!("Build '{name}' errored after {elapsed}: {error}")),
                };
                vec![Line::Text { level, paint: self.paint(event, level), text: self.stamped(text) }]
            }
            EventKind::RunFinished { elapsed, interrupted, results, .. } => {
                self.running = false;
                run_finished(&wording(*elapsed), *interrupted, results)
            }
            EventKind::BuildStarted
            | EventKind::StepStarted { .. }
            | EventKind::StepFinished { .. }
            | EventKind::ResourceIntended { .. }
            | EventKind::ResourceAcquired { .. }
            | EventKind::ResourceKept { .. }
            | EventKind::ResourceReleased { .. }
            // The engine says what is left, with the command that deletes it, in a hint.
            | EventKind::ResourceLeft { .. }
            | EventKind::Progress { .. } => Vec::new(),
        }
    }

    fn run_started(&mut self, builds: &[String], debug: bool) -> Vec<Line> {
        self.builds = builds.to_vec();
        self.running = true;
        let mut lines = Vec::new();
        if debug {
            lines.push(say("Debug mode enabled. Builds will not be parallelized."));
        }
        if self.introductions {
            for (index, build) in builds.iter().enumerate() {
                let text = format!("{build}: output will be in this color.");
                lines.push(Line::Human { paint: Paint::Build(index), text });
            }
            lines.push(Line::Human { paint: Paint::Plain, text: String::new() });
        }
        lines
    }

    fn call(&self, event: &Event, level: Level, text: &str) -> Line {
        let text = match event.build {
            Some(_) => self.stamped(prefixed(event, text)),
            None => text.to_owned(),
        };
        Line::Text { level, paint: self.paint(event, level), text }
    }

    fn paint(&self, event: &Event, level: Level) -> Paint {
        match (level, &event.build) {
            // Before the run, faults of the template are said in the terminal's colour; during it, errors are red.
            (Level::Error, None) if !self.running => Paint::Plain,
            (Level::Error, _) => Paint::Red,
            (Level::Say, None) => Paint::Plain,
            (Level::Say, Some(build)) => match self.builds.iter().position(|known| known == build) {
                Some(index) => Paint::Build(index),
                None => Paint::Plain,
            },
        }
    }

    fn stamped(&self, text: String) -> String {
        match self.timestamps {
            true => format!("{}: {text}", rfc3339(&Zoned::now())),
            false => text,
        }
    }
}

/// Returns local time as Go writes RFC 3339: `Z` where there is no offset.
fn rfc3339(time: &Zoned) -> String {
    match time.offset().is_zero() {
        true => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        false => time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    }
}

/// Every line of the text gets the prefix; white space at the very end goes, as in Packer, so that an empty text is
/// `==> NAME:`.
fn prefixed(event: &Event, text: &str) -> String {
    let Some(build) = &event.build else {
        return text.to_owned();
    };
    let target = match &event.post_processor {
        Some(post_processor) => format!("{build} ({post_processor})"),
        None => build.clone(),
    };
    let lines: Vec<String> = text.split('\n').map(|line| format!("==> {target}: {line}")).collect();
    lines.join("\n").trim_end().to_owned()
}

fn say(text: impl Into<String>) -> Line {
    Line::Text { level: Level::Say, paint: Paint::Plain, text: text.into() }
}

fn error(text: impl Into<String>) -> Line {
    Line::Text { level: Level::Error, paint: Paint::Plain, text: text.into() }
}

fn data<const N: usize>(target: &str, kind: &'static str, data: [String; N]) -> Line {
    Line::Machine { target: target.to_owned(), kind, data: data.into() }
}

fn run_finished(elapsed: &str, interrupted: bool, results: &[BuildResult]) -> Vec<Line> {
    let mut lines = vec![say(format!("\n==> Wait completed after {elapsed}"))];
    if interrupted {
        lines.push(say("Cleanly cancelled builds after being interrupted."));
        return lines;
    }
    let failed: Vec<(&str, &String)> =
        results.iter().filter_map(|result| Some((result.build.as_str(), result.error.as_ref()?))).collect();
    if !failed.is_empty() {
        lines.push(data("", "error-count", [failed.len().to_string()]));
        lines.push(error("\n==> Some builds didn't complete successfully and had errors:"));
        for (build, text) in failed {
            lines.push(data(build, "error", [text.clone()]));
            lines.push(error(format!("--> {build}: {text}")));
        }
    }
    let made = results.iter().filter(|result| result.error.is_none() && !result.artifacts.is_empty());
    let made: Vec<&BuildResult> = made.collect();
    if made.is_empty() {
        lines.push(say("\n==> Builds finished but no artifacts were created."));
        return lines;
    }
    lines.push(say("\n==> Builds finished. The artifacts of successful builds are:"));
    for BuildResult { build, artifacts, .. } in made {
        lines.push(data(build, "artifact-count", [artifacts.len().to_string()]));
        for (index, artifact) in artifacts.iter().enumerate() {
            lines.extend(artifact_lines(build, index, artifact));
        }
    }
    lines
}

fn artifact_lines(build: &str, index: usize, artifact: &ArtifactSummary) -> Vec<Line> {
    let row = |rest: &[&str]| {
        let row = std::iter::once(index.to_string()).chain(rest.iter().map(|&text| text.to_owned()));
        Line::Machine { target: build.to_owned(), kind: "artifact", data: row.collect() }
    };
    let mut lines = vec![
        row(&["builder-id", &artifact.builder_id]),
        row(&["id", &artifact.id]),
        row(&["string", &artifact.text]),
        row(&["files-count", &artifact.files.len().to_string()]),
    ];
    for (number, file) in artifact.files.iter().enumerate() {
        lines.push(row(&["file", &number.to_string(), file]));
    }
    lines.push(row(&["end"]));
    lines.push(say(format!("--> {build}: {}", artifact.text)));
    lines
}
