//! Copies for the API, taken under short locks.

pub mod alerts;
pub mod dead;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use weir_core::batch::Batch;
use weir_core::config::{MetricSpec, Topology};
use weir_core::edit;
use weir_core::flow::Target;
use weir_core::flow::counters::{NodeCounters, Shown};
use weir_core::flow::node::kind_word;
use weir_core::recent::{self, RecentEvent};
use weir_core::sequencer::WATERMARK_START;
use weir_core::triplet::Triplet;

use super::Runtime;
use super::build::{FlowPlan, NodePlan, PipelinePlan};
use super::holes::Hole;
use super::log::Stream;
use crate::charts::Chart;
use crate::view;

impl Runtime {
    pub fn streams(&self) -> Vec<view::StreamView> {
        let rates = self.rates.lock().streams.clone();
        let log = self.log.lock();
        let mut streams: Vec<view::StreamView> = log
            .streams
            .iter()
            .map(|(triplet, stream)| {
                let clock = log.sequencer.stream(triplet);
                let mut view = stream_view(triplet, stream);
                view.events_per_s = rates.get(triplet.as_str()).map_or(0.0, |rate| rate.per_s);
                view.future_total = clock.map_or(0, |clock| clock.future_total);
                view.watermark_unix_ns =
                    clock.map(|clock| clock.watermark_unix_ns).filter(|mark| *mark != WATERMARK_START);
                view
            })
            .collect();
        drop(log);
        streams.sort_by(|left, right| left.triplet.cmp(&right.triplet));
        streams
    }

    /// Newest first; none where the stream is unknown.
    pub fn recent(&self, triplet: &str, limit: usize) -> Option<Vec<view::EventView>> {
        let batches = self.recent_batches(triplet, limit)?;
        Some(recent::events(&batches, limit).into_iter().map(event_view).collect())
    }

    /// The newest events for which the expression is true; none where the stream is unknown.
    pub fn recent_where(
        &self,
        triplet: &str,
        limit: usize,
        wanted: &weir_expr::Expr,
    ) -> Option<Vec<view::EventView>> {
        let mut left = limit;
        let mut batches = Vec::new();
        for batch in self.recent_batches(triplet, usize::MAX)? {
            let mask = weir_core::selector::mask(wanted, &batch);
            let rows = mask.count_set_bits();
            if rows > 0 {
                batches.push(weir_core::projection::pick(&batch, &mask));
            }
            left = left.saturating_sub(rows);
            if left == 0 {
                break;
            }
        }
        Some(recent::events(&batches, limit).into_iter().map(event_view).collect())
    }

    /// Events of a stream after (position, row), oldest first, at most `limit`, and how many older ones were skipped. For tails.
    pub fn recent_after(
        &self,
        triplet: &str,
        after: Option<(u64, u32)>,
        limit: usize,
    ) -> Option<(Vec<view::EventView>, u64)> {
        let batches = self.recent_batches(triplet, usize::MAX)?;
        let (events, skipped) = recent::events_after(&batches, after, limit);
        Some((events.into_iter().map(event_view).collect(), skipped))
    }

    pub(super) fn recent_batches(&self, triplet: &str, rows: usize) -> Option<Vec<Batch>> {
        let triplet: Triplet = triplet.parse().ok()?;
        Some(self.log.lock().streams.get(&triplet)?.recent.newest(rows))
    }

    pub fn pipelines(&self) -> (u64, Vec<view::PipelineView>) {
        let (revision, plans) = {
            let configured = self.configured.lock();
            (configured.revision, configured.plans.clone())
        };
        let views = plans
            .iter()
            .flat_map(|plan| plan.pipelines.iter().map(|pipeline| self.pipeline_view(plan, pipeline)));
        (revision, views.collect())
    }

    fn pipeline_view(&self, plan: &Arc<FlowPlan>, pipeline: &PipelinePlan) -> view::PipelineView {
        let flows = self.log.lock().flows().to_vec();
        let (mut bytes, mut records, mut age_ns, mut skipped) = (0, 0, 0, 0);
        for flow in flows.iter().filter(|flow| flow.actor.pipelines.contains(&pipeline.spec.name)) {
            let queue = flow.actor.queue.lock();
            bytes += queue.bytes();
            records += queue.len() as u64;
            age_ns = age_ns.max(queue.age_ns());
            skipped += queue.skipped_records;
        }
        let units: Vec<view::UnitView> =
            pipeline.nodes.iter().map(|node| self.unit_view(pipeline, node)).collect();
        view::PipelineView {
            name: pipeline.spec.name.to_string(),
            from: pipeline.spec.from.iter().map(ToString::to_string).collect(),
            flow: plan.name.to_string(),
            state: state_of(&pipeline.nodes),
            lag_bytes: bytes,
            lag_records: records,
            lag_s: age_ns as f64 / 1e9,
            skipped_total: skipped,
            holes: self.holes_of(&pipeline.spec.name),
            units,
        }
    }

