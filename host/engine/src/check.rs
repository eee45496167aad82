//! Checks everything that a guest returns, and gives it back typed, so that the host can convert it without checking again.
//!
//! In: raw results (bytes) and what the host knows of the call ([`Known`], rows of the input). Out: [`Output`]s, [`Signal`]s, [`Failure`]s
//! with vectors of numbers, or one sentence that names the output, the column and what was expected; the caller makes a fault of
//! kind contract of it. Promised of what passes: lengths fit, indexes rise and are in range, texts are UTF-8, codes are below the count of
//! their names, flags are 0 or 1, names are distinct, ports and key numbers exist, counts and bytes are within [`OutputLimits`].

pub mod chart;
pub mod coded;
pub mod column;
pub mod packed;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::bindings::raw;
pub use crate::bindings::raw::{Severity, Verdict};
pub use column::{Categories, Column, Names, Strings, Values};
use column::{check_column, check_name, numbers};

/// Bounds of one call's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Outputs of a call, and signals of a call by the rows bound.
    pub outputs: usize,
    /// Columns of one output.
    pub columns: usize,
    /// Rows of one emitted batch, and of one table of a chart.
    pub rows: usize,
    /// All of a call together.
    pub bytes: usize,
    /// One text: messages, names, extras.
    pub text_bytes: usize,
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self { outputs: 256, columns: 256, rows: 65_536, bytes: 64 << 20, text_bytes: 64 << 10 }
    }
}

/// What the host knows and a guest's results are held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Ports of the plan.
    pub ports: u32,
    /// Count of key numbers given out: each is below it.
    pub keys: u32,
    /// For each dictionary number, how many of its names this instance was given.
    pub dictionaries: &'a [u32],
}

/// Which rows of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    All,
    /// One byte a row, 0 or 1.
    Mask(Vec<u8>),
    /// Strictly rising, below the rows of the input.
    Indexes(Vec<u32>),
}

/// A stream's name as a guest gave it: three parts that may stand in a triplet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triplet {
    pub application: String,
    pub environment: String,
    pub event_type: String,
}

/// Rows that a guest made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRows {
    /// None where all three parts were empty: the host's own choice.
    pub triplet: Option<Triplet>,
    /// One for each row, ns since 1970.
    pub time: Vec<i64>,
    /// Empty, or one known key number for each row.
    pub keys: Vec<u32>,
    /// Never one called "time".
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// `set` has one value for each row of the input; one called "time" is S64s or Timestamps without gaps. No name is in both.
    Forward {
        port: u32,
        rows: Rows,
        set: Vec<Column>,
        omit: Vec<String>,
    },
    Emit {
        port: u32,
        rows: NewRows,
    },
    /// Strictly rising indexes into the input, at least one.
    Reject {
        indexes: Vec<u32>,
        code: String,
        message: String,
    },
    Extra {
        name: String,
        value: String,
    },
}

/// A rule's word on one key. `value` may be NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    pub key: u32,
    pub level: Severity,
    pub value: f64,
    pub time_unix_ns: i64,
    pub lasts_ns: i64,
    pub summary: String,
    pub extras: Vec<(String, String)>,
}

/// The guest itself says that it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub verdict: Verdict,
    pub code: String,
    pub message: String,
    /// Strictly rising indexes into the input; empty: unknown or all.
    pub indexes: Vec<u32>,
    pub after_ns: i64,
}

/// What is wrong, in one sentence.
pub type Wrong = String;

/// Counts the bytes of one call's results.
pub(crate) struct Budget {
    left: usize,
    limits: OutputLimits,
}

impl Budget {
    pub(crate) fn new(limits: &OutputLimits) -> Self {
        Self { left: limits.bytes, limits: *limits }
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Wrong> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| format!("all results together are over {} bytes", self.limits.bytes))?;
        Ok(())
    }

    pub(crate) fn limits(&self) -> &OutputLimits {
        &self.limits
    }

    /// A text of bounded length.
    pub(crate) fn text(&mut self, what: &str, text: &str) -> Result<(), Wrong> {
        if text.len() > self.limits.text_bytes {
            let limit = self.limits.text_bytes;
            return Err(format!("{what} has {} bytes, at most {limit} are taken", text.len()));
        }
        self.take(text.len())
    }

    pub(crate) fn extras(&mut self, extras: Vec<raw::Extra>) -> Result<Vec<(String, String)>, Wrong> {
        count("extras", extras.len(), self.limits.columns)?;
        for extra in &extras {
            self.text("the name of an extra", &extra.name)?;
            self.text("the value of an extra", &extra.value)?;
        }
        Ok(extras.into_iter().map(|extra| (extra.name, extra.value)).collect())
    }
}

