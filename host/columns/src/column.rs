//! The builder of one column.
//!
//! In: values, each for a row number; rows that are skipped become nulls. Out, at the end of a batch: an Arrow array and its field.
//!
//! The type follows the data and never narrows: Int64 becomes UInt64 where no value is negative, else Float64; any other mix becomes text
//! (see [`Raw::to_text`]). A value that does not fit is refused with [`Misfit`] and nothing is changed; the caller decides to
//! [`Column::adapt`]. Text is coded by a dictionary that lives across batches; where names do not repeat (more than half of the values) or
//! are too many it becomes plain Utf8 for good; where they are too long in all, a new dictionary begins.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};

use crate::bytes::append;
use crate::dictionary::Dictionary;
use crate::limits::Limits;
use crate::value::Raw;

/// The column's type must change before it can hold the value.
#[derive(Debug)]
pub(crate) struct Misfit;

/// What [`Column::adapt`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapted {
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
    Time(Vec<i64>),
    Coded(Box<Dictionary>, Vec<u32>),
    Text(Pieces),
    Bytes(Pieces),
}

/// Values of differing length, one behind the other.
#[derive(Debug)]
struct Pieces {
    /// End of each value in `bytes`, after a first 0.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

/// Zeros that all columns share which a whole batch lacked, so that a wide table of which each event has a few fields costs little.
#[derive(Debug)]
pub(crate) struct Blank {
    zeros: Buffer,
    /// Codes of a batch and no names; arrow has looked at each of them, which it need not do again for each column.
    codes: Option<DictionaryArray<UInt32Type>>,
}

impl Blank {
    pub fn new() -> Self {
        Self { zeros: Buffer::from_vec(Vec::<u64>::new()), codes: None }
    }

    /// No codes in `rows` rows.
    fn codes(&mut self, rows: usize) -> Result<&DictionaryArray<UInt32Type>, ArrowError> {
        let codes = match self.codes.take() {
            Some(codes) if codes.len() == rows => codes,
            _ => {
                let (zeros, nulls) = self.of(rows);
                let codes = UInt32Array::try_new(ScalarBuffer::new(zeros, 0, rows), Some(nulls))?;
                DictionaryArray::try_new(codes, Arc::new(StringArray::new_null(0)))?
            }
        };
        Ok(self.codes.insert(codes))
    }

    /// Zeros for `rows` values of any type, and the nulls.
    fn of(&mut self, rows: usize) -> (Buffer, NullBuffer) {
        // Offsets are one more than rows.
        if self.zeros.len() < (rows + 1) * 8 {
            self.zeros = Buffer::from_vec(vec![0u64; rows + 1]);
        }
        (self.zeros.clone(), NullBuffer::new(BooleanBuffer::new(self.zeros.clone(), 0, rows)))
    }
}

/// What happened to the dictionary at the end of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DictionaryEnd {
    Kept,
    Replaced,
    ToText,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub name: Arc<str>,
    /// Rows so far, nulls included; rows after it are null until they are pushed.
    len: usize,
    /// One bit for each row from the first null on; empty: no nulls yet.
    valid: BooleanBufferBuilder,
    values: Values,
    /// A negative number was here: UInt64 is no choice.
    negative: bool,
    /// Values of several types were turned into text.
    mixed: bool,
    /// Room for such a value as text.
    shown: Vec<u8>,
    /// Values of room beyond a batch. It differs from column to column: tables that fill in turn write all their columns at the same row, and places that are a
    /// round number of KiB apart would share a few sets of the nearest cache.
    slack: usize,
}

impl Column {
    pub fn new(name: Arc<str>, slack: usize) -> Self {
        let (valid, shown) = (BooleanBufferBuilder::new(0), Vec::new());
        Self { name, len: 0, valid, values: Values::None, negative: false, mixed: false, shown, slack }
    }

    /// Sets the value of `row`, which must not be below the number of rows so far.
    #[inline(always)]
    pub fn push(&mut self, row: usize, value: Raw<'_>) -> Result<(), Misfit> {
        if self.len < row {
            self.pad(row);
        }
        match (&mut self.values, value) {
            (Values::Coded(dictionary, codes), Raw::Text(text)) => {
                ask_ahead(codes);
                codes.push(dictionary.code(text));
            }
            (Values::Text(pieces), Raw::Text(text)) => pieces.push(text),
            (Values::Int(ints), Raw::Int(value)) => {
                ask_ahead(ints);
                ints.push(value);
            }
            (Values::Float(floats), Raw::Float(value)) => {
                ask_ahead(floats);
                floats.push(value);
            }
            (Values::Bool(bools), Raw::Bool(value)) => bools.push(value),
            _ => self.push_other(value)?,
        }
        if !self.valid.is_empty() {
            self.valid.append(true);
        }
        self.len += 1;
        Ok(())
    }

