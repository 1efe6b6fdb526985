//! What the kubelet and Prometheus ask: `/livez`, `/readyz` and `/metrics`, over plain HTTP.
//!
//! A port of its own, so that the one for reviews can be closed to everybody but the API servers, and so that a busy
//! review port does not get the pod killed.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::get;

use crate::server::health::Health;
use crate::server::metrics::Metrics;

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn router(health: &Health, metrics: &Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready).with_state(health.clone()))
        .route("/metrics", get(scrape).with_state(Arc::clone(metrics)))
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.ready() {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing),
    }
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response<Body> {
    match metrics.render() {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROMETHEUS_TEXT));
            response
        }
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            let mut response = Response::new(Body::from("metrics could not be written"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}
