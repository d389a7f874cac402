//! The one value type of both template languages.

use indexmap::IndexMap;

use crate::span::Span;

/// A value with its origin and its secrecy.
#[derive(Debug, Clone, Default)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it was written, if it was.
    pub span: Option<Span>,
    /// Whether its text must never be shown. Carried through every expression.
    pub sensitive: bool,
}

/// What a [`Value`] is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Kind {
    /// JSON's and HCL's `null`: the same as not being there.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number of any size.
    Number(Number),
    /// Text.
    String(String),
    /// An ordered list.
    List(Vec<Value>),
    /// Keys with values, in the order of the text.
    Object(Object),
    /// Not known before the build runs.
    Unknown,
}

/// Keys with values, in the order of the text.
pub type Object = IndexMap<String, Entry>;

/// One value of an [`Object`], with the place of its key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Where the key was written.
    pub key_span: Option<Span>,
    /// The value.
    pub value: Value,
}

/// A decimal number, kept as its canonical text so that nothing is lost on the way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// Returns the number `text` denotes, or `None` if it is not a JSON number.
    pub fn parse(text: &str) -> Option<Number> {
        let number: serde_json::Number = text.parse().ok()?;
        // Digits beyond 64 bits stay as they were written.
        let canonical =
            if number.is_i64() || number.is_u64() { number.to_string() } else { plain_decimal(text) };
        Some(Number(canonical))
    }

    /// Returns the number as text: decimal, floats without trailing zeros.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number as `i64` if it is a whole number in range.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// Returns the nearest `f64`.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Number {
        Number(number.to_string())
    }
}

/// `1.50` → `1.5`, `8.0` → `8`, `1e3` → `1000`.
fn plain_decimal(text: &str) -> String {
    if text.contains(['e', 'E']) {
        let float: f64 = text.parse().unwrap_or(f64::NAN);
        return float.to_string();
    }
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// Values are equal when they say the same, wherever they were written.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.kind == other.kind
    }
}

impl Value {
    /// Returns `null`.
    pub fn null() -> Value {
        Value::default()
    }

    /// Returns a value that is not known yet.
    pub fn unknown() -> Value {
        Kind::Unknown.into()
    }

    /// Returns an object of `entries`, in their order.
    pub fn object<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), Entry { key_span: None, value }));
        Kind::Object(entries.collect()).into()
    }

    /// Returns the same value said to come from `span`.
    #[must_use]
    pub fn at(mut self, span: Span) -> Value {
        self.span = Some(span);
        self
    }

    /// Returns the same value marked as secret.
    #[must_use]
    pub fn sensitive(mut self) -> Value {
        self.sensitive = true;
        self
    }

    /// Returns whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the entries of an object.
    pub fn as_object(&self) -> Option<&Object> {
        match &self.kind {
            Kind::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns the elements of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the value of `key` in an object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key).map(|entry| &entry.value)
    }

    /// Returns what kind of value this is, in the words of error messages.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a bool",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Object(_) => "an object",
            Kind::Unknown => "unknown",
        }
    }

    /// Returns the value as plain JSON; unknown becomes `null`.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.kind {
            Kind::Null | Kind::Unknown => Json::Null,
            Kind::Bool(value) => Json::Bool(*value),
            Kind::Number(number) => number.0.parse().map_or(Json::Null, Json::Number),
            Kind::String(text) => Json::String(text.clone()),
            Kind::List(list) => Json::Array(list.iter().map(Value::to_json).collect()),
            Kind::Object(object) => {
                Json::Object(object.iter().map(|(key, entry)| (key.clone(), entry.value.to_json())).collect())
            }
        }
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Value {
        Value { kind, span: None, sensitive: false }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Kind::String(text.to_owned()).into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Kind::String(text).into()
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Kind::Bool(value).into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Kind::Number(number.into()).into()
    }
}

impl From<Vec<Value>> for Value {
    fn from(list: Vec<Value>) -> Value {
        Kind::List(list).into()
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::null(),
            Json::Bool(value) => (*value).into(),
            Json::Number(number) => {
                Kind::Number(Number::parse(&number.to_string()).unwrap_or_else(|| 0.into())).into()
            }
            Json::String(text) => text.as_str().into(),
            Json::Array(list) => list.iter().map(Value::from).collect::<Vec<_>>().into(),
            Json::Object(map) => Value::object(map.iter().map(|(key, value)| (key.clone(), value.into()))),
        }
    }
}
