//! Whether values have the type that is wanted, in mapstructure's words.
//!
//! Keys are looked up as mapstructure does: the exact spelling first, then any other case. `shown` is the name a
//! message gives the field; it is Go's field name where Packer's declaration has no tag.

use std::time::Duration;

use kiln_core::diagnostic::Fault;
use kiln_core::duration;
use kiln_core::span::Span;
use kiln_core::value::{Entry, Kind, Object, Value};

use super::model::{Filter, Word};

/// Reads the special keys of one object and gathers what is wrong with them.
pub(super) struct Fields<'a> {
    object: &'a Object,
    /// Packer's lines, each with its place.
    pub faults: Vec<Fault>,
}

impl<'a> Fields<'a> {
    pub fn new(object: &'a Object) -> Fields<'a> {
        Fields { object, faults: Vec::new() }
    }

    /// Returns the entry mapstructure would read for `name`, unless it is `null`.
    pub fn find(&self, name: &str) -> Option<&'a Entry> {
        find(self.object, name).map(|(_, entry)| entry).filter(|entry| !entry.value.is_null())
    }

    /// Returns a text. `weak`: numbers and booleans are texts too.
    pub fn string(&mut self, name: &str, shown: &str, weak: bool) -> Option<Word> {
        let value = &self.find(name)?.value;
        let text = match &value.kind {
            Kind::String(text) => Some(text.clone()),
            Kind::Number(number) if weak => Some(number.as_str().to_owned()),
            Kind::Bool(flag) if weak => Some(if *flag { "1" } else { "0" }.to_owned()),
            _ => None,
        };
        match text {
            Some(text) => Some(Word { text, span: value.span.clone() }),
            None => {
                self.unconvertible(shown, "string", value);
                None
            }
        }
    }

    /// Returns a list of texts.
    pub fn strings(&mut self, name: &str, shown: &str) -> Vec<Word> {
        let list = self.list(name, shown);
        let mut words = Vec::new();
        for (index, value) in list.iter().enumerate() {
            match &value.kind {
                Kind::String(text) => words.push(Word { text: text.clone(), span: value.span.clone() }),
                Kind::Null => words.push(Word { text: String::new(), span: value.span.clone() }),
                _ => self.unconvertible(&format!("{shown}[{index}]"), "string", value),
            }
        }
        words
    }

    /// Returns an object.
    pub fn object(&mut self, name: &str, shown: &str) -> Option<&'a Object> {
        let entry = self.find(name)?;
        if entry.value.as_object().is_none() {
            let message = format!("'{shown}' expected a map, got '{}'", go_kind(&entry.value));
            self.fault(message, &entry.value).hint = Some("an object is wanted: { … }".to_owned());
        }
        entry.value.as_object()
    }

    /// Returns a list.
    pub fn list(&mut self, name: &str, shown: &str) -> &'a [Value] {
        let Some(entry) = self.find(name) else { return &[] };
        if entry.value.as_list().is_none() {
            let got = go_kind(&entry.value);
            let message = format!("'{shown}': source data must be an array or slice, got {got}");
            self.fault(message, &entry.value).hint =
                Some("put it into brackets: a list is wanted".to_owned());
        }
        entry.value.as_list().unwrap_or_default()
    }

    /// Returns a flag.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let value = &self.find(name)?.value;
        if let Kind::Bool(flag) = value.kind {
            return Some(flag);
        }
        self.unconvertible(name, "bool", value);
        None
    }

    /// Returns a duration: Go syntax, or nanoseconds.
    pub fn duration(&mut self, name: &str) -> Duration {
        let Some(entry) = self.find(name) else { return Duration::ZERO };
        let value = &entry.value;
        match &value.kind {
            Kind::String(text) => match duration::parse_go(text) {
                Ok(duration) => return duration,
                Err(error) => {
                    let fault = self.fault(format!("error decoding '{name}': {error}"), value);
                    fault.hint = Some(DURATION_HINT.to_owned());
                }
            },
            Kind::Number(number) if number.as_f64() >= 0.0 => {
                return Duration::from_nanos(number.as_f64() as u64);
            }
            _ => self.unconvertible(name, "time.Duration", value),
        }
        Duration::ZERO
    }

    /// Returns `only` and `except`.
    pub fn filter(&mut self) -> Filter {
        Filter { only: self.strings("only", "Only"), except: self.strings("except", "Except") }
    }

    /// Adds a fault at `value`.
    pub fn fault(&mut self, message: String, value: &Value) -> &mut Fault {
        self.faults.push(Fault::new(message).at(value.span.clone()));
        let last = self.faults.len() - 1;
        &mut self.faults[last]
    }

    fn unconvertible(&mut self, shown: &str, wanted: &str, value: &Value) {
        let hint = match (wanted, &value.kind) {
            ("string", Kind::Number(_) | Kind::Bool(_)) => "write it in quotes",
            ("bool", _) => "write true or false, without quotes",
            ("time.Duration", _) => DURATION_HINT,
            _ => "a single text is wanted",
        };
        self.fault(unconvertible(shown, wanted, value), value).hint = Some(hint.to_owned());
    }
}

const DURATION_HINT: &str = "write a number with its unit, such as \"30s\" or \"5m\"";

/// Returns the entry mapstructure would read for `name`, with its key.
pub(super) fn find<'a>(object: &'a Object, name: &str) -> Option<(&'a str, &'a Entry)> {
    let exact = object.get_key_value(name);
    let found = exact.or_else(|| object.iter().find(|(key, _)| key.to_lowercase() == name.to_lowercase()));
    found.map(|(key, entry)| (key.as_str(), entry))
}

/// Returns the object without `special` keys. Only the exact spelling is taken away: any other case stays and is an
/// unknown setting for the component.
pub(super) fn without(object: &Object, special: &[&str], span: &Option<Span>) -> Value {
    let rest = object.iter().filter(|(key, _)| !special.contains(&key.as_str()));
    let rest: Object = rest.map(|(key, entry)| (key.clone(), entry.clone())).collect();
    Value { span: span.clone(), ..Value::from(Kind::Object(rest)) }
}

/// `'name' expected type 'string', got unconvertible type 'float64', value: '1'`.
pub(super) fn unconvertible(shown: &str, wanted: &str, value: &Value) -> String {
    let (got, text) = (go_type(value), go_text(value));
    format!("'{shown}' expected type '{wanted}', got unconvertible type '{got}', value: '{text}'")
}

/// Go's name for the value's kind.
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

fn go_type(value: &Value) -> &'static str {
    match value.kind {
        Kind::List(_) => "[]interface {}",
        Kind::Object(_) => "map[string]interface {}",
        Kind::Null | Kind::Unknown => "<nil>",
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => go_kind(value),
    }
}

/// The value as Go's `%v` prints it.
fn go_text(value: &Value) -> String {
    match &value.kind {
        Kind::Null | Kind::Unknown => "<nil>".to_owned(),
        Kind::Bool(flag) => flag.to_string(),
        Kind::Number(number) => number.as_str().to_owned(),
        Kind::String(text) => text.clone(),
        Kind::List(list) => {
            let texts: Vec<String> = list.iter().map(go_text).collect();
            format!("[{}]", texts.join(" "))
        }
        Kind::Object(object) => {
            let mut texts: Vec<String> =
                object.iter().map(|(key, entry)| format!("{key}:{}", go_text(&entry.value))).collect();
            texts.sort();
            format!("map[{}]", texts.join(" "))
        }
    }
}
