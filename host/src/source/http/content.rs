//! What the header of a request says of its body: the codec, and how it is packed.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use weir_core::codec;

use super::super::bodies::body::Packing;
use super::super::bodies::refusal::{KEY_BYTES_MAX, Refusal};

/// Longest part of a header that an answer repeats.
const REPEATED_CHARS_MAX: usize = 100;

/// The codec that the content type names, or `default` where it says nothing of the kind. Form data is what `curl -d` calls everything.
pub fn codec(headers: &HeaderMap, default: &Arc<str>) -> Result<Arc<str>, Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(default.clone()) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let named = match kind.as_str() {
        "" | "text/plain" | "application/octet-stream" | "application/x-www-form-urlencoded" => {
            return Ok(default.clone());
        }
        "application/json"
        | "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/json-lines" => "json",
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => "msgpack",
        "application/logfmt" | "application/x-logfmt" | "text/logfmt" | "text/x-logfmt" => "logfmt",
        other if other.ends_with("+json") => "json",
        other if other.ends_with("+msgpack") => "msgpack",
        _ => "",
    };
    if codec::decoder(named).is_some() {
        return Ok(named.into());
    }
    Err(Refusal::ContentType(kind.chars().take(REPEATED_CHARS_MAX).collect()))
}

/// The key by which a sender repeats a request; as a string of RFC 8941, or as it is.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refusal::Key)?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if text.is_empty() || text.len() > KEY_BYTES_MAX || !visible || values.next().is_some() {
        return Err(Refusal::Key);
    }
    Ok(Some(text.to_owned()))
}

/// None: the body comes as it is.
pub fn packing(headers: &HeaderMap) -> Result<Option<Packing>, Refusal> {
    let mut packing = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
        match text.as_str() {
            "" | "identity" => {}
            "gzip" | "x-gzip" if packing.is_none() => packing = Some(Packing::Gzip),
            "zstd" if packing.is_none() => packing = Some(Packing::Zstd),
            _ => return Err(Refusal::ContentEncoding(text.chars().take(REPEATED_CHARS_MAX).collect())),
        }
    }
    Ok(packing)
}
