//! Joins a configuration to its components: every port has a number, every unit its plan, every port the list of what it feeds.
//!
//! In: a [`Topology`] and a [`Catalog`] that knows the components. Out: a [`Graph`], which is all that is needed to build flows, or every
//! [`Problem`] at once: unknown components and ports, a component of the wrong kind, a configuration that the component refuses, lanes
//! that would tear a key apart. Opens nothing and runs nothing by itself; asking the catalog may compile and call guests.

mod advice;

use std::sync::Arc;

use serde_json::Value;

use crate::config::{self, PipelineSpec, Place, PortRef, Problem, Topology, hint};
use crate::flow::Target;
use crate::manifest::UNIT_KINDS;
use crate::plan::{Manifest, Plan};

/// What is known of components, by the word after `use`.
pub trait Catalog {
    /// The error says what is wrong with the component, or that there is none of that name.
    fn manifest(&self, uses: &str) -> Result<Arc<Manifest>, String>;
    /// The error lists (JSON pointer into the configuration, message).
    fn plan(&self, uses: &str, config: &Value) -> Result<Arc<Plan>, Vec<(String, String)>>;
    /// For suggestions.
    fn names(&self) -> Vec<String>;
}

/// A configuration that can run.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Parallel to `Topology::pipelines`.
    pub pipelines: Vec<ResolvedPipeline>,
    /// Parallel to `Topology::charts`.
    pub charts: Vec<Resolved>,
    /// Indexes of pipelines, as [`config::flows`] gives them.
    pub flows: Vec<Vec<usize>>,
    pub warnings: Vec<Problem>,
}

/// A component with its plan for one configuration.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub manifest: Arc<Manifest>,
    pub plan: Arc<Plan>,
}

/// A pipeline whose nodes are its units in the order of `PipelineSpec::units`, then the rules on it.
#[derive(Clone, Debug)]
pub struct ResolvedPipeline {
    /// For each node.
    pub nodes: Vec<Resolved>,
    /// How many of the nodes are units.
    pub units: usize,
    /// For each node after the units, the index into `Topology::rules`.
    pub rules: Vec<usize>,
    /// What the input of the pipeline feeds.
    pub inputs: Vec<Target>,
    /// For each node and port what it feeds. Rules have no ports. A node only feeds nodes after it.
    pub routes: Vec<Vec<Vec<Target>>>,
}

/// All or nothing; see the module.
pub fn resolve(topology: &Topology, catalog: &dyn Catalog) -> Result<Graph, Vec<Problem>> {
    let mut resolve = Resolve { catalog, names: catalog.names(), problems: Vec::new(), warnings: Vec::new() };
    let pipelines: Vec<ResolvedPipeline> =
        (0..topology.pipelines.len()).filter_map(|index| resolve.pipeline(topology, index)).collect();
    let charts = topology.charts.iter().filter_map(|chart| {
        resolve.component(
            &chart.place,
            &chart.uses,
            &chart.config,
            &["formatter"],
            "a formatter, which makes charts",
        )
    });
    let charts = charts.collect();
    let flows = config::flows(&topology.pipelines);
    resolve.flows(topology, &flows);
    let Resolve { mut problems, mut warnings, .. } = resolve;
    let more = problems.len().saturating_sub(config::PROBLEMS_MAX);
    if more > 0 {
        problems.truncate(config::PROBLEMS_MAX);
        problems
            .push(Problem { place: "configuration".into(), message: format!("and {more} more problems") });
    }
    warnings.extend(advice::warnings(topology, &pipelines));
    if problems.is_empty() { Ok(Graph { pipelines, charts, flows, warnings }) } else { Err(problems) }
}

