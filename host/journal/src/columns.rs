//! Arrow columns as bytes and back.
//!
//! A column is a byte for validity (0: all there; 1: a bitmap follows) and its values: numbers and times as [`ints`], floats as their bits or as decimals that
//! give exactly these bits ([`floats`]), booleans as a bitmap, texts and bytes as lengths and the bytes, dictionary columns as the number of their names
//! that are known by this batch (or 0 and the names themselves) and their codes. Slots without a value keep what stood in them, so that what a unit sees is
//! the same again. All of it little-endian and without padding: 10 columns of one row take some 100 B, where Arrow's own message takes over 600.
//!
//! Types are those of [`weir_core::batch`]; another one is refused. Reading checks everything and gives `None` for what was not written here.

pub mod floats;
pub mod ints;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, StringArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use crate::bytes::{Take, put_varint};

/// Most names of a dictionary that stand in a batch.
const NAMES_MAX: usize = 1 << 20;

/// Code of a type in the description of a stream.
pub fn type_code(data_type: &DataType) -> Option<u8> {
    Some(match data_type {
        DataType::Float64 => 1,
        DataType::Int64 => 2,
        DataType::UInt64 => 3,
        DataType::Boolean => 4,
        DataType::Timestamp(TimeUnit::Nanosecond, None) => 5,
        DataType::Utf8 => 6,
        DataType::Binary => 7,
        DataType::Dictionary(key, value) if **key == DataType::UInt32 && **value == DataType::Utf8 => 8,
        _ => return None,
    })
}

pub fn type_of(code: u8) -> Option<DataType> {
    Some(match code {
        1 => DataType::Float64,
        2 => DataType::Int64,
        3 => DataType::UInt64,
        4 => DataType::Boolean,
        5 => DataType::Timestamp(TimeUnit::Nanosecond, None),
        6 => DataType::Utf8,
        7 => DataType::Binary,
        8 => DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8)),
        _ => return None,
    })
}

/// `known`: of a dictionary column whose names are kept beside the batches.
pub fn put(out: &mut Vec<u8>, column: &ArrayRef, known: bool) {
    put_validity(out, column.nulls());
    match column.data_type() {
        DataType::Float64 => floats::put(out, column.as_primitive::<Float64Type>().values()),
        DataType::Int64 => ints::put(out, column.as_primitive::<Int64Type>().values()),
        DataType::UInt64 => {
            let bits = column.as_primitive::<UInt64Type>().values().inner().clone();
            ints::put(out, &ScalarBuffer::<i64>::from(bits));
        }
        DataType::Timestamp(..) => ints::put(out, column.as_primitive::<TimestampNanosecondType>().values()),
        DataType::Boolean => put_bits(out, column.as_boolean().values()),
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            put_texts(out, texts.offsets(), texts.values());
        }
        DataType::Binary => {
            let texts = column.as_binary::<i32>();
            put_texts(out, texts.offsets(), texts.values());
        }
        DataType::Dictionary(..) => {
            let coded = column.as_dictionary::<UInt32Type>();
            if known {
                put_varint(out, coded.values().len() as u64 + 1);
            } else {
                put_varint(out, 0);
                put_varint(out, coded.values().len() as u64);
                put(out, coded.values(), false);
            }
            ints::put_u32(out, coded.keys().values());
        }
        // Streams with other types are refused before.
        _ => {}
    }
}

fn put_validity(out: &mut Vec<u8>, nulls: Option<&NullBuffer>) {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => out.push(0),
        Some(nulls) => {
            out.push(1);
            put_bits(out, nulls.inner());
        }
    }
}

fn put_bits(out: &mut Vec<u8>, bits: &BooleanBuffer) {
    let bytes = bits.sliced();
    let len = bits.len().div_ceil(8);
    out.extend_from_slice(bytes.as_slice().get(..len).unwrap_or_default());
    // What lies behind the last row is not part of the column.
    if let (Some(last), used @ 1..) = (out.last_mut(), bits.len() % 8) {
        *last &= (1 << used) - 1;
    }
}

fn put_texts(out: &mut Vec<u8>, offsets: &OffsetBuffer<i32>, values: &Buffer) {
    let lengths: Vec<u32> = offsets.lengths().map(|length| length as u32).collect();
    ints::put_u32(out, &lengths);
    let from = offsets.inner().first().copied().unwrap_or_default() as usize;
    let to = offsets.inner().last().copied().unwrap_or_default() as usize;
    out.extend_from_slice(values.get(from..to).unwrap_or_default());
}

/// `names`: what is known of the names of a dictionary column.
pub fn take(
    take: &mut Take,
    data_type: &DataType,
    rows: usize,
    names: Option<&StringArray>,
) -> Option<ArrayRef> {
    let nulls = match take.byte()? {
        0 => None,
        1 => Some(NullBuffer::new(take_bits(take, rows)?)),
        _ => return None,
    };
    Some(match data_type {
        DataType::Float64 => Arc::new(Float64Array::new(floats::take(take, rows)?.into(), nulls)),
        DataType::Int64 => Arc::new(Int64Array::new(ints::take(take, rows)?.into(), nulls)),
        DataType::UInt64 => {
            let bits = Buffer::from_vec(ints::take(take, rows)?);
            Arc::new(UInt64Array::new(ScalarBuffer::from(bits), nulls))
        }
        DataType::Timestamp(..) => {
            Arc::new(TimestampNanosecondArray::new(ints::take(take, rows)?.into(), nulls))
        }
        DataType::Boolean => Arc::new(BooleanArray::new(take_bits(take, rows)?, nulls)),
        DataType::Utf8 => {
            let (offsets, values) = take_texts(take, rows)?;
            Arc::new(StringArray::try_new(offsets, values, nulls).ok()?)
        }
        DataType::Binary => {
            let (offsets, values) = take_texts(take, rows)?;
            Arc::new(BinaryArray::try_new(offsets, values, nulls).ok()?)
        }
        DataType::Dictionary(..) => {
            let names = take_names(take, names)?;
            let codes = UInt32Array::new(ints::take_u32(take, rows)?.into(), nulls);
            Arc::new(DictionaryArray::<UInt32Type>::try_new(codes, names).ok()?)
        }
        _ => return None,
    })
}

fn take_names(from: &mut Take, known: Option<&StringArray>) -> Option<ArrayRef> {
    if let Some(count) = from.varint()?.checked_sub(1) {
        let (known, count) = (known?, usize::try_from(count).ok()?);
        return match known.len() {
            len if len == count => Some(Arc::new(known.clone())),
            len if len > count => Some(Arc::new(known.slice(0, count))),
            _ => None,
        };
    }
    let count = usize::try_from(from.varint()?).ok().filter(|count| *count <= NAMES_MAX)?;
    take(from, &DataType::Utf8, count, None)
}

fn take_bits(take: &mut Take, rows: usize) -> Option<BooleanBuffer> {
    let bytes = take.slice(rows.div_ceil(8))?;
    Some(BooleanBuffer::new(Buffer::from(bytes), 0, rows))
}

fn take_texts(take: &mut Take, rows: usize) -> Option<(OffsetBuffer<i32>, Buffer)> {
    let lengths = ints::take_u32(take, rows)?;
    let total = lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
    i32::try_from(total).ok()?;
    let values = Buffer::from(take.slice(total as usize)?);
    Some((OffsetBuffer::from_lengths(lengths.into_iter().map(|length| length as usize)), values))
}

#[cfg(test)]
mod tests;
