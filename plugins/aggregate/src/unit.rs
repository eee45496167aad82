//! The unit: folds a batch into the cells of its keys and decides which of them give a row.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

use serde_json::Value;
use weir_fold::cache::WindowHasher;
use weir_fold::cells::Cells;
use weir_fold::columns::Columns;
use weir_fold::host::{Imports, Wakes};
use weir_fold::{sketches, steps, words};
use weir_sdk::column::{S64s, U32s};
use weir_sdk::failure::bad_config;
use weir_sdk::output::{emit_for_keys, reject};
use weir_sdk::{
    Batch, BatchExt, Column, Complaint, Context, Description, Due, Extra, Failure, Opening, Output, Plan,
    Unit,
};

use crate::config::{Config, Emit, schema};

const OUT: u32 = 0;
/// Slot of the timer that forgets a key; those of rows at a pace are times.
const FORGET: i64 = i64::MIN;
/// Boundaries that are remembered as set; over it they are set again, which changes nothing.
const BOUNDARIES_MAX: usize = 1 << 18;

/// By key number or base.
type ByNumber<T> = HashMap<u32, T, BuildHasherDefault<WindowHasher>>;

pub struct Aggregate {
    config: Config,
    cells: Cells,
    /// The last boundary of a key that a timer was set for.
    boundaries: ByNumber<i64>,
}

/// Rows to be given, of bases.
#[derive(Default)]
struct Rows {
    bases: Vec<u32>,
    times: Vec<i64>,
    keys: Vec<u32>,
    words: Vec<u64>,
    cells: Vec<Vec<sketches::Sketch>>,
}

impl Unit for Aggregate {
    type Config = Value;

    fn describe() -> Description {
        let summary = "Running results for each key: counts, sums, percentiles, the most frequent and more, without windows";
        Description::new("aggregate", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(schema())
            .state(1, &[])
    }

    fn plan(config: Value) -> Result<Plan, Vec<Complaint>> {
        Config::parse(&config).map(|config| config.plan())
    }

    fn open(config: Value, _opening: &Opening) -> Result<Self, Failure> {
        let config = Config::parse(&config).map_err(bad_config)?;
        Ok(Self { cells: Cells::new(config.layout()), config, boundaries: HashMap::default() })
    }

    fn process(&mut self, context: &Context, input: Batch) -> Result<Vec<Output>, Failure> {
        let columns = Columns::of(&input, &self.cells.layout);
        let bases = self.cells.find(context, &input.keys, input.rows as usize, &mut Imports)?;
        let touched = self.cells.cache.touched.clone();
        let before = (self.config.emit == Emit::Change).then(|| self.cells.collect(&touched));
        let mut rows = Rows::default();
        let not_finite = match self.config.emit {
            Emit::Every(every) => self.fold_counted(every, &input, &bases, &columns, &mut rows),
            _ => self.fold(0, &bases, &input, &columns),
        };
        let latest = latest_times(&bases, &input);
        if matches!(self.config.emit, Emit::Batch | Emit::Change) {
            let changed = before.map(|before| self.changed(&touched, before));
            for (at, base) in touched.iter().enumerate() {
                if changed.as_ref().is_none_or(|changed| changed.get(at) == Some(&true)) {
                    self.take(*base, latest.get(base).copied().unwrap_or(0), &mut rows);
                }
            }
        }
        let refused = self.cells.store(&mut Imports)?;
        let mut outputs = Vec::new();
        if let Some((gone, refusal)) = &refused {
            let is_gone = |base: &u32| gone.binary_search(base).is_ok();
            let rejected: Vec<u32> =
                (0..input.rows).zip(&bases).filter(|(_, base)| is_gone(base)).map(|(row, _)| row).collect();
            outputs.push(reject(
                &rejected,
                &refusal.code,
                format!("there is no room for a new key: {}", refusal.message),
            ));
            self.leave_out(&mut rows, gone);
        }
        let is_kept = |base: &u32| refused.as_ref().is_none_or(|(gone, _)| gone.binary_search(base).is_err());
        self.wake(
            context,
            latest.iter().filter(|(base, _)| is_kept(base)).map(|(base, time)| (*base, *time)),
        );
        outputs.extend(self.given(rows));
        if not_finite > 0 {
            outputs.push(Output::Extra(Extra {
                name: "aggregate.not_finite".into(),
                value: not_finite.to_string(),
            }));
        }
        Ok(outputs)
    }

    fn tick(&mut self, context: &Context, due: Due) -> Result<Vec<Output>, Failure> {
        let (slots, times) = (S64s::new(&due.slots), S64s::new(&due.times));
        let bases = self.cells.find(context, &due.keys, due.keys.len() / 4, &mut Imports)?;
        let (mut rows, mut gone) = (Rows::default(), Vec::new());
        for (at, (key, base)) in U32s::new(&due.keys).iter().zip(bases).enumerate() {
            let is_empty = self.cells.cache.words_at(base).is_none_or(|words| words.first() == Some(&0));
            if slots.get(at) == FORGET {
                gone.push(key);
            } else if !is_empty {
                self.take(base, times.get(at), &mut rows);
            }
        }
        let outputs = self.given(rows).into_iter().collect();
        for key in gone {
            self.cells.remove(key, &mut Imports);
        }
        Ok(outputs)
    }
}

impl Aggregate {
    /// Folds rows from `from` on, one for each base.
    fn fold(&mut self, from: usize, bases: &[u32], input: &Batch, columns: &Columns<'_>) -> u64 {
        let Cells { layout, cache, .. } = &mut self.cells;
        for base in bases {
            words::increment(&mut cache.words, *base as usize);
        }
        let not_finite = words::fold(layout, from, bases, &input.time, columns, &mut cache.words);
        steps::fold(layout, from, bases, input, &mut cache.words);
        sketches::fold(layout, from, bases, columns, &mut cache.sketches);
        not_finite
    }

