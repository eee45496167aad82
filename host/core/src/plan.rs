//! What a component says of itself: the JSON of `describe` and of `plan`, checked into types.
//!
//! The JSON is documented in `wit/manifest.wit`. Unknown members become warnings, not errors.

use std::sync::Arc;

/// Answer of `describe`.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub summary: String,
    /// filter, transform, aggregate, rebroadcast, split, rollup, buffer, rule, formatter, codec
    pub kind: String,
    /// JSON Schema of the configuration.
    pub config_schema: serde_json::Value,
    pub state_schema: u32,
    pub migrates: Vec<u32>,
    pub warnings: Vec<String>,
}

/// Kind of values that a plan asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Any,
    F64s,
    S64s,
    U64s,
    Bools,
    Timestamps,
    Texts,
    Blobs,
    Categories,
}

#[derive(Clone, Debug)]
pub struct Read {
    pub name: Arc<str>,
    pub kind: ColumnKind,
    pub optional: bool,
    /// "growing" asked for.
    pub growing: bool,
}

#[derive(Clone, Debug)]
pub struct PlannedPort {
    pub name: Arc<str>,
    pub summary: String,
}

#[derive(Clone, Debug)]
pub struct PlannedTable {
    pub name: Arc<str>,
    /// By key number, else by names of the unit's own ("free").
    pub by_key: bool,
    /// Bytes of each value; none: any length.
    pub size: Option<u32>,
    pub expire_ns: Option<i64>,
}

/// Answer of `plan`, for one configuration.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// None: all columns as they are.
    pub reads: Option<Vec<Read>>,
    /// An expression of the standard language, evaluated natively before the call.
    pub selector: Option<String>,
    pub keys: Vec<Arc<str>>,
    pub across: bool,
    /// At least one for units; empty for rules.
    pub ports: Vec<PlannedPort>,
    pub tick_ns: Option<i64>,
    /// How far emitted rows may lie behind the watermark at which they are emitted (a window's length); what comes after the unit waits as long.
    pub delay_ns: i64,
    pub tables: Vec<PlannedTable>,
    pub cut_invariant: bool,
    pub warnings: Vec<String>,
}
