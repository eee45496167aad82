//! Configuration: TOML text in, a checked [`Topology`] out, or every [`Problem`] at once.
//!
//! Two steps, two types: [`raw`] reads the text into strings with the line where each stands, and `check` turns those into the types of this
//! file: names, selectors, sizes, durations, references between units, no cycles. Nothing here knows a component; what needs the plans of the
//! components (ports, kinds, lanes) is checked by [`crate::graph`]. All times are ns, all sizes bytes. The format is described in
//! `docs/configuration.md`. Limits: the constants below; over one is a problem that names it. Problems are for people: they go to the
//! terminal and to the answer of the API, and nothing runs on a configuration that has one. Warnings do not stop anything.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::alerts::Policy;
use crate::triplet::Selector;
use crate::unit::Level;

mod alerting;
mod check;
mod derived;
mod durability;
mod json;
mod locate;
pub mod measure;
mod metric;
mod near;
mod order;
mod pipeline;
pub mod raw;
mod reader;
mod sink;
mod source;

#[cfg(test)]
mod tests;

pub use derived::{DerivedName, TYPES_MAX};
pub use durability::{DataSpec, DeadSpec, Durability, StateEngine, StateSpec};
pub use json::json;
pub use locate::{Spot, locate};
pub use near::hint;
pub use order::flows;
pub use sink::{FileSink, SinkKind, SinkSpec};
pub use source::{
    AtEnd, Begin, CodecSpec, DedupSpec, FieldNames, FileSpec, Framing, PATHS_MAX, RECEIVE_BUFFER_BYTES,
    RequestSpec, SourceKind, SourceSpec, TlsSpec,
};

/// Longest configuration text.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
pub const NAME_BYTES_MAX: usize = 64;
pub const SOURCES_MAX: usize = 64;
pub const PIPELINES_MAX: usize = 256;
pub const UNITS_MAX: usize = 64;
pub const SERIES_MAX: usize = 64;
pub const STREAMS_MAX: usize = 64;
pub const SELECTORS_MAX: usize = 64;
/// Entries of one `from`.
pub const FROM_MAX: usize = 64;
/// Labels or fields of one series, keys of a lane.
pub const COLUMNS_MAX: usize = 64;
pub const LANES_MAX: u32 = 64;
pub const RULES_MAX: usize = 256;
pub const CHARTS_MAX: usize = 256;
pub const CHANNELS_MAX: usize = 16;
pub const SINKS_MAX: usize = 64;
/// Labels or annotations of one rule.
pub const LABELS_MAX: usize = 32;
pub const KEEP_POINTS_MAX: usize = 1_000_000;
pub const METRICS_MAX: usize = 2_000;
/// Rollups of one metric.
pub const METRIC_ROLLUPS_MAX: usize = 16;
/// Series of all metrics over the same streams.
pub const METRIC_SERIES_MAX: usize = 4_000;
/// Problems that one check reports; the rest is a number.
pub const PROBLEMS_MAX: usize = 100;

/// One thing wrong with a configuration, or worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// For example `pipeline "requests", unit "slow", config.keep (line 14)`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Where a section stands in the text; made once, so that later checks can still name the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// For example `pipeline "requests", unit "slow"`.
    pub words: String,
    /// From 1; 0 where there is no text.
    pub line: u32,
    /// Line of each member of `config`, as (JSON pointer, line).
    pub config_lines: Vec<(String, u32)>,
}

impl Place {
    /// The place itself.
    pub fn here(&self) -> String {
        with_line(self.words.clone(), self.line)
    }

    /// A member of the section, as in `lanes`.
    pub fn member(&self, member: &str) -> String {
        with_line(format!("{}, {member}", self.words), self.line)
    }

    /// A place inside `config`: `pointer` is a JSON pointer such as `/aggregates/n`. A pointer that is not in the text (a missing member)
    /// gets the line of the nearest thing around it that is.
    pub fn config(&self, pointer: &str) -> String {
        let path = pointer.trim_end_matches('/').replace('/', ".");
        let mut around = pointer.trim_end_matches('/');
        let line = loop {
            if let Some((_, line)) = self.config_lines.iter().find(|(known, _)| known == around) {
                break *line;
            }
            match around.rfind('/') {
                Some(cut) => around = around.get(..cut).unwrap_or(""),
                None => break self.line,
            }
        };
        with_line(format!("{}, config{path}", self.words), line)
    }
}

fn with_line(words: String, line: u32) -> String {
    if line == 0 { words } else { format!("{words} (line {line})") }
}

/// A whole configuration, checked as far as that is possible without the components.
#[derive(Clone, Debug)]
pub struct Topology {
    pub server: ServerSpec,
    pub data: DataSpec,
    pub state: StateSpec,
    pub dead: DeadSpec,
    pub sources: Vec<SourceSpec>,
    pub pipelines: Vec<PipelineSpec>,
    pub rules: Vec<RuleSpec>,
    pub charts: Vec<ChartSpec>,
    /// Which of the units, series and charts come from a `[[metric]]`.
    pub metrics: Vec<MetricSpec>,
    pub channels: Vec<ChannelSpec>,
    pub sinks: Vec<SinkSpec>,
    /// The TOML as it was given.
    pub text: String,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
}

