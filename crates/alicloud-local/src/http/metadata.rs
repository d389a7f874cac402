//! The metadata service over HTTP, on a loopback address of its own.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};

use crate::cloud::Inner;
use crate::metadata::{Asker, Question};

/// Returns the routes: all there is.
pub fn router(cloud: Arc<Inner>) -> Router {
    Router::new().fallback(serve).with_state(cloud)
}

async fn serve(
    Shared(cloud): Shared<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // A page in a browser can reach loopback too, but cannot help naming where it comes from. And whatever passes
    // requests on for others is not the machine itself.
    let foreign = header("origin").is_some() || header("x-forwarded-for").is_some();
    if foreign || (method != Method::GET && method != Method::PUT) {
        return plain(403, "Forbidden".to_owned());
    }
    let (asker, path) = match uri.path().strip_prefix("/i/").and_then(|rest| rest.split_once('/')) {
        Some((key, _)) => (cloud.with_metadata(|metadata| metadata.asker(key)), &uri.path()[3 + key.len()..]),
        None => (Some(Asker::Builder), uri.path()),
    };
    let question = Question {
        put: method == Method::PUT,
        path,
        ttl: header("x-aliyun-ecs-metadata-token-ttl-seconds"),
        token: header("x-aliyun-ecs-metadata-token"),
    };
    match asker.map(|asker| cloud.ask_metadata(&asker, question)) {
        Some(Ok(text)) => plain(200, text),
        Some(Err((status, word))) => plain(status, word.to_owned()),
        None => plain(404, "Not Found".to_owned()),
    }
}

fn plain(status: u16, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("text/plain"));
    response
}
