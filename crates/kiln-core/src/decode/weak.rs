//! Weak typing: what templates write where something else is wanted, as far as Packer takes it.

use serde_json::{Map, Value as Json};

use super::Decoder;
use crate::diagnostic::{Fault, nearest};
use crate::duration::parse_go;
use crate::interpolate::go_text;
use crate::schema::FieldKind;
use crate::secret::MASK;
use crate::span::Span;
use crate::value::{Kind, Number, Value};

/// Where a value stands.
pub(super) struct Place {
    /// Its path: `tags[a]`, `image_disk_mappings[0].disk_size`.
    pub(super) name: String,
    pub(super) span: Option<Span>,
    /// Whether it must not be shown.
    pub(super) secret: bool,
}

impl Place {
    fn part(&self, index: impl std::fmt::Display, value: &Value) -> Place {
        let span = value.span.clone().or_else(|| self.span.clone());
        Place { name: format!("{}[{index}]", self.name), span, secret: self.secret || value.sensitive }
    }
}

impl Decoder<'_> {
    /// Returns `value` as what `kind` wants, or `None` after noting the fault.
    pub(super) fn weak(&mut self, kind: &FieldKind, value: &Value, place: &Place) -> Option<Json> {
        if value.kind == Kind::Unknown {
            return Some(stand_in(kind));
        }
        match kind {
            FieldKind::String | FieldKind::Secret => self.text(value, place).map(Json::String),
            FieldKind::Choice(choices) => self.choice(choices, value, place),
            FieldKind::Bool | FieldKind::TriBool => self.flag(value, place),
            FieldKind::Integer => self.whole(value, place),
            FieldKind::Number => self.number(value, place),
            FieldKind::Duration => self.duration(value, place),
            FieldKind::List(inner) => self.list(inner, value, place),
            FieldKind::Map(inner) => self.map(inner, value, place),
            FieldKind::Object(schema) => match &value.kind {
                Kind::Object(object) => Some(self.object(schema, object, place)),
                _ => self.fault(place, format!("'{}' expected a map, got '{}'", place.name, go_kind(value))),
            },
            FieldKind::Any => Some(value.to_json()),
        }
    }

    fn fault<T>(&mut self, place: &Place, message: String) -> Option<T> {
        self.faults.push(super::place(Fault::new(message), place.span.clone(), place.secret));
        None
    }

    fn mismatch<T>(&mut self, expected: &str, value: &Value, place: &Place) -> Option<T> {
        let shown = if place.secret || holds_secret(value) { MASK.to_owned() } else { go_text(value) };
        let message = format!(
            "'{}' expected type '{expected}', got unconvertible type '{}', value: '{shown}'",
            place.name,
            go_type(value)
        );
        self.fault(place, message)
    }

    fn unparsable<T>(&mut self, wanted: &str, function: &str, text: &str, place: &Place) -> Option<T> {
        let shown = if place.secret { format!("{MASK:?}") } else { format!("{text:?}") };
        let name = &place.name;
        self.fault(
            place,
            format!("cannot parse '{name}' as {wanted}: strconv.{function}: parsing {shown}: invalid syntax"),
        )
    }

    fn text(&mut self, value: &Value, place: &Place) -> Option<String> {
        match &value.kind {
            Kind::String(text) => Some(text.clone()),
            Kind::Number(number) => Some(number.as_str().to_owned()),
            Kind::Bool(flag) => Some(if *flag { "1" } else { "0" }.to_owned()),
            _ => self.mismatch("string", value, place),
        }
    }

    fn choice(&mut self, choices: &[String], value: &Value, place: &Place) -> Option<Json> {
        let text = self.text(value, place)?;
        if choices.contains(&text) {
            return Some(Json::String(text));
        }
        let message = format!("'{}' must be one of: {}", place.name, choices.join(", "));
        let near = nearest(&text.to_lowercase(), choices.iter().map(String::as_str));
        match near.filter(|_| !place.secret) {
            None => self.fault(place, message),
            Some(choice) => {
                let fault = Fault::new(message).hint(format!("is `{choice}` meant?"));
                self.faults.push(fault.at(place.span.clone()));
                None
            }
        }
    }

    fn flag(&mut self, value: &Value, place: &Place) -> Option<Json> {
        match &value.kind {
            Kind::Bool(flag) => Some(Json::Bool(*flag)),
            Kind::Number(number) => Some(Json::Bool(number.as_f64() != 0.0)),
            Kind::String(text) => match text.as_str() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(Json::Bool(true)),
                "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(Json::Bool(false)),
                other => self.unparsable("bool", "ParseBool", other, place),
            },
            _ => self.mismatch("bool", value, place),
        }
    }

    fn whole(&mut self, value: &Value, place: &Place) -> Option<Json> {
        let parsed = match &value.kind {
            Kind::Bool(flag) => Some(Json::from(i64::from(*flag))),
            Kind::Number(number) => truncated(number),
            Kind::String(text) => match go_integer(text) {
                Some(whole) => Some(Json::from(whole)),
                None => return self.unparsable("int", "ParseInt", text, place),
            },
            _ => None,
        };
        parsed.or_else(|| self.mismatch("int", value, place))
    }

    fn number(&mut self, value: &Value, place: &Place) -> Option<Json> {
        match &value.kind {
            Kind::Bool(flag) => Some(Json::from(f64::from(u8::from(*flag)))),
            Kind::Number(number) => number.as_str().parse().ok().map(Json::Number),
            Kind::String(text) => match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => Some(Json::Number(number)),
                None => self.unparsable("float", "ParseFloat", text, place),
            },
            _ => self.mismatch("float64", value, place),
        }
    }

    fn duration(&mut self, value: &Value, place: &Place) -> Option<Json> {
        let text = match &value.kind {
            Kind::String(text) => text.clone(),
            Kind::Number(number) => match truncated(number) {
                Some(nanos) => format!("{nanos}ns"),
                None => return self.mismatch("time.Duration", value, place),
            },
            Kind::Bool(flag) => format!("{}ns", u8::from(*flag)),
            _ => return self.mismatch("time.Duration", value, place),
        };
        match parse_go(&text) {
            Ok(_) => Some(Json::String(text)),
            Err(error) => self.fault(place, format!("error decoding '{}': {error}", place.name)),
        }
    }

    fn list(&mut self, inner: &FieldKind, value: &Value, place: &Place) -> Option<Json> {
        let single;
        let items: Vec<Value> = match &value.kind {
            Kind::List(list) => list.clone(),
            Kind::String(text) if text.is_empty() => Vec::new(),
            Kind::String(text) => {
                let part = |text: &str| Value { kind: Kind::String(text.to_owned()), ..value.clone() };
                text.split(',').map(part).collect()
            }
            Kind::Object(object) if object.is_empty() => Vec::new(),
            _ => {
                single = value.clone();
                vec![single]
            }
        };
        let mut json = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if item.is_null() {
                json.push(zero(inner));
            } else if let Some(item) = self.weak(inner, item, &place.part(index, item)) {
                json.push(item);
            }
        }
        Some(Json::Array(json))
    }

    fn map(&mut self, inner: &FieldKind, value: &Value, place: &Place) -> Option<Json> {
        let mut json = Map::new();
        match &value.kind {
            Kind::Object(object) => {
                for (key, entry) in object {
                    if entry.value.is_null() {
                        json.insert(key.clone(), zero(inner));
                    } else if let Some(item) = self.weak(inner, &entry.value, &place.part(key, &entry.value))
                    {
                        json.insert(key.clone(), item);
                    }
                }
            }
            // A list of maps is one map, as some languages write blocks; an empty list is an empty map.
            Kind::List(list) => {
                for (index, item) in list.iter().enumerate() {
                    if let Some(Json::Object(part)) = self.map(inner, item, &place.part(index, item)) {
                        json.extend(part);
                    }
                }
            }
            _ => {
                return self
                    .fault(place, format!("'{}' expected a map, got '{}'", place.name, go_kind(value)));
            }
        }
        Some(Json::Object(json))
    }
}

