//! An array as JSON text, as a column shows it.
//!
//! Texts are JSON texts, bytes hex digits in quotes, timestamps ns since 1970, other extensions `{"type":5,"data":"00ff"}`, keys that are no texts
//! texts, floats that are not finite `null`. The text is no longer than the bound plus one value.

use std::fmt::Write as _;

use super::event::{key_text, timestamp};
use super::head::{Head, Reader, Stop};
use crate::limits::Limits;
use crate::reject::Refusal;
use crate::row::check_length;

/// Appends the array of `length` values that the reader stands behind the head of. `depth`: objects and arrays around it, itself included.
pub(super) fn array(
    reader: &mut Reader<'_>,
    length: u32,
    depth: usize,
    limits: &Limits,
    text: &mut String,
) -> Result<(), Stop> {
    if depth > limits.depth_max {
        return Err(Refusal::too_deep(limits.depth_max).into());
    }
    text.push('[');
    for element in 0..length {
        if element > 0 {
            text.push(',');
        }
        value(reader, depth, limits, text)?;
    }
    text.push(']');
    Ok(())
}

fn map(
    reader: &mut Reader<'_>,
    length: u32,
    depth: usize,
    limits: &Limits,
    text: &mut String,
) -> Result<(), Stop> {
    if depth > limits.depth_max {
        return Err(Refusal::too_deep(limits.depth_max).into());
    }
    text.push('{');
    for pair in 0..length {
        if pair > 0 {
            text.push(',');
        }
        let head = reader.head()?;
        let mut digits = String::new();
        let key = key_text(reader, head, &mut digits)?;
        quoted(utf8(key)?, text);
        text.push(':');
        value(reader, depth, limits, text)?;
    }
    text.push('}');
    Ok(())
}

fn value(reader: &mut Reader<'_>, depth: usize, limits: &Limits, text: &mut String) -> Result<(), Stop> {
    check_length(text.len(), limits.string_bytes_max)?;
    let head = reader.head()?;
    // Writing to a String does not fail.
    let _ = match head {
        Head::Nil => write!(text, "null"),
        Head::Bool(value) => write!(text, "{value}"),
        Head::Int(value) => write!(text, "{value}"),
        Head::UInt(value) => write!(text, "{value}"),
        Head::Float(value) if value.is_finite() => write!(text, "{value:?}"),
        Head::Float(_) => write!(text, "null"),
        Head::Str(length) => {
            quoted(utf8(reader.take(length)?)?, text);
            Ok(())
        }
        Head::Bin(length) => {
            hex(reader.take(length)?, text);
            Ok(())
        }
        Head::Array(length) => return array(reader, length, depth + 1, limits, text),
        Head::Map(length) => return map(reader, length, depth + 1, limits, text),
        Head::Ext(kind, length) => {
            let data = reader.take(length)?;
            match timestamp(kind, data)? {
                Some(time_unix_ns) => write!(text, "{time_unix_ns}"),
                None => {
                    let _ = write!(text, "{{\"type\":{kind},\"data\":");
                    hex(data, text);
                    write!(text, "}}")
                }
            }
        }
    };
    Ok(())
}

fn utf8(bytes: &[u8]) -> Result<&str, Stop> {
    std::str::from_utf8(bytes).map_err(|_| not_utf8())
}

#[cold]
pub(super) fn not_utf8() -> Stop {
    Refusal::new("invalid_utf8", "a text is not UTF-8").into()
}

fn hex(bytes: &[u8], text: &mut String) {
    text.push('"');
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
}

fn quoted(piece: &str, text: &mut String) {
    text.push('"');
    for char in piece.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            char if u32::from(char) < 0x20 => {
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            char => text.push(char),
        }
    }
    text.push('"');
}
