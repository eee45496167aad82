//! threshold: a rule that gives each key the level that its newest value has, with a separate bound for the way back.
//!
//! In: events with the column of the configuration; a stream without it is not judged. Out: signals, see [`levels`]. State: the last word on each key.

pub mod config;
pub mod levels;

#[cfg(test)]
mod tests;

use weir_sdk::column::F64s;
use weir_sdk::per_key::PerKey;
use weir_sdk::rule::Signal;
use weir_sdk::{
    Batch, BatchExt, ColumnExt, Complaint, Context, Description, Failure, FailureExt, Opening, Plan, Read,
    Rule, Table, Values,
};
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
        let limits = Limits::check(&config).map_err(|complaints| {
            let texts: Vec<String> =
                complaints.into_iter().map(|wrong| format!("{} {}", wrong.path, wrong.message)).collect();
            Failure::fail("bad-config", texts.join("; "))
        })?;
        let of_column = format!("weir.unit.{}", config.column);
        let hosts = opening.extras.iter().find(|extra| extra.name == of_column);
        let hosts = hosts.map(|extra| extra.value.clone()).unwrap_or_default();
        let measure = if config.measure.is_empty() { hosts } else { config.measure };
        Ok(Self { column: config.column, limits, measure, last: PerKey::new(LEVELS) })
    }

    fn evaluate(&mut self, context: &Context, input: Batch) -> Result<Vec<Signal>, Failure> {
        self.last.forget(context);
        // A stream need not have the column: then there is nothing to judge.
        let Some(column) = input.column(&self.column) else { return Ok(Vec::new()) };
        let Values::F64s(bytes) = &column.values else { return Ok(Vec::new()) };
        let (times, keys, values) = (input.times(), input.key_numbers(), F64s::new(bytes));
        self.last.load((0..input.rows as usize).map(|row| keys.get(row)));
        let mut signals = Vec::new();
        for row in (0..input.rows as usize).filter(|row| column.is_there(*row)) {
            let key = keys.get(row);
            let Some(last) = self.last.get(key) else { continue };
            if let Some(word) = self.limits.judge(last, times.get(row), values.get(row)) {
                signals.push(self.signal(key, &word));
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
    fn signal(&self, key: u32, word: &Last) -> Signal {
        let number = |value: f64| measured(value, &self.measure);
        let words = self.limits.words(word, number);
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
