//! `GET /api/sinks`: where derived streams go, and how far they are.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Api, ApiError, off_thread};

pub async fn list(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    let states = off_thread(move || api.runtime.sinks.states()).await?;
    let sinks = states.into_iter().map(|state| {
        json!({
            "name": &*state.name,
            "kind": "file",
            "folder": state.folder.display().to_string(),
            "from": state.from,
            "rows_total": state.counters.rows_total,
            "files_total": state.counters.files_total,
            "bytes_total": state.counters.bytes_total,
            "errors_total": state.counters.errors_total,
            "error": state.counters.error,
            "last_file": state.counters.last_file,
            "open_rows": state.open_rows,
            "waiting_files": state.waiting_files,
        })
    });
    Ok(Json(json!({ "sinks": sinks.collect::<Vec<Value>>() })))
}
