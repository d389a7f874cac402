//! Credentials from an address: a small service of the user's own, usually beside the program.

use std::{net::IpAddr, time::Duration};

use async_trait::async_trait;
use reqwest::Url;

use super::{Credentials, CredentialsProvider, answers};
use crate::{
    Endpoint, Error, ErrorKind, Result,
    http::{self, Http},
};

/// Credentials from `GET` of an address that answers as the metadata service does. https, or plain http to this
/// machine or a link-local address: the answer holds a secret.
///
/// Every call asks; wrap it in [`Renewing`](super::Renewing).
#[derive(Debug)]
pub struct CredentialsUri {
    url: Url,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Over TLS, through a proxy if there is one; or plain to this machine.
    Usual(Box<(Endpoint, Http)>),
    /// Plain, to an address that no router passes on.
    LinkLocal(reqwest::Client),
}

const PATIENCE: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(10);

impl CredentialsUri {
    /// Returns the provider of this address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when it is none, or plain http to another machine.
    pub fn new(uri: &str) -> Result<CredentialsUri> {
        // A query may hold a secret, and what is no address may be anything: nothing of it is repeated.
        let wrong = |why: &str| Error::new(ErrorKind::Config, format!("credentials address: {why}"));
        let url = Url::parse(uri.trim()).map_err(|_| wrong("it is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a user name or password in it is not understood"));
        }
        let host = url.host_str().unwrap_or_default();
        if url.scheme() == "http" && is_link_local(host) {
            return Ok(CredentialsUri { way: Way::LinkLocal(http::direct(PATIENCE)), url });
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let endpoint = Endpoint::parse(&format!("{}://{host}{port}", url.scheme()))
            .map_err(|error| error.in_context("credentials address"))?;
        Ok(CredentialsUri { way: Way::Usual(Box::new((endpoint, Http::default()))), url })
    }

    /// Returns the address without its query.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.to_string()
    }
}

fn is_link_local(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        // The last is where Alibaba Cloud's own services are.
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.octets()[..3] == [100, 100, 100],
        _ => false,
    }
}

#[async_trait]
impl CredentialsProvider for CredentialsUri {
    async fn credentials(&self) -> Result<Credentials> {
        let client = match &self.way {
            Way::Usual(way) => way.1.client(&way.0).await?,
            Way::LinkLocal(client) => client,
        };
        let request = client.get(self.url.clone()).timeout(ANSWER_MAX).header("accept", "application/json");
        let answer =
            http::exchange(request).await.map_err(|error| error.in_context("the credentials address"))?;
        if answer.status != 200 {
            let why = format!("`{}` answered HTTP {}", self.shown(), answer.status);
            return Err(Error::new(ErrorKind::Credentials, why));
        }
        answers::read(&answer.body)
    }
}
