//! The effects of a finished record: points to the series, derived batches to their rings, words of rules to the alerts, dead letters to their box, faults to the shelf.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use weir_core::batch::Batch;
use weir_core::config::SeriesSpec;
use weir_core::flow::Flow;
use weir_core::flow::effects::Effects;
use weir_core::flow::redeliver::come_back;
use weir_core::record::Record;
use weir_core::series::Points;

use super::Runtime;
use super::actor::Commit;
use super::checkpoint::capture::Round;

pub struct ToRuntime(pub Weak<Runtime>);

impl Commit for ToRuntime {
    fn commit(&self, flow: &Flow, record: &Record, mut effects: Effects) {
        let Some(runtime) = self.0.upgrade() else { return };
        if flow.owes() {
            runtime.owed.store(true, Ordering::Relaxed);
        }
        runtime.alerting.commit(flow, record, std::mem::take(&mut effects.signals));
        if effects.is_empty() {
            return;
        }
        if !effects.series.is_empty() {
            let mut store = runtime.series.lock();
            for ((pipeline, series), batch) in std::mem::take(&mut effects.series) {
                let spec = flow.pipelines.get(pipeline).and_then(|pipeline| pipeline.spec.series.get(series));
                if let Some(spec) = spec {
                    append(&mut store, spec, &batch);
                }
            }
        }
        let derived = std::mem::take(&mut effects.derived);
        let late = std::mem::take(&mut effects.late);
        if !derived.is_empty() {
            let lane = flow.lane.as_ref().map_or(0, |lane| lane.index);
            runtime.sinks.take(&flow.name, lane, record.position, &derived);
        }
        if !derived.is_empty() || !late.is_empty() {
            let mut log = runtime.log.lock();
            derived.iter().for_each(|batch| log.note(batch, true));
            for (triplet, rows) in late {
                if let Some(stream) = log.streams.get_mut(&triplet) {
                    stream.late_total += rows;
                }
            }
        }
        if !effects.is_empty() {
            for (_, fault) in &effects.faults {
                // Guest text: a field, at debug; the count and the shelf are what operators look at.
                tracing::debug!(unit = %fault.unit, call = fault.call, error = %fault.message, "unit faulted");
            }
            runtime.bury(&effects.dead);
            runtime.shelf.lock().take(effects.faults, effects.hops_exceeded);
        }
    }

    fn capture(&self, flow: &Flow, lane: u32, from: u64, skipped: [u64; 2], round: &Round) {
        if let Some(runtime) = self.0.upgrade() {
            runtime.capture(flow, lane, from, skipped, round);
        }
    }

    fn panicked(&self, name: &str, flow: &Flow, record: &Record) {
        tracing::error!(
            flow = name,
            position = record.position.offset,
            "flow panicked; its record was left out"
        );
        if let Some(runtime) = self.0.upgrade() {
            runtime.bury(&come_back(record, flow.lane.as_ref(), "the host made a mistake"));
            runtime.shelf.lock().panics_total += 1;
        }
    }
}

/// Rows of a unit as points of a metric: labels and fields as configured, else text columns and numeric columns.
pub(super) fn append(store: &mut weir_core::series::SeriesStore, spec: &SeriesSpec, batch: &Batch) {
    let schema = batch.columns.schema_ref();
    let mut labels: Vec<(Arc<str>, ArrayRef)> = Vec::new();
    let mut values: Vec<(Arc<str>, ArrayRef)> = Vec::new();
    let named = |name: &Arc<str>| {
        batch.columns.column_by_name(name).map(|array| (Arc::clone(name), Arc::clone(array)))
    };
    match &spec.labels {
        Some(names) => labels.extend(names.iter().filter_map(named)),
        None => {
            for (field, array) in schema.fields().iter().zip(batch.columns.columns()) {
                if matches!(field.data_type(), DataType::Utf8 | DataType::Dictionary(_, _)) {
                    labels.push((field.name().as_str().into(), Arc::clone(array)));
                }
            }
        }
    }
    match &spec.fields {
        Some(names) => values.extend(names.iter().filter_map(named)),
        None => {
            for (field, array) in schema.fields().iter().zip(batch.columns.columns()) {
                let label = labels.iter().any(|(name, _)| **name == **field.name());
                if field.data_type().is_numeric() && !label {
                    values.push((field.name().as_str().into(), Arc::clone(array)));
                }
            }
        }
    }
    let points = Points { triplet: &batch.triplet, time: &batch.time, labels: &labels, values: &values };
    store.append(&spec.metric, &points);
}
