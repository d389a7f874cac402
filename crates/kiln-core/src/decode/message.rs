//! What is wrong with a configuration, in Packer's words.

use crate::diagnostic::{Fault, multi_error, packer_errors};

const UNKNOWN_KEY: &str = "unknown configuration key: ";
const DEPRECATED_KEY: &str = "Deprecated configuration key: ";
const RENDER: &str = "render '";
const INVALID: &str = "invalid '";
/// Components that say more themselves (`shell-local`) have made one text of it already.
const DECODING: &str = "Error decoding config: ";

/// Returns the message about a key nobody knows.
pub(super) fn unknown_key(key: &str) -> String {
    format!("{UNKNOWN_KEY}'{key:?}'")
}

/// Returns the message about a key that `fix` replaces.
pub(super) fn deprecated_key(key: &str) -> String {
    format!(
        "{DEPRECATED_KEY}'{key}'. Please call `packer fix` against your template to update your template to be \
         compatible with the current version of Packer. Visit https://www.packer.io/docs/commands/fix/ for more detail."
    )
}

/// Returns the message about a template that fails while it is rendered.
pub(super) fn render_failed(key: &str, error: &str, original: &str) -> String {
    format!("{RENDER}{key}': {error} in:\n\n{original}")
}

/// Returns the message about a template that does not parse.
pub(super) fn invalid_template(key: &str, error: &str, original: &str) -> String {
    format!("{INVALID}{key}': {error} in:\n\n{original}")
}

/// Returns the text below a headline that Packer would print for these faults of one component.
///
/// Packer stops at the first stage that finds something: templates (and there at the first), types, keys.
/// The component's own faults are one list.
pub fn detail(faults: &[Fault]) -> String {
    let of = |prefixes: &[&str]| -> Vec<&str> {
        let messages = faults.iter().map(|fault| fault.message.as_str());
        messages.filter(|message| prefixes.iter().any(|prefix| message.starts_with(prefix))).collect()
    };
    let (whole, invalid, failed) = (of(&[DECODING]), of(&[INVALID]), of(&[RENDER]));
    if let Some(message) = whole.first().or(invalid.first()).or(failed.first()) {
        return (*message).to_owned();
    }
    let is_type = |fault: &&Fault| {
        ["' expected ", "' as ", "error decoding '"].iter().any(|words| fault.message.contains(words))
            && ["'", "cannot parse '", "error decoding '"]
                .iter()
                .any(|start| fault.message.starts_with(start))
    };
    let mut types: Vec<&str> = faults.iter().filter(is_type).map(|fault| fault.message.as_str()).collect();
    if !types.is_empty() {
        types.sort_unstable();
        let lines: Vec<String> = types.iter().map(|message| format!("* {message}")).collect();
        return format!("{} error(s) decoding:\n\n{}", lines.len(), lines.join("\n"));
    }
    let mut keys = of(&[UNKNOWN_KEY, DEPRECATED_KEY]);
    // Packer sorts by the key alone.
    keys.sort_by_key(|message| message.split('\'').nth(1).unwrap_or_default().trim_matches('"').to_owned());
    match keys.is_empty() {
        true => packer_errors(faults.iter().map(|fault| fault.message.as_str())),
        false => multi_error(keys),
    }
}
