//! `GET` and `PUT /api/configuration`, and its revisions. A change is checked and compiled first; all its problems come at once with 422.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Api, ApiError, off_thread};

pub async fn show(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "application/toml")], api.runtime.configuration()).into_response()
}

pub async fn revisions(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "revisions": api.runtime.revisions() }))
}

pub async fn change(
    State(api): State<Api>,
    body: Result<String, StringRejection>,
) -> Result<Json<Value>, ApiError> {
    let toml = body.map_err(|error| {
        ApiError::new(
            error.status(),
            "bad_body",
            format!("the body must be TOML in UTF-8, at most 1 MiB: {error}"),
        )
    })?;
    match off_thread(move || api.runtime.configure(&toml, "api")).await? {
        Ok((revision, position)) => Ok(Json(json!({ "revision": revision, "position": position.offset }))),
        Err(problems) => {
            let message = match problems.as_slice() {
                [] => "the configuration was refused".to_owned(),
                [only] => format!("{}: {}", only.place, only.message),
                [first, ..] => {
                    format!("{} problems; the first: {}: {}", problems.len(), first.place, first.message)
                }
            };
            let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_configuration", message);
            Err(ApiError { more: Some(Box::new(("problems", json!(problems)))), ..error })
        }
    }
}
