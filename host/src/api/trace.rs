//! `POST /api/trace`: the way of one event of a recent ring through the units, without any effect. The work is in `runtime/trace.rs`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde_json::Value;

use super::{Api, ApiError, off_thread};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    triplet: String,
    position: u64,
    row: u32,
}

pub async fn trace(
    State(api): State<Api>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(wanted) =
        body.map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "bad_body", error.body_text()))?;
    let traced = off_thread(move || api.runtime.trace(&wanted.triplet, wanted.position, wanted.row)).await?;
    let traced = traced.map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "another event is being traced; try again")
    })?;
    let gone = "that event is not among the recent ones of its stream (any more)";
    traced.map(Json).ok_or_else(|| ApiError::not_found(gone))
}
