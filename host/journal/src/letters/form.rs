//! A dead letter as bytes: what its file holds of it, and the command that gives it to its unit again.
//!
//! A version, what the letter says, and its rows in columns as the journal writes them; nothing else is needed to read it. Of a dictionary only the names that its rows use are
//! written, so that one row of a stream with a hundred thousand names stays small; it loses its identity with that. Metadata of columns is not kept. Reading checks everything and gives `None` for what
//! was not written here.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use weir_core::batch::{BATCH_ROWS_MAX, Batch, Origin, Position, RowIds};
use weir_core::letter::{DeadLetter, LetterId, LetterOf};

use crate::bytes::{Take, put_bytes, put_signed, put_varint};
use crate::columns::{self, ints};

const VERSION: u8 = 1;

pub fn put(letter: &DeadLetter) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_id(&mut out, &letter.id);
    for text in [&*letter.pipeline, &letter.digest, &letter.code, &letter.message] {
        put_bytes(&mut out, text.as_bytes());
    }
    out.push(match letter.of {
        LetterOf::Rows => 0,
        LetterOf::Timers => 1,
        LetterOf::Stream => 2,
    });
    put_varint(&mut out, u64::from(letter.attempts));
    put_signed(&mut out, letter.at_unix_ns);
    put_batch(&mut out, &letter.batch);
    out
}

pub fn put_id(out: &mut Vec<u8>, id: &LetterId) {
    put_varint(out, id.offset);
    put_bytes(out, id.unit.as_bytes());
    put_varint(out, u64::from(id.lane));
    put_varint(out, u64::from(id.ordinal));
}

fn put_batch(out: &mut Vec<u8>, batch: &Batch) {
    put_bytes(out, batch.triplet.as_str().as_bytes());
    put_varint(out, u64::from(batch.position.log));
    put_varint(out, u64::from(batch.position.epoch));
    put_varint(out, batch.position.offset);
    put_signed(out, batch.accepted_at_unix_ns);
    match &batch.origin {
        Origin::Source(name) => {
            out.push(0);
            put_bytes(out, name.as_bytes());
        }
        Origin::Unit { id, ordinal } => {
            out.push(1);
            put_bytes(out, id.as_bytes());
            put_varint(out, u64::from(*ordinal));
        }
    }
    out.push(batch.hops);
    put_varint(out, batch.rows() as u64);
    let ids: Vec<u32> = (0..batch.rows()).map(|row| batch.row_ids.get(row)).collect();
    ints::put_u32(out, &ids);
    ints::put(out, &batch.time);
    let schema = batch.columns.schema_ref();
    // A type that batches do not have cannot be written; there is none.
    let known = schema.fields().iter().zip(batch.columns.columns());
    let known: Vec<_> = known
        .filter_map(|(field, column)| Some((field, column, columns::type_code(field.data_type())?)))
        .collect();
    put_varint(out, known.len() as u64);
    for (field, column, code) in known {
        put_bytes(out, field.name().as_bytes());
        out.push(code);
        let own = own_names(column);
        columns::put(out, own.as_ref().unwrap_or(column), false);
    }
}

/// A dictionary column with the names that are used alone, in the order in which they are.
fn own_names(column: &ArrayRef) -> Option<ArrayRef> {
    let coded = column.as_dictionary_opt::<UInt32Type>()?;
    let names = coded.values().as_string_opt::<i32>()?;
    let mut own: HashMap<u32, u32, FixedState> = HashMap::default();
    let mut used: Vec<u32> = Vec::new();
    let keys = coded.keys();
    let codes = keys.iter().map(|code| {
        let code = code?;
        Some(*own.entry(code).or_insert_with(|| {
            used.push(code);
            used.len() as u32 - 1
        }))
    });
    let codes: UInt32Array = codes.collect();
    let texts = used.iter().map(|code| {
        let code = *code as usize;
        if code < names.len() && names.is_valid(code) { names.value(code) } else { "" }
    });
    let names = Arc::new(StringArray::from_iter_values(texts));
    Some(Arc::new(DictionaryArray::<UInt32Type>::try_new(codes, names).ok()?))
}

pub fn take(bytes: &[u8]) -> Option<DeadLetter> {
    let mut from = Take(bytes);
    if from.byte()? != VERSION {
        return None;
    }
    let id = take_id(&mut from)?;
    let (pipeline, digest) = (from.text()?.into(), from.text()?.into());
    let (code, message) = (from.text()?.to_owned(), from.text()?.to_owned());
    let of = match from.byte()? {
        0 => LetterOf::Rows,
        1 => LetterOf::Timers,
        2 => LetterOf::Stream,
        _ => return None,
    };
    let attempts = u32::try_from(from.varint()?).ok()?;
    let at_unix_ns = from.signed()?;
    let batch = take_batch(&mut from)?;
    let letter = DeadLetter { id, pipeline, digest, code, message, of, attempts, at_unix_ns, batch };
    from.is_empty().then_some(letter)
}

pub fn take_id(from: &mut Take) -> Option<LetterId> {
    Some(LetterId {
        offset: from.varint()?,
        unit: from.text()?.into(),
        lane: u32::try_from(from.varint()?).ok()?,
        ordinal: u32::try_from(from.varint()?).ok()?,
    })
}

fn take_batch(from: &mut Take) -> Option<Batch> {
    let triplet = from.text()?.parse().ok()?;
    let position = Position {
        log: u16::try_from(from.varint()?).ok()?,
        epoch: u32::try_from(from.varint()?).ok()?,
        offset: from.varint()?,
    };
    let accepted_at_unix_ns = from.signed()?;
    let origin = match from.byte()? {
        0 => Origin::Source(from.text()?.into()),
        1 => Origin::Unit { id: from.text()?.into(), ordinal: u32::try_from(from.varint()?).ok()? },
        _ => return None,
    };
    let hops = from.byte()?;
    let rows = usize::try_from(from.varint()?).ok().filter(|rows| *rows <= BATCH_ROWS_MAX)?;
    let row_ids = RowIds::Picked(ints::take_u32(from, rows)?.into());
    let time = ints::take(from, rows)?.into();
    let count = from.count()?;
    let mut fields = Vec::with_capacity(count);
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(count);
    for _ in 0..count {
        let name = from.text()?;
        let data_type: DataType = columns::type_of(from.byte()?)?;
        arrays.push(columns::take(from, &data_type, rows, None)?);
        fields.push(Field::new(name, data_type, true));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let columns = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).ok()?;
    Some(Batch { triplet, position, accepted_at_unix_ns, origin, row_ids, time, columns, hops })
}
