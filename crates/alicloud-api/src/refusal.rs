//! Reading an answer that says no: code, message, advice; without the secrets that such answers like to repeat.

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, ErrorKind, Retry, http::Answer};

/// Reads an answer that says no.
///
/// `string_to_sign` is what we signed; `secrets` are texts that must not be shown, whoever repeats them.
pub(crate) fn read_refusal<'a>(
    answer: &Answer,
    string_to_sign: &str,
    secrets: impl Iterator<Item = &'a str>,
) -> Error {
    let status = answer.status;
    let Ok(said) = serde_json::from_slice::<Refusal>(&answer.body) else {
        // Not the API: a proxy or a gateway on the way.
        let why = if status >= 500 { "a server failed on the way" } else { "not the API's own answer" };
        let retry = if status == 429 { Retry::Throttled } else { Retry::of_answer("", status) };
        return Error::new(ErrorKind::Decode, why).with_http(status, None).with_retry(retry);
    };
    let matched = said.message.contains(string_to_sign);
    let message = without_secrets(said.message, secrets);
    // Both sides signed the same text, so the keys differ.
    let recommend = match said.code.as_str() {
        "SignatureDoesNotMatch" | "IncompleteSignature" if matched => {
            Some("InvalidAccessKeySecret: Please check you AccessKeySecret".to_owned())
        }
        _ => said.recommend,
    };
    let retry = Retry::of_answer(&said.code, status);
    Error::new(ErrorKind::Api { code: said.code }, message)
        .with_http(status, said.request_id)
        .with_advice(recommend, said.access_denied_detail.as_ref().map(go_map))
        .with_retry(retry)
}

/// Cuts off the string to sign, which the cloud repeats with all parameters in it, and hides `secrets`.
fn without_secrets<'a>(message: String, secrets: impl Iterator<Item = &'a str>) -> String {
    let lower = message.to_ascii_lowercase();
    let cut = ["server string to sign", "server stringtosign", "server canonical"];
    let end = cut.iter().filter_map(|start| lower.find(start)).min().unwrap_or(message.len());
    let mut message = message[..end].trim_end().to_owned();
    // Shorter ones would black out ordinary words and are no secrets.
    for secret in secrets.filter(|secret| secret.len() >= 4) {
        message = message.replace(secret, "<sensitive>");
    }
    message
}

/// The body of an answer with HTTP status 400 or above.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
    request_id: Option<String>,
    recommend: Option<String>,
    access_denied_detail: Option<Value>,
}

/// Writes an object as Go prints a map, which is the form known from Packer: `map[AuthAction:ecs:RunInstances …]`.
fn go_map(value: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Value::Object(fields) = value else { return plain(value) };
    let mut entries: Vec<_> = fields.iter().map(|(name, value)| format!("{name}:{}", plain(value))).collect();
    entries.sort_unstable();
    format!("map[{}]", entries.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_access_reads_like_a_go_map() {
        let detail = serde_json::json!({"PolicyType": "AccountLevelIdentityBasedPolicy", "AuthAction": "ecs:RunInstances"});
        assert_eq!(
            go_map(&detail),
            "map[AuthAction:ecs:RunInstances PolicyType:AccountLevelIdentityBasedPolicy]"
        );
    }
}
