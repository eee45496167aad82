//! One value of a row, whatever format it came in.

use std::io::Write as _;

/// A value that a builder takes. Null is no value: a field that is null is as if it were not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Int(i64),
    /// Above `i64::MAX`; what fits i64 is an [`Int`](Self::Int).
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// ns since 1970.
    Time(i64),
}

/// A value as the row in the making keeps it: texts are bytes that were checked when they were staged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    Int(i64),
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Time(i64),
}

impl Raw<'_> {
    /// How a column of mixed types shows the value: numbers as Rust prints them, bytes as hex digits, times as ns. Replaces what is in
    /// `text`, whose room is used again, since such columns may show every value so.
    pub fn to_text(self, text: &mut Vec<u8>) -> &[u8] {
        text.clear();
        match self {
            Self::Int(value) | Self::Time(value) => {
                if value < 0 {
                    text.push(b'-');
                }
                digits(value.unsigned_abs(), text);
            }
            Self::UInt(value) => digits(value, text),
            // Writing to a Vec does not fail.
            Self::Float(value) => drop(write!(text, "{value:?}")),
            Self::Bool(value) => text.extend_from_slice(if value { b"true" } else { b"false" }),
            Self::Text(piece) => text.extend_from_slice(piece),
            Self::Bytes(bytes) => {
                let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
            }
        }
        text
    }
}

/// Appends the decimal digits.
fn digits(value: u64, text: &mut Vec<u8>) {
    let (start, mut rest) = (text.len(), value);
    loop {
        text.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.get_mut(start..).unwrap_or_default().reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_rust_prints_them() {
        let mut text = b"what was there".to_vec();
        for value in [0, 1, -1, 9, 10, 1_000_000, i64::MIN, i64::MAX] {
            assert_eq!(Raw::Int(value).to_text(&mut text), value.to_string().as_bytes());
            assert_eq!(Raw::Time(value).to_text(&mut text), value.to_string().as_bytes());
        }
        assert_eq!(Raw::UInt(u64::MAX).to_text(&mut text), u64::MAX.to_string().as_bytes());
        assert_eq!(Raw::Float(-0.0).to_text(&mut text), b"-0.0");
        assert_eq!(Raw::Bool(true).to_text(&mut text), b"true");
        assert_eq!(Raw::Text(b"text").to_text(&mut text), b"text");
        assert_eq!(Raw::Bytes(&[0x0f, 0xa0]).to_text(&mut text), b"0fa0");
    }
}
