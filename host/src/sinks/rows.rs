//! Rows as lines of JSON: one object a row, with what the event is called by, its time, its stream, and its columns.
//!
//! `id` is `EPOCH-OFFSET-N`: the record, and the N-th row that it gave to the sink, from 0. Columns stand in `fields`, so
//! that none of them can hide these.

use serde_json::{Map, Value};
use weir_core::batch::{Batch, Position};
use weir_core::recent;

use crate::runtime::rfc3339;

/// How many, and their lines.
pub fn lines(position: Position, batches: &[&Batch]) -> (u64, Vec<u8>) {
    let mut out = Vec::new();
    let mut rows = 0_u64;
    for batch in batches {
        let stream = batch.triplet.to_string();
        for row in 0..batch.rows() {
            let event = recent::event(batch, row);
            let mut line = Map::new();
            line.insert("id".into(), format!("{}-{}-{rows}", position.epoch, position.offset).into());
            line.insert("time".into(), rfc3339(event.time_unix_ns).into());
            line.insert("stream".into(), stream.as_str().into());
            line.insert("fields".into(), Value::Object(event.fields));
            // A map of texts and values can always be written into a vector.
            if serde_json::to_writer(&mut out, &line).is_ok() {
                out.push(b'\n');
            }
            rows += 1;
        }
    }
    (rows, out)
}
