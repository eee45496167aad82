//! What each unit does with one event: the event runs through copies of the units of every pipeline that selects its stream.
//!
//! In: a stream, and position and row of an event of its recent ring. Out: for each pipeline and unit a verdict, and the rows that left it by each port. The copies
//! begin without state and are dropped afterwards: nothing is kept, counted, stored, told or sent. So a unit that compares with the past (dedup, topk) answers as
//! for the first event that it sees, and a unit that waits for its window says that it took the row in. Limits: one trace at a time ([`Busy`] else),
//! [`PIPELINES_MAX`] pipelines, [`ROWS_MAX`] rows of a port.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_buffer::BooleanBuffer;
use serde_json::{Value, json};
use weir_core::batch::Batch;
use weir_core::config::{DerivedName, DerivedSpec, LanesSpec, Place};
use weir_core::flow::counters::NodeCounters;
use weir_core::flow::effects::Effects;
use weir_core::flow::{Outcome, Target};
use weir_core::projection::pick;
use weir_core::record::Record;
use weir_core::triplet::Triplet;
use weir_core::{recent, sequencer};

use super::build::{FlowPlan, NodePlan, PipelinePlan};
use super::handoff::Legacies;
use super::{Runtime, monotonic_ns};

const PIPELINES_MAX: usize = 32;
const ROWS_MAX: usize = 20;
/// Streams of this application exist inside of a trace only; no selector matters there, since every pipeline runs alone.
const TRACED: &str = "trace";

/// Another trace runs: the copies of units take memory, so they do not add up.
#[derive(Debug)]
pub struct Busy;

impl Runtime {
    /// None where the event is not in the recent ring (any more).
    pub fn trace(&self, triplet: &str, position: u64, row: u32) -> Result<Option<Value>, Busy> {
        let Some(_one) = self.tracing.try_lock() else { return Err(Busy) };
        let Some(event) = self.recent_row(triplet, position, row) else { return Ok(None) };
        let plans = self.configured.lock().plans.clone();
        let selects = |pipeline: &&PipelinePlan| {
            pipeline.spec.from.iter().any(|selector| selector.matches(&event.triplet))
        };
        let chosen = || plans.iter().flat_map(|plan| &plan.pipelines).filter(selects);
        let left_out = chosen().count().saturating_sub(PIPELINES_MAX);
        let pipelines: Vec<Value> =
            chosen().take(PIPELINES_MAX).map(|pipeline| traced(pipeline, &event)).collect();
        let fields = recent::event(&event, 0).fields;
        Ok(Some(json!({
            "triplet": triplet, "position": position, "row": row, "event": fields, "pipelines": pipelines, "left_out": left_out,
        })))
    }

    fn recent_row(&self, triplet: &str, position: u64, row: u32) -> Option<Batch> {
        let batches = self.recent_batches(triplet, usize::MAX)?;
        let batch = batches.into_iter().find(|batch| {
            batch.position.offset == position && (0..batch.rows()).any(|at| batch.row_ids.get(at) == row)
        })?;
        let mask = BooleanBuffer::collect_bool(batch.rows(), |at| batch.row_ids.get(at) == row);
        Some(pick(&batch, &mask))
    }
}

/// One pipeline over one event. A panic of the host's own code costs the trace, not the host.
fn traced(pipeline: &PipelinePlan, event: &Batch) -> Value {
    let copy = copied(pipeline);
    let plan = FlowPlan { name: "trace".into(), pipelines: vec![copy], lanes: 1, by: Vec::new() };
    let mut flow = plan.build(0, &mut Legacies::default());
    let records = sequencer::replayed(vec![event.clone()]);
    let run = |record: &Record| match catch_unwind(AssertUnwindSafe(|| flow.run(record, true, &monotonic_ns)))
    {
        Ok(Outcome::Done(effects) | Outcome::TakenBack(effects)) => effects,
        Err(_) => Effects::default(),
    };
    let effects: Vec<Effects> = records.iter().map(run).collect();
    for node in flow.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.nodes) {
        node.unit.close();
    }
    let nodes = plan.pipelines.iter().flat_map(|copy| &copy.nodes).enumerate();
    let units = nodes.map(|(index, node)| verdict(index, node, event, &effects)).collect::<Vec<Value>>();
    json!({ "name": pipeline.spec.name, "units": units })
}

