//! `GET /metrics`: the counters of everything that runs, as Prometheus text exposition 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! In: the same views as the JSON API. Out: families sorted as they stand here, each with HELP and TYPE; counters end in `_total`, names carry the unit.
//! A family without samples is left out. Bound: [`SAMPLES_MAX`] samples of one family, further ones are left out and counted in `weir_metrics_cut`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{Api, ApiError, off_thread};
use crate::live::Live;
use crate::runtime::Runtime;
use crate::sinks;
use crate::view::{ChannelView, FileView, PipelineView, SourceView, StreamView, UnitView};

const SAMPLES_MAX: usize = 50_000;

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// While the program starts.
pub fn starting(runtime: &Runtime) -> String {
    let mut out = Exposition::default();
    out.family("weir_build_info", "gauge", "always 1; the version is a label");
    out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    journal(&mut out, runtime);
    out.finish()
}

pub async fn show(State(api): State<Api>) -> Result<Response, ApiError> {
    let text = off_thread(move || {
        let mut out = Exposition::default();
        out.family("weir_build_info", "gauge", "always 1; the version is a label");
        out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        sources(&mut out, &api.runtime.sources());
        streams(&mut out, &api.runtime.streams());
        let (revision, pipelines) = api.runtime.pipelines();
        out.one("weir_configuration_revision", "gauge", "number of the running revision", revision as f64);
        if let Some(file) = &api.file {
            configuration_file(&mut out, &file.view());
        }
        flows(&mut out, &pipelines);
        units(&mut out, &pipelines);
        journal(&mut out, &api.runtime);
        rest(&mut out, &api.runtime);
        live(&mut out, &api.live);
        out.finish()
    });
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text.await?).into_response())
}

fn configuration_file(out: &mut Exposition, file: &FileView) {
    let name = "weir_configuration_file_state";
    out.family(name, "gauge", "1 for how the configuration file stands to what runs");
    out.sample(&[("state", file.state)], 1.0);
    let looks = "what became of changes of the configuration file";
    out.family("weir_configuration_file_changes_total", "counter", looks);
    for (result, count) in
        [("loaded", file.loads_total), ("refused", file.refused_total), ("conflict", file.conflicts_total)]
    {
        out.sample(&[("result", result)], count as f64);
    }
}

