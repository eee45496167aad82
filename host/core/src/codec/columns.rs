//! The builder of one column.
//!
//! In: values, each for a row number; rows that are skipped become nulls. Out, at the end of a batch: an Arrow array and its field.
//!
//! The type follows the data and never narrows: Int64 becomes UInt64 where no value is negative, else Float64; any other mix becomes text
//! (numbers as Rust prints them, `true`, `false`). A value that does not fit is refused with [`Misfit`] and nothing is changed; the caller
//! decides to [`Column::adapt`]. Text is coded by a dictionary that lives across batches; where names do not repeat (more than half of the
//! values) or are too many it becomes plain Utf8 for good; where they are too long in all, a new dictionary begins.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray, UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field};

use super::dictionary::Dictionary;
use super::limits::Limits;
use crate::batch::DICTIONARY_ID;

/// One value of an event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Int(i64),
    /// Above `i64::MAX`.
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
}

/// The column's type must change before it can hold the value.
#[derive(Debug)]
pub(super) struct Misfit;

/// What [`Column::adapt`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adapted {
    /// From nothing to a first type.
    Typed,
    Widened,
    MixedToText,
}

#[derive(Debug)]
enum Values {
    /// No value yet.
    None,
    Int(Vec<i64>),
    UInt(Vec<u64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Coded(Box<Dictionary>, Vec<u32>),
    Text(TextValues),
}

#[derive(Debug)]
struct TextValues {
    /// End of each value in `bytes`, after a first 0.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

/// What happened to the dictionary at the end of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DictionaryEnd {
    Kept,
    Replaced,
    ToText,
}

#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    /// Rows so far, nulls included; rows after it are null until they are pushed.
    len: usize,
    /// One for each row from the first null on; empty: no nulls yet.
    valid: Vec<bool>,
    values: Values,
    /// Names of the dictionary before the last row, for taking that row back.
    names_before: usize,
    /// A negative number was here: UInt64 is no choice.
    negative: bool,
    /// Values of several types were turned into text.
    mixed: bool,
}

impl Column {
    pub fn new(name: String) -> Self {
        Self {
            name,
            len: 0,
            valid: Vec::new(),
            values: Values::None,
            names_before: 0,
            negative: false,
            mixed: false,
        }
    }

    /// Rows that have a value or a null.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Sets the value of `row`, which must not be below `len`.
    #[inline]
    pub fn push(&mut self, row: usize, value: Value) -> Result<(), Misfit> {
        if self.len < row {
            self.pad(row);
        }
        match (&mut self.values, value) {
            (Values::Coded(dictionary, codes), Value::Text(text)) => {
                self.names_before = dictionary.names();
                codes.push(dictionary.code(text));
            }
            (Values::Text(texts), Value::Text(text)) => texts.push(text),
            (Values::Int(ints), Value::Int(value)) => ints.push(value),
            (Values::Float(floats), Value::Float(value)) => floats.push(value),
            (Values::Bool(bools), Value::Bool(value)) => bools.push(value),
            _ => self.push_other(value)?,
        }
        if !self.valid.is_empty() {
            self.valid.push(true);
        }
        self.len += 1;
        Ok(())
    }

    /// Values that a column of another type can hold.
    #[inline(never)]
    fn push_other(&mut self, value: Value) -> Result<(), Misfit> {
        match (&mut self.values, value) {
            (Values::UInt(uints), Value::UInt(value)) => uints.push(value),
            (Values::UInt(uints), Value::Int(value)) => uints.push(u64::try_from(value).map_err(|_| Misfit)?),
            (Values::Float(floats), Value::Int(value)) => floats.push(value as f64),
            (Values::Float(floats), Value::UInt(value)) => floats.push(value as f64),
            (Values::Coded(dictionary, codes), value) if self.mixed => {
                self.names_before = dictionary.names();
                codes.push(dictionary.code(&text_of(value)));
            }
            (Values::Text(texts), value) if self.mixed => texts.push(&text_of(value)),
            _ => return Err(Misfit),
        }
        Ok(())
    }

