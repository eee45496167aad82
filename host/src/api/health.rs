//! `GET /healthz` (the process answers) and `GET /readyz` (it takes events): 200 or 503 with a word of text. While the journal is full or stopped nothing is taken, and the
//! text says what to do; while the program starts it says how far the replay of the journal is.

use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use crate::runtime::Runtime;

pub async fn healthy() -> &'static str {
    "ok\n"
}

pub async fn ready(State(api): State<Api>) -> (StatusCode, String) {
    state(&api.runtime)
}

/// Whether events are taken, and if not, why.
pub fn state(runtime: &Runtime) -> (StatusCode, String) {
    let trouble = runtime.journal_status().and_then(|status| match (status.stopped, status.full) {
        (Some(stopped), _) => Some(stopped.to_string()),
        (None, true) => Some(weir_journal::Refused::Full.to_string()),
        (None, false) => None,
    });
    match trouble {
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {trouble}\n")),
        None if runtime.ready() => (StatusCode::OK, "ready\n".to_owned()),
        None => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", runtime.doing())),
    }
}
