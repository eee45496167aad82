//! Reading and making columns of little-endian bytes.
//!
//! Views read unaligned and never panic: what is too short reads as 0 or empty (the host sends whole columns). Builders make what the
//! contract wants, offsets and codes included.

use std::collections::BTreeMap;

use weir_expr as expr;

use crate::{Batch, Categories, Column, Packed, Values};

/// A number that travels as little-endian bytes.
pub trait Number: Copy + Default + 'static {
    const BYTES: usize = size_of::<Self>();
    fn from_le(bytes: &[u8]) -> Self;
    fn put_le(self, bytes: &mut Vec<u8>);
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            #[inline]
            fn from_le(bytes: &[u8]) -> Self {
                bytes.try_into().map(Self::from_le_bytes).unwrap_or_default()
            }
            #[inline]
            fn put_le(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
number!(f64, i64, u64, u32, u8);

/// n numbers in bytes at any address.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a, T> {
    bytes: &'a [u8],
    kind: std::marker::PhantomData<T>,
}

pub type F64s<'a> = Numbers<'a, f64>;
pub type S64s<'a> = Numbers<'a, i64>;
pub type U64s<'a> = Numbers<'a, u64>;
pub type U32s<'a> = Numbers<'a, u32>;

impl<'a, T: Number> Numbers<'a, T> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, kind: std::marker::PhantomData }
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / T::BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// 0 beyond the end.
    #[inline]
    pub fn get(&self, index: usize) -> T {
        let from = index * T::BYTES;
        self.bytes.get(from..from + T::BYTES).map(T::from_le).unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = T> + 'a {
        self.bytes.chunks_exact(T::BYTES).map(T::from_le)
    }

    pub fn to_vec(&self) -> Vec<T> {
        self.iter().collect()
    }
}

/// The bytes of n numbers.
pub fn bytes_of<T: Number>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() * T::BYTES);
    values.iter().for_each(|value| value.put_le(&mut bytes));
    bytes
}

/// Reading byte strings, and making them with [`pack`].
pub trait PackedExt {
    fn count(&self) -> usize;
    /// Empty where there is none.
    fn bytes_at(&self, index: usize) -> &[u8];
    /// Empty where there is none or it is not UTF-8.
    fn text_at(&self, index: usize) -> &str;
}

impl PackedExt for Packed {
    fn count(&self) -> usize {
        (self.offsets.len() / 4).saturating_sub(1)
    }

    #[inline]
    fn bytes_at(&self, index: usize) -> &[u8] {
        let offsets = U32s::new(&self.offsets);
        if index >= self.count() {
            return &[];
        }
        self.data.get(offsets.get(index) as usize..offsets.get(index + 1) as usize).unwrap_or_default()
    }

    #[inline]
    fn text_at(&self, index: usize) -> &str {
        std::str::from_utf8(self.bytes_at(index)).unwrap_or_default()
    }
}

pub fn pack<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> Packed {
    let (mut offsets, mut data) = (vec![0; 4], Vec::new());
    for part in parts {
        data.extend_from_slice(part.as_ref());
        (data.len() as u32).put_le(&mut offsets);
    }
    Packed { offsets, data }
}

/// Categories with each distinct text once, in the order in which they appear.
pub fn categorize<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Categories {
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    let (mut codes, mut names) = (Vec::new(), Vec::new());
    for text in texts {
        let text = text.as_ref();
        let code = match known.get(text) {
            Some(code) => *code,
            None => {
                let code = known.len() as u32;
                known.insert(text.to_owned(), code);
                names.push(text.to_owned());
                code
            }
        };
        code.put_le(&mut codes);
    }
    Categories { codes, dictionary: 0, base: 0, names: pack(names) }
}

/// Finding columns in a batch.
pub trait BatchExt {
    fn column(&self, name: &str) -> Option<&Column>;
    fn times(&self) -> S64s<'_>;
    /// Key number of each row; 0 where the plan names no key.
    fn key_numbers(&self) -> U32s<'_>;
    /// For an expression: the columns, and the event time as `time`.
    fn expr_columns(&self) -> expr::Columns<'_>;
}

impl BatchExt for Batch {
    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn times(&self) -> S64s<'_> {
        S64s::new(&self.time)
    }

    fn key_numbers(&self) -> U32s<'_> {
        U32s::new(&self.keys)
    }

    fn expr_columns(&self) -> expr::Columns<'_> {
        let mut columns = expr::Columns::new(self.rows as usize);
        columns.add("time", expr::Source { view: expr::View::Timestamps(&self.time), valid: None });
        for column in &self.columns {
            if let Some(source) = column.expr_source() {
                columns.add(&column.name, source);
            }
        }
        columns
    }
}

