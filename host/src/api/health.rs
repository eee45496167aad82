//! `GET /healthz` (the process answers) and `GET /readyz` (it takes events): 200 or 503 with a word of text.

use axum::extract::State;
use axum::http::StatusCode;

use super::Api;

pub async fn healthy() -> &'static str {
    "ok\n"
}

pub async fn ready(State(api): State<Api>) -> (StatusCode, &'static str) {
    if api.runtime.ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
