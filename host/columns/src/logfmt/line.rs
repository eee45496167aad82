//! One line of `key=value` pairs as one row.
//!
//! In: a chunk and where the line starts and ends. Out: whether it has anything but white space; its fields, staged. The caller commits the row.

use super::value;
use crate::reject::Refusal;
use crate::row::Row;
use crate::schema::{Field, Object};
use crate::value::Value;

/// What the lines of one decoder share.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A text without its escapes.
    text: String,
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
        let (field, value_at) = key(line, at, row, previous)?;
        previous = Some(field);
        let Some(value_at) = value_at else {
            row.put(field, Value::Bool(true))?;
            at = line_break(line, at);
            continue;
        };
        pairs = true;
        at = value_of(line, value_at, row, field, scratch)?;
    }
    match previous {
        None => Ok(false),
        Some(_) if pairs => Ok(true),
        Some(_) => Err(syntax("there is no `key=value` in the line".to_owned())),
    }
}

/// The field of the key at `at`, and where its value begins; none where the key stands alone.
#[inline(always)]
fn key(
    line: &[u8],
    at: usize,
    row: &mut Row<'_>,
    previous: Option<Field>,
) -> Result<(Field, Option<usize>), Refusal> {
    if let Some((field, name)) = row.expected(Object::ROOT, previous)
        && !name.is_empty()
        && let Some(rest) = line.get(at..)
        && rest.get(name.len()) == Some(&b'=')
        && rest.starts_with(name)
        && plain(name)
    {
        let length = name.len();
        row.take_known(field)?;
        return Ok((field, Some(at + length + 1)));
    }
    let rest = line.get(at..).unwrap_or_default();
    let ends = |byte: &u8| *byte <= b' ' || matches!(byte, b'=' | b'"');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let name = rest.get(..length).unwrap_or_default();
    match rest.get(length) {
        _ if length == 0 => Err(syntax(format!("expected a key at byte {at} of the line"))),
        Some(b'"') => Err(syntax(format!("a quote inside a key at byte {} of the line", at + length))),
        Some(b'=') => Ok((row.field(Object::ROOT, previous, name)?, Some(at + length + 1))),
        _ => Ok((row.field(Object::ROOT, previous, name)?, None)),
    }
}

/// Whether a name can stand in a line as a key: names from other formats may have anything in them.
#[inline(always)]
fn plain(name: &[u8]) -> bool {
    !name.iter().any(|byte| *byte <= b' ' || matches!(byte, b'=' | b'"'))
}

/// Takes the value that begins at `at`; where it ends.
#[inline(always)]
fn value_of(
    line: &[u8],
    at: usize,
    row: &mut Row<'_>,
    field: Field,
    scratch: &mut Scratch,
) -> Result<usize, Refusal> {
    if line.get(at) == Some(&b'"') {
        return quoted(line, at, row, field, scratch);
    }
    let end = line_break(line, at);
    if line.get(end) == Some(&b'"') {
        let message = format!("a quote inside a value at byte {end} of the line; quote the whole value");
        return Err(syntax(message));
    }
    let text = line.get(at..end).unwrap_or_default();
    if row.is_route(field) && !text.is_empty() && text != b"null" {
        row.put(field, Value::Text(utf8(text)?))?;
    } else if let Some(value) = value::of(text)? {
        row.put(field, value)?;
    }
    Ok(end)
}

/// Takes the text in quotes that begins at `at`; where it ends, behind the closing one.
fn quoted(
    line: &[u8],
    at: usize,
    row: &mut Row<'_>,
    field: Field,
    scratch: &mut Scratch,
) -> Result<usize, Refusal> {
    let start = at + 1;
    let rest = line.get(start..).unwrap_or_default();
    let unclosed = || syntax(format!("the quote at byte {at} of the line is not closed"));
    let first = memchr::memchr2(b'"', b'\\', rest).ok_or_else(unclosed)?;
    let end = if rest.get(first) == Some(&b'"') {
        row.put(field, Value::Text(utf8(rest.get(..first).unwrap_or_default())?))?;
        start + first
    } else {
        scratch.text.clear();
        let length = value::unescape(rest, &mut scratch.text)?.ok_or_else(unclosed)?;
        row.put(field, Value::Text(&scratch.text))?;
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

pub(super) fn utf8(text: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(text).map_err(|_| Refusal::new("invalid_utf8", "a text is not UTF-8"))
}

pub(super) fn syntax(message: String) -> Refusal {
    Refusal::new("syntax", message)
}
