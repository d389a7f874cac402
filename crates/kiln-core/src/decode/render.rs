//! Rendering the templates in a field, before its type is looked at.

use super::{Decoder, message};
use crate::diagnostic::Fault;
use crate::interpolate::InterpolateError;
use crate::schema::Field;
use crate::secret::MASK;
use crate::span::Span;
use crate::value::{Entry, Kind, Value};

impl Decoder<'_> {
    /// Returns the value with every text in it rendered once, keys too; `None` if one fails. Texts of late fields
    /// are only checked.
    pub(super) fn render_field(&mut self, field: &Field, key: &str, value: &Value) -> Option<Value> {
        let faults = self.faults.len();
        let rendered = self.render_value(field, key, value);
        (self.faults.len() == faults).then_some(rendered)
    }

    fn render_value(&mut self, field: &Field, key: &str, value: &Value) -> Value {
        let kind = match &value.kind {
            Kind::String(text) => {
                let hidden = value.sensitive || field.kind.is_secret();
                Kind::String(self.render_text(field, key, text, value.span.as_ref(), hidden))
            }
            Kind::List(list) => {
                Kind::List(list.iter().map(|item| self.render_value(field, key, item)).collect())
            }
            Kind::Object(object) => {
                let entries = object.iter().map(|(name, entry)| {
                    let name = self.render_text(field, key, name, entry.key_span.as_ref(), false);
                    let value = self.render_value(field, key, &entry.value);
                    (name, Entry { key_span: entry.key_span.clone(), value })
                });
                Kind::Object(entries.collect())
            }
            other => other.clone(),
        };
        Value { kind, ..value.clone() }
    }

    fn render_text(
        &mut self,
        field: &Field,
        key: &str,
        text: &str,
        span: Option<&Span>,
        hidden: bool,
    ) -> String {
        // Packer looks at all texts before it renders the first.
        let fault = |write: fn(&str, &str, &str) -> String, error: &InterpolateError| Fault {
            hint: error.hint(),
            ..Fault::new(write(key, &shown(error, hidden), original(text, hidden)))
        };
        let outcome = match self.interpolator.validate(text) {
            Err(error) => Err(fault(message::invalid_template, &error)),
            Ok(()) if field.late => Ok(text.to_owned()),
            Ok(()) => {
                self.interpolator.render_setting(text).map_err(|error| fault(message::render_failed, &error))
            }
        };
        outcome.unwrap_or_else(|fault| {
            self.faults.push(super::place(fault, span.cloned(), hidden));
            String::new()
        })
    }
}

fn original(text: &str, hidden: bool) -> &str {
    if hidden { MASK } else { text }
}

/// An error quotes the call that failed, with its arguments.
fn shown(error: &InterpolateError, hidden: bool) -> String {
    let whole = error.to_string();
    if !hidden || whole.contains("function \"") {
        return whole;
    }
    match whole.split_once(" at <") {
        Some((before, _)) => format!("{before} at {MASK}"),
        None => MASK.to_owned(),
    }
}
