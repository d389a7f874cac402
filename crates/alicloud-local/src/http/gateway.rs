//! The gateway: every call passes here, from its signature to its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Shared};
use axum::http::{HeaderMap, Method, Response, Uri};
use jiff::Timestamp;

use super::admin;
use super::answer::{self, Format};
use super::connection::Peer;
use super::request::{Request, pairs};
use super::signature::{self, Caller};
use crate::access::{self, Identity};
use crate::api::{self, Action, ApiError, Cx, Kind, Outcome, Params, Product, refuse};
use crate::clock::Moment;
use crate::cloud::Inner;
use crate::ecs::key_pairs::FreshKey;
use crate::faults::FaultEffect;
use crate::journal::{CallRecord, shown};
use crate::model::Answered;

/// Parameters that belong to the call, not to the action.
const COMMON: &[&str] = &[
    "Action",
    "Version",
    "Format",
    "AccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureVersion",
    "SignatureType",
    "Timestamp",
    "SecurityToken",
];

/// Bodies are small: user data is the largest thing in them.
const BODY_MAX: usize = 2 * 1024 * 1024;

/// Returns the routes: everything is the API, but for what is below `/_local`.
pub fn router(cloud: Arc<Inner>) -> Router {
    Router::new()
        .nest("/_local", admin::router())
        .fallback(serve)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(cloud)
}

/// How a call ended, before it is written.
enum End {
    Answer(Result<serde_json::Value, ApiError>),
    /// The connection is cut.
    Cut,
}

async fn serve(
    Shared(cloud): Shared<Arc<Inner>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let form = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = if form.starts_with("application/x-www-form-urlencoded") {
        pairs(&String::from_utf8_lossy(&body))
    } else {
        Vec::new()
    };
    let request = Request {
        from: cloud.seen_as(peer.address.ip()),
        method,
        path: uri.path().to_owned(),
        headers,
        query: pairs(uri.query().unwrap_or_default()),
        form,
        body: body.to_vec(),
    };
    let older = request.header("authorization").is_none();
    let format = match request.param("Format").map(str::to_ascii_uppercase).as_deref() {
        Some("JSON") => Format::Json,
        Some("XML") => Format::Xml,
        Some(_) | None if older => Format::Xml,
        Some(_) | None => Format::Json,
    };
    let action = request.either("x-acs-action", "Action").unwrap_or_default().to_owned();
    let request_id = cloud.request_id();
    let params = Params::new(
        request
            .query
            .iter()
            .chain(&request.form)
            .filter(|(name, _)| !COMMON.contains(&name.as_str()))
            .cloned(),
    );
    let product = product(&request);
    let end = call(&cloud, &request, product.as_ref().ok().copied(), &action, &params).await;
    let outcome = match &end {
        End::Answer(Ok(_)) => "OK".to_owned(),
        End::Answer(Err(error)) => error.code.clone(),
        End::Cut => "DROPPED".to_owned(),
    };
    cloud.record(CallRecord {
        seq: 0,
        at_ms: Timestamp::now().as_millisecond(),
        product: product.map_or("", Product::name).to_owned(),
        action: action.clone(),
        params: params
            .pairs()
            .map(|(name, value)| (name.to_owned(), shown(name, value)))
            .collect::<BTreeMap<_, _>>(),
        outcome,
        request_id: request_id.clone(),
    });
    match end {
        End::Answer(Ok(fields)) => answer::success(format, &action, &request_id, fields),
        End::Answer(Err(error)) => answer::failure(format, request.host(), &request_id, &error),
        End::Cut => {
            peer.cut();
            Response::new(Body::empty())
        }
    }
}

/// Returns the product a call is for, by its version; a host name of another product contradicts it.
fn product(request: &Request) -> Result<Product, ApiError> {
    let version = request.either("x-acs-version", "Version").ok_or_else(|| ApiError::missing("Version"))?;
    let product = Product::of_version(version).ok_or_else(|| refuse("InvalidVersion"))?;
    match Product::of_host(request.host()) {
        Some(of_host) if of_host != product => Err(refuse("InvalidVersion")),
        _ => Ok(product),
    }
}

async fn call(
    cloud: &Arc<Inner>,
    request: &Request,
    product: Option<Product>,
    name: &str,
    params: &Params,
) -> End {
    // What is told to go wrong goes wrong whoever calls: an outage does not look at signatures.
    let effects = cloud.take_faults(name, |param| params.get(param).map(str::to_owned));
    let mut outcome = Outcome::Normal;
    let mut after: Option<End> = None;
    let mut interrupted = None;
    for effect in effects {
        match effect {
            FaultEffect::Refuse { code, message, status } => {
                return End::Answer(Err(told(&code, message, status)));
            }
            FaultEffect::Throttle => return End::Answer(Err(refuse("Throttling.User"))),
            FaultEffect::Unavailable => return End::Answer(Err(refuse("ServiceUnavailable"))),
            FaultEffect::DropBefore => return End::Cut,
            FaultEffect::Delay { seconds } => {
                tokio::time::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default()).await;
            }
            FaultEffect::FailAfter { code, message, status } => {
                after = Some(End::Answer(Err(told(&code, message, status))));
            }
            FaultEffect::DropAfter => after = Some(End::Cut),
            FaultEffect::Stuck => outcome = Outcome::Stuck,
            FaultEffect::CreationFails => outcome = Outcome::Fails,
            FaultEffect::BecomesUnavailable => outcome = Outcome::Unavailable,
            FaultEffect::Interrupt { after_seconds } => {
                interrupted = Some(Duration::try_from_secs_f64(after_seconds).unwrap_or_default());
            }
        }
    }
    let result = match authenticate(cloud, request, product, name) {
        Ok((caller, product, action)) => act(cloud, request, &caller, product, action, params, outcome).await,
        Err(error) => Err(error),
    };
    if let (Ok(answer), Some(wait)) = (&result, interrupted) {
        let ids = answer["InstanceIdSets"]["InstanceIdSet"].as_array().into_iter().flatten();
        for id in ids.filter_map(serde_json::Value::as_str) {
            cloud.interrupt(id, wait);
        }
    }
    match (result, after) {
        (Ok(_), Some(after)) => after,
        (result, _) => End::Answer(result),
    }
}

