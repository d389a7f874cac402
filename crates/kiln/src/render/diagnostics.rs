//! Faults as text: Packer's form on standard output, and what Kiln knows beyond it (the place, the excerpt, what to
//! do) on standard error, so that whoever reads Packer's output line by line finds nothing new in it.

use kiln_core::diagnostic::{Diagnostic, Diagnostics, Fault, Layout, notes, render_as};

/// Returns Packer's text of all diagnostics, less the line end of the call that says it.
pub fn packer(diagnostics: &Diagnostics) -> String {
    render_as(diagnostics, &Layout { notes: false, ..Layout::default() })
}

/// Returns what Kiln adds, if there is anything.
pub fn addition(diagnostics: &Diagnostics) -> Option<String> {
    Some(notes(diagnostics).trim_end().to_owned()).filter(|notes| !notes.is_empty())
}

/// Returns what Kiln adds to a text that stands for these faults.
pub fn addition_to(text: &str, faults: &[Fault]) -> Option<String> {
    let diagnostic = Diagnostic { faults: faults.to_vec(), ..Diagnostic::error("").detail(text) };
    addition(&diagnostic.into())
}
