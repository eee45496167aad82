//! Changes of the configuration: checked and made ready beside what runs, then one command in the log.
//!
//! In: TOML. Out: a revision and the position from which it runs, or all problems at once. Flows in which nothing changed go on untouched; the others end at the
//! position and hand the state of their units over (see [`super::handoff`]). Sources and the server's address are made at the start only;
//! a change of those is refused with a hint.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_core::batch::Position;
use weir_core::config::{LagSpec, Problem, Topology};
use weir_core::graph::{self, Graph};
use weir_core::record::Command;

use super::actor::Actor;
use super::build::{self, CountersById, FlowPlan, Routed};
use super::handoff::Handoff;
use super::log::Claimed;
use super::{Runtime, clock_unix_ns};
use crate::charts::Chart;
use crate::units::Components;
use crate::view;

/// Revisions that are listed.
const REVISIONS_MAX: usize = 1_000;
/// Handoffs that are kept for flows that have not reached them yet.
const HANDOFFS_MAX: usize = 64;

/// What runs now.
#[derive(Default)]
pub struct Configured {
    pub revision: u64,
    pub topology: Option<Arc<Topology>>,
    pub plans: Vec<Arc<FlowPlan>>,
    pub charts: Vec<Arc<Chart>>,
    pub counters: CountersById,
    pub revisions: VecDeque<view::RevisionView>,
}

impl Configured {
    pub fn pipelines(&self) -> impl Iterator<Item = &Arc<str>> {
        self.plans.iter().flat_map(|plan| &plan.pipelines).map(|pipeline| &pipeline.spec.name)
    }

    pub fn has_node(&self, id: &str) -> bool {
        self.nodes().any(|node| *node.made.id == *id)
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
        let graph = graph::resolve(&topology, components)?;
        let warnings = topology.warnings.iter().chain(&graph.warnings).cloned().collect();
        Ok(Self { topology, graph, warnings })
    }
}

fn problem(place: &str, message: impl Into<String>) -> Vec<Problem> {
    vec![Problem { place: place.to_owned(), message: message.into() }]
}

impl Runtime {
    /// Checks, compiles and opens (slow: call it off the async runtime), then puts the change into the log.
    pub fn configure(&self, toml: &str, origin: &str) -> Result<(u64, Position), Vec<view::ProblemView>> {
        let views = |problems: Vec<Problem>| {
            problems
                .into_iter()
                .map(|problem| view::ProblemView { place: problem.place, message: problem.message })
                .collect()
        };
        let checked = Checked::new(toml, &self.components).map_err(views)?;
        self.configure_checked(checked, origin).map_err(views)
    }

    /// The same for one that is checked already.
    pub fn configure_checked(&self, checked: Checked, origin: &str) -> Result<(u64, Position), Vec<Problem>> {
        let _one_at_a_time = self.configuring.lock();
        let Checked { topology, graph, warnings } = checked;
        for warning in &warnings {
            tracing::warn!(place = %warning.place, "{}", warning.message);
        }
        let (mut counters, old_topology, old_charts, revision) = {
            let configured = self.configured.lock();
            let old = configured.topology.clone();
            (configured.counters.clone(), old, configured.charts.clone(), configured.revision + 1)
        };
        if let Some(old) = &old_topology {
            refuse_restarts(old, &topology)?;
        }
        let plans = build::plans(&topology, &graph, &self.components, &mut counters)
            .map_err(|message| problem("configuration", message))?;
        refuse_lanes(self.log.lock().flows(), &plans)?;
        let charts = self.open_charts(&topology, old_topology.as_deref(), &old_charts)?;
        self.declare(&topology);
        let text: Arc<str> = topology.text.as_str().into();
        let running = plans.iter().flat_map(|plan| &plan.pipelines).flat_map(|pipeline| &pipeline.nodes);
        let ids: std::collections::HashSet<Arc<str>> =
            running.map(|node| Arc::clone(&node.made.id)).collect();
        counters.retain(|id, _| ids.contains(id));
        self.alerting.expect(&topology, old_topology.as_deref());
        let position = self.switch(&plans, revision, &text);
        self.alerting.settle(&topology, position.offset);
        let mut configured = self.configured.lock();
        configured.revision = revision;
        configured.topology = Some(Arc::new(topology));
        configured.plans = plans;
        configured.charts = charts;
        configured.counters = counters;
        configured.revisions.push_front(view::RevisionView {
            revision,
            position: position.offset,
            at: super::views::rfc3339(clock_unix_ns()),
            origin: origin.to_owned(),
        });
        configured.revisions.truncate(REVISIONS_MAX);
        tracing::info!(revision, position = position.offset, origin, "configuration runs");
        Ok((revision, position))
    }

