//! How a call travels: sign ∘ retry ∘ limit ∘ send. Each try is signed anew (fresh time and nonce), with the same
//! parameters and so the same `ClientToken`.
//!
//! **What is repeated.** An answer that proves nothing was done (throttled, an earlier call still at work, a connection
//! never made) allows another try of anything. An answer lost or a failure inside the cloud does not: then only calls
//! that are safe to repeat, and creating calls that carry a client token, are tried again. Tries and total time are
//! bounded by [`RetryPolicy`](crate::RetryPolicy).
//!
//! **Cancelling.** Pauses end at once, and so do calls that only look. A call with an effect is not abandoned half-way:
//! its try runs to the answer (its read timeout bounds that) and is returned. *Dropping* the future of such a call does
//! abandon it; whoever does so has to look for the effect afterwards, by client token or tag.

use std::time::Duration;

use rand::RngExt as _;
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Action, CallOutcome, CallRecord, Client, Credentials, Endpoint, Error, ErrorKind, Idempotency,
    NetworkFault, RegionId, Request, Result, Retry, Secret, SignatureMethod, Throttled,
    client::Shared,
    http::{self, Answer, CONNECT_TIMEOUT},
    limit::Lane,
    params::{Params, flatten},
    refusal::read_refusal,
    sign::{acs3, canonical_query, rpc_v1},
};

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
    // On the heap, so that the futures of callers, which hold one for each call they make, stay small.
    let (answer, attempts) = Box::pin(call.run()).await.map_err(about)?;
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
        let lane = self.shared.limiter.lane(self.action.product, self.action.name, self.region);
        let started = Instant::now();
        let mut queued = Duration::ZERO;
        let mut uncertain = false;
        let mut attempt = 1;
        loop {
            let arrived = Instant::now();
            self.admit(&lane).await.map_err(|error| error.after_attempts(attempt - 1, uncertain))?;
            let made = Instant::now();
            queued += made - arrived;
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
            if error.retry() == Retry::Throttled {
                self.throttled(&lane, made);
            }
            let pause = policy.pause(attempt, error.retry(), rand::rng().random_range(0.0..1.0));
            // Standing in the limiter's queue is no part of the call.
            let spent = started.elapsed().saturating_sub(queued);
            let bounded = attempt < policy.attempts_max(&error) && spent + pause <= policy.total_max;
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
    async fn admit(&self, lane: &Lane) -> Result<()> {
        // Also with no pause: a call that has not begun does not begin once cancelled.
        if self.cancel.is_cancelled() {
            return Err(self.cancelled());
        }
        self.cancel.run_until_cancelled(lane.pass()).await.ok_or_else(|| self.cancelled())
    }

    /// Slows the action down for everybody.
    fn throttled(&self, lane: &Lane, made: Instant) {
        let Action { product, name: action, .. } = self.action;
        let rest = lane.refused(made, self.shared.config.freshness.as_ref());
        tracing::info!(
            "throttled by {} {action} in {}, next try in {} s",
            product.name().to_ascii_uppercase(),
            self.region,
            rest.as_secs_f32().ceil()
        );
        if let Some(observer) = &self.shared.config.observer {
            observer.throttled(&Throttled { product, action, region: self.region, rest });
        }
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
        let credentials = match config.signature {
            SignatureMethod::Unsigned => Credentials::new("", ""),
            SignatureMethod::Acs3 | SignatureMethod::RpcV1 => config.credentials.credentials().await?,
        };
        let date = config.freshness.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = config.freshness.nonce();
        let signed = match config.signature {
            SignatureMethod::Acs3 => self.sign_acs3(&credentials, endpoint, &date, &nonce),
            SignatureMethod::RpcV1 => self.sign_rpc_v1(&credentials, &date, &nonce),
            SignatureMethod::Unsigned => self.unsigned(&date, &nonce),
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
        let private = self.params.iter().filter(|(name, _)| self.action.private.contains(&name.as_str()));
        let token = credentials.security_token.as_ref();
        let keys = [&credentials.access_key_secret].into_iter().chain(token).map(Secret::expose);
        let secrets = private.map(|(_, value)| value.as_str()).chain(keys);
        let refusal = read_refusal(&answer, &signed.string_to_sign, secrets);
        // The cloud's clock decides. Nothing was done, so the call may be repeated with the next credentials.
        match refusal.is("InvalidSecurityToken.Expired") && config.credentials.expired(&credentials) {
            true => Err(refusal.with_retry(Retry::Busy)),
            false => Err(refusal),
        }
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

    fn unsigned(&self, date: &str, nonce: &str) -> Signed {
        let Action { product, name, .. } = self.action;
        let common: Params = [
            ("Action", name),
            ("Format", "JSON"),
            ("SignatureNonce", nonce),
            ("Timestamp", date),
            ("Version", product.version()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let headers = vec![("content-type", FORM.to_owned())];
        let (query, body) = (encode(&common), encode(&self.params));
        Signed { query, headers, body, string_to_sign: String::new() }
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

fn request_id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        request_id: Option<String>,
    }
    serde_json::from_slice::<Named>(body).ok()?.request_id
}
