//! How a call travels: sign ∘ retry ∘ limit ∘ send. Each try is signed anew (fresh time and nonce), with the same
//! parameters and so the same `ClientToken`.
//!
//! **What is repeated.** An answer that proves nothing was done (throttled, an earlier call still at work, a connection
//! never made) allows another try of anything. An answer lost or a failure inside the cloud does not: then only calls
//! that are safe to repeat, and creating calls that carry a client token, are tried again. Tries and total time are
//! bounded by [`RetryPolicy`].
//!
//! **Cancelling.** Pauses end at once, and so do calls that only look. A call with an effect is not abandoned half-way:
//! its try runs to the answer (its read timeout bounds that) and is returned. *Dropping* the future of such a call does
//! abandon it; whoever does so has to look for the effect afterwards, by client token or tag.

use std::time::Duration;

use rand::RngExt as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    CallOutcome, CallRecord, Client, Credentials, Endpoint, Error, ErrorKind, NetworkFault, Product,
    RegionId, Result, Retry, SignatureMethod,
    client::Shared,
    http::{self, Answer, CONNECT_TIMEOUT},
    params::{Params, flatten},
    sign::{acs3, canonical_query, rpc_v1},
};

/// A typed call: a struct of parameters, and what the cloud answers.
pub trait Request: Serialize + Send + Sync {
    /// What the cloud answers.
    type Answer: DeserializeOwned + Send;
    /// Which action it is.
    const ACTION: Action;
}

/// What the transport must know about an action.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// The product that knows it.
    pub product: Product,
    /// Its name, such as `RunInstances`.
    pub name: &'static str,
    /// Whether it may be repeated.
    pub idempotency: Idempotency,
    /// How long the cloud may take to answer.
    pub read_timeout: Duration,
    /// Parameters that must not stand in a URL: passwords, user data.
    pub private: &'static [&'static str],
}

/// What happens if a call reaches the cloud twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// It only looks. Also dropped at once when cancelled.
    Read,
    /// The same as once: it deletes, or sets a state. (A deletion's second try may answer "not found".)
    Safe,
    /// The same as once if it carries a `ClientToken`; else something is created twice.
    Token,
    /// Something is created twice, or the second answer hides the first (a key pair's private part).
    None,
}

/// Bounds of repeating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Tries of a call, the first included.
    pub attempts_max: u32,
    /// Tries of a call when no connection can be made at all: a mistyped region should not take long to be told.
    pub unconnected_attempts_max: u32,
    /// No try begins later than this after the first one began.
    pub total_max: Duration,
    /// The pause before the second try, less a jitter of up to a half. Doubles from try to try; four times as long when
    /// throttled.
    pub first_pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts_max: 8,
            unconnected_attempts_max: 4,
            total_max: Duration::from_secs(90),
            first_pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(15),
        }
    }
}

impl RetryPolicy {
    /// Returns the pause after try number `attempt`; `jitter` is within 0..1.
    fn pause(&self, attempt: u32, retry: Retry, jitter: f64) -> Duration {
        let patience = if retry == Retry::Throttled { 4 } else { 1 };
        let doubled = self.first_pause.saturating_mul(patience).saturating_mul(1 << (attempt - 1).min(20));
        doubled.min(self.pause_max).mul_f64(1.0 - jitter / 2.0)
    }

    fn attempts_max(&self, error: &Error) -> u32 {
        match error.kind() {
            ErrorKind::Network(fault) if !fault.may_have_been_sent() => self.unconnected_attempts_max,
            _ => self.attempts_max,
        }
    }
}

/// Makes a typed call.
pub(crate) async fn call<R: Request>(client: &Client, region: &RegionId, request: &R) -> Result<R::Answer> {
    let action = R::ACTION;
    let about = |error: Error| error.of_call(action.name, action.product, region);
    let mut params = flatten(request)
        .map_err(|error| about(Error::new(ErrorKind::Config, "write the parameters").with_source(error)))?;
    if action.product.is_regional() && !params.iter().any(|(name, _)| name == "RegionId") {
        params.push(("RegionId".to_owned(), region.to_string()));
    }
    let call = Call { shared: &client.shared, cancel: &client.cancel, region, action, params };
    let (answer, attempts) = call.run().await.map_err(about)?;
    serde_json::from_slice(&answer.body).map_err(|error| {
        // It was done, but we cannot read what came of it.
        let uncertain = action.idempotency != Idempotency::Read;
        let unreadable = Error::new(ErrorKind::Decode, error.to_string());
        about(
            unreadable.with_http(answer.status, request_id(&answer.body)).after_attempts(attempts, uncertain),
        )
    })
}

/// One call with all its tries. Not generic, so that it is compiled once.
struct Call<'a> {
    shared: &'a Shared,
    cancel: &'a CancellationToken,
    region: &'a RegionId,
    action: Action,
    params: Params,
}

