//! Arrow columns as the contract wants them: borrowed little-endian bytes wherever the layouts agree.
//!
//! Copied are only: validity and booleans (bits to bytes), offsets of sliced text (they must start at 0), and the codes of a dictionary of which
//! the batch uses few names (sent whole it carries only those). A dictionary that the plan wants growing is sent as base and new names; which
//! names an instance has is in [`Dictionaries`].

use std::borrow::Cow;
use std::collections::VecDeque;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::{BooleanBuffer, OffsetBuffer};
use arrow_schema::DataType;
use weir_core::unit::NamedColumn;
use weir_engine::given;

/// Dictionary numbers are below this.
const DICTIONARIES_MAX: usize = 64;

/// Which dictionaries an instance was given, by their number.
#[derive(Debug, Default)]
pub struct Dictionaries {
    slots: Vec<Slot>,
    /// Numbers in the order of their last first use, to be given again.
    order: VecDeque<usize>,
}

#[derive(Debug)]
struct Slot {
    id: u64,
    sent: usize,
    names: StringArray,
}

impl Dictionaries {
    /// Count of names sent, by dictionary number; for the check of what comes back.
    pub fn sent(&self) -> Vec<u32> {
        self.slots.iter().map(|slot| slot.sent as u32).collect()
    }

    pub fn names(&self, dictionary: u32) -> Option<&StringArray> {
        self.slots.get(dictionary as usize).map(|slot| &slot.names)
    }

    /// The instance is gone, and with it what it knew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Number and base for the names of a dictionary; from now on the instance has all of them.
    fn give(&mut self, id: u64, names: &StringArray) -> (u32, usize) {
        let number = self.slots.iter().position(|slot| slot.id == id);
        let number = number.unwrap_or_else(|| self.take_slot(id, names));
        let Some(slot) = self.slots.get_mut(number) else { return (0, 0) };
        let base = slot.sent.min(names.len());
        slot.sent = names.len();
        slot.names = names.clone();
        (number as u32, base)
    }

    fn take_slot(&mut self, id: u64, names: &StringArray) -> usize {
        let slot = Slot { id, sent: 0, names: names.clone() };
        if self.slots.len() < DICTIONARIES_MAX {
            self.slots.push(slot);
            self.order.push_back(self.slots.len() - 1);
            return self.slots.len() - 1;
        }
        let oldest = self.order.pop_front().unwrap_or(0);
        self.order.push_back(oldest);
        if let Some(place) = self.slots.get_mut(oldest) {
            *place = slot;
        }
        oldest
    }
}

/// A column whose bytes are at hand.
pub struct Prepared<'a> {
    name: &'a str,
    values: Values<'a>,
    valid: Option<Vec<u8>>,
}

enum Values<'a> {
    F64s(&'a [u8]),
    S64s(&'a [u8]),
    U64s(&'a [u8]),
    Timestamps(&'a [u8]),
    Bools(Vec<u8>),
    Texts(Strings<'a>),
    Blobs(Strings<'a>),
    Categories { codes: Cow<'a, [u8]>, dictionary: u32, base: u32, names: Strings<'a> },
}

struct Strings<'a> {
    offsets: Cow<'a, [u8]>,
    data: Cow<'a, [u8]>,
}

/// `growing`: the plan wants this column's dictionary so. An array of a type that no batch holds is left out.
pub fn prepare<'a>(column: &'a NamedColumn, growing: bool, known: &mut Dictionaries) -> Option<Prepared<'a>> {
    let array = &column.array;
    let values = match array.data_type() {
        DataType::Float64 => Values::F64s(array.as_primitive::<Float64Type>().values().inner().as_slice()),
        DataType::Int64 => Values::S64s(array.as_primitive::<Int64Type>().values().inner().as_slice()),
        DataType::UInt64 => Values::U64s(array.as_primitive::<UInt64Type>().values().inner().as_slice()),
        DataType::Timestamp(_, _) => {
            Values::Timestamps(array.as_primitive::<TimestampNanosecondType>().values().inner().as_slice())
        }
        DataType::Boolean => Values::Bools(bytes(array.as_boolean().values())),
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            Values::Texts(strings(texts.offsets(), texts.values().as_slice()))
        }
        DataType::Binary => {
            let blobs = array.as_binary::<i32>();
            Values::Blobs(strings(blobs.offsets(), blobs.values().as_slice()))
        }
        DataType::Dictionary(_, _) => categories(array, column.dictionary.filter(|_| growing), known)?,
        _ => return None,
    };
    let valid = array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| bytes(nulls.inner()));
    Some(Prepared { name: &column.name, values, valid })
}

