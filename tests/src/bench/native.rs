//! The work of the units of the bench `boundary` as a person would write it in Rust, over the same Arrow columns.
//!
//! This is what the price of the boundary is measured against: no component, no state outside, no checks.

pub mod rules;
pub mod units;

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use anyhow::{Context as _, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{BooleanArray, Float64Array};
use weir_core::batch::Batch;
use weir_core::projection::pick;
use weir_core::unit::Input;

use super::events::{self, HOSTS};

const WINDOW_NS: i64 = 1_000_000_000;
/// How far rows of later batches may lie before those of the first.
const LATE_WINDOWS: i64 = events::LATE_MS as i64 / 1_000 + 1;

/// The first column of the input, which is the latency.
fn latency(input: &Input) -> Result<&Float64Array> {
    let column = input.columns.first().context("no column")?;
    column.array.as_primitive_opt::<Float64Type>().context("the first column has no doubles")
}

/// `latency_ms > least`
pub fn filter(input: &Input, least: f64) -> Result<BooleanArray> {
    Ok(BooleanArray::from_unary(latency(input)?, |value| value > least))
}

/// `latency_ms / 1000`
pub fn transform(input: &Input) -> Result<Float64Array> {
    Ok(latency(input)?.unary(|value| value / 1_000.0))
}

/// Counts and sums by window and key, in arrays.
#[derive(Debug)]
pub struct Rollup {
    keys: usize,
    first: i64,
    cells: Vec<(u64, f64)>,
}

impl Default for Rollup {
    fn default() -> Self {
        Self::of(HOSTS)
    }
}

impl Rollup {
    /// For key numbers below `keys`.
    pub fn of(keys: usize) -> Self {
        Self { keys, first: 0, cells: Vec::new() }
    }

    pub fn fold(&mut self, input: &Input) -> Result<()> {
        if self.cells.is_empty() {
            self.first = input.time.iter().min().map_or(0, |time| time / WINDOW_NS - LATE_WINDOWS);
        }
        for ((time, key), value) in input.time.iter().zip(input.keys.iter()).zip(latency(input)?.values()) {
            let window = usize::try_from(time / WINDOW_NS - self.first).context("a time before the first")?;
            let at = window * self.keys + *key as usize;
            if at >= self.cells.len() {
                self.cells.resize((window + 1) * self.keys, (0, 0.0));
            }
            if let Some((count, sum)) = self.cells.get_mut(at) {
                *count += 1;
                *sum += value;
            }
        }
        Ok(())
    }
}

/// Anything by window and key, in one vector.
#[derive(Debug)]
pub struct Cells<T> {
    keys: usize,
    cells: Vec<T>,
}

/// Window (from the first of the bench on) and key number.
type Place = (usize, usize);

impl<T: Default + Clone> Cells<T> {
    /// For key numbers below `keys`.
    pub fn of(keys: usize) -> Self {
        Self { keys, cells: Vec::new() }
    }

    pub fn at(&mut self, (window, key): Place) -> Option<&mut T> {
        let at = window * self.keys + key;
        if at >= self.cells.len() {
            self.cells.resize((window + 1) * self.keys, T::default());
        }
        self.cells.get_mut(at)
    }
}

/// Place and value of each row; the first column has doubles. An error where the call gives none.
pub fn each(input: &Input, mut call: impl FnMut(Place, f64) -> Option<()>) -> Result<()> {
    for ((time, key), value) in input.time.iter().zip(input.keys.iter()).zip(latency(input)?.values()) {
        call(place(*time, *key), *value).context("a key over the count")?;
    }
    Ok(())
}

/// Place of each row and a number that stands for its text: the dictionary code of a category, a hash of a text.
pub fn each_code<R>(input: &Input, mut call: impl FnMut(Place, u64) -> Option<R>) -> Result<()> {
    let column = input.columns.first().context("no column")?;
    let places = input.time.iter().zip(input.keys.iter()).map(|(time, key)| place(*time, *key));
    if let Some(texts) = column.array.as_string_opt::<i32>() {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        for (at, text) in places.zip(texts.iter()) {
            call(at, hasher.hash_one(text)).context("a key over the count")?;
        }
        return Ok(());
    }
    let codes = column.array.as_dictionary_opt::<UInt32Type>().context("the first column has no text")?;
    for (at, code) in places.zip(codes.keys().values()) {
        call(at, u64::from(*code)).context("a key over the count")?;
    }
    Ok(())
}

fn place(time: i64, key: u32) -> Place {
    (time.rem_euclid(60 * WINDOW_NS) as usize / WINDOW_NS as usize, key as usize)
}

/// A chain of filters, each with its own bound, as rows of the batch go on.
pub fn chain(batch: &Batch, bounds: &[f64]) -> Result<Batch> {
    let mut batch = batch.clone();
    for least in bounds {
        let column = batch.columns.column_by_name("latency_ms").context("no column latency_ms")?;
        let column = column.as_primitive_opt::<Float64Type>().context("latency_ms has no doubles")?;
        let mask = BooleanArray::from_unary(column, |value| value > *least);
        batch = pick(&batch, mask.values());
    }
    Ok(batch)
}
