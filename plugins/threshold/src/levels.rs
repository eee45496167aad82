//! The level of each key: signals when it changes.
//!
//! In: batches as columns of little-endian bytes with key numbers made by the host. Out: [`Signal`]s: for a key's first value, for each change of its level, and,
//! where a level goes stale, again when half of that time has passed, so that a key with steady values never goes stale. Rows are taken in their order; a row older than the
//! key's last signal says nothing of how things stand and is passed over, as is a value that is missing or NaN.
//! The last signal of each key is in the host's state, so that a new instance repeats nothing. Limits: [`KEYS_MAX`] keys are cached.

use std::collections::HashMap;

use weir_text::measured;

use crate::config::{Config, Direction};

/// A value in the state: the time of the key's last signal (i64) and its level (one byte, 0: none yet).
pub const VALUE_BYTES: usize = 9;

/// When more keys than this are cached, the cache is dropped and fills again from the state.
const KEYS_MAX: usize = 1 << 18;

/// The state table of the levels. Numbers as little-endian bytes, slot 0.
pub trait Host {
    /// Zeros where there is no value.
    fn read(&mut self, keys: &[u8]) -> Vec<u8>;
    fn write(&mut self, keys: &[u8], values: &[u8]) -> Result<(), Refusal>;
}

/// The host did not take a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Ok = 1,
    Warning = 2,
    Critical = 3,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub key: u32,
    pub level: Level,
    pub value: f64,
    pub time_ns: i64,
    pub summary: String,
}

pub struct Rows<'a> {
    /// n x i64
    pub time: &'a [u8],
    /// n x u32, or empty: all rows have key 0.
    pub keys: &'a [u8],
    /// n x f64
    pub values: &'a [u8],
    /// One byte per row; none: all are there.
    pub valid: Option<&'a [u8]>,
}

/// A key's last signal.
#[derive(Clone, Copy)]
struct Last {
    time_ns: i64,
    /// As in the state: 0 is none.
    level: u8,
}

pub struct Levels {
    config: Config,
    measure: String,
    cache: HashMap<u32, Last>,
}

impl Levels {
    /// `measure`: the host's word on the column's unit of measurement, for where the configuration has none.
    pub fn new(config: Config, measure: &str) -> Self {
        let measure = if config.measure.is_empty() { measure.to_owned() } else { config.measure.clone() };
        Self { config, measure, cache: HashMap::new() }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Judges a batch; `forgotten` is n x u32.
    pub fn judge(
        &mut self,
        forgotten: &[u8],
        rows: &Rows<'_>,
        host: &mut impl Host,
    ) -> Result<Vec<Signal>, Refusal> {
        self.forget(forgotten);
        self.load(rows, host);
        let mut signals = Vec::new();
        let mut changed = Vec::new();
        for (row, (time, value)) in
            rows.time.as_chunks::<8>().0.iter().zip(rows.values.as_chunks::<8>().0).enumerate()
        {
            let value = f64::from_le_bytes(*value);
            let there = rows.valid.is_none_or(|valid| valid.get(row).is_some_and(|valid| *valid != 0));
            if !there || value.is_nan() {
                continue;
            }
            let key = key_of(rows, row);
            if let Some(signal) = self.judge_value(key, i64::from_le_bytes(*time), value) {
                changed.push(key);
                signals.push(signal);
            }
        }
        self.store(changed, host)?;
        Ok(signals)
    }

    fn judge_value(&mut self, key: u32, time_ns: i64, value: f64) -> Option<Signal> {
        let level = self.level_of(value);
        let last = self.cache.get(&key).copied().unwrap_or(Last { time_ns: i64::MIN, level: 0 });
        if last.level != 0 && time_ns < last.time_ns {
            return None;
        }
        let half_stale = self.config.stale_after_ns / 2;
        let repeat = half_stale > 0 && time_ns.saturating_sub(last.time_ns) >= half_stale;
        if last.level == level as u8 && !repeat {
            return None;
        }
        self.cache.insert(key, Last { time_ns, level: level as u8 });
        Some(Signal { key, level, value, time_ns, summary: self.summary(level, value) })
    }

    /// A value at a limit is not beyond it.
    fn level_of(&self, value: f64) -> Level {
        let beyond = |limit: Option<f64>| {
            limit.is_some_and(|limit| match self.config.direction {
                Direction::Above => value > limit,
                Direction::Below => value < limit,
            })
        };
        match (beyond(self.config.critical), beyond(self.config.warning)) {
            (true, _) => Level::Critical,
            (false, true) => Level::Warning,
            (false, false) => Level::Ok,
        }
    }

    /// "mean_ms 612 ms, over 500 ms"
    fn summary(&self, level: Level, value: f64) -> String {
        let limit = match level {
            Level::Critical => self.config.critical,
            Level::Warning => self.config.warning,
            Level::Ok => self.config.warning.or(self.config.critical),
        };
        let side = match (self.config.direction, level) {
            (Direction::Above, Level::Ok) => "not over",
            (Direction::Above, _) => "over",
            (Direction::Below, Level::Ok) => "not under",
            (Direction::Below, _) => "under",
        };
        let value = measured(value, &self.measure);
        let limit = measured(limit.unwrap_or(f64::NAN), &self.measure);
        format!("{} {value}, {side} {limit}", self.config.column)
    }

    fn forget(&mut self, forgotten: &[u8]) {
        if self.cache.len() > KEYS_MAX {
            self.cache.clear();
        }
        for key in forgotten.as_chunks::<4>().0 {
            self.cache.remove(&u32::from_le_bytes(*key));
        }
    }

    /// Reads the last signals of the batch's keys that are not cached.
    fn load(&mut self, rows: &Rows<'_>, host: &mut impl Host) {
        let mut missing = Vec::new();
        for row in 0..rows.time.len() / 8 {
            let key = key_of(rows, row);
            // Noted at once, so that it is asked for only once.
            self.cache.entry(key).or_insert_with(|| {
                missing.extend_from_slice(&key.to_le_bytes());
                Last { time_ns: i64::MIN, level: 0 }
            });
        }
        if missing.is_empty() {
            return;
        }
        let stored = host.read(&missing);
        for (key, value) in missing.as_chunks::<4>().0.iter().zip(stored.as_chunks::<VALUE_BYTES>().0) {
            let [time @ .., level] = *value;
            self.cache.insert(u32::from_le_bytes(*key), Last { time_ns: i64::from_le_bytes(time), level });
        }
    }

    fn store(&self, mut changed: Vec<u32>, host: &mut impl Host) -> Result<(), Refusal> {
        if changed.is_empty() {
            return Ok(());
        }
        changed.sort_unstable();
        changed.dedup();
        let mut keys = Vec::with_capacity(changed.len() * 4);
        let mut values = Vec::with_capacity(changed.len() * VALUE_BYTES);
        for (key, last) in changed.iter().filter_map(|key| Some((key, self.cache.get(key)?))) {
            keys.extend_from_slice(&key.to_le_bytes());
            values.extend_from_slice(&last.time_ns.to_le_bytes());
            values.push(last.level);
        }
        host.write(&keys, &values)
    }
}

fn key_of(rows: &Rows<'_>, row: usize) -> u32 {
    rows.keys.as_chunks::<4>().0.get(row).map_or(0, |key| u32::from_le_bytes(*key))
}
