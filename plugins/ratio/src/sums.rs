//! The two sums of each key in tenths of the window, kept by the host: one entry for each key and tenth.
//!
//! In: rows with what they add. Out: sums over the ten tenths that end at a time. Rows are added one by one in their order to what is there, and the tenths from the oldest on, so
//! that the sums are the same however the rows were cut into batches. A tenth is over when the watermark reaches its end; rows for one that is over are left out.

use weir_sdk::Failure;
use weir_sdk::column::{F64s, bytes_of};
use weir_sdk::state::{self, refused};
use weir_sdk::timers;

use crate::config::STEPS;

/// The state table, two f64 in each entry.
pub const SUMS: u32 = 0;
pub const SUMS_BYTES: usize = 16;

/// What a row adds to `of` and `to`.
pub type Adds = (f64, f64);

/// A row: its key, the start of its tenth, what it adds.
pub type Row = (u32, i64, Adds);

/// Adds rows, and wakes at the end of tenths that are new.
pub fn add(mut rows: Vec<Row>, step_ns: i64) -> Result<(), Failure> {
    let place = |row: &Row| (row.0, row.1);
    // Stable: rows of one tenth are added in their order.
    rows.sort_by_key(place);
    let tenths: Vec<&[Row]> = rows.chunk_by(|left, right| place(left) == place(right)).collect();
    let (keys, starts): (Vec<u32>, Vec<i64>) =
        tenths.iter().filter_map(|rows| rows.first().map(place)).unzip();
    let (handles, slots) = (bytes_of(&keys), bytes_of(&starts));
    let old = state::read(SUMS, &handles, &slots);
    let known = state::present(SUMS, &handles, &slots);
    let mut new = Vec::with_capacity(keys.len() * 2);
    for (bytes, rows) in old.chunks_exact(SUMS_BYTES).zip(&tenths) {
        let sums = F64s::new(bytes);
        let start = (sums.get(0), sums.get(1));
        let (of, to) = rows.iter().fold(start, |sums, (_, _, adds)| (sums.0 + adds.0, sums.1 + adds.1));
        new.extend([of, to]);
    }
    state::write(SUMS, &handles, &slots, &bytes_of(&new)).map_err(refused)?;
    let fresh = keys.iter().zip(&starts).zip(&known).filter(|(_, known)| **known == 0);
    let (keys, starts): (Vec<u32>, Vec<i64>) = fresh.map(|((key, start), _)| (*key, *start)).unzip();
    let ends: Vec<i64> = starts.iter().map(|start| start.saturating_add(step_ns)).collect();
    timers::wake(&keys, &starts, &ends);
    Ok(())
}

/// For each key the sums over the ten tenths of which the last begins at its start, and whether anything is left for the next. The oldest tenth goes.
pub fn slide(due: &[(u32, i64)], step_ns: i64) -> Vec<(Adds, bool)> {
    let tenths =
        |start: i64| (0..STEPS).rev().map(move |back| start.saturating_sub(back.saturating_mul(step_ns)));
    let handles: Vec<u32> =
        due.iter().flat_map(|(key, _)| std::iter::repeat_n(*key, STEPS as usize)).collect();
    let slots: Vec<i64> = due.iter().flat_map(|(_, start)| tenths(*start)).collect();
    let values = state::read(SUMS, &bytes_of(&handles), &bytes_of(&slots));
    let oldest: Vec<i64> = due.iter().filter_map(|(_, start)| tenths(*start).next()).collect();
    let keys: Vec<u32> = due.iter().map(|(key, _)| *key).collect();
    state::remove(SUMS, &bytes_of(&keys), &bytes_of(&oldest));
    let windows = values.chunks_exact(SUMS_BYTES * STEPS as usize).map(|bytes| {
        let numbers = F64s::new(bytes).to_vec();
        let pairs = numbers.as_chunks::<2>().0;
        let sums = pairs.iter().fold((0.0, 0.0), |sums, [of, to]| (sums.0 + of, sums.1 + to));
        let left = pairs.iter().skip(1).any(|[of, to]| *of != 0.0 || *to != 0.0);
        (sums, left)
    });
    windows.collect()
}