impl Prepared<'_> {
    pub fn lend(&self) -> given::Column<'_> {
        let values = match &self.values {
            Values::F64s(bytes) => given::Values::F64s(bytes),
            Values::S64s(bytes) => given::Values::S64s(bytes),
            Values::U64s(bytes) => given::Values::U64s(bytes),
            Values::Timestamps(bytes) => given::Values::Timestamps(bytes),
            Values::Bools(bytes) => given::Values::Bools(bytes),
            Values::Texts(texts) => given::Values::Texts(texts.lend()),
            Values::Blobs(blobs) => given::Values::Blobs(blobs.lend()),
            Values::Categories { codes, dictionary, base, names } => {
                given::Values::Categories(given::Categories {
                    codes,
                    dictionary: *dictionary,
                    base: *base,
                    names: names.lend(),
                })
            }
        };
        given::Column { name: self.name, values, valid: self.valid.as_deref() }
    }
}

impl Strings<'_> {
    fn lend(&self) -> given::Packed<'_> {
        given::Packed { offsets: &self.offsets, data: &self.data }
    }
}

/// One byte, 0 or 1, for each bit.
fn bytes(bits: &BooleanBuffer) -> Vec<u8> {
    bits.iter().map(u8::from).collect()
}

fn strings<'a>(offsets: &'a OffsetBuffer<i32>, data: &'a [u8]) -> Strings<'a> {
    let first = offsets.first();
    let last = offsets.last();
    let data = data.get(first as usize..last as usize).unwrap_or_default();
    let offsets = if first == 0 {
        Cow::Borrowed(offsets.inner().inner().as_slice())
    } else {
        Cow::Owned(offsets.iter().flat_map(|offset| (offset - first).to_le_bytes()).collect())
    };
    Strings { offsets, data: Cow::Borrowed(data) }
}

fn categories<'a>(array: &'a ArrayRef, growing: Option<u64>, known: &mut Dictionaries) -> Option<Values<'a>> {
    let coded = array.as_dictionary::<UInt32Type>();
    let names = coded.values().as_string_opt::<i32>()?;
    let codes = coded.keys().values();
    let all = || Cow::Borrowed(codes.inner().as_slice());
    if let Some(id) = growing {
        let (dictionary, base) = known.give(id, names);
        let names = owned(names, base..names.len());
        return Some(Values::Categories { codes: all(), dictionary, base: base as u32, names });
    }
    let mut numbers: Vec<u32> = vec![u32::MAX; names.len()];
    let mut used: Vec<usize> = Vec::new();
    for (row, code) in codes.iter().enumerate() {
        if let Some(number) = numbers.get_mut(*code as usize)
            && *number == u32::MAX
            && coded.is_valid(row)
        {
            *number = used.len() as u32;
            used.push(*code as usize);
        }
    }
    if used.len() == names.len() {
        let names = strings(names.offsets(), names.values().as_slice());
        return Some(Values::Categories { codes: all(), dictionary: 0, base: 0, names });
    }
    let code = |row: usize, code: &u32| {
        let number = if coded.is_valid(row) { numbers.get(*code as usize).copied().unwrap_or(0) } else { 0 };
        number.to_le_bytes()
    };
    let codes: Vec<u8> = codes.iter().enumerate().flat_map(|(row, number)| code(row, number)).collect();
    let names = owned(names, used.into_iter());
    Some(Values::Categories { codes: Cow::Owned(codes), dictionary: 0, base: 0, names })
}

fn owned(names: &StringArray, which: impl Iterator<Item = usize>) -> Strings<'static> {
    let (mut offsets, mut data) = (0u32.to_le_bytes().to_vec(), Vec::new());
    for index in which {
        data.extend_from_slice(names.value(index).as_bytes());
        offsets.extend((data.len() as u32).to_le_bytes());
    }
    Strings { offsets: Cow::Owned(offsets), data: Cow::Owned(data) }
}
