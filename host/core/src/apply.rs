//! From a unit's decisions to batches on its ports.
//!
//! In: the input as the unit's node got it (all columns), the outputs of one call, the key table. Out: for each port the batches that leave by it, in the order
//! of the outputs, and the rejected rows. The structure of the outputs (lengths, ports, ranges) was checked where they came in; what is checked here
//! again is only what Arrow checks by itself, and its refusal is a contract fault of the unit, never a panic.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};

use crate::batch::{Batch, DICTIONARY_ID, Origin, RowIds};
use crate::keys::KeyTable;
use crate::projection::pick;
use crate::triplet::Triplet;
use crate::unit::{NamedColumn, Output, Rows, Signal};

/// What one call gave, as batches.
#[derive(Debug, Default)]
pub struct Applied {
    /// (port, batch), in order.
    pub batches: Vec<(u32, Batch)>,
    pub rejected: Vec<Rejected>,
    pub signals: Vec<Signal>,
}

/// Rows that the unit itself sends to the dead letters.
#[derive(Debug)]
pub struct Rejected {
    pub batch: Batch,
    pub code: String,
    pub message: String,
}

/// What stays the same over the calls of one record.
pub struct Scene<'a> {
    pub unit: &'a Arc<str>,
    pub keys: &'a KeyTable,
    /// Of the record or input that is at work, for emitted rows.
    pub template: &'a Batch,
    /// Triplet of emitted rows that name none and have no key.
    pub triplet: &'a Triplet,
}

/// `ordinal` counts the emitted batches of this unit within the record.
pub fn apply(
    scene: &Scene<'_>,
    input: Option<&Batch>,
    outputs: Vec<Output>,
    ordinal: &mut u32,
) -> Result<Applied, String> {
    let mut applied = Applied::default();
    for output in outputs {
        match output {
            Output::Forward { port, rows, set, omit } => {
                let input = input.ok_or("a tick has no rows to forward")?;
                if let Some(batch) = forward(input, &rows, &set, &omit)? {
                    applied.batches.push((port, batch));
                }
            }
            Output::Emit { port, triplet, time, keys, columns } => {
                for batch in emit(scene, triplet, &time, &keys, &columns, ordinal)? {
                    applied.batches.push((port, batch));
                }
            }
            Output::Reject { indexes, code, message } => {
                let input = input.ok_or("a tick has no rows to reject")?;
                let batch = pick(input, &mask_of(&Rows::Indexes(indexes), input.rows()));
                applied.rejected.push(Rejected { batch, code, message });
            }
            Output::Signals(signals) => applied.signals.extend(signals),
        }
    }
    Ok(applied)
}

fn mask_of(rows: &Rows, n: usize) -> BooleanBuffer {
    match rows {
        Rows::All => BooleanBuffer::new_set(n),
        Rows::Mask(mask) => mask.clone(),
        Rows::Indexes(indexes) => {
            let mut bits = arrow_buffer::BooleanBufferBuilder::new(n);
            bits.append_n(n, false);
            for index in indexes {
                if (*index as usize) < n {
                    bits.set_bit(*index as usize, true);
                }
            }
            bits.finish()
        }
    }
}

fn forward(
    input: &Batch,
    rows: &Rows,
    set: &[NamedColumn],
    omit: &[String],
) -> Result<Option<Batch>, String> {
    let changed;
    let whole = if set.is_empty() && omit.is_empty() {
        input
    } else {
        changed = replace(input, set, omit)?;
        &changed
    };
    let batch = match rows {
        Rows::All => whole.clone(),
        rows => {
            let mask = mask_of(rows, input.rows());
            if mask.len() != input.rows() {
                return Err(format!("a mask of {} rows for {} rows", mask.len(), input.rows()));
            }
            pick(whole, &mask)
        }
    };
    Ok(if batch.rows() == 0 { None } else { Some(batch) })
}

