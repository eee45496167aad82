//! What is answered while the program starts: that it lives, and how far it is.
//!
//! `/healthz` 200, `/readyz` 503 with what is being replayed and how far, `/metrics` the same as numbers; a browser gets a page that looks again each second; all else is 503 `starting`
//! with `Retry-After`. No source is open yet.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::{ApiError, health, metrics};
use crate::runtime::Runtime;

pub fn router(runtime: Arc<Runtime>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
        .route("/", get(page))
        .fallback(wait)
        .with_state(runtime)
}

async fn ready(State(runtime): State<Arc<Runtime>>) -> Response {
    // Where the start is done, these words are the last before the whole API answers.
    let text = match health::state(&runtime) {
        (StatusCode::OK, _) => "not ready: starting\n".to_owned(),
        (_, text) => text,
    };
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text).into_response()
}

async fn numbers(State(runtime): State<Arc<Runtime>>) -> Response {
    let text = metrics::starting(&runtime);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

async fn page(State(runtime): State<Arc<Runtime>>) -> Response {
    let text = format!(
        "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=1><title>Weir starts</title><p>Weir starts: {}.",
        runtime.doing()
    );
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], Html(text)).into_response()
}

async fn wait(State(runtime): State<Arc<Runtime>>) -> ApiError {
    let message = format!("weir starts: {}; ask again", runtime.doing());
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "starting", message)
}
