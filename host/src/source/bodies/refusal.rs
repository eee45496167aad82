//! Why a request was not taken at all, and how that is answered: a status, a code for programs and a text for people.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use weir_core::triplet::Triplet;

use super::body::{self, Packing};

/// A client that is told to come again waits this long at least; shorter answers are not possible in whole seconds.
const RETRY_S_MIN: u64 = 1;

/// Longest key by which a request is repeated.
pub const KEY_BYTES_MAX: usize = 255;

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0}; post to /ingest/application/environment/type")]
    Triplet(String),
    #[error("source \"{name}\" may not write to {triplet}; add a selector to its `may_write`")]
    MayNotWrite { name: Arc<str>, triplet: Triplet },
    #[error(
        "content type `{0}` is not known; send JSON or NDJSON as application/json or application/x-ndjson, MessagePack as application/msgpack, key=value lines as application/logfmt, or in the codec of the source without a type"
    )]
    ContentType(String),
    #[error("content encoding `{0}` is not known; send the body plain, with gzip or with zstd")]
    ContentEncoding(String),
    #[error("the body is longer than {} bytes; send several requests", body::COMPRESSED_BYTES_MAX)]
    TooLong,
    #[error("the body expands to more than {} bytes; send several requests", body::EXPANDED_BYTES_MAX)]
    ExpandsTooLong,
    #[error("the body expands to more than {} times its length; send it plain", body::RATIO_MAX)]
    ExpandsTooMuch,
    #[error("the body is not whole {}: {why}; compress it again, or leave out content-encoding", packing.word())]
    Packing { packing: Packing, why: String },
    #[error("the body broke off: {0}; send it again")]
    Broken(String),
    /// Full, with too much before it, or stopped for good.
    #[error("{why}")]
    Journal { why: weir_journal::Refused, retry_after: Duration },
    #[error("a pipeline lags behind; send again after the time in retry-after")]
    Lagging(Duration),
    #[error("too many bodies at once; send again after the time in retry-after")]
    TooMuchAtOnce,
    #[error("this is a WebSocket: {0}; or send events with POST to a source of kind \"http\"")]
    NoWebSocket(String),
    #[error("too many connections are open; close one and try again")]
    TooManyConnections,
    #[error(
        "the header idempotency-key must be one, of 1 to {} visible characters, in quotes or without",
        KEY_BYTES_MAX
    )]
    Key,
    #[error(
        "this idempotency-key was used for another request; send a new key with new events, the same events with the same key"
    )]
    KeyUsed,
    #[error("the program is stopping; send again when it runs")]
    Stopping,
}

impl Refusal {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Triplet(_) => (StatusCode::BAD_REQUEST, "bad-triplet"),
            Self::MayNotWrite { .. } => (StatusCode::FORBIDDEN, "may-not-write"),
            Self::ContentType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown-content-type"),
            Self::ContentEncoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown-content-encoding"),
            Self::TooLong | Self::ExpandsTooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-long"),
            Self::ExpandsTooMuch => (StatusCode::PAYLOAD_TOO_LARGE, "expands-too-much"),
            Self::Packing { packing: Packing::Gzip, .. } => (StatusCode::BAD_REQUEST, "bad-gzip"),
            Self::Packing { packing: Packing::Zstd, .. } => (StatusCode::BAD_REQUEST, "bad-zstd"),
            Self::Broken(_) => (StatusCode::BAD_REQUEST, "broken-body"),
            Self::Journal { why: weir_journal::Refused::Busy { .. }, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "journal-busy")
            }
            Self::Journal { why: weir_journal::Refused::Full, .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "disk-full")
            }
            Self::Journal { .. } => (StatusCode::SERVICE_UNAVAILABLE, "journal-stopped"),
            Self::Lagging(_) => (StatusCode::TOO_MANY_REQUESTS, "lagging"),
            Self::TooMuchAtOnce => (StatusCode::TOO_MANY_REQUESTS, "too-much-at-once"),
            Self::NoWebSocket(_) => (StatusCode::UPGRADE_REQUIRED, "websocket-expected"),
            Self::TooManyConnections => (StatusCode::SERVICE_UNAVAILABLE, "too-many-connections"),
            Self::Key => (StatusCode::BAD_REQUEST, "bad-idempotency-key"),
            Self::KeyUsed => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-used"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        }
    }

    fn retry_after_s(&self) -> Option<u64> {
        match self {
            // Rounded up: coming too early only costs another answer like this.
            Self::Lagging(wait) | Self::Journal { retry_after: wait, .. } => {
                Some((wait.as_millis().div_ceil(1_000) as u64).max(RETRY_S_MIN))
            }
            Self::TooMuchAtOnce | Self::TooManyConnections | Self::Stopping => Some(RETRY_S_MIN),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let body = serde_json::json!({"error": {"code": code, "message": self.to_string()}});
        let mut response = (status, axum::Json(body)).into_response();
        if let Some(retry_after_s) = self.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
        }
        response
    }
}
