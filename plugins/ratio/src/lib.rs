//! ratio: a rule by the ratio of two sums over a sliding window.
//!
//! In: events with the columns that the two expressions name; what an event has not adds nothing. Out: signals at the ends of tenths of the window, when the level of a key
//! changes or its ratio gets a tenth worse. With less than the least sum the level is unknown (or ok, as configured); when nothing is left in the window the key ends. Late
//! rows are left out. State: sums by key and tenth ([`sums`]), the last word on each key. Cut-invariant.

pub mod config;
pub mod sums;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use weir_sdk::aggregate::State as _;
use weir_sdk::column::{F64s, S64s, U32s};
use weir_sdk::expr::{self, Expr};
use weir_sdk::failure::bad_config;
use weir_sdk::per_key::PerKey;
use weir_sdk::rule::{Severity, Signal};
use weir_sdk::{
    Batch, BatchExt, Column, ColumnExt, Complaint, Context, Description, Due, Failure, Opening, Plan, Read,
    Rule, State, Table, Values, timers,
};
use weir_text::number;

use config::{Config, Direction, Limits, SCHEMA, TooFew};
use sums::SUMS_BYTES;

/// State table of the last words.
const WORDS: u32 = 1;
/// How much worse a ratio must be to be worth another word.
const WORSE: f64 = 1.1;

/// The last word on a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, State)]
struct Word {
    ratio: f64,
    /// 0: none; 1 unknown, 2 ok, 3 warning, 4 critical.
    level: u8,
}

const UNKNOWN: u8 = 1;
const OK: u8 = 2;
const WARNING: u8 = 3;
const CRITICAL: u8 = 4;

pub struct Ratio {
    limits: Limits,
    words: PerKey<Word>,
}

impl Rule for Ratio {
    type Config = Config;

