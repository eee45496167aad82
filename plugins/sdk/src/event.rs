//! Rows as structs: `#[derive(Event)]` reads columns into a struct per row, `#[derive(Columns)]` makes columns of a struct per row.
//!
//! A field that is an `Option` may be missing in a row or in the stream; a row that lacks any other field is no event. The cost is a few
//! nanoseconds per field and row; where that is too much, read whole columns ([`crate::column`]).

use crate::column::{F64s, Number, Numbers, PackedExt, S64s, U32s, U64s, pack};
use crate::{Batch, Column, Packed, Read, Values};

/// Made by the derive.
pub trait Event {
    type Row<'a>;
    type Readers<'a>;
    fn reads() -> Vec<Read>;
    fn readers(batch: &Batch) -> Self::Readers<'_>;
    /// None where a field that must be there is not.
    fn row<'a>(readers: &Self::Readers<'a>, row: usize) -> Option<Self::Row<'a>>;
}

/// A type that a field of an event can have.
pub trait Field<'a>: Sized {
    /// As in the plan.
    const KIND: &'static str;
    const OPTIONAL: bool = false;
    type Reader;
    fn reader(column: Option<&'a Column>) -> Self::Reader;
    fn get(reader: &Self::Reader, row: usize) -> Option<Self>;
}

pub fn read_of<'a, T: Field<'a>>(name: &str) -> Read {
    if T::OPTIONAL { Read::optional(name, T::KIND) } else { Read::new(name, T::KIND) }
}

/// One byte for each row: 1 where it is an event that is wanted.
pub fn mask<E: Event>(batch: &Batch, keep: impl Fn(&E::Row<'_>) -> bool) -> Vec<u8> {
    let readers = E::readers(batch);
    (0..batch.rows as usize)
        .map(|row| u8::from(E::row(&readers, row).is_some_and(|event| keep(&event))))
        .collect()
}

/// New columns, one value for each row.
pub fn set<E: Event, C: Columns>(batch: &Batch, make: impl Fn(&E::Row<'_>) -> C) -> Vec<Column> {
    let readers = E::readers(batch);
    let mut builders = C::Builders::default();
    for row in 0..batch.rows as usize {
        match E::row(&readers, row) {
            Some(event) => make(&event).push(&mut builders),
            None => C::push_nothing(&mut builders),
        }
    }
    C::finish(builders)
}

/// Values of a column, and where they are.
pub struct Reader<'a, T> {
    values: Option<T>,
    valid: Option<&'a [u8]>,
}

impl<T> Reader<'_, T> {
    /// The values, if row has one.
    #[inline]
    fn there(&self, row: usize) -> Option<&T> {
        let values = self.values.as_ref()?;
        self.valid.is_none_or(|valid| valid.get(row) == Some(&1)).then_some(values)
    }
}

macro_rules! field {
    ($kind:ty, $name:literal, $view:ident, $($case:ident)|+) => {
        impl<'a> Field<'a> for $kind {
            const KIND: &'static str = $name;
            type Reader = Reader<'a, $view<'a>>;

            fn reader(column: Option<&'a Column>) -> Self::Reader {
                let values = column.and_then(|column| match &column.values {
                    $(Values::$case(bytes))|+ => Some(Numbers::new(bytes)),
                    _ => None,
                });
                Reader { values, valid: column.and_then(|column| column.valid.as_deref()) }
            }

            #[inline]
            fn get(reader: &Self::Reader, row: usize) -> Option<Self> {
                reader.there(row).map(|values| values.get(row))
            }
        }
    };
}
field!(f64, "f64s", F64s, F64s);
field!(i64, "s64s", S64s, S64s | Timestamps);
field!(u64, "u64s", U64s, U64s);

impl<'a> Field<'a> for bool {
    const KIND: &'static str = "bools";
    type Reader = Reader<'a, &'a [u8]>;

