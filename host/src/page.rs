//! Serves the embedded page: `/` and its files.
//!
//! A file with a hash in its name (everything under `assets/`) may be cached for ever, every other one is asked for again each time. A path that is
//! no file is 404, as JSON like every error. Where the page was not built, `/` says how to build it.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::embedded;

pub async fn index() -> Response {
    serve("index.html").unwrap_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no_page",
            "this binary was built without the page; `cargo xtask run` builds both",
        )
        .into_response()
    })
}

pub async fn file(Path(path): Path<String>) -> Response {
    serve(&path).unwrap_or_else(|| ApiError::not_found(&format!("nothing at `/{path}`")).into_response())
}

fn serve(path: &str) -> Option<Response> {
    let file = embedded::page(path)?;
    let cache = if file.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [(header::CONTENT_TYPE, file.content_type), (header::CACHE_CONTROL, cache)];
    Some((headers, Body::from(file.bytes)).into_response())
}
