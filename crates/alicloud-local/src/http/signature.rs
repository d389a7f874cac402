//! The two kinds of signatures, checked as strictly as the real gateway does: every part present, the time near, the
//! nonce new, the text signed the one we compute from the request as it arrived.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::hex;
use super::request::Request;
use crate::api::{ApiError, refuse};
use crate::clock::Moment;
use crate::model::{AccessKey, State};

/// How far the time of a request may be from ours, and how long a nonce is remembered.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub uid: String,
    /// The account itself, a user of it, or the role assumed.
    pub arn: String,
    /// What the caller may do at most, if his key says so.
    pub policy: Option<String>,
}

impl Caller {
    /// Somebody who did not sign.
    pub fn unsigned(state: &State) -> Caller {
        Caller { uid: state.default_account.clone(), arn: String::new(), policy: None }
    }

    fn of(uid: &str, key: &AccessKey) -> Caller {
        Caller { uid: uid.to_owned(), arn: key.arn.clone(), policy: key.policy.clone() }
    }
}

/// The nonces used lately.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<HashMap<String, Moment>>);

impl Nonces {
    /// Notes a nonce; refuses one that was used.
    fn note(&self, key_id: &str, nonce: &str, now: Moment) -> Result<(), ApiError> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Old ones are thrown out now and then: looking at all of them for each call would cost more than they do.
        if used.len() % 1024 == 1023 {
            used.retain(|_, at| at.plus(WINDOW) > now);
        }
        match used.insert(format!("{key_id} {nonce}"), now) {
            Some(at) if at.plus(WINDOW) > now => Err(refuse("SignatureNonceUsed")),
            Some(_) | None => Ok(()),
        }
    }
}

/// Percent-encodes as the signatures want it.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Sorts the parameters by name and joins them, encoded.
fn canonical<'a>(params: impl Iterator<Item = &'a (String, String)>) -> String {
    let mut pairs: Vec<&(String, String)> = params.collect();
    pairs.sort();
    let joined: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    joined.join("&")
}

/// Returns the text signed in the older form: method, path, all parameters but the signature.
fn rpc_text(request: &Request) -> String {
    let params = request.query.iter().chain(&request.form).filter(|(name, _)| name != "Signature");
    format!("{}&%2F&{}", request.method, encoded(&canonical(params)))
}

fn rpc_signature(secret: &str, text: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).expect("a key of any length will do");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn acs3_signature(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Returns the canonical request of the newer form.
fn acs3_canonical(request: &Request, signed: &str, body_hash: &str) -> String {
    let lines: String = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", request.header(name).unwrap_or_default().trim()))
        .collect();
    let query = canonical(request.query.iter());
    format!("{}\n{}\n{query}\n{lines}\n{signed}\n{body_hash}", request.method, request.path)
}

/// Finds out who signed a request, or says what is wrong with it. `now` is real time, by which callers date their
/// requests; `here` is the cloud's, by which temporary keys end.
pub fn verify(
    request: &Request,
    state: &State,
    nonces: &Nonces,
    now: Moment,
    here: Moment,
) -> Result<Caller, ApiError> {
    match request.header("authorization") {
        Some(authorization) => verify_acs3(request, authorization, state, nonces, now, here),
        None => verify_rpc(request, state, nonces, now, here),
    }
}

fn find<'a>(state: &'a State, key_id: &str) -> Result<(&'a str, &'a AccessKey), ApiError> {
    let mut keys = state
        .accounts
        .iter()
        .filter_map(|(uid, account)| Some((uid.as_str(), account.access_keys.get(key_id)?)));
    match keys.next() {
        None => Err(refuse("InvalidAccessKeyId.NotFound")),
        Some((_, key)) if key.inactive => Err(refuse("InvalidAccessKeyId.Inactive")),
        Some(found) => Ok(found),
    }
}

fn check_token(key: &AccessKey, token: Option<&str>, now: Moment) -> Result<(), ApiError> {
    match (&key.token, token) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(refuse("InvalidSecurityToken.MismatchWithAccessKey")),
        (Some(_), None) => Err(ApiError::missing("SecurityToken")),
        (Some(wanted), Some(given)) if wanted != given => Err(refuse("InvalidSecurityToken.Malformed")),
        (Some(_), Some(_)) if key.expires.is_some_and(|end| end <= now) => {
            Err(refuse("InvalidSecurityToken.Expired"))
        }
        (Some(_), Some(_)) => Ok(()),
    }
}

fn check_time(text: &str, now: Moment) -> Result<(), ApiError> {
    let at =
        Moment::parse(text).filter(|_| text.len() == 20).ok_or_else(|| refuse("InvalidTimeStamp.Format"))?;
    let apart = at.since(now).max(now.since(at));
    if apart > WINDOW { Err(refuse("InvalidTimeStamp.Expired")) } else { Ok(()) }
}