impl Call<'_> {
    async fn run(&self) -> Result<(Answer, u32)> {
        let policy = &self.shared.config.retry;
        let endpoints = self.shared.config.endpoints.resolve(self.action.product, self.region)?;
        let mut endpoints = endpoints.iter();
        let mut endpoint = endpoints.next().expect("resolve returns at least one endpoint");
        let started = Instant::now();
        let mut uncertain = false;
        let mut attempt = 1;
        loop {
            self.admit().await.map_err(|error| error.after_attempts(attempt - 1, uncertain))?;
            let error = match self.attempt(endpoint, attempt).await {
                Ok(answer) => return Ok((answer, attempt)),
                Err(error) => error,
            };
            if *error.kind() == ErrorKind::Network(NetworkFault::Dns)
                && let Some(next) = endpoints.next()
            {
                // Not a further try: this name did not exist, the next one is another way to the same service.
                endpoint = next;
                continue;
            }
            uncertain |= self.may_have_had_an_effect(&error);
            let error = error.after_attempts(attempt, uncertain);
            let pause = policy.pause(attempt, error.retry(), rand::rng().random_range(0.0..1.0));
            let bounded =
                attempt < policy.attempts_max(&error) && started.elapsed() + pause <= policy.total_max;
            if !bounded || !self.may_be_repeated(&error) {
                return Err(error);
            }
            tracing::debug!(action = self.action.name, attempt, %error, ?pause, "will try again");
            if self.cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Err(self.cancelled().with_source(error).after_attempts(attempt, uncertain));
            }
            attempt += 1;
        }
    }

    /// Waits for the limiter, unless cancelled.
    async fn admit(&self) -> Result<()> {
        let pause = self.shared.limiter.reserve(self.action.product, self.action.name);
        // Also with no pause: a call that has not begun does not begin once cancelled.
        if self.cancel.is_cancelled() {
            return Err(self.cancelled());
        }
        if pause.is_zero() {
            return Ok(());
        }
        let waited = self.cancel.run_until_cancelled(tokio::time::sleep(pause)).await;
        waited.ok_or_else(|| self.cancelled())
    }

    /// One try, shown to the observer.
    async fn attempt(&self, endpoint: &Endpoint, attempt: u32) -> Result<Answer> {
        let started = Instant::now();
        let sending = self.send(endpoint);
        let result = match self.action.idempotency {
            Idempotency::Read => {
                let sent = self.cancel.run_until_cancelled(sending).await;
                sent.unwrap_or_else(|| Err(self.cancelled()))
            }
            Idempotency::Safe | Idempotency::Token | Idempotency::None => sending.await,
        };
        let about = |error: Error| error.of_call(self.action.name, self.action.product, self.region);
        let result = result.map_err(|error| about(error).at_endpoint(endpoint));
        if let Some(observer) = &self.shared.config.observer {
            let id = result.as_ref().ok().and_then(|answer| request_id(&answer.body));
            let outcome = match &result {
                Ok(_) => CallOutcome::Done { request_id: id.as_deref() },
                Err(error) => CallOutcome::Failed(error),
            };
            let Action { product, name: action, .. } = self.action;
            let duration = started.elapsed();
            observer.observed(&CallRecord {
                product,
                action,
                region: self.region,
                attempt,
                duration,
                outcome,
            });
        }
        result
    }

    /// Signs and sends; an answer that is an error becomes one.
    async fn send(&self, endpoint: &Endpoint) -> Result<Answer> {
        let config = &self.shared.config;
        let credentials = config.credentials.credentials().await?;
        let date = config.freshness.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = config.freshness.nonce();
        let signed = match config.signature {
            SignatureMethod::Acs3 => self.sign_acs3(&credentials, endpoint, &date, &nonce),
            SignatureMethod::RpcV1 => self.sign_rpc_v1(&credentials, &date, &nonce),
        };

        let mut url = endpoint.url();
        url.set_query(Some(&signed.query).filter(|query| !query.is_empty()).map(String::as_str));
        let timeout = config.timeout.unwrap_or(CONNECT_TIMEOUT + self.action.read_timeout);
        let mut request = self.shared.http.client(endpoint).await?.post(url).timeout(timeout);
        request = request.header("user-agent", &config.user_agent).header("accept", "application/json");
        for (name, value) in &signed.headers {
            request = request.header(*name, value);
        }
        let answer = http::exchange(request.body(signed.body)).await?;
        if answer.status < 400 {
            return Ok(answer);
        }
        Err(self.refusal(&answer, &credentials, &signed.string_to_sign))
    }

    /// Returns whether the parameters travel in a form body.
    ///
    /// The rule of the documentation is "all parameters in the query", and whether Ecs takes V3 parameters from a form
    /// is documented nowhere; so that is what is done, except where a URL is no place for them: passwords, user data
    /// (URLs end up in proxies' logs), and more than a URL can hold. Then *all* of them move to the body: should the
    /// gateway not read it, it misses required parameters and refuses, instead of creating an instance that silently
    /// lacks its password.
    fn travels_in_body(&self) -> bool {
        const QUERY_BYTES_MAX: usize = 8 << 10;
        let private = self.params.iter().any(|(name, _)| self.action.private.contains(&name.as_str()));
        private
            || self.params.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum::<usize>()
                > QUERY_BYTES_MAX
    }

    fn sign_acs3(&self, credentials: &Credentials, endpoint: &Endpoint, date: &str, nonce: &str) -> Signed {
        let in_body = self.travels_in_body();
        let body = if in_body { encode(&self.params) } else { String::new() };
        let signed = acs3::sign(
            credentials,
            &acs3::Unsigned {
                method: "POST",
                path: "/",
                host: &endpoint.authority(),
                action: self.action.name,
                version: self.action.product.version(),
                date,
                nonce,
                query: if in_body { &[] } else { &self.params },
                content_type: in_body.then_some(FORM),
                body: body.as_bytes(),
            },
        );
        Signed { query: signed.query, headers: signed.headers, body, string_to_sign: signed.string_to_sign }
    }

    fn sign_rpc_v1(&self, credentials: &Credentials, date: &str, nonce: &str) -> Signed {
        let Action { product, name, .. } = self.action;
        let mut common = rpc_v1::common_params(credentials, name, product.version(), date, nonce);
        let all = common.iter().chain(&self.params).map(|(name, value)| (name.as_str(), value.as_str()));
        let string_to_sign = rpc_v1::string_to_sign("POST", all);
        let signature = rpc_v1::signature(credentials.access_key_secret.expose(), &string_to_sign);
        common.push(("Signature".to_owned(), signature));
        if self.travels_in_body() {
            let headers = vec![("content-type", FORM.to_owned())];
            Signed { query: encode(&common), headers, body: encode(&self.params), string_to_sign }
        } else {
            common.extend(self.params.iter().cloned());
            Signed { query: encode(&common), headers: Vec::new(), body: String::new(), string_to_sign }
        }
    }

    /// Reads an answer that says no.
    fn refusal(&self, answer: &Answer, credentials: &Credentials, string_to_sign: &str) -> Error {
        let status = answer.status;
        let Ok(said) = serde_json::from_slice::<Refusal>(&answer.body) else {
            // Not the API: a proxy or a gateway on the way.
            let why = if status >= 500 { "a server failed on the way" } else { "not the API's own answer" };
            let retry = if status == 429 { Retry::Throttled } else { Retry::of_answer("", status) };
            return Error::new(ErrorKind::Decode, why).with_http(status, None).with_retry(retry);
        };
        let matched = said.message.contains(string_to_sign);
        let message = self.without_secrets(said.message, credentials);
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

    /// Cuts off the string to sign, which the cloud repeats with all parameters in it, and hides private values.
    fn without_secrets(&self, message: String, credentials: &Credentials) -> String {
        let lower = message.to_ascii_lowercase();
        let cut = ["server string to sign", "server stringtosign", "server canonical"];
        let end = cut.iter().filter_map(|start| lower.find(start)).min().unwrap_or(message.len());
        let mut message = message[..end].trim_end().to_owned();
        let private = self.params.iter().filter(|(name, _)| self.action.private.contains(&name.as_str()));
        let private = private.map(|(_, value)| value.as_str());
        let token = credentials.security_token.as_ref();
        let hidden =
            private.chain([credentials.access_key_secret.expose()]).chain(token.map(|token| token.expose()));
        // Shorter ones would black out ordinary words and are no secrets.
        for secret in hidden.filter(|secret| secret.len() >= 4) {
            message = message.replace(secret, "<sensitive>");
        }
        message
    }

    fn may_have_had_an_effect(&self, error: &Error) -> bool {
        if self.action.idempotency == Idempotency::Read {
            return false;
        }
        match error.kind() {
            ErrorKind::Network(fault) => fault.may_have_been_sent(),
            // Success that cannot be read, or a gateway that lost its backend.
            ErrorKind::Decode => error.http_status().is_none_or(|status| !(400..500).contains(&status)),
            ErrorKind::Api { .. } => error.retry() == Retry::Server,
            ErrorKind::Config
            | ErrorKind::Credentials
            | ErrorKind::Cancelled
            | ErrorKind::TimedOut
            | ErrorKind::Failed => false,
        }
    }

    fn may_be_repeated(&self, error: &Error) -> bool {
        match error.retry() {
            Retry::Never => false,
            Retry::Throttled | Retry::Busy => true,
            Retry::Network | Retry::Server if !self.may_have_had_an_effect(error) => true,
            Retry::Network | Retry::Server => match self.action.idempotency {
                Idempotency::Read | Idempotency::Safe => true,
                Idempotency::Token => self.params.iter().any(|(name, _)| name == "ClientToken"),
                Idempotency::None => false,
            },
        }
    }

    fn cancelled(&self) -> Error {
        Error::new(ErrorKind::Cancelled, "").of_call(self.action.name, self.action.product, self.region)
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

struct Signed {
    query: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    string_to_sign: String,
}

fn encode(params: &Params) -> String {
    canonical_query(params.iter().map(|(name, value)| (name.as_str(), value.as_str())))
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

fn request_id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        request_id: Option<String>,
    }
    serde_json::from_slice::<Named>(body).ok()?.request_id
}

/// Writes an object as Go prints a map, which is the form known from Packer: `map[AuthAction:ecs:RunInstances …]`.
fn go_map(value: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Value::Object(fields) = value else { return plain(value) };
    let mut entries: Vec<_> = fields.iter().map(|(name, value)| format!("{name}:{}", plain(value))).collect();
    entries.sort_unstable();
    format!("map[{}]", entries.join(" "))
}

/// Declares a typed call: which action a request struct is, and the method of the product's handle that makes it.
/// The read timeouts are those of Alibaba's Go SDK (10 s where it has none of its own).
macro_rules! action {
    (
        $(#[$doc:meta])*
        $handle:ident.$method:ident($request:ident) -> $answer:ty, $idempotency:ident, $read_s:literal s
        $(, private: [$($private:literal),*])?
    ) => {
        impl $crate::transport::Request for $request {
            type Answer = $answer;
            const ACTION: $crate::transport::Action = $crate::transport::Action {
                product: $handle::PRODUCT,
                name: stringify!($request),
                idempotency: $crate::transport::Idempotency::$idempotency,
                read_timeout: ::std::time::Duration::from_secs($read_s),
                private: &[$($($private),*)?],
            };
        }

        impl $handle {
            $(#[$doc])*
            #[doc = concat!("\n\nAPI action `", stringify!($request), "`.")]
            ///
            /// # Errors
            ///
            /// Any [`Error`](crate::Error) of a call; see [`transport`](crate::transport) for what is repeated.
            pub async fn $method(&self, request: &$request) -> $crate::Result<$answer> {
                self.call(request).await
            }
        }
    };
}

/// Declares a product's handle.
macro_rules! handle {
    ($(#[$doc:meta])* $handle:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $handle {
            client: $crate::Client,
            region: $crate::RegionId,
        }

        impl $handle {
            const PRODUCT: $crate::Product = $crate::Product::$handle;

            pub(crate) fn new(client: $crate::Client, region: $crate::RegionId) -> $handle {
                $handle { client, region }
            }

            /// Returns the region of these calls.
            pub fn region(&self) -> &$crate::RegionId {
                &self.region
            }

            /// Makes any call of this product.
            ///
            /// # Errors
            ///
            /// Any [`Error`](crate::Error) of a call.
            pub async fn call<R: $crate::Request>(&self, request: &R) -> $crate::Result<R::Answer> {
                $crate::transport::call(&self.client, &self.region, request).await
            }

            /// Reads a list to its end, page by page; at most [`PAGES_MAX`](crate::PAGES_MAX) pages.
            ///
            /// # Errors
            ///
            /// Those of the calls, or [`ErrorKind::Failed`](crate::ErrorKind::Failed) when there are more pages.
            pub async fn all<R: $crate::page::Paged>(&self, request: &R) -> $crate::Result<Vec<R::Item>> {
                $crate::page::read_all(&self.client, &self.region, request).await
            }
        }
    };
}

pub(crate) use {action, handle};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_jitter_only_shortens() {
        let policy = RetryPolicy::default();
        let millis = |attempt, jitter| policy.pause(attempt, Retry::Server, jitter).as_millis();
        assert_eq!(
            [millis(1, 0.0), millis(2, 0.0), millis(3, 0.0), millis(30, 0.0)],
            [250, 500, 1000, 15_000]
        );
        assert_eq!(millis(1, 1.0), 125);
        assert_eq!(policy.pause(1, Retry::Throttled, 0.0), Duration::from_secs(1));
    }

    #[test]
    fn denied_access_reads_like_a_go_map() {
        let detail = serde_json::json!({"PolicyType": "AccountLevelIdentityBasedPolicy", "AuthAction": "ecs:RunInstances"});
        assert_eq!(
            go_map(&detail),
            "map[AuthAction:ecs:RunInstances PolicyType:AccountLevelIdentityBasedPolicy]"
        );
    }
}