/// What takes the place of a value that is not known yet.
fn stand_in(kind: &FieldKind) -> Json {
    match kind {
        FieldKind::String | FieldKind::Secret => Json::from("<unknown>"),
        FieldKind::List(inner) => Json::Array(vec![stand_in(inner)]),
        other => zero(other),
    }
}

/// What Go makes of nothing.
fn zero(kind: &FieldKind) -> Json {
    match kind {
        FieldKind::String | FieldKind::Secret => Json::from(""),
        FieldKind::Choice(choices) => {
            choices.first().map_or(Json::Null, |choice| Json::from(choice.as_str()))
        }
        FieldKind::Bool | FieldKind::TriBool => Json::Bool(false),
        FieldKind::Integer | FieldKind::Number => Json::from(0),
        FieldKind::Duration => Json::from("0s"),
        FieldKind::List(_) => Json::Array(Vec::new()),
        FieldKind::Map(_) => Json::Object(Map::new()),
        FieldKind::Object(schema) => {
            let required = schema.fields.iter().filter(|field| field.required);
            Json::Object(required.map(|field| (field.name.clone(), stand_in(&field.kind))).collect())
        }
        FieldKind::Any => Json::Null,
    }
}

/// Go cuts fractions off.
fn truncated(number: &Number) -> Option<Json> {
    if let Ok(whole) = number.as_str().parse::<serde_json::Number>()
        && (whole.is_i64() || whole.is_u64())
    {
        return Some(Json::Number(whole));
    }
    let whole = number.as_f64().trunc();
    (whole.abs() < i64::MAX as f64).then(|| Json::from(whole as i64))
}

/// Go's `strconv.ParseInt` with base 0: `0x1F`, `0b1`, `0o17`, `017`, `1_000`.
fn go_integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) || digits.ends_with('_') {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{}", digits.replace('_', "")), base).ok()
}

pub(super) fn holds_secret(value: &Value) -> bool {
    value.sensitive
        || match &value.kind {
            Kind::List(list) => list.iter().any(holds_secret),
            Kind::Object(object) => object.values().any(|entry| holds_secret(&entry.value)),
            _ => false,
        }
}

/// What Go calls the value's type once it has come over Packer's wire.
fn go_type(value: &Value) -> &'static str {
    match value.kind {
        Kind::List(_) => "[]interface {}",
        Kind::Object(_) => "map[interface {}]interface {}",
        _ => go_kind(value),
    }
}

/// What Go calls the value's kind.
pub(super) fn go_kind(value: &Value) -> &'static str {
    match value.kind {
        Kind::Null | Kind::Unknown => "invalid",
        Kind::Bool(_) => "bool",
        Kind::Number(_) => "float64",
        Kind::String(_) => "string",
        Kind::List(_) => "slice",
        Kind::Object(_) => "map",
    }
}