    fn describe() -> Description {
        let summary = "A level by the ratio of two sums over a sliding window, such as errors to requests";
        Description::new("rule", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(SCHEMA)
            .state(1, &[])
    }

    fn plan(config: Config) -> Result<Plan, Vec<Complaint>> {
        let limits = Limits::check(&config)?;
        let mut names: Vec<&String> = limits.of.columns().iter().chain(limits.to.columns()).collect();
        names.sort_unstable();
        names.dedup();
        // The event time comes with every batch, it is no column.
        let names = names.into_iter().filter(|name| *name != "time");
        let plan = Plan::default()
            .reads(names.map(|name| Read::optional(name, "any")))
            .keys(config.keys)
            .table(Table::by_key("sums", SUMS_BYTES as u32))
            .table(Table::by_key("words", Word::BYTES as u32))
            .cut_invariant();
        Ok(Plan { across: config.across, ..plan })
    }

    fn open(config: Config, _opening: &Opening) -> Result<Self, Failure> {
        let limits = Limits::check(&config).map_err(bad_config)?;
        Ok(Self { limits, words: PerKey::new(WORDS) })
    }

    fn evaluate(&mut self, context: &Context, input: Batch) -> Result<Vec<Signal>, Failure> {
        self.words.forget(context);
        let rows = input.rows as usize;
        let (of, to) = (adds(&self.limits.of, &input), adds(&self.limits.to, &input));
        let (times, keys, step_ns) = (input.times(), input.key_numbers(), self.limits.step_ns);
        let mut added = Vec::with_capacity(rows);
        for ((row, of), to) in (0..rows).zip(of).zip(to) {
            let start = times.get(row).div_euclid(step_ns).saturating_mul(step_ns);
            let is_over = start.saturating_add(step_ns) <= context.watermark;
            if !is_over && (of != 0.0 || to != 0.0) {
                added.push((keys.get(row), start, (of, to)));
            }
        }
        if !added.is_empty() {
            sums::add(added, step_ns)?;
        }
        Ok(Vec::new())
    }

    fn tick(&mut self, context: &Context, due: Due) -> Result<Vec<Signal>, Failure> {
        self.words.forget(context);
        // Tenths that are over and not judged yet, by key.
        let mut waiting: BTreeMap<u32, BTreeSet<i64>> = BTreeMap::new();
        for (key, start) in U32s::new(&due.keys).iter().zip(S64s::new(&due.slots).iter()) {
            waiting.entry(key).or_default().insert(start);
        }
        self.words.load(waiting.keys().copied());
        let step_ns = self.limits.step_ns;
        let (mut signals, mut gone, mut wakes) = (Vec::new(), Vec::new(), Vec::new());
        // One tenth of each key after the other, since the next one needs what this one leaves; tenths without an event too, as long as the window has any.
        while !waiting.is_empty() {
            let oldest = waiting.iter().filter_map(|(key, starts)| Some((*key, *starts.first()?)));
            let oldest: Vec<(u32, i64)> = oldest.collect();
            for ((key, start), ((of, to), left)) in oldest.iter().zip(sums::slide(&oldest, step_ns)) {
                let next = start.saturating_add(step_ns);
                signals.extend(self.judge(*key, next, of, to));
                let Some(starts) = waiting.get_mut(key) else { continue };
                starts.remove(start);
                if left && next.saturating_add(step_ns) <= context.watermark {
                    starts.insert(next);
                    // Its own timer may be due as well, in a later piece.
                    wakes.push((*key, next, timers::NEVER));
                } else if left {
                    wakes.push((*key, next, next.saturating_add(step_ns)));
                } else if starts.is_empty() {
                    gone.push(*key);
                }
                if starts.is_empty() {
                    waiting.remove(key);
                }
            }
        }
        let keys: Vec<u32> = wakes.iter().map(|wake| wake.0).collect();
        let starts: Vec<i64> = wakes.iter().map(|wake| wake.1).collect();
        timers::wake(&keys, &starts, &wakes.iter().map(|wake| wake.2).collect::<Vec<i64>>());
        if !gone.is_empty() {
            self.words.remove(&gone);
        }
        self.words.store()?;
        Ok(signals)
    }
}

/// What each row adds: 1 where a condition is true, else the number.
fn adds(expr: &Expr, input: &Batch) -> Vec<f64> {
    let rows = input.rows as usize;
    let value = Column::of_expr("value", expr.eval(&input.expr_columns()), rows);
    if let Values::Bools(bytes) = &value.values {
        return bytes
            .iter()
            .enumerate()
            .map(|(row, byte)| f64::from(u8::from(*byte == 1 && value.is_there(row))))
            .collect();
    }
    let mut columns = expr::Columns::new(rows);
    if let Some(source) = value.expr_source() {
        columns.add("value", source);
    }
    let numbers = Column::of_expr("value", expr::cast("value", expr::Kind::F64).eval(&columns), rows);
    let Values::F64s(bytes) = &numbers.values else { return vec![0.0; rows] };
    let finite =
        |(row, value): (usize, f64)| if numbers.is_there(row) && value.is_finite() { value } else { 0.0 };
    F64s::new(bytes).iter().enumerate().map(finite).collect()
}

impl Ratio {
    fn judge(&mut self, key: u32, end_ns: i64, of: f64, to: f64) -> Option<Signal> {
        let enough = to >= self.limits.least && to > 0.0;
        let ratio = if enough { of / to } else { f64::NAN };
        let level = match (enough, self.limits.too_few) {
            (true, _) => self.limits.level_of(ratio),
            (false, TooFew::Unknown) => UNKNOWN,
            (false, TooFew::Ok) => OK,
        };
        let last = self.words.get(key).copied()?;
        let worse = level >= WARNING && self.limits.is_worse(ratio, last.ratio);
        // A key that was never judged is not worth a word as long as there is nothing to judge by.
        if (last.level == level && !worse) || (last.level == 0 && !enough) {
            return None;
        }
        if let Some(word) = self.words.get_mut(key) {
            *word = Word { ratio, level };
        }
        let summary = self.limits.words(level, ratio, of, to);
        let level = severity(level);
        Some(Signal { key, level, value: ratio, time: end_ns, lasts: 0, summary, extras: Vec::new() })
    }
}

impl Limits {
    fn level_of(&self, ratio: f64) -> u8 {
        let beyond = |limit: Option<f64>| {
            limit.is_some_and(|limit| match self.direction {
                Direction::Above => ratio > limit,
                Direction::Below => ratio < limit,
            })
        };
        match (beyond(self.critical), beyond(self.warning)) {
            (true, _) => CRITICAL,
            (false, true) => WARNING,
            (false, false) => OK,
        }
    }

    fn is_worse(&self, ratio: f64, said: f64) -> bool {
        match self.direction {
            Direction::Above => ratio > said * WORSE,
            Direction::Below => ratio * WORSE < said,
        }
    }

    /// "0.0612 (61.2 of 1000), over 0.05"
    fn words(&self, level: u8, ratio: f64, of: f64, to: f64) -> String {
        let parts = format!("{} of {}", number(of), number(to));
        let limit = match level {
            CRITICAL => self.critical,
            WARNING => self.warning,
            _ => self.warning.or(self.critical),
        };
        let limit = number(limit.unwrap_or(f64::NAN));
        let side = match self.direction {
            Direction::Above => "over",
            Direction::Below => "under",
        };
        match level {
            _ if ratio.is_nan() => {
                format!("{parts}: too few to judge, at least {} are wanted", number(self.least))
            }
            OK => format!("{} ({parts}), not {side} {limit}", number(ratio)),
            _ => format!("{} ({parts}), {side} {limit}", number(ratio)),
        }
    }
}

fn severity(level: u8) -> Severity {
    match level {
        OK => Severity::Ok,
        WARNING => Severity::Warning,
        CRITICAL => Severity::Critical,
        _ => Severity::Unknown,
    }
}

weir_sdk::export_rule!(Ratio);
