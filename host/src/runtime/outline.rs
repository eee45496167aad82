//! One pipeline as it is configured, for those who want to edit it: its units with configuration, ports and neighbours.

use std::sync::Arc;

use serde_json::{Value, json};
use weir_core::config::{Beyond, PipelineSpec, PortRef, Topology};
use weir_core::flow::Target;

use super::Runtime;
use super::build::{NodePlan, PipelinePlan};
use super::views::{state_of, target_word};

impl Runtime {
    /// The running revision and the outline; none where there is no such pipeline.
    pub fn pipeline(&self, name: &str) -> Option<(u64, Value)> {
        let (revision, topology, plans) = {
            let configured = self.configured.lock();
            (configured.revision, configured.topology.clone()?, configured.plans.clone())
        };
        let found = plans.iter().find_map(|plan| {
            let pipeline = plan.pipelines.iter().find(|pipeline| *pipeline.spec.name == *name)?;
            Some((Arc::clone(&plan.name), pipeline))
        });
        let (flow, pipeline) = found?;
        Some((revision, outline(revision, &flow, &topology, pipeline)))
    }
}

fn outline(revision: u64, flow: &str, topology: &Topology, pipeline: &PipelinePlan) -> Value {
    let spec = &pipeline.spec;
    let nodes = pipeline.nodes.iter().enumerate();
    let units = nodes.clone().zip(&spec.units).map(|((index, node), unit)| {
        json!({
            "name": unit.name, "id": unit.id, "use": unit.uses, "from": froms(spec, &unit.from), "config": unit.config,
            "on_open_circuit": unit.on_open_circuit.word(), "kind": node.kind, "state": node.counters.shown().word(),
            "ports": ports(pipeline, index, node),
        })
    });
    let rule = |node: &NodePlan| {
        let rule = topology.rules.iter().find(|rule| rule.id == node.made.id)?;
        Some(json!({
            "name": rule.name, "id": rule.id, "use": rule.uses, "on": froms(spec, std::slice::from_ref(&rule.on)).first(),
            "config": rule.config, "kind": node.kind, "state": node.counters.shown().word(),
        }))
    };
    let series = spec.series.iter().map(|series| {
        json!({
            "metric": series.metric, "from": froms(spec, &series.from), "labels": series.labels, "fields": series.fields,
            "keep_points": series.keep_points,
        })
    });
    let streams = spec
        .streams
        .iter()
        .map(|stream| json!({ "triplet": stream.name.to_string(), "from": froms(spec, &stream.from) }));
    let beyond = match spec.lag.beyond {
        Beyond::BackPressure => "back-pressure",
        Beyond::Skip => "skip",
    };
    json!({
        "revision": revision,
        "name": spec.name,
        "from": spec.from.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "flow": flow,
        "state": state_of(&pipeline.nodes),
        "lateness_s": spec.lateness_ns as f64 / 1e9,
        "lanes": { "count": spec.lanes.count, "by": spec.lanes.by },
        "lag": { "bytes": spec.lag.bytes, "seconds": spec.lag.age_ns as f64 / 1e9, "beyond": beyond },
        "units": units.collect::<Vec<Value>>(),
        "rules": nodes.skip(pipeline.units).filter_map(|(_, node)| rule(node)).collect::<Vec<Value>>(),
        "series": series.collect::<Vec<Value>>(),
        "streams": streams.collect::<Vec<Value>>(),
    })
}

/// `in`, `unit` or `unit.port`.
fn froms(spec: &PipelineSpec, from: &[PortRef]) -> Vec<String> {
    let one = |port: &PortRef| {
        let unit = port.unit.and_then(|unit| spec.units.get(unit)).map_or("in", |unit| &*unit.name);
        match &port.port {
            Some(port) => format!("{unit}.{port}"),
            None => unit.to_owned(),
        }
    };
    from.iter().map(one).collect()
}

fn ports(pipeline: &PipelinePlan, index: usize, node: &NodePlan) -> Vec<Value> {
    let routes = pipeline.routes.get(index).map(Vec::as_slice).unwrap_or_default();
    let ports = node.made.plan.ports.iter().enumerate().map(|(number, port)| {
        let targets: &[Target] = routes.get(number).map(Vec::as_slice).unwrap_or_default();
        let to: Vec<String> = targets.iter().filter_map(|target| target_word(pipeline, target)).collect();
        json!({ "name": port.name, "summary": port.summary, "to": to })
    });
    ports.collect()
}