    /// Makes rows up to `row` null.
    fn pad(&mut self, row: usize) {
        if self.valid.is_empty() {
            self.valid.resize(self.len, true);
        }
        self.valid.resize(row, false);
        match &mut self.values {
            Values::None => {}
            Values::Int(values) => values.resize(row, 0),
            Values::UInt(values) => values.resize(row, 0),
            Values::Float(values) => values.resize(row, 0.0),
            Values::Bool(values) => values.resize(row, false),
            Values::Coded(_, codes) => codes.resize(row, 0),
            Values::Text(texts) => texts.offsets.resize(row + 1, texts.bytes.len() as i32),
        }
        self.len = row;
    }

    /// Takes `row`, the last one, back.
    pub fn take_back(&mut self, row: usize) {
        if self.len <= row {
            return;
        }
        self.len = row;
        self.valid.truncate(row);
        match &mut self.values {
            Values::None => {}
            Values::Int(values) => values.truncate(row),
            Values::UInt(values) => values.truncate(row),
            Values::Float(values) => values.truncate(row),
            Values::Bool(values) => values.truncate(row),
            Values::Coded(dictionary, codes) => {
                codes.truncate(row);
                dictionary.truncate(self.names_before);
            }
            Values::Text(texts) => {
                texts.offsets.truncate(row + 1);
                texts.bytes.truncate(texts.offsets.last().map_or(0, |end| *end as usize));
            }
        }
    }

    /// Changes the type so that `value` fits.
    pub fn adapt(&mut self, value: Value) -> Adapted {
        let rows = self.len;
        let negative =
            self.negative || matches!(&self.values, Values::Int(ints) if ints.iter().any(|value| *value < 0));
        let (values, adapted) = match (std::mem::replace(&mut self.values, Values::None), value) {
            (Values::None, value) => (Values::empty_for(value, rows), Adapted::Typed),
            (Values::Int(ints), Value::UInt(_)) if !negative => {
                (Values::UInt(ints.into_iter().map(|value| value as u64).collect()), Adapted::Widened)
            }
            (Values::Int(ints), Value::UInt(_) | Value::Float(_)) => {
                (Values::Float(ints.into_iter().map(|value| value as f64).collect()), Adapted::Widened)
            }
            (Values::UInt(uints), Value::Int(_) | Value::Float(_)) => {
                (Values::Float(uints.into_iter().map(|value| value as f64).collect()), Adapted::Widened)
            }
            (Values::Text(texts), _) => (Values::Text(texts), Adapted::MixedToText),
            (Values::Coded(dictionary, codes), _) => (Values::Coded(dictionary, codes), Adapted::MixedToText),
            (values, _) => (self.coded(&values), Adapted::MixedToText),
        };
        self.mixed |= adapted == Adapted::MixedToText;
        self.values = values;
        adapted
    }

    /// Numbers or truth values as coded text.
    fn coded(&self, values: &Values) -> Values {
        let mut dictionary = Box::new(Dictionary::new());
        let mut codes = Vec::with_capacity(self.len + 1);
        for row in 0..self.len {
            let value = if self.valid.get(row).copied().unwrap_or(true) { values.get(row) } else { None };
            codes.push(value.map_or(0, |value| dictionary.code(&text_of(value))));
        }
        Values::Coded(dictionary, codes)
    }

    /// Decides at the end of a batch what becomes of the dictionary. Must be called before `field` and `finish`.
    pub fn settle_dictionary(&mut self, limits: &Limits) -> DictionaryEnd {
        let Values::Coded(dictionary, codes) = &mut self.values else { return DictionaryEnd::Kept };
        dictionary.values += codes.len() as u64;
        if !dictionary.pays() || dictionary.names() > limits.dictionary_names_max {
            let mut texts = TextValues::with_capacity(codes.len());
            for (row, code) in codes.iter().enumerate() {
                let null = !self.valid.get(row).copied().unwrap_or(true);
                texts.push_bytes(if null { &[] } else { dictionary.name(*code) });
            }
            self.values = Values::Text(texts);
            return DictionaryEnd::ToText;
        }
        if dictionary.names_bytes() > limits.dictionary_bytes_max {
            let mut fresh = Box::new(Dictionary::new());
            let mut by_old_code: HashMap<u32, u32> = HashMap::new();
            for code in codes.iter_mut() {
                let name = std::str::from_utf8(dictionary.name(*code)).unwrap_or_default();
                *code = *by_old_code.entry(*code).or_insert_with(|| fresh.code(name));
            }
            fresh.values = codes.len() as u64;
            *dictionary = fresh;
            return DictionaryEnd::Replaced;
        }
        DictionaryEnd::Kept
    }

