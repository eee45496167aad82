//! The host's own counters as ordinary events: streams weir/local/{unit, flow, source, stream, process}. Of streams at most [`STREAMS_MAX`] rows, the busiest.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use weir_core::batch::Incoming;
use weir_core::triplet::Triplet;

use super::{Runtime, clock_unix_ns, monotonic_ns};

/// Streams that have a row in `weir/local/stream`: a flood of names must not become a flood of our own events.
const STREAMS_MAX: usize = 500;

/// A table that is filled row by row and becomes one batch.
struct Rows {
    event_type: &'static str,
    names: Vec<String>,
    columns: Vec<(&'static str, Vec<f64>)>,
}

impl Rows {
    fn new(event_type: &'static str, fields: &[&'static str]) -> Self {
        Self {
            event_type,
            names: Vec::new(),
            columns: fields.iter().map(|field| (*field, Vec::new())).collect(),
        }
    }

    fn push(&mut self, name: impl Into<String>, values: &[f64]) {
        self.names.push(name.into());
        for ((_, column), value) in self.columns.iter_mut().zip(values) {
            column.push(*value);
        }
    }

    /// None without rows. The key column is named like the stream; for `process` there is none.
    fn finish(self, now: i64) -> Option<Incoming> {
        let rows = self.names.len();
        if rows == 0 {
            return None;
        }
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        if self.event_type != "process" {
            let names: ArrayRef = Arc::new(StringArray::from(self.names));
            fields.push(Field::new(self.event_type, names.data_type().clone(), true));
            arrays.push(names);
        }
        for (name, values) in self.columns {
            let whole = name.ends_with("_total") || name.ends_with("_bytes") || name.ends_with("_records");
            let array: ArrayRef = if whole {
                Arc::new(Int64Array::from_iter_values(values.iter().map(|value| *value as i64)))
            } else {
                Arc::new(Float64Array::from(values))
            };
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let columns = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).ok()?;
        let triplet = Triplet::new("weir", "local", self.event_type).ok()?;
        Some(Incoming { triplet, source: "weir".into(), time: vec![now; rows].into(), columns })
    }
}

impl Runtime {
    /// One batch for each kind of counter.
    pub fn own_counters(&self) -> Vec<Incoming> {
        let now = clock_unix_ns();
        let mut units = Rows::new("unit", &["rows_per_s", "ns_per_event", "faults_total", "memory_bytes"]);
        let mut flows = Rows::new("flow", &["lag_bytes", "lag_records"]);
        for pipeline in self.pipelines().1 {
            flows.push(pipeline.name, &[pipeline.lag_bytes as f64, pipeline.lag_records as f64]);
            for unit in pipeline.units {
                let values =
                    [unit.rows_per_s, unit.ns_per_event, unit.faults_total as f64, unit.memory_bytes as f64];
                units.push(unit.id, &values);
            }
        }
        let mut sources = Rows::new("source", &["events_per_s", "rejected_per_s"]);
        {
            let rates = self.rates.lock();
            for (name, rate) in &rates.sources {
                let rejected = rates.rejected.get(name).map_or(0.0, |rate| rate.per_s);
                sources.push(name.clone(), &[rate.per_s, rejected]);
            }
        }
        let mut process = Rows::new("process", &["rss_bytes", "cpu_percent"]);
        if let Some((rss_bytes, cpu_percent)) = self.process_use() {
            process.push("weir", &[rss_bytes, cpu_percent]);
        }
        [units, flows, sources, self.stream_rows(), process]
            .into_iter()
            .filter_map(|rows| rows.finish(now))
            .collect()
    }

    fn stream_rows(&self) -> Rows {
        let fields = [
            "events_per_s",
            "late_total",
            "future_total",
            "schema_changes_total",
            "widened_total",
            "mixed_to_text_total",
            "values_dropped_total",
        ];
        let mut rows = Rows::new("stream", &fields);
        let mut rates: Vec<(Arc<str>, f64)> = {
            let rates = self.rates.lock();
            rates.streams.iter().map(|(name, rate)| (Arc::clone(name), rate.per_s)).collect()
        };
        rates.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        let log = self.log.lock();
        for (name, events_per_s) in rates.into_iter().take(STREAMS_MAX) {
            let Ok(triplet) = name.parse::<Triplet>() else { continue };
            let Some(stream) = log.streams.get(&triplet) else { continue };
            let totals = [
                stream.late_total,
                log.sequencer.stream(&triplet).map_or(0, |clock| clock.future_total),
                stream.schema_changes_total,
                stream.built.widened,
                stream.built.mixed_to_text,
                stream.built.columns_over_limit,
            ];
            let values: Vec<f64> =
                std::iter::once(events_per_s).chain(totals.map(|total| total as f64)).collect();
            rows.push(&*name, &values);
        }
        rows
    }

    /// Resident memory and CPU of this process since the last look, in percent of one core. From /proc/self (proc(5)).
    fn process_use(&self) -> Option<(f64, f64)> {
        let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
        let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let after_name = stat.rsplit_once(')')?.1;
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
        let (page, per_second) =
            unsafe { (libc::sysconf(libc::_SC_PAGESIZE), libc::sysconf(libc::_SC_CLK_TCK)) };
        let used_ns = ticks as f64 * 1e9 / (per_second.max(1) as f64);
        let now = monotonic_ns();
        let (before_ns, before_used) = std::mem::replace(&mut *self.process.lock(), (now, used_ns));
        let passed = now.saturating_sub(before_ns).max(1) as f64;
        Some((pages * page as f64, (used_ns - before_used).max(0.0) / passed * 100.0))
    }
}
