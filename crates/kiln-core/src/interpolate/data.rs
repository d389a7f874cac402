//! What `.` is: data of the component, and of the machine being built.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value as GoValue;

use crate::scope::{BUILD_VALUE_NAMES, BuildValues};
use crate::value::{Kind, Value};

/// Returns the data templates reach with a dot field; a component's own come before the build's.
pub(super) fn dot(own: &BTreeMap<String, String>, values: &BuildValues) -> GoValue {
    let mut all: BTreeMap<Arc<str>, GoValue> = BTreeMap::new();
    match values {
        BuildValues::None => {}
        BuildValues::Expected(more) => {
            let names = BUILD_VALUE_NAMES.into_iter().chain(more.iter().map(String::as_str));
            all.extend(names.map(|name| (Arc::from(name), GoValue::String(placeholder(name).into()))));
        }
        BuildValues::Known(values) => {
            all.extend(values.iter().map(|(name, value)| (Arc::from(name.as_str()), to_go(value))));
        }
    }
    all.extend(
        own.iter().map(|(name, value)| (Arc::from(name.as_str()), GoValue::String(value.as_str().into()))),
    );
    match all.is_empty() {
        true => GoValue::Nil,
        false => GoValue::Map(Arc::new(all)),
    }
}

/// What `{{ .Name }}` gives where the machine does not exist yet.
fn placeholder(name: &str) -> String {
    match name {
        "WinRMPassword" => "{{.WinRMPassword}}".to_owned(),
        _ => format!(
            "Build_{name}. To set this dynamically in the Packer template, you must use the `build` function"
        ),
    }
}

fn to_go(value: &Value) -> GoValue {
    match &value.kind {
        Kind::Null | Kind::Unknown => GoValue::Nil,
        Kind::Bool(value) => GoValue::Bool(*value),
        Kind::Number(number) => match number.as_i64() {
            Some(whole) => GoValue::Int(whole),
            None => GoValue::Float(number.as_f64()),
        },
        Kind::String(text) => GoValue::String(text.as_str().into()),
        Kind::List(list) => GoValue::List(list.iter().map(to_go).collect()),
        Kind::Object(object) => {
            let entries = object.iter().map(|(key, entry)| (Arc::from(key.as_str()), to_go(&entry.value)));
            GoValue::Map(Arc::new(entries.collect()))
        }
    }
}

/// Returns the value as Go's `%v` prints it.
pub(super) fn to_text(value: &Value) -> String {
    to_go(value).to_string()
}
