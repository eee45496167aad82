//! Columns of a batch as the folding wants them: numbers as doubles, other values as codes into a list of distinct ones.
//!
//! In: columns of the contract. Out: views into them wherever the layout agrees; copies for whole numbers and for what must be hashed. A column
//! of texts is no column of numbers: then there is none.

use std::borrow::Cow;

use weir_sdk::column::{BatchExt, ColumnExt, PackedExt, S64s, U32s, U64s};
use weir_sdk::{Batch, Column, Values as Wire};
use weir_sketch::distinct::{hash, hash_number};

use crate::layout::Layout;

/// Doubles; `valid` has one byte per row, none: all are there.
#[derive(Clone, Debug)]
pub struct Numbers<'a> {
    pub f64s: Cow<'a, [u8]>,
    pub valid: Option<&'a [u8]>,
}

/// Values of any kind: for each row a code into names and hashes.
#[derive(Clone, Debug, Default)]
pub struct Items<'a> {
    pub codes: Vec<u32>,
    pub hashes: Vec<u64>,
    /// Only where they are asked for.
    pub names: Vec<Cow<'a, [u8]>>,
    pub valid: Option<&'a [u8]>,
}

/// What a layout needs of a batch.
#[derive(Clone, Debug, Default)]
pub struct Columns<'a> {
    /// In the order of the layout's columns; none where the stream does not have it.
    pub numbers: Vec<Option<Numbers<'a>>>,
    /// In the order of the layout's items.
    pub items: Vec<Option<Items<'a>>>,
}

impl<'a> Columns<'a> {
    pub fn of(batch: &'a Batch, layout: &Layout) -> Self {
        let numbers = layout.columns.iter().map(|column| {
            let values = batch.column(&column.name)?;
            if column.is_only_counted { Some(presence(values, batch.rows as usize)) } else { numbers(values) }
        });
        let items = layout.items.iter().map(|item| items(batch.column(&item.name)?, item.names)).collect();
        Self { numbers: numbers.collect(), items }
    }
}

impl Columns<'_> {
    /// A number of a row as a weight: 0 where there is none, or none that is finite.
    pub fn weight(&self, column: usize, row: usize) -> f64 {
        let Some(numbers) = self.numbers.get(column).and_then(Option::as_ref) else { return 0.0 };
        let is_there = numbers.valid.is_none_or(|valid| valid.get(row) == Some(&1));
        let weight = weir_sdk::column::F64s::new(&numbers.f64s).get(row);
        if is_there && weight.is_finite() { weight } else { 0.0 }
    }
}

/// Zeros where there is a value of any kind.
fn presence(column: &Column, rows: usize) -> Numbers<'_> {
    Numbers { f64s: Cow::Owned(vec![0; rows * 8]), valid: column.valid.as_deref() }
}

pub fn numbers(column: &Column) -> Option<Numbers<'_>> {
    let of = |values: Vec<f64>| Cow::Owned(weir_sdk::column::bytes_of(&values));
    let f64s = match &column.values {
        Wire::F64s(bytes) => Cow::Borrowed(bytes.as_slice()),
        Wire::S64s(bytes) | Wire::Timestamps(bytes) => {
            of(S64s::new(bytes).iter().map(|value| value as f64).collect())
        }
        Wire::U64s(bytes) => of(U64s::new(bytes).iter().map(|value| value as f64).collect()),
        Wire::Bools(bytes) => of(bytes.iter().map(|value| f64::from(*value)).collect()),
        _ => return None,
    };
    Some(Numbers { f64s, valid: column.valid.as_deref() })
}

pub fn items(column: &Column, with_names: bool) -> Option<Items<'_>> {
    let valid = column.valid.as_deref();
    let text = |text: String| Cow::Owned(text.into_bytes());
    let (hashes, names): (Vec<u64>, Vec<Cow<'_, [u8]>>) = match &column.values {
        Wire::Categories(categories) => {
            let all = || (0..categories.names.count()).map(|code| categories.names.bytes_at(code));
            let names = if with_names { all().map(Cow::Borrowed).collect() } else { Vec::new() };
            let codes = U32s::new(&categories.codes).to_vec();
            return Some(Items { codes, hashes: all().map(hash).collect(), names, valid });
        }
        Wire::Texts(packed) | Wire::Blobs(packed) => {
            let all = || (0..packed.count()).map(|row| packed.bytes_at(row));
            let names = if with_names { all().map(Cow::Borrowed).collect() } else { Vec::new() };
            (all().map(hash).collect(), names)
        }
        Wire::S64s(bytes) | Wire::Timestamps(bytes) => {
            let names = if with_names {
                S64s::new(bytes).iter().map(|value| text(value.to_string())).collect()
            } else {
                Vec::new()
            };
            (S64s::new(bytes).iter().map(|value| hash_number(value as f64)).collect(), names)
        }
        Wire::U64s(bytes) => {
            let names = if with_names {
                U64s::new(bytes).iter().map(|value| text(value.to_string())).collect()
            } else {
                Vec::new()
            };
            (U64s::new(bytes).iter().map(|value| hash_number(value as f64)).collect(), names)
        }
        Wire::F64s(_) | Wire::Bools(_) => {
            let numbers = numbers(column)?;
            let values: Vec<f64> = weir_sdk::column::F64s::new(&numbers.f64s).to_vec();
            let shown = |value: &f64| match &column.values {
                Wire::Bools(_) => text((*value != 0.0).to_string()),
                _ => text(value.to_string()),
            };
            let names = if with_names { values.iter().map(shown).collect() } else { Vec::new() };
            (values.iter().map(|value| hash_number(*value)).collect(), names)
        }
        Wire::Other(_) => return None,
    };
    Some(Items { codes: (0..hashes.len() as u32).collect(), hashes, names, valid })
}

/// New columns of a result.
#[derive(Debug, PartialEq)]
pub enum Output {
    Counts(Vec<u64>),
    /// NaN where there is no value.
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

impl Output {
    /// Whether a row has the same value, to the bit, in another column of the same result.
    pub fn is_same(&self, other: &Self, row: usize) -> bool {
        match (self, other) {
            (Self::Counts(left), Self::Counts(right)) => left.get(row) == right.get(row),
            (Self::Texts(left), Self::Texts(right)) => left.get(row) == right.get(row),
            (Self::Numbers(left), Self::Numbers(right)) => {
                left.get(row).map(|value| value.to_bits()) == right.get(row).map(|value| value.to_bits())
            }
            _ => false,
        }
    }

    pub fn into_column(self, name: &str) -> Column {
        match self {
            Self::Counts(counts) => Column::of_u64s(name, &counts),
            Self::Texts(texts) => Column::of_texts(name, texts),
            Self::Numbers(mut numbers) => {
                let missing = numbers.iter().any(|number| number.is_nan());
                let valid =
                    missing.then(|| numbers.iter().map(|number| u8::from(!number.is_nan())).collect());
                numbers.iter_mut().filter(|number| number.is_nan()).for_each(|number| *number = 0.0);
                Column { valid, ..Column::of_f64s(name, &numbers) }
            }
        }
    }
}
