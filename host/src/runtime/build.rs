//! From a checked configuration to flows that can run.
//!
//! In: topology and graph. Out: [`Planned`] flows: what to route to them and how to build them, once the states of their units are at hand. Building does not
//! compile; instances are made at the first call.

use std::collections::HashMap;
use std::sync::Arc;

use weir_core::config::{CircuitPolicy, PipelineSpec, Topology};
use weir_core::flow::circuit::Circuit;
use weir_core::flow::counters::NodeCounters;
use weir_core::flow::node::Node;
use weir_core::flow::{Flow, Lane, Pipeline, Target};
use weir_core::graph::Graph;
use weir_core::plan::{Manifest, Plan};
use weir_core::record::{Command, Payload, Run};
use weir_core::state::{Quota, UnitState};
use weir_core::triplet::Selector;
use weir_core::unit::Unit;
use weir_engine::Limits;

use super::actor::Actor;
use super::handoff::{Legacies, fits};
use crate::units::WasmUnit;
use crate::units::catalog::Components;
use crate::units::wasm::Made;

/// A flow and the streams that it wants.
#[derive(Clone)]
pub struct Routed {
    pub actor: Arc<Actor>,
    pub selectors: Vec<Selector>,
    pub plan: Arc<FlowPlan>,
}

impl Routed {
    /// Letters go to the flow of their unit alone, so that nobody else holds their rows.
    pub fn wants_command(&self, payload: &Payload) -> bool {
        match payload {
            Payload::Command(Command::Redeliver { unit, .. }) => self.plan.pipeline_of(unit).is_some(),
            _ => true,
        }
    }
}

/// All that a flow is built from; two equal ones are one flow that goes on.
pub struct FlowPlan {
    pub name: Arc<str>,
    pub pipelines: Vec<PipelinePlan>,
    pub lanes: u32,
    pub by: Vec<Arc<str>>,
}

pub struct PipelinePlan {
    pub spec: Arc<PipelineSpec>,
    pub nodes: Vec<NodePlan>,
    pub units: usize,
    pub inputs: Vec<Target>,
    pub routes: Vec<Vec<Vec<Target>>>,
}

#[derive(Clone)]
pub struct NodePlan {
    pub made: Made,
    /// All that decides what the unit is and does; the component that owns its state first.
    pub made_from: Arc<str>,
    pub uses: String,
    pub kind: String,
    pub policy: CircuitPolicy,
    pub counters: Arc<NodeCounters>,
    pub selector: Option<Arc<weir_expr::Expr>>,
    pub hold_ns: i64,
}

/// Counters by node id, so that they go on over changes of the configuration.
pub type CountersById = HashMap<Arc<str>, Arc<NodeCounters>>;

/// The flows of a configuration. What the graph has checked is taken as it is; an index that leads nowhere leaves its part out.
pub fn plans(
    topology: &Topology,
    graph: &Graph,
    components: &Components,
    counters: &mut CountersById,
) -> Result<Vec<Arc<FlowPlan>>, String> {
    graph
        .flows
        .iter()
        .map(|members| {
            let pipelines = members
                .iter()
                .map(|index| pipeline(topology, graph, *index, components, counters))
                .collect::<Result<Vec<_>, String>>()?;
            let first = pipelines.first().ok_or("a flow without a pipeline")?;
            Ok(Arc::new(FlowPlan {
                name: Arc::clone(&first.spec.name),
                lanes: first.spec.lanes.count.max(1),
                by: first.spec.lanes.by.clone(),
                pipelines,
            }))
        })
        .collect()
}

