//! The HTTP clients beneath: one for plain loopback, one for TLS, one for TLS to loopback. Each is made when first
//! needed, so that a run against the embedded cloud never reads the system's certificates.

use std::{
    error::Error as StdError,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{ClientConfig as TlsConfig, RootCertStore};
use tokio::sync::OnceCell;

use crate::{Endpoint, Error, ErrorKind, NetworkFault, Result};

/// Longest time for making a connection: name, TCP and TLS.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers are JSON of some kilobytes; console output is the largest.
const ANSWER_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Default)]
pub(crate) struct Http {
    plain: OnceLock<reqwest::Client>,
    tls: OnceCell<reqwest::Client>,
    tls_loopback: OnceCell<reqwest::Client>,
}

/// Status and body of a whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// Returns the client for `endpoint`. Loopback never goes through a proxy; all else follows the proxy variables.
    pub(crate) async fn client(&self, endpoint: &Endpoint) -> Result<&reqwest::Client> {
        match (endpoint.is_tls(), endpoint.is_loopback()) {
            (false, true) => Ok(self.plain.get_or_init(|| {
                let no_tls = tls_config(RootCertStore::empty());
                builder(no_tls)
                    .no_proxy()
                    .build()
                    .expect("there is nothing in these settings that could be refused")
            })),
            (false, false) => {
                let why = format!(
                    "plain http to `{}` is refused: only loopback goes without TLS",
                    endpoint.authority()
                );
                Err(Error::new(ErrorKind::Config, why))
            }
            (true, true) => {
                self.tls_loopback.get_or_try_init(|| tls_client(reqwest::ClientBuilder::no_proxy)).await
            }
            (true, false) => self.tls.get_or_try_init(|| tls_client(|builder| builder)).await,
        }
    }
}

/// Returns a client for plain http that never goes through a proxy: for the metadata service and its like, whose
/// addresses no proxy knows. `patience` is the time to connect, and between two bits of an answer.
pub(crate) fn direct(patience: Duration) -> reqwest::Client {
    builder(tls_config(RootCertStore::empty()))
        .no_proxy()
        .connect_timeout(patience)
        .read_timeout(patience)
        .build()
        .expect("there is nothing in these settings that could be refused")
}

async fn tls_client(
    proxy: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client> {
    // Some hundred files may have to be read: not on a runtime thread.
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let unusable = |why: &str| Error::new(ErrorKind::Config, why);
    let found = loaded.map_err(|error| unusable("read the system's root certificates").with_source(error))?;
    let mut roots = RootCertStore::empty();
    let (usable, _ignored) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let error =
            unusable("no trusted root certificates found on this system; name a file in SSL_CERT_FILE");
        return Err(match found.errors.into_iter().next() {
            Some(cause) => error.with_source(cause),
            None => error,
        });
    }
    proxy(builder(tls_config(roots)))
        .build()
        .map_err(|error| unusable("make the HTTPS client").with_source(error.without_url()))
}

/// Returns a client that asks `endpoint` from the local address `from`, never through a proxy.
pub(crate) async fn direct_client(endpoint: &Endpoint, from: std::net::IpAddr) -> Result<reqwest::Client> {
    let direct = |builder: reqwest::ClientBuilder| builder.no_proxy().local_address(from);
    if endpoint.is_tls() {
        return tls_client(direct).await;
    }
    let made = direct(builder(tls_config(RootCertStore::empty()))).build();
    made.map_err(|error| Error::new(ErrorKind::Config, "make the HTTP client").with_source(error))
}

fn builder(tls: TlsConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // One connection carries one call at a time, so a lost connection loses one answer and not all.
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        // Below the gateways' own idle time, so that a call rarely meets a connection that is just being closed.
        .pool_idle_timeout(Duration::from_secs(20))
        // A signed request is for one host.
        .redirect(reqwest::redirect::Policy::none())
        // Repeating is the transport's business: it signs each try anew.
        .retry(reqwest::retry::never())
}

fn tls_config(roots: RootCertStore) -> TlsConfig {
    TlsConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Sends `request` and reads the answer to its end.
pub(crate) async fn exchange(request: reqwest::RequestBuilder) -> Result<Answer> {
    let mut response = request.send().await.map_err(classify)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(classify)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let why = format!("an answer of more than {} MiB", ANSWER_BYTES_MAX >> 20);
            return Err(Error::new(ErrorKind::Decode, why).with_http(status, None));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

fn classify(error: reqwest::Error) -> Error {
    let fault = if error.is_dns() {
        NetworkFault::Dns
    } else if caused_by::<rustls::Error>(&error).is_some() {
        NetworkFault::Tls
    } else if error.is_connect() {
        match caused_by::<io::Error>(&error).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => NetworkFault::Refused,
            _ => NetworkFault::Unreachable,
        }
    } else if error.is_timeout() {
        NetworkFault::TimedOut
    } else if error.is_request() || error.is_body() || error.is_decode() {
        // The connection was there and then it was not: reset, closed before or within the answer.
        NetworkFault::Reset
    } else {
        NetworkFault::Other
    };
    // The address holds the parameters: it must not reach a log.
    let failure = Error::network(fault).with_source(error.without_url());
    // An untrusted certificate stays untrusted.
    if fault == NetworkFault::Tls { failure.with_retry(crate::Retry::Never) } else { failure }
}

/// Finds a cause of type `E`; the deepest, and also inside `io::Error`s, which hide what they wrap from `source()`.
fn caused_by<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut found = None;
    let mut next = Some(error);
    while let Some(cause) = next {
        found = cause.downcast_ref::<E>().or(found);
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        };
    }
    found
}
