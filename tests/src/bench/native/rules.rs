//! The work of the standard rules as a person would write it in Rust, over the same Arrow columns and key numbers: arrays by key number, no state outside.

use anyhow::{Context as _, Result};
use weir_core::unit::Input;

use super::units::{doubles, integers};

/// The level of each key by its newest value; how many changed.
pub struct Levels {
    said: Vec<u8>,
}

impl Levels {
    pub fn of(keys: usize) -> Self {
        Self { said: vec![0; keys] }
    }

    pub fn judge(&mut self, input: &Input, warning: f64, critical: f64) -> Result<usize> {
        let mut changed = 0;
        for (key, value) in input.keys.iter().zip(doubles(input, "latency_ms")?) {
            let level = if *value > critical { 3 } else { 1 + u8::from(*value > warning) };
            if let Some(said) = self.said.get_mut(*key as usize).filter(|said| **said != level) {
                *said = level;
                changed += 1;
            }
        }
        Ok(changed)
    }
}

/// The newest event of each key.
pub struct Newest {
    times: Vec<i64>,
}

impl Newest {
    pub fn of(keys: usize) -> Self {
        Self { times: vec![i64::MIN; keys] }
    }

    pub fn note(&mut self, input: &Input) -> Result<()> {
        for (key, time) in input.keys.iter().zip(input.time.iter()) {
            if let Some(newest) = self.times.get_mut(*key as usize) {
                *newest = (*newest).max(*time);
            }
        }
        Ok(())
    }
}

/// Mean, squares and both sums of each key, learned from the first 60 values.
pub struct Cusum {
    pasts: Vec<(u32, f64, f64, f64, f64)>,
}

impl Cusum {
    pub fn of(keys: usize) -> Self {
        Self { pasts: vec![(0, 0.0, 0.0, 0.0, 0.0); keys] }
    }

    pub fn take(&mut self, input: &Input) -> Result<usize> {
        let mut suspect = 0;
        for (key, value) in input.keys.iter().zip(doubles(input, "latency_ms")?) {
            let Some((n, mean, squares, high, low)) = self.pasts.get_mut(*key as usize) else { continue };
            if *n < 60 {
                *n += 1;
                let before = value - *mean;
                *mean += before / f64::from(*n);
                *squares += before * (value - *mean);
                continue;
            }
            let z = ((value - *mean) / (*squares / 59.0).sqrt()).clamp(-3.0, 3.0);
            *high = (*high + z - 0.5).max(0.0);
            *low = (*low - z - 0.5).max(0.0);
            suspect += usize::from(high.max(*low) >= 8.0);
        }
        Ok(suspect)
    }
}

/// Errors and all, by key and tenth of a minute.
pub struct Ratio {
    keys: usize,
    first: i64,
    sums: Vec<(f64, f64)>,
}

const TENTH_NS: i64 = 6_000_000_000;
/// Of the 20 s of the events, with room before and behind.
const TENTHS: usize = 8;

impl Ratio {
    pub fn of(keys: usize) -> Self {
        Self { keys, first: i64::MIN, sums: vec![(0.0, 0.0); keys * TENTHS] }
    }

    pub fn add(&mut self, input: &Input) -> Result<()> {
        let status = integers(input, "status")?;
        if self.first == i64::MIN {
            self.first = input.time.first().map_or(0, |time| time / TENTH_NS - 2);
        }
        for ((time, key), status) in input.time.iter().zip(input.keys.iter()).zip(status) {
            let tenth = usize::try_from(time / TENTH_NS - self.first).context("a time before the first")?;
            let sum =
                self.sums.get_mut(tenth * self.keys + *key as usize).context("a time after the last")?;
            sum.0 += f64::from(u8::from(*status >= 500));
            sum.1 += 1.0;
        }
        Ok(())
    }
}
