//! threshold: a rule that gives each key the level that its newest value has, with a separate bound for the way back.
//!
//! In: events with the column of the configuration; a stream without it is not judged. Out: signals, see [`levels`]. State: the last word on each key.

pub mod config;
pub mod levels;

#[cfg(test)]
mod tests;

use weir_sdk::failure::bad_config;
use weir_sdk::per_key::PerKey;
use weir_sdk::rule::{self, Signal};
use weir_sdk::{Batch, Complaint, Context, Description, Failure, Opening, Plan, Read, Rule, Table};
use weir_text::measured;

use config::{Config, Limits, SCHEMA};
use levels::{Last, severity};

/// The only state table.
const LEVELS: u32 = 0;

pub struct Threshold {
    column: String,
    limits: Limits,
    measure: String,
    last: PerKey<Last>,
}

impl Rule for Threshold {
    type Config = Config;

    fn describe() -> Description {
        let summary =
            "A level per key: warning or critical while the newest value is over (or under) a limit";
        Description::new("rule", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(SCHEMA)
            .state(2, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        Limits::check(&config)?;
        Ok(Plan::default()
            .reads([Read::optional(&config.column, "f64s")])
            .keys(config.keys)
            .table(Table::by_key("levels", <Last as weir_sdk::aggregate::State>::BYTES as u32))
            .cut_invariant())
    }

    fn open(config: Config, opening: &Opening) -> Result<Self, Failure> {
        let limits = Limits::check(&config).map_err(bad_config)?;
        let measure = rule::measure(opening, &config.column, config.measure);
        Ok(Self { column: config.column, limits, measure, last: PerKey::new(LEVELS) })
    }

    fn evaluate(&mut self, context: &Context, input: Batch) -> Result<Vec<Signal>, Failure> {
        self.last.forget(context);
        self.last.load(rule::values(&input, &self.column).map(|row| row.0));
        let mut signals = Vec::new();
        for (key, time, value) in rule::values(&input, &self.column) {
            let Some(last) = self.last.get(key) else { continue };
            if let Some(word) = self.limits.judge(last, time, value) {
                signals.push(self.signal(key, &word, last.level));
                if let Some(last) = self.last.get_mut(key) {
                    *last = word;
                }
            }
        }
        self.last.store()?;
        Ok(signals)
    }
}

impl Threshold {
    /// "mean_ms 612 ms, over 500 ms"
    fn signal(&self, key: u32, word: &Last, before: u8) -> Signal {
        let number = |value: f64| measured(value, &self.measure);
        let words = self.limits.words(word, before, number);
        Signal {
            key,
            level: severity(word.level),
            value: word.value,
            time: word.time_ns,
            lasts: self.limits.stale_after_ns,
            summary: format!("{} {}, {words}", self.column, number(word.value)),
            extras: Vec::new(),
        }
    }
}

weir_sdk::export_rule!(Threshold);
