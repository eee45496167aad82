//! What a value without quotes is, and texts with escapes.
//!
//! A number is one as in JSON (RFC 8259 section 6) that is finite as f64; floats are the nearest ones, to the last bit. Everything else is a text.

use super::line::{not_utf8, syntax};
use crate::reject::Refusal;
use crate::value::Value;

/// 10^n is a float without error up to here.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Digits that fit an i64 whatever they are.
const DIGITS_MAX: usize = 18;

/// Whole numbers up to here are floats without error.
const EXACT_INT_MAX: i64 = 1 << 53;

/// What a value without quotes is.
pub(super) enum Plain {
    Nothing,
    Value(Value<'static>),
    /// The text itself.
    Text,
}

#[inline(always)]
pub(super) fn of(text: &[u8]) -> Plain {
    match text {
        [b'-' | b'0'..=b'9', ..] => number(text).map_or(Plain::Text, Plain::Value),
        [] | b"null" => Plain::Nothing,
        b"true" => Plain::Value(Value::Bool(true)),
        b"false" => Plain::Value(Value::Bool(false)),
        _ => Plain::Text,
    }
}

#[inline(always)]
fn number(text: &[u8]) -> Option<Value<'static>> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut value, mut read, mut point) = (0i64, 0, None);
    for byte in digits {
        match byte {
            b'0'..=b'9' if read < DIGITS_MAX => {
                value = value * 10 + i64::from(byte - b'0');
                read += 1;
            }
            b'.' if point.is_none() && read > 0 => point = Some(read),
            _ => return long(text, digits),
        }
    }
    let whole = point.unwrap_or(read);
    let zero_first = digits.first() == Some(&b'0') && whole > 1;
    if whole == 0 || zero_first || point == Some(read) {
        return None;
    }
    let signed = if negative { -value } else { value };
    match point {
        None => Some(Value::Int(signed)),
        Some(point) if value <= EXACT_INT_MAX => {
            // Both are exact, so that one division rounds once (Clinger 1990). The sign of zero is that of the text.
            let magnitude = value as f64 / EXACT_POWERS.get(read - point)?;
            Some(Value::Float(if negative { -magnitude } else { magnitude }))
        }
        Some(_) => long(text, digits),
    }
}

/// Numbers of many digits or with an exponent.
#[inline(never)]
fn long(text: &[u8], digits: &[u8]) -> Option<Value<'static>> {
    let count = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = count(digits);
    if whole == 0 || digits.first() == Some(&b'0') && whole > 1 {
        return None;
    }
    let mut rest = digits.get(whole..)?;
    let is_whole = rest.is_empty();
    if let [b'.', fraction @ ..] = rest {
        let length = count(fraction);
        if length == 0 {
            return None;
        }
        rest = fraction.get(length..)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
        let length = count(exponent);
        if length == 0 {
            return None;
        }
        rest = exponent.get(length..)?;
    }
    if !rest.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if is_whole {
        if let Ok(value) = text.parse() {
            return Some(Value::Int(value));
        }
        if let Ok(value) = text.parse() {
            return Some(Value::UInt(value));
        }
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float)
}

/// Appends the text up to its closing quote; how many bytes stand before that. None: there is no closing quote.
pub(super) fn unescape(from: &[u8], text: &mut String) -> Result<Option<usize>, Refusal> {
    let mut at = 0;
    loop {
        let rest = from.get(at..).unwrap_or_default();
        let Some(plain) = memchr::memchr2(b'"', b'\\', rest) else { return Ok(None) };
        let piece = rest.get(..plain).unwrap_or_default();
        text.push_str(std::str::from_utf8(piece).map_err(|_| not_utf8())?);
        at += plain;
        if from.get(at) == Some(&b'"') {
            return Ok(Some(at));
        }
        let Some(escape) = from.get(at + 1) else { return Ok(None) };
        at += 2;
        text.push(match escape {
            b'"' | b'\\' | b'/' => char::from(*escape),
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let (char, length) = unicode(from.get(at..).unwrap_or_default())?;
                at += length;
                char
            }
            _ => return Err(syntax("an unknown escape in a text; a backslash is written `\\\\`".to_owned())),
        });
    }
}

/// The character of the digits behind `\u`, and how many bytes were read.
fn unicode(from: &[u8]) -> Result<(char, usize), Refusal> {
    let bad = || {
        syntax("four hex digits must follow `\\u`, and half of a surrogate pair its other half".to_owned())
    };
    let unit = |at: usize| -> Option<u32> {
        let digits = from.get(at..at + 4)?;
        digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
    };
    let first = unit(0).ok_or_else(bad)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Ok((char::from_u32(first).ok_or_else(bad)?, 4));
    }
    let second =
        from.get(4..).filter(|rest| rest.starts_with(b"\\u")).and_then(|_| unit(6)).ok_or_else(bad)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(bad());
    }
    let char = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(bad)?;
    Ok((char, 10))
}
