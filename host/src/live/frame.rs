//! Binary frames of the live WebSocket, as `docs/wire.md` describes them.
//!
//! In: a picture, what changed ([`Update`]) and when. Out: the bytes of one message: u32 length, JSON header padded with spaces, columns, each on a
//! multiple of 8. Little-endian. The header is made with offsets that count from the start of the frame, so it is made twice: once to learn its length.

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::diff::{Change, Update};
use crate::charts::picture::{ChartVersion, Column, Values};

/// Room for the digits of offsets when the header is made for the second time.
const HEADER_SLACK_BYTES: usize = 64;

#[derive(serde::Serialize)]
struct Header<'a> {
    chart: &'a str,
    epoch: u64,
    version: u64,
    merged: u64,
    newest_unix_ns: Option<i64>,
    sent_unix_ns: i64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a Value>,
    tables: Vec<Value>,
}

/// `merged`: versions that the client did not get to see.
pub fn encode(version: &ChartVersion, update: &Update, merged: u64, sent_unix_ns: i64) -> Bytes {
    let mut header = Header {
        chart: &version.chart,
        epoch: version.epoch,
        version: version.version,
        merged,
        newest_unix_ns: version.newest_unix_ns,
        sent_unix_ns,
        kind: if update.snapshot { "snapshot" } else { "delta" },
        description: update.description.then_some(&*version.description),
        tables: Vec::new(),
    };
    // Offsets relative to the columns tell how long the header can become with absolute ones.
    header.tables = tables(&update.changes, 0, &mut Vec::new());
    let count: usize = update.changes.iter().map(|change| change.table.columns.len()).sum();
    let text = serde_json::to_vec(&header).unwrap_or_default();
    let length = (text.len() + HEADER_SLACK_BYTES + count * 24).next_multiple_of(8) - 4;
    let mut columns = Vec::new();
    header.tables = tables(&update.changes, 4 + length, &mut columns);
    let text = serde_json::to_vec(&header).unwrap_or_default();

    let mut frame = Vec::with_capacity(4 + length + columns.len());
    frame.extend_from_slice(&(length as u32).to_le_bytes());
    frame.extend_from_slice(&text);
    frame.resize(4 + length, b' ');
    frame.extend_from_slice(&columns);
    frame.into()
}

/// Descriptions of the tables; their columns are added to `bytes`, which will stand at `base` in the frame.
fn tables(changes: &[Change], base: usize, bytes: &mut Vec<u8>) -> Vec<Value> {
    let table = |change: &Change| {
        let rows = change.table.rows.saturating_sub(change.keep);
        let columns: Vec<Value> =
            change.table.columns.iter().map(|column| one_column(column, change.keep, base, bytes)).collect();
        json!({ "name": &*change.table.name, "rows": rows, "drop": change.drop, "keep": change.keep, "columns": columns })
    };
    changes.iter().map(table).collect()
}

fn one_column(column: &Column, from: usize, base: usize, bytes: &mut Vec<u8>) -> Value {
    let offset = base + bytes.len();
    let mut used = None;
    match &column.values {
        Values::F64(values) | Values::Time(values) => {
            values.iter().skip(from).for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        }
        Values::Bool(values) => bytes.extend(values.iter().skip(from)),
        Values::Text { codes, names } => {
            let (codes, names) = compact(codes.get(from..).unwrap_or_default(), names);
            codes.iter().for_each(|code| bytes.extend_from_slice(&code.to_le_bytes()));
            used = Some(names);
        }
    }
    let length = base + bytes.len() - offset;
    pad(bytes);
    let valid_offset = column.valid.as_ref().map(|valid| {
        let offset = base + bytes.len();
        bytes.extend(valid.iter().skip(from));
        pad(bytes);
        offset
    });
    let mut description = Map::new();
    description.insert("name".to_owned(), json!(&*column.name));
    description.insert("type".to_owned(), json!(column.values.kind()));
    description.insert("offset".to_owned(), json!(offset));
    description.insert("bytes".to_owned(), json!(length));
    description.insert("valid_offset".to_owned(), json!(valid_offset));
    if let Some(names) = used {
        description.insert("names".to_owned(), names.iter().map(|name| Value::from(&**name)).collect());
    }
    Value::Object(description)
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Only the names that these codes use.
fn compact(codes: &[u32], names: &[Arc<str>]) -> (Vec<u32>, Vec<Arc<str>>) {
    let mut new_codes = vec![u32::MAX; names.len()];
    let mut used = Vec::new();
    let codes = codes.iter().map(|&code| {
        let (Some(slot), Some(name)) = (new_codes.get_mut(code as usize), names.get(code as usize)) else {
            return 0;
        };
        if *slot == u32::MAX {
            *slot = used.len() as u32;
            used.push(Arc::clone(name));
        }
        *slot
    });
    let codes = codes.collect();
    (codes, used)
}
