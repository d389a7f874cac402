//! Turns a resolved block of settings into a component's typed configuration.
//!
//! What is decoded is what Packer decodes, so what Packer takes for "not given" is not given here either: `null`, and
//! an empty text where one text, number or flag is wanted (a field's default then applies).
//!
//! A value that is not known before the build counts as given: until then a stand-in takes its place (`<unknown>`
//! for texts, zero for numbers, `false`, an empty map, a list of one stand-in), so that nothing but its
//! content goes unchecked.

mod message;
mod render;
mod weak;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::diagnostic::{Fault, nearest};
use crate::interpolate::Interpolator;
use crate::schema::{Field, Schema};
use crate::scope::Scope;
use crate::span::Span;
use crate::value::{Entry, Kind, Object, Value};
use weak::Place;

pub use message::detail;

/// Keys that `fix` knows how to replace, whatever the builder.
const DEPRECATED: [&str; 8] = [
    "ssh_key_path",
    "ssh_disable_agent",
    "iso_md5",
    "iso_checksum_type",
    "iso_checksum_url",
    "ssh_host_port_min",
    "ssh_host_port_max",
    "ssh_skip_nat_mapping",
];

/// Renders every string (keys too) that is not marked late, applies the weak typing templates rely on, and returns
/// the typed configuration — or all faults: unknown keys with the nearest known one, wrong types, failing templates.
pub fn decode<T: DeserializeOwned + JsonSchema>(settings: &Value, scope: &Scope) -> Result<T, Vec<Fault>> {
    decode_with(settings, &Interpolator::new(scope))
}

/// Does what [`decode`] does for a component whose templates know more than the scope: functions and data of its own.
pub fn decode_with<T: DeserializeOwned + JsonSchema>(
    settings: &Value,
    interpolator: &Interpolator<'_>,
) -> Result<T, Vec<Fault>> {
    let schema = Schema::shared::<T>();
    let mut decoder = Decoder { interpolator, faults: Vec::new() };
    let json = decoder.settings(&schema, settings);
    if !decoder.faults.is_empty() {
        return Err(decoder.faults);
    }
    serde_json::from_value(Json::Object(json.clone()))
        .map_err(|error| vec![blame::<T>(&error, &json, settings)])
}

struct Decoder<'a> {
    interpolator: &'a Interpolator<'a>,
    faults: Vec<Fault>,
}

