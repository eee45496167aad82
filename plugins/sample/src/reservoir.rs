//! The same number of rows for each key and window, each row with the same chance: algorithm R (Vitter, "Random Sampling with a Reservoir", 1985).
//!
//! State: for each key and window how many rows came (8 bytes), and the chosen rows, one chunk each at the slot start + i. Row n (from 0) takes place n while there is room, later
//! the place j = random number of (salt, key number, window, n) below n + 1, if there is such a place. So the choice is the same on replay and however rows are cut.

use std::collections::BTreeMap;

use weir_rows::{Gather, encode};
use weir_sdk::column::{PackedExt, S64s, U32s, U64s, bytes_of, pack};
use weir_sdk::output::reject;
use weir_sdk::state::{self, refused};
use weir_sdk::{Batch, BatchExt, Due, Failure, FailureExt, Forward, Output, Rows, timers};

use crate::hash::mix;
use crate::{COUNTS, OUT, REST, ROWS};

/// What one tick lets go; the rest is for the next one.
const RELEASE_ROWS_MAX: usize = 20_000;
const RELEASE_BYTES_MAX: usize = 8 << 20;

#[derive(Clone, Copy)]
pub struct Reservoir {
    pub rows: u32,
    pub window_ns: i64,
    pub salt: u64,
    pub keyed: bool,
}

impl Reservoir {
    pub fn take(&self, watermark: i64, input: &Batch) -> Result<Vec<Output>, Failure> {
        let (mut late, mut out_of_range) = (Vec::new(), Vec::new());
        let mut places: BTreeMap<(u32, i64), Vec<u32>> = BTreeMap::new();
        let keys = input.key_numbers();
        for (row, time) in input.times().iter().enumerate() {
            let start = time.div_euclid(self.window_ns).checked_mul(self.window_ns);
            match start.map(|start| (start, start.checked_add(self.window_ns))) {
                Some((_, Some(end))) if end <= watermark => late.push(row as u32),
                Some((start, Some(_))) => places.entry((keys.get(row), start)).or_default().push(row as u32),
                _ => out_of_range.push(row as u32),
            }
        }
        let mut outputs = Vec::new();
        if !late.is_empty() {
            let rows = Rows::Indexes(bytes_of(&late));
            outputs.push(Output::Forward(Forward { port: REST, rows, set: Vec::new(), omit: Vec::new() }));
        }
        if !out_of_range.is_empty() {
            let message = "the time is too near to an end of 64 bits of nanoseconds for a window";
            outputs.push(reject(&out_of_range, "time-out-of-range", message));
        }
        if !places.is_empty() {
            self.choose(input, &places)?;
        }
        Ok(outputs)
    }

    fn choose(&self, input: &Batch, places: &BTreeMap<(u32, i64), Vec<u32>>) -> Result<(), Failure> {
        let (keys, starts): (Vec<u32>, Vec<i64>) = places.keys().copied().unzip();
        let (handles, slots) = (bytes_of(&keys), bytes_of(&starts));
        let before = U64s::new(&state::read(COUNTS, &handles, &slots)).to_vec();
        let mut after = Vec::with_capacity(before.len());
        // Place in the reservoir to the row that is there at the end.
        let mut chosen: BTreeMap<(u32, i64), u32> = BTreeMap::new();
        for (((key, start), rows), before) in places.iter().zip(&before) {
            for (row, number) in rows.iter().zip(*before..) {
                if let Some(place) = self.place(*key, *start, number) {
                    chosen.insert((*key, start.saturating_add(i64::from(place))), *row);
                }
            }
            after.push(before.saturating_add(rows.len() as u64));
        }
        let (row_keys, row_slots): (Vec<u32>, Vec<i64>) = chosen.keys().copied().unzip();
        let values = pack(chosen.values().map(|row| encode(input, &[*row])));
        state::write(COUNTS, &handles, &slots, &bytes_of(&after)).map_err(refused)?;
        state::write_packed(ROWS, &bytes_of(&row_keys), &bytes_of(&row_slots), &values).map_err(refused)?;
        let new = keys.iter().zip(&starts).zip(&before).filter(|(_, before)| **before == 0);
        let (keys, starts): (Vec<u32>, Vec<i64>) = new.map(|((key, start), _)| (*key, *start)).unzip();
        let ends: Vec<i64> = starts.iter().map(|start| start.saturating_add(self.window_ns)).collect();
        timers::wake(&keys, &starts, &ends);
        Ok(())
    }

    /// Where row `number` of a window goes; none: it is not chosen.
    fn place(&self, key: u32, start: i64, number: u64) -> Option<u32> {
        if number < u64::from(self.rows) {
            return Some(number as u32);
        }
        let random = mix(mix(mix(self.salt ^ u64::from(key)) ^ start as u64) ^ number);
        // The high half of the product is a number below number + 1, even enough for any count of rows that there can be.
        let place = (u128::from(random) * u128::from(number + 1)) >> 64;
        (place < u128::from(self.rows)).then_some(place as u32)
    }

    /// Windows are over. What does not fit into one call is asked for again.
    pub fn release(&self, due: &Due) -> Result<Vec<Output>, Failure> {
        let (keys, starts, times) = (U32s::new(&due.keys), S64s::new(&due.slots), S64s::new(&due.times));
        let counts = state::read(COUNTS, &due.keys, &due.slots);
        let mut gather = Gather::default();
        let (mut gone_keys, mut gone_slots) = (Vec::new(), Vec::new());
        let mut done = 0;
        for (index, count) in U64s::new(&counts).iter().enumerate() {
            if gather.rows >= RELEASE_ROWS_MAX || gather.bytes >= RELEASE_BYTES_MAX {
                break;
            }
            let (key, start) = (keys.get(index), starts.get(index));
            let rows = count.min(u64::from(self.rows)) as usize;
            let slots: Vec<i64> = (0..rows as i64).map(|place| start.saturating_add(place)).collect();
            let handles = vec![key; rows];
            let packed = state::read_packed(ROWS, &bytes_of(&handles), &bytes_of(&slots));
            for row in 0..rows {
                let broken = |_| Failure::fail("broken-state", "rows in the state are not readable");
                gather.push(packed.bytes_at(row), key).map_err(broken)?;
            }
            gone_keys.extend(handles);
            gone_slots.extend(slots);
            done = index + 1;
        }
        state::remove(ROWS, &bytes_of(&gone_keys), &bytes_of(&gone_slots));
        let (keys, starts, times) = (keys.to_vec(), starts.to_vec(), times.to_vec());
        let (done_keys, left_keys) = keys.split_at_checked(done).unwrap_or_default();
        let (done_starts, left_starts) = starts.split_at_checked(done).unwrap_or_default();
        state::remove(COUNTS, &bytes_of(done_keys), &bytes_of(done_starts));
        timers::wake(left_keys, left_starts, times.get(done..).unwrap_or_default());
        Ok(gather.into_outputs(OUT, self.keyed))
    }
}
