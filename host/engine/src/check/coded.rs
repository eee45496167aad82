//! Results of codecs and of `migrate`, checked.
//!
//! In: raw results and what was handed in. Out: typed batches, messages, defects within the message that they name; entries of tables.

use super::column::{Strings, any, exactly, numbers};
use super::{Budget, Known, NewRows, OutputLimits, Wrong, count, indexes, new_rows};
use crate::bindings::raw;
pub use crate::bindings::raw::Defect;

/// Most defects and unwritable ranges of one call.
const DEFECTS_MAX: usize = 65_536;
/// Most pieces of entries that `migrate` returns, and longest name of a table.
const TABLES_MAX: usize = 64;
const TABLE_NAME_BYTES_MAX: usize = 1024;

#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub batches: Vec<NewRows>,
    /// Each within the message that it names.
    pub defects: Vec<Defect>,
    /// At most the length of the last message.
    pub consumed: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable {
    pub batch: u32,
    pub indexes: Vec<u32>,
    pub code: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub messages: Strings,
    pub unwritable: Vec<Unwritable>,
}

/// Entries of one table; `keys` or `names` has one for each value, the other is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    pub table: String,
    pub keys: Vec<u32>,
    pub names: Strings,
    /// Empty (slot 0 everywhere) or one for each value.
    pub slots: Vec<i64>,
    pub values: Strings,
}

impl PartialEq for Defect {
    fn eq(&self, other: &Self) -> bool {
        (self.message, self.offset, self.length) == (other.message, other.offset, other.length)
            && self.code == other.code
            && self.reason == other.reason
    }
}

/// `lengths` are those of the messages that were handed in.
pub fn decoded(decoded: raw::Decoded, lengths: &[usize], limits: &OutputLimits) -> Result<Decoded, Wrong> {
    count("batches", decoded.batches.len(), limits.outputs)?;
    count("defects", decoded.defects.len(), DEFECTS_MAX)?;
    let mut budget = Budget::new(limits);
    let mut batches = Vec::with_capacity(decoded.batches.len());
    for (index, batch) in decoded.batches.into_iter().enumerate() {
        let rows = new_rows(batch, &Known::default(), &mut budget);
        batches.push(rows.map_err(|wrong| format!("batch {index}: {wrong}"))?);
    }
    for (index, defect) in decoded.defects.iter().enumerate() {
        check_defect(defect, lengths, &mut budget).map_err(|wrong| format!("defect {index}: {wrong}"))?;
    }
    let consumed = decoded.consumed as usize;
    let last = lengths.last().copied().unwrap_or(0);
    if consumed > last {
        return Err(format!("consumed {consumed} bytes of the last message, which has {last}"));
    }
    Ok(Decoded { batches, defects: decoded.defects, consumed })
}

fn check_defect(defect: &Defect, lengths: &[usize], budget: &mut Budget) -> Result<(), Wrong> {
    budget.text("code", &defect.code)?;
    budget.text("reason", &defect.reason)?;
    let Some(&length) = lengths.get(defect.message as usize) else {
        return Err(format!("message {} does not exist, there are {}", defect.message, lengths.len()));
    };
    let end = u64::from(defect.offset) + u64::from(defect.length);
    if end > length as u64 {
        return Err(format!("ends at byte {end} of message {}, which has {length}", defect.message));
    }
    Ok(())
}

/// `rows` are those of the batches that were handed in.
pub fn encoded(encoded: raw::Encoded, rows: &[usize], limits: &OutputLimits) -> Result<Encoded, Wrong> {
    count("unwritable ranges", encoded.unwritable.len(), DEFECTS_MAX)?;
    let mut budget = Budget::new(limits);
    budget.take(encoded.messages.offsets.len() + encoded.messages.data.len())?;
    let messages = any("messages", encoded.messages)?;
    let mut unwritable = Vec::with_capacity(encoded.unwritable.len());
    for (index, range) in encoded.unwritable.into_iter().enumerate() {
        let at = |wrong: Wrong| format!("unwritable {index}: {wrong}");
        budget.text("code", &range.code).map_err(at)?;
        budget.text("reason", &range.reason).map_err(at)?;
        let Some(&rows) = rows.get(range.batch as usize) else {
            return Err(at(format!("batch {} does not exist, there are {}", range.batch, rows.len())));
        };
        let indexes = indexes(&range.indexes, rows).map_err(at)?;
        unwritable.push(Unwritable { batch: range.batch, indexes, code: range.code, reason: range.reason });
    }
    Ok(Encoded { messages, unwritable })
}

pub fn entries(entries: Vec<raw::Entries>, limits: &OutputLimits) -> Result<Vec<Entries>, Wrong> {
    count("tables of entries", entries.len(), TABLES_MAX)?;
    let mut budget = Budget::new(limits);
    let check = |(index, entries)| {
        check_entries(entries, &mut budget).map_err(|wrong: Wrong| format!("entries {index}: {wrong}"))
    };
    entries.into_iter().enumerate().map(check).collect()
}

fn check_entries(entries: raw::Entries, budget: &mut Budget) -> Result<Entries, Wrong> {
    count("bytes of the table's name", entries.table.len(), TABLE_NAME_BYTES_MAX)?;
    let bytes =
        entries.keys.len() + entries.slots.len() + entries.names.data.len() + entries.values.data.len();
    budget.take(bytes + entries.names.offsets.len() + entries.values.offsets.len())?;
    let values = any("values", entries.values)?;
    let rows = values.len();
    count("entries", rows, budget.limits().rows)?;
    let keys = if entries.keys.is_empty() {
        Vec::new()
    } else {
        numbers("keys", &entries.keys, rows, u32::from_le_bytes)?
    };
    let names = if keys.is_empty() {
        exactly("names (there are no keys)", entries.names, rows)?
    } else {
        exactly("names (there are keys)", entries.names, 0)?
    };
    let slots = if entries.slots.is_empty() {
        Vec::new()
    } else {
        numbers("slots", &entries.slots, rows, i64::from_le_bytes)?
    };
    Ok(Entries { table: entries.table, keys, names, slots, values })
}
