//! What is known of the build when a text is rendered at its use: `execute_command`, the lines of `inline`,
//! `custom_data`.

use std::collections::BTreeMap;

use kiln_core::artifact::Artifact;
use kiln_core::scope::{BuildValues, Scope};
use kiln_core::value::{Kind, Value};

/// Returns the scope with what the artifact says of its build: a post-processor learns it from there.
pub(crate) fn scope_of(artifact: &Artifact, scope: &Scope) -> Scope {
    let mut values = match &scope.values {
        BuildValues::Known(values) => values.clone(),
        BuildValues::None | BuildValues::Expected(_) => BTreeMap::new(),
    };
    if let Some(serde_json::Value::Object(data)) = artifact.state.get("generated_data") {
        values.extend(data.iter().map(|(name, value)| (name.clone(), Value::from(value))));
    }
    scope.with_values(BuildValues::Known(values))
}

/// Returns one generated datum as text.
pub(crate) fn known(scope: &Scope, name: &str) -> Option<String> {
    match &scope.values {
        BuildValues::Known(values) => values.get(name).and_then(text),
        BuildValues::None | BuildValues::Expected(_) => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match &value.kind {
        Kind::String(text) => Some(text.clone()),
        Kind::Bool(value) => Some(value.to_string()),
        Kind::Number(number) => Some(number.as_str().to_owned()),
        Kind::Null | Kind::List(_) | Kind::Object(_) | Kind::Unknown => None,
    }
}
