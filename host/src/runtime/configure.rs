//! Changes of the configuration: checked and made ready beside what runs, then one command in the log (see [`super::switch`]).
//!
//! In: TOML. Out: a revision and the position from which it runs, or all problems at once. Flows in which nothing changed go on untouched; the others end at the
//! position and hand their units over (see [`super::handoff`]). Sources and the server's address are made at the start only;
//! a change of those is refused with a hint.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use weir_core::batch::Position;
use weir_core::config::{Problem, Topology};
use weir_core::graph::{self, Graph};
use weir_core::record::{Command, Payload, Record};

use super::Runtime;
use super::backfill;
use super::build::{self, CountersById, FlowPlan, Routed};
use super::revisions::{Revision, Revisions};
use super::switch::Restored;
use crate::charts::Chart;
use crate::units::Components;

impl How {
    fn revision(&self, running: u64) -> u64 {
        match self {
            Self::Replay(record) => match &record.payload {
                Payload::Command(Command::Configure { revision, .. }) => *revision,
                _ => running + 1,
            },
            Self::Restore { revision, .. } => revision.revision,
            Self::Start | Self::Change => running + 1,
        }
    }
}

/// What runs now.
#[derive(Default)]
pub struct Configured {
    pub revision: u64,
    pub topology: Option<Arc<Topology>>,
    pub plans: Vec<Arc<FlowPlan>>,
    pub charts: Vec<Arc<Chart>>,
    pub counters: CountersById,
    pub revisions: Revisions,
    /// The server's address where it was given on the command line.
    pub listen: Option<SocketAddr>,
}

impl Configured {
    pub fn pipelines(&self) -> impl Iterator<Item = &Arc<str>> {
        self.plans.iter().flat_map(|plan| &plan.pipelines).map(|pipeline| &pipeline.spec.name)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &build::NodePlan> {
        self.plans.iter().flat_map(|plan| &plan.pipelines).flat_map(|pipeline| &pipeline.nodes)
    }
}

/// A configuration that could run, with what is probably not meant.
pub struct Checked {
    pub topology: Topology,
    pub graph: Graph,
    pub warnings: Vec<Problem>,
}

impl Checked {
    /// Reads a configuration and asks the components; everything that is wrong at once.
    pub fn new(text: &str, components: &Components) -> Result<Self, Vec<Problem>> {
        let topology = Topology::parse(text)?;
        let mut problems = crate::source::check::problems(&topology.sources, components);
        let graph = match graph::resolve(&topology, components) {
            Ok(graph) if problems.is_empty() => graph,
            Ok(_) => return Err(problems),
            Err(more) => {
                problems.extend(more);
                return Err(problems);
            }
        };
        let warnings = topology.warnings.iter().chain(&graph.warnings).cloned().collect();
        Ok(Self { topology, graph, warnings })
    }
}

fn problem(place: &str, message: impl Into<String>) -> Vec<Problem> {
    vec![Problem { place: place.to_owned(), message: message.into() }]
}

/// When a configuration comes.
pub enum How {
    /// Before any source reads: all of it may differ from the one before.
    Start,
    /// While everything runs.
    Change,
    /// It has its place in the journal.
    Replay(Arc<Record>),
    /// It is in a checkpoint, with what its flows know.
    Restore { revision: Revision, legacies: Restored },
}

/// Held while a configuration is made ready, so that two changes do not cross.
pub type Lock<'a> = parking_lot::MutexGuard<'a, ()>;

impl Runtime {
    /// The address that the server really has, whatever a configuration says.
    pub fn keep_listen(&self, listen: SocketAddr) {
        self.configured.lock().listen = Some(listen);
    }

    /// A configuration that was checked already, before any source reads.
    pub fn configure_checked(
        &self,
        checked: Checked,
        origin: &str,
        summary: &str,
    ) -> Result<(u64, Position), Vec<Problem>> {
        self.take_up(self.configuring.lock(), checked, origin, summary, How::Start)
    }

