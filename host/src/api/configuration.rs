//! `/api/configuration`: the text that runs, a new one, what ran before, what differs, and the way back. A change is checked and compiled first; all its
//! problems come at once with 422.

use axum::Json;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_core::diff;

use super::edits::{answer, by};
use super::{Api, ApiError, off_thread};

#[derive(Deserialize)]
pub struct ChangeQuery {
    summary: Option<String>,
}

#[derive(Deserialize)]
pub struct DiffQuery {
    from: Option<u64>,
    to: Option<u64>,
}

#[derive(Deserialize)]
pub struct UndoQuery {
    to: Option<u64>,
    summary: Option<String>,
}

pub async fn show(State(api): State<Api>) -> Response {
    let (revision, text) = api.runtime.running();
    as_toml(revision, text)
}

pub async fn change(
    State(api): State<Api>,
    Query(query): Query<ChangeQuery>,
    headers: HeaderMap,
    body: Result<String, StringRejection>,
) -> Result<Response, ApiError> {
    let toml = text(body)?;
    let by = by(&headers, query.summary)?;
    answer(StatusCode::OK, off_thread(move || api.runtime.configure(&toml, &by)).await?, None)
}

pub async fn check(
    State(api): State<Api>,
    body: Result<String, StringRejection>,
) -> Result<Json<Value>, ApiError> {
    let toml = text(body)?;
    let (problems, warnings) = off_thread(move || api.runtime.check(&toml)).await?;
    Ok(Json(json!({ "problems": problems, "warnings": warnings })))
}

pub async fn revisions(State(api): State<Api>) -> Json<Value> {
    let (current, _) = api.runtime.running();
    Json(json!({ "current": current, "revisions": api.runtime.revisions() }))
}

pub async fn revision(State(api): State<Api>, Path(revision): Path<u64>) -> Result<Response, ApiError> {
    let text = text_of(&api, revision)?;
    Ok(as_toml(revision, text.to_string()))
}

/// By default from the revision before to the running one.
pub async fn difference(
    State(api): State<Api>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<Value>, ApiError> {
    let to = query.to.unwrap_or_else(|| api.runtime.running().0);
    let from = query.from.or_else(|| api.runtime.revision_before(to)).ok_or_else(|| {
        ApiError::not_found(&format!("there is no revision before {to}; name one with `from`"))
    })?;
    let (before, after) = (text_of(&api, from)?, text_of(&api, to)?);
    off_thread(move || {
        let headers = (format!("revision {from}"), format!("revision {to}"));
        let changes = diff::changes(&before, &after);
        let one = |change: &diff::Change| {
            json!({
                "change": change.word(),
                "place": change.place,
                "member": change.member,
                "before": change.before,
                "after": change.after,
            })
        };
        Json(json!({
            "from": from,
            "to": to,
            "unified": diff::unified((&headers.0, &before), (&headers.1, &after)),
            "changes": changes.iter().map(one).collect::<Vec<Value>>(),
        }))
    })
    .await
}

pub async fn undo(
    State(api): State<Api>,
    Query(query): Query<UndoQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let by = by(&headers, query.summary)?;
    answer(StatusCode::OK, off_thread(move || api.runtime.undo(query.to, &by)).await?, None)
}

fn as_toml(revision: u64, text: String) -> Response {
    let etag = format!("\"{revision}\"");
    ([(header::CONTENT_TYPE, "application/toml".to_owned()), (header::ETAG, etag)], text).into_response()
}

fn text(body: Result<String, StringRejection>) -> Result<String, ApiError> {
    body.map_err(|error| {
        ApiError::new(
            error.status(),
            "bad_body",
            format!("the body must be TOML in UTF-8, at most 1 MiB: {error}"),
        )
    })
}

fn text_of(api: &Api, revision: u64) -> Result<std::sync::Arc<str>, ApiError> {
    api.runtime.revision_text(revision).ok_or_else(|| {
        let message =
            format!("revision {revision} is not kept; GET /api/configuration/revisions lists those that are");
        ApiError::not_found(&message)
    })
}