    /// The command, the new routes and the handoff: one step under the log's lock.
    fn switch(&self, plans: &[Arc<FlowPlan>], revision: u64, text: &Arc<str>) -> Position {
        let mut claimed = Claimed::new();
        let mut log = self.log.lock();
        let old: Vec<Routed> = log.flows().to_vec();
        let mut flows: Vec<Routed> = Vec::new();
        let mut born: Vec<(Arc<FlowPlan>, Vec<Arc<Actor>>)> = Vec::new();
        for plan in plans {
            let kept: Vec<Routed> = old.iter().filter(|flow| flow.plan.same(plan)).cloned().collect();
            if kept.is_empty() {
                let made = self.actors(plan);
                let selectors = plan.selectors();
                flows.extend(made.iter().map(|actor| Routed {
                    actor: Arc::clone(actor),
                    selectors: selectors.clone(),
                    plan: Arc::clone(plan),
                }));
                born.push((Arc::clone(plan), made));
            } else {
                flows.extend(kept);
            }
        }
        let ends = |flow: &&Routed| !flows.iter().any(|kept| Arc::ptr_eq(&kept.actor, &flow.actor));
        let donors: Vec<Arc<Actor>> = old.iter().filter(ends).map(|flow| Arc::clone(&flow.actor)).collect();
        let handoff = self.handoff_to(donors, born);
        {
            let mut handoffs = self.handoffs.lock();
            handoffs.push((revision, handoff));
            let more = handoffs.len().saturating_sub(HANDOFFS_MAX);
            handoffs.drain(..more);
        }
        // To the old flows: those that end must meet it. The new ones begin behind it.
        let position = log.command(
            Command::Configure { revision, text: Arc::clone(text) },
            clock_unix_ns(),
            &mut claimed,
        );
        log.set_flows(flows);
        drop(log);
        self.schedule(claimed);
        position
    }

    fn actors(&self, plan: &Arc<FlowPlan>) -> Vec<Arc<Actor>> {
        let lag = plan.pipelines.iter().map(|pipeline| pipeline.spec.lag).reduce(LagSpec::strictest);
        let Some(lag) = lag else { return Vec::new() };
        let names: Vec<Arc<str>> =
            plan.pipelines.iter().map(|pipeline| Arc::clone(&pipeline.spec.name)).collect();
        let actor =
            |lane| Actor::new(Arc::clone(&plan.name), lane, names.clone(), lag, Arc::clone(&self.overs));
        (0..plan.lanes).map(|lane| Arc::new(actor(lane))).collect()
    }

    fn handoff_to(
        &self,
        donors: Vec<Arc<Actor>>,
        born: Vec<(Arc<FlowPlan>, Vec<Arc<Actor>>)>,
    ) -> Arc<Handoff> {
        let sender = self.workers.sender();
        let begin = move |mut legacies: super::handoff::Legacies| {
            for (plan, actors) in born {
                for actor in actors {
                    actor.begin(plan.build(actor.lane, &mut legacies));
                    if actor.claim() {
                        sender.schedule(Arc::clone(&actor));
                    }
                }
            }
        };
        Arc::new(Handoff::new(donors, Box::new(begin)))
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
    if old.server != new.server {
        problems.extend(problem("server", "changes only with a restart; put back what was, or restart weir"));
    }
    if old.sources != new.sources {
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