    /// Folds up to each row that makes a key's count a multiple of `every`, and takes the key's results there.
    fn fold_counted(
        &mut self,
        every: u64,
        input: &Batch,
        bases: &[u32],
        columns: &Columns<'_>,
        rows: &mut Rows,
    ) -> u64 {
        let (times, mut from, mut not_finite) = (input.times(), 0, 0);
        // Rows of each key that are not folded yet.
        let mut waiting: ByNumber<u64> = HashMap::default();
        for (row, base) in bases.iter().enumerate() {
            let count = waiting.entry(*base).or_default();
            *count += 1;
            let folded = self.cells.cache.words.get(*base as usize).copied().unwrap_or(0);
            if (folded + *count).is_multiple_of(every) {
                not_finite += self.fold(from, bases.get(from..=row).unwrap_or_default(), input, columns);
                self.take(*base, times.get(row), rows);
                from = row + 1;
                waiting.clear();
            }
        }
        not_finite + self.fold(from, bases.get(from..).unwrap_or_default(), input, columns)
    }

    /// Which of the cells give other results than before.
    fn changed(&mut self, bases: &[u32], before: (Vec<u64>, Vec<Vec<sketches::Sketch>>)) -> Vec<bool> {
        let (words, cells) = self.cells.collect(bases);
        let layout = &self.cells.layout;
        let (old, new) = (layout.read_out(&before.0, &before.1), layout.read_out(&words, &cells));
        let is_new = |at: usize| before.0.get(at * layout.words) == Some(&0);
        (0..bases.len())
            .map(|at| is_new(at) || old.iter().zip(&new).any(|(old, new)| !old.is_same(new, at)))
            .collect()
    }

    fn take(&mut self, base: u32, time: i64, rows: &mut Rows) {
        let Some(entry) = self.cells.cache.entry(base) else { return };
        let (words, cells) = self.cells.collect(&[base]);
        rows.bases.push(base);
        rows.times.push(time);
        rows.keys.push(entry.key);
        rows.words.extend(words);
        rows.cells.extend(cells);
    }

    fn leave_out(&self, rows: &mut Rows, gone: &[u32]) {
        let old = std::mem::take(rows);
        let words = old.words.chunks_exact(self.cells.layout.words);
        let all = old.bases.into_iter().zip(old.times).zip(old.keys).zip(words).zip(old.cells);
        for ((((base, time), key), words), cell) in
            all.filter(|((((base, ..), ..), ..), ..)| gone.binary_search(base).is_err())
        {
            rows.bases.push(base);
            rows.times.push(time);
            rows.keys.push(key);
            rows.words.extend_from_slice(words);
            rows.cells.push(cell);
        }
    }

    fn given(&self, rows: Rows) -> Option<Output> {
        if rows.times.is_empty() {
            return None;
        }
        let layout = &self.cells.layout;
        let results = layout.read_out(&rows.words, &rows.cells);
        let columns: Vec<Column> =
            layout.names.iter().zip(results).map(|(name, values)| values.into_column(name)).collect();
        let keys = if self.config.keys.is_empty() { &[][..] } else { &rows.keys };
        Some(emit_for_keys(OUT, &rows.times, keys, columns))
    }

    /// Timers of the keys of a batch: the next boundary of a pace, and the time to be forgotten.
    fn wake(&mut self, context: &Context, latest: impl Iterator<Item = (u32, i64)>) {
        let pace_ns = match self.config.emit {
            Emit::Pace(pace_ns) => pace_ns,
            _ => 0,
        };
        if pace_ns == 0 && self.config.forget_ns == 0 {
            return;
        }
        if self.boundaries.len() > BOUNDARIES_MAX {
            self.boundaries.clear();
        }
        let mut wakes = Wakes::default();
        for (base, time) in latest {
            let Some(entry) = self.cells.cache.entry(base) else { continue };
            let time = time.max(context.watermark);
            if pace_ns > 0 {
                let boundary = time.saturating_sub(time.rem_euclid(pace_ns)).saturating_add(pace_ns);
                if self.boundaries.insert(entry.key, boundary) != Some(boundary) {
                    wakes.push(entry.key, boundary, boundary);
                }
            }
            if self.config.forget_ns > 0 {
                wakes.push(entry.key, FORGET, time.saturating_add(self.config.forget_ns));
            }
        }
        wakes.set(&mut Imports);
    }
}

/// The greatest time of each cell in the batch; in the order of the bases, so that timers are set in one order.
fn latest_times(bases: &[u32], input: &Batch) -> BTreeMap<u32, i64> {
    let mut latest: ByNumber<i64> = HashMap::default();
    for (base, time) in bases.iter().zip(input.times().iter()) {
        let known = latest.entry(*base).or_insert(time);
        *known = time.max(*known);
    }
    latest.into_iter().collect()
}
