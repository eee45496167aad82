//! Which rows of a batch make it misbehave.
//!
//! In: the configured column and value, and a batch. Out: rising row numbers; without a configured value row 0.

use crate::config::{Equals, Poison};
use crate::wit::{Batch, Packed, Values};

/// None where the batch holds no such row: then it is treated well.
pub fn rows(poison: Option<&Poison>, batch: &Batch) -> Vec<u32> {
    let Some(poison) = poison else { return vec![0] };
    let Some(column) = batch.columns.iter().find(|column| column.name == poison.column) else {
        return Vec::new();
    };
    let rows = 0..batch.rows;
    match (&column.values, &poison.equals) {
        (Values::F64s(bytes), Equals::Number(wanted)) => {
            let values = bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            rows.zip(values).filter(|(_, value)| value == wanted).map(|(row, _)| row).collect()
        }
        (Values::Texts(texts), Equals::Text(wanted)) => rows
            .zip(strings(texts))
            .filter(|(_, text)| *text == wanted.as_bytes())
            .map(|(row, _)| row)
            .collect(),
        _ => Vec::new(),
    }
}

fn strings(texts: &Packed) -> impl Iterator<Item = &[u8]> {
    let offset = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
    let offsets = texts.offsets.as_chunks::<4>().0;
    offsets
        .array_windows()
        .map(move |[start, end]| texts.data.get(offset(start)..offset(end)).unwrap_or_default())
}

/// n x u32
pub fn indexes(rows: &[u32]) -> Vec<u8> {
    rows.iter().flat_map(|row| row.to_le_bytes()).collect()
}
