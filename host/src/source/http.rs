//! Source `http`: `POST /ingest/{application}/{environment}/{type}`.
//!
//! In: bodies in the codec that their content type names, else in that of the source; with gzip or zstd, if wanted. Of JSON an object, an array of
//! objects and objects one after the other (NDJSON) are the same. Out: batches, and the answer of `docs/wire.md` once the events are in the log.
//! With a header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) a body is taken once, however often it is sent. The path names the stream: members that other sources take for the triplet are ordinary fields here.
//!
//! Limits: those of [`super::bodies`] and [`body`]; over one the answer is 413, or 429 where the program, not the request, has too much at once. While
//! a flow that wants its stream lags a request is answered 429 with `Retry-After`. How slowly a body may come is the business of the API's accept
//! loop. Bad events are rejected one by one: 200 with reasons where another one was accepted, else 400.

use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::StreamExt;
use weir_core::config::SourceSpec;
use weir_core::triplet::Selector;

use super::StartError;
use super::bodies::body::{self, Charge, Packing};
use super::bodies::refusal::Refusal;
use super::bodies::{Answer, Bodies, Ends, digest};
use super::decoder::Feed;
use super::outlet::Outlet;
use crate::intake::SourceCounters;

mod content;

/// Says that the answer is that of an earlier request with the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Makes the route and starts the decoder's thread, which ends at the stop signal; later requests are answered 503.
pub(super) fn start(
    spec: &SourceSpec,
    feed: &Feed,
    outlet: &Outlet,
) -> Result<(Router, JoinHandle<()>), StartError> {
    let (bodies, thread) = Bodies::start(spec, feed, outlet, Ends::AtStop)?;
    let router =
        Router::new().route("/ingest/{application}/{environment}/{type}", post(take)).with_state(bodies);
    Ok((router, thread))
}

async fn take(
    State(bodies): State<Arc<Bodies>>,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match try_take(&bodies, path, &headers, body).await {
        Ok(answer) => {
            let nothing = answer.accepted == 0 && answer.rejected > 0;
            let status = if nothing { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            let is_repeated = answer.is_repeated;
            let mut response = (status, axum::Json(answer)).into_response();
            if is_repeated {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            }
            response
        }
        Err(refusal) => {
            SourceCounters::add(&bodies.outlet.counters.refused_total, 1);
            refusal.into_response()
        }
    }
}

async fn try_take(
    bodies: &Bodies,
    path: (String, String, String),
    headers: &HeaderMap,
    body: Body,
) -> Result<Answer, Refusal> {
    let triplet = bodies.stream(path)?;
    let codec = content::codec(headers, &bodies.codec)?;
    let packing = content::packing(headers)?;
    let key = content::key(headers)?;
    let key = key.map(|key| digest(&[bodies.outlet.name.as_bytes(), key.as_bytes()]));
    bodies.outlet.accept.room(&[Selector::from(&triplet)]).map_err(|busy| bodies.lagging(busy))?;
    let mut charge = bodies.budget.charge();
    let mut bytes = read(body, headers, &mut charge).await?;
    SourceCounters::add(&bodies.outlet.counters.bytes_total, bytes.len() as u64);
    if let Some(packing) = packing {
        (bytes, charge) = expand(packing, bytes, charge).await?;
    }
    let answer = bodies.give(triplet, codec, bytes, key, charge)?;
    answer.await.map_err(|_| Refusal::Stopping)?
}

/// Reads the body as it came.
async fn read(body: Body, headers: &HeaderMap, charge: &mut Charge) -> Result<Vec<u8>, Refusal> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > body::COMPRESSED_BYTES_MAX) {
        return Err(Refusal::TooLong);
    }
    let mut bytes = Vec::new();
    let mut frames = body.into_data_stream();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|error| Refusal::Broken(error.to_string()))?;
        if bytes.len() + frame.len() > body::COMPRESSED_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        charge.grow(frame.len())?;
        bytes.extend_from_slice(&frame);
    }
    Ok(bytes)
}

/// Expanding takes milliseconds of a core, so it is done off the async runtime.
async fn expand(packing: Packing, bytes: Vec<u8>, mut charge: Charge) -> Result<(Vec<u8>, Charge), Refusal> {
    let expanded = tokio::task::spawn_blocking(move || {
        let expanded = body::expand(packing, &bytes, &mut charge)?;
        charge.shrink(bytes.len());
        Ok((expanded, charge))
    });
    expanded.await.map_err(|error| Refusal::Broken(error.to_string()))?
}

#[cfg(test)]
mod tests;
