//! The newest events of a stream, bounded by count and bytes.
//!
//! Batches are kept as they are (shared with the flows); the oldest goes when there are more than `events_max` rows behind it or more than
//! `bytes_max` bytes. Rows become JSON only when somebody asks, newest first.

use std::collections::VecDeque;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_schema::DataType;
use serde_json::{Map, Number, Value};

use crate::batch::Batch;

#[derive(Debug)]
pub struct Recent {
    batches: VecDeque<(Batch, usize)>,
    rows: usize,
    bytes: usize,
    events_max: usize,
    bytes_max: usize,
}

/// One event as people read it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecentEvent {
    pub time_unix_ns: i64,
    pub position: u64,
    pub row: u32,
    pub fields: Map<String, Value>,
}

impl Recent {
    pub fn new(events_max: usize, bytes_max: usize) -> Self {
        Self { batches: VecDeque::new(), rows: 0, bytes: 0, events_max, bytes_max }
    }

    pub fn push(&mut self, batch: &Batch) {
        let bytes = batch.bytes();
        self.rows += batch.rows();
        self.bytes += bytes;
        self.batches.push_back((batch.clone(), bytes));
        while let Some((oldest, oldest_bytes)) = self.batches.front() {
            let enough = self.rows - oldest.rows() >= self.events_max;
            if self.batches.len() == 1 || !(enough || self.bytes > self.bytes_max) {
                break;
            }
            self.rows -= oldest.rows();
            self.bytes -= oldest_bytes;
            self.batches.pop_front();
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A copy of the shared batches, newest first, with at least `rows` rows where there are so many: cheap, so that a lock is held shortly.
    pub fn newest(&self, rows: usize) -> Vec<Batch> {
        let mut left = rows;
        let mut out = Vec::new();
        for (batch, _) in self.batches.iter().rev() {
            out.push(batch.clone());
            left = left.saturating_sub(batch.rows());
            if left == 0 {
                break;
            }
        }
        out
    }
}

/// The newest `limit` events of these batches (newest batch first), newest first.
pub fn events(batches: &[Batch], limit: usize) -> Vec<RecentEvent> {
    batches
        .iter()
        .flat_map(|batch| (0..batch.rows()).rev().map(move |row| event(batch, row)))
        .take(limit)
        .collect()
}

/// Events after (position, row), oldest first, at most `limit` of the newest, and how many before those were left out.
pub fn events_after(batches: &[Batch], after: Option<(u64, u32)>, limit: usize) -> (Vec<RecentEvent>, u64) {
    let mut newer: Vec<(&Batch, usize)> = Vec::new();
    let mut skipped = 0;
    'all: for batch in batches {
        for row in (0..batch.rows()).rev() {
            if Some((batch.position.offset, batch.row_ids.get(row))) <= after {
                break 'all;
            }
            if newer.len() < limit { newer.push((batch, row)) } else { skipped += 1 }
        }
    }
    (newer.into_iter().rev().map(|(batch, row)| event(batch, row)).collect(), skipped)
}

/// One row of a batch, as JSON fields.
pub fn event(batch: &Batch, row: usize) -> RecentEvent {
    let schema = batch.columns.schema_ref();
    let fields = schema
        .fields()
        .iter()
        .zip(batch.columns.columns())
        .filter(|(_, array)| array.is_valid(row))
        .map(|(field, array)| (field.name().clone(), value(array.as_ref(), row)))
        .collect();
    RecentEvent {
        time_unix_ns: batch.time.get(row).copied().unwrap_or(0),
        position: batch.position.offset,
        row: batch.row_ids.get(row),
        fields,
    }
}

/// A value of one of the types that a batch may hold; `Null` for any other.
pub fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Float64 => Number::from_f64(array.as_primitive::<Float64Type>().value(row))
            .map_or(Value::Null, Value::Number),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Timestamp(_, _) => array.as_primitive::<TimestampNanosecondType>().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Binary => String::from_utf8_lossy(array.as_binary::<i32>().value(row)).into_owned().into(),
        DataType::Dictionary(_, _) => {
            let codes = array.as_dictionary::<UInt32Type>();
            let code = codes.keys().value(row) as usize;
            match codes.values().as_string_opt::<i32>() {
                Some(names) if code < names.len() => names.value(code).into(),
                _ => Value::Null,
            }
        }
        _ => Value::Null,
    }
}
