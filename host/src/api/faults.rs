//! What went wrong: `GET /api/faults`. Bounded by what the host keeps; newest first.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;

pub async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "faults": api.runtime.faults() }))
}
