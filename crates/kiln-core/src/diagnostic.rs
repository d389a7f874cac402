//! What is wrong with a template: gathered, never thrown one at a time.

mod excerpt;
mod json;
mod render;
mod wrap;

use crate::span::Span;

pub use render::{Layout, notes, render, render_as};

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The work goes on.
    Warning,
    /// The work cannot go on.
    Error,
}

/// One fault of a template, a variables file or a command line.
///
/// `summary` and `detail` are Packer's words where Packer has some: scripts and people search for them. What
/// Kiln knows beyond that (the place, the excerpt, the nearest name, what to do) is in `faults` and `hints`.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The headline behind `Error: `. Packer leaves it empty in a few cases, and so do we.
    pub summary: String,
    /// The text below the headline.
    pub detail: String,
    /// The place, for diagnostics about one place. Packer has places in HCL templates only, so diagnostics about JSON
    /// templates have theirs in `faults`.
    pub span: Option<Span>,
    /// The block the place is in, as Packer names it: `source "null" "a"`.
    pub within: Option<String>,
    /// Single faults gathered under one headline (all bad keys of one builder, say), each with its place.
    pub faults: Vec<Fault>,
    /// What to do next, each on a line of its own.
    pub hints: Vec<String>,
}

/// One fault below a headline.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What is wrong, one line or more.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// Returns a fault without a place.
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), span: None, hint: None }
    }

    /// Returns the fault placed at `span`.
    #[must_use]
    pub fn at(mut self, span: Option<Span>) -> Fault {
        self.span = span;
        self
    }

    /// Returns the fault with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }
}

impl Diagnostic {
    /// Returns an error with this headline.
    pub fn error(summary: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            summary: summary.into(),
            detail: String::new(),
            span: None,
            within: None,
            faults: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Returns a warning with this headline.
    pub fn warning(summary: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(summary) }
    }

    /// Returns the diagnostic with this text below the headline.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Diagnostic {
        self.detail = detail.into();
        self
    }

    /// Returns the diagnostic placed at `span`.
    #[must_use]
    pub fn at(mut self, span: Option<Span>) -> Diagnostic {
        self.span = span;
        self
    }

    /// Returns the diagnostic with the block its place is in (`source "null" "a"`).
    #[must_use]
    pub fn within(mut self, block: impl Into<String>) -> Diagnostic {
        self.within = Some(block.into());
        self
    }

    /// Returns the text below the headline: `detail`, or what Packer would say of `faults` if there is none.
    pub fn packer_detail(&self) -> String {
        let told = |fault: &Fault| self.summary.contains(&fault.message);
        match self.detail.is_empty() && !self.faults.iter().all(told) {
            true => crate::decode::detail(&self.faults),
            false => self.detail.clone(),
        }
    }

    /// Returns the diagnostic with one more fault below its headline.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Diagnostic {
        self.faults.push(fault);
        self
    }

    /// Returns the diagnostic with one more piece of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hints.push(hint.into());
        self
    }
}

/// Everything that is wrong, in the order it was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Returns whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics(vec![diagnostic])
    }
}

/// Returns several messages as one, as go-multierror writes them: `2 errors occurred:`, a line each, an empty line.
pub fn multi_error<'a>(messages: impl IntoIterator<Item = &'a str>) -> String {
    let points: Vec<String> = messages.into_iter().map(|message| format!("\t* {message}\n")).collect();
    let count = match points.len() {
        1 => "1 error".to_owned(),
        more => format!("{more} errors"),
    };
    format!("{count} occurred:\n{}\n", points.concat())
}

/// Returns several messages as one, as Packer itself writes them: `2 error(s) occurred:`, an empty line, a line each.
pub fn packer_errors<'a>(messages: impl IntoIterator<Item = &'a str>) -> String {
    let points: Vec<String> = messages.into_iter().map(|message| format!("* {message}")).collect();
    format!("{} error(s) occurred:\n\n{}", points.len(), points.join("\n"))
}

/// Returns the candidate nearest to `name`, if one is near enough to be a slip of the keyboard.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
