//! What a flow asks of a unit, whatever runs it.
//!
//! A flow calls [`Unit`]; the host implements it over a Wasm instance, tests over plain Rust. All columns here are Arrow arrays of the
//! types listed in [`crate::batch`]. A unit sees the projected columns only; what it returns are decisions (see [`Output`]), which
//! [`crate::apply`] turns into batches after checking them.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::{BooleanBuffer, ScalarBuffer};

use crate::triplet::Triplet;

/// Where and when a call stands. All of it comes from the record.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub position: u64,
    /// 0, 1, ... where several calls of this unit come from one record.
    pub part: u32,
    /// Over 0 where the host cut the input to find a bad row.
    pub first_row: u32,
    pub now_unix_ns: i64,
    pub watermark_unix_ns: i64,
    /// Key numbers to forget.
    pub forgotten: Vec<u32>,
}

#[derive(Clone, Debug)]
pub struct NamedColumn {
    pub name: Arc<str>,
    pub array: ArrayRef,
    /// The dictionary's id where `array` is a dictionary that lives across batches.
    pub dictionary: Option<u64>,
}

/// What a unit gets to see of a batch.
#[derive(Clone, Debug)]
pub struct Input {
    pub triplet: Triplet,
    pub time: ScalarBuffer<i64>,
    /// One key number for each row, or empty where the plan names no key.
    pub keys: ScalarBuffer<u32>,
    pub columns: Vec<NamedColumn>,
}

impl Input {
    pub fn rows(&self) -> usize {
        self.time.len()
    }
}

/// Timers that are due, in the order of (time, key, slot).
#[derive(Clone, Debug, Default)]
pub struct Due {
    pub keys: Vec<u32>,
    pub slots: Vec<i64>,
    pub times: Vec<i64>,
}

/// Which rows of the input.
#[derive(Clone, Debug)]
pub enum Rows {
    All,
    /// One bit for each row of the input.
    Mask(BooleanBuffer),
    /// Rising.
    Indexes(Vec<u32>),
}

#[derive(Clone, Debug)]
pub enum Output {
    /// Rows of the input go on to a port, with `set` columns (one value for each row of the input) and without `omit`.
    /// A column named "time" (Int64 or Timestamp) replaces the event time.
    Forward { port: u32, rows: Rows, set: Vec<NamedColumn>, omit: Vec<String> },
    /// New rows. `keys` is empty or has one key number for each row: then the host adds the key's columns (and, unless the plan says
    /// across, takes the key's triplet).
    Emit {
        port: u32,
        triplet: Option<Triplet>,
        time: ScalarBuffer<i64>,
        keys: Vec<u32>,
        columns: Vec<NamedColumn>,
    },
    /// Rows of the input to the dead letters.
    Reject { indexes: Vec<u32>, code: String, message: String },
    /// Of rules only.
    Signals(Vec<Signal>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Level {
    Unknown,
    Ok,
    Info,
    Warning,
    Critical,
}

impl Level {
    /// As in the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A rule's word on one key. Stands until the next one for that key.
#[derive(Clone, Debug)]
pub struct Signal {
    pub key: u32,
    pub level: Level,
    pub value: f64,
    pub time_unix_ns: i64,
    /// 0: for ever.
    pub lasts_ns: i64,
    pub summary: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Retry,
    Drop,
    Fail,
}

/// The unit itself says that it cannot. Nothing of the call counts.
#[derive(Clone, Debug)]
pub struct Failure {
    pub verdict: Verdict,
    pub code: String,
    pub message: String,
    /// Rows to blame; empty: unknown or all.
    pub indexes: Vec<u32>,
    pub after_ns: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// Ran into its deadline.
    Deadline,
    /// Asked for more memory, tables or transfer than granted.
    Memory,
    /// Ran out of stack.
    Stack,
    /// Any other trap of the guest.
    Trap,
    /// Returned or asked for what the contract does not allow.
    Contract,
    /// Said so itself: a failure that no retry mends.
    Failure,
    /// The host's own mistake.
    Host,
}

/// What went wrong in one call of one unit: a value, never a panic.
#[derive(Clone, Debug)]
pub struct Fault {
    /// pipeline/unit
    pub unit: Arc<str>,
    pub digest: Arc<str>,
    /// "open", "process", "tick", ...
    pub call: &'static str,
    pub kind: FaultKind,
    pub message: String,
    /// Guest frames, innermost first.
    pub frames: Vec<String>,
    pub position: u64,
    pub rows: u32,
}

#[derive(Clone, Debug)]
pub enum CallError {
    Failure(Failure),
    Fault(Box<Fault>),
}

/// One instance's life as a flow sees it. After any `Err` and after `reset` the instance is gone; the next call opens a new one by itself.
/// State imports go to the state that the unit was made with.
pub trait Unit: Send {
    fn process(&mut self, context: &Context, input: &Input) -> Result<Vec<Output>, CallError>;
    fn tick(&mut self, context: &Context, due: &Due) -> Result<Vec<Output>, CallError>;
    /// Drops the instance, because state that it may have cached was rolled back.
    fn reset(&mut self);
    /// Last call in peace; the default does nothing.
    fn close(&mut self) {}
    /// Guest memory now, bytes; for counters.
    fn memory_bytes(&self) -> usize {
        0
    }
}
