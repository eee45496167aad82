//! One line of `key=value` pairs as one row.
//!
//! In: a chunk and where the line starts and ends. Out: whether it has anything but white space; its fields, staged. The caller commits the row.

use super::value::{self, Plain};
use crate::bytes::{is_utf8, starts_with};
use crate::reject::Refusal;
use crate::row::{Leaf, Row};
use crate::schema::{Field, FieldEntry, Object, Role};
use crate::shape::Shapes;
use crate::value::Value;

/// What the lines of one decoder share.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A text without its escapes.
    text: String,
    pub shapes: Shapes,
    /// Up to where the line that is learned from was traced, from its start.
    pub traced_to: usize,
}

const ONES: u64 = u64::MAX / 255;
const TOPS: u64 = ONES << 7;

pub(super) fn read(
    chunk: &[u8],
    start: usize,
    end: usize,
    row: &mut Row<'_>,
    scratch: &mut Scratch,
) -> Result<bool, Refusal> {
    let line = chunk.get(start..end).unwrap_or_default();
    let (mut at, mut previous, mut pairs) = (0, None, false);
    loop {
        while line.get(at).is_some_and(|byte| *byte <= b' ') {
            at += 1;
        }
        if at >= line.len() {
            break;
        }
        let (leaf, value_at) = key(line, at, row, previous)?;
        previous = Some(leaf.field);
        let Some(value_at) = value_at else {
            scratch.shapes.give_up();
            row.put_leaf(leaf, Value::Bool(true))?;
            at = line_break(line, at);
            continue;
        };
        pairs = true;
        let traced = scratch.shapes.is_tracing() && trace(line, value_at, row, leaf, scratch);
        at = value_of(line, value_at, row, leaf, scratch)?;
        if traced {
            scratch.traced_to = at;
        }
    }
    match previous {
        None => Ok(false),
        Some(_) if pairs => Ok(true),
        Some(_) => Err(syntax("there is no `key=value` in the line".to_owned())),
    }
}

/// Notes for the shape of the line that a value of the leaf comes; false where it cannot be learned.
#[inline(never)]
fn trace(line: &[u8], value_at: usize, row: &Row<'_>, leaf: Leaf, scratch: &mut Scratch) -> bool {
    if !row.is_settled(leaf.field) {
        scratch.shapes.give_up();
        return false;
    }
    let text = line.get(scratch.traced_to..value_at).unwrap_or_default();
    scratch.shapes.trace(text, leaf.field.0, leaf.canonical, leaf.role, &[]);
    true
}

/// The field of the key at `at`, and where its value begins; none where the key stands alone.
#[inline(always)]
fn key(
    line: &[u8],
    at: usize,
    row: &mut Row<'_>,
    previous: Option<Field>,
) -> Result<(Leaf, Option<usize>), Refusal> {
    let rest = line.get(at..).unwrap_or_default();
    let comes = |entry: &FieldEntry| {
        let name = entry.name.as_bytes();
        entry.is_word && rest.get(name.len()) == Some(&b'=') && starts_with(rest, name)
    };
    if let Some(leaf) = row.guess(Object::ROOT, previous, comes)? {
        return Ok((leaf, Some(at + row.name_bytes(leaf.field) + 1)));
    }
    let ends = |byte: &u8| *byte <= b' ' || matches!(byte, b'=' | b'"');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let name = rest.get(..length).unwrap_or_default();
    match rest.get(length) {
        _ if length == 0 => Err(syntax(format!("expected a key at byte {at} of the line"))),
        Some(b'"') => Err(syntax(format!("a quote inside a key at byte {} of the line", at + length))),
        Some(b'=') => Ok((row.leaf(Object::ROOT, previous, name)?, Some(at + length + 1))),
        _ => Ok((row.leaf(Object::ROOT, previous, name)?, None)),
    }
}

/// Takes the value that begins at `at`; where it ends.
#[inline(always)]
fn value_of(
    line: &[u8],
    at: usize,
    row: &mut Row<'_>,
    leaf: Leaf,
    scratch: &mut Scratch,
) -> Result<usize, Refusal> {
    if line.get(at) == Some(&b'"') {
        return quoted(line, at, row, leaf, scratch);
    }
    let end = line_break(line, at);
    if line.get(end) == Some(&b'"') {
        let message = format!("a quote inside a value at byte {end} of the line; quote the whole value");
        return Err(syntax(message));
    }
    let text = line.get(at..end).unwrap_or_default();
    let read = match leaf.role {
        Role::Route(_) if text != b"null" && !text.is_empty() => Plain::Text,
        _ => value::of(text),
    };
    match read {
        Plain::Nothing => {}
        Plain::Value(value) => row.put_leaf(leaf, value)?,
        Plain::Text if is_utf8(text) => row.put_utf8(leaf, text)?,
        Plain::Text => return Err(not_utf8()),
    }
    Ok(end)
}

/// Takes the text in quotes that begins at `at`; where it ends, behind the closing one.
fn quoted(
    line: &[u8],
    at: usize,
    row: &mut Row<'_>,
    leaf: Leaf,
    scratch: &mut Scratch,
) -> Result<usize, Refusal> {
    let start = at + 1;
    let rest = line.get(start..).unwrap_or_default();
    let unclosed = || syntax(format!("the quote at byte {at} of the line is not closed"));
    let first = memchr::memchr2(b'"', b'\\', rest).ok_or_else(unclosed)?;
    let end = if rest.get(first) == Some(&b'"') {
        let text = rest.get(..first).unwrap_or_default();
        if !is_utf8(text) {
            return Err(not_utf8());
        }
        row.put_utf8(leaf, text)?;
        start + first
    } else {
        scratch.text.clear();
        let length = value::unescape(rest, &mut scratch.text)?.ok_or_else(unclosed)?;
        row.put_utf8(leaf, scratch.text.as_bytes())?;
        start + length
    };
    match line.get(end + 1) {
        Some(byte) if *byte > b' ' => {
            Err(syntax(format!("text right behind the closing quote at byte {end} of the line")))
        }
        _ => Ok(end + 1),
    }
}

/// The first byte from `at` on that is white space or a quote; the line's end where none is.
#[inline(always)]
fn line_break(line: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(word) = line.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        // The top bit of a byte is set where the byte is below 0x21 or a quote; a borrow can only set bits above the first such byte.
        let space = word.wrapping_sub(ONES * 0x21) & !word;
        let xored = word ^ (ONES * u64::from(b'"'));
        let quote = xored.wrapping_sub(ONES) & !xored;
        let found = (space | quote) & TOPS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| *byte <= b' ' || *byte == b'"').unwrap_or(rest.len())
}

#[cold]
pub(super) fn not_utf8() -> Refusal {
    Refusal::new("invalid_utf8", "a text is not UTF-8")
}

pub(super) fn syntax(message: String) -> Refusal {
    Refusal::new("syntax", message)
}