fn packed(packed: &Packed) -> expr::Packed<'_> {
    expr::Packed { offsets: &packed.offsets, data: &packed.data }
}

/// Reading and making one column.
pub trait ColumnExt: Sized {
    /// Whether there is a value.
    fn is_there(&self, row: usize) -> bool;
    /// As an expression reads it; none for kinds that came later.
    fn expr_source(&self) -> Option<expr::Source<'_>>;
    fn new(name: &str, values: Values) -> Self;
    fn of_f64s(name: &str, values: &[f64]) -> Self;
    fn of_s64s(name: &str, values: &[i64]) -> Self;
    fn of_u64s(name: &str, values: &[u64]) -> Self;
    fn of_bools(name: &str, values: &[bool]) -> Self;
    fn of_texts<T: AsRef<str>>(name: &str, values: impl IntoIterator<Item = T>) -> Self;
    fn of_categories<T: AsRef<str>>(name: &str, values: impl IntoIterator<Item = T>) -> Self;
    /// What an expression gave.
    fn of_expr(name: &str, column: expr::Column, rows: usize) -> Self;
}

impl ColumnExt for Column {
    #[inline]
    fn is_there(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid.get(row) == Some(&1))
    }

    fn expr_source(&self) -> Option<expr::Source<'_>> {
        let view = match &self.values {
            Values::F64s(bytes) => expr::View::F64s(bytes),
            Values::S64s(bytes) => expr::View::S64s(bytes),
            Values::U64s(bytes) => expr::View::U64s(bytes),
            Values::Timestamps(bytes) => expr::View::Timestamps(bytes),
            Values::Bools(bytes) => expr::View::Bools(expr::Bits::Bytes(bytes)),
            Values::Texts(texts) => expr::View::Texts(packed(texts)),
            Values::Blobs(blobs) => expr::View::Blobs(packed(blobs)),
            Values::Categories(categories) => {
                expr::View::Categories { codes: &categories.codes, names: packed(&categories.names) }
            }
            Values::Other(_) => return None,
        };
        Some(expr::Source { view, valid: self.valid.as_deref().map(expr::Bits::Bytes) })
    }

    fn new(name: &str, values: Values) -> Self {
        Column { name: name.to_owned(), values, valid: None }
    }

    fn of_f64s(name: &str, values: &[f64]) -> Self {
        Self::new(name, Values::F64s(bytes_of(values)))
    }

    fn of_s64s(name: &str, values: &[i64]) -> Self {
        Self::new(name, Values::S64s(bytes_of(values)))
    }

    fn of_u64s(name: &str, values: &[u64]) -> Self {
        Self::new(name, Values::U64s(bytes_of(values)))
    }

    fn of_bools(name: &str, values: &[bool]) -> Self {
        Self::new(name, Values::Bools(values.iter().map(|value| u8::from(*value)).collect()))
    }

    fn of_texts<T: AsRef<str>>(name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let mut texts = expr::Texts::default();
        values.into_iter().for_each(|text| texts.push(text.as_ref().as_bytes()));
        Self::new(name, Values::Texts(packed_of(texts)))
    }

    fn of_categories<T: AsRef<str>>(name: &str, values: impl IntoIterator<Item = T>) -> Self {
        Self::new(name, Values::Categories(categorize(values)))
    }

    fn of_expr(name: &str, column: expr::Column, rows: usize) -> Self {
        let values = match column.values {
            // Nothing is known of its kind: an f64 column without a value.
            expr::Values::Null => Values::F64s(vec![0; rows * 8]),
            expr::Values::F64s(values) => Values::F64s(bytes_of(&values)),
            expr::Values::S64s(values) => Values::S64s(bytes_of(&values)),
            expr::Values::U64s(values) => Values::U64s(bytes_of(&values)),
            expr::Values::Timestamps(values) => Values::Timestamps(bytes_of(&values)),
            expr::Values::Bools(bytes) => Values::Bools(bytes),
            expr::Values::Texts(texts) => Values::Texts(packed_of(texts)),
            expr::Values::Blobs(blobs) => Values::Blobs(packed_of(blobs)),
            expr::Values::Categories { codes, names } => Values::Categories(Categories {
                codes: bytes_of(&codes),
                dictionary: 0,
                base: 0,
                names: packed_of(names),
            }),
        };
        Column { name: name.to_owned(), values, valid: column.valid }
    }
}

fn packed_of(texts: expr::Texts) -> Packed {
    Packed { offsets: bytes_of(&texts.offsets), data: texts.data }
}
