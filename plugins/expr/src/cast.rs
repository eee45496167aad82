//! From one kind of value to another: `f64(x)`, `s64(x)`, `u64(x)`, `bool(x)`, `text(x)`, `timestamp(x)`.
//!
//! What does not convert is null: a text that is no number, a number that does not fit. f64 to whole numbers cuts towards zero.
//! Times are ns since 1970 as numbers and RFC 3339 as text.

use crate::eval::{Data, Value, both};
use crate::node::{Expr, Node, Sort};
use crate::number::{Flat, Numbers, whole};
use crate::text::Strings;
use crate::time;
use crate::value::Texts;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F64,
    S64,
    U64,
    Bool,
    Text,
    Timestamp,
}

impl Kind {
    pub const NAMES: [&'static str; 6] = ["f64", "s64", "u64", "bool", "text", "timestamp"];

    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "f64" => Self::F64,
            "s64" => Self::S64,
            "u64" => Self::U64,
            "bool" => Self::Bool,
            "text" => Self::Text,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }

    pub(crate) fn sort(self) -> Sort {
        match self {
            Self::F64 | Self::S64 | Self::U64 => Sort::Number,
            Self::Bool => Sort::Bool,
            Self::Text => Sort::Text,
            Self::Timestamp => Sort::Time,
        }
    }
}

/// The expression that converts one column; any name will do.
pub fn cast(column: &str, kind: Kind) -> Expr {
    Expr {
        root: Node::Cast(Box::new(Node::Column(0)), kind),
        sort: kind.sort(),
        columns: vec![column.to_owned()],
        text: column.to_owned(),
    }
}

/// The expression that gives one column as it is; any name will do.
pub fn copy(column: &str) -> Expr {
    Expr { root: Node::Column(0), sort: Sort::Any, columns: vec![column.to_owned()], text: column.to_owned() }
}

pub fn value<'a>(value: Value<'a>, kind: Kind, rows: usize) -> Value<'a> {
    let Value { data, valid } = value;
    let (data, there) = match (kind, data) {
        (_, Data::Null | Data::Blobs(_)) => return Value::null(),
        (Kind::F64, data) => numbers(f64s(data, rows), Numbers::F64s),
        (Kind::S64, data) => numbers(s64s(data, rows), Numbers::S64s),
        (Kind::U64, data) => numbers(u64s(data, rows), Numbers::U64s),
        (Kind::Bool, data) => {
            let (flat, there) = whole(bools(data, rows));
            (Data::Bools(flat), there)
        }
        (Kind::Text, data) => (Data::Texts(texts(data, rows)), None),
        (Kind::Timestamp, data) => {
            let (flat, there) = whole(times(data, rows));
            (Data::Times(flat), there)
        }
    };
    Value::new(data, both(valid, there.map(Into::into)))
}

fn numbers<'a, T: Copy + Default>(
    results: Flat<'a, Option<T>>,
    wrap: impl Fn(Flat<'a, T>) -> Numbers<'a>,
) -> (Data<'a>, Option<Vec<u8>>) {
    let (flat, there) = whole(results);
    (Data::Numbers(wrap(flat)), there)
}

fn utf8(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok().map(str::trim)
}

fn f64s<'a>(data: Data<'a>, rows: usize) -> Flat<'a, Option<f64>> {
    match data {
        Data::Numbers(numbers) => numbers.into_f64s().map(Some),
        Data::Times(flat) => flat.map(|value| Some(value as f64)),
        Data::Bools(flat) => flat.map(|value| Some(f64::from(value))),
        Data::Texts(strings) => strings.map(rows, |text| utf8(text)?.parse().ok()),
        Data::Null | Data::Blobs(_) => Flat::One(None),
    }
}

/// Cut towards zero; none where it does not fit or is no number. The bounds are exact as f64: -2^63 fits, 2^63 does not.
fn f64_to_s64(value: f64) -> Option<i64> {
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value).then_some(value as i64)
}

fn f64_to_u64(value: f64) -> Option<u64> {
    (value > -1.0 && value < 18_446_744_073_709_551_616.0).then_some(value as u64)
}

