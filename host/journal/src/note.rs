//! Notes of records as JSON.
//!
//! `{"request": {"key": "32 hex digits", "print": "32 hex digits", "accepted": 3, "duplicates": 0, "rejected": 1, "reasons": [..]}}`,
//! `{"files": {"source": "log", "places": [{"device": 1, "inode": 2, "offset_bytes": 3, "beginning": [checksum, length], "path": "/a"}], "gone": [[1, 2]]}}`.

use std::fmt::Write;

use serde_json::{Value, json};
use weir_core::record::{FilePlace, Files, Note, Request};

pub fn text(note: &Note) -> String {
    let value = match note {
        Note::Request(request) => {
            let reasons: Value = serde_json::from_str(&request.reasons).unwrap_or_default();
            json!({"request": {
                "key": hex(&request.key),
                "print": hex(&request.print),
                "accepted": request.accepted,
                "duplicates": request.duplicates,
                "rejected": request.rejected,
                "reasons": reasons,
            }})
        }
        Note::Files(files) => {
            let place = |place: &FilePlace| {
                json!({
                    "device": place.device,
                    "inode": place.inode,
                    "offset_bytes": place.offset_bytes,
                    "beginning": [place.beginning.0, place.beginning.1],
                    "path": &*place.path,
                })
            };
            let places: Vec<Value> = files.places.iter().map(place).collect();
            json!({"files": {"source": &*files.source, "places": places, "gone": files.gone}})
        }
    };
    value.to_string()
}

pub fn of(text: &str) -> Option<Note> {
    let value: Value = serde_json::from_str(text).ok()?;
    if let Some(request) = value.get("request") {
        let number = |name: &str| request.get(name)?.as_u64();
        return Some(Note::Request(Request {
            key: bytes(request.get("key")?.as_str()?)?,
            print: bytes(request.get("print")?.as_str()?)?,
            accepted: number("accepted")?,
            duplicates: number("duplicates")?,
            rejected: number("rejected")?,
            reasons: request.get("reasons")?.to_string().into(),
        }));
    }
    let files = value.get("files")?;
    let places = files.get("places")?.as_array()?.iter().map(place).collect::<Option<Vec<_>>>()?;
    let gone = files.get("gone")?.as_array()?.iter().map(pair).collect::<Option<Vec<_>>>()?;
    Some(Note::Files(Files { source: files.get("source")?.as_str()?.into(), places, gone }))
}

fn place(value: &Value) -> Option<FilePlace> {
    let number = |name: &str| value.get(name)?.as_u64();
    let (checksum, length) = pair(value.get("beginning")?)?;
    Some(FilePlace {
        device: number("device")?,
        inode: number("inode")?,
        offset_bytes: number("offset_bytes")?,
        beginning: (u32::try_from(checksum).ok()?, u32::try_from(length).ok()?),
        path: value.get("path")?.as_str()?.into(),
    })
}

fn pair(value: &Value) -> Option<(u64, u64)> {
    Some((value.get(0)?.as_u64()?, value.get(1)?.as_u64()?))
}

fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(text: &str) -> Option<[u8; 16]> {
    u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32).map(u128::to_be_bytes)
}
