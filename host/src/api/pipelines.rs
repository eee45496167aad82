//! `GET /api/pipelines` and one of them, and start, stop or pause of a pipeline or one of its units. An action is a command in the log; its position is the answer.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use weir_core::batch::Position;

use super::{Api, ApiError, off_thread};
use crate::runtime::Action;

pub async fn list(State(api): State<Api>) -> Json<Value> {
    let (revision, pipelines) = api.runtime.pipelines();
    let dead_letters = api.runtime.dead_status().letters;
    Json(json!({ "revision": revision, "pipelines": pipelines, "dead_letters": dead_letters }))
}

/// One pipeline as it is configured.
pub async fn show(State(api): State<Api>, Path(pipeline): Path<String>) -> Result<Response, ApiError> {
    let (revision, view) = api
        .runtime
        .pipeline(&pipeline)
        .ok_or_else(|| ApiError::not_found(&format!("there is no pipeline `{pipeline}`")))?;
    Ok(([(header::ETAG, format!("\"{revision}\""))], Json(view)).into_response())
}

pub async fn act(
    State(api): State<Api>,
    Path((pipeline, action)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let action = parse(&action)?;
    done(off_thread(move || api.runtime.act_on_pipeline(&pipeline, action)).await?)
}

pub async fn act_on_unit(
    State(api): State<Api>,
    Path((pipeline, unit, action)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let action = parse(&action)?;
    done(off_thread(move || api.runtime.act_on_unit(&pipeline, &unit, action)).await?)
}

fn parse(action: &str) -> Result<Action, ApiError> {
    match action {
        "start" => Ok(Action::Start),
        "stop" => Ok(Action::Stop),
        "pause" => Ok(Action::Pause),
        _ => Err(ApiError::not_found("the actions are start, stop and pause")),
    }
}

fn done(result: Result<Position, String>) -> Result<Json<Value>, ApiError> {
    let position = result.map_err(|message| ApiError::not_found(&message))?;
    Ok(Json(json!({ "position": position.offset })))
}