/// The same units with counters of their own, every port leading into a stream of the trace beside the units that it feeds.
fn copied(pipeline: &PipelinePlan) -> PipelinePlan {
    let mut spec = (*pipeline.spec).clone();
    spec.series.clear();
    spec.streams.clear();
    spec.lanes = LanesSpec { count: 1, by: Vec::new() };
    let mut routes = pipeline.routes.clone();
    for (node, ports) in routes.iter_mut().enumerate() {
        for (port, targets) in ports.iter_mut().enumerate() {
            let leads_on = !targets.is_empty();
            targets.retain(|target| matches!(target, Target::Node(_)));
            let Ok(triplet) = Triplet::new(TRACED, &node.to_string(), &port.to_string()) else { continue };
            if leads_on {
                targets.push(Target::Stream(spec.streams.len()));
                let name = DerivedName::One(triplet);
                spec.streams.push(DerivedSpec { name, from: Vec::new(), place: Place::default() });
            }
        }
    }
    let nodes = pipeline.nodes.iter().map(|node| NodePlan { counters: Arc::default(), ..node.clone() });
    PipelinePlan {
        nodes: nodes.collect(),
        spec: Arc::new(spec),
        units: pipeline.units,
        inputs: pipeline.inputs.clone(),
        routes,
    }
}

fn verdict(index: usize, node: &NodePlan, event: &Batch, effects: &[Effects]) -> Value {
    let get = |counter: &std::sync::atomic::AtomicU64| NodeCounters::get(counter);
    let (rows_in, faults, rejected) =
        (get(&node.counters.rows_in), get(&node.counters.faults), get(&node.counters.rejected));
    let mut ports = Vec::new();
    let mut changed = false;
    let mut rows_out = 0;
    for (port, planned) in node.made.plan.ports.iter().enumerate() {
        let Ok(name) = Triplet::new(TRACED, &index.to_string(), &port.to_string()) else { continue };
        let left: Vec<&Batch> =
            effects.iter().flat_map(|one| &one.derived).filter(|batch| batch.triplet == name).collect();
        let count: usize = left.iter().map(|batch| batch.rows()).sum();
        let rows = left.iter().flat_map(|batch| (0..batch.rows()).map(|row| recent::event(batch, row)));
        let rows: Vec<_> = rows.take(ROWS_MAX).map(|row| row.fields).collect();
        let as_it_came = recent::event(event, 0).fields;
        changed |= rows.iter().any(|row| *row != as_it_came);
        rows_out += count;
        ports.push(json!({ "name": planned.name, "rows_total": count, "rows": rows }));
    }
    let first = effects.iter().find_map(|one| {
        let fault = one.faults.iter().find(|(_, fault)| fault.unit == node.made.id);
        let dead = one.dead.iter().find(|letter| letter.id.unit == node.made.id);
        fault.map(|(_, fault)| fault.message.clone()).or(dead.map(|letter| letter.message.clone()))
    });
    let word = match (rows_in, faults > 0, rejected > 0, rows_out) {
        (_, true, ..) => "faulted",
        (_, _, true, _) => "rejected",
        (0, ..) => "not-reached",
        // A rule has no rows of its own: its word is not a row.
        (_, _, _, 0) if node.kind != "rule" && node.made.plan.tables.is_empty() => "dropped",
        (_, _, _, 0) => "taken-in",
        _ if changed => "changed",
        _ => "kept",
    };
    json!({
        "id": node.made.id, "component": node.uses, "kind": node.kind, "verdict": word, "rows_in": rows_in, "rows_out": rows_out,
        "message": first, "ports": ports,
    })
}
