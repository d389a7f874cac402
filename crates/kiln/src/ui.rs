//! The outlet of commands that run no build: says, errors, and data for programs.

use std::io::{self, Write};

use kiln_core::diagnostic::{Diagnostic, Diagnostics};
use kiln_core::event::{Event, EventKind, Events};
use kiln_core::secret::SecretFilter;

use crate::failure::{DONE, FAILED, Failure};
use crate::render::diagnostics::{addition, packer};
use crate::render::{Format, machine};

/// Writes to the standard streams in one format. Secrets are masked here.
#[derive(Clone, Default)]
pub struct Ui {
    /// How.
    pub format: Format,
    /// What must not be shown.
    pub secrets: SecretFilter,
}

impl Ui {
    /// Packer's "say".
    pub fn say(&self, text: &str) -> io::Result<()> {
        self.call("say", text)
    }

    /// Packer's "error".
    pub fn error(&self, text: &str) -> io::Result<()> {
        self.call("error", text)
    }

    /// Data for programs; people do not see it.
    pub fn machine(&self, kind: &str, data: &[&str]) -> io::Result<()> {
        match self.format {
            Format::Machine => {
                let masked: Vec<_> = data.iter().map(|datum| self.secrets.apply(datum)).collect();
                let data: Vec<&str> = masked.iter().map(AsRef::as_ref).collect();
                put(&machine::line("", kind, &data))
            }
            Format::Human | Format::Json => Ok(()),
        }
    }

    /// What is not Packer's: advice, on standard error.
    pub fn aside(&self, text: &str) {
        // Losing standard error must not end anything.
        let _ = writeln!(io::stderr().lock(), "{}", self.secrets.apply(text));
    }

    /// Says all diagnostics in one call, as Packer does.
    pub fn diagnostics(&self, diagnostics: &Diagnostics) -> io::Result<()> {
        match (diagnostics.is_empty(), diagnostics.has_errors()) {
            (true, _) => return Ok(()),
            (false, true) => self.error(&packer(diagnostics))?,
            (false, false) => self.say(&packer(diagnostics))?,
        }
        if let Some(text) = addition(diagnostics) {
            self.aside(&text);
        }
        Ok(())
    }

    /// Tells why a command failed; returns its exit code.
    pub fn failure(&self, failure: &Failure) -> u8 {
        let told = match failure {
            Failure::Silent => Ok(()),
            Failure::Template(diagnostics) => self.diagnostics(diagnostics),
            Failure::Usage { help, reason } => self.say(help).and_then(|()| match reason {
                Some(reason) => self.error(reason),
                None => Ok(()),
            }),
            Failure::Told { text, hints } => {
                let told = self.error(text);
                hints.iter().for_each(|hint| self.aside(hint));
                told
            }
        };
        // Whether anybody could read it or not, it failed.
        told.map_or(FAILED, |()| FAILED)
    }

    /// Tells how a command ended; returns its exit code.
    pub fn conclude(&self, outcome: Result<u8, Failure>) -> u8 {
        match outcome {
            Ok(code) => code,
            Err(failure) => self.failure(&failure),
        }
    }

    fn call(&self, level: &str, text: &str) -> io::Result<()> {
        let text = self.secrets.apply(text);
        match self.format {
            Format::Human => put(&text),
            Format::Machine => put(&machine::line("", "ui", &[level, &text])),
            Format::Json => {
                let text = text.into_owned();
                let kind = match level {
                    "error" => EventKind::Error { text },
                    _ => EventKind::Say { text },
                };
                let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
                let event = Event { sequence: 0, time, build: None, post_processor: None, kind };
                put(&serde_json::to_string(&event)?)
            }
        }
    }
}

fn put(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Sends diagnostics the way of events, where a renderer is at work.
pub async fn emit(diagnostics: &Diagnostics, events: &Events) {
    match (diagnostics.is_empty(), diagnostics.has_errors()) {
        (true, _) => {}
        (false, true) => events.error(packer(diagnostics)).await,
        (false, false) => events.say(packer(diagnostics)).await,
    }
    if let Some(text) = addition(diagnostics) {
        events.emit(EventKind::Hint { text }).await;
    }
}

/// Returns the exit code of a check that found these.
pub fn verdict(diagnostics: &Diagnostics) -> u8 {
    match diagnostics.has_errors() {
        true => FAILED,
        false => DONE,
    }
}

/// Returns an error with Packer's empty headline.
pub fn untitled(detail: impl Into<String>) -> Diagnostic {
    Diagnostic::error("").detail(detail)
}
