//! "V3": ACS3-HMAC-SHA256. The signature, its time and its nonce travel in headers; the query and the hash of the body
//! are part of what is signed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::canonical_query;
use crate::Credentials;

/// A request to be signed. RPC products use `POST` and path `/`.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The path, already encoded; `/` for RPC products.
    pub path: &'a str,
    /// What will stand in the `Host` header, so with the port unless it is the scheme's own.
    pub host: &'a str,
    /// The action, such as `RunInstances`.
    pub action: &'a str,
    /// The product's version, such as `2014-05-26`.
    pub version: &'a str,
    /// UTC time, `YYYY-MM-DDThh:mm:ssZ`.
    pub date: &'a str,
    /// Text never used before with this access key.
    pub nonce: &'a str,
    /// Parameters of the query, not yet encoded, in any order.
    pub query: &'a [(String, String)],
    /// Type of the body, if there is one.
    pub content_type: Option<&'a str>,
    /// The body as it will be sent; empty if the parameters are in the query.
    pub body: &'a [u8],
}

/// What to send.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The query, encoded; to be sent exactly so.
    pub query: String,
    /// Headers to add besides `host`; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// What was signed; holds a hash only. The cloud repeats its own one when a signature does not match.
    pub string_to_sign: String,
}

/// Signs `request`.
pub fn sign(credentials: &Credentials, request: &Unsigned<'_>) -> Signed {
    let query = canonical_query(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let body_hash = hex(&Sha256::digest(request.body));

    // In the order in which they are signed: bytewise by name.
    let mut headers: Vec<(&'static str, String)> = Vec::with_capacity(9);
    headers.extend(request.content_type.map(|kind| ("content-type", kind.to_owned())));
    headers.push(("host", request.host.to_owned()));
    headers.push(("x-acs-action", request.action.to_owned()));
    headers.push(("x-acs-content-sha256", body_hash.clone()));
    headers.push(("x-acs-date", request.date.to_owned()));
    let token = credentials.security_token.as_ref();
    headers.extend(token.map(|token| ("x-acs-security-token", token.expose().to_owned())));
    headers.push(("x-acs-signature-nonce", request.nonce.to_owned()));
    headers.push(("x-acs-version", request.version.to_owned()));

    let mut lines = String::new();
    for (name, value) in &headers {
        lines.extend([name, ":", value.trim(), "\n"]);
    }
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");

    let canonical = [request.method, request.path, &query, &lines, &names, &body_hash].join("\n");
    let to_sign = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(canonical)));
    let secret = credentials.access_key_secret.expose().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(to_sign.as_bytes());
    let signature = hex(&mac.finalize().into_bytes());

    headers.retain(|(name, _)| *name != "host");
    let id = &credentials.access_key_id;
    let authorization =
        format!("ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={signature}");
    headers.push(("authorization", authorization));
    Signed { query, headers, string_to_sign: to_sign }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
