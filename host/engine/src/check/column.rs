//! One column that a guest returned, checked and typed.
//!
//! In: a raw column and how many rows it must have. Out: vectors of numbers in the machine's order; strings as Arrow has them (i32
//! offsets, n + 1 of them). The copy from bytes to numbers is one pass and aligns them.

use super::{Budget, Known, Wrong, packed};
use crate::bindings::raw;

/// Longest name of a column.
const NAME_BYTES_MAX: usize = 256;

/// n strings: `offsets` has n + 1 entries, from 0, never falling, the last is the length of `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strings {
    pub offsets: Vec<i32>,
    pub data: Vec<u8>,
}

impl Strings {
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// String `index`; empty where there is none.
    pub fn get(&self, index: usize) -> &[u8] {
        match (self.offsets.get(index), self.offsets.get(index + 1)) {
            (Some(&start), Some(&end)) => self.data.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// What codes point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// The guest's own, whole, UTF-8. Not necessarily distinct.
    Own(Strings),
    /// The first `base` names of a dictionary as the host gave it to this instance.
    Given { dictionary: u32, base: u32 },
}

/// Each code is below the count of names, or belongs to a row without a value and is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Categories {
    pub codes: Vec<u32>,
    pub names: Names,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F64s(Vec<f64>),
    S64s(Vec<i64>),
    U64s(Vec<u64>),
    /// ns since 1970
    Timestamps(Vec<i64>),
    /// 0 or 1
    Bools(Vec<u8>),
    /// UTF-8
    Texts(Strings),
    Blobs(Strings),
    Categories(Categories),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub values: Values,
    /// One byte a row, 1 where there is a value; none: every row has one.
    pub valid: Option<Vec<u8>>,
}

pub(crate) fn check_name(name: &str) -> Result<(), Wrong> {
    if name.is_empty() {
        return Err("a column has an empty name".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!(
            "the name of a column has {} bytes, at most {NAME_BYTES_MAX} are taken",
            name.len()
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("the name of column {name:?} has a control character"));
    }
    Ok(())
}

pub(crate) fn check_column(
    column: raw::Column,
    rows: usize,
    known: &Known<'_>,
    budget: &mut Budget,
) -> Result<Column, Wrong> {
    let raw::Column { name, values, valid } = column;
    let at = |wrong: Wrong| format!("column \"{name}\": {wrong}");
    if let Some(valid) = &valid {
        budget.take(valid.len()).map_err(at)?;
        length("valid", valid.len(), rows).map_err(at)?;
        check_flags("valid", valid).map_err(at)?;
    }
    let values = check_values(values, rows, valid.as_deref(), known, budget).map_err(at)?;
    Ok(Column { name, values, valid })
}

fn check_values(
    values: raw::Values,
    rows: usize,
    valid: Option<&[u8]>,
    known: &Known<'_>,
    budget: &mut Budget,
) -> Result<Values, Wrong> {
    budget.take(bytes(&values))?;
    match values {
        raw::Values::F64s(bytes) => numbers("f64s", &bytes, rows, f64::from_le_bytes).map(Values::F64s),
        raw::Values::S64s(bytes) => numbers("s64s", &bytes, rows, i64::from_le_bytes).map(Values::S64s),
        raw::Values::U64s(bytes) => numbers("u64s", &bytes, rows, u64::from_le_bytes).map(Values::U64s),
        raw::Values::Timestamps(bytes) => {
            numbers("timestamps", &bytes, rows, i64::from_le_bytes).map(Values::Timestamps)
        }
        raw::Values::Bools(bytes) => {
            length("bools", bytes.len(), rows)?;
            check_flags("bools", &bytes)?;
            Ok(Values::Bools(bytes))
        }
        raw::Values::Texts(texts) => {
            let texts = strings("texts", texts)?;
            length("texts", texts.len(), rows)?;
            check_utf8(&texts)?;
            Ok(Values::Texts(texts))
        }
        raw::Values::Blobs(blobs) => {
            let blobs = strings("blobs", blobs)?;
            length("blobs", blobs.len(), rows)?;
            Ok(Values::Blobs(blobs))
        }
        raw::Values::Categories(categories) => {
            check_categories(categories, rows, valid, known).map(Values::Categories)
        }
        raw::Values::Other(other) => {
            let kind: String = other.kind.chars().take(64).collect();
            Err(format!("values of kind \"{kind}\" are not known to this host"))
        }
    }
}

fn check_categories(
    categories: raw::Categories,
    rows: usize,
    valid: Option<&[u8]>,
    known: &Known<'_>,
) -> Result<Categories, Wrong> {
    let codes = numbers("codes", &categories.codes, rows, u32::from_le_bytes)?;
    let own = strings("names", categories.names)?;
    let (names, count) = if categories.base == 0 {
        check_utf8(&own).map_err(|wrong| format!("names: {wrong}"))?;
        let count = own.len() as u32;
        (Names::Own(own), count)
    } else {
        let (dictionary, base) = (categories.dictionary, categories.base);
        if !own.is_empty() {
            return Err(format!("{} names with base {base}: give all names (base 0) or none", own.len()));
        }
        let given = known.dictionaries.get(dictionary as usize).copied().unwrap_or(0);
        if base > given {
            return Err(format!("base {base} of dictionary {dictionary}, of which {given} names were given"));
        }
        (Names::Given { dictionary, base }, base)
    };
    // Most columns are right: look for the culprit only where the highest code is too high.
    if codes.iter().copied().max().is_some_and(|highest| highest >= count) {
        let without_value = |row: usize| valid.is_some_and(|valid| valid.get(row) == Some(&0));
        let wrong = |&(row, &code): &(usize, &u32)| code >= count && !(code == 0 && without_value(row));
        if let Some((row, code)) = codes.iter().enumerate().find(wrong) {
            return Err(format!("row {row} has code {code}, but there are {count} names"));
        }
    }
    Ok(Categories { codes, names })
}

fn strings(what: &str, packed: raw::Packed) -> Result<Strings, Wrong> {
    let raw::Packed { offsets, mut data } = packed;
    let offsets = packed::take(&offsets, &mut data).map_err(|wrong| format!("{what}: {wrong}"))?;
    Ok(Strings { offsets, data })
}

/// Packed byte strings of exactly `count`.
pub(crate) fn exactly(what: &str, packed: raw::Packed, count: usize) -> Result<Strings, Wrong> {
    let strings = strings(what, packed)?;
    length(what, strings.len(), count)?;
    Ok(strings)
}

/// Packed byte strings of any count.
pub(crate) fn any(what: &str, packed: raw::Packed) -> Result<Strings, Wrong> {
    strings(what, packed)
}

fn check_utf8(strings: &Strings) -> Result<(), Wrong> {
    let row_of =
        |byte: usize| strings.offsets.partition_point(|&offset| offset as usize <= byte).saturating_sub(1);
    let text = std::str::from_utf8(&strings.data).map_err(|error| {
        format!("row {} is not UTF-8 (byte {} of the data)", row_of(error.valid_up_to()), error.valid_up_to())
    })?;
    match strings.offsets.iter().position(|&offset| !text.is_char_boundary(offset as usize)) {
        None => Ok(()),
        Some(row) => Err(format!("row {} is not UTF-8: it ends inside a character", row.saturating_sub(1))),
    }
}

pub(crate) fn check_flags(what: &str, flags: &[u8]) -> Result<(), Wrong> {
    // A fold without an early end is vectorised; the search is only for the message.
    if flags.iter().fold(0, |all, &flag| all | flag) <= 1 {
        return Ok(());
    }
    let row = flags.iter().position(|&flag| flag > 1).unwrap_or_default();
    let flag = flags.get(row).copied().unwrap_or_default();
    Err(format!("{what}: row {row} is {flag}, expected 0 or 1"))
}

/// `rows` little-endian numbers.
pub(crate) fn numbers<const N: usize, T>(
    what: &str,
    bytes: &[u8],
    rows: usize,
    number: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, Wrong> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() || chunks.len() != rows {
        let expected = rows.saturating_mul(N);
        return Err(format!("{what} are {} bytes, expected {expected} for {rows} rows", bytes.len()));
    }
    Ok(chunks.iter().map(|chunk| number(*chunk)).collect())
}

fn length(what: &str, got: usize, rows: usize) -> Result<(), Wrong> {
    if got == rows {
        return Ok(());
    }
    Err(format!("{got} {what}, expected {rows}"))
}

fn bytes(values: &raw::Values) -> usize {
    match values {
        raw::Values::F64s(bytes)
        | raw::Values::S64s(bytes)
        | raw::Values::U64s(bytes)
        | raw::Values::Timestamps(bytes)
        | raw::Values::Bools(bytes) => bytes.len(),
        raw::Values::Texts(packed) | raw::Values::Blobs(packed) => packed.offsets.len() + packed.data.len(),
        raw::Values::Categories(it) => it.codes.len() + it.names.offsets.len() + it.names.data.len(),
        raw::Values::Other(other) => other.parts.iter().map(Vec::len).sum(),
    }
}
