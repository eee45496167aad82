//! `GET /api/components`: what is installed and who uses it.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;

pub async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "components": api.runtime.components() }))
}