    fn holes_of(&self, pipeline: &Arc<str>) -> Vec<view::HoleView> {
        let log = self.log.lock();
        let of_pipeline =
            log.holes.list().iter().filter(|hole| hole.pipelines.iter().any(|name| **name == **pipeline));
        let view = |hole: &Hole| view::HoleView {
            from: hole.from,
            to: hole.to,
            start_unix_ns: hole.start_unix_ns,
            end_unix_ns: hole.end_unix_ns,
            label: hole.label(),
        };
        of_pipeline.map(view).collect()
    }

    /// What starts found missing in the journal, for charts.
    pub fn holes(&self) -> Vec<Hole> {
        self.log.lock().holes.list().to_vec()
    }

    fn unit_view(&self, pipeline: &PipelinePlan, node: &NodePlan) -> view::UnitView {
        let rate = self.rates.lock().nodes.get(&node.made.id).copied().unwrap_or_default();
        let counters = &node.counters;
        view::UnitView {
            id: node.made.id.to_string(),
            component: node.uses.clone(),
            digest: node.made.component.digest().to_string(),
            kind: node.kind.clone(),
            state: counters.shown().word(),
            rows_in_total: NodeCounters::get(&counters.rows_in),
            rows_out_total: NodeCounters::get(&counters.rows_out),
            calls_total: NodeCounters::get(&counters.calls),
            busy_ns_total: NodeCounters::get(&counters.busy_ns),
            rows_per_s: rate.per_s,
            ns_per_event: rate.ns_per_event,
            memory_bytes: NodeCounters::get(&counters.memory_bytes),
            faults_total: NodeCounters::get(&counters.faults),
            rejected_total: NodeCounters::get(&counters.rejected),
            late_total: NodeCounters::get(&counters.late),
            state_entries: NodeCounters::get(&counters.state_entries),
            over_quota_total: NodeCounters::get(&counters.over_quota),
            dead_letters: self.letters_of(&node.made.id),
            to: targets(pipeline, node),
        }
    }

    pub fn configuration(&self) -> String {
        self.configured.lock().topology.as_ref().map(|topology| topology.text.clone()).unwrap_or_default()
    }

    pub fn topology(&self) -> Option<Arc<Topology>> {
        self.configured.lock().topology.clone()
    }

    /// In the order of the text.
    pub fn metrics(&self) -> Vec<view::MetricView> {
        let Some(topology) = self.topology() else { return Vec::new() };
        topology.metrics.iter().filter_map(|metric| metric_view(&topology, metric)).collect()
    }

    /// The running revision, a metric and how it is written; none where there is no such metric.
    pub fn metric(&self, name: &str) -> Option<(u64, view::MetricView, (Value, String))> {
        let (revision, topology) = {
            let configured = self.configured.lock();
            (configured.revision, configured.topology.clone()?)
        };
        let metric = topology.metrics.iter().find(|metric| *metric.name == *name)?;
        let written = edit::written(&topology.text, name).ok()?;
        Some((revision, metric_view(&topology, metric)?, written))
    }

    pub fn revision(&self) -> u64 {
        self.configured.lock().revision
    }

    /// The number of the running revision and its text.
    pub fn running(&self) -> (u64, String) {
        let configured = self.configured.lock();
        let text = configured.topology.as_ref().map(|topology| topology.text.clone()).unwrap_or_default();
        (configured.revision, text)
    }

    /// The text of a revision that is kept.
    pub fn revision_text(&self, revision: u64) -> Option<Arc<str>> {
        self.configured.lock().revisions.get(revision).map(|known| Arc::clone(&known.text))
    }

    /// The number of the revision before another.
    pub fn revision_before(&self, revision: u64) -> Option<u64> {
        self.configured.lock().revisions.before(revision).map(|known| known.revision)
    }

    /// Newest first.
    pub fn revisions(&self) -> Vec<view::RevisionView> {
        self.configured.lock().revisions.views()
    }

