//! Edits of one unit: inject, change, remove. Each is one command in the log; the answer says which revision runs from where.
//!
//! In: JSON whose unknown members are errors, `If-Match` with the revision that the edit was made for (409 where another runs), and `Weir-Origin`. See
//! `docs/wire.md` for what the words mean.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_core::edit::{Change, Edit, EditError, Inject};

use super::{Api, ApiError, off_thread};
use crate::runtime::{By, Changed, Refused};

const ORIGINS: [&str; 3] = ["api", "cli", "page"];

/// One text or a list of texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(word) => vec![word],
            Self::Many(words) => words,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectBody {
    name: String,
    #[serde(rename = "use")]
    uses: String,
    config: Option<Value>,
    after: Option<Words>,
    before: Option<Words>,
    port: Option<String>,
    on_open_circuit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeBody {
    #[serde(rename = "use")]
    uses: Option<String>,
    config: Option<Value>,
    merge: Option<Value>,
    from: Option<Words>,
    on_open_circuit: Option<String>,
}

#[derive(Deserialize)]
pub struct RemoveQuery {
    #[serde(default)]
    drop: bool,
}

pub async fn inject(
    State(api): State<Api>,
    Path(pipeline): Path<String>,
    headers: HeaderMap,
    body: Result<Json<InjectBody>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(bad_body)?;
    let edit = Edit::Inject(Inject {
        pipeline,
        name: body.name,
        uses: body.uses,
        config: body.config,
        after: body.after.map(Words::list),
        before: body.before.map(Words::list),
        port: body.port,
        on_open_circuit: body.on_open_circuit,
    });
    run(api, edit, &headers, StatusCode::CREATED).await
}

pub async fn change(
    State(api): State<Api>,
    Path((pipeline, unit)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<ChangeBody>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(body) = body.map_err(bad_body)?;
    let edit = Edit::Change(Change {
        pipeline,
        unit,
        config: body.config,
        merge: body.merge,
        uses: body.uses,
        from: body.from.map(Words::list),
        on_open_circuit: body.on_open_circuit,
    });
    run(api, edit, &headers, StatusCode::OK).await
}

pub async fn remove(
    State(api): State<Api>,
    Path((pipeline, unit)): Path<(String, String)>,
    Query(query): Query<RemoveQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let edit = Edit::Remove { pipeline, unit, drop: query.drop };
    run(api, edit, &headers, StatusCode::OK).await
}

async fn run(api: Api, edit: Edit, headers: &HeaderMap, status: StatusCode) -> Result<Response, ApiError> {
    let by = by(headers, None)?;
    answer(status, off_thread(move || api.runtime.edit(&edit, &by)).await?, None)
}

/// Who asks, and for which revision.
pub fn by(headers: &HeaderMap, summary: Option<String>) -> Result<By, ApiError> {
    let word = headers.get("weir-origin").and_then(|value| value.to_str().ok()).unwrap_or("api");
    let origin = ORIGINS.into_iter().find(|known| *known == word).unwrap_or("api").to_owned();
    let if_revision = match headers.get(header::IF_MATCH).map(|value| value.to_str()) {
        None | Some(Ok("*")) => None,
        Some(Ok(text)) => Some(text.trim_start_matches("W/").trim_matches('"').parse().map_err(|_| {
            ApiError::bad_request(format!(
                "If-Match must be a revision like \"12\", as the ETag of GET /api/configuration; it is {text}"
            ))
        })?),
        Some(Err(_)) => return Err(ApiError::bad_request("If-Match must be a revision like \"12\"")),
    };
    Ok(By { origin, summary, if_revision })
}

/// `more`: a member beside what every change has.
pub fn answer(
    status: StatusCode,
    result: Result<Changed, Refused>,
    more: Option<(&str, Value)>,
) -> Result<Response, ApiError> {
    let changed = result.map_err(refused)?;
    let mut body = json!({
        "revision": changed.revision,
        "position": changed.position,
        "summary": changed.summary,
        "warnings": changed.warnings,
    });
    if let Some((name, value)) = more {
        body[name] = value;
    }
    Ok((status, [(header::ETAG, format!("\"{}\"", changed.revision))], Json(body)).into_response())
}

pub fn refused(refused: Refused) -> ApiError {
    let conflict = |code, message| ApiError::new(StatusCode::CONFLICT, code, message);
    match refused {
        Refused::Problems(problems) => {
            let message = match problems.as_slice() {
                [] => "the configuration was refused".to_owned(),
                [only] => format!("{}: {}", only.place, only.message),
                [first, ..] => {
                    format!("{} problems; the first: {}: {}", problems.len(), first.place, first.message)
                }
            };
            let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_configuration", message);
            ApiError { more: Some(Box::new(("problems", json!(problems)))), ..error }
        }
        Refused::Conflict { revision } => {
            let message = format!("revision {revision} runs by now; look at it and try again");
            let error = conflict("conflict", message);
            ApiError { more: Some(Box::new(("revision", json!(revision)))), ..error }
        }
        Refused::Busy(message) => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message),
        Refused::NoRevision(message) | Refused::Edit(EditError::NotFound(message)) => {
            ApiError::not_found(&message)
        }
        Refused::Edit(EditError::Exists(message)) => conflict("exists", message),
        Refused::Edit(EditError::Made(message)) => conflict("made_by_metric", message),
        Refused::Edit(EditError::InUse(message)) => conflict("in_use", message),
        Refused::Edit(EditError::Bad(message)) => ApiError::new(StatusCode::BAD_REQUEST, "bad_body", message),
    }
}

pub fn bad_body(error: JsonRejection) -> ApiError {
    ApiError::new(error.status(), "bad_body", format!("the body must be JSON: {}", error.body_text()))
}
