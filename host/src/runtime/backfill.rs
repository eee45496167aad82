//! What a metric that is added while events come in takes from the recent rings: the events up to the position of its command, exactly.
//!
//! In: a new configuration, and the rings as they are at the position. Out: the state of each new rollup as if it had been there while those events came, and the
//! points of the windows that they close. It runs in a small flow of its own before the real one begins, so that units that were there already see nothing of it; the
//! real flow then takes the state over like that of any predecessor and goes on with the first event behind the position. Rings are bounded, and so is this. What it runs
//! over is a list of batches in their order, wherever they come from: events of a store would come before those of the rings.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_core::batch::Batch;
use weir_core::config::{Backfill as Wish, MetricSpec, Topology};
use weir_core::flow::{Flow, Outcome, Target};
use weir_core::sequencer;
use weir_core::triplet::Selector;

use super::actor::Commit;
use super::build::{FlowPlan, PipelinePlan};
use super::handoff::{Legacies, Legacy};
use super::log::Log;
use super::monotonic_ns;

/// The new rollups of one pipeline and what they begin with.
pub struct Backfill {
    plan: FlowPlan,
    /// Ids of the units whose state is made here.
    born: HashSet<Arc<str>>,
    selectors: Vec<Selector>,
    batches: Vec<Batch>,
}

/// One for each pipeline in which metrics have rollups that nothing of `known` was.
pub fn wanted(topology: &Topology, plans: &[Arc<FlowPlan>], known: &HashSet<Arc<str>>) -> Vec<Backfill> {
    let mut out = Vec::new();
    for pipeline in plans.iter().flat_map(|plan| &plan.pipelines) {
        let of_this = |metric: &&MetricSpec| {
            let spec = topology.pipelines.get(metric.pipeline);
            metric.backfill == Wish::Recent && spec.is_some_and(|spec| spec.name == pipeline.spec.name)
        };
        let metrics = topology.metrics.iter().filter(of_this);
        let born: HashSet<Arc<str>> =
            metrics.flat_map(|metric| &metric.units).filter(|id| !known.contains(*id)).cloned().collect();
        if !born.is_empty() {
            out.push(Backfill {
                plan: small("backfill", pipeline, &born),
                born,
                selectors: pipeline.spec.from.clone(),
                batches: Vec::new(),
            });
        }
    }
    out
}

impl Backfill {
    pub fn pipeline(&self) -> &str {
        self.plan.pipelines.first().map_or("", |pipeline| &pipeline.spec.name)
    }

    /// The events of sources, under the lock that gives the command its position.
    pub fn take_recent(&mut self, log: &Log) {
        self.take(log, false);
    }

    fn take(&mut self, log: &Log, derived: bool) {
        let streams = log.streams.iter().filter(|(triplet, stream)| {
            stream.derived == derived && self.selectors.iter().any(|selector| selector.matches(triplet))
        });
        let batches: Vec<Batch> = streams.flat_map(|(_, stream)| stream.recent.newest(usize::MAX)).collect();
        self.batches.extend(batches);
    }

    /// Runs the units over what was taken and leaves their state among the legacies. To be called when the flows that derive streams for the new one have
    /// ended, and before it begins: then the rings of derived streams are those of the position too.
    pub fn run(mut self, log: &Mutex<Log>, commit: &dyn Commit, legacies: &mut Legacies) {
        self.take(&log.lock(), true);
        if let Some(first) = legacies.first_waiting(&self.plan) {
            // What waits runs through the new flow itself.
            self.batches.retain(|batch| batch.position < first);
        }
        let mut flow = self.plan.build(0, &mut Legacies::default());
        for record in sequencer::replayed(std::mem::take(&mut self.batches)) {
            let done = catch_unwind(AssertUnwindSafe(|| flow.run(&record, true, &monotonic_ns)));
            match done {
                Ok(Outcome::Done(effects) | Outcome::TakenBack(effects)) => {
                    commit.commit(&flow, &record, effects);
                }
                Err(_) => {
                    flow.take_back();
                    commit.panicked(&flow.name, &flow, &record);
                }
            }
        }
        self.leave(flow, legacies);
    }

    fn leave(&self, mut flow: Flow, legacies: &mut Legacies) {
        for node in flow.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.nodes) {
            node.unit.close();
            if self.born.contains(&node.id) {
                let legacy = Legacy {
                    plan: Arc::clone(&node.plan),
                    lanes: 1,
                    state: Arc::clone(&node.state),
                    running: None,
                    resumed: None,
                };
                legacies.nodes.entry((Arc::clone(&node.id), 0)).or_insert(legacy);
            }
        }
    }
}

/// A flow of its own for units of one pipeline.
pub fn small(what: &str, pipeline: &PipelinePlan, born: &HashSet<Arc<str>>) -> FlowPlan {
    let name = format!("{what} of {}", pipeline.spec.name).into();
    FlowPlan { name, pipelines: vec![only(pipeline, born)], lanes: 1, by: Vec::new() }
}

/// The units of `born` and what leads to them. What others share with them is counted here by counters that nobody sees.
fn only(pipeline: &PipelinePlan, born: &HashSet<Arc<str>>) -> PipelinePlan {
    let mut needed: Vec<bool> = pipeline.nodes.iter().map(|node| born.contains(&node.made.id)).collect();
    // Nodes only feed nodes behind them: from the last to the first, each is needed that feeds a needed one.
    for (node, ports) in pipeline.routes.iter().enumerate().rev() {
        let feeds =
            |target: &Target| matches!(target, Target::Node(next) if needed.get(*next) == Some(&true));
        if ports.iter().flatten().any(feeds)
            && let Some(needed) = needed.get_mut(node)
        {
            *needed = true;
        }
    }
    let new_index: Vec<Option<usize>> = needed
        .iter()
        .scan(0, |next, needed| {
            let here = needed.then_some(*next);
            *next += usize::from(*needed);
            Some(here)
        })
        .collect();
    let renumber = |targets: &Vec<Target>| -> Vec<Target> {
        let kept = targets.iter().filter_map(|target| match target {
            Target::Node(node) => new_index.get(*node).copied().flatten().map(Target::Node),
            Target::Series(series) => Some(Target::Series(*series)),
            Target::Stream(_) => None,
        });
        kept.collect()
    };
    let shown = |id: &Arc<str>| born.contains(id);
    let kept = |index: usize| needed.get(index) == Some(&true);
    let nodes = pipeline.nodes.iter().enumerate().filter(|(index, _)| kept(*index)).map(|(_, node)| {
        let mut node = node.clone();
        if !shown(&node.made.id) {
            node.counters = Arc::default();
        }
        node
    });
    let nodes: Vec<_> = nodes.collect();
    let routes = pipeline.routes.iter().enumerate().filter(|(index, _)| kept(*index));
    PipelinePlan {
        spec: Arc::clone(&pipeline.spec),
        units: nodes.len(),
        nodes,
        inputs: renumber(&pipeline.inputs),
        routes: routes.map(|(_, ports)| ports.iter().map(renumber).collect()).collect(),
    }
}
