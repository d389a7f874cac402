//! Paths as templates write them: relative to the working directory, reported in Go's words.

use std::io;
use std::path::{Path, PathBuf};

use kiln_core::diagnostic::Fault;
use kiln_core::scope::Scope;
use kiln_core::value::{Kind, Value};

/// Returns `path` seen from the working directory.
pub(crate) fn absolute(scope: &Scope, path: impl AsRef<Path>) -> PathBuf {
    scope.world.working_dir().join(path)
}

/// Returns an I/O error's reason as Go prints it: `no such file or directory`.
pub(crate) fn go_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Returns the fault of a local file that a template names and that is not there. `what` is Packer's word for it:
/// `script`, `source`.
pub(crate) fn missing(what: &str, path: &str, settings: &Value, field: &str, scope: &Scope) -> Option<Fault> {
    let (span, known) = place(settings, field, path);
    if !known {
        return None;
    }
    let error = scope.world.stat(&absolute(scope, path)).err()?;
    let mut fault = Fault::new(format!("Bad {what} '{path}': stat {path}: {}", go_reason(&error))).at(span);
    if Path::new(path).is_relative() {
        let folder = scope.world.working_dir();
        fault = fault.hint(format!("relative paths start at the working directory, `{}`", folder.display()));
    }
    Some(fault)
}

/// Returns where `field` says `text`, and whether that is known already: in a list, the element's own place.
fn place(settings: &Value, field: &str, text: &str) -> (Option<kiln_core::Span>, bool) {
    let Some(value) = settings.get(field) else { return (None, true) };
    if let Some(list) = value.as_list() {
        if let Some(element) = list.iter().find(|element| element.as_str() == Some(text)) {
            return (element.span.clone().or_else(|| value.span.clone()), true);
        }
        // The text was rendered, or stands for an element that is not known before the build.
        return (value.span.clone(), list.iter().all(|element| element.kind != Kind::Unknown));
    }
    (value.span.clone(), value.kind != Kind::Unknown)
}

/// Returns where `field` was written.
pub(crate) fn span(settings: &Value, field: &str) -> Option<kiln_core::Span> {
    settings.get(field).and_then(|value| value.span.clone())
}

/// Returns the text of a field that was given and is not empty: templates leave fields out by writing `""`.
pub(crate) fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}
