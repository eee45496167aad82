//! What `key=value` lines must come to, by the documentation of the codec `logfmt`; serde_json reads numbers and escapes.
//!
//! In: a whole input. Out: [`Expected`]. Character by character and without learning.

use serde_json::value::RawValue;

use crate::expected::{Event, Expected};
use crate::fields::Fields;
use crate::subject::Cell;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub fn expect(input: &[u8]) -> Expected {
    let mut at = if input.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut events = Vec::new();
    for line in input.get(at..).unwrap_or_default().split(|byte| *byte == b'\n') {
        if line.iter().any(|byte| *byte > b' ') {
            events.push(match std::str::from_utf8(line) {
                Ok(text) => event(at, text),
                // Which comes first, that or another problem, is not asked.
                Err(_) => Event::Bad {
                    offset: at,
                    codes: vec!["invalid_utf8", "syntax", "duplicate_key", "bad_time", "bad_triplet"],
                },
            });
        }
        at += line.len() + 1;
    }
    Expected::Events(events)
}

fn event(offset: usize, line: &str) -> Event {
    let mut fields = Fields::default();
    let is_space = |char: char| char <= ' ';
    let (mut rest, mut pairs) = (line.trim_start_matches(is_space), 0);
    while !rest.is_empty() {
        let length = rest.find(|char| is_space(char) || char == '=' || char == '"').unwrap_or(rest.len());
        let (key, behind) = rest.split_at(length);
        if key.is_empty() || behind.starts_with('"') {
            fields.problems.push("syntax");
            return fields.event(offset);
        }
        fields.key(key);
        let Some(value) = behind.strip_prefix('=') else {
            fields.put(key, Cell::Bool(true));
            rest = behind.trim_start_matches(is_space);
            continue;
        };
        pairs += 1;
        let taken = match value.strip_prefix('"') {
            Some(quoted) => text(quoted).map(|(text, rest)| (Some(Cell::Text(text)), rest)),
            None => {
                let length = value.find(|char| is_space(char) || char == '"').unwrap_or(value.len());
                let (value, rest) = value.split_at(length);
                (!rest.starts_with('"')).then(|| (plain(key, value), rest))
            }
        };
        let Some((cell, behind)) = taken else {
            fields.problems.push("syntax");
            return fields.event(offset);
        };
        if let Some(cell) = cell {
            fields.put(key, cell);
        }
        if !behind.is_empty() && !behind.starts_with(is_space) {
            fields.problems.push("syntax");
            return fields.event(offset);
        }
        rest = behind.trim_start_matches(is_space);
    }
    if pairs == 0 {
        fields.problems.push("syntax");
    }
    fields.event(offset)
}

fn plain(key: &str, value: &str) -> Option<Cell> {
    match value {
        "" | "null" => return None,
        _ if Fields::is_part(key) => {}
        "true" => return Some(Cell::Bool(true)),
        "false" => return Some(Cell::Bool(false)),
        _ => {}
    }
    let text = Some(Cell::Text(value.to_owned()));
    let is_number = value.starts_with(|char: char| char == '-' || char.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(value).is_ok();
    if !is_number || Fields::is_part(key) {
        return text;
    }
    if !value.contains(['.', 'e', 'E']) {
        let small = value.parse().map(Cell::Int);
        if let Ok(cell) = small.or_else(|_| value.parse().map(Cell::UInt)) {
            return Some(cell);
        }
    }
    value.parse().ok().filter(|value: &f64| value.is_finite()).map(Cell::Float).or(text)
}

/// A text up to its closing quote, and what stands behind that.
fn text(quoted: &str) -> Option<(String, &str)> {
    let (mut json, mut escaped) = ("\"".to_owned(), false);
    for (at, char) in quoted.char_indices() {
        match char {
            '"' if !escaped => {
                json.push('"');
                return Some((serde_json::from_str(&json).ok()?, quoted.get(at + 1..)?));
            }
            char if char < ' ' && escaped => return None,
            // JSON has no raw control characters; we take them.
            char if char < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => json.push(char),
        }
        escaped = char == '\\' && !escaped;
    }
    None
}
