//! Whole rows as bytes, for units that keep rows in their state and let them go later (buffer, sample); and texts to typed columns ([`Spread`]: parse, enrich).
//!
//! In: rows of a [`Batch`], with all columns that it has. [`encode`] makes one value of them (a chunk), [`Gather`] makes emitted batches of chunks again: rows in the order
//! in which they were given, columns by name. A row without a column that another has lacks the value there; where one name stands for two kinds the rows go
//! into two batches, since nothing is converted. Numbers in a chunk are little-endian: rows (u32), their times (s64), count of columns (u16), then for each one
//! length (u16) and bytes of its name, kind (u8), 1 where validity follows (u8, then a byte for each row), and the values: 8 bytes, 1 byte (bools) or length (u32) and
//! bytes. The order is the chunk's version: a unit that keeps chunks raises its state schema with any change of it.
//! Errors: [`Broken`], where bytes are no chunk; it is a mistake of the unit or of the store.

mod gather;
mod reader;
mod spread;

#[cfg(test)]
mod tests;

use weir_sdk::column::{Number, PackedExt, U32s};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Values};

pub use gather::Gather;
pub use spread::Spread;

/// Bytes that are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What a column holds, as a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F64s,
    S64s,
    U64s,
    Timestamps,
    Bools,
    Texts,
    Blobs,
    Categories,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::F64s,
        Self::S64s,
        Self::U64s,
        Self::Timestamps,
        Self::Bools,
        Self::Texts,
        Self::Blobs,
        Self::Categories,
    ];

    fn of(values: &Values) -> Option<Self> {
        Some(match values {
            Values::F64s(_) => Self::F64s,
            Values::S64s(_) => Self::S64s,
            Values::U64s(_) => Self::U64s,
            Values::Timestamps(_) => Self::Timestamps,
            Values::Bools(_) => Self::Bools,
            Values::Texts(_) => Self::Texts,
            Values::Blobs(_) => Self::Blobs,
            Values::Categories(_) => Self::Categories,
            Values::Other(_) => return None,
        })
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(byte as usize).copied()
    }
}

/// The rows (indexes) of a batch as one chunk. Columns of kinds that came after this contract are left out.
pub fn encode(batch: &Batch, rows: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + rows.len() * (8 + 16 * batch.columns.len()));
    (rows.len() as u32).put_le(&mut bytes);
    let times = batch.times();
    rows.iter().for_each(|row| times.get(*row as usize).put_le(&mut bytes));
    let known: Vec<(&Column, Kind)> =
        batch.columns.iter().filter_map(|column| Some((column, Kind::of(&column.values)?))).collect();
    bytes.extend((known.len() as u16).to_le_bytes());
    for (column, kind) in known {
        bytes.extend((column.name.len() as u16).to_le_bytes());
        bytes.extend(column.name.as_bytes());
        bytes.push(kind as u8);
        bytes.push(u8::from(column.valid.is_some()));
        if column.valid.is_some() {
            bytes.extend(rows.iter().map(|row| u8::from(column.is_there(*row as usize))));
        }
        encode_values(&column.values, rows, &mut bytes);
    }
    bytes
}

fn encode_values(values: &Values, rows: &[u32], bytes: &mut Vec<u8>) {
    let text = |bytes: &mut Vec<u8>, text: &[u8]| {
        (text.len() as u32).put_le(bytes);
        bytes.extend(text);
    };
    match values {
        Values::F64s(all) | Values::S64s(all) | Values::U64s(all) | Values::Timestamps(all) => {
            for row in rows {
                let from = *row as usize * 8;
                bytes.extend(all.get(from..from + 8).unwrap_or(&[0; 8]));
            }
        }
        Values::Bools(all) => {
            bytes.extend(rows.iter().map(|row| all.get(*row as usize).copied().unwrap_or(0)));
        }
        Values::Texts(packed) | Values::Blobs(packed) => {
            rows.iter().for_each(|row| text(bytes, packed.bytes_at(*row as usize)));
        }
        Values::Categories(categories) => {
            let codes = U32s::new(&categories.codes);
            for row in rows {
                text(bytes, categories.names.bytes_at(codes.get(*row as usize) as usize));
            }
        }
        Values::Other(_) => {}
    }
}

/// How many rows of a batch make a chunk of at most `bytes_max`, going by the average: at least one.
pub fn rows_per_chunk(batch: &Batch, bytes_max: usize) -> usize {
    let bytes: usize = batch.columns.iter().map(bytes_of_column).sum();
    let rows = batch.rows.max(1) as usize;
    (bytes_max / (bytes / rows + 16).max(1)).max(1)
}

fn bytes_of_column(column: &Column) -> usize {
    match &column.values {
        Values::F64s(bytes)
        | Values::S64s(bytes)
        | Values::U64s(bytes)
        | Values::Timestamps(bytes)
        | Values::Bools(bytes) => bytes.len(),
        Values::Texts(packed) | Values::Blobs(packed) => packed.offsets.len() + packed.data.len(),
        // Each name may stand in many rows; its length is taken for all of them.
        Values::Categories(categories) => {
            let names = categories.names.count().max(1);
            categories.codes.len() / 4 * (4 + categories.names.data.len() / names)
        }
        Values::Other(_) => 0,
    }
}