/// Outputs of `process` over an input of `rows` rows, or of `tick` where there is none.
pub fn outputs(
    outputs: Vec<raw::Output>,
    rows: Option<usize>,
    known: &Known<'_>,
    limits: &OutputLimits,
) -> Result<Vec<Output>, Wrong> {
    count("outputs", outputs.len(), limits.outputs)?;
    let mut budget = Budget::new(limits);
    let mut checked = Vec::with_capacity(outputs.len());
    for (index, output) in outputs.into_iter().enumerate() {
        let output = check_output(output, rows, known, &mut budget);
        checked.push(output.map_err(|wrong| format!("output {index}: {wrong}"))?);
    }
    Ok(checked)
}

fn check_output(
    output: raw::Output,
    rows: Option<usize>,
    known: &Known<'_>,
    budget: &mut Budget,
) -> Result<Output, Wrong> {
    match (output, rows) {
        (raw::Output::Forward(forward), Some(rows)) => check_forward(forward, rows, known, budget),
        (raw::Output::Reject(reject), Some(rows)) => check_reject(reject, rows, budget),
        (raw::Output::Forward(_) | raw::Output::Reject(_), None) => {
            Err("tick has no input, so only emit and extra may be returned".to_owned())
        }
        (raw::Output::Emit(emit), _) => {
            check_port(emit.port, known)?;
            Ok(Output::Emit { port: emit.port, rows: new_rows(emit.batch, known, budget)? })
        }
        (raw::Output::Extra(extra), _) => {
            budget.text("the name of the extra", &extra.name)?;
            budget.text("the value of the extra", &extra.value)?;
            Ok(Output::Extra { name: extra.name, value: extra.value })
        }
    }
}

fn check_forward(
    forward: raw::Forward,
    rows: usize,
    known: &Known<'_>,
    budget: &mut Budget,
) -> Result<Output, Wrong> {
    check_port(forward.port, known)?;
    count("set columns", forward.set.len(), budget.limits().columns)?;
    count("omitted columns", forward.omit.len(), budget.limits().columns)?;
    let picked = check_rows(forward.rows, rows, budget)?;
    let mut names = HashSet::with_capacity(forward.set.len() + forward.omit.len());
    for name in forward.set.iter().map(|column| &column.name).chain(&forward.omit) {
        check_name(name)?;
        if !names.insert(name.as_str()) {
            return Err(format!("column \"{name}\" is named twice in set and omit"));
        }
    }
    if forward.omit.iter().any(|name| name == "time") {
        return Err("column \"time\" cannot be omitted: every event has a time".to_owned());
    }
    drop(names);
    let mut set = Vec::with_capacity(forward.set.len());
    for column in forward.set {
        let column = check_column(column, rows, known, budget)?;
        check_time(&column)?;
        set.push(column);
    }
    Ok(Output::Forward { port: forward.port, rows: picked, set, omit: forward.omit })
}

fn check_time(column: &Column) -> Result<(), Wrong> {
    if column.name != "time" {
        return Ok(());
    }
    match (&column.values, &column.valid) {
        (Values::S64s(_) | Values::Timestamps(_), None) => Ok(()),
        (Values::S64s(_) | Values::Timestamps(_), Some(_)) => {
            Err("column \"time\": it replaces the event time, so every row needs a value (no `valid`)"
                .to_owned())
        }
        _ => Err("column \"time\": it replaces the event time, so it must be s64s or timestamps".to_owned()),
    }
}

fn check_rows(rows: raw::Rows, input_rows: usize, budget: &mut Budget) -> Result<Rows, Wrong> {
    match rows {
        raw::Rows::All => Ok(Rows::All),
        raw::Rows::Mask(mask) => {
            budget.take(mask.len())?;
            if mask.len() != input_rows {
                return Err(format!(
                    "mask has {} bytes, expected one for each of {input_rows} rows",
                    mask.len()
                ));
            }
            column::check_flags("mask", &mask)?;
            Ok(Rows::Mask(mask))
        }
        raw::Rows::Indexes(bytes) => {
            budget.take(bytes.len())?;
            Ok(Rows::Indexes(indexes(&bytes, input_rows)?))
        }
    }
}

fn check_reject(reject: raw::Reject, rows: usize, budget: &mut Budget) -> Result<Output, Wrong> {
    budget.take(reject.indexes.len())?;
    budget.text("code", &reject.code)?;
    budget.text("message", &reject.message)?;
    let indexes = indexes(&reject.indexes, rows)?;
    if indexes.is_empty() {
        return Err("reject names no row".to_owned());
    }
    Ok(Output::Reject { indexes, code: reject.code, message: reject.message })
}

