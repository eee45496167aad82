//! Numbers that an expression carries on from row to row of a key: `state + price`.
//!
//! In: for each row the base of its cell, and the batch. The rows of one key follow each other, those of different keys do not: the expression is computed for the first row of all keys at once, then
//! for the second ones, and so on, so it costs what it costs elsewhere where keys are many, and about a microsecond a row where there is one key only. Where there is no result, or it is
//! no finite number, the state stays. Base 0 is a bin for rows that do not count.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use weir_sdk::column::{PackedExt, bytes_of};
use weir_sdk::expr::{self, Bits, Columns, Packed, Source, View};
use weir_sdk::{Batch, Column, Values};

use crate::cache::{BIN, WindowHasher};
use crate::function::STATE;
use crate::layout::Layout;

/// Carries on the states of the rows from `from` on; `bases` has one entry for each of them.
pub fn fold(layout: &Layout, from: usize, bases: &[u32], input: &Batch, words: &mut [u64]) {
    if layout.steps.is_empty() {
        return;
    }
    for rows in rounds(from, bases) {
        let gathered: Vec<Gathered> =
            input.columns.iter().filter_map(|column| Gathered::of(column, &rows)).collect();
        let time = picked::<8>(&input.time, &rows);
        for step in &layout.steps {
            let word = |row: &usize| bases.get(row - from).map(|base| *base as usize + step.word);
            let places: Vec<usize> = rows.iter().filter_map(word).collect();
            let states = places.iter().map(|place| words.get(*place).copied().unwrap_or(0));
            let states: Vec<u8> = states.flat_map(u64::to_le_bytes).collect();
            let mut columns = Columns::new(rows.len());
            columns.add("time", Source { view: View::Timestamps(&time), valid: None });
            for column in &gathered {
                columns.add(column.name, column.source());
            }
            columns.add(STATE, Source { view: View::F64s(&states), valid: None });
            for (place, state) in places.iter().zip(numbers(step.next.eval(&columns), rows.len())) {
                if let Some(word) = words.get_mut(*place).filter(|_| state.is_finite()) {
                    *word = state.to_bits();
                }
            }
        }
    }
}

/// Rows of the batch: those that are the first of their key, those that are the second, ...
fn rounds(from: usize, bases: &[u32]) -> Vec<Vec<usize>> {
    let mut counts: HashMap<u32, usize, BuildHasherDefault<WindowHasher>> = HashMap::default();
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (row, base) in bases.iter().enumerate().filter(|(_, base)| **base != BIN) {
        let count = counts.entry(*base).or_default();
        if *count == rounds.len() {
            rounds.push(Vec::new());
        }
        if let Some(round) = rounds.get_mut(*count) {
            round.push(from + row);
        }
        *count += 1;
    }
    rounds
}

/// As f64; NaN where there is no number.
fn numbers(result: expr::Column, rows: usize) -> Vec<f64> {
    let mut numbers: Vec<f64> = match result.values {
        expr::Values::F64s(values) => values,
        expr::Values::S64s(values) => values.into_iter().map(|value| value as f64).collect(),
        expr::Values::U64s(values) => values.into_iter().map(|value| value as f64).collect(),
        expr::Values::Bools(values) => values.into_iter().map(f64::from).collect(),
        _ => vec![f64::NAN; rows],
    };
    for (number, valid) in numbers.iter_mut().zip(result.valid.iter().flatten()) {
        if *valid == 0 {
            *number = f64::NAN;
        }
    }
    numbers
}

/// Some rows of a column; the names of categories are not copied.
struct Gathered<'a> {
    name: &'a str,
    values: &'a Values,
    /// Values of a fixed size or codes.
    bytes: Vec<u8>,
    /// Of texts and blobs, offsets of `bytes`.
    offsets: Vec<u8>,
    valid: Option<Vec<u8>>,
}

impl<'a> Gathered<'a> {
    /// None for kinds that came later.
    fn of(column: &'a Column, rows: &[usize]) -> Option<Self> {
        let mut offsets = Vec::new();
        let bytes = match &column.values {
            Values::F64s(bytes) | Values::S64s(bytes) | Values::U64s(bytes) | Values::Timestamps(bytes) => {
                picked::<8>(bytes, rows)
            }
            Values::Bools(bytes) => picked::<1>(bytes, rows),
            Values::Categories(categories) => picked::<4>(&categories.codes, rows),
            Values::Texts(packed) | Values::Blobs(packed) => {
                let (mut data, mut ends) = (Vec::new(), vec![0_u32]);
                for row in rows {
                    data.extend_from_slice(packed.bytes_at(*row));
                    ends.push(data.len() as u32);
                }
                offsets = bytes_of(&ends);
                data
            }
            Values::Other(_) => return None,
        };
        let valid = column.valid.as_ref().map(|valid| picked::<1>(valid, rows));
        Some(Self { name: &column.name, values: &column.values, bytes, offsets, valid })
    }

    fn source(&self) -> Source<'_> {
        let bytes = self.bytes.as_slice();
        let packed = Packed { offsets: &self.offsets, data: bytes };
        let view = match self.values {
            Values::S64s(_) => View::S64s(bytes),
            Values::U64s(_) => View::U64s(bytes),
            Values::Timestamps(_) => View::Timestamps(bytes),
            Values::Bools(_) => View::Bools(Bits::Bytes(bytes)),
            Values::Categories(categories) => {
                let names = Packed { offsets: &categories.names.offsets, data: &categories.names.data };
                View::Categories { codes: bytes, names }
            }
            Values::Texts(_) => View::Texts(packed),
            Values::Blobs(_) => View::Blobs(packed),
            // Of the others `of` lets these alone through.
            Values::F64s(_) | Values::Other(_) => View::F64s(bytes),
        };
        Source { view, valid: self.valid.as_deref().map(Bits::Bytes) }
    }
}

fn picked<const SIZE: usize>(bytes: &[u8], rows: &[usize]) -> Vec<u8> {
    let values = bytes.as_chunks::<SIZE>().0;
    rows.iter().flat_map(|row| values.get(*row).copied().unwrap_or([0; SIZE])).collect()
}
