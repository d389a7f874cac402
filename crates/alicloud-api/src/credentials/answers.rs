//! The JSON in which the metadata service and credential addresses answer.

use jiff::Timestamp;
use serde::Deserialize;

use super::Credentials;
use crate::{Error, ErrorKind, Result, Secret};

/// `{"Code":"Success","AccessKeyId":…,"AccessKeySecret":…,"SecurityToken":…,"Expiration":…}`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    code: Option<String>,
    access_key_id: Option<String>,
    access_key_secret: Option<Secret>,
    security_token: Option<Secret>,
    expiration: Option<Timestamp>,
}

/// Reads an answer. What is wrong with it is told without a word of it: it may hold a secret all the same.
pub(super) fn read(body: &[u8]) -> Result<Credentials> {
    let wrong = |why: String| Error::new(ErrorKind::Credentials, why);
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        wrong(format!("the answer is not the JSON of temporary credentials (line {line}, column {column})"))
    })?;
    if let Some(code) = answer.code.filter(|code| code != "Success") {
        let code: String = code.chars().take(60).filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        return Err(wrong(format!("the answer's code is `{code}`, not `Success`")));
    }
    let missing = |name: &str| wrong(format!("the answer has no `{name}`"));
    let id = answer.access_key_id.filter(|id| !id.is_empty()).ok_or_else(|| missing("AccessKeyId"))?;
    let secret = answer.access_key_secret.filter(|secret| !secret.is_empty());
    let credentials = Credentials::new(id, secret.ok_or_else(|| missing("AccessKeySecret"))?);
    let token = answer.security_token.filter(|token| !token.is_empty());
    let credentials = credentials.with_security_token(token.ok_or_else(|| missing("SecurityToken"))?);
    Ok(Credentials { expires: answer.expiration, ..credentials })
}
