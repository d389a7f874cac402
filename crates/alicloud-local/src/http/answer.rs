//! Answers as they leave: JSON, or XML where a caller asks for it (or for nothing, in the older form).

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::api::ApiError;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// XML.
    Xml,
}

/// Writes the answer of an action that went well.
pub fn success(format: Format, action: &str, request_id: &str, mut fields: Value) -> Response<Body> {
    fields["RequestId"] = json!(request_id);
    write(format, StatusCode::OK, &format!("{action}Response"), &fields, request_id)
}

/// Writes a refusal.
pub fn failure(format: Format, host: &str, request_id: &str, error: &ApiError) -> Response<Body> {
    let recommend =
        format!("https://error-center.aliyun.com/status/search?Keyword={}&source=PopGw", error.code);
    let mut fields = json!({
        "RequestId": request_id, "HostId": host, "Code": error.code, "Message": error.message, "Recommend": recommend,
    });
    if let Some(detail) = &error.detail {
        fields["AccessDeniedDetail"] = Value::clone(detail);
    }
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    write(format, status, "Error", &fields, request_id)
}

fn write(format: Format, status: StatusCode, root: &str, fields: &Value, request_id: &str) -> Response<Body> {
    let (kind, text) = match format {
        Format::Json => ("application/json;charset=utf-8", fields.to_string()),
        Format::Xml => {
            let mut text = String::from("<?xml version='1.0' encoding='UTF-8'?>");
            element(&mut text, root, fields);
            ("text/xml;charset=utf-8", text)
        }
    };
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .header("x-acs-request-id", request_id);
    response.body(Body::from(text)).expect("the status and the headers are well-formed")
}

/// Writes a value as an element; a list is as many elements of the same name.
fn element(text: &mut String, name: &str, value: &Value) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| element(text, name, item));
        return;
    }
    text.push_str(&format!("<{name}>"));
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| element(text, name, value)),
        Value::String(plain) => {
            for letter in plain.chars() {
                match letter {
                    '<' => text.push_str("&lt;"),
                    '>' => text.push_str("&gt;"),
                    '&' => text.push_str("&amp;"),
                    other => text.push(other),
                }
            }
        }
        Value::Null | Value::Array(_) => {}
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
    text.push_str(&format!("</{name}>"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_repeated_elements() {
        let mut text = String::new();
        element(
            &mut text,
            "R",
            &json!({"Regions": {"Region": [{"RegionId": "a<b"}, {"RegionId": "c"}]}, "N": 1}),
        );
        let expected = "<R><Regions><Region><RegionId>a&lt;b</RegionId></Region><Region><RegionId>c</RegionId></Region></Regions><N>1</N></R>";
        assert_eq!(text, expected);
    }
}
