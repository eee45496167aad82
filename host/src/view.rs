//! What the API shows: plain data, copied out of the running parts. The JSON names are documented in `docs/wire.md`.

use serde::Serialize;
use serde_json::{Map, Value};
use weir_core::config::{self, Problem};

#[derive(Debug, Clone, Serialize)]
pub struct StreamView {
    pub triplet: String,
    pub events_total: u64,
    pub bytes_total: u64,
    pub events_per_s: f64,
    /// Rows that units let out as late, once for each unit that did.
    pub late_total: u64,
    pub future_total: u64,
    pub last_event_time_unix_ns: Option<i64>,
    pub watermark_unix_ns: Option<i64>,
    pub columns: Vec<ColumnView>,
    pub schema_changes_total: u64,
    /// Columns whose number type got wider.
    pub widened_total: u64,
    /// Columns that became text because their values were of several types.
    pub mixed_to_text_total: u64,
    /// Values left out because the stream has too many columns or keys.
    pub values_dropped_total: u64,
    /// Dictionaries begun anew because they were too large.
    pub dictionaries_replaced_total: u64,
    /// Columns that gave up their dictionary because texts hardly repeat.
    pub dictionaries_to_text_total: u64,
    pub derived: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct ColumnView {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct EventView {
    /// RFC 3339.
    pub time: String,
    pub position: u64,
    pub row: u32,
    pub fields: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct PipelineView {
    pub name: String,
    pub from: Vec<String>,
    pub flow: String,
    pub state: &'static str,
    pub lag_bytes: u64,
    pub lag_records: u64,
    pub lag_s: f64,
    /// Records that were skipped because the flow lagged beyond its bound.
    pub skipped_total: u64,
    /// What was missing in the journal when it was replayed through this pipeline.
    pub holes: Vec<HoleView>,
    pub units: Vec<UnitView>,
}

#[derive(Debug, Clone, Serialize)]
pub struct HoleView {
    /// First position that is missing, and the one behind the last.
    pub from: u64,
    pub to: u64,
    /// By the host's clock.
    pub start_unix_ns: i64,
    pub end_unix_ns: Option<i64>,
    pub label: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct UnitView {
    /// pipeline/unit; rules and the like too.
    pub id: String,
    pub component: String,
    pub digest: String,
    pub kind: String,
    pub state: &'static str,
    pub rows_in_total: u64,
    pub rows_out_total: u64,
    pub calls_total: u64,
    pub busy_ns_total: u64,
    pub rows_per_s: f64,
    pub ns_per_event: f64,
    pub memory_bytes: u64,
    pub faults_total: u64,
    pub rejected_total: u64,
    pub late_total: u64,
    pub state_entries: u64,
    /// Keys and writes for which its state had no room.
    pub over_quota_total: u64,
    /// Letters that are there now.
    pub dead_letters: u64,
    pub to: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SeriesView {
    pub metric: String,
    pub triplet: String,
    pub labels: Map<String, Value>,
    pub fields: Vec<String>,
    pub points: u64,
    pub last_time_unix_ns: Option<i64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ComponentView {
    pub name: String,
    pub version: String,
    pub kind: String,
    pub digest: String,
    pub bytes: u64,
    pub summary: String,
    pub imports: Vec<String>,
    pub used_by: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FaultView {
    /// RFC 3339.
    pub at: String,
    pub unit: String,
    pub digest: String,
    pub call: String,
    pub kind: String,
    pub message: String,
    pub frames: Vec<String>,
    pub position: u64,
    pub rows: u32,
}

/// An event that no stream got.
#[derive(Debug, Clone, Serialize)]
pub struct RejectedView {
    /// RFC 3339.
    pub at: String,
    pub source: String,
    /// Where it would have gone unless it said otherwise itself.
    pub stream: Option<String>,
    pub offset_bytes: u64,
    pub length_bytes: u64,
    pub line: u64,
    pub code: &'static str,
    pub message: String,
    pub first_bytes: String,
}

/// An alarm of the host's own.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeView {
    /// over-quota, dead-letters-pushed-out, dead-letters-not-written, dead-letters-damaged
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Of over-quota keys and writes, of dead letters rows that were pushed out, attempts to write, or damaged places.
    pub total: u64,
    /// When it happened last, RFC 3339.
    pub at: String,
    pub message: String,
}

/// Rows that a unit could not take.
#[derive(Debug, Clone, Serialize)]
pub struct LetterView {
    pub id: String,
    pub unit: String,
    pub pipeline: String,
    pub digest: String,
    pub code: String,
    pub message: String,
    /// Of the first row, as the event that it was.
    pub position: u64,
    pub row: u32,
    pub rows: usize,
    /// When the unit refused it, RFC 3339.
    pub time: String,
    pub stream: String,
    /// Of the first row; null for timers.
    pub fields: Value,
    pub attempts: u32,
    pub bytes: usize,
    pub replayable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LetterRow {
    pub row: u32,
    /// Of the event, RFC 3339.
    pub time: String,
    pub fields: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AlertView {
    pub id: String,
    pub rule: String,
    pub triplet: String,
    /// Of the key.
    pub labels: Map<String, Value>,
    /// Of the configuration, as annotations.
    pub extra_labels: Map<String, Value>,
    pub annotations: Map<String, Value>,
    pub level: &'static str,
    /// None where it is no number.
    pub value: Option<f64>,
    pub since_unix_ns: i64,
    pub summary: String,
    /// ok, pending, firing, recovering
    pub state: &'static str,
    /// fresh, stale, absent, failing
    pub beside: &'static str,
    pub flapping: bool,
    pub word_unix_ns: i64,
    pub word_position: u64,
    /// That which goes on.
    pub episode: Option<EpisodeView>,
}

#[derive(Debug, Clone, Serialize)]
pub struct EpisodeView {
    pub id: String,
    pub alert: String,
    pub rule: String,
    pub triplet: String,
    pub labels: Map<String, Value>,
    pub start_position: u64,
    pub pending_unix_ns: i64,
    pub started_unix_ns: i64,
    pub end_position: Option<u64>,
    pub ended_unix_ns: Option<i64>,
    /// resolved, forgotten, rule-removed
    pub end: Option<&'static str>,
    pub worst_level: &'static str,
    pub worst_value: Option<f64>,
    pub worst_unix_ns: i64,
    pub worst_summary: String,
    pub flapped: bool,
}

/// How a rule stands as a whole.
#[derive(Debug, Clone, Serialize)]
pub struct RuleView {
    pub id: String,
    pub failing: bool,
    pub words_total: u64,
    pub alerts: u64,
}

/// How many alerts are in which state, and what was lost.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AlertCounts {
    pub ok: u64,
    pub pending: u64,
    pub firing: u64,
    pub recovering: u64,
    pub stale: u64,
    pub absent: u64,
    pub failing: u64,
    pub flapping: u64,
    pub episodes_total: u64,
    pub episodes_kept: u64,
    pub episodes_dropped_total: u64,
    pub left_out_total: u64,
    pub quiet_left_out_total: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ChannelView {
    pub name: String,
    pub url: String,
    pub queued: u64,
    pub sent_total: u64,
    pub attempts_failed_total: u64,
    pub refused_total: u64,
    pub dropped_total: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct SourceView {
    pub name: String,
    pub kind: String,
    pub events_total: u64,
    pub bytes_total: u64,
    pub rejected_total: u64,
    pub connections_total: u64,
    pub connections_open: u64,
    pub refused_total: u64,
    pub waits_total: u64,
    pub kernel_drops_total: u64,
    pub receive_buffer_bytes: u64,
    pub codec_faults_total: u64,
    /// Events that had been accepted before.
    pub duplicates_total: u64,
    /// Events without producer or number, where the source tells events apart by them.
    pub unidentified_total: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct RevisionView {
    pub revision: u64,
    pub position: u64,
    /// RFC 3339.
    pub at: String,
    /// default, file, api, cli, page
    pub origin: String,
    pub summary: String,
    pub bytes: u64,
}

/// How the configuration file stands to what runs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FileView {
    /// none, in-sync, behind, conflict, refused, missing
    pub state: &'static str,
    /// Without its folder.
    pub name: Option<String>,
    pub loaded_revision: Option<u64>,
    /// RFC 3339.
    pub loaded_at: Option<String>,
    pub changed_at: Option<String>,
    pub message: String,
    pub problems: Vec<ProblemView>,
    pub loads_total: u64,
    pub refused_total: u64,
    pub conflicts_total: u64,
}

/// One thing wrong with a configuration.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct ProblemView {
    /// For example `pipeline "requests", unit "slow", config.keep`.
    pub place: String,
    pub message: String,
    /// From 1, in the text that was given; none where it stands nowhere.
    pub line: Option<u32>,
    pub column: Option<u32>,
}

/// Problems with where they stand in the text.
pub fn problems(text: &str, problems: &[Problem]) -> Vec<ProblemView> {
    let view = |problem: &Problem| {
        let spot = config::locate(text, problem);
        ProblemView {
            place: problem.place.clone(),
            message: problem.message.clone(),
            line: spot.map(|spot| spot.line),
            column: spot.map(|spot| spot.column),
        }
    };
    problems.iter().map(view).collect()
}

/// A `[[metric]]` and what it stands for.
#[derive(Debug, Clone, Serialize)]
pub struct MetricView {
    pub name: String,
    pub from: Vec<String>,
    /// The pipeline that it shares with all metrics over the same streams with the same `where` and lateness.
    pub pipeline: String,
    /// Ids of its own units, in the order in which rows go through them.
    pub units: Vec<String>,
    pub series: Vec<MetricSeriesView>,
    pub chart: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MetricSeriesView {
    pub metric: String,
    pub fields: Vec<String>,
}
