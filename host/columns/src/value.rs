//! One value of a row, whatever format it came in.

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
    /// How a column of mixed types shows the value: numbers as Rust prints them, bytes as hex digits, times as ns.
    pub fn to_text(self) -> Vec<u8> {
        match self {
            Self::Int(value) | Self::Time(value) => value.to_string().into_bytes(),
            Self::UInt(value) => value.to_string().into_bytes(),
            Self::Float(value) => format!("{value:?}").into_bytes(),
            Self::Bool(value) => value.to_string().into_bytes(),
            Self::Text(text) => text.to_vec(),
            Self::Bytes(bytes) => {
                let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
            }
        }
    }
}
