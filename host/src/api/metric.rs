//! `/api/metrics`: each `[[metric]]` with what it stands for; one made, written anew, taken away; and one tried over the recent rings without being made.
//!
//! In: JSON with the members of a `[[metric]]`. A change is an edit of the configuration like those of units, with `If-Match` and `Weir-Origin`; see `docs/wire.md`. At most
//! [`PREVIEWS_MAX`] previews run at once, others are told to come again.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_core::edit::{Edit, EditError, Wanted};

use super::edits::{answer, bad_body, by, refused};
use super::{Api, ApiError, off_thread, series};
use crate::runtime::{Preview, Refused, Wrong, open_points};

/// Each may take a core for a second.
pub const PREVIEWS_MAX: usize = 2;
const LIMIT_DEFAULT: usize = 200;
const LIMIT_MAX: usize = 1_000;

#[derive(Deserialize)]
pub struct RemoveQuery {
    #[serde(default)]
    drop: bool,
}

#[derive(Deserialize)]
pub struct PreviewQuery {
    limit: Option<usize>,
}

type Body = Result<Json<Value>, JsonRejection>;

pub async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "metrics": api.runtime.metrics() }))
}

pub async fn show(State(api): State<Api>, Path(name): Path<String>) -> Result<Response, ApiError> {
    let found = api.runtime.metric(&name);
    let (revision, view, (written, toml)) =
        found.ok_or_else(|| ApiError::not_found(&format!("there is no metric `{name}`")))?;
    let mut body = json!(view);
    body["revision"] = revision.into();
    body["written"] = written;
    body["toml"] = toml.into();
    Ok(([(header::ETAG, format!("\"{revision}\""))], Json(body)).into_response())
}

pub async fn add(State(api): State<Api>, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let wanted = wanted(body, None)?;
    run(api, wanted.name.clone(), Edit::AddMetric(wanted), &headers, StatusCode::CREATED).await
}

pub async fn change(
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let wanted = wanted(body, Some(&name))?;
    run(api, name, Edit::SetMetric(wanted), &headers, StatusCode::OK).await
}

pub async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(query): Query<RemoveQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let by = by(&headers, None)?;
    let edit = Edit::RemoveMetric { name, drop: query.drop };
    answer(StatusCode::OK, off_thread(move || api.runtime.edit(&edit, &by)).await?, None)
}

async fn run(
    api: Api,
    name: String,
    edit: Edit,
    headers: &HeaderMap,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let by = by(headers, None)?;
    let (result, view) = off_thread(move || {
        let result = api.runtime.edit(&edit, &by);
        let view = api.runtime.metrics().into_iter().find(|metric| metric.name == name);
        (result, view)
    })
    .await?;
    answer(status, result, Some(("metric", json!(view))))
}

pub async fn preview(
    State(api): State<Api>,
    Query(query): Query<PreviewQuery>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut members = body.map_err(bad_body)?.0;
    if members.get("name").is_none_or(|name| name.is_null() || name == "")
        && let Some(members) = members.as_object_mut()
    {
        members.insert("name".to_owned(), "preview".into());
    }
    let wanted = read(&members, None)?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let Ok(place) = std::sync::Arc::clone(&api.previews).try_acquire_owned() else {
        let message = format!("{PREVIEWS_MAX} previews run already; try again");
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message));
    };
    let result = off_thread(move || {
        let result = api.runtime.preview(&wanted, limit).map(|preview| shown(&preview, limit));
        drop(place);
        result
    });
    match result.await? {
        Ok(shown) => Ok(Json(shown).into_response()),
        Err(Wrong { refused: reason, toml }) => Ok(with_toml(refused(reason), &toml)),
    }
}

/// An error with the text that its places are in.
fn with_toml(error: ApiError, toml: &str) -> Response {
    let mut body = error.body();
    body["toml"] = toml.into();
    (error.status, Json(body)).into_response()
}

fn shown(preview: &Preview, limit: usize) -> Value {
    let open = open_points(&preview.open);
    let mut shown = Vec::new();
    for metric in preview.points.metrics.values() {
        for one in &metric.series {
            let key = (metric.name.clone(), one.triplet.clone(), one.labels.clone());
            let mut view = series::points_view(metric, one, limit);
            view["open"] = open.get(&key).copied().unwrap_or(0).min(limit).into();
            shown.push(view);
        }
    }
    let faults = preview.faults.iter().map(|(unit, message)| json!({ "unit": unit, "message": message }));
    json!({
        "toml": preview.toml,
        "metric": preview.metric,
        "warnings": preview.warnings,
        "events": preview.events,
        "rows": preview.rows,
        "watermark_unix_ns": preview.watermark_unix_ns,
        "elapsed_ms": preview.elapsed.as_millis() as u64,
        "cut": preview.cut,
        "series": shown,
        "faults": faults.collect::<Vec<Value>>(),
    })
}

fn wanted(body: Body, name: Option<&str>) -> Result<Wanted, ApiError> {
    read(&body.map_err(bad_body)?.0, name)
}

fn read(members: &Value, name: Option<&str>) -> Result<Wanted, ApiError> {
    Wanted::read(members, name).map_err(|error: EditError| refused(Refused::Edit(error)))
}
