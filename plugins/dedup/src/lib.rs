//! dedup: lets the first event of a key through and holds its repetitions back for a time.
//!
//! In: any stream; no column is read, the host numbers the key. Out: first events on port `out`, the others as they are on `duplicates`. A row is a duplicate where its event
//! time is less than `within` from that of the row that was let through last (with `refresh`: seen last). State: 8 bytes for each key, which go when the watermark is
//! `within` past them, so memory is bounded by the keys of that time and by the host's quota. Where the quota is reached rows pass, since a duplicate harms
//! less than a loss; they are counted in the extra `dedup.not_remembered`. Cut-invariant for rows that are not late: folded row by row.

mod config;

use weir_sdk::column::S64s;
use weir_sdk::column::bytes_of;
use weir_sdk::failure::bad_config;
use weir_sdk::output::forward_mask;
use weir_sdk::unit::is_connected;
use weir_sdk::{
    Batch, BatchExt, Complaint, Context, Description, Extra, Failure, Opening, Output, Plan, Table, Unit,
    log, state,
};

use config::Config;

const OUT: u32 = 0;
const DUPLICATES: u32 = 1;
const SEEN: u32 = 0;
const NOWHERE: u32 = u32::MAX;

struct Dedup {
    within_ns: i64,
    refresh: bool,
    duplicates: bool,
    /// For each key number its place in the batch at work, or [`NOWHERE`]; all of them between calls.
    places: Vec<u32>,
}

/// The keys of one batch.
#[derive(Default)]
struct Keys {
    numbers: Vec<u32>,
    /// Time of the row that counts; none: the key is new.
    seen: Vec<Option<i64>>,
    changed: Vec<bool>,
}

impl Unit for Dedup {
    type Config = Config;

    fn describe() -> Description {
        let summary = "Lets the first event of each key through and holds its repetitions back for a time";
        Description::new("filter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(config::SCHEMA)
            .state(1, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        config.within_ns()?;
        Ok(Plan::default()
            .reads([])
            .keys(config.keys)
            .port("out", "the first event of each key")
            .port("duplicates", "events whose key was there within the time before")
            .table(Table::by_key("seen", 8))
            .cut_invariant())
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let within_ns = config.within_ns().map_err(bad_config)?;
        let duplicates = is_connected(opening, "duplicates");
        Ok(Self { within_ns, refresh: config.refresh, duplicates, places: Vec::new() })
    }

    fn process(&mut self, _context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let mut keys = self.find(&input);
        let mut mask = Vec::with_capacity(input.rows as usize);
        for (time, key) in input.times().iter().zip(input.key_numbers().iter()) {
            let place = self.places.get(key as usize).map_or(0, |place| *place as usize);
            let (Some(seen), Some(changed)) = (keys.seen.get_mut(place), keys.changed.get_mut(place)) else {
                mask.push(1);
                continue;
            };
            let duplicate = seen.is_some_and(|seen| seen.abs_diff(time) < self.within_ns.unsigned_abs());
            if !duplicate || self.refresh {
                *seen = Some(seen.map_or(time, |seen| seen.max(time)));
                *changed = true;
            }
            mask.push(u8::from(!duplicate));
        }
        for key in &keys.numbers {
            if let Some(place) = self.places.get_mut(*key as usize) {
                *place = NOWHERE;
            }
        }
        let forgotten = self.remember(&keys);
        let mut outputs = Vec::with_capacity(3);
        if self.duplicates {
            outputs.extend(forward_mask(DUPLICATES, mask.iter().map(|byte| byte ^ 1).collect()));
        }
        outputs.extend(forward_mask(OUT, mask));
        outputs.extend(forgotten);
        Ok(outputs)
    }
}

impl Dedup {
    /// The distinct keys of a batch with what is known of them; fills `places`.
    fn find(&mut self, input: &Batch) -> Keys {
        let mut numbers = Vec::new();
        for key in input.key_numbers().iter() {
            let index = key as usize;
            if index >= self.places.len() {
                self.places.resize(index + 1, NOWHERE);
            }
            if let Some(place) = self.places.get_mut(index).filter(|place| **place == NOWHERE) {
                *place = numbers.len() as u32;
                numbers.push(key);
            }
        }
        let bytes = state::read(SEEN, &bytes_of(&numbers), &[]);
        let seen: Vec<Option<i64>> = S64s::new(&bytes).iter().map(unpacked).collect();
        let changed = vec![false; numbers.len()];
        Keys { numbers, seen, changed }
    }

    fn remember(&self, keys: &Keys) -> Option<Output> {
        let changed = keys.numbers.iter().zip(&keys.seen).zip(&keys.changed).filter(|(_, changed)| **changed);
        let (numbers, times): (Vec<u32>, Vec<i64>) =
            changed.filter_map(|((number, seen), _)| Some((*number, (*seen)?))).unzip();
        if numbers.is_empty() {
            return None;
        }
        let handles = bytes_of(&numbers);
        let values: Vec<i64> = times.iter().map(|time| packed(*time)).collect();
        if let Err(refusal) = state::write(SEEN, &handles, &[], &bytes_of(&values)) {
            log::warn(&format!("{} keys are not remembered: {}", numbers.len(), refusal.message));
            let value = numbers.len().to_string();
            return Some(Output::Extra(Extra { name: "dedup.not_remembered".to_owned(), value }));
        }
        let ends: Vec<i64> = times.iter().map(|time| time.saturating_add(self.within_ns)).collect();
        state::expire(SEEN, &handles, &[], &bytes_of(&ends));
        None
    }
}

/// A value that is not there reads as zeros, so the one time that nobody has stands for it.
fn packed(time: i64) -> i64 {
    time ^ i64::MIN
}

fn unpacked(value: i64) -> Option<i64> {
    (value != 0).then_some(value ^ i64::MIN)
}

weir_sdk::export_unit!(Dedup);

#[cfg(test)]
mod tests;