    /// Values that are rarer, or that a column of another type can hold.
    #[inline(never)]
    fn push_other(&mut self, value: Raw<'_>) -> Result<(), Misfit> {
        match (&mut self.values, value) {
            (Values::UInt(uints), Raw::UInt(value)) => uints.push(value),
            (Values::UInt(uints), Raw::Int(value)) => uints.push(u64::try_from(value).map_err(|_| Misfit)?),
            (Values::Float(floats), Raw::Int(value)) => floats.push(value as f64),
            (Values::Float(floats), Raw::UInt(value)) => floats.push(value as f64),
            (Values::Time(times), Raw::Time(value)) => times.push(value),
            (Values::Bytes(pieces), Raw::Bytes(bytes)) => pieces.push(bytes),
            (Values::Coded(dictionary, codes), value) if self.mixed => {
                codes.push(dictionary.code(value.to_text(&mut self.shown)));
            }
            (Values::Text(pieces), value) if self.mixed => pieces.push(value.to_text(&mut self.shown)),
            _ => return Err(Misfit),
        }
        Ok(())
    }

    /// Makes rows up to `row` null.
    #[inline(never)]
    fn pad(&mut self, row: usize) {
        if self.valid.is_empty() {
            self.valid.append_n(self.len, true);
        }
        self.valid.append_n(row - self.len, false);
        match &mut self.values {
            Values::None => {}
            Values::Int(values) | Values::Time(values) => values.resize(row, 0),
            Values::UInt(values) => values.resize(row, 0),
            Values::Float(values) => values.resize(row, 0.0),
            Values::Bool(values) => values.resize(row, false),
            Values::Coded(_, codes) => codes.resize(row, 0),
            Values::Text(pieces) | Values::Bytes(pieces) => {
                pieces.offsets.resize(row + 1, pieces.bytes.len() as i32);
            }
        }
        self.len = row;
    }

    /// Changes the type so that `value` fits.
    pub fn adapt(&mut self, value: Raw<'_>) -> Adapted {
        let rows = self.len;
        let negative =
            self.negative || matches!(&self.values, Values::Int(ints) if ints.iter().any(|value| *value < 0));
        let (values, adapted) = match (std::mem::replace(&mut self.values, Values::None), value) {
            (Values::None, value) => (Values::empty_for(value, rows), Adapted::Typed),
            (Values::Int(ints), Raw::UInt(_)) if !negative => {
                (Values::UInt(ints.into_iter().map(|value| value as u64).collect()), Adapted::Widened)
            }
            (Values::Int(ints), Raw::UInt(_) | Raw::Float(_)) => {
                (Values::Float(ints.into_iter().map(|value| value as f64).collect()), Adapted::Widened)
            }
            (Values::UInt(uints), Raw::Int(_) | Raw::Float(_)) => {
                (Values::Float(uints.into_iter().map(|value| value as f64).collect()), Adapted::Widened)
            }
            (values @ (Values::Text(_) | Values::Coded(..)), _) => (values, Adapted::MixedToText),
            (values, _) => (self.coded(&values), Adapted::MixedToText),
        };
        self.mixed |= adapted == Adapted::MixedToText;
        self.values = values;
        adapted
    }

    /// Values that are no text as coded text.
    fn coded(&self, values: &Values) -> Values {
        let mut dictionary = Box::new(Dictionary::new());
        let mut codes = Vec::with_capacity(self.len + 1);
        let mut text = Vec::new();
        for row in 0..self.len {
            let value = if self.is_null(row) { None } else { values.get(row) };
            codes.push(value.map_or(0, |value| dictionary.code(value.to_text(&mut text))));
        }
        Values::Coded(dictionary, codes)
    }

    fn is_null(&self, row: usize) -> bool {
        is_null(&self.valid, row)
    }