fn told(code: &str, message: Option<String>, status: Option<u16>) -> ApiError {
    let mut error = refuse(code);
    if let Some(message) = message {
        error = error.saying(message);
    }
    match status {
        Some(status) => error.with_status(status),
        None => error,
    }
}

fn authenticate(
    cloud: &Arc<Inner>,
    request: &Request,
    product: Option<Product>,
    name: &str,
) -> Result<(Caller, Product, &'static Action), ApiError> {
    if request.method != Method::GET && request.method != Method::POST {
        return Err(refuse("UnsupportedHTTPMethod"));
    }
    if request.path != "/" {
        return Err(refuse("InvalidAction.NotFound"));
    }
    if name.is_empty() {
        return Err(ApiError::missing("Action"));
    }
    let product = match product {
        Some(product) => product,
        None => self::product(request)?,
    };
    let action = api::find(product, name).ok_or_else(|| refuse("InvalidAction.NotFound"))?;
    let now = Moment(Timestamp::now().as_millisecond());
    let caller = cloud.with_state(|state| match action.kind {
        Kind::Unsigned => Ok(Caller::unsigned(state)),
        _ => signature::verify(request, state, &cloud.nonces, now, cloud.clock.now()),
    })?;
    Ok((caller, product, action))
}

async fn act(
    cloud: &Arc<Inner>,
    request: &Request,
    caller: &Caller,
    product: Product,
    action: &'static Action,
    params: &Params,
    outcome: Outcome,
) -> Result<serde_json::Value, ApiError> {
    let region = params.get("RegionId").or_else(|| request.host_region()).map(str::to_owned);
    cloud.count(&caller.uid, region.as_deref().unwrap_or_default(), action.name)?;
    if !cloud.ignore_unknown_parameters {
        api::check(product, action.name, params)?;
    }
    for name in action.required {
        // The region may stand in the host name instead.
        if params.get(name).is_none() && !(*name == "RegionId" && region.is_some()) {
            return Err(ApiError::missing(name));
        }
    }
    if region.as_deref().is_some_and(|region| crate::catalogue::region(region).is_none()) {
        return Err(refuse("InvalidRegionId.NotFound"));
    }
    let key = match action.kind {
        Kind::WriteWithKey => {
            let seed = cloud.with_state(|state| state.ids.bytes("key"));
            tokio::task::spawn_blocking(move || FreshKey::make(seed)).await.ok().flatten()
        }
        Kind::Read | Kind::Write | Kind::Unsigned => None,
    };
    let done = cloud.change(action.kind != Kind::Read, |state, clock, consoles| {
        let mut cx = Cx {
            state,
            clock,
            params,
            uid: caller.uid.clone(),
            identity: Identity::of(&caller.arn),
            arn: caller.arn.clone(),
            session_policy: caller.policy.clone(),
            source: request.from,
            region,
            addresses: cloud.addresses,
            outcome,
            key,
            consoles,
            effects: Vec::new(),
            notes: Vec::new(),
        };
        let allowed = access::authorize(&cx, product, action);
        let answer = allowed.and_then(|()| once(&mut cx, action));
        (answer, cx.effects, cx.notes)
    });
    done.await
}

/// Acts as if, and takes it back: what remains is whether it would have been refused.
fn rehearse(cx: &mut Cx<'_>, action: &Action) -> ApiError {
    let before = cx.state.clone();
    let result = (action.run)(cx);
    *cx.state = before;
    cx.effects.clear();
    cx.notes.clear();
    result.err().unwrap_or_else(|| refuse("DryRunOperation"))
}

/// Acts, unless the same client token was answered before.
fn once(cx: &mut Cx<'_>, action: &Action) -> Result<serde_json::Value, ApiError> {
    if cx.params.flag("DryRun")? {
        return Err(rehearse(cx, action));
    }
    let token = match cx.params.get("ClientToken") {
        Some(token) if action.kind != Kind::Read => {
            if token.len() > 64 || !token.is_ascii() {
                return Err(ApiError::invalid("ClientToken"));
            }
            format!("{}/{token}", action.name)
        }
        _ => return (action.run)(cx),
    };
    let fingerprint = cx.params.fingerprint();
    if let Some(answered) = cx.account().tokens.get(&token) {
        return if answered.fingerprint == fingerprint {
            Ok(answered.answer.clone())
        } else {
            Err(refuse("IdempotentParameterMismatch"))
        };
    }
    let answer = (action.run)(cx)?;
    cx.account_mut().tokens.insert(token, Answered { fingerprint, answer: answer.clone() });
    Ok(answer)
}
