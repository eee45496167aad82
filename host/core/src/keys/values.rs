//! Key values as bytes: what makes two keys equal, and the way back to columns.
//!
//! Per column: a tag and the value. Whole numbers are equal whatever their column's type (5, 5u and 5.0 are one key), so that a column that widens
//! keeps its keys. Text is its length (u32) and UTF-8. A value that is not there is the tag alone.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, TimestampNanosecondArray};
use arrow_schema::DataType;

const NULL: u8 = 0;
const LONG: u8 = 1;
const ULONG: u8 = 2;
const DOUBLE: u8 = 3;
const BOOL: u8 = 4;
const TIME: u8 = 5;
const TEXT: u8 = 6;
const BLOB: u8 = 7;

/// Appends the value of one row.
pub fn encode(column: Option<&ArrayRef>, row: usize, out: &mut Vec<u8>) {
    let Some(column) = column.filter(|column| column.is_valid(row)) else {
        out.push(NULL);
        return;
    };
    match column.data_type() {
        DataType::Int64 => put(out, LONG, column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::UInt64 => {
            let value = column.as_primitive::<UInt64Type>().value(row);
            match i64::try_from(value) {
                Ok(value) => put(out, LONG, value.to_le_bytes()),
                Err(_) => put(out, ULONG, value.to_le_bytes()),
            }
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            // 2^53: beyond it not every whole number is a double, and the equality would be a guess.
            if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
                put(out, LONG, (value as i64).to_le_bytes());
            } else {
                put(out, DOUBLE, value.to_bits().to_le_bytes());
            }
        }
        DataType::Boolean => put(out, BOOL, [u8::from(column.as_boolean().value(row))]),
        DataType::Timestamp(_, _) => {
            put(out, TIME, column.as_primitive::<TimestampNanosecondType>().value(row).to_le_bytes());
        }
        DataType::Utf8 => put_bytes(out, TEXT, column.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => put_bytes(out, BLOB, column.as_binary::<i32>().value(row)),
        DataType::Dictionary(_, _) => {
            let codes = column.as_dictionary::<UInt32Type>();
            let code = codes.keys().value(row) as usize;
            match codes.values().as_string_opt::<i32>() {
                Some(names) if code < names.len() => put_bytes(out, TEXT, names.value(code).as_bytes()),
                _ => out.push(NULL),
            }
        }
        _ => out.push(NULL),
    }
}

fn put<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; N]) {
    out.push(tag);
    out.extend(bytes);
}

fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

#[derive(Clone, Copy, PartialEq)]
enum Value<'a> {
    Null,
    Long(i64),
    ULong(u64),
    Double(f64),
    Bool(bool),
    Time(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

fn take<'a>(bytes: &mut &'a [u8]) -> Value<'a> {
    let Some((tag, rest)) = bytes.split_first() else { return Value::Null };
    let mut fixed = [0; 8];
    let width = match *tag {
        NULL => 0,
        BOOL => 1,
        TEXT | BLOB => 4,
        _ => 8,
    };
    let (head, rest) = rest.split_at_checked(width).unwrap_or((&[], rest));
    if let Some(place) = fixed.get_mut(..head.len()) {
        place.copy_from_slice(head);
    }
    let number = u64::from_le_bytes(fixed);
    let (value, rest) = match *tag {
        LONG => (Value::Long(number as i64), rest),
        ULONG => (Value::ULong(number), rest),
        DOUBLE => (Value::Double(f64::from_bits(number)), rest),
        BOOL => (Value::Bool(number != 0), rest),
        TIME => (Value::Time(number as i64), rest),
        TEXT | BLOB => {
            let (text, rest) = rest.split_at_checked(number as usize).unwrap_or((&[], rest));
            match (*tag, std::str::from_utf8(text)) {
                (TEXT, Ok(text)) => (Value::Text(text), rest),
                _ => (Value::Blob(text), rest),
            }
        }
        _ => (Value::Null, rest),
    };
    *bytes = rest;
    value
}

/// Columns from encoded keys: of the type that the values have, text where they are mixed.
pub fn decode(names: &[Arc<str>], encoded: &[&[u8]]) -> Vec<(Arc<str>, ArrayRef)> {
    let mut rest: Vec<&[u8]> = encoded.to_vec();
    names
        .iter()
        .map(|name| {
            let values: Vec<Value> = rest.iter_mut().map(take).collect();
            (Arc::clone(name), column(&values))
        })
        .collect()
}

fn column(values: &[Value]) -> ArrayRef {
    let all =
        |kind: fn(&Value) -> bool| values.iter().all(|value| matches!(value, Value::Null) || kind(value));
    if values.iter().all(|value| matches!(value, Value::Null)) || all(|value| matches!(value, Value::Text(_)))
    {
        let mut out = StringBuilder::with_capacity(values.len(), values.len() * 8);
        for value in values {
            match value {
                Value::Text(text) => out.append_value(text),
                _ => out.append_null(),
            }
        }
        return Arc::new(out.finish());
    }
    if all(|value| matches!(value, Value::Long(_))) {
        let mut out = Int64Builder::with_capacity(values.len());
        values
            .iter()
            .for_each(|value| out.append_option(if let Value::Long(v) = value { Some(*v) } else { None }));
        return Arc::new(out.finish());
    }
    if all(|value| matches!(value, Value::ULong(_)) || matches!(value, Value::Long(0..))) {
        let mut out = UInt64Builder::with_capacity(values.len());
        values.iter().for_each(|value| {
            out.append_option(match value {
                Value::ULong(v) => Some(*v),
                Value::Long(v) => Some(*v as u64),
                _ => None,
            });
        });
        return Arc::new(out.finish());
    }
    if all(|value| matches!(value, Value::Long(_) | Value::ULong(_) | Value::Double(_))) {
        let mut out = Float64Builder::with_capacity(values.len());
        values.iter().for_each(|value| {
            out.append_option(match value {
                Value::Long(v) => Some(*v as f64),
                Value::ULong(v) => Some(*v as f64),
                Value::Double(v) => Some(*v),
                _ => None,
            });
        });
        return Arc::new(out.finish());
    }
    if all(|value| matches!(value, Value::Bool(_))) {
        let mut out = BooleanBuilder::with_capacity(values.len());
        values
            .iter()
            .for_each(|value| out.append_option(if let Value::Bool(v) = value { Some(*v) } else { None }));
        return Arc::new(out.finish());
    }
    if all(|value| matches!(value, Value::Time(_))) {
        return Arc::new(
            values
                .iter()
                .map(|value| if let Value::Time(v) = value { Some(*v) } else { None })
                .collect::<TimestampNanosecondArray>(),
        );
    }
    if all(|value| matches!(value, Value::Blob(_))) {
        let mut out = BinaryBuilder::new();
        values
            .iter()
            .for_each(|value| out.append_option(if let Value::Blob(v) = value { Some(*v) } else { None }));
        return Arc::new(out.finish());
    }
    mixed(values)
}

fn mixed(values: &[Value]) -> ArrayRef {
    let mut out = StringBuilder::new();
    for value in values {
        match value {
            Value::Null => out.append_null(),
            Value::Long(v) => out.append_value(v.to_string()),
            Value::ULong(v) => out.append_value(v.to_string()),
            Value::Double(v) => out.append_value(v.to_string()),
            Value::Bool(v) => out.append_value(v.to_string()),
            Value::Time(v) => out.append_value(v.to_string()),
            Value::Text(v) => out.append_value(v),
            Value::Blob(v) => out.append_value(String::from_utf8_lossy(v)),
        }
    }
    Arc::new(out.finish())
}
