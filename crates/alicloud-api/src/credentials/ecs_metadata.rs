//! The role of the instance that this program runs on, from its metadata service.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, Url};

use super::{Credentials, CredentialsProvider, answers};
use crate::{
    Endpoint, Error, ErrorKind, Result,
    http::{self, Answer},
};

/// Where the metadata service is, and how old a protocol it may be asked in.
#[derive(Clone, Debug)]
pub struct MetadataService {
    /// Scheme, host and port: `http://100.100.100.200`, or loopback in tests.
    pub base: Url,
    /// Whether to ask without a session token where the service gives none.
    pub v1_allowed: bool,
}

impl MetadataService {
    /// The address of every instance.
    pub const ADDRESS: &str = "http://100.100.100.200";

    /// Returns the service at `base`: [`MetadataService::ADDRESS`], or a loopback address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for every other: what asks a stranger for credentials signs for him.
    pub fn at(base: &str) -> Result<MetadataService> {
        let url = match base.trim().trim_end_matches('/') {
            MetadataService::ADDRESS => Url::parse(MetadataService::ADDRESS).ok(),
            text => Some(Endpoint::parse(text)?).filter(Endpoint::is_loopback).map(|endpoint| endpoint.url()),
        };
        let base = url.filter(|url| url.scheme() == "http").ok_or_else(|| {
            let known = MetadataService::ADDRESS;
            let why = format!("metadata service: only `{known}` and plain http to this machine are asked");
            Error::new(ErrorKind::Config, why)
        })?;
        Ok(MetadataService { base, v1_allowed: true })
    }
}

/// Credentials of an instance's role: the instance metadata service, in its second version (a session token first),
/// or, where that is allowed, in its first. Never through a proxy; a second to connect and a second for each answer,
/// since a machine that is no instance has nobody at that address.
///
/// Every call asks; wrap it in [`Renewing`](super::Renewing).
#[derive(Debug)]
pub struct EcsMetadata {
    service: MetadataService,
    role: Option<String>,
    http: reqwest::Client,
}

/// The longest that a session token lives; we use it for one look.
const TOKEN_SECONDS: &str = "21600";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
const PATIENCE: Duration = Duration::from_secs(1);

impl EcsMetadata {
    /// Returns the provider of the instance's `role`; `None`: of the one it has.
    pub fn new(service: MetadataService, role: Option<String>) -> EcsMetadata {
        EcsMetadata { service, role, http: http::direct(PATIENCE) }
    }

    async fn session(&self) -> Result<Option<String>> {
        let request = self.request(Method::PUT, "/latest/api/token");
        let request = request.header("X-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_SECONDS);
        // Said aloud: a `PUT` without a length may be refused.
        let request = request.header("content-length", "0");
        let failure = match http::exchange(request).await {
            Ok(Answer { status: 200, body }) => match String::from_utf8(body) {
                Ok(token) if is_header(&token) => return Ok(Some(token)),
                _ => Error::new(ErrorKind::Credentials, "the session token is not text"),
            },
            Ok(answer) => status("the session token", answer.status),
            // Nobody there: a second question would not be heard either.
            Err(error) => return Err(error.in_context("the metadata service of the instance")),
        };
        match self.service.v1_allowed {
            true => Ok(None),
            false => Err(failure),
        }
    }

    async fn role(&self, session: Option<&str>) -> Result<String> {
        if let Some(role) = &self.role {
            return Ok(role.clone());
        }
        let answer = self.get(ROLES, session).await?;
        let none = || Error::new(ErrorKind::Credentials, "the instance has no RAM role");
        match answer.status {
            200 => {
                let text = String::from_utf8(answer.body).unwrap_or_default();
                let first = text.lines().next().unwrap_or_default().trim().to_owned();
                Some(first).filter(|role| is_role(role)).ok_or_else(none)
            }
            404 => Err(none()),
            code => Err(status("the role's name", code)),
        }
    }

    async fn get(&self, path: &str, session: Option<&str>) -> Result<Answer> {
        let mut request = self.request(Method::GET, path);
        if let Some(session) = session {
            request = request.header("X-aliyun-ecs-metadata-token", session);
        }
        http::exchange(request)
            .await
            .map_err(|error| error.in_context("the metadata service of the instance"))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut url = self.service.base.clone();
        url.set_path(path);
        // Connecting is bounded by itself; an answer of some hundred bytes comes at once or not at all.
        self.http.request(method, url).timeout(2 * PATIENCE)
    }
}

#[async_trait]
impl CredentialsProvider for EcsMetadata {
    async fn credentials(&self) -> Result<Credentials> {
        let session = self.session().await?;
        let role = self.role(session.as_deref()).await?;
        if !is_role(&role) {
            let why = format!("`{role}` is no name of a RAM role");
            return Err(Error::new(ErrorKind::Credentials, why));
        }
        let answer = self.get(&format!("{ROLES}{role}"), session.as_deref()).await?;
        match answer.status {
            200 => answers::read(&answer.body),
            404 => {
                let why = format!("the instance does not have the role `{role}`");
                Err(Error::new(ErrorKind::Credentials, why))
            }
            code => Err(status(&format!("the credentials of role `{role}`"), code)),
        }
    }
}

fn status(what: &str, code: u16) -> Error {
    let why = format!("the metadata service answered HTTP {code} when asked for {what}");
    Error::new(ErrorKind::Credentials, why)
}

/// Letters, digits, `.`, `-` and `_`, 1 to 64: RAM's rule. It becomes part of a path.
fn is_role(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

fn is_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
