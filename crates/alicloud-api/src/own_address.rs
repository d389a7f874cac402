//! Under which address this machine is seen from outside: no API of the cloud tells, so a text endpoint is asked.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use reqwest::Url;

use crate::{
    Endpoint, Error, ErrorKind, Result,
    http::{direct_client, exchange},
};

/// Longest time for the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks the endpoint `url` (`https://…`, or `http://…` on loopback), which answers with the caller's address as text.
/// IPv4 only, and never through a proxy: what counts is the address from which a direct connection comes.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a URL that cannot be asked, [`ErrorKind::Network`] without an answer, and
/// [`ErrorKind::Decode`] for an answer that is no IPv4 address.
pub async fn own_address(url: &str) -> Result<Ipv4Addr> {
    let wrong = |why: &str| Error::new(ErrorKind::Config, format!("`{url}`: {why}"));
    let parsed = Url::parse(url).map_err(|error| wrong("not a URL").with_source(error))?;
    let host = parsed.host_str().ok_or_else(|| wrong("there is no host"))?;
    let port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
    let endpoint = Endpoint::parse(&format!("{}://{host}{port}", parsed.scheme()))?;
    let client = direct_client(&endpoint, IpAddr::V4(Ipv4Addr::UNSPECIFIED)).await?;
    let answer = exchange(client.get(parsed).timeout(TIMEOUT)).await?;
    let text = String::from_utf8_lossy(&answer.body);
    text.trim().parse().map_err(|_| {
        let shown: String = text.trim().chars().take(60).collect();
        let why = format!("`{url}` answered {}: `{shown}`, which is no IPv4 address", answer.status);
        Error::new(ErrorKind::Decode, why)
    })
}
