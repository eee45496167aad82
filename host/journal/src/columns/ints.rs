//! Whole numbers as the distance from the least of them, in as few bytes as the greatest distance needs.
//!
//! Eight-byte numbers: a width of 0, 1, 2, 4 or 8 bytes, the least number where the width is not 8, and the distances. Four-byte numbers: a width of 0, 1,
//! 2 or 4 and the numbers; 0 means that all are the one number that follows. Unsigned ones go by their bits.

use crate::bytes::{Take, put_varint};

pub fn put(out: &mut Vec<u8>, values: &[i64]) {
    let least = values.iter().copied().min().unwrap_or_default();
    let greatest = values.iter().copied().max().unwrap_or_default();
    let span = greatest.wrapping_sub(least) as u64;
    let width = match span {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    out.push(width);
    if width != 8 {
        out.extend_from_slice(&least.to_le_bytes());
    }
    match width {
        0 => {}
        1 => fill(out, values, |value| [value.wrapping_sub(least) as u8]),
        2 => fill(out, values, |value| (value.wrapping_sub(least) as u16).to_le_bytes()),
        4 => fill(out, values, |value| (value.wrapping_sub(least) as u32).to_le_bytes()),
        _ => fill(out, values, |value| value.to_le_bytes()),
    }
}

pub fn put_u32(out: &mut Vec<u8>, values: &[u32]) {
    let greatest = values.iter().copied().max().unwrap_or_default();
    let all_one = values.iter().all(|value| *value == greatest);
    match greatest {
        _ if all_one => {
            out.push(0);
            put_varint(out, u64::from(greatest));
        }
        0..=0xff => {
            out.push(1);
            fill(out, values, |value| [value as u8]);
        }
        0x100..=0xffff => {
            out.push(2);
            fill(out, values, |value| (value as u16).to_le_bytes());
        }
        _ => {
            out.push(4);
            fill(out, values, u32::to_le_bytes);
        }
    }
}

fn fill<T: Copy, const N: usize>(out: &mut Vec<u8>, values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let from = out.len();
    out.resize(from + values.len() * N, 0);
    let (places, _) = out.get_mut(from..).unwrap_or_default().as_chunks_mut::<N>();
    for (place, value) in places.iter_mut().zip(values) {
        *place = bytes(*value);
    }
}

pub fn take(take: &mut Take, rows: usize) -> Option<Vec<i64>> {
    let width = take.byte()?;
    if width == 8 {
        return unfill(take, rows, i64::from_le_bytes);
    }
    let least = i64::from_le_bytes(take.array()?);
    match width {
        0 => Some(vec![least; rows]),
        1 => unfill(take, rows, |[byte]| least.wrapping_add(i64::from(byte))),
        2 => unfill(take, rows, |bytes| least.wrapping_add(i64::from(u16::from_le_bytes(bytes)))),
        4 => unfill(take, rows, |bytes| least.wrapping_add(i64::from(u32::from_le_bytes(bytes)))),
        _ => None,
    }
}

pub fn take_u32(take: &mut Take, rows: usize) -> Option<Vec<u32>> {
    match take.byte()? {
        0 => {
            let one = u32::try_from(take.varint()?).ok()?;
            Some(vec![one; rows])
        }
        1 => unfill(take, rows, |[byte]| u32::from(byte)),
        2 => unfill(take, rows, |bytes| u32::from(u16::from_le_bytes(bytes))),
        4 => unfill(take, rows, u32::from_le_bytes),
        _ => None,
    }
}

fn unfill<T, const N: usize>(take: &mut Take, rows: usize, value: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let bytes = take.slice(rows.checked_mul(N)?)?;
    let (places, _) = bytes.as_chunks::<N>();
    Some(places.iter().map(|place| value(*place)).collect())
}
