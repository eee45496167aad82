//! delta: the difference and the per-second rate to the key's value before.
//!
//! In: any stream; of it the key columns and columns of numbers. Out: all rows on port `out`, with two more columns for each: `NAME_delta` and `NAME_per_s`. The first
//! row of a key, one without a finite value, one that is older than the key's last, and one after too long a pause have no value there; of equal
//! times there is a difference and no rate. A counter that falls began again at 0. State is the host's: time and value of each key and column. Rows are taken in
//! their order: cut-invariant. Rows of keys that there is no room for are rejected with the host's code.

mod config;

use weir_fold::cells::Cells;
use weir_fold::columns::numbers;
use weir_fold::host::{Imports, Wakes};
use weir_fold::layout::{Layout, rise};
use weir_sdk::column::{F64s, S64s, U32s, bytes_of};
use weir_sdk::failure::bad_config;
use weir_sdk::output::reject;
use weir_sdk::{
    Batch, BatchExt, Column, Complaint, Context, Description, Due, Failure, Forward, Opening, Output, Plan,
    Unit, Values,
};

use config::{Config, SCHEMA, WORDS_PER_COLUMN};

const OUT: u32 = 0;
/// What the first word says of a key that is known.
const KNOWN: u64 = 1;

pub struct Delta {
    config: Config,
    cells: Cells,
}

/// The new columns of one column.
struct Made {
    deltas: Vec<f64>,
    rates: Vec<f64>,
}

impl Unit for Delta {
    type Config = config::Raw;

    fn describe() -> Description {
        let summary = "The difference and the per-second rate to the key's value before, for counters with their resets";
        Description::new("transform", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(SCHEMA)
            .state(1, &[])
    }

    fn plan(config: config::Raw) -> Result<Plan, Vec<Complaint>> {
        Config::new(config).map(|config| config.plan())
    }

    fn open(config: config::Raw, _opening: &Opening) -> Result<Self, Failure> {
        let config = Config::new(config).map_err(bad_config)?;
        Ok(Self { cells: Cells::new(Layout::of_words(config.words())), config })
    }

    fn process(&mut self, context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let rows = input.rows as usize;
        let bases = self.cells.find(context, &input.keys, rows, &mut Imports)?;
        for base in self.cells.cache.touched.clone() {
            if let Some(first) = self.cells.cache.words_at(base).and_then(|words| words.first_mut()) {
                *first = KNOWN;
            }
        }
        let mut set = Vec::new();
        for (at, name) in self.config.of.iter().enumerate() {
            let word = 1 + at * WORDS_PER_COLUMN;
            let made = made(&self.config, word, &bases, &input, name, &mut self.cells.cache.words);
            set.push(column(&format!("{name}_delta"), made.deltas));
            set.push(column(&format!("{name}_per_s"), made.rates));
        }
        let refused = self.cells.store(&mut Imports)?;
        self.wake(context, &bases, &input);
        let is_gone = |base: &u32| refused.as_ref().is_some_and(|(gone, _)| gone.binary_search(base).is_ok());
        let (gone, kept): (Vec<u32>, Vec<u32>) =
            (0..input.rows).partition(|row| bases.get(*row as usize).is_some_and(is_gone));
        let mut outputs = Vec::new();
        if !kept.is_empty() {
            let which =
                if gone.is_empty() { weir_sdk::Rows::All } else { weir_sdk::Rows::Indexes(bytes_of(&kept)) };
            outputs.push(Output::Forward(Forward { port: OUT, rows: which, set, omit: Vec::new() }));
        }
        if let Some((_, refusal)) = &refused {
            outputs.push(reject(
                &gone,
                &refusal.code,
                format!("there is no room for a new key: {}", refusal.message),
            ));
        }
        Ok(outputs)
    }

    /// Keys that were silent for too long are forgotten.
    fn tick(&mut self, _context: &Context, due: Due) -> Result<Vec<Output>, Failure> {
        for key in U32s::new(&due.keys).iter() {
            self.cells.remove(key, &mut Imports);
        }
        Ok(Vec::new())
    }
}

impl Delta {
    /// Sets the time to be forgotten of each key in the batch.
    fn wake(&self, context: &Context, bases: &[u32], input: &Batch) {
        if self.config.max_gap_ns == 0 {
            return;
        }
        let mut last: std::collections::BTreeMap<u32, i64> = std::collections::BTreeMap::new();
        for (base, time) in bases.iter().zip(input.times().iter()) {
            let known = last.entry(*base).or_insert(time);
            *known = time.max(*known);
        }
        let mut wakes = Wakes::default();
        for (base, time) in last {
            // Nobody's is a cell that was refused.
            if let Some(entry) = self.cells.cache.entry(base) {
                let time = time.max(context.watermark);
                wakes.push(entry.key, 0, time.saturating_add(self.config.max_gap_ns).saturating_add(1));
            }
        }
        wakes.set(&mut Imports);
    }
}

/// NaN is no value.
fn column(name: &str, mut values: Vec<f64>) -> Column {
    let valid = values
        .iter()
        .any(|value| value.is_nan())
        .then(|| values.iter().map(|value| u8::from(!value.is_nan())).collect());
    values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
    Column { name: name.to_owned(), values: Values::F64s(bytes_of(&values)), valid }
}

/// Takes the rows of one column in their order. Its words in a cell: whether there was a value, its time, the value.
fn made(config: &Config, word: usize, bases: &[u32], input: &Batch, name: &str, words: &mut [u64]) -> Made {
    let mut made = Made { deltas: vec![f64::NAN; bases.len()], rates: vec![f64::NAN; bases.len()] };
    let Some(values) = input.column(name).and_then(numbers) else { return made };
    let (f64s, times) = (F64s::new(&values.f64s), S64s::new(&input.time));
    let rows =
        bases.iter().zip(f64s.iter()).zip(times.iter()).zip(made.deltas.iter_mut().zip(&mut made.rates));
    for (row, (((base, value), time), (delta, rate))) in rows.enumerate() {
        let is_there = values.valid.is_none_or(|valid| valid.get(row) == Some(&1)) && value.is_finite();
        let from = *base as usize + word;
        let Some([seen, known_at, known]) = words.get_mut(from..from + WORDS_PER_COLUMN).filter(|_| is_there)
        else {
            continue;
        };
        if *seen != 0 {
            let pause_ns = time.saturating_sub(known_at.cast_signed());
            if pause_ns < 0 {
                continue;
            }
            if config.max_gap_ns == 0 || pause_ns <= config.max_gap_ns {
                let before = f64::from_bits(*known);
                *delta = if config.counter { rise(before, value) } else { value - before };
                if pause_ns > 0 {
                    *rate = *delta / (pause_ns as f64 / 1e9);
                }
            }
        }
        (*seen, *known_at, *known) = (1, time.cast_unsigned(), value.to_bits());
    }
    made
}

weir_sdk::export_unit!(Delta);

#[cfg(test)]
mod tests;
