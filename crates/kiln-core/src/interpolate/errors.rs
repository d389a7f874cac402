//! Go's words for what is wrong with a template.

use gotmpl::TemplateError;

use super::InterpolateError;

/// Templates of configuration values have no name of their own; Packer calls them all this.
pub(super) const TEMPLATE_NAME: &str = "root";

/// Why a rendering stopped.
#[derive(Debug)]
pub(super) enum Failure {
    /// The text is wrong, or a function failed.
    Error(InterpolateError),
    /// A user variable has no value yet; only in the `variables` section.
    Undefined { name: String, error: InterpolateError },
}

impl Failure {
    pub(super) fn into_error(self) -> InterpolateError {
        match self {
            Failure::Error(error) | Failure::Undefined { error, .. } => error,
        }
    }
}

/// Returns the error of a text that does not parse. Go names the line here, and no column.
pub(super) fn parse_error(line: usize, message: &str) -> InterpolateError {
    InterpolateError(format!("template: {TEMPLATE_NAME}:{line}: {message}"))
}

/// Returns the error of a text that fails while it is rendered; `template` is the `{{define}}` it happened in.
pub(super) fn execution_error(
    text: &str,
    offset: usize,
    template: &str,
    node: &str,
    message: &str,
) -> InterpolateError {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    // Go counts bytes, from zero.
    let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
    InterpolateError(format!(
        "template: {TEMPLATE_NAME}:{line}:{column}: executing {template:?} at <{node}>: {message}"
    ))
}

/// Returns Go's form of an error of the parser underneath.
pub(super) fn translate_parse(error: &TemplateError) -> InterpolateError {
    match error {
        TemplateError::Parse { line, message, .. } | TemplateError::Lex { line, message, .. } => {
            parse_error((*line).max(1), &go_message(message))
        }
        other => parse_error(1, &other.to_string()),
    }
}

fn go_message(message: &str) -> String {
    if let Some(character) = message.strip_prefix("unexpected character: ").and_then(quoted_char) {
        return format!("unrecognized character in action: U+{:04X} '{character}'", u32::from(character));
    }
    let go = match message {
        "empty command" => "missing value for command",
        "unterminated string" => "unterminated quoted string",
        "unterminated raw string" => "unterminated raw quoted string",
        "unterminated character literal" => "unterminated character constant",
        other => other,
    };
    go.to_owned()
}

fn quoted_char(text: &str) -> Option<char> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    inner.chars().next_back()
}
