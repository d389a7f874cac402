//! Diagnostics as text: Packer's layout first, then what Kiln knows beyond it.

use std::fmt::Write;

use super::{Diagnostic, Diagnostics, Fault, Severity, excerpt, wrap::wrap};
use crate::span::Span;

/// How diagnostics are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Details are wrapped at this column.
    pub width: usize,
    /// Whether lines of the source stand in Packer's part. Packer has them only while it parses; later it says that
    /// the source is not available.
    pub sources: bool,
    /// Whether Kiln's part (places, excerpts, hints) follows.
    pub notes: bool,
}

impl Default for Layout {
    fn default() -> Layout {
        Layout { width: 80, sources: true, notes: true }
    }
}

/// Returns the diagnostics as Packer prints them, each followed by Kiln's notes. The text ends with an empty line;
/// Packer's user interface adds another.
pub fn render(diagnostics: &Diagnostics) -> String {
    render_as(diagnostics, &Layout::default())
}

/// Returns the diagnostics in another layout.
pub fn render_as(diagnostics: &Diagnostics, layout: &Layout) -> String {
    let mut out = String::new();
    for diagnostic in &diagnostics.0 {
        packer_part(&mut out, diagnostic, layout);
        let notes = if layout.notes { notes_of(diagnostic, layout.sources) } else { String::new() };
        if !notes.is_empty() {
            // Gathered errors end with empty lines of their own.
            out.truncate(out.trim_end().len());
            out.push_str("\n\n");
            out.push_str(&notes);
        }
    }
    out
}

/// Returns Kiln's notes alone, for programs that print them apart from Packer's text.
pub fn notes(diagnostics: &Diagnostics) -> String {
    diagnostics.0.iter().map(|diagnostic| notes_of(diagnostic, false)).collect()
}

// Writing to a String cannot fail: the results are dropped.

fn packer_part(out: &mut String, diagnostic: &Diagnostic, layout: &Layout) {
    let severity = match diagnostic.severity {
        Severity::Warning => "Warning",
        Severity::Error => "Error",
    };
    let _ = write!(out, "{severity}: {}\n\n", diagnostic.summary);
    if let Some(span) = &diagnostic.span {
        place(out, diagnostic, span, layout);
    }
    let detail = diagnostic.packer_detail();
    if !detail.is_empty() {
        let _ = write!(out, "{}\n\n", wrap(&detail, layout.width));
    }
}

fn place(out: &mut String, diagnostic: &Diagnostic, span: &Span, layout: &Layout) {
    let line = span.position().line;
    let _ = write!(out, "  on {} line {line}", span.source.name);
    if !layout.sources {
        let _ = write!(out, ":\n  (source code not available)\n\n");
        return;
    }
    if let Some(block) = &diagnostic.within {
        let _ = write!(out, ", in {block}");
    }
    let _ = writeln!(out, ":");
    let last = line + span.text().trim_end_matches('\n').matches('\n').count();
    for (number, text) in (1..=last).zip(span.source.text.lines()).skip(line - 1) {
        let _ = writeln!(out, "{number:4}: {}", excerpt::veiled(text));
    }
    let _ = writeln!(out);
}

fn notes_of(diagnostic: &Diagnostic, sources: bool) -> String {
    let mut out = String::new();
    let detail = diagnostic.packer_detail();
    for fault in &diagnostic.faults {
        let told = detail.contains(&fault.message) || diagnostic.summary.contains(&fault.message);
        if !told || fault.span.is_some() || fault.hint.is_some() {
            fault_note(&mut out, fault);
        }
    }
    if let Some(span) = diagnostic.span.as_ref().filter(|_| !sources && diagnostic.faults.is_empty()) {
        let _ = write!(out, "{}\n\n", excerpt::excerpt(span));
    }
    for hint in &diagnostic.hints {
        let _ = writeln!(out, "hint: {hint}");
    }
    if !diagnostic.hints.is_empty() {
        out.push('\n');
    }
    out
}

fn fault_note(out: &mut String, fault: &Fault) {
    let _ = writeln!(out, "{}", fault.message.trim_end());
    let mut margin = String::new();
    if let Some(span) = &fault.span {
        let _ = writeln!(out, "{}", excerpt::excerpt(span));
        margin = format!("{} = ", " ".repeat(span.position().line.to_string().len()));
    }
    if let Some(hint) = &fault.hint {
        let _ = writeln!(out, "{margin}hint: {hint}");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests;