    /// All that are installed or used, by name. Those that have yet to be compiled are waited for, or left out and counted.
    pub fn components(&self, wait: bool) -> (Vec<view::ComponentView>, usize) {
        let users = self.users_of_components();
        let mut compiling = 0;
        let one = |name: String| {
            if !wait && !self.components.is_warm(&name) {
                compiling += 1;
                return None;
            }
            Some(component_view(&name, &self.components.load_in_turn(&name).ok()?, &users))
        };
        let views = self.component_names(&users).into_iter().filter_map(one).collect();
        (views, compiling)
    }

    /// One of those with what it says of itself; none where it is neither installed nor used.
    pub fn component(&self, name: &str) -> Option<(view::ComponentView, Value)> {
        let users = self.users_of_components();
        self.component_names(&users).iter().find(|known| *known == name)?;
        let loaded = self.components.load_in_turn(name).ok()?;
        Some((component_view(name, &loaded, &users), loaded.manifest.config_schema.clone()))
    }

    /// Compiles what is installed and not used yet, one after the other, until all is done or the program ends: so that whoever asks for it does not wait.
    pub fn warm_components(&self) {
        if self.warms_components.swap(true, Ordering::AcqRel) {
            return;
        }
        for name in self.component_names(&HashMap::new()) {
            if !self.ready() {
                break;
            }
            self.components.warm(&name);
        }
    }

    fn component_names(&self, users: &HashMap<String, Vec<String>>) -> Vec<String> {
        use weir_core::graph::Catalog;
        let mut names = self.components.names();
        names.extend(users.keys().filter(|name| !name.is_empty()).cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Who uses each component: units, rules and charts.
    fn users_of_components(&self) -> HashMap<String, Vec<String>> {
        let plans = self.configured.lock().plans.clone();
        let nodes = plans.iter().flat_map(|plan| &plan.pipelines).flat_map(|pipeline| &pipeline.nodes);
        let mut users: HashMap<String, Vec<String>> = HashMap::new();
        for node in nodes {
            users.entry(node.uses.clone()).or_default().push(node.made.id.to_string());
        }
        for chart in self.charts().1 {
            users.entry(chart.uses.clone()).or_default().push(format!("chart/{}", chart.id));
        }
        users
    }

    /// Newest first.
    pub fn faults(&self) -> Vec<view::FaultView> {
        let shelf = self.shelf.lock();
        let one = |(at, fault): &(i64, weir_core::unit::Fault)| view::FaultView {
            at: rfc3339(*at),
            unit: fault.unit.to_string(),
            digest: fault.digest.to_string(),
            call: fault.call.to_owned(),
            kind: kind_word(fault.kind).to_owned(),
            message: fault.message.clone(),
            frames: fault.frames.clone(),
            position: fault.position,
            rows: fault.rows,
        };
        shelf.faults.iter().rev().map(one).collect()
    }

    pub fn sources(&self) -> Vec<view::SourceView> {
        let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let sources = self.sources.lock();
        let one = |source: &super::Source| view::SourceView {
            name: source.name.clone(),
            kind: source.kind.to_owned(),
            events_total: get(&source.counters.events_total),
            bytes_total: get(&source.counters.bytes_total),
            rejected_total: get(&source.counters.rejected_total),
            connections_total: get(&source.counters.connections_total),
            connections_open: get(&source.counters.connections_open),
            refused_total: get(&source.counters.refused_total),
            waits_total: get(&source.counters.waits_total),
            kernel_drops_total: get(&source.counters.kernel_drops_total),
            receive_buffer_bytes: get(&source.counters.receive_buffer_bytes),
            codec_faults_total: get(&source.counters.codec_faults_total),
            duplicates_total: get(&source.counters.duplicates_total),
            unidentified_total: get(&source.counters.unidentified_total),
        };
        sources.iter().map(one).collect()
    }

    /// The charts of the running configuration, with their formatters opened. Changes with the revision.
    pub fn charts(&self) -> (u64, Vec<Arc<Chart>>) {
        let configured = self.configured.lock();
        (configured.revision, configured.charts.clone())
    }
}

fn component_view(
    name: &str,
    loaded: &crate::units::catalog::Loaded,
    users: &HashMap<String, Vec<String>>,
) -> view::ComponentView {
    let inspection = loaded.component.inspect();
    view::ComponentView {
        name: name.to_owned(),
        version: loaded.manifest.version.clone(),
        kind: loaded.manifest.kind.clone(),
        digest: inspection.digest,
        bytes: inspection.bytes as u64,
        summary: loaded.manifest.summary.clone(),
        imports: inspection.imports.iter().map(|import| import.name.clone()).collect(),
        used_by: users.get(name).cloned().unwrap_or_default(),
    }
}

pub fn metric_view(topology: &Topology, metric: &MetricSpec) -> Option<view::MetricView> {
    let texts = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let pipeline = topology.pipelines.get(metric.pipeline)?;
    let series = metric
        .series
        .iter()
        .map(|(name, fields)| view::MetricSeriesView { metric: name.to_string(), fields: texts(fields) });
    let chart = topology.charts.iter().find(|chart| chart.id == metric.name);
    Some(view::MetricView {
        name: metric.name.to_string(),
        from: pipeline.from.iter().map(ToString::to_string).collect(),
        pipeline: pipeline.name.to_string(),
        units: texts(&metric.units),
        series: series.collect(),
        chart: chart.map(|chart| chart.id.to_string()),
    })
}

fn stream_view(triplet: &Triplet, stream: &Stream) -> view::StreamView {
    view::StreamView {
        triplet: triplet.to_string(),
        events_total: stream.events_total,
        bytes_total: stream.bytes_total,
        events_per_s: 0.0,
        late_total: stream.late_total,
        future_total: 0,
        last_event_time_unix_ns: stream.last_event_time_unix_ns,
        watermark_unix_ns: None,
        columns: stream
            .schema
            .fields()
            .iter()
            .map(|field| view::ColumnView {
                name: field.name().clone(),
                kind: type_word(field.data_type()).to_owned(),
            })
            .collect(),
        schema_changes_total: stream.schema_changes_total,
        widened_total: stream.built.widened,
        mixed_to_text_total: stream.built.mixed_to_text,
        values_dropped_total: stream.built.columns_over_limit,
        dictionaries_replaced_total: stream.built.dictionaries_replaced,
        dictionaries_to_text_total: stream.built.dictionaries_to_text,
        derived: stream.derived,
    }
}

/// The contract's words.
fn type_word(data_type: &arrow_schema::DataType) -> &'static str {
    use arrow_schema::DataType;
    match data_type {
        DataType::Float64 => "f64",
        DataType::Int64 => "s64",
        DataType::UInt64 => "u64",
        DataType::Boolean => "bool",
        DataType::Timestamp(_, _) => "timestamp",
        DataType::Utf8 => "text",
        DataType::Dictionary(_, _) => "category",
        _ => "bytes",
    }
}

/// The worst of its units.
pub fn state_of(nodes: &[NodePlan]) -> &'static str {
    let any = |wanted: Shown| nodes.iter().any(|node| node.counters.shown() == wanted);
    if any(Shown::OpenCircuit) || any(Shown::Faulted) {
        "faulted"
    } else if any(Shown::Paused) {
        "paused"
    } else if !nodes.is_empty() && nodes.iter().all(|node| node.counters.shown() == Shown::Stopped) {
        "stopped"
    } else {
        "running"
    }
}

