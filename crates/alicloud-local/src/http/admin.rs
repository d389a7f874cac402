//! `/_local`: what another process's tests look at and turn. For callers on this machine only, and not part of any API.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::Peer;
use crate::cloud::Inner;
use crate::faults::FaultRule;
use crate::inventory::InventorySnapshot;
use crate::journal::CallRecord;

/// Returns the routes below `/_local`.
pub fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/inventory", get(inventory))
        .route("/calls", get(calls))
        .route("/address", get(address))
        .route("/interrupt", post(interrupt))
        .route("/clock", get(clock).post(step_clock))
        .layer(middleware::from_fn(from_this_machine))
}

async fn from_this_machine(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    // A page in a browser can reach loopback too, but cannot help naming where it comes from.
    let page = request.headers().contains_key("origin");
    if peer.address.ip().is_loopback() && !page {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

async fn faults(Shared(cloud): Shared<Arc<Inner>>) -> Json<Vec<FaultRule>> {
    Json(cloud.faults())
}

/// One rule or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rules {
    One(FaultRule),
    Many(Vec<FaultRule>),
}

async fn add_faults(Shared(cloud): Shared<Arc<Inner>>, Json(rules): Json<Rules>) -> StatusCode {
    match rules {
        Rules::One(rule) => cloud.add_fault(rule),
        Rules::Many(rules) => rules.into_iter().for_each(|rule| cloud.add_fault(rule)),
    }
    StatusCode::NO_CONTENT
}

async fn clear_faults(Shared(cloud): Shared<Arc<Inner>>) -> StatusCode {
    cloud.clear_faults();
    StatusCode::NO_CONTENT
}

async fn inventory(Shared(cloud): Shared<Arc<Inner>>) -> Json<InventorySnapshot> {
    Json(cloud.inventory())
}

async fn calls(Shared(cloud): Shared<Arc<Inner>>) -> Json<Vec<CallRecord>> {
    Json(cloud.calls())
}

/// The caller's address as security groups see it, and nothing else: what "what is my address" services answer.
async fn address(Shared(cloud): Shared<Arc<Inner>>, ConnectInfo(peer): ConnectInfo<Peer>) -> String {
    cloud.seen_as(peer.address.ip()).to_string()
}

async fn clock(Shared(cloud): Shared<Arc<Inner>>) -> Json<Value> {
    Json(json!({"now": cloud.clock.now().to_seconds(), "speed": cloud.clock.speed()}))
}

/// How far the clock is to be moved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// In seconds of the states' scaled time.
    advance_seconds: f64,
}

async fn step_clock(Shared(cloud): Shared<Arc<Inner>>, Json(step): Json<Step>) -> Json<Value> {
    cloud.clock.step(Duration::try_from_secs_f64(step.advance_seconds).unwrap_or_default());
    cloud.settle();
    clock(Shared(cloud)).await
}

/// The spot instance that is to be taken back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Interrupted {
    instance: String,
    /// After so many seconds of the real cloud.
    #[serde(default)]
    after_seconds: f64,
}

async fn interrupt(Shared(cloud): Shared<Arc<Inner>>, Json(order): Json<Interrupted>) -> StatusCode {
    let wait = Duration::try_from_secs_f64(order.after_seconds).unwrap_or_default();
    if cloud.interrupt(&order.instance, wait) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