    fn reader(column: Option<&'a Column>) -> Self::Reader {
        let values = column.and_then(|column| match &column.values {
            Values::Bools(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        Reader { values, valid: column.and_then(|column| column.valid.as_deref()) }
    }

    fn get(reader: &Self::Reader, row: usize) -> Option<Self> {
        reader.there(row).map(|bytes| bytes.get(row) == Some(&1))
    }
}

/// Text of a row, wherever it lies.
#[derive(Clone, Copy)]
pub enum Text<'a> {
    Packed(&'a Packed),
    Categories { codes: U32s<'a>, names: &'a Packed },
}

impl<'a> Field<'a> for &'a str {
    const KIND: &'static str = "categories";
    type Reader = Reader<'a, Text<'a>>;

    fn reader(column: Option<&'a Column>) -> Self::Reader {
        let values = column.and_then(|column| match &column.values {
            Values::Texts(texts) => Some(Text::Packed(texts)),
            Values::Categories(categories) => {
                Some(Text::Categories { codes: U32s::new(&categories.codes), names: &categories.names })
            }
            _ => None,
        });
        Reader { values, valid: column.and_then(|column| column.valid.as_deref()) }
    }

    fn get(reader: &Self::Reader, row: usize) -> Option<Self> {
        Some(match reader.there(row)? {
            Text::Packed(texts) => texts.text_at(row),
            Text::Categories { codes, names } => names.text_at(codes.get(row) as usize),
        })
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    const KIND: &'static str = T::KIND;
    const OPTIONAL: bool = true;
    type Reader = T::Reader;

    fn reader(column: Option<&'a Column>) -> Self::Reader {
        T::reader(column)
    }

    fn get(reader: &Self::Reader, row: usize) -> Option<Self> {
        Some(T::get(reader, row))
    }
}

/// Made by the derive: one column for each field.
pub trait Columns: Sized {
    type Builders: Default;
    fn push(self, builders: &mut Self::Builders);
    fn push_nothing(builders: &mut Self::Builders);
    fn finish(builders: Self::Builders) -> Vec<Column>;
}

/// A type that a field of the output can have.
pub trait Cell: Sized {
    /// What is collected: bytes of numbers, or texts.
    type Store: Default;
    /// False where there is no value; something is stored all the same.
    fn store(self, store: &mut Self::Store) -> bool;
    fn store_nothing(store: &mut Self::Store);
    fn values(store: Self::Store) -> Values;
}

pub struct Builder<T: Cell> {
    store: T::Store,
    valid: Vec<u8>,
}

impl<T: Cell> Default for Builder<T> {
    fn default() -> Self {
        Self { store: T::Store::default(), valid: Vec::new() }
    }
}

impl<T: Cell> Builder<T> {
    pub fn push(&mut self, value: T) {
        let there = value.store(&mut self.store);
        self.valid.push(u8::from(there));
    }

    pub fn push_nothing(&mut self) {
        T::store_nothing(&mut self.store);
        self.valid.push(0);
    }

    pub fn finish(self, name: &str) -> Column {
        let complete = self.valid.iter().all(|valid| *valid == 1);
        Column {
            name: name.to_owned(),
            values: T::values(self.store),
            valid: (!complete).then_some(self.valid),
        }
    }
}

macro_rules! cell {
    ($kind:ty, $case:ident) => {
        impl Cell for $kind {
            type Store = Vec<u8>;

            fn store(self, store: &mut Vec<u8>) -> bool {
                self.put_le(store);
                true
            }

            fn store_nothing(store: &mut Vec<u8>) {
                Self::default().put_le(store);
            }

            fn values(store: Vec<u8>) -> Values {
                Values::$case(store)
            }
        }
    };
}
cell!(f64, F64s);
cell!(i64, S64s);
cell!(u64, U64s);

impl Cell for bool {
    type Store = Vec<u8>;

    fn store(self, store: &mut Vec<u8>) -> bool {
        store.push(u8::from(self));
        true
    }

    fn store_nothing(store: &mut Vec<u8>) {
        store.push(0);
    }

    fn values(store: Vec<u8>) -> Values {
        Values::Bools(store)
    }
}

impl Cell for String {
    type Store = Vec<Self>;

    fn store(self, store: &mut Vec<Self>) -> bool {
        store.push(self);
        true
    }

    fn store_nothing(store: &mut Vec<Self>) {
        store.push(Self::new());
    }

    fn values(store: Vec<Self>) -> Values {
        Values::Texts(pack(store))
    }
}

impl<T: Cell> Cell for Option<T> {
    type Store = T::Store;

    fn store(self, store: &mut T::Store) -> bool {
        match self {
            Some(value) => value.store(store),
            None => {
                T::store_nothing(store);
                false
            }
        }
    }

    fn store_nothing(store: &mut T::Store) {
        T::store_nothing(store);
    }

    fn values(store: T::Store) -> Values {
        T::values(store)
    }
}
