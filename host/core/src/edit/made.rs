//! Units and pipelines that a `[[metric]]` made: they stand nowhere in the text, so an edit of them is told which metric to change, and what of it.

use super::EditError;
use crate::config::{MetricSpec, PipelineSpec, Topology};

/// Why a unit (none: a new one) of `pipeline` cannot be edited; nothing where no metric made it. Both the id (`latency/1s`) and pipeline with name are known.
pub fn by_metric(topology: &Topology, pipeline: &str, unit: Option<&str>) -> Option<EditError> {
    let of_id = topology.metrics.iter().find(|metric| *metric.name == *pipeline);
    let spec = match of_id {
        Some(metric) => topology.pipelines.get(metric.pipeline)?,
        None => topology.pipelines.iter().find(|spec| *spec.name == *pipeline)?,
    };
    let here = |metric: &&MetricSpec| {
        topology.pipelines.get(metric.pipeline).is_some_and(|other| other.name == spec.name)
    };
    let metrics: Vec<&MetricSpec> = topology.metrics.iter().filter(here).collect();
    if metrics.is_empty() {
        return None;
    }
    let names = metrics.iter().map(|metric| format!("`{}`", metric.name)).collect::<Vec<_>>().join(", ");
    let message = match unit {
        None => format!(
            "the pipeline `{}` is made by the metric {names}, which has no place for another unit; write the metric out as a [[pipeline]] (`weir config show`), or let it take a stream that a pipeline derives",
            spec.name
        ),
        Some(unit) => match maker(spec, &metrics, pipeline, unit) {
            Some((metric, member)) => format!(
                "`{pipeline}/{unit}` is made by the metric `{0}`, from its {member}; change that: `weir metric set {0} ...`, or PUT /api/metrics/{0}",
                metric.name
            ),
            None if unit == "where" => format!(
                "`{pipeline}/where` is the `where` that the metric {names} {}; change it there: `weir metric set NAME --where EXPRESSION`, or PUT /api/metrics/NAME",
                if metrics.len() == 1 { "has" } else { "share" }
            ),
            None => format!(
                "`{pipeline}` is made by the metric {names}, and has no unit `{unit}`; GET /api/metrics lists them"
            ),
        },
    };
    Some(EditError::Made(message))
}

/// Whose unit it is, and what of the metric it comes from.
fn maker<'a>(
    spec: &PipelineSpec,
    metrics: &[&'a MetricSpec],
    pipeline: &str,
    unit: &str,
) -> Option<(&'a MetricSpec, String)> {
    let id = format!("{pipeline}/{unit}");
    let found = spec
        .units
        .iter()
        .find(|known| *known.id == *id || (*known.name == *unit && *spec.name == *pipeline))?;
    let metric = metrics.iter().find(|metric| metric.units.contains(&found.id))?;
    let role = found.id.rsplit_once('/').map_or("", |(_, role)| role);
    let member = if role == "value" { "`value`".to_owned() } else { format!("rollup `{role}`") };
    Some((metric, member))
}
