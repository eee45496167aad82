//! What MessagePack must come to, by rmpv and the documentation of the codec `msgpack`.
//!
//! In: a whole input. Out: [`Expected`]. Each event is read anew. rmpv takes the byte 0xc1 for nil and says nothing of where a cut value would have ended, so that
//! lengths are walked by hand first.

use rmpv::Value;

use crate::expected::{Event, Expected};
use crate::fields::Fields;
use crate::subject::Cell;

const NS_PER_S: i128 = 1_000_000_000;

/// How far a value goes.
enum Walk {
    End(usize),
    Cut,
    Reserved,
}

/// What stands at the front: values and bytes that follow, and the place behind the head. None: it is cut.
fn head(bytes: &[u8], at: usize) -> Option<(u64, u64, usize)> {
    let byte = *bytes.get(at)?;
    let number = |size: usize| -> Option<u64> {
        Some(bytes.get(at + 1..at + 1 + size)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let bare = |size: usize| Some((0, 0, at + 1 + size)).filter(|_| bytes.len() > at + size);
    match byte {
        0x80..=0x8f => Some((2 * u64::from(byte & 15), 0, at + 1)),
        0x90..=0x9f => Some((u64::from(byte & 15), 0, at + 1)),
        0xa0..=0xbf => Some((0, u64::from(byte & 31), at + 1)),
        0xc4 | 0xd9 => Some((0, number(1)?, at + 2)),
        0xc5 | 0xda => Some((0, number(2)?, at + 3)),
        0xc6 | 0xdb => Some((0, number(4)?, at + 5)),
        0xc7..=0xc9 => {
            let size = 1 << (byte - 0xc7);
            let length = number(size)?;
            bytes.get(at + 1 + size)?;
            Some((0, length, at + 2 + size))
        }
        0xd4..=0xd8 => {
            bytes.get(at + 1)?;
            Some((0, 1 << (byte - 0xd4), at + 2))
        }
        0xdc => Some((number(2)?, 0, at + 3)),
        0xdd => Some((number(4)?, 0, at + 5)),
        0xde => Some((2 * number(2)?, 0, at + 3)),
        0xdf => Some((2 * number(4)?, 0, at + 5)),
        0xca => bare(4),
        0xcb => bare(8),
        0xcc..=0xcf => bare(1 << (byte - 0xcc)),
        0xd0..=0xd3 => bare(1 << (byte - 0xd0)),
        _ => bare(0),
    }
}

fn walk(bytes: &[u8], mut at: usize) -> Walk {
    let mut left = 1u64;
    while left > 0 {
        if bytes.get(at) == Some(&0xc1) {
            return Walk::Reserved;
        }
        let Some((values, length, next)) = head(bytes, at) else { return Walk::Cut };
        left = left - 1 + values;
        at = next.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        if at > bytes.len() {
            return Walk::Cut;
        }
    }
    Walk::End(at)
}

pub fn expect(input: &[u8]) -> Expected {
    let mut events = Vec::new();
    let (mut at, mut array_left, mut stray) = (0, 0u64, false);
    let cut_off = |offset| Event::Bad { offset, codes: vec!["cut_off"] };
    while let Some(byte) = input.get(at) {
        let is_map = matches!(byte, 0x80..=0x8f | 0xde | 0xdf);
        let is_array = matches!(byte, 0x90..=0x9f | 0xdc | 0xdd);
        if *byte == 0xc1 {
            events.push(Event::Bad { offset: at, codes: vec!["syntax"] });
            return Expected::Events(events);
        }
        let Some((values, _, next)) = head(input, at) else {
            events.push(cut_off(at));
            return Expected::Events(events);
        };
        if is_array && array_left == 0 {
            (array_left, at, stray) = (values, next, false);
            continue;
        }
        let end = walk(input, at);
        if !is_map {
            if !(stray && array_left == 0) {
                events.push(Event::Bad { offset: at, codes: vec!["not_an_object"] });
            }
            stray = array_left == 0;
            let Walk::End(next) = end else { return Expected::Events(events) };
            (at, array_left) = (next, array_left.saturating_sub(1));
            continue;
        }
        stray = false;
        let Walk::End(next) = end else {
            events.push(Event::Bad { offset: at, codes: Vec::new() });
            return Expected::Events(events);
        };
        let Ok(Value::Map(pairs)) = rmpv::decode::read_value(&mut input.get(at..next).unwrap_or_default())
        else {
            return Expected::Open("deeper than the oracle looks");
        };
        let mut fields = Fields::default();
        map(&mut fields, &pairs, "", 1);
        events.push(fields.event(at));
        (at, array_left) = (next, array_left.saturating_sub(1));
    }
    if array_left > 0 {
        events.push(cut_off(input.len()));
    }
    Expected::Events(events)
}

/// None: no key can be so.
fn key(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => text.as_str().map(str::to_owned).ok_or("invalid_utf8"),
        Value::Binary(bytes) => String::from_utf8(bytes.clone()).map_err(|_| "invalid_utf8"),
        Value::Integer(number) => Ok(number.to_string()),
        _ => Err("bad_key"),
    }
}

fn map(fields: &mut Fields, pairs: &[(Value, Value)], prefix: &str, depth: usize) {
    if depth > fields.limits().depth_max {
        fields.problems.push("too_deep");
        return;
    }
    for (name, value) in pairs {
        match key(name) {
            Ok(name) => {
                let path = format!("{prefix}{name}");
                fields.key(&path);
                put(fields, &path, value, depth);
            }
            Err(code) => fields.problems.push(code),
        }
    }
}

fn put(fields: &mut Fields, path: &str, value: &Value, depth: usize) {
    let special = depth == 1 && Fields::is_special(path);
    match value {
        Value::Nil => {}
        Value::Ext(kind, data) => match timestamp(*kind, data) {
            Ok(Some(time_unix_ns)) => fields.put(path, Cell::Time(time_unix_ns)),
            Err(code) => fields.problems.push(code),
            Ok(None) if special => fields.other(path),
            Ok(None) => {
                for (name, cell) in
                    [("type", Cell::Int(i64::from(*kind))), ("data", Cell::Bytes(data.clone()))]
                {
                    let path = format!("{path}.{name}");
                    fields.key(&path);
                    fields.put(&path, cell);
                }
            }
        },
        Value::Map(_) | Value::Array(_) if special => fields.other(path),
        Value::Map(pairs) => map(fields, pairs, &format!("{path}."), depth + 1),
        Value::Array(values) => {
            let mut text = String::new();
            array(fields, values, depth + 1, &mut text);
            fields.put(path, Cell::Text(text));
        }
        Value::Boolean(value) => fields.put(path, Cell::Bool(*value)),
        Value::Integer(number) => {
            let small = number.as_i64().map(Cell::Int);
            fields.put(path, small.unwrap_or_else(|| Cell::UInt(number.as_u64().unwrap_or_default())));
        }
        Value::F32(value) => fields.put(path, Cell::Float(f64::from(*value))),
        Value::F64(value) => fields.put(path, Cell::Float(*value)),
        Value::String(text) => match text.as_str() {
            Some(text) => fields.put(path, Cell::Text(text.to_owned())),
            None => fields.problems.push("invalid_utf8"),
        },
        Value::Binary(bytes) => fields.put(path, Cell::Bytes(bytes.clone())),
    }
}

fn array(fields: &mut Fields, values: &[Value], depth: usize, text: &mut String) {
    if depth > fields.limits().depth_max {
        fields.problems.push("too_deep");
        return;
    }
    text.push('[');
    for (at, value) in values.iter().enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        element(fields, value, depth, text);
    }
    text.push(']');
}

