//! RPC signature v1, HMAC-SHA1: signature, time and nonce are parameters among the others. Parameters of query and
//! form body are signed together, so it does not matter to the signature where each travels.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{canonical_query, percent_encode};
use crate::{Credentials, params::Params};

/// Returns the common parameters of a call (everything but the business parameters and `Signature`). `date` is UTC,
/// `YYYY-MM-DDThh:mm:ssZ`; `nonce` is text never used before with this access key.
pub fn common_params(
    credentials: &Credentials,
    action: &str,
    version: &str,
    date: &str,
    nonce: &str,
) -> Params {
    let mut params: Params = [
        ("AccessKeyId", credentials.access_key_id.as_str()),
        ("Action", action),
        ("Format", "JSON"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", date),
        ("Version", version),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(token) = &credentials.security_token {
        params.push(("SecurityToken".to_owned(), token.expose().to_owned()));
    }
    params
}

/// Returns the string to sign: `METHOD&%2F&` and the encoded canonical query of all parameters but `Signature`.
pub fn string_to_sign<'a>(method: &str, params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("{method}&%2F&{}", percent_encode(&canonical_query(params)))
}

/// Returns the value of parameter `Signature` (not yet percent-encoded) for a string to sign.
pub fn signature(access_key_secret: &str, string_to_sign: &str) -> String {
    let key = format!("{access_key_secret}&");
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(string_to_sign.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}
