//! One MessagePack map as one row.
//!
//! In: a reader behind the head of the map. Out: the fields of the row, staged; the caller commits it. What each type becomes stands in
//! [`msgpack`](super).

use std::fmt::Write as _;

use super::head::{Head, Reader, Stop};
use super::text;
use crate::bytes::{is_utf8, starts_with};
use crate::limits::Limits;
use crate::reject::Refusal;
use crate::row::{Leaf, Row};
use crate::schema::{FieldEntry, Object, Role};
use crate::shape::Shapes;
use crate::value::Value;

/// Extension type of timestamps.
const TIMESTAMP: i8 = -1;
const NS_PER_S: i128 = 1_000_000_000;

/// What the events of one decoder share.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// JSON text of an array.
    text: String,
    /// Digits of a key that is a number.
    digits: String,
    pub shapes: Shapes,
    /// Up to where the row that is learned from was traced.
    pub traced_to: usize,
}

/// Reads the pairs of a map into the fields of an object. `depth`: objects around its fields.
pub(super) fn map(
    reader: &mut Reader<'_>,
    pairs: u32,
    row: &mut Row<'_>,
    object: Object,
    depth: usize,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<(), Stop> {
    if depth > limits.depth_max {
        return Err(Refusal::too_deep(limits.depth_max).into());
    }
    let mut previous = None;
    for _ in 0..pairs {
        let guessed = row.guess(object, previous, |entry| comes(reader, entry))?;
        let leaf = match guessed {
            Some(leaf) => {
                reader.at += 1 + row.name_bytes(leaf.field);
                leaf
            }
            None => {
                let head = reader.head()?;
                let key = key_text(reader, head, &mut scratch.digits)?;
                row.leaf(object, previous, key)?
            }
        };
        previous = Some(leaf.field);
        let traced = scratch.shapes.is_tracing() && trace(reader, row, leaf, scratch);
        value(reader, row, leaf, depth, scratch, limits)?;
        if traced {
            scratch.traced_to = reader.at;
        }
    }
    Ok(())
}

/// Notes for the shape of the row that a value of the leaf comes; false where it is an object, whose values are noted instead.
#[inline(never)]
fn trace(reader: &Reader<'_>, row: &Row<'_>, leaf: Leaf, scratch: &mut Scratch) -> bool {
    match reader.bytes.get(reader.at) {
        Some(0x80..=0x8f | 0xde | 0xdf) => return false,
        // Values that are always read with care, and fields that may be forgotten.
        Some(0x90..=0x9f | 0xdc | 0xdd) => scratch.shapes.give_up(),
        _ if !row.is_settled(leaf.field) => scratch.shapes.give_up(),
        _ => {
            let text = reader.bytes.get(scratch.traced_to..reader.at).unwrap_or_default();
            scratch.shapes.trace(text, leaf.field.0, leaf.canonical, leaf.role, &[]);
        }
    }
    true
}

/// Whether the key of the field comes next, as senders write it: one comparison, since they keep their order.
#[inline(always)]
fn comes(reader: &Reader<'_>, entry: &FieldEntry) -> bool {
    let name = entry.name.as_bytes();
    match reader.bytes.get(reader.at..) {
        Some([head, rest @ ..]) => {
            name.len() < 32 && *head == 0xa0 | name.len() as u8 && starts_with(rest, name)
        }
        _ => false,
    }
}

#[inline(always)]
fn value(
    reader: &mut Reader<'_>,
    row: &mut Row<'_>,
    leaf: Leaf,
    depth: usize,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<(), Stop> {
    let value = match reader.head()? {
        Head::Int(value) => Value::Int(value),
        Head::Str(length) => {
            let text = reader.take(length)?;
            if !is_utf8(text) {
                return Err(text::not_utf8());
            }
            return Ok(row.put_utf8(leaf, text)?);
        }
        Head::Float(value) => Value::Float(value),
        Head::UInt(value) => Value::UInt(value),
        Head::Bool(value) => Value::Bool(value),
        Head::Nil => return Ok(()),
        Head::Bin(length) => Value::Bytes(reader.take(length)?),
        head => return nested(reader, head, row, leaf, depth, scratch, limits),
    };
    Ok(row.put_leaf(leaf, value)?)
}

#[inline(never)]
fn nested(
    reader: &mut Reader<'_>,
    head: Head,
    row: &mut Row<'_>,
    leaf: Leaf,
    depth: usize,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<(), Stop> {
    let mut data = &[][..];
    if let Head::Ext(kind, length) = head {
        data = reader.take(length)?;
        if let Some(time_unix_ns) = timestamp(kind, data)? {
            return Ok(row.put_leaf(leaf, Value::Time(time_unix_ns))?);
        }
    }
    if leaf.role != Role::Value {
        // What is no text and no time, as a truth value is none.
        return Ok(row.put_leaf(leaf, Value::Bool(false))?);
    }
    match head {
        Head::Map(pairs) => {
            let inside = row.object(leaf.field);
            map(reader, pairs, row, inside, depth + 1, scratch, limits)
        }
        Head::Array(length) => {
            let mut json = std::mem::take(&mut scratch.text);
            json.clear();
            let read = text::array(reader, length, depth + 1, limits, &mut json);
            let put = read.and_then(|()| Ok(row.put_leaf(leaf, Value::Text(&json))?));
            scratch.text = json;
            put
        }
        Head::Ext(kind, _) => {
            let inside = row.object(leaf.field);
            let type_field = row.field(inside, None, b"type")?;
            row.put(type_field, Value::Int(i64::from(kind)))?;
            let data_field = row.field(inside, Some(type_field), b"data")?;
            Ok(row.put(data_field, Value::Bytes(data))?)
        }
        _ => Ok(()),
    }
}

/// A key as the text that names its field: texts and bytes as they are, whole numbers by their digits.
pub(super) fn key_text<'k, 'a: 'k>(
    reader: &mut Reader<'a>,
    head: Head,
    digits: &'k mut String,
) -> Result<&'k [u8], Stop> {
    digits.clear();
    // Writing to a String does not fail.
    let _ = match head {
        Head::Str(length) | Head::Bin(length) => return reader.take(length),
        Head::Int(value) => write!(digits, "{value}"),
        Head::UInt(value) => write!(digits, "{value}"),
        _ => {
            let message = "a key must be a text or a whole number";
            return Err(Refusal::new("bad_key", message).into());
        }
    };
    Ok(digits.as_bytes())
}

/// ns since 1970 of a timestamp extension; none where the extension is another one.
pub(super) fn timestamp(kind: i8, data: &[u8]) -> Result<Option<i64>, Stop> {
    if kind != TIMESTAMP {
        return Ok(None);
    }
    let (seconds, ns) = match data.len() {
        4 => (i64::from(number::<4>(data) as u32), 0),
        8 => {
            let both = number::<8>(data);
            ((both & ((1 << 34) - 1)) as i64, both >> 34)
        }
        12 => (number::<8>(data.get(4..).unwrap_or_default()) as i64, number::<4>(data)),
        length => {
            let message = format!("a timestamp must have 4, 8 or 12 bytes, not {length}");
            return Err(Refusal::new("bad_time", message).into());
        }
    };
    let at_unix_ns = i128::from(seconds) * NS_PER_S + i128::from(ns);
    match i64::try_from(at_unix_ns) {
        Ok(at_unix_ns) if i128::from(ns) < NS_PER_S => Ok(Some(at_unix_ns)),
        _ => {
            Err(Refusal::new("bad_time", "a timestamp must be in the years 1677 to 2262 and below 1e9 ns")
                .into())
        }
    }
}

/// The first bytes as a whole number, the greatest first.
fn number<const N: usize>(data: &[u8]) -> u64 {
    data.iter().take(N).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