    /// Type and metadata as they are now.
    pub fn field(&self) -> Field {
        let coded = || DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
        match &self.values {
            Values::Coded(dictionary, _) => {
                let metadata = [(DICTIONARY_ID.to_owned(), dictionary.id.to_string())];
                Field::new(&self.name, coded(), true).with_metadata(metadata)
            }
            Values::None | Values::Text(_) => Field::new(&self.name, DataType::Utf8, true),
            Values::Int(_) => Field::new(&self.name, DataType::Int64, true),
            Values::UInt(_) => Field::new(&self.name, DataType::UInt64, true),
            Values::Float(_) => Field::new(&self.name, DataType::Float64, true),
            Values::Bool(_) => Field::new(&self.name, DataType::Boolean, true),
        }
    }

    /// The array of `rows` rows; the column is empty afterwards, its type and dictionary stay.
    pub fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        // A column that the whole batch lacked stays small, one that it had will be as long again.
        let capacity = if self.len == 0 { 0 } else { rows };
        if self.len < rows {
            self.pad(rows);
        }
        if let Values::Int(ints) = &self.values {
            self.negative = self.negative || ints.iter().any(|value| *value < 0);
        }
        let valid = std::mem::take(&mut self.valid);
        let nulls = (!valid.is_empty()).then(|| NullBuffer::new(BooleanBuffer::from(valid)));
        self.len = 0;
        self.names_before = 0;
        Ok(match &mut self.values {
            Values::None => Arc::new(StringArray::new_null(rows)),
            Values::Int(values) => Arc::new(Int64Array::try_new(renew(values, capacity).into(), nulls)?),
            Values::UInt(values) => Arc::new(UInt64Array::try_new(renew(values, capacity).into(), nulls)?),
            Values::Float(values) => Arc::new(Float64Array::try_new(renew(values, capacity).into(), nulls)?),
            Values::Bool(values) => {
                Arc::new(BooleanArray::new(BooleanBuffer::from(renew(values, capacity)), nulls))
            }
            Values::Coded(dictionary, codes) => {
                let codes = UInt32Array::try_new(renew(codes, capacity).into(), nulls)?;
                Arc::new(DictionaryArray::<UInt32Type>::try_new(codes, dictionary.array()?)?)
            }
            Values::Text(texts) => {
                let fresh = TextValues::with_capacity(capacity);
                let texts = std::mem::replace(texts, fresh);
                let offsets = OffsetBuffer::new(texts.offsets.into());
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(texts.bytes), nulls)?)
            }
        })
    }
}

impl Values {
    /// `rows` nulls of the type of `value`.
    fn empty_for(value: Value, rows: usize) -> Self {
        match value {
            Value::Int(_) => Self::Int(vec![0; rows]),
            Value::UInt(_) => Self::UInt(vec![0; rows]),
            Value::Float(_) => Self::Float(vec![0.0; rows]),
            Value::Bool(_) => Self::Bool(vec![false; rows]),
            Value::Text(_) => Self::Coded(Box::new(Dictionary::new()), vec![0; rows]),
        }
    }

    fn get(&self, row: usize) -> Option<Value<'_>> {
        match self {
            Self::Int(values) => values.get(row).map(|value| Value::Int(*value)),
            Self::UInt(values) => values.get(row).map(|value| Value::UInt(*value)),
            Self::Float(values) => values.get(row).map(|value| Value::Float(*value)),
            Self::Bool(values) => values.get(row).map(|value| Value::Bool(*value)),
            Self::None | Self::Coded(..) | Self::Text(_) => None,
        }
    }
}

impl TextValues {
    fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::with_capacity(rows * 16) }
    }

    fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    fn push_bytes(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        // A batch ends long before 2 GiB (`Limits::batch_bytes_max` plus one event).
        self.offsets.push(self.bytes.len() as i32);
    }
}

fn renew<T>(values: &mut Vec<T>, capacity: usize) -> Vec<T> {
    std::mem::replace(values, Vec::with_capacity(capacity))
}

fn text_of(value: Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => text.to_owned(),
    }
}
