//! `GET /api/rejected`: events that no stream got, with offset, reason and first bytes.
//!
//! In: `source` and `stream` to narrow, `limit`. Out: newest first, bounded by what is kept for each source. A source that is not configured and a
//! stream that is no triplet are errors; a stream without rejected events has an empty list, since what was rejected may never have made a stream.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde_json::{Value, json};
use weir_core::triplet::Triplet;

use super::{Api, ApiError};
use crate::runtime::rfc3339;
use crate::source::RejectedRow;
use crate::view::RejectedView;

const DEFAULT: usize = 100;
const MAX: usize = 1_000;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    source: Option<String>,
    stream: Option<String>,
    limit: Option<usize>,
}

pub async fn list(
    State(api): State<Api>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(asked) = query.map_err(|error| ApiError::bad_request(format!("query: {error}")))?;
    let sources = api.runtime.sources();
    if let Some(name) = &asked.source
        && !sources.iter().any(|source| source.name == *name)
    {
        return Err(ApiError::not_found(&format!("no source `{name}`; GET /api/sources lists them")));
    }
    if let Some(stream) = &asked.stream {
        stream
            .parse::<Triplet>()
            .map_err(|error| ApiError::bad_request(format!("stream `{stream}`: {error}")))?;
    }
    let limit = asked.limit.unwrap_or(DEFAULT).min(MAX);
    let rows = api.rejected.newest(asked.source.as_deref(), asked.stream.as_deref(), limit);
    let of_those =
        |source: &&crate::view::SourceView| asked.source.as_ref().is_none_or(|name| source.name == *name);
    let total: u64 = sources.iter().filter(of_those).map(|source| source.rejected_total).sum();
    let rows: Vec<RejectedView> = rows.into_iter().map(view).collect();
    Ok(Json(json!({ "total": total, "rejected": rows })))
}

fn view(row: RejectedRow) -> RejectedView {
    RejectedView {
        at: rfc3339(row.at_unix_ns),
        source: row.source.to_string(),
        stream: row.stream.map(|stream| stream.to_string()),
        offset_bytes: row.offset_bytes,
        length_bytes: row.length_bytes,
        line: row.line,
        code: row.code,
        message: row.message,
        first_bytes: row.first_bytes,
    }
}