    /// Compiles and opens (slow: call it off the async runtime), then puts the change into the log.
    pub(super) fn take_up(
        &self,
        _one_at_a_time: Lock<'_>,
        checked: Checked,
        origin: &str,
        summary: &str,
        how: How,
    ) -> Result<(u64, Position), Vec<Problem>> {
        let Checked { mut topology, graph, warnings } = checked;
        for warning in &warnings {
            tracing::warn!(place = %warning.place, "{}", warning.message);
        }
        let (mut counters, old_topology, old_charts, revision) = {
            let configured = self.configured.lock();
            topology.server.listen = configured.listen.unwrap_or(topology.server.listen);
            let old = configured.topology.clone();
            (configured.counters.clone(), old, configured.charts.clone(), how.revision(configured.revision))
        };
        if let (Some(old), How::Change) = (&old_topology, &how) {
            refuse_restarts(old, &topology)?;
        }
        let known: HashSet<Arc<str>> = counters.keys().cloned().collect();
        let plans = build::plans(&topology, &graph, &self.components, &mut counters)
            .map_err(|message| problem("configuration", message))?;
        if let How::Change = how {
            refuse_lanes(self.log.lock().flows(), &plans)?;
        }
        let charts = self.open_charts(&topology, old_topology.as_deref(), &old_charts)?;
        // Before it is in the journal, which may be all that is left of this run.
        self.components.keep(revision, &topology);
        self.log.lock().seen.configure(&topology.sources);
        self.declare(&topology);
        let text: Arc<str> = topology.text.as_str().into();
        let running = plans.iter().flat_map(|plan| &plan.pipelines).flat_map(|pipeline| &pipeline.nodes);
        let ids: HashSet<Arc<str>> = running.map(|node| Arc::clone(&node.made.id)).collect();
        counters.retain(|id, _| ids.contains(id));
        let backfills = backfill::wanted(&topology, &plans, &known);
        self.alerting.expect(&topology, old_topology.as_deref());
        let switched = self.switch(&plans, backfills, (revision, &text, summary), &topology.sinks, how);
        let (position, at_unix_ns, receipt) =
            switched.map_err(|message| problem("configuration", message))?;
        self.alerting.settle(&topology, position.offset);
        self.keep_letters(&topology.dead);
        let mut configured = self.configured.lock();
        configured.revision = revision;
        configured.topology = Some(Arc::new(topology));
        configured.plans = plans;
        configured.charts = charts;
        configured.counters = counters;
        configured.revisions.push(Revision {
            revision,
            position,
            at_unix_ns,
            origin: origin.to_owned(),
            summary: summary.to_owned(),
            text,
        });
        drop(configured);
        tracing::info!(revision, position = position.offset, origin, summary, "configuration runs");
        // It runs, and its being on disk is what makes it last.
        receipt.wait(super::KEPT_MAX).map_err(|refused| problem("journal", refused.to_string()))?;
        Ok((revision, position))
    }

    /// Charts that did not change keep their pictures.
    fn open_charts(
        &self,
        topology: &Topology,
        old: Option<&Topology>,
        old_charts: &[Arc<Chart>],
    ) -> Result<Vec<Arc<Chart>>, Vec<Problem>> {
        topology
            .charts
            .iter()
            .map(|spec| {
                let loaded = self
                    .components
                    .load(&spec.uses)
                    .map_err(|message| problem(&spec.place.member("use"), message))?;
                let mut spec = spec.clone();
                spec.config = self.components.complete(&loaded, &spec.config).map_err(|problems| {
                    problems
                        .into_iter()
                        .map(|(path, message)| Problem { place: spec.place.config(&path), message })
                        .collect::<Vec<_>>()
                })?;
                let options = spec.config.to_string();
                let same = old.is_some_and(|old| {
                    old.charts.iter().any(|known| {
                        known.id == spec.id
                            && known.title == spec.title
                            && known.metric == spec.metric
                            && known.uses == spec.uses
                            && known.window_ns == spec.window_ns
                    })
                });
                let kept = old_charts.iter().find(|chart| chart.id == spec.id && chart.options == options);
                if let Some(kept) = kept.filter(|_| same) {
                    return Ok(Arc::clone(kept));
                }
                Chart::open(&spec, &loaded.component)
                    .map(Arc::new)
                    .map_err(|fault| problem(&spec.place.here(), fault.to_string()))
            })
            .collect()
    }

    fn declare(&self, topology: &Topology) {
        let mut store = self.series.lock();
        for spec in topology.pipelines.iter().flat_map(|pipeline| &pipeline.series) {
            store.declare(&spec.metric, spec.fields.as_deref().unwrap_or_default(), spec.keep_points);
        }
    }
}

fn refuse_restarts(old: &Topology, new: &Topology) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    if (&old.data, &old.state) != (&new.data, &new.state) {
        problems.extend(problem("data", "changes only with a restart; put back what was, or restart weir"));
    }
    if old.server != new.server {
        problems.extend(problem("server", "changes only with a restart; put back what was, or restart weir"));
    }
    let same = old.sources.len() == new.sources.len()
        && old.sources.iter().zip(&new.sources).all(|(old, new)| old.reads_as(new));
    if !same {
        problems.extend(problem(
            "source",
            "sources change only with a restart; put back what was, or restart weir",
        ));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The number of lanes decides where each key's state is; it cannot change under a state that is kept.
fn refuse_lanes(running: &[Routed], plans: &[Arc<FlowPlan>]) -> Result<(), Vec<Problem>> {
    for plan in plans {
        for pipeline in &plan.pipelines {
            let name = &pipeline.spec.name;
            let before =
                running.iter().flat_map(|flow| &flow.plan.pipelines).find(|known| known.spec.name == *name);
            if before.is_some_and(|before| before.spec.lanes != pipeline.spec.lanes) {
                let message = "lanes change only with a restart, because the state of each key lies in one lane; give the pipeline a new name, or restart weir";
                return Err(problem(&format!("pipeline \"{name}\", lanes"), message));
            }
        }
    }
    Ok(())
}