fn verify_rpc(
    request: &Request,
    state: &State,
    nonces: &Nonces,
    now: Moment,
    here: Moment,
) -> Result<Caller, ApiError> {
    let wanted = |name: &str| request.param(name).ok_or_else(|| ApiError::missing(name));
    let key_id = wanted("AccessKeyId")?;
    let (signature, nonce, time) = (wanted("Signature")?, wanted("SignatureNonce")?, wanted("Timestamp")?);
    if wanted("SignatureMethod")? != "HMAC-SHA1" || wanted("SignatureVersion")? != "1.0" {
        return Err(refuse("IncompleteSignature"));
    }
    let (uid, key) = find(state, key_id)?;
    check_time(time, now)?;
    let text = rpc_text(request);
    if rpc_signature(&key.secret, &text) != signature {
        return Err(mismatch(&text, None));
    }
    check_token(key, request.param("SecurityToken"), here)?;
    nonces.note(key_id, nonce, now)?;
    Ok(Caller::of(uid, key))
}

fn verify_acs3(
    request: &Request,
    authorization: &str,
    state: &State,
    nonces: &Nonces,
    now: Moment,
    here: Moment,
) -> Result<Caller, ApiError> {
    let incomplete = || refuse("IncompleteSignature");
    let fields = authorization.strip_prefix("ACS3-HMAC-SHA256 ").ok_or_else(incomplete)?;
    let field = |name: &str| {
        let mut parts = fields.split(',').filter_map(|part| part.trim().split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value).ok_or_else(incomplete)
    };
    let (key_id, signed, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let wanted = |name: &str| request.header(name).ok_or_else(|| ApiError::missing(name));
    let (nonce, time) = (wanted("x-acs-signature-nonce")?, wanted("x-acs-date")?);
    let body_hash = wanted("x-acs-content-sha256")?;
    let (uid, key) = find(state, key_id)?;
    check_time(time, now)?;
    // What is not signed could be changed on the way: `host`, the content type and every header of ours must be.
    let names: Vec<&str> = signed.split(';').collect();
    let must = request.headers.keys().map(axum::http::HeaderName::as_str).filter(|name| {
        *name == "host"
            || (name.starts_with("x-acs-"))
            || (*name == "content-type" && !request.body.is_empty())
    });
    if must.into_iter().any(|name| !names.contains(&name)) || !names.is_sorted() {
        return Err(incomplete());
    }
    if hex(&Sha256::digest(&request.body)) != body_hash {
        return Err(refuse("SignatureDoesNotMatch")
            .saying("Specified x-acs-content-sha256 is not the hash of the body."));
    }
    let canonical = acs3_canonical(request, signed, body_hash);
    let text = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    if acs3_signature(&key.secret, &text) != signature {
        return Err(mismatch(&text, Some(&canonical)));
    }
    check_token(key, request.header("x-acs-security-token"), here)?;
    nonces.note(key_id, nonce, now)?;
    Ok(Caller::of(uid, key))
}

/// The real gateway tells what it signed, so that a client can see where it went wrong.
fn mismatch(text: &str, canonical: Option<&str>) -> ApiError {
    let error = refuse("SignatureDoesNotMatch");
    let mut message = format!("{} server string to sign is:{text}", error.message);
    if let Some(canonical) = canonical {
        message.push_str(&format!(" server canonical request is:{canonical}"));
    }
    error.saying(message)
}

/// Signs in the older form, as a client of the tests does: returns the value of `Signature`.
#[cfg(test)]
pub fn sign_rpc(method: &str, params: &[(String, String)], secret: &str) -> String {
    let request = Request {
        from: std::net::Ipv4Addr::LOCALHOST.into(),
        method: method.parse().unwrap(),
        path: "/".to_owned(),
        headers: axum::http::HeaderMap::new(),
        query: params.to_vec(),
        form: Vec::new(),
        body: Vec::new(),
    };
    rpc_signature(secret, &rpc_text(&request))
}

/// Signs in the newer form with an empty body: returns the headers, `authorization` among them.
#[cfg(test)]
pub fn sign_acs3(
    host: &str,
    query: &[(String, String)],
    headers: &[(&str, String)],
    key: &(String, String),
) -> axum::http::HeaderMap {
    let mut map = axum::http::HeaderMap::new();
    map.insert("host", host.parse().unwrap());
    map.insert("x-acs-content-sha256", hex(&Sha256::digest(b"")).parse().unwrap());
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        map.insert(name, value.parse().unwrap());
    }
    let mut names: Vec<String> = map.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    let request = Request {
        from: std::net::Ipv4Addr::LOCALHOST.into(),
        method: axum::http::Method::POST,
        path: "/".to_owned(),
        headers: map,
        query: query.to_vec(),
        form: Vec::new(),
        body: Vec::new(),
    };
    let signed = names.join(";");
    let canonical = acs3_canonical(&request, &signed, &hex(&Sha256::digest(b"")));
    let text = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let authorization = format!(
        "ACS3-HMAC-SHA256 Credential={},SignedHeaders={signed},Signature={}",
        key.0,
        acs3_signature(&key.1, &text)
    );
    let mut map = request.headers;
    map.insert("authorization", authorization.parse().unwrap());
    map
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Method};

    use super::*;

    const SECRET: &str = "exampleSecret0123456789ABCDEFGH";
    const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn request(
        method: Method,
        query: &[(&str, &str)],
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Request {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let from = std::net::Ipv4Addr::LOCALHOST.into();
        Request { from, method, path: "/".into(), headers: map, query, form: Vec::new(), body: body.into() }
    }

    const RUN: &[(&str, &str)] = &[
        ("RegionId", "cn-beijing"),
        ("ImageId", "centos_7_03_64_20G_alibase_20170818.vhd"),
        ("InstanceType", "ecs.t5-lc1m1.small"),
        ("InstanceName", "打包 测试*~"),
        ("Tag.1.Key", "Built by"),
        ("Tag.1.Value", "Packer/1"),
        ("DataDisk.1.Size", "20"),
        ("DataDisk.1.DeleteWithInstance", "true"),
        ("UserData", "IyEvYmluL3NoCmVjaG8gaGk+Cg=="),
    ];

    #[test]
    fn the_published_vector_of_the_older_form() {
        let query = [
            ("Timestamp", "2016-02-23T12:46:24Z"),
            ("Format", "XML"),
            ("AccessKeyId", "testid"),
            ("Action", "DescribeRegions"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("Version", "2014-05-26"),
            ("SignatureVersion", "1.0"),
        ];
        let text = rpc_text(&request(Method::GET, &query, &[], ""));
        assert_eq!(rpc_signature("testsecret", &text), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
    }

    #[test]
    fn the_vectors_of_the_older_form_with_everything_in_it() {
        let common = [
            ("AccessKeyId", "LTAI5tExampleKeyId01"),
            ("Version", "2014-05-26"),
            ("Format", "JSON"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", "15215528852396"),
            ("Timestamp", "2026-01-02T03:04:05Z"),
        ];
        let token = [("SecurityToken", "CAISexampleToken+/==")];
        let sign = |method, parts: &[&[(&str, &str)]]| {
            rpc_signature(SECRET, &rpc_text(&request(method, &parts.concat(), &[], "")))
        };
        let run: &[(&str, &str)] = &[("Action", "RunInstances")];
        assert_eq!(sign(Method::POST, &[run, RUN, &common, &token]), "+Ow5NYdpoMfsoQ3FWcOwaQiolck=");
        let empty: &[(&str, &str)] = &[("SignatureType", "")];
        assert_eq!(sign(Method::POST, &[run, RUN, &common, &token, empty]), "9wjFbAbrUewAahlPwS2xiWP4RAE=");
        let regions: &[(&str, &str)] = &[("Action", "DescribeRegions")];
        assert_eq!(sign(Method::GET, &[regions, &common]), "N3Lquo1I37glX/o3c+zjwmMEz3I=");
    }

    fn acs3(request: &Request, secret: &str, signed: &str, body_hash: &str) -> String {
        let canonical = acs3_canonical(request, signed, body_hash);
        acs3_signature(secret, &format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(canonical.as_bytes()))))
    }

    #[test]
    fn the_published_vector_of_the_newer_form() {
        let query =
            [("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"), ("RegionId", "cn-shanghai")];
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-version", "2014-05-26"),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-content-sha256", HASH_OF_NOTHING),
        ];
        let signed = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
        let request = request(Method::POST, &query, &headers, "");
        let expected = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
        assert_eq!(acs3(&request, "YourAccessKeySecret", signed, HASH_OF_NOTHING), expected);
    }

    #[test]
    fn the_vectors_of_the_newer_form_with_token_and_with_body() {
        let headers = [
            ("host", "ecs.cn-beijing.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-version", "2014-05-26"),
            ("x-acs-date", "2026-01-02T03:04:05Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-security-token", "CAISexampleToken+/=="),
            ("x-acs-content-sha256", HASH_OF_NOTHING),
        ];
        let signed = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version";
        let run = request(Method::POST, RUN, &headers, "");
        let expected = "f8233b58d3c70aee13fdf1adfa78a2e33a17e8d953966fa8c9d0e4b2dd128772";
        assert_eq!(acs3(&run, SECRET, signed, HASH_OF_NOTHING), expected);

        let body = "RegionId=cn-beijing&VpcId=vpc-1";
        let hash = "4956e2e5cc653e14345107de904833c839b04fdafa63caf72470cf5a677a36e6";
        assert_eq!(hex(&Sha256::digest(body.as_bytes())), hash);
        let headers = [
            ("host", "vpc.aliyuncs.com"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-acs-action", "DescribeVpcs"),
            ("x-acs-version", "2016-04-28"),
            ("x-acs-date", "2026-01-02T03:04:05Z"),
            ("x-acs-signature-nonce", "n1"),
            ("x-acs-content-sha256", hash),
        ];
        let signed = "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
        let describe = request(Method::POST, &[], &headers, body);
        let expected = "a528a89f14916eb8485b68652ac2b6e454d81c3948fba6f90302faac86e91e43";
        assert_eq!(acs3(&describe, SECRET, signed, hash), expected);
    }
}