fn targets(pipeline: &PipelinePlan, node: &NodePlan) -> Vec<String> {
    let index = pipeline.nodes.iter().position(|known| known.made.id == node.made.id);
    let ports = index.and_then(|index| pipeline.routes.get(index)).map(Vec::as_slice).unwrap_or_default();
    ports.iter().flatten().filter_map(|target| target_word(pipeline, target)).collect()
}

/// Who takes rows, as people call it.
pub fn target_word(pipeline: &PipelinePlan, target: &Target) -> Option<String> {
    match target {
        Target::Node(index) => pipeline.nodes.get(*index).map(|node| node.made.id.to_string()),
        Target::Series(index) => {
            pipeline.spec.series.get(*index).map(|series| format!("series {}", series.metric))
        }
        Target::Stream(index) => {
            pipeline.spec.streams.get(*index).map(|stream| format!("stream {}", stream.name))
        }
    }
}

fn event_view(event: RecentEvent) -> view::EventView {
    view::EventView {
        time: rfc3339(event.time_unix_ns),
        position: event.position,
        row: event.row,
        fields: event.fields,
    }
}

/// RFC 3339 in UTC, to the nanosecond where there are any. The calendar is the proleptic Gregorian one, from days since 1970
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
pub fn rfc3339(unix_ns: i64) -> String {
    let (seconds, ns) = (unix_ns.div_euclid(1_000_000_000), unix_ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let date = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    match ns {
        0 => format!("{date}Z"),
        ns if ns % 1_000_000 == 0 => format!("{date}.{:03}Z", ns / 1_000_000),
        ns => format!("{date}.{ns:09}Z"),
    }
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400_500_000_000), "2000-02-29T00:00:00.500Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
    }
}
