//! Whether a key's values have moved to another level: a two-sided tabular CUSUM over standardised values.
//!
//! Method: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954); in the form of the NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.3. Of each value x
//! z = (x - mean) / deviation is taken and cut to ±[`Z_MAX`], so that no single value makes a change; high = max(0, high + z - drift), low = max(0, low - z - drift). Mean and deviation
//! are learned from the first `learn` values (B. P. Welford, Technometrics 4 (1962)), then follow with a weight of 1 / `learn` while both sums are under half of the warning. A sum
//! stops a little beyond the highest limit, so that the way back is bounded too: a level ends when the sums are under half of its limit. After `adopt` values beyond the warning
//! the key learns anew. Value by value, no time: cut-invariant. All arithmetic is f64 in the order of the rows.

use weir_sdk::State;
use weir_sdk::rule::Severity;

use crate::config::{Direction, Limits};

/// Cut of a single value: with the default slack four values in a row make a warning, fewer never.
const Z_MAX: f64 = 3.0;
/// How far a sum goes beyond the highest limit.
const BEYOND: f64 = Z_MAX;
/// The deviation counts as at least this part of the mean: a constant has none.
const DEVIATION_OF_MEAN: f64 = 1e-3;

/// A key's past and the sums. Zeros: nothing is known.
#[derive(Clone, Copy, Debug, Default, State)]
pub struct Past {
    pub time_ns: i64,
    /// Values learned from, up to `learn`.
    pub learned: u32,
    /// Values since it is not ok.
    pub suspect: u32,
    pub mean: f64,
    /// While it learns the sum of squares, then the variance.
    pub spread: f64,
    pub high: f64,
    pub low: f64,
    /// 0: nothing was said; 1 ok, 2 warning, 3 critical.
    pub level: u8,
}

pub const OK: u8 = 1;
pub const WARNING: u8 = 2;
pub const CRITICAL: u8 = 3;

impl Limits {
    /// Takes a value in; the level where it is another one than before. A value without a number is passed over.
    pub fn take(&self, past: &mut Past, value: f64) -> Option<u8> {
        if !value.is_finite() {
            return None;
        }
        if past.learned < self.learn {
            self.learn_from(past, value);
            return if past.learned == self.learn { self.changed(past, OK) } else { None };
        }
        let deviation = self.deviation(past);
        let z = ((value - past.mean) / deviation).clamp(-Z_MAX, Z_MAX);
        let most = self.critical.unwrap_or(self.warning) + BEYOND;
        past.high = (past.high + z - self.drift).clamp(0.0, most);
        past.low = (past.low - z - self.drift).clamp(0.0, most);
        let sum = self.sum(past);
        if past.high.max(past.low) < self.warning / 2.0 {
            self.follow(past, value, deviation);
        }
        let level = self.level_of(sum, past.level);
        past.suspect = if level == OK { 0 } else { past.suspect.saturating_add(1) };
        if self.adopt > 0 && past.suspect >= self.adopt {
            *past = Past { time_ns: past.time_ns, level: past.level, ..Past::default() };
            return self.changed(past, OK);
        }
        self.changed(past, level)
    }

    fn changed(&self, past: &mut Past, level: u8) -> Option<u8> {
        let before = std::mem::replace(&mut past.level, level);
        (before != level).then_some(level)
    }

    /// That of the directions that count.
    pub fn sum(&self, past: &Past) -> f64 {
        match self.direction {
            Direction::Both => past.high.max(past.low),
            Direction::Up => past.high,
            Direction::Down => past.low,
        }
    }

    fn level_of(&self, sum: f64, before: u8) -> u8 {
        let holds = |limit: f64, level: u8| sum >= limit || (before >= level && sum >= limit / 2.0);
        if self.critical.is_some_and(|critical| holds(critical, CRITICAL)) {
            CRITICAL
        } else if holds(self.warning, WARNING) {
            WARNING
        } else {
            OK
        }
    }

    fn learn_from(&self, past: &mut Past, value: f64) {
        past.learned += 1;
        let before = value - past.mean;
        past.mean += before / f64::from(past.learned);
        past.spread += before * (value - past.mean);
        if past.learned == self.learn {
            past.spread /= f64::from(self.learn - 1);
        }
    }

    /// The past moves on; what is far out moves it no more than what is at the cut.
    fn follow(&self, past: &mut Past, value: f64, deviation: f64) {
        let weight = 1.0 / f64::from(self.learn);
        let off = (value - past.mean).clamp(-Z_MAX * deviation, Z_MAX * deviation);
        past.mean += weight * off;
        past.spread = (1.0 - weight) * (past.spread + weight * off * off);
    }

    /// Never 0.
    pub fn deviation(&self, past: &Past) -> f64 {
        let least = self.least.max(past.mean.abs() * DEVIATION_OF_MEAN).max(f64::MIN_POSITIVE.sqrt());
        past.spread.max(0.0).sqrt().max(least)
    }
}

pub fn severity(level: u8) -> Severity {
    match level {
        OK => Severity::Ok,
        WARNING => Severity::Warning,
        CRITICAL => Severity::Critical,
        _ => Severity::Unknown,
    }
}
