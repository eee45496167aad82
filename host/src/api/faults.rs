//! What went wrong: `GET /api/faults`, `/api/dead-letters`. Bounded by what the host keeps; newest first.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Api, ApiError, off_thread};

pub async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "faults": api.runtime.faults() }))
}

pub async fn dead_letters(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    let (total, letters) = off_thread(move || api.runtime.dead_letters()).await?;
    Ok(Json(json!({ "total": total, "kept": letters.len(), "dead_letters": letters })))
}