impl Decoder<'_> {
    /// The outermost block: its keys are literal, and some are not meant for the component.
    fn settings(&mut self, schema: &Schema, settings: &Value) -> Map<String, Json> {
        let mut json = Map::new();
        let empty = Object::new();
        let entries = match &settings.kind {
            Kind::Object(entries) => entries,
            Kind::Null | Kind::Unknown => &empty,
            _ => {
                let message = format!("'' expected a map, got '{}'", weak::go_kind(settings));
                self.faults.push(Fault::new(message).at(settings.span.clone()));
                return json;
            }
        };
        for (key, entry) in entries {
            let Some(field) = schema.field(key) else {
                if key != "type" && !key.starts_with("packer_") {
                    self.unknown_key(schema, "", key, entry);
                }
                continue;
            };
            let secret = field.kind.is_secret();
            if let Some(rendered) = self.render_field(field, key, &entry.value)
                && let Some(value) =
                    self.field(field, "", &Entry { value: rendered, ..entry.clone() }, secret)
            {
                json.insert(field.name.clone(), value);
            }
        }
        self.require(schema, "", &json, settings);
        json
    }

    fn field(&mut self, field: &Field, prefix: &str, entry: &Entry, secret: bool) -> Option<Json> {
        let name = format!("{prefix}{}", field.packer_name.as_ref().unwrap_or(&field.name));
        let span = entry.value.span.as_ref().or(entry.key_span.as_ref()).cloned();
        let given = !entry.value.is_null() && !is_empty_scalar(&entry.value, field);
        let secret = secret || weak::holds_secret(&entry.value);
        given.then(|| self.weak(&field.kind, &entry.value, &Place { name, span, secret }))?
    }

    /// A block within the block.
    fn object(&mut self, schema: &Schema, object: &Object, place: &Place) -> Json {
        let prefix = if place.name.is_empty() { String::new() } else { format!("{}.", place.name) };
        let mut json = Map::new();
        for (key, entry) in object {
            match schema.field(key) {
                Some(field) => {
                    let secret = place.secret || field.kind.is_secret();
                    if let Some(value) = self.field(field, &prefix, entry, secret) {
                        json.insert(field.name.clone(), value);
                    }
                }
                None => self.unknown_key(schema, &prefix, key, entry),
            }
        }
        let whole = Value { span: place.span.clone(), ..Value::from(Kind::Object(object.clone())) };
        self.require(schema, &prefix, &json, &whole);
        Json::Object(json)
    }

    fn unknown_key(&mut self, schema: &Schema, prefix: &str, key: &str, entry: &Entry) {
        let span = entry.key_span.as_ref().or(entry.value.span.as_ref()).cloned();
        let deprecated = prefix.is_empty() && DEPRECATED.contains(&key);
        let mut fault = match deprecated {
            true => Fault::new(message::deprecated_key(key)),
            false => Fault::new(message::unknown_key(&format!("{prefix}{key}"))),
        };
        let names = schema.fields.iter().flat_map(Field::names);
        if let Some(name) = nearest(&key.to_lowercase(), names) {
            fault = fault.hint(format!("is `{name}` meant?"));
        }
        self.faults.push(fault.at(span));
    }

    /// Fields without a default must be there, unless what they were given is a fault already.
    fn require(&mut self, schema: &Schema, prefix: &str, json: &Map<String, Json>, whole: &Value) {
        if !self.faults.is_empty() {
            return;
        }
        for field in schema.fields.iter().filter(|field| field.required && !json.contains_key(&field.name)) {
            let fault = Fault::new(format!("'{prefix}{}' must be specified", field.name));
            self.faults.push(fault.at(whole.span.clone()));
        }
    }
}

/// Go cannot tell an empty text from none.
fn is_empty_scalar(value: &Value, field: &Field) -> bool {
    use crate::schema::FieldKind::{Bool, Choice, Integer, Number, Secret, String, TriBool};
    value.as_str() == Some("")
        && matches!(field.kind, String | Secret | Choice(_) | Bool | TriBool | Integer | Number)
}

/// Returns the fault for what the type itself refused (a port above 65535, say): the error does not name the field,
/// so it is sought by leaving fields out.
fn blame<T: DeserializeOwned>(
    error: &serde_json::Error,
    json: &Map<String, Json>,
    settings: &Value,
) -> Fault {
    let message = error.to_string();
    let culprit = json.keys().find(|key| {
        let mut without = (*json).clone();
        without.shift_remove(*key);
        match serde_json::from_value::<T>(Json::Object(without)) {
            Ok(_) => true,
            Err(other) => other.to_string() == format!("missing field `{key}`"),
        }
    });
    let Some(name) = culprit else { return Fault::new(message).at(settings.span.clone()) };
    let entry =
        settings.as_object().and_then(|object| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
    let span = entry.and_then(|(_, entry)| entry.value.span.clone().or_else(|| entry.key_span.clone()));
    match entry.is_some_and(|(_, entry)| weak::holds_secret(&entry.value)) {
        true => place(Fault::new(format!("'{name}': invalid value")), span, true),
        false => place(Fault::new(format!("'{name}': {message}")), span, false),
    }
}

/// Returns the fault at its place. An excerpt would show a secret, so its place is only told.
fn place(fault: Fault, span: Option<Span>, secret: bool) -> Fault {
    match span {
        Some(span) if secret => {
            fault.hint(format!("the value is at {span}; it is not shown because it is secret"))
        }
        span => fault.at(span),
    }
}

#[cfg(test)]
mod tests;
