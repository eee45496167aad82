//! Dead letters: `GET /api/dead`, `/api/dead/{id}`, `POST /api/dead/replay`, `/api/dead/drop`. Newest first, in pages of at most [`LIMIT_MAX`].

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use weir_core::letter::LetterId;

use super::edits::bad_body;
use super::{Api, ApiError, off_thread};
use crate::runtime::{Letters, LettersWanted, Redelivered};

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    unit: Option<String>,
    pipeline: Option<String>,
    code: Option<String>,
    limit: Option<usize>,
    before: Option<String>,
}

pub async fn list(
    State(api): State<Api>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(wanted) = query.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let limit = wanted.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit: must be from 1 to {LIMIT_MAX}; it is {limit}")));
    }
    let before = wanted.before.as_deref().map(str::parse::<LetterId>).transpose();
    let before = before.map_err(|wrong| ApiError::bad_request(format!("before: {wrong}")))?;
    // What is left empty in a form says nothing.
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (unit, pipeline, code) = (said(wanted.unit), said(wanted.pipeline), said(wanted.code));
    let wanted = LettersWanted { unit, pipeline, code, before, limit };
    let (total, rows, letters) = off_thread(move || api.runtime.letters(&wanted)).await?;
    Ok(Json(json!({ "total": total, "rows": rows, "letters": letters })))
}

pub async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = id
        .parse::<LetterId>()
        .map_err(|wrong| ApiError::not_found(&format!("{wrong}; GET /api/dead lists them")))?;
    let shown = id.to_string();
    let found = off_thread(move || api.runtime.letter(&id)).await?;
    let (letter, events) = found.ok_or_else(|| {
        ApiError::not_found(&format!(
            "there is no dead letter `{shown}` (any more): it was given back, dropped or pushed out; GET /api/dead lists those that are there"
        ))
    })?;
    let mut body = json!(letter);
    body["events"] = json!(events);
    Ok(Json(body))
}

/// Exactly one of the members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    ids: Option<Vec<String>>,
    unit: Option<String>,
    all: Option<bool>,
}

impl Which {
    /// The letters, and texts that are no ids.
    fn letters(self) -> Result<(Letters, Vec<Value>), ApiError> {
        match self {
            Self { ids: Some(texts), unit: None, all: None } => {
                let (mut ids, mut wrong) = (Vec::new(), Vec::new());
                for text in texts {
                    match text.parse::<LetterId>() {
                        Ok(id) => ids.push(id),
                        Err(why) => wrong.push(json!({ "id": text, "why": why.to_string() })),
                    }
                }
                Ok((Letters::Ids(ids), wrong))
            }
            Self { ids: None, unit: Some(unit), all: None } => Ok((Letters::Unit(unit), Vec::new())),
            Self { ids: None, unit: None, all: Some(true) } => Ok((Letters::All, Vec::new())),
            _ => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "bad_body",
                "say which letters with one of {\"ids\": [..]}, {\"unit\": \"pipeline/unit\"} or {\"all\": true}",
            )),
        }
    }
}

type Body = Result<Json<Which>, JsonRejection>;

pub async fn replay(State(api): State<Api>, body: Body) -> Result<Json<Value>, ApiError> {
    let (letters, wrong) = body.map_err(bad_body)?.0.letters()?;
    answer(off_thread(move || api.runtime.replay_letters(&letters)).await?, wrong)
}

pub async fn drop(State(api): State<Api>, body: Body) -> Result<Json<Value>, ApiError> {
    let (letters, wrong) = body.map_err(bad_body)?.0.letters()?;
    answer(off_thread(move || api.runtime.drop_letters(&letters)).await?, wrong)
}

fn answer(done: Result<Redelivered, String>, mut refused: Vec<Value>) -> Result<Json<Value>, ApiError> {
    let done = done.map_err(|message| {
        tracing::error!(error = message, "dead letters could not be given back or dropped");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_durable", message)
    })?;
    let refused_total = done.refused_total + refused.len() as u64;
    refused.extend(done.refused.iter().map(|(id, why)| json!({ "id": id.to_string(), "why": why })));
    Ok(Json(json!({
        "done": done.done, "refused": refused, "refused_total": refused_total, "late_rows": done.late_rows,
    })))
}
