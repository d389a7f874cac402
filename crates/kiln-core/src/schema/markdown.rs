//! The fields of a configuration as the user's book shows them.

use std::fmt::Write;

use super::{Field, FieldKind, Schema};

/// Returns the table; the same schema always gives the same text.
pub(super) fn table(schema: &Schema) -> String {
    let mut out = String::from("| Field | Type | Default | Description |\n|---|---|---|---|\n");
    rows(&mut out, "", schema);
    out
}

fn rows(out: &mut String, prefix: &str, schema: &Schema) {
    for field in &schema.fields {
        let default = match (&field.default, field.required) {
            (_, true) => "required".to_owned(),
            (Some(text), _) => format!("`{}`", cell(text)),
            (None, _) => "–".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| `{prefix}{}` | {} | {default} | {} |",
            field.name,
            type_name(&field.kind),
            description(field)
        );
        if let Some(inner) = inner(&field.kind) {
            rows(out, &format!("{prefix}{}.", field.name), inner);
        }
    }
}

fn description(field: &Field) -> String {
    let mut text = cell(&field.doc);
    if let FieldKind::Choice(texts) = &field.kind {
        let _ = write!(text, " One of `{}`.", texts.join("`, `"));
    }
    if !field.aliases.is_empty() {
        let _ = write!(text, " Also `{}`.", field.aliases.join("`, `"));
    }
    text.trim_start().to_owned()
}

fn inner(kind: &FieldKind) -> Option<&Schema> {
    match kind {
        FieldKind::Object(schema) => Some(schema),
        FieldKind::List(kind) | FieldKind::Map(kind) => inner(kind),
        _ => None,
    }
}

fn type_name(kind: &FieldKind) -> String {
    match kind {
        FieldKind::String | FieldKind::Secret | FieldKind::Choice(_) => "string".to_owned(),
        FieldKind::Bool | FieldKind::TriBool => "bool".to_owned(),
        FieldKind::Integer => "int".to_owned(),
        FieldKind::Number => "number".to_owned(),
        FieldKind::Duration => "duration".to_owned(),
        FieldKind::List(kind) => format!("list({})", type_name(kind)),
        FieldKind::Map(kind) => format!("map({})", type_name(kind)),
        FieldKind::Object(_) => "object".to_owned(),
        FieldKind::Any => "any".to_owned(),
    }
}

/// A cell is one line, and a bar would end it.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
