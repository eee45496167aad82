//! From a batch to what a unit may see of it: the planned columns in the planned kinds.
//!
//! A required column that is missing, or a value that cannot be converted without loss, sends its rows to the dead letters
//! ([`Refused`]); the rest goes on. Text is read as a number where it is one, because a column of mixed types is kept as text.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};
use arrow_select::filter::filter_record_batch;

use crate::batch::{Batch, RowIds};
use crate::plan::{ColumnKind, Plan, Read};
use crate::unit::NamedColumn;

/// Rows that a unit cannot be given, with the reason.
#[derive(Debug, Clone)]
pub struct Refused {
    pub batch: Batch,
    pub code: &'static str,
    pub message: String,
}

/// The rows that a unit is given, with all their columns, and of those the ones that it reads.
pub type Projected = (Batch, Vec<NamedColumn>);

/// The columns of `batch` that the plan reads, and rows that had to be left out. `None`: no row is left.
pub fn project(batch: &Batch, plan: &Plan) -> (Option<Projected>, Vec<Refused>) {
    let mut refused = Vec::new();
    let Some(reads) = &plan.reads else {
        let columns = batch.columns.schema_ref().fields().iter().zip(batch.columns.columns());
        let columns = columns
            .map(|(field, array)| NamedColumn {
                name: field.name().as_str().into(),
                array: Arc::clone(array),
                dictionary: crate::keys::dictionary_id(batch, field.name()),
            })
            .collect();
        return (Some((batch.clone(), columns)), refused);
    };
    let mut columns = Vec::with_capacity(reads.len());
    for read in reads {
        let Some(array) = batch.columns.column_by_name(&read.name) else {
            if read.optional {
                continue;
            }
            let message = format!("column `{}` is missing in {}", read.name, batch.triplet);
            refused.push(Refused { batch: batch.clone(), code: "no-column", message });
            return (None, refused);
        };
        let (converted, lost) = convert(array, read.kind);
        if let Some(lost) = lost {
            let message =
                format!("column `{}` ({}) does not convert to {:?}", read.name, array.data_type(), read.kind);
            refused.push(Refused { batch: pick(batch, &lost), code: "no-conversion", message });
            // Rare: start again with the rows that are left.
            let rest = pick(batch, &!&lost);
            if rest.rows() == 0 {
                return (None, refused);
            }
            let (projected, more) = project(&rest, plan);
            refused.extend(more);
            return (projected, refused);
        }
        columns.push(named(batch, read, converted));
    }
    (Some((batch.clone(), columns)), refused)
}

fn named(batch: &Batch, read: &Read, array: ArrayRef) -> NamedColumn {
    let dictionary = match array.data_type() {
        DataType::Dictionary(_, _) => crate::keys::dictionary_id(batch, &read.name),
        _ => None,
    };
    NamedColumn { name: Arc::clone(&read.name), array, dictionary }
}

/// The rows whose bit is set. Identity is kept.
pub fn pick(batch: &Batch, mask: &BooleanBuffer) -> Batch {
    if mask.count_set_bits() == batch.rows() {
        return batch.clone();
    }
    let predicate = BooleanArray::new(mask.clone(), None);
    let ids = mask.set_indices().map(|row| batch.row_ids.get(row)).collect::<Vec<_>>();
    let time: Vec<i64> = mask.set_indices().filter_map(|row| batch.time.get(row).copied()).collect();
    // A filter by a mask of the right length does not fail; were it to, the rows are dropped rather than mixed up.
    let columns = filter_record_batch(&batch.columns, &predicate)
        .unwrap_or_else(|_| RecordBatch::new_empty(batch.columns.schema()));
    Batch { row_ids: RowIds::Picked(ids.into()), time: time.into(), columns, ..batch.clone() }
}

/// Rows `start .. start + rows`.
pub fn slice(batch: &Batch, start: usize, rows: usize) -> Batch {
    let row_ids = match &batch.row_ids {
        RowIds::From(first) => RowIds::From(first + start as u32),
        RowIds::Picked(ids) => RowIds::Picked(ids.slice(start, rows)),
    };
    let time: ScalarBuffer<i64> = batch.time.slice(start, rows);
    Batch { row_ids, time, columns: batch.columns.slice(start, rows), ..batch.clone() }
}

