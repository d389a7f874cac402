//! `AssumeRoleWithOIDC`: a role for somebody whom a provider outside vouches for. The call is not signed; its token is
//! what counts.
//!
//! What is simulated: the real service fetches the provider's public keys and checks an RS256 signature. Here the
//! inventory says what a provider's tokens are: signed with HS256 and the provider's `secret`, or listed with the
//! subject each stands for. Issuer, audience and end of a signed token are checked as in the real service.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;

use super::permission::facts;
use super::policy::{Document, Verdict};
use super::sts::{Order, assumed, find, issue};
use crate::api::{Answer, ApiError, Cx, refuse};
use crate::clock::Moment;
use crate::model::OidcProvider;

/// What a token says.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    /// In seconds since 1970.
    exp: i64,
    #[serde(default)]
    iat: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn names(&self) -> &[String] {
        match self {
            Audience::One(name) => std::slice::from_ref(name),
            Audience::Many(names) => names,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// Whom a token stands for.
struct Subject {
    name: String,
    audience: String,
    issued: Moment,
    ends: Moment,
}

/// Answers `AssumeRoleWithOIDC`.
pub fn assume_role(cx: &mut Cx<'_>) -> Answer {
    let order = Order::read(cx)?;
    let arn = cx.params.text("OIDCProviderArn");
    let provider = provider(cx, &arn).ok_or_else(|| refuse("EntityNotExist.OIDCProvider"))?;
    let subject = subject(provider, cx.params.required("OIDCToken")?, cx.now())?;
    let mut facts = facts(cx);
    facts.insert("oidc:iss", provider.issuer.clone());
    facts.insert("oidc:aud", subject.audience.clone());
    facts.insert("oidc:sub", subject.name.clone());
    let role = find(cx.state, &order.owner, &order.role).ok_or_else(|| refuse("EntityNotExist.Role"))?;
    let verdict = Document::read_trust(&role.trust)
        .map_or(Verdict::Unmentioned, |trust| trust.trusts("sts:AssumeRole", "Federated", &[arn], &facts));
    if verdict != Verdict::Allowed {
        return Err(refuse("AuthenticationFail.NoPermission"));
    }
    let info = json!({
        "Subject": subject.name, "Issuer": provider.issuer, "ClientIds": subject.audience,
        "IssuanceTime": subject.issued.to_seconds(), "ExpirationTime": subject.ends.to_seconds(),
        "VerificationInfo": "Success",
    });
    let (user, now) = (assumed(cx.state, &order), cx.now());
    let session = issue(cx.state, order, now);
    Ok(json!({"Credentials": session.credentials(), "AssumedRoleUser": user, "OIDCTokenInfo": info}))
}

/// Finds `acs:ram::<account>:oidc-provider/<name>`.
fn provider<'a>(cx: &'a Cx<'_>, arn: &str) -> Option<&'a OidcProvider> {
    let (owner, name) = arn.strip_prefix("acs:ram::")?.split_once(":oidc-provider/")?;
    cx.state.accounts.get(owner)?.oidc_providers.get(name)
}

fn subject(provider: &OidcProvider, token: &str, now: Moment) -> Result<Subject, ApiError> {
    if let Some(name) = provider.tokens.get(token) {
        let audience = provider.client_ids.first().cloned().unwrap_or_default();
        let ends = now.plus(std::time::Duration::from_secs(3600));
        return Ok(Subject { name: name.clone(), audience, issued: now, ends });
    }
    let invalid = |why: &str| {
        let error = refuse("AuthenticationFail.OIDCToken.Invalid");
        let message = format!("{} ({why})", error.message);
        error.saying(message)
    };
    let claims = provider.secret.as_ref().and_then(|secret| claims(token, secret));
    let claims = claims.ok_or_else(|| invalid("its signature is not the provider's"))?;
    if claims.iss != provider.issuer {
        return Err(invalid("it is of another issuer"));
    }
    let audience = claims.aud.names().iter().find(|name| provider.client_ids.contains(name));
    let audience = audience.ok_or_else(|| invalid("it is for another audience"))?.clone();
    let (issued, ends) = (Moment(claims.iat.saturating_mul(1000)), Moment(claims.exp.saturating_mul(1000)));
    if ends <= now {
        return Err(refuse("AuthenticationFail.OIDCToken.Expired"));
    }
    Ok(Subject { name: claims.sub, audience, issued, ends })
}

/// Reads a token that is signed with this secret.
fn claims(token: &str, secret: &str) -> Option<Claims> {
    let (text, signature) = token.rsplit_once('.')?;
    let (header, claims) = text.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    if header.alg != "HS256" {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    mac.verify_slice(&decode(signature)?).ok()?;
    serde_json::from_slice(&decode(claims)?).ok()
}