struct Resolve<'a> {
    catalog: &'a dyn Catalog,
    names: Vec<String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Resolve<'_> {
    fn problem(&mut self, place: &Place, member: &str, message: impl Into<String>) {
        self.problems.push(Problem { place: place.member(member), message: message.into() });
    }

    /// Where a component is unknown or refuses, its ports are unknown too: then there is nothing to resolve, and no more noise.
    fn pipeline(&mut self, topology: &Topology, index: usize) -> Option<ResolvedPipeline> {
        let pipeline = topology.pipelines.get(index)?;
        let rules: Vec<usize> = topology
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.pipeline == index)
            .map(|(rule, _)| rule)
            .collect();
        let mut nodes: Vec<Option<Resolved>> = Vec::new();
        for unit in &pipeline.units {
            let resolved =
                self.component(&unit.place, &unit.uses, &unit.config, &UNIT_KINDS, "a unit of a pipeline");
            if resolved.as_ref().is_some_and(|unit| unit.plan.ports.is_empty()) {
                self.problem(
                    &unit.place,
                    "use",
                    format!("`{}` has no port in this configuration; a unit needs one", unit.uses),
                );
            }
            nodes.push(resolved);
        }
        for rule in rules.iter().filter_map(|rule| topology.rules.get(*rule)) {
            nodes.push(self.component(&rule.place, &rule.uses, &rule.config, &["rule"], "a rule"));
        }
        let mut routes = Routes::new(&nodes);
        for (number, unit) in pipeline.units.iter().enumerate() {
            self.connect(&mut routes, pipeline, &unit.place, "from", &unit.from, Target::Node(number));
        }
        for (number, series) in pipeline.series.iter().enumerate() {
            self.connect(&mut routes, pipeline, &series.place, "from", &series.from, Target::Series(number));
        }
        for (number, stream) in pipeline.streams.iter().enumerate() {
            self.connect(&mut routes, pipeline, &stream.place, "from", &stream.from, Target::Stream(number));
        }
        for (number, rule) in rules.iter().filter_map(|rule| topology.rules.get(*rule)).enumerate() {
            let target = Target::Node(pipeline.units.len() + number);
            self.connect(&mut routes, pipeline, &rule.place, "on", std::slice::from_ref(&rule.on), target);
        }
        self.lanes(topology, pipeline, &rules, &nodes);
        let nodes = nodes.into_iter().collect::<Option<Vec<Resolved>>>()?;
        Some(ResolvedPipeline {
            nodes,
            units: pipeline.units.len(),
            rules,
            inputs: routes.inputs,
            routes: routes.of_nodes,
        })
    }

    fn component(
        &mut self,
        place: &Place,
        uses: &str,
        config: &Value,
        kinds: &[&str],
        role: &str,
    ) -> Option<Resolved> {
        let manifest = match self.catalog.manifest(uses) {
            Ok(manifest) => manifest,
            Err(message) => {
                let path = uses.ends_with(".wasm") || self.names.iter().any(|name| name == uses);
                let near =
                    if path { String::new() } else { hint(uses, self.names.iter().map(String::as_str)) };
                self.problem(place, "use", format!("{message}{near}"));
                return None;
            }
        };
        if !kinds.contains(&manifest.kind.as_str()) {
            let message = format!("`{uses}` is of the kind {} and cannot be {role}", manifest.kind);
            self.problem(place, "use", message);
            return None;
        }
        match self.catalog.plan(uses, config) {
            Ok(plan) => {
                for warning in manifest.warnings.iter().chain(&plan.warnings) {
                    self.warnings.push(Problem {
                        place: place.here(),
                        message: format!("component `{uses}`: {warning}"),
                    });
                }
                Some(Resolved { manifest, plan })
            }
            Err(complaints) => {
                for (pointer, message) in complaints {
                    self.problems.push(Problem { place: place.config(&pointer), message });
                }
                None
            }
        }
    }

    fn connect(
        &mut self,
        routes: &mut Routes,
        pipeline: &PipelineSpec,
        place: &Place,
        member: &str,
        from: &[PortRef],
        target: Target,
    ) {
        for source in from {
            if let Err(ports) = routes.connect(source, target) {
                let unit =
                    source.unit.and_then(|unit| pipeline.units.get(unit)).map_or("", |unit| &*unit.name);
                let port = source.port.as_deref().unwrap_or_default();
                let near = hint(port, ports.iter().map(String::as_str));
                let listed = if ports.len() > 16 || near.contains("did you mean") {
                    format!(" (it has {})", ports.join(", "))
                } else {
                    String::new()
                };
                self.problem(place, member, format!("unit `{unit}` has no port `{port}`{near}{listed}"));
            }
        }
    }

    /// With lanes each key lives in one lane only; a unit whose key leaves the lane's out would count one key in several.
    fn lanes(
        &mut self,
        topology: &Topology,
        pipeline: &PipelineSpec,
        rules: &[usize],
        nodes: &[Option<Resolved>],
    ) {
        if pipeline.lanes.count < 2 {
            return;
        }
        let rules =
            rules.iter().filter_map(|rule| topology.rules.get(*rule)).map(|rule| (&rule.id, &rule.place));
        let all: Vec<_> = pipeline.units.iter().map(|unit| (&unit.id, &unit.place)).chain(rules).collect();
        let by = pipeline.lanes.by.join(", ");
        for ((id, place), node) in all.into_iter().zip(nodes) {
            let Some(plan) = node.as_ref().map(|node| &node.plan) else { continue };
            if let Some(table) = plan.tables.iter().find(|table| !table.by_key) {
                let message = format!(
                    "`{id}` keeps the table `{}` by names of its own, which needs a single lane; set lanes.count = 1",
                    table.name
                );
                self.problem(place, "use", message);
            }
            let keyed = !plan.keys.is_empty() || plan.tables.iter().any(|table| table.by_key);
            let missing = pipeline.lanes.by.iter().find(|key| !plan.keys.contains(key));
            if let Some(missing) = missing.filter(|_| keyed) {
                let message = format!(
                    "the pipeline has lanes by {by}, but the key of `{id}` ({}) does not contain `{missing}`; add it to the keys, \
                     or set lanes.count = 1",
                    if plan.keys.is_empty() { "none".to_owned() } else { plan.keys.join(", ") }
                );
                self.problem(place, "config.keys", message);
            }
        }
    }

    /// One flow is copied as a whole.
    fn flows(&mut self, topology: &Topology, flows: &[Vec<usize>]) {
        for flow in flows {
            let mut members = flow.iter().filter_map(|index| topology.pipelines.get(*index));
            let Some(first) = members.next() else { continue };
            for other in members.filter(|other| other.lanes != first.lanes) {
                let message = format!(
                    "differ from those of pipeline `{}`; pipelines that are joined by derived streams run as one and need the same lanes",
                    first.name
                );
                self.problem(&other.place, "lanes", message);
            }
        }
    }
}

