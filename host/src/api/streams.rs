//! `GET /api/streams`, `GET /api/streams/{a}/{e}/{t}/recent` and `GET /api/sources`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Api, ApiError, off_thread};

const RECENT_DEFAULT: usize = 100;
const RECENT_MAX: usize = 1_000;

#[derive(serde::Deserialize)]
pub struct RecentQuery {
    limit: Option<usize>,
    /// An expression (`docs/expressions.md`): only events for which it is true.
    #[serde(rename = "where")]
    wanted: Option<String>,
}

pub async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "streams": api.runtime.streams() }))
}

pub async fn sources(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "sources": api.runtime.sources() }))
}

pub async fn recent(
    State(api): State<Api>,
    Path((application, environment, event_type)): Path<(String, String, String)>,
    query: Result<Query<RecentQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(format!("the query: {error}")))?;
    let limit = query.limit.unwrap_or(RECENT_DEFAULT).min(RECENT_MAX);
    let wanted = query.wanted.filter(|text| !text.trim().is_empty());
    let wanted = wanted.map(|text| weir_expr::parse(&text)).transpose();
    let wanted = wanted.map_err(|error| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_expression", error.to_string())
    })?;
    let triplet = format!("{application}/{environment}/{event_type}");
    let asked = triplet.clone();
    let events = off_thread(move || match wanted {
        Some(wanted) => api.runtime.recent_where(&asked, limit, &wanted),
        None => api.runtime.recent(&asked, limit),
    })
    .await?;
    let events = events
        .ok_or_else(|| ApiError::not_found(&format!("no stream `{triplet}`; GET /api/streams lists them")))?;
    Ok(Json(json!({ "triplet": triplet, "events": events })))
}