/// The input with new, replaced and left-out columns.
fn replace(input: &Batch, set: &[NamedColumn], omit: &[String]) -> Result<Batch, String> {
    let schema = input.columns.schema_ref();
    let mut fields = Vec::with_capacity(schema.fields().len() + set.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(fields.capacity());
    for (field, array) in schema.fields().iter().zip(input.columns.columns()) {
        if !omit.iter().any(|name| name == field.name()) && !set.iter().any(|new| *new.name == **field.name())
        {
            fields.push(Arc::clone(field));
            arrays.push(Arc::clone(array));
        }
    }
    let mut time = input.time.clone();
    for column in set {
        if column.array.len() != input.rows() {
            return Err(format!(
                "column `{}` has {} values for {} rows",
                column.name,
                column.array.len(),
                input.rows()
            ));
        }
        if &*column.name == "time" {
            time = times(&column.array).ok_or("column `time` is no s64s without gaps")?;
        } else {
            fields.push(Arc::new(field(column)));
            arrays.push(Arc::clone(&column.array));
        }
    }
    let columns = record_batch(fields, arrays, input.rows())?;
    Ok(Batch { time, columns, ..input.clone() })
}

fn times(array: &ArrayRef) -> Option<ScalarBuffer<i64>> {
    if array.null_count() > 0 {
        return None;
    }
    match array.data_type() {
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().values().clone()),
        DataType::Timestamp(_, _) => Some(array.as_primitive::<TimestampNanosecondType>().values().clone()),
        _ => None,
    }
}

fn field(column: &NamedColumn) -> Field {
    let field = Field::new(&*column.name, column.array.data_type().clone(), true);
    match column.dictionary {
        Some(id) => field.with_metadata([(DICTIONARY_ID.to_owned(), id.to_string())]),
        None => field,
    }
}

/// A record batch also where there are no columns.
pub fn record_batch(
    fields: Vec<Arc<Field>>,
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, String> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| error.to_string())
}

/// New rows, one batch for each triplet that their keys belong to.
fn emit(
    scene: &Scene<'_>,
    triplet: Option<Triplet>,
    time: &ScalarBuffer<i64>,
    keys: &[u32],
    columns: &[NamedColumn],
    ordinal: &mut u32,
) -> Result<Vec<Batch>, String> {
    if time.is_empty() {
        return Ok(Vec::new());
    }
    let mut fields: Vec<Arc<Field>> = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    if !keys.is_empty() {
        if keys.len() != time.len() {
            return Err(format!("{} key numbers for {} rows", keys.len(), time.len()));
        }
        for (name, array) in scene.keys.rebuild(keys) {
            if columns.iter().any(|column| column.name == name) {
                continue;
            }
            fields.push(Arc::new(Field::new(&*name, array.data_type().clone(), true)));
            arrays.push(array);
        }
    }
    for column in columns {
        fields.push(Arc::new(field(column)));
        arrays.push(Arc::clone(&column.array));
    }
    let own = triplet.as_ref().unwrap_or(scene.triplet);
    let whole = Batch {
        triplet: own.clone(),
        origin: Origin::Unit { id: Arc::clone(scene.unit), ordinal: *ordinal },
        row_ids: RowIds::From(0),
        time: time.clone(),
        columns: record_batch(fields, arrays, time.len())?,
        ..scene.template.clone()
    };
    *ordinal += 1;
    Ok(split_by_triplet(scene.keys, whole, keys))
}

fn split_by_triplet(keys: &KeyTable, whole: Batch, numbers: &[u32]) -> Vec<Batch> {
    let Some(first) = numbers.first() else { return vec![whole] };
    let scope = keys.scope_of(*first);
    if numbers.iter().all(|number| keys.scope_of(*number) == scope) {
        let triplet = keys.triplet_of(*first).cloned().unwrap_or_else(|| whole.triplet.clone());
        return vec![Batch { triplet, ..whole }];
    }
    let mut scopes: Vec<usize> = numbers.iter().map(|number| keys.scope_of(*number)).collect();
    let of_row = scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
        .into_iter()
        .map(|scope| {
            let mask = BooleanBuffer::collect_bool(of_row.len(), |row| of_row.get(row) == Some(&scope));
            let triplet = keys.scopes().get(scope).cloned().unwrap_or_else(|| whole.triplet.clone());
            Batch { triplet, ..pick(&whole, &mask) }
        })
        .collect()
}