    /// Decides at the end of a batch what becomes of the dictionary. Must be called before `field` and `finish`.
    pub fn settle_dictionary(&mut self, limits: &Limits) -> DictionaryEnd {
        let Values::Coded(dictionary, codes) = &mut self.values else { return DictionaryEnd::Kept };
        dictionary.values += codes.len() as u64;
        if !dictionary.pays() || dictionary.names() > limits.dictionary_names_max {
            let mut texts = Pieces::with_capacity(codes.len());
            for (row, code) in codes.iter().enumerate() {
                texts.push(if is_null(&self.valid, row) { &[] } else { dictionary.name(*code) });
            }
            self.values = Values::Text(texts);
            return DictionaryEnd::ToText;
        }
        if dictionary.names_bytes() > limits.dictionary_bytes_max {
            let mut fresh = Box::new(Dictionary::new());
            let mut by_old_code: HashMap<u32, u32> = HashMap::new();
            for code in codes.iter_mut() {
                *code = *by_old_code.entry(*code).or_insert_with(|| fresh.code(dictionary.name(*code)));
            }
            fresh.values = codes.len() as u64;
            *dictionary = fresh;
            return DictionaryEnd::Replaced;
        }
        DictionaryEnd::Kept
    }

    pub fn data_type(&self) -> DataType {
        match &self.values {
            Values::Coded(..) => DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8)),
            Values::None | Values::Text(_) => DataType::Utf8,
            Values::Int(_) => DataType::Int64,
            Values::UInt(_) => DataType::UInt64,
            Values::Float(_) => DataType::Float64,
            Values::Bool(_) => DataType::Boolean,
            Values::Bytes(_) => DataType::Binary,
            Values::Time(_) => DataType::Timestamp(TimeUnit::Nanosecond, None),
        }
    }

    /// Type and metadata as they are now; a dictionary's id stands under `id_key`.
    pub fn field(&self, id_key: &str) -> Field {
        let field = Field::new(&*self.name, self.data_type(), true);
        match &self.values {
            Values::Coded(dictionary, _) => {
                field.with_metadata([(id_key.to_owned(), dictionary.id.to_string())])
            }
            _ => field,
        }
    }

    /// The array of a batch in which no row has the column.
    fn blank(&mut self, rows: usize, blank: &mut Blank) -> Result<ArrayRef, ArrowError> {
        let (zeros, nulls) = blank.of(rows);
        let nulls = Some(nulls);
        let offsets = || OffsetBuffer::new(ScalarBuffer::new(zeros.clone(), 0, rows + 1));
        let none = Buffer::from_vec(Vec::<u8>::new());
        Ok(match &mut self.values {
            Values::None | Values::Text(_) => Arc::new(StringArray::try_new(offsets(), none, nulls)?),
            Values::Bytes(_) => Arc::new(BinaryArray::try_new(offsets(), none, nulls)?),
            Values::Int(_) => Arc::new(Int64Array::try_new(ScalarBuffer::new(zeros, 0, rows), nulls)?),
            Values::UInt(_) => Arc::new(UInt64Array::try_new(ScalarBuffer::new(zeros, 0, rows), nulls)?),
            Values::Float(_) => Arc::new(Float64Array::try_new(ScalarBuffer::new(zeros, 0, rows), nulls)?),
            Values::Time(_) => {
                Arc::new(TimestampNanosecondArray::try_new(ScalarBuffer::new(zeros, 0, rows), nulls)?)
            }
            Values::Bool(_) => Arc::new(BooleanArray::new(BooleanBuffer::new(zeros, 0, rows), nulls)),
            Values::Coded(dictionary, _) => {
                // As many names as none, or more: it does not panic.
                Arc::new(blank.codes(rows)?.with_values(dictionary.array()?))
            }
        })
    }

    /// The array of `rows` rows; the column is empty afterwards, its type and dictionary stay.
    pub fn finish(&mut self, rows: usize, blank: &mut Blank) -> Result<ArrayRef, ArrowError> {
        if self.len == 0 {
            return self.blank(rows, blank);
        }
        // It will be as long again.
        let capacity = rows + self.slack;
        if self.len < rows {
            self.pad(rows);
        }
        if let Values::Int(ints) = &self.values {
            self.negative = self.negative || ints.iter().any(|value| *value < 0);
        }
        let nulls = (!self.valid.is_empty()).then(|| NullBuffer::new(self.valid.finish()));
        self.len = 0;
        Ok(match &mut self.values {
            Values::None => Arc::new(StringArray::new_null(rows)),
            Values::Int(values) => Arc::new(Int64Array::try_new(renew(values, capacity), nulls)?),
            Values::Time(values) => {
                Arc::new(TimestampNanosecondArray::try_new(renew(values, capacity), nulls)?)
            }
            Values::UInt(values) => Arc::new(UInt64Array::try_new(renew(values, capacity), nulls)?),
            Values::Float(values) => Arc::new(Float64Array::try_new(renew(values, capacity), nulls)?),
            Values::Bool(values) => {
                let values = std::mem::replace(values, Vec::with_capacity(capacity));
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            Values::Coded(dictionary, codes) => {
                let codes = UInt32Array::try_new(renew(codes, capacity), nulls)?;
                Arc::new(coded_array(codes, dictionary.array()?))
            }
            Values::Text(pieces) => {
                let (offsets, bytes) = pieces.renew(capacity);
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Values::Bytes(pieces) => {
                let (offsets, bytes) = pieces.renew(capacity);
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
        })
    }
}

impl Values {
    /// `rows` nulls of the type of `value`.
    fn empty_for(value: Raw<'_>, rows: usize) -> Self {
        match value {
            Raw::Int(_) => Self::Int(vec![0; rows]),
            Raw::UInt(_) => Self::UInt(vec![0; rows]),
            Raw::Float(_) => Self::Float(vec![0.0; rows]),
            Raw::Bool(_) => Self::Bool(vec![false; rows]),
            Raw::Time(_) => Self::Time(vec![0; rows]),
            Raw::Text(_) => Self::Coded(Box::new(Dictionary::new()), vec![0; rows]),
            Raw::Bytes(_) => Self::Bytes(Pieces { offsets: vec![0; rows + 1], bytes: Vec::new() }),
        }
    }

    fn get(&self, row: usize) -> Option<Raw<'_>> {
        match self {
            Self::Int(values) => values.get(row).map(|value| Raw::Int(*value)),
            Self::UInt(values) => values.get(row).map(|value| Raw::UInt(*value)),
            Self::Float(values) => values.get(row).map(|value| Raw::Float(*value)),
            Self::Bool(values) => values.get(row).map(|value| Raw::Bool(*value)),
            Self::Time(values) => values.get(row).map(|value| Raw::Time(*value)),
            Self::Bytes(pieces) => pieces.get(row).map(Raw::Bytes),
            Self::None | Self::Coded(..) | Self::Text(_) => None,
        }
    }
}

impl Pieces {
    fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::with_capacity(rows * 16) }
    }

    #[inline(always)]
    fn push(&mut self, piece: &[u8]) {
        ask_ahead(&self.offsets);
        ask_ahead(&self.bytes);
        append(&mut self.bytes, piece);
        // A batch ends long before 2 GiB (`Limits::batch_bytes_max` plus one event).
        self.offsets.push(self.bytes.len() as i32);
    }

    fn get(&self, row: usize) -> Option<&[u8]> {
        let (start, end) = (*self.offsets.get(row)?, *self.offsets.get(row + 1)?);
        self.bytes.get(start as usize..end as usize)
    }

    fn renew(&mut self, rows: usize) -> (OffsetBuffer<i32>, Buffer) {
        let old = std::mem::replace(self, Self::with_capacity(rows));
        (OffsetBuffer::new(old.offsets.into()), Buffer::from_vec(old.bytes))
    }
}

/// Asks for the line of memory behind the one that is being filled. A processor does so by itself where few places are written in turn; ten tables of ten
/// columns are too many for it.
#[inline(always)]
#[allow(unsafe_code)]
fn ask_ahead<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let next = values.as_ptr().wrapping_add(values.len() + 64 / size_of::<T>());
        // SAFETY: only a hint: nothing is read, wherever this points.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(next.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// The row is among those that have a bit, and its bit is not set.
fn is_null(valid: &BooleanBufferBuilder, row: usize) -> bool {
    row < valid.len() && !valid.get_bit(row)
}

/// Codes with their names. Arrow's own constructor looks at each code, which costs as much as coding did in a wide table with few values.
#[allow(unsafe_code)]
fn coded_array(codes: UInt32Array, names: ArrayRef) -> DictionaryArray<UInt32Type> {
    // SAFETY: each code of a row that is not null was given by the dictionary whose names these are, and names are never taken away.
    unsafe { DictionaryArray::new_unchecked(codes, names) }
}

fn renew<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>, capacity: usize) -> ScalarBuffer<T> {
    std::mem::replace(values, Vec::with_capacity(capacity)).into()
}