fn pipeline(
    topology: &Topology,
    graph: &Graph,
    index: usize,
    components: &Components,
    counters: &mut CountersById,
) -> Result<PipelinePlan, String> {
    let lost = || format!("pipeline {index} of the graph is not in the configuration");
    let spec = topology.pipelines.get(index).ok_or_else(lost)?;
    let resolved = graph.pipelines.get(index).ok_or_else(lost)?;
    let units =
        spec.units.iter().map(|unit| (&unit.id, &unit.name, &unit.uses, &unit.config, unit.on_open_circuit));
    let rules = resolved.rules.iter().filter_map(|rule| topology.rules.get(*rule));
    let rules = rules.map(|rule| (&rule.id, &rule.name, &rule.uses, &rule.config, CircuitPolicy::Drop));
    let holds = holds(
        resolved.nodes.len(),
        &resolved.nodes.iter().map(|node| node.plan.delay_ns).collect::<Vec<_>>(),
        &resolved.routes,
    );
    let mut nodes = Vec::new();
    for (number, (id, name, uses, config, policy)) in units.chain(rules).enumerate() {
        let node = resolved.nodes.get(number).ok_or_else(lost)?;
        let loaded = components.load(uses)?;
        let config =
            components.complete(&loaded, config).map_err(|problems| format!("{id}: {problems:?}"))?;
        let made = Made {
            component: loaded.component,
            plan: Arc::clone(&node.plan),
            id: Arc::clone(id),
            pipeline: Arc::clone(&spec.name),
            name: Arc::clone(name),
            config: config.to_string().into(),
            lane: 0,
            lanes: spec.lanes.count.max(1),
            limits: Limits::default(),
            unconnected: unconnected(&node.plan, resolved.routes.get(number)),
        };
        let selector = match &node.plan.selector {
            Some(text) => Some(Arc::new(weir_expr::parse(text).map_err(|error| format!("{id}: {error}"))?)),
            None => None,
        };
        nodes.push(NodePlan {
            made_from: made_from(&made, &node.manifest),
            made,
            uses: uses.clone(),
            kind: node.manifest.kind.clone(),
            policy,
            counters: Arc::clone(counters.entry(Arc::clone(id)).or_default()),
            selector,
            hold_ns: holds.get(number).copied().unwrap_or(0),
        });
    }
    Ok(PipelinePlan {
        spec: Arc::new(spec.clone()),
        nodes,
        units: resolved.units,
        inputs: resolved.inputs.clone(),
        routes: resolved.routes.clone(),
    })
}

fn made_from(made: &Made, manifest: &Manifest) -> Arc<str> {
    let (name, schema, digest) = (&manifest.name, manifest.state_schema, made.component.digest());
    let unconnected = made.unconnected.join(",");
    format!("{name}/{schema} {digest} {} {} [{unconnected}] {}", made.pipeline, made.lanes, made.config)
        .into()
}

/// Names of the ports of a node that feed nothing.
fn unconnected(plan: &Plan, routes: Option<&Vec<Vec<Target>>>) -> Arc<[Arc<str>]> {
    let feeds =
        |port: usize| routes.and_then(|ports| ports.get(port)).is_some_and(|targets| !targets.is_empty());
    let ports = plan.ports.iter().enumerate();
    ports.filter(|(port, _)| !feeds(*port)).map(|(_, port)| Arc::clone(&port.name)).collect()
}

/// How far behind the pipeline's watermark each node's input may be: the delays of the units before it, added up along the longest way.
fn holds(count: usize, delays: &[i64], routes: &[Vec<Vec<Target>>]) -> Vec<i64> {
    let mut holds = vec![0_i64; count];
    for (node, ports) in routes.iter().enumerate() {
        let own =
            holds.get(node).copied().unwrap_or(0).saturating_add(delays.get(node).copied().unwrap_or(0));
        for target in ports.iter().flatten() {
            if let Target::Node(next) = target
                && let Some(hold) = holds.get_mut(*next)
            {
                *hold = (*hold).max(own);
            }
        }
    }
    holds
}

impl FlowPlan {
    pub fn selectors(&self) -> Vec<Selector> {
        self.pipelines.iter().flat_map(|pipeline| pipeline.spec.from.iter().cloned()).collect()
    }

