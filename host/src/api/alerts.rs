//! What rules and alerts say: `GET /api/alerts`, `/api/alerts/{id}`, `/api/episodes`, `/api/channels`.
//!
//! Lists are bounded: 10,000 alerts, 1,000 episodes; `cut` says that there are more.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_core::alerts::AlertId;

use super::{Api, ApiError, off_thread};
use crate::runtime::Which;

const ALERTS_MAX: usize = 10_000;
const EPISODES_MAX: usize = 1_000;
const EPISODES: usize = 100;

#[derive(Deserialize)]
pub struct Wanted {
    /// `all`, or those that are open.
    state: Option<String>,
}

/// What stands behind the `?`.
type Asked<T> = Result<Query<T>, QueryRejection>;

fn asked<T>(query: Asked<T>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|rejection| ApiError::bad_request(rejection.body_text()))
}

pub async fn list(State(api): State<Api>, query: Asked<Wanted>) -> Result<Json<Value>, ApiError> {
    let wanted = asked(query)?;
    let which = match wanted.state.as_deref() {
        None | Some("open") => Which::Open,
        Some("all") => Which::All,
        Some(other) => {
            return Err(ApiError::bad_request(format!("state: `{other}` is none of `open`, `all`")));
        }
    };
    off_thread(move || {
        let (alerts, cut) = api.runtime.alerts(which, ALERTS_MAX);
        Json(json!({ "alerts": alerts, "cut": cut, "counts": api.runtime.alert_counts(), "rules": api.runtime.rules(), "notices": api.runtime.notices() }))
    })
    .await
}

pub async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let unknown =
        || ApiError::not_found(&format!("there is no alert `{id}`; ids are in /api/alerts?state=all"));
    let id: AlertId = id.parse().map_err(|_| unknown())?;
    let found = off_thread(move || api.runtime.alert(id)).await?;
    let (alert, episodes) = found.ok_or_else(unknown)?;
    Ok(Json(json!({ "alert": alert, "episodes": episodes })))
}

#[derive(Deserialize)]
pub struct Episodes {
    rule: Option<String>,
    limit: Option<usize>,
}

pub async fn episodes(State(api): State<Api>, query: Asked<Episodes>) -> Result<Json<Value>, ApiError> {
    let wanted = asked(query)?;
    let limit = wanted.limit.unwrap_or(EPISODES).min(EPISODES_MAX);
    off_thread(move || Json(json!({ "episodes": api.runtime.episodes(wanted.rule.as_deref(), limit) }))).await
}

pub async fn channels(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "channels": api.runtime.channels() }))
}