impl Topology {
    /// Reads and checks a configuration. On failure all problems, in the order of the text, at most [`PROBLEMS_MAX`] and a count.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        check::topology(text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// Loopback, always: there is no authentication yet.
    pub listen: SocketAddr,
    /// Host names that are answered beside the loopback ones (behind a proxy), as they stand in the `Host` header without port.
    pub hosts: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSpec {
    pub name: Arc<str>,
    /// Never empty.
    pub from: Vec<Selector>,
    /// How far event time may run behind; the watermark of its streams stays this far behind the newest event.
    pub lateness_ns: i64,
    pub lanes: LanesSpec,
    pub lag: LagSpec,
    /// In topological order: a unit only refers to units before it.
    pub units: Vec<UnitSpec>,
    pub series: Vec<SeriesSpec>,
    pub streams: Vec<DerivedSpec>,
    pub place: Place,
}

/// Copies of a pipeline by a key; `count` 1 means none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanesSpec {
    pub count: u32,
    /// Columns whose values choose the lane; not empty where `count` is over 1.
    pub by: Vec<Arc<str>>,
}

/// How far a flow may fall behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagSpec {
    pub bytes: u64,
    pub age_ns: i64,
    pub beyond: Beyond,
}

impl LagSpec {
    /// Pipelines of one flow share its cursor: the smallest bounds count, and back-pressure is stronger than skipping.
    pub fn strictest(self, other: Self) -> Self {
        let skips = self.beyond == Beyond::Skip && other.beyond == Beyond::Skip;
        Self {
            bytes: self.bytes.min(other.bytes),
            age_ns: self.age_ns.min(other.age_ns),
            beyond: if skips { Beyond::Skip } else { Beyond::BackPressure },
        }
    }
}

/// What happens at the bound of the lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The sources wait.
    BackPressure,
    /// The oldest records are left out, counted.
    Skip,
}

#[derive(Clone, Debug, PartialEq)]
pub struct UnitSpec {
    /// pipeline/unit
    pub id: Arc<str>,
    pub name: Arc<str>,
    /// Name of a component, or a path that ends in `.wasm`.
    pub uses: String,
    /// Never empty.
    pub from: Vec<PortRef>,
    /// An object, in the order of the text.
    pub config: serde_json::Value,
    pub on_open_circuit: CircuitPolicy,
    pub place: Place,
}

/// Where rows come from, inside one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PortRef {
    /// Index into `PipelineSpec::units`; none: the input of the pipeline.
    pub unit: Option<usize>,
    /// None: the first port of the unit.
    pub port: Option<String>,
}

/// What happens to a unit's input while its circuit is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitPolicy {
    RollBack,
    Pass,
    Hold,
    Drop,
}

impl CircuitPolicy {
    /// As in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::RollBack => "roll-back",
            Self::Pass => "pass",
            Self::Hold => "hold",
            Self::Drop => "drop",
        }
    }
}

/// A port into the series store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSpec {
    /// Unique in the whole configuration.
    pub metric: Arc<str>,
    pub from: Vec<PortRef>,
    /// None: the text columns.
    pub labels: Option<Vec<Arc<str>>>,
    /// None: the numeric columns that are not labels.
    pub fields: Option<Vec<Arc<str>>>,
    pub keep_points: usize,
    pub place: Place,
}

/// A port into a derived stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedSpec {
    pub name: DerivedName,
    pub from: Vec<PortRef>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    /// rule/name
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub uses: String,
    /// Index into `Topology::pipelines`: the rule is part of that pipeline's record transaction.
    pub pipeline: usize,
    /// What it looks at, inside that pipeline.
    pub on: PortRef,
    pub config: serde_json::Value,
    pub alerts: AlertSpec,
    pub place: Place,
}

/// What the host makes of the levels of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertSpec {
    pub policy: Policy,
    /// Beside those of the key; no part of an alert's identity.
    pub labels: Vec<(Arc<str>, String)>,
    pub annotations: Vec<(Arc<str>, String)>,
    /// None: all.
    pub channels: Option<Vec<Arc<str>>>,
}

/// Where alerts are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSpec {
    pub name: Arc<str>,
    pub kind: ChannelKind,
    /// Alerts of lower levels are not sent.
    pub level: Level,
    /// Whether the end of an alert is sent too.
    pub resolved: bool,
    /// Of one attempt.
    pub timeout_ns: i64,
    /// What could not be delivered for so long is dropped, counted.
    pub give_up_after_ns: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// POST of JSON.
    Webhook { url: HttpUrl },
}

/// A plain http address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpUrl {
    /// A name or an address without brackets.
    pub host: String,
    pub port: u16,
    /// With the query; begins with a slash.
    pub path: String,
    /// As written, for the `Host` header.
    pub authority: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ChartSpec {
    pub id: Arc<str>,
    pub title: String,
    /// Of some pipeline's series.
    pub metric: Arc<str>,
    pub uses: String,
    pub config: serde_json::Value,
    pub window_ns: i64,
    pub place: Place,
}

/// What a `[[metric]]` became.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSpec {
    pub name: Arc<str>,
    /// Index into `Topology::pipelines`: shared by the metrics over the same streams with the same filter and lateness.
    pub pipeline: usize,
    /// Ids of its own units, in the order in which rows go through them.
    pub units: Vec<Arc<str>>,
    /// Metric of each series and its fields.
    pub series: Vec<(Arc<str>, Vec<Arc<str>>)>,
    pub backfill: Backfill,
    pub place: Place,
}

/// Where a metric begins that is added while events come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backfill {
    /// With the events that the recent rings hold at the position of its command.
    Recent,
    /// With the first event behind it.
    None,
}