/// Targets while they are collected.
struct Routes {
    inputs: Vec<Target>,
    of_nodes: Vec<Vec<Vec<Target>>>,
    /// Names of ports by node; none where the component is unknown.
    ports: Vec<Option<Vec<String>>>,
}

impl Routes {
    fn new(nodes: &[Option<Resolved>]) -> Self {
        let names = |node: &Resolved| {
            node.plan.ports.iter().map(|port| port.name.to_string()).collect::<Vec<String>>()
        };
        let ports: Vec<Option<Vec<String>>> = nodes.iter().map(|node| node.as_ref().map(names)).collect();
        let of_nodes =
            ports.iter().map(|ports| vec![Vec::new(); ports.as_ref().map_or(0, Vec::len)]).collect();
        Self { inputs: Vec::new(), of_nodes, ports }
    }

    /// The error lists the ports that there are.
    fn connect(&mut self, source: &PortRef, target: Target) -> Result<(), Vec<String>> {
        let Some(unit) = source.unit else {
            self.inputs.push(target);
            return Ok(());
        };
        let Some(Some(ports)) = self.ports.get(unit) else { return Ok(()) };
        let number = match &source.port {
            None => 0,
            Some(name) => ports.iter().position(|port| port == name).ok_or_else(|| ports.clone())?,
        };
        if let Some(targets) = self.of_nodes.get_mut(unit).and_then(|ports| ports.get_mut(number)) {
            // `unit` and `unit.port` may name the same port: rows must not come twice.
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
