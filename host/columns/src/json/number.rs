//! Numbers, one byte at a time: the path of those that the vectors leave, and the grammar of RFC 8259 section 6.
//!
//! Whole numbers are i64, above that u64, beyond both f64; with a point or an exponent f64, to the last bit as `str::parse` reads them.
//! `-0` is the whole number 0. A number is cut where the chunk ends with it, since digits may follow.

use super::stop::Stop;
use crate::reject::Refusal;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    UInt(u64),
    Float(f64),
}

/// Largest whole number that a f64 and everything below it holds exactly.
const EXACT_MAX: u64 = 1 << 53;

/// Powers of ten that a f64 holds exactly.
pub(crate) const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The number at `at`, and what follows it.
#[inline(never)]
pub(crate) fn read(chunk: &[u8], at: usize) -> Result<(Number, usize), Stop> {
    let end = skip(chunk, at)?;
    let text = chunk.get(at..end).unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut mantissa = 0u64;
    let mut point = None;
    let mut fits = digits.len() <= 20;
    for (number, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                let next = mantissa.checked_mul(10).and_then(|m| m.checked_add(u64::from(byte - b'0')));
                fits &= next.is_some();
                mantissa = next.unwrap_or(0);
            }
            b'.' => point = Some(number),
            _ => return Ok((parse(text)?, end)),
        }
        if !fits {
            return Ok((parse(text)?, end));
        }
    }
    let number = match (point, negative) {
        (None, false) => i64::try_from(mantissa).map_or(Number::UInt(mantissa), Number::Int),
        (None, true) => match 0i64.checked_sub_unsigned(mantissa) {
            Some(value) => Number::Int(value),
            None => parse(text)?,
        },
        (Some(point), _) => match POWERS.get(digits.len() - point - 1) {
            Some(power) if mantissa <= EXACT_MAX => {
                // Both are exact, so that the one rounding of the division gives the nearest float.
                let value = mantissa as f64 / power;
                Number::Float(if negative { -value } else { value })
            }
            _ => parse(text)?,
        },
    };
    Ok((number, end))
}

/// The standard parser's answer for a valid number.
fn parse(text: &[u8]) -> Result<Number, Stop> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    if !text.contains(['.', 'e', 'E'])
        && let Ok(value) = text.parse()
    {
        return Ok(Number::Int(value));
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Number::Float(value)),
        _ => Err(Refusal::number_out_of_range().into()),
    }
}

/// What follows the number at `at`.
pub(super) fn skip(chunk: &[u8], at: usize) -> Result<usize, Stop> {
    let byte = |at: usize| chunk.get(at).copied().ok_or_else(|| Stop::cut(at));
    let mut at = at;
    if byte(at)? == b'-' {
        at += 1;
    }
    match byte(at)? {
        b'0' => {
            at += 1;
            if byte(at)?.is_ascii_digit() {
                return Err(Stop::syntax("a number with a leading zero", at));
            }
        }
        b'1'..=b'9' => at = digits(chunk, at)?,
        _ => return Err(Stop::syntax("expected a digit", at)),
    }
    if byte(at)? == b'.' {
        at = digits(chunk, at + 1)?;
    }
    if matches!(byte(at)?, b'e' | b'E') {
        at += 1;
        if matches!(byte(at)?, b'+' | b'-') {
            at += 1;
        }
        at = digits(chunk, at)?;
    }
    Ok(at)
}

/// What follows one digit or more.
fn digits(chunk: &[u8], from: usize) -> Result<usize, Stop> {
    let rest = chunk.get(from..).unwrap_or_default();
    match rest.iter().position(|byte| !byte.is_ascii_digit()) {
        Some(0) => Err(Stop::syntax("expected a digit", from)),
        Some(length) => Ok(from + length),
        None => Err(Stop::cut(chunk.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<Number, Stop> {
        read(format!("{text},").as_bytes(), 0).map(|(number, end)| {
            assert_eq!(end, text.len());
            number
        })
    }

    #[test]
    fn whole_numbers_keep_their_value_as_long_as_64_bits_do() {
        for (text, expected) in [
            ("0", Number::Int(0)),
            ("-0", Number::Int(0)),
            ("-12", Number::Int(-12)),
            ("9223372036854775807", Number::Int(i64::MAX)),
            ("-9223372036854775808", Number::Int(i64::MIN)),
            ("9223372036854775808", Number::UInt(1 << 63)),
            ("18446744073709551615", Number::UInt(u64::MAX)),
            ("18446744073709551616", Number::Float(18446744073709551616.0)),
            ("-9223372036854775809", Number::Float(-9223372036854775809.0)),
            ("-0.0", Number::Float(-0.0)),
            ("1e2", Number::Float(100.0)),
            ("123456789012345678.5", Number::Float(123456789012345678.5)),
        ] {
            let found = number(text).unwrap();
            assert_eq!(found, expected, "{text}");
            if let (Number::Float(a), Number::Float(b)) = (found, expected) {
                assert_eq!(a.to_bits(), b.to_bits());
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused_and_what_may_go_on_is_cut() {
        for text in ["-", "01", "-01", "1.", "1.e5", "1e", "1e+", ".5", "+1", "1.5.5e"] {
            let read = read(format!("{text},").as_bytes(), 0);
            assert!(!matches!(read, Ok((_, end)) if end == text.len()), "{text}");
        }
        for text in ["1", "-", "1.", "1.5", "1e", "1e+", "0"] {
            assert!(read(text.as_bytes(), 0).is_err_and(|stop| stop.is_cut()), "{text}");
        }
        assert!(number("1e999").is_err_and(|stop| stop.is_refusal()));
    }
}