/// An array of the wanted kind, and the rows whose value would have been lost.
fn convert(array: &ArrayRef, kind: ColumnKind) -> (ArrayRef, Option<BooleanBuffer>) {
    let text = || DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
    let wanted = match kind {
        ColumnKind::Any => return (Arc::clone(array), None),
        ColumnKind::F64s => DataType::Float64,
        ColumnKind::S64s => DataType::Int64,
        ColumnKind::U64s => DataType::UInt64,
        ColumnKind::Bools => DataType::Boolean,
        ColumnKind::Timestamps => DataType::Timestamp(TimeUnit::Nanosecond, None),
        ColumnKind::Texts => DataType::Utf8,
        ColumnKind::Blobs => DataType::Binary,
        ColumnKind::Categories => text(),
    };
    if *array.data_type() == wanted {
        return (Arc::clone(array), None);
    }
    if let (DataType::Int64, DataType::Float64) = (array.data_type(), &wanted)
        && let Some(exact) = exact_doubles(array)
    {
        return (exact, None);
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(_, _));
    let by_way_of_longs = time(&wanted) && array.data_type().is_floating()
        || time(&wanted) && *array.data_type() == DataType::UInt64
        || time(array.data_type()) && wanted.is_numeric() && wanted != DataType::Int64;
    if by_way_of_longs {
        let (longs, lost) = convert(array, ColumnKind::S64s);
        return if lost.is_some() { (longs, lost) } else { convert(&longs, kind) };
    }
    let Ok(converted) = cast_with_options(array, &wanted, &options) else {
        let valid = valid_rows(array);
        // Nothing there is nothing in every kind.
        return if valid.count_set_bits() == 0 {
            (arrow_array::new_null_array(&wanted, array.len()), None)
        } else {
            (Arc::clone(array), Some(valid))
        };
    };
    let lost = lost_rows(array, &converted, &options);
    if lost.count_set_bits() == 0 { (converted, None) } else { (converted, Some(lost)) }
}

/// Whole numbers as doubles, where all of them are exact.
fn exact_doubles(array: &ArrayRef) -> Option<ArrayRef> {
    const EXACT: u64 = 1 << 53;
    let longs = array.as_primitive::<Int64Type>();
    if longs.values().iter().any(|value| value.unsigned_abs() > EXACT) {
        return None;
    }
    let doubles: Vec<f64> = longs.values().iter().map(|value| *value as f64).collect();
    Some(Arc::new(Float64Array::new(doubles.into(), longs.nulls().cloned())))
}

fn valid_rows(array: &ArrayRef) -> BooleanBuffer {
    BooleanBuffer::collect_bool(array.len(), |row| array.is_valid(row))
}

/// Rows that had a value and have none now, or another one after the way back.
fn lost_rows(before: &ArrayRef, after: &ArrayRef, options: &CastOptions) -> BooleanBuffer {
    let number = |data_type: &DataType| data_type.is_numeric();
    let back = if number(before.data_type()) && number(after.data_type()) {
        cast_with_options(after, before.data_type(), options).ok()
    } else {
        None
    };
    BooleanBuffer::collect_bool(before.len(), |row| {
        if before.is_null(row) {
            return false;
        }
        after.is_null(row) || back.as_ref().is_some_and(|back| !same(before, back, row))
    })
}

fn same(left: &ArrayRef, right: &ArrayRef, row: usize) -> bool {
    if right.is_null(row) {
        return false;
    }
    match left.data_type() {
        DataType::Float64 => {
            let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
            left.value(row) == right.value(row)
        }
        DataType::Int64 => {
            left.as_primitive::<Int64Type>().value(row) == right.as_primitive::<Int64Type>().value(row)
        }
        _ => left.slice(row, 1).to_data() == right.slice(row, 1).to_data(),
    }
}

#[cfg(test)]
mod tests;