fn s64s<'a>(data: Data<'a>, rows: usize) -> Flat<'a, Option<i64>> {
    match data {
        Data::Numbers(Numbers::F64s(flat)) => flat.map(f64_to_s64),
        Data::Numbers(Numbers::S64s(flat)) | Data::Times(flat) => flat.map(Some),
        Data::Numbers(Numbers::U64s(flat)) => flat.map(|value| i64::try_from(value).ok()),
        Data::Bools(flat) => flat.map(|value| Some(i64::from(value))),
        Data::Texts(strings) => strings.map(rows, |text| {
            let text = utf8(text)?;
            text.parse().ok().or_else(|| f64_to_s64(text.parse().ok()?))
        }),
        Data::Null | Data::Blobs(_) => Flat::One(None),
    }
}

fn u64s<'a>(data: Data<'a>, rows: usize) -> Flat<'a, Option<u64>> {
    match data {
        Data::Numbers(Numbers::F64s(flat)) => flat.map(f64_to_u64),
        Data::Numbers(Numbers::S64s(flat)) | Data::Times(flat) => flat.map(|value| u64::try_from(value).ok()),
        Data::Numbers(Numbers::U64s(flat)) => flat.map(Some),
        Data::Bools(flat) => flat.map(|value| Some(u64::from(value))),
        Data::Texts(strings) => strings.map(rows, |text| {
            let text = utf8(text)?;
            text.parse().ok().or_else(|| f64_to_u64(text.parse().ok()?))
        }),
        Data::Null | Data::Blobs(_) => Flat::One(None),
    }
}

fn bools<'a>(data: Data<'a>, rows: usize) -> Flat<'a, Option<u8>> {
    match data {
        Data::Numbers(Numbers::F64s(flat)) => {
            flat.map(|value| (!value.is_nan()).then_some(u8::from(value != 0.0)))
        }
        Data::Numbers(Numbers::S64s(flat)) => flat.map(|value| Some(u8::from(value != 0))),
        Data::Numbers(Numbers::U64s(flat)) => flat.map(|value| Some(u8::from(value != 0))),
        Data::Bools(flat) => flat.map(Some),
        Data::Texts(strings) => strings.map(rows, |text| match utf8(text)? {
            text if text == "1" || text.eq_ignore_ascii_case("true") => Some(1),
            text if text == "0" || text.eq_ignore_ascii_case("false") => Some(0),
            _ => None,
        }),
        Data::Times(_) | Data::Null | Data::Blobs(_) => Flat::One(None),
    }
}

fn times<'a>(data: Data<'a>, rows: usize) -> Flat<'a, Option<i64>> {
    match data {
        Data::Texts(strings) => strings.map(rows, |text| time::parse(utf8(text)?)),
        Data::Bools(_) => Flat::One(None),
        data => s64s(data, rows),
    }
}

fn texts(data: Data, rows: usize) -> Strings {
    fn shown<'a, T: Copy + Default>(flat: &Flat<T>, rows: usize, show: impl Fn(T) -> String) -> Strings<'a> {
        if let Flat::One(value) = flat {
            return Strings::One(show(*value).into_bytes().into());
        }
        let mut texts = Texts::with_capacity(rows, rows * 8);
        (0..rows).for_each(|row| texts.push(show(flat.get(row)).as_bytes()));
        Strings::Owned(texts)
    }
    match data {
        Data::Texts(strings) => strings,
        Data::Numbers(Numbers::F64s(flat)) => shown(&flat, rows, |value| value.to_string()),
        Data::Numbers(Numbers::S64s(flat)) => shown(&flat, rows, |value| value.to_string()),
        Data::Numbers(Numbers::U64s(flat)) => shown(&flat, rows, |value| value.to_string()),
        Data::Times(flat) => shown(&flat, rows, time::format),
        Data::Bools(flat) => shown(&flat, rows, |value| (value != 0).to_string()),
        Data::Null | Data::Blobs(_) => Strings::One(Vec::new().into()),
    }
}
