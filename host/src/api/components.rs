//! `GET /api/components`: what is installed and who uses it; `GET /api/components/{name}`: one of them with the JSON Schema of its configuration.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, ApiError, off_thread};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// False: those that have yet to be compiled are left out and counted.
    #[serde(default = "yes")]
    wait: bool,
}

fn yes() -> bool {
    true
}

/// Components that nothing uses yet are compiled for it, where that has not been done in the background ([`warm`]).
pub async fn list(State(api): State<Api>, Query(query): Query<ListQuery>) -> Result<Json<Value>, ApiError> {
    warm(&api);
    let (components, compiling) = off_thread(move || api.runtime.components(query.wait)).await?;
    Ok(Json(json!({ "components": components, "compiling": compiling })))
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

/// Begins to compile what nothing uses yet, once. A host that nobody looks at is spared the work: the page and the list of components begin it.
/// It ends with the program, after the component that is being compiled.
pub(super) fn warm(api: &Api) {
    let runtime = std::sync::Arc::clone(&api.runtime);
    drop(tokio::task::spawn_blocking(move || runtime.warm_components()));
}