    /// Names of its pipelines and ids of its nodes.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.pipelines.iter().flat_map(|pipeline| {
            std::iter::once(&pipeline.spec.name).chain(pipeline.nodes.iter().map(|node| &node.made.id))
        })
    }

    /// Builds one lane's flow; units take over the state of their predecessors of the same id and lane where it fits.
    pub fn build(&self, lane: u32, legacies: &mut Legacies) -> Flow {
        let pipelines = self.pipelines.iter().map(|pipeline| {
            let nodes = pipeline.nodes.iter().map(|node| build_node(node, lane, legacies)).collect();
            let (inputs, routes) = (pipeline.inputs.clone(), pipeline.routes.clone());
            let spec = Arc::clone(&pipeline.spec);
            let mut built = Pipeline::new(spec, nodes, pipeline.units, inputs, routes);
            take_over(&mut built, lane, legacies);
            built
        });
        let which = Lane { index: lane, count: self.lanes, by: self.by.clone() };
        let mut flow =
            Flow::new(Arc::clone(&self.name), pipelines.collect(), Some(which).filter(|lane| lane.count > 1));
        if let Some(known) = legacies.memories.get(&(Arc::clone(&self.name), lane)) {
            flow.remember(known.memory.clone());
        }
        flow
    }

    /// Whether nothing changed: the flow simply goes on.
    pub fn same(&self, other: &Self) -> bool {
        let node = |node: &NodePlan| {
            (
                Arc::clone(&node.made.id),
                Arc::clone(node.made.component.digest()),
                Arc::clone(&node.made.config),
            )
        };
        self.pipelines.len() == other.pipelines.len()
            && self.pipelines.iter().zip(&other.pipelines).all(|(left, right)| {
                let unplaced = |spec: &PipelineSpec| without_places(spec);
                unplaced(&left.spec) == unplaced(&right.spec)
                    && left.routes == right.routes
                    && left.nodes.iter().map(node).eq(right.nodes.iter().map(node))
            })
    }
}

/// A specification without where it stands in the text: a new comment above it changes nothing that runs.
fn without_places(spec: &PipelineSpec) -> PipelineSpec {
    let mut spec = spec.clone();
    spec.place = Default::default();
    spec.units.iter_mut().for_each(|unit| unit.place = Default::default());
    spec.series.iter_mut().for_each(|series| series.place = Default::default());
    spec.streams.iter_mut().for_each(|stream| stream.place = Default::default());
    spec
}

/// What a pipeline of the same name and lane knew, and whether an operator has paused or stopped it.
fn take_over(built: &mut Pipeline, lane: u32, legacies: &mut Legacies) {
    let name = &built.spec.name;
    built.run = legacies.runs.get(name).copied().unwrap_or_default();
    if let Some(mut watermarks) = legacies.watermarks.remove(&(Arc::clone(name), lane)) {
        watermarks.retain(|triplet| built.spec.from.iter().any(|selector| selector.matches(triplet)));
        built.watermarks = watermarks;
    }
    for node in &built.nodes {
        let run = if built.run == Run::Running { node.run } else { built.run };
        if run != Run::Running {
            node.counters.show(run.into());
        }
    }
}

fn build_node(plan: &NodePlan, lane: u32, legacies: &mut Legacies) -> Node {
    let run = legacies.runs.get(&plan.made.id).copied().unwrap_or_default();
    let legacy = legacies.nodes.remove(&(Arc::clone(&plan.made.id), lane));
    let mut resumed = None;
    let (state, running) = match legacy {
        Some(legacy) if fits(&legacy, plan) => {
            resumed = legacy.resumed.filter(|memory| *memory.made_from == *plan.made_from);
            (legacy.state, legacy.running)
        }
        other => {
            if let Some(mut running) = other.and_then(|legacy| legacy.running) {
                running.unit.close();
            }
            (fresh(&plan.made.plan), None)
        }
    };
    let made = Made { lane, ..plan.made.clone() };
    let (id, digest) = (Arc::clone(&made.id), Arc::clone(made.component.digest()));
    let new_plan = Arc::clone(&made.plan);
    let (unit, circuit, ticked_at): (Box<dyn Unit>, _, _) = match running {
        Some(running) if running.made_from == plan.made_from => {
            (running.unit, running.circuit, running.ticked_at)
        }
        changed => {
            let ticked_at = changed.map_or(0, |mut running| {
                running.unit.close();
                running.ticked_at
            });
            let (circuit, ticked_at) =
                resumed.map_or((Circuit::default(), ticked_at), |memory| (memory.circuit, memory.ticked_at));
            (Box::new(WasmUnit::new(made, Arc::clone(&state))), circuit, ticked_at)
        }
    };
    Node {
        made_from: Arc::clone(&plan.made_from),
        run,
        circuit,
        ticked_at,
        policy: plan.policy,
        counters: Arc::clone(&plan.counters),
        selector: plan.selector.clone(),
        hold_ns: plan.hold_ns,
        ..Node::new(id, digest, new_plan, state, unit)
    }
}

fn fresh(plan: &Plan) -> weir_core::state::SharedState {
    UnitState::new(plan, Quota::default()).shared()
}
