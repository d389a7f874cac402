//! Reads what schemars says of a type.

use serde_json::Value as Json;

use super::{Field, FieldKind, Schema};

/// Returns the fields of an object's schema.
pub(super) fn schema(json: &Json) -> Schema {
    let required: Vec<&str> = strings(&json["required"]);
    let Some(properties) = json["properties"].as_object() else { return Schema::default() };
    let fields =
        properties.iter().map(|(name, property)| field(name, property, required.contains(&name.as_str())));
    Schema { fields: fields.collect() }
}

fn field(name: &str, json: &Json, required: bool) -> Field {
    let kind = kind(json);
    let default = match &json["x-default"] {
        Json::String(text) => Some(text.clone()),
        Json::Null => default_text(&json["default"], &kind),
        other => Some(other.to_string()),
    };
    Field {
        name: name.to_owned(),
        aliases: strings(&json["x-alias"]).into_iter().map(str::to_owned).collect(),
        doc: json["description"].as_str().unwrap_or_default().to_owned(),
        required: required && json.get("default").is_none(),
        default,
        late: json["x-late"] == true,
        packer_name: json["x-packer-name"].as_str().map(str::to_owned),
        kind,
    }
}

fn kind(json: &Json) -> FieldKind {
    let (json, optional) = without_null(json);
    if let Some(texts) = choices(json) {
        return FieldKind::Choice(texts);
    }
    match json_type(json) {
        Some("string") => match json["format"].as_str() {
            Some("secret") => FieldKind::Secret,
            Some("duration") => FieldKind::Duration,
            _ => FieldKind::String,
        },
        Some("boolean") if optional => FieldKind::TriBool,
        Some("boolean") => FieldKind::Bool,
        Some("integer") => FieldKind::Integer,
        Some("number") => FieldKind::Number,
        Some("array") => FieldKind::List(Box::new(json.get("items").map_or(FieldKind::Any, kind))),
        Some("object") if json.get("properties").is_some() => FieldKind::Object(schema(json)),
        Some("object") => match json.get("additionalProperties") {
            Some(Json::Bool(_)) | None => FieldKind::Map(Box::new(FieldKind::Any)),
            Some(values) => FieldKind::Map(Box::new(kind(values))),
        },
        _ => FieldKind::Any,
    }
}

/// Returns the schema of what may stand besides `null`, and whether `null` may.
fn without_null(json: &Json) -> (&Json, bool) {
    if let Some(types) = json["type"].as_array() {
        return (json, types.iter().any(|name| name == "null"));
    }
    let Some(parts) = json["anyOf"].as_array() else { return (json, false) };
    match parts.as_slice() {
        [inner, null] | [null, inner] if null["type"] == "null" => (inner, true),
        _ => (json, false),
    }
}

fn json_type(json: &Json) -> Option<&str> {
    match &json["type"] {
        Json::String(name) => Some(name),
        Json::Array(names) => names.iter().filter_map(Json::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

/// Returns the texts of an enumeration, with or without documentation of its own on each.
fn choices(json: &Json) -> Option<Vec<String>> {
    if json.get("enum").is_some() {
        return Some(strings(&json["enum"]).into_iter().map(str::to_owned).collect());
    }
    let mut texts = Vec::new();
    for part in json["oneOf"].as_array()? {
        match (&part["const"], &part["enum"]) {
            (Json::String(text), _) => texts.push(text.clone()),
            (_, Json::Array(_)) => texts.extend(strings(&part["enum"]).into_iter().map(str::to_owned)),
            _ => return None,
        }
    }
    Some(texts)
}

fn default_text(json: &Json, kind: &FieldKind) -> Option<String> {
    match (json, kind) {
        (Json::Null, _) | (_, FieldKind::Secret) => None,
        (Json::String(text), _) if text.is_empty() => None,
        (Json::String(text), _) => Some(text.clone()),
        (Json::Array(list), _) if list.is_empty() => None,
        (Json::Object(map), _) if map.is_empty() => None,
        (Json::Object(_), FieldKind::Object(_)) => None,
        (other, _) => Some(other.to_string()),
    }
}

fn strings(json: &Json) -> Vec<&str> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}
