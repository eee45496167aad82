//! `GET /api/components`: what is installed and who uses it; `GET /api/components/{name}`: one of them with the JSON Schema of its configuration.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{Api, ApiError, off_thread};

/// Components that nothing uses yet are compiled for it.
pub async fn list(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    let components = off_thread(move || api.runtime.components()).await?;
    Ok(Json(json!({ "components": components })))
}

/// A component that is a file has its path as its name, with `/` written as `%2F`.
pub async fn one(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let asked = name.clone();
    let found = off_thread(move || api.runtime.component(&asked)).await?;
    let (component, schema) = found.ok_or_else(|| {
        ApiError::not_found(&format!("there is no component `{name}`; GET /api/components lists them"))
    })?;
    Ok(Json(json!({ "component": component, "config_schema": schema })))
}