fn element(fields: &mut Fields, value: &Value, depth: usize, text: &mut String) {
    let quoted = |piece: &str| serde_json::to_string(piece).unwrap_or_default();
    let hex = |bytes: &[u8]| quoted(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let float = |value: f64| if value.is_finite() { format!("{value:?}") } else { "null".to_owned() };
    let plain = match value {
        Value::Nil => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::F32(value) => float(f64::from(*value)),
        Value::F64(value) => float(*value),
        Value::String(text) => match text.as_str() {
            Some(text) => quoted(text),
            None => return fields.problems.push("invalid_utf8"),
        },
        Value::Binary(bytes) => hex(bytes),
        Value::Array(values) => return array(fields, values, depth + 1, text),
        Value::Map(pairs) => return object(fields, pairs, depth + 1, text),
        Value::Ext(kind, data) => match timestamp(*kind, data) {
            Ok(Some(time_unix_ns)) => time_unix_ns.to_string(),
            Ok(None) => format!("{{\"type\":{kind},\"data\":{}}}", hex(data)),
            Err(code) => return fields.problems.push(code),
        },
    };
    text.push_str(&plain);
}

fn object(fields: &mut Fields, pairs: &[(Value, Value)], depth: usize, text: &mut String) {
    if depth > fields.limits().depth_max {
        fields.problems.push("too_deep");
        return;
    }
    text.push('{');
    for (at, (name, value)) in pairs.iter().enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        match key(name) {
            Ok(name) => text.push_str(&serde_json::to_string(&name).unwrap_or_default()),
            Err(code) => fields.problems.push(code),
        }
        text.push(':');
        element(fields, value, depth, text);
    }
    text.push('}');
}

/// None: another extension.
fn timestamp(kind: i8, data: &[u8]) -> Result<Option<i64>, &'static str> {
    if kind != -1 {
        return Ok(None);
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let (seconds, ns) = match data.len() {
        4 => (i128::from(number(data)), 0),
        8 => (i128::from(number(data) % (1 << 34)), number(data) >> 34),
        12 => {
            let (ns, seconds) = data.split_at(4);
            (i128::from(number(seconds) as i64), number(ns))
        }
        _ => return Err("bad_time"),
    };
    let at_unix_ns = i64::try_from(seconds * NS_PER_S + i128::from(ns));
    if ns >= 1_000_000_000 { Err("bad_time") } else { at_unix_ns.map(Some).map_err(|_| "bad_time") }
}
