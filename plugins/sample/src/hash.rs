//! Hash numbers of keys that are the same on every machine, in every version: the choice of a rate rests on them.
//!
//! A value is hashed by FNV-1a (64 bits, offset basis 0xcbf29ce484222325, prime 0x100000001b3) over a byte that says its kind and its bytes, little-endian; whole
//! numbers of any column hash alike, so 200 is 200 also where a column became f64. Columns are mixed in their order by the finalizer of splitmix64, which also spreads the
//! result over all 64 bits.

use weir_sdk::column::{F64s, PackedExt, S64s, U32s, U64s};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Values};

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// One number for each row; a column that is not there counts as not there in every row.
pub fn of_rows(batch: &Batch, columns: &[String], salt: u64) -> Vec<u64> {
    let mut hashes = vec![mix(salt); batch.rows as usize];
    for name in columns {
        let values = batch.column(name).map(of_column);
        for (row, hash) in hashes.iter_mut().enumerate() {
            let value = values.as_ref().and_then(|values| values.get(row)).copied().unwrap_or(FNV_BASIS);
            *hash = mix(*hash ^ value);
        }
    }
    hashes
}

/// The finalizer of splitmix64.
pub fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn of_column(column: &Column) -> Vec<u64> {
    let mut hashes: Vec<u64> = match &column.values {
        Values::F64s(bytes) => F64s::new(bytes).iter().map(of_f64).collect(),
        Values::S64s(bytes) | Values::Timestamps(bytes) => S64s::new(bytes).iter().map(of_s64).collect(),
        Values::U64s(bytes) => U64s::new(bytes).iter().map(of_u64).collect(),
        Values::Bools(bytes) => bytes.iter().map(|byte| fnv(4, &[*byte])).collect(),
        Values::Texts(packed) => (0..packed.count()).map(|row| fnv(5, packed.bytes_at(row))).collect(),
        Values::Blobs(packed) => (0..packed.count()).map(|row| fnv(6, packed.bytes_at(row))).collect(),
        Values::Categories(categories) => {
            let names = &categories.names;
            let of_names: Vec<u64> = (0..names.count()).map(|name| fnv(5, names.bytes_at(name))).collect();
            let code = |code: u32| of_names.get(code as usize).copied().unwrap_or(FNV_BASIS);
            U32s::new(&categories.codes).iter().map(code).collect()
        }
        Values::Other(_) => Vec::new(),
    };
    for (row, hash) in hashes.iter_mut().enumerate() {
        if !column.is_there(row) {
            *hash = FNV_BASIS;
        }
    }
    hashes
}

fn of_u64(value: u64) -> u64 {
    fnv(1, &value.to_le_bytes())
}

fn of_s64(value: i64) -> u64 {
    match u64::try_from(value) {
        Ok(value) => of_u64(value),
        Err(_) => fnv(2, &value.to_le_bytes()),
    }
}

fn of_f64(value: f64) -> u64 {
    // 2^63: below it a whole f64 is an s64.
    if value.fract() == 0.0 && value.abs() < 9_223_372_036_854_775_808.0 {
        return of_s64(value as i64);
    }
    fnv(3, &value.to_bits().to_le_bytes())
}

fn fnv(kind: u8, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    bytes.iter().fold(step(FNV_BASIS, &kind), step)
}