/// Reads one number of a view.
type Column<T> = (&'static str, &'static str, &'static str, fn(&T) -> f64);

fn sources(out: &mut Exposition, sources: &[SourceView]) {
    let columns: [Column<SourceView>; 11] = [
        ("weir_source_events_total", "counter", "events taken", |it| it.events_total as f64),
        ("weir_source_bytes_total", "counter", "bytes read", |it| it.bytes_total as f64),
        ("weir_source_rejected_total", "counter", "events that could not be taken", |it| {
            it.rejected_total as f64
        }),
        ("weir_source_connections_total", "counter", "connections or requests", |it| {
            it.connections_total as f64
        }),
        ("weir_source_connections_open", "gauge", "connections now", |it| it.connections_open as f64),
        ("weir_source_refused_total", "counter", "connections or requests refused", |it| {
            it.refused_total as f64
        }),
        ("weir_source_waits_total", "counter", "times that a lagging flow held the source up", |it| {
            it.waits_total as f64
        }),
        ("weir_source_kernel_drops_total", "counter", "datagrams that the kernel dropped", |it| {
            it.kernel_drops_total as f64
        }),
        (
            "weir_source_codec_faults_total",
            "counter",
            "calls of a codec component that ended in a fault",
            |it| it.codec_faults_total as f64,
        ),
        ("weir_source_duplicates_total", "counter", "events that had been accepted before", |it| {
            it.duplicates_total as f64
        }),
        (
            "weir_source_unidentified_total",
            "counter",
            "events without producer or number where the source asks for them",
            |it| it.unidentified_total as f64,
        ),
    ];
    out.table(&columns, sources, |it| vec![("source", &it.name), ("kind", &it.kind)]);
}

fn streams(out: &mut Exposition, streams: &[StreamView]) {
    let columns: [Column<StreamView>; 10] = [
        ("weir_stream_events_total", "counter", "events of the stream", |it| it.events_total as f64),
        ("weir_stream_bytes_total", "counter", "memory of those events when they came", |it| {
            it.bytes_total as f64
        }),
        ("weir_stream_late_total", "counter", "rows that units let out as late, once for each unit", |it| {
            it.late_total as f64
        }),
        ("weir_stream_future_total", "counter", "events too far in the future", |it| it.future_total as f64),
        ("weir_stream_schema_changes_total", "counter", "columns new or widened", |it| {
            it.schema_changes_total as f64
        }),
        ("weir_stream_widened_total", "counter", "columns whose number type got wider", |it| {
            it.widened_total as f64
        }),
        ("weir_stream_mixed_to_text_total", "counter", "columns of several types that became text", |it| {
            it.mixed_to_text_total as f64
        }),
        ("weir_stream_values_dropped_total", "counter", "values of too many columns", |it| {
            it.values_dropped_total as f64
        }),
        ("weir_stream_dictionaries_replaced_total", "counter", "dictionaries begun anew", |it| {
            it.dictionaries_replaced_total as f64
        }),
        ("weir_stream_dictionaries_to_text_total", "counter", "columns that gave up theirs", |it| {
            it.dictionaries_to_text_total as f64
        }),
    ];
    out.table(&columns, streams, |it| vec![("stream", &it.triplet)]);
}

fn flows(out: &mut Exposition, pipelines: &[PipelineView]) {
    let columns: [Column<PipelineView>; 4] = [
        ("weir_pipeline_lag_bytes", "gauge", "input that waits", |it| it.lag_bytes as f64),
        ("weir_pipeline_lag_records", "gauge", "records that wait", |it| it.lag_records as f64),
        ("weir_pipeline_lag_seconds", "gauge", "age of the oldest record that waits", |it| it.lag_s),
        ("weir_pipeline_skipped_total", "counter", "records skipped beyond the lag bound", |it| {
            it.skipped_total as f64
        }),
    ];
    out.table(&columns, pipelines, |it| vec![("pipeline", &it.name), ("flow", &it.flow)]);
    out.family("weir_pipeline_running", "gauge", "1 where the pipeline is running");
    for it in pipelines {
        out.sample(
            &[("pipeline", &it.name), ("state", it.state)],
            f64::from(u8::from(it.state == "running")),
        );
    }
}

fn units(out: &mut Exposition, pipelines: &[PipelineView]) {
    let columns: [Column<UnitView>; 11] = [
        ("weir_unit_rows_in_total", "counter", "rows given to the unit", |it| it.rows_in_total as f64),
        ("weir_unit_rows_out_total", "counter", "rows that it passed on or made", |it| {
            it.rows_out_total as f64
        }),
        ("weir_unit_calls_total", "counter", "calls", |it| it.calls_total as f64),
        ("weir_unit_busy_seconds_total", "counter", "time in calls", |it| it.busy_ns_total as f64 / 1e9),
        ("weir_unit_memory_bytes", "gauge", "memory of its instance", |it| it.memory_bytes as f64),
        ("weir_unit_faults_total", "counter", "traps, deadlines, broken contracts", |it| {
            it.faults_total as f64
        }),
        ("weir_unit_rejected_total", "counter", "rows to the dead letters", |it| it.rejected_total as f64),
        ("weir_unit_late_total", "counter", "rows that it had to leave out as late", |it| {
            it.late_total as f64
        }),
        ("weir_unit_state_entries", "gauge", "entries of its state", |it| it.state_entries as f64),
        ("weir_unit_over_quota_total", "counter", "keys and writes for which its state had no room", |it| {
            it.over_quota_total as f64
        }),
        ("weir_unit_running", "gauge", "1 where the unit is running", |it| {
            f64::from(u8::from(it.state == "running"))
        }),
    ];
    let units: Vec<&UnitView> = pipelines.iter().flat_map(|pipeline| &pipeline.units).collect();
    for (name, kind, help, read) in columns {
        out.family(name, kind, help);
        for it in &units {
            out.sample(&[("unit", &it.id), ("component", &it.component)], read(it));
        }
    }
}

/// Nothing where nothing outlives the process.
fn journal(out: &mut Exposition, runtime: &Runtime) {
    if let Some(replayed) = runtime.replayed() {
        out.one("weir_replay_records", "gauge", "records that the start replayed", replayed.records as f64);
        out.one("weir_replay_events", "gauge", "events in them", replayed.events as f64);
        out.one("weir_replay_missing", "gauge", "records that were missing then", replayed.missing as f64);
        out.one("weir_replay_seconds", "gauge", "time that it took", replayed.took.as_secs_f64());
        let of = replayed.until.saturating_sub(replayed.from);
        out.one("weir_replay_records_all", "gauge", "records that there are to replay", of as f64);
        let done = replayed.at.saturating_sub(replayed.from).min(of);
        out.one("weir_replay_records_done", "gauge", "of these, passed", done as f64);
        out.one(
            "weir_replay_running",
            "gauge",
            "1 while the start replays",
            f64::from(u8::from(!replayed.done)),
        );
    }
    checkpoints(out, runtime);
    let Some(status) = runtime.journal_status() else { return };
    let counters = [
        ("weir_journal_records_total", "records handed to the journal", status.appended),
        ("weir_journal_durable_total", "of these, on disk", status.durable),
        ("weir_journal_written_bytes_total", "bytes written", status.bytes_total),
        ("weir_journal_syncs_total", "syncs", status.syncs_total),
        ("weir_journal_unwritable_total", "records that could not be written", status.unwritable_total),
    ];
    for (name, help, value) in counters {
        out.one(name, "counter", help, value as f64);
    }
    let longest = status.sync_ns_max as f64 / 1e9;
    out.one("weir_journal_sync_seconds_max", "gauge", "the longest write and sync so far", longest);
    out.one(
        "weir_journal_waiting_bytes",
        "gauge",
        "memory of records to be written",
        status.waiting_bytes as f64,
    );
    out.one(
        "weir_journal_segment",
        "gauge",
        "number of the segment that is written",
        f64::from(status.segment),
    );
    let (files, bytes) = runtime.journal_files();
    out.one("weir_journal_segments", "gauge", "segments on disk", files as f64);
    out.one("weir_journal_bytes", "gauge", "their bytes", bytes as f64);
    let state = match (status.stopped.is_some(), status.full) {
        (true, _) => "stopped",
        (false, true) => "full",
        (false, false) => "good",
    };
    out.family("weir_journal_state", "gauge", "1 for how the journal is");
    out.sample(&[("state", state)], 1.0);
}

fn checkpoints(out: &mut Exposition, runtime: &Runtime) {
    let Some(status) = runtime.checkpoint_status() else { return };
    out.one("weir_checkpoints_total", "counter", "checkpoints of this run", status.taken_total as f64);
    out.one("weir_checkpoints_failed_total", "counter", "of them not made", status.failed_total as f64);
    out.one("weir_snapshots_total", "counter", "snapshots of this run", status.snapshots_total as f64);
    out.one("weir_checkpoint_offset", "gauge", "a start replays from here", status.offset as f64);
    out.one("weir_checkpoint_seconds", "gauge", "time that the last one took", status.seconds_last);
    out.one("weir_checkpoint_entries", "gauge", "entries of the last one", status.entries_last as f64);
    out.one("weir_checkpoint_bytes", "gauge", "bytes of all on disk", status.bytes_on_disk as f64);
    let stopped = f64::from(u8::from(status.stopped.is_some()));
    out.one("weir_checkpoints_stopped", "gauge", "1 where none can be stored, see the log", stopped);
}

fn rest(out: &mut Exposition, runtime: &Runtime) {
    let (refused, late, forgotten, series) = {
        let store = runtime.series().lock();
        (store.refused_total, store.late_total, store.forgotten_total, store.series_total())
    };
    out.one("weir_series", "gauge", "series in memory", series as f64);
    out.one("weir_series_refused_total", "counter", "points that went to an overflow series", refused as f64);
    out.one(
        "weir_series_forgotten_total",
        "counter",
        "series forgotten because they were silent",
        forgotten as f64,
    );
    out.one("weir_series_late_total", "counter", "points older than a full ring", late as f64);
    dead(out, runtime);
    seen(out, runtime);
    alerts(out, runtime);
    let (_, charts) = runtime.charts();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
    out.family("weir_chart_draws_total", "counter", "calls of the formatter");
    charts.iter().for_each(|it| out.sample(&[("chart", &it.id)], count(&it.counters.draws_total)));
    out.family("weir_chart_draw_seconds_total", "counter", "time to collect and draw");
    charts.iter().for_each(|it| out.sample(&[("chart", &it.id)], count(&it.counters.draw_ns_total) / 1e9));
    out.family("weir_chart_versions_total", "counter", "pictures that differed from the one before");
    charts.iter().for_each(|it| out.sample(&[("chart", &it.id)], count(&it.counters.versions_total)));
    out.family("weir_chart_faults_total", "counter", "drawings that failed");
    charts.iter().for_each(|it| out.sample(&[("chart", &it.id)], count(&it.counters.faults_total)));
    out.family("weir_chart_watchers", "gauge", "live clients that look at the chart");
    charts.iter().for_each(|it| out.sample(&[("chart", &it.id)], it.watchers() as f64));
}

fn seen(out: &mut Exposition, runtime: &Runtime) {
    let counts = runtime.seen_counts();
    let numbers = [
        ("weir_dedup_producers", "gauge", "producers whose events are known again", counts.producers as u64),
        (
            "weir_dedup_producers_evicted_total",
            "counter",
            "producers forgotten because there were too many",
            counts.producers_evicted_total,
        ),
        (
            "weir_dedup_given_up_total",
            "counter",
            "numbers of producers that never came and are not waited for any more",
            counts.given_up_total,
        ),
        ("weir_idempotency_keys", "gauge", "requests that are known by their key", counts.requests as u64),
        (
            "weir_idempotency_keys_evicted_total",
            "counter",
            "keys of requests forgotten before their time because there were too many",
            counts.requests_evicted_total,
        ),
    ];
    numbers.iter().for_each(|(name, kind, help, value)| out.one(name, kind, help, *value as f64));
}

fn dead(out: &mut Exposition, runtime: &Runtime) {
    let dead = runtime.dead_status();
    let counters = [
        ("weir_dead_rows_total", "rows that went to the dead letters", dead.totals.made),
        ("weir_dead_replayed_total", "of them given to their unit again", dead.totals.replayed),
        ("weir_dead_dropped_total", "of them dropped by an operator", dead.totals.dropped),
        ("weir_dead_evicted_total", "of them pushed out by newer ones, and lost", dead.totals.evicted),
        ("weir_dead_expired_total", "of them removed because of their age", dead.totals.expired),
        ("weir_dead_errors_total", "attempts to write their file that failed", dead.errors_total),
    ];
    counters.into_iter().for_each(|(name, help, count)| out.one(name, "counter", help, count as f64));
    let gauges = [
        ("weir_dead_letters", "letters that are kept", dead.letters),
        ("weir_dead_rows", "their rows", dead.rows),
        ("weir_dead_bytes", "memory that they hold", dead.bytes),
        ("weir_dead_file_bytes", "their file", dead.file_bytes),
        ("weir_dead_damaged", "places of their file that were damaged at the start", dead.damaged_total),
    ];
    gauges.into_iter().for_each(|(name, help, value)| out.one(name, "gauge", help, value as f64));
}

fn alerts(out: &mut Exposition, runtime: &Runtime) {
    let counts = runtime.alert_counts();
    let states = [
        ("ok", counts.ok),
        ("pending", counts.pending),
        ("firing", counts.firing),
        ("recovering", counts.recovering),
    ];
    out.family("weir_alerts", "gauge", "alerts by state");
    states.iter().for_each(|(state, count)| out.sample(&[("state", state)], *count as f64));
    let beside = [("stale", counts.stale), ("absent", counts.absent), ("failing", counts.failing)];
    out.family("weir_alerts_beside", "gauge", "alerts whose level is not known now, by reason");
    beside.iter().for_each(|(beside, count)| out.sample(&[("beside", beside)], *count as f64));
    out.one("weir_alerts_open", "gauge", "alerts that fire", (counts.firing + counts.recovering) as f64);
    out.one(
        "weir_alerts_flapping",
        "gauge",
        "alerts that are held because they flap",
        counts.flapping as f64,
    );
    let totals = [
        (
            "weir_alerts_left_out_total",
            "words on keys that were not ok and did not fit",
            counts.left_out_total,
        ),
        (
            "weir_alerts_quiet_left_out_total",
            "words on keys that were ok and did not fit",
            counts.quiet_left_out_total,
        ),
        ("weir_episodes_total", "alerts that fired", counts.episodes_total),
        (
            "weir_episodes_dropped_total",
            "ended episodes dropped for newer ones",
            counts.episodes_dropped_total,
        ),
    ];
    totals.into_iter().for_each(|(name, help, count)| out.one(name, "counter", help, count as f64));
    let columns: [Column<ChannelView>; 5] = [
        ("weir_channel_queued", "gauge", "notices that wait", |it| it.queued as f64),
        ("weir_channel_sent_total", "counter", "notices delivered", |it| it.sent_total as f64),
        (
            "weir_channel_attempts_failed_total",
            "counter",
            "requests that failed and were tried again",
            |it| it.attempts_failed_total as f64,
        ),
        ("weir_channel_refused_total", "counter", "notices that the receiver refused", |it| {
            it.refused_total as f64
        }),
        ("weir_channel_dropped_total", "counter", "notices given up or pushed out", |it| {
            it.dropped_total as f64
        }),
    ];
    out.table(&columns, &runtime.channels(), |it| vec![("channel", &it.name)]);
    sinks(out, runtime);
}

fn sinks(out: &mut Exposition, runtime: &Runtime) {
    let columns: [Column<sinks::State>; 5] = [
        ("weir_sink_rows_total", "counter", "rows given to the sink", |it| it.counters.rows_total as f64),
        ("weir_sink_files_total", "counter", "files written", |it| it.counters.files_total as f64),
        ("weir_sink_bytes_total", "counter", "bytes of files written", |it| it.counters.bytes_total as f64),
        ("weir_sink_errors_total", "counter", "files that could not be written at once", |it| {
            it.counters.errors_total as f64
        }),
        ("weir_sink_waiting_files", "gauge", "files that wait to be written", |it| it.waiting_files as f64),
    ];
    out.table(&columns, &runtime.sinks.states(), |it| vec![("sink", &it.name)]);
}

fn live(out: &mut Exposition, live: &Live) {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
    let counters = &live.counters;
    out.one("weir_live_clients", "gauge", "live WebSocket clients now", live.clients_open() as f64);
    out.one("weir_live_clients_total", "counter", "live WebSocket clients", count(&counters.clients_total));
    out.one("weir_live_refused_total", "counter", "clients over the bound", count(&counters.refused_total));
    out.one("weir_live_frames_total", "counter", "chart frames sent", count(&counters.frames_total));
    out.one("weir_live_frame_bytes_total", "counter", "bytes of those", count(&counters.frame_bytes_total));
    out.one(
        "weir_live_merged_total",
        "counter",
        "pictures that slow clients did not see",
        count(&counters.merged_total),
    );
    out.one(
        "weir_live_bad_messages_total",
        "counter",
        "messages that were no requests",
        count(&counters.bad_messages_total),
    );
}

/// The text as it grows.
#[derive(Default)]
struct Exposition {
    text: String,
    /// Name, kind and help of the family that has no sample yet.
    pending: Option<(&'static str, &'static str, &'static str)>,
    name: &'static str,
    samples: usize,
    cut_total: u64,
}

impl Exposition {
    fn family(&mut self, name: &'static str, kind: &'static str, help: &'static str) {
        self.pending = Some((name, kind, help));
        self.name = name;
        self.samples = 0;
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        if self.samples >= SAMPLES_MAX {
            self.cut_total += 1;
            return;
        }
        self.samples += 1;
        if let Some((name, kind, help)) = self.pending.take() {
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
        self.text.push_str(self.name);
        for (at, (name, value)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{name}=\"{}\"", escape(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    fn one(&mut self, name: &'static str, kind: &'static str, help: &'static str, value: f64) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }

    fn table<T>(&mut self, columns: &[Column<T>], rows: &[T], labels: fn(&T) -> Vec<(&str, &str)>) {
        for &(name, kind, help, read) in columns {
            self.family(name, kind, help);
            for row in rows {
                self.sample(&labels(row), read(row));
            }
        }
    }

    fn finish(mut self) -> String {
        let cut = self.cut_total as f64;
        self.one("weir_metrics_cut", "gauge", "samples left out of this answer", cut);
        self.text
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_head_once_and_labels_are_escaped() {
        let mut out = Exposition::default();
        out.family("weir_a_total", "counter", "what it is");
        out.sample(&[("x", "a\"b\\c\nd"), ("y", "é")], 3.0);
        out.sample(&[("x", "z"), ("y", "")], 0.25);
        out.family("weir_empty", "gauge", "nothing");
        let expected = "# HELP weir_a_total what it is\n# TYPE weir_a_total counter\nweir_a_total{x=\"a\\\"b\\\\c\\nd\",y=\"é\"} 3\nweir_a_total{x=\"z\",y=\"\"} 0.25\n# HELP weir_metrics_cut samples left out of this answer\n# TYPE weir_metrics_cut gauge\nweir_metrics_cut 0\n";
        assert_eq!(out.finish(), expected);
    }

    #[test]
    fn a_family_is_bounded() {
        let mut out = Exposition::default();
        out.family("weir_a", "gauge", "many");
        (0..SAMPLES_MAX + 2).for_each(|_| out.sample(&[], 1.0));
        assert!(out.finish().ends_with("weir_metrics_cut 2\n"));
    }
}