/// The batch of an emit or of a decoder.
pub(crate) fn new_rows(batch: raw::Batch, known: &Known<'_>, budget: &mut Budget) -> Result<NewRows, Wrong> {
    let rows = batch.rows as usize;
    count("rows", rows, budget.limits().rows)?;
    count("columns", batch.columns.len(), budget.limits().columns)?;
    budget.extras(batch.extras)?;
    let triplet = check_triplet(batch.triplet)?;
    budget.take(batch.time.len() + batch.keys.len())?;
    let time = numbers("time", &batch.time, rows, i64::from_le_bytes)?;
    let keys = if batch.keys.is_empty() {
        Vec::new()
    } else {
        numbers("keys", &batch.keys, rows, u32::from_le_bytes)?
    };
    if let Some(row) = keys.iter().position(|&key| key >= known.keys) {
        let key = keys.get(row).copied().unwrap_or_default();
        return Err(format!("keys: row {row} has key number {key}, known are {}", known.keys));
    }
    check_distinct(batch.columns.iter().map(|column| column.name.as_str()))?;
    let mut columns = Vec::with_capacity(batch.columns.len());
    for column in batch.columns {
        check_name(&column.name)?;
        if column.name == "time" {
            return Err("column \"time\": the time of new rows goes into the batch's `time`".to_owned());
        }
        columns.push(check_column(column, rows, known, budget)?);
    }
    Ok(NewRows { triplet, time, keys, columns })
}

pub(crate) fn check_distinct<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Wrong> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("column \"{name}\" is there twice"));
        }
    }
    Ok(())
}

fn check_triplet(triplet: raw::Triplet) -> Result<Option<Triplet>, Wrong> {
    let parts = [&triplet.application, &triplet.environment, &triplet.event_type];
    if parts.iter().all(|part| part.is_empty()) {
        return Ok(None);
    }
    for part in parts {
        let fits = (1..=128).contains(&part.len())
            && part.trim() == part
            && !part.chars().any(|c| c == '/' || c == '*' || c.is_control());
        if !fits {
            let part: String = part.chars().take(64).collect();
            return Err(format!(
                "triplet part \"{part}\" must be 1 to 128 bytes without `/`, `*`, control characters or white space at its ends \
                 (all three parts empty: the input's)"
            ));
        }
    }
    Ok(Some(Triplet {
        application: triplet.application,
        environment: triplet.environment,
        event_type: triplet.event_type,
    }))
}

fn check_port(port: u32, known: &Known<'_>) -> Result<(), Wrong> {
    if port < known.ports {
        return Ok(());
    }
    Err(format!("port {port} is not in the plan, which has {} (numbered from 0)", known.ports))
}

/// Strictly rising u32 below `rows`.
pub(crate) fn indexes(bytes: &[u8], rows: usize) -> Result<Vec<u32>, Wrong> {
    if !bytes.len().is_multiple_of(4) {
        return Err(format!("indexes are {} bytes, expected a multiple of 4", bytes.len()));
    }
    let indexes = numbers("indexes", bytes, bytes.len() / 4, u32::from_le_bytes)?;
    let mut next = 0_u64;
    for (place, &index) in indexes.iter().enumerate() {
        if u64::from(index) < next {
            return Err(format!("indexes must rise, but number {place} is {index} after {}", next - 1));
        }
        if index as usize >= rows {
            return Err(format!("indexes: number {place} is {index}, but the input has {rows} rows"));
        }
        next = u64::from(index) + 1;
    }
    Ok(indexes)
}

/// Signals of `evaluate` or a rule's `tick`.
pub fn signals(
    signals: Vec<raw::Signal>,
    known: &Known<'_>,
    limits: &OutputLimits,
) -> Result<Vec<Signal>, Wrong> {
    count("signals", signals.len(), limits.rows)?;
    let mut budget = Budget::new(limits);
    let mut checked = Vec::with_capacity(signals.len());
    for (index, signal) in signals.into_iter().enumerate() {
        let at = |wrong: Wrong| format!("signal {index}: {wrong}");
        if signal.key >= known.keys {
            return Err(at(format!("key number {} is not known, known are {}", signal.key, known.keys)));
        }
        if signal.lasts < 0 {
            return Err(at(format!("lasts {} ns, expected 0 (for ever) or more", signal.lasts)));
        }
        budget.text("summary", &signal.summary).map_err(at)?;
        checked.push(Signal {
            key: signal.key,
            level: signal.level,
            value: signal.value,
            time_unix_ns: signal.time,
            lasts_ns: signal.lasts,
            summary: signal.summary,
            extras: budget.extras(signal.extras).map_err(at)?,
        });
    }
    Ok(checked)
}

/// A failure of a call with `rows` rows of input (0: none).
pub fn failure(failure: raw::Failure, rows: usize, limits: &OutputLimits) -> Result<Failure, Wrong> {
    let mut budget = Budget::new(limits);
    let at = |wrong: Wrong| format!("failure: {wrong}");
    budget.text("code", &failure.code).map_err(at)?;
    budget.text("message", &failure.message).map_err(at)?;
    if failure.after < 0 {
        return Err(at(format!("after is {} ns, expected 0 or more", failure.after)));
    }
    let indexes = indexes(&failure.indexes, rows).map_err(at)?;
    Ok(Failure {
        verdict: failure.verdict,
        code: failure.code,
        message: failure.message,
        indexes,
        after_ns: failure.after,
    })
}

pub(crate) fn count(what: &str, got: usize, limit: usize) -> Result<(), Wrong> {
    if got <= limit {
        return Ok(());
    }
    Err(format!("{got} {what}, at most {limit} are taken"))
}
