//! `[[metric]]`: the sentence "this value, by this key, over this window" as units, series and a chart that anybody could have written out.
//!
//! In: what is written ([`raw::Metric`]). Out: pipelines, charts and a [`MetricSpec`] that says which unit is whose. Metrics over the same streams with the same `where`
//! and lateness share one pipeline: its filter is called once for all of them. Ids come from the metric's name (`latency/1s` for its
//! rollup of one second) and not from the pipeline, so that a unit keeps its state when metrics come and go around it. What is made here is checked once more by
//! [`crate::graph`], which asks the components.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::check::Check;
use super::pipeline::{columns, defaults_of, keep_points};
use super::raw::{self, At};
use super::{
    Backfill, ChartSpec, CircuitPolicy, MetricSpec, PipelineSpec, Place, PortRef, SeriesSpec, UnitSpec, near,
};

/// Names of series and units are longer than the metric's by a window.
const NAME_BYTES_MAX: usize = 40;
const FIELDS_MAX: usize = 16;
const DEFAULT_WINDOW: &str = "10m";

/// What metrics become.
#[derive(Default)]
pub struct Expansion {
    pub metrics: Vec<MetricSpec>,
    pub pipelines: Vec<PipelineSpec>,
    pub charts: Vec<ChartSpec>,
}

/// `before` is how many pipelines there are already: metrics refer to theirs by index.
pub fn expand(check: &Check<'_>, raw: &[raw::Metric], before: usize) -> Expansion {
    let names: Vec<(&At<String>, &Place)> = raw.iter().map(|metric| (&metric.name, &metric.place)).collect();
    check.distinct("metric", &names);
    let mut out = Expansion::default();
    for raw in raw {
        let Some(metric) = Metric::read(check, raw) else { continue };
        let group = group_name(raw, metric.lateness_ns);
        let known = out.pipelines.iter().position(|pipeline| *pipeline.name == *group);
        let index = known.unwrap_or_else(|| {
            out.pipelines.push(group_pipeline(check, raw, &group, metric.lateness_ns));
            out.pipelines.len() - 1
        });
        let Some(pipeline) = out.pipelines.get_mut(index) else { continue };
        let spec = metric.into_units(check, raw, pipeline, before + index);
        out.charts.extend(chart(check, raw, &spec));
        out.metrics.push(spec);
    }
    out
}

/// The same for the same streams, filter and lateness, whatever stands around it: pausing it goes on to mean the same thing.
fn group_name(raw: &raw::Metric, lateness_ns: i64) -> String {
    let mut streams: Vec<&str> = raw.from.iter().flatten().map(|from| from.value.as_str()).collect();
    streams.sort_unstable();
    let filter = raw.filter.as_ref().map(|filter| filter.value.as_str());
    let digest = Sha256::digest(json!([streams, filter, lateness_ns]).to_string());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("metrics-{short}")
}

fn group_pipeline(check: &Check<'_>, raw: &raw::Metric, name: &str, lateness_ns: i64) -> PipelineSpec {
    let place = Place { config_lines: Vec::new(), ..raw.place.clone() };
    let (lanes, lag) = defaults_of(check, &place);
    let filter = raw.filter.as_ref().map(|filter| UnitSpec {
        id: format!("{name}/where").into(),
        name: "where".into(),
        uses: "filter".into(),
        from: vec![PortRef { unit: None, port: None }],
        config: json!({ "keep": filter.value }),
        on_open_circuit: CircuitPolicy::Hold,
        place: Place { config_lines: vec![("/keep".into(), filter.line)], ..place.clone() },
    });
    PipelineSpec {
        name: name.into(),
        from: check.selectors(&raw.place, "from", raw.from.as_deref().unwrap_or(&[])),
        lateness_ns,
        lanes,
        lag,
        units: filter.into_iter().collect(),
        series: Vec::new(),
        streams: Vec::new(),
        place,
    }
}

/// One metric, read.
struct Metric {
    name: Arc<str>,
    key: Vec<Arc<str>>,
    /// Name of the field and the column or expression that it is. The name is empty where the metric has one value only.
    values: Vec<(String, String)>,
    lateness_ns: i64,
    rollups: Vec<Rollup>,
    backfill: Backfill,
}

struct Rollup {
    name: String,
    functions: Vec<String>,
    keep_points: usize,
    config: Map<String, Value>,
    place: Place,
}

impl Metric {
    fn read(check: &Check<'_>, raw: &raw::Metric) -> Option<Self> {
        let place = &raw.place;
        let name = check.name(place, "name", &raw.name);
        if name.len() > NAME_BYTES_MAX {
            let message = format!(
                "is longer than {NAME_BYTES_MAX} characters; windows are appended to it in the names of series"
            );
            check.problem(place, "name", raw.name.line, message);
        }
        if raw.from.as_ref().is_none_or(Vec::is_empty) {
            check.problem(place, "from", 0, "names no stream; add `from = [\"shop/*/request\"]`");
        }
        if raw.rollups.is_empty() {
            let message =
                "has no rollup, and so no values; add `rollup = [{ window = \"1s\", is = \"count\" }]`";
            check.problem(place, "rollup", 0, message);
        }
        if let Some(filter) = &raw.filter
            && let Err(error) = weir_expr::parse(&filter.value)
        {
            check.problem(place, "where", filter.line, error.to_string());
        }
        let values = values(check, raw);
        let mut seen = BTreeSet::new();
        let mut rollups = Vec::with_capacity(raw.rollups.len());
        for rollup in &raw.rollups {
            let rollup = Rollup::read(check, rollup, !values.is_empty())?;
            if !seen.insert(rollup.name.clone()) {
                let message = format!(
                    "there is already a rollup `{}` in this metric; list both functions in its `is`, or give this one a `name`",
                    rollup.name
                );
                check.problem(&rollup.place, "name", 0, message);
            }
            rollups.push(rollup);
        }
        Some(Self {
            key: columns(check, place, "key", &raw.key),
            lateness_ns: check.duration_ns(place, "lateness", raw.lateness.as_ref(), "0s"),
            backfill: backfill(check, raw),
            name,
            values,
            rollups,
        })
    }

    /// Appends its units and series to the pipeline of its group.
    fn into_units(
        self,
        check: &Check<'_>,
        raw: &raw::Metric,
        pipeline: &mut PipelineSpec,
        index: usize,
    ) -> MetricSpec {
        let filter = pipeline.units.iter().position(|unit| &*unit.name == "where");
        let mut input = PortRef { unit: filter, port: None };
        let mut units: Vec<Arc<str>> = Vec::new();
        let place = |role: &str, place: &Place| Place {
            words: format!("{}, its unit `{}/{role}`", raw.place.words, self.name),
            ..place.clone()
        };
        let computed: Map<String, Value> = self
            .values
            .iter()
            .filter(|(_, expression)| !is_column(expression))
            .map(|(field, expression)| (computed_column(field), expression.as_str().into()))
            .collect();
        if !computed.is_empty() {
            units.push(format!("{}/value", self.name).into());
            pipeline.units.push(UnitSpec {
                id: format!("{}/value", self.name).into(),
                name: format!("{}-value", self.name).into(),
                uses: "transform".into(),
                from: vec![input],
                config: json!({ "set": computed }),
                on_open_circuit: CircuitPolicy::Hold,
                place: place("value", &raw.place),
            });
            input = PortRef { unit: Some(pipeline.units.len() - 1), port: None };
        }
        let mut series = Vec::with_capacity(self.rollups.len());
        for rollup in &self.rollups {
            let id: Arc<str> = format!("{}/{}", self.name, rollup.name).into();
            let aggregates = aggregates(&self.values, &rollup.functions);
            let fields: Vec<Arc<str>> = aggregates.keys().map(|name| name.as_str().into()).collect();
            let mut config = rollup.config.clone();
            config.insert("keys".into(), self.key.iter().map(|key| Value::from(&**key)).collect());
            config.insert("aggregates".into(), Value::Object(aggregates));
            units.push(Arc::clone(&id));
            pipeline.units.push(UnitSpec {
                id,
                name: format!("{}-{}", self.name, rollup.name).into(),
                uses: "rollup".into(),
                from: vec![input.clone()],
                config: Value::Object(config),
                on_open_circuit: CircuitPolicy::Hold,
                place: place(&rollup.name, &rollup.place),
            });
            let metric: Arc<str> = format!("{}_{}", self.name, rollup.name).into();
            pipeline.series.push(SeriesSpec {
                metric: Arc::clone(&metric),
                from: vec![PortRef { unit: Some(pipeline.units.len() - 1), port: None }],
                labels: Some(self.key.clone()),
                fields: Some(fields.clone()),
                keep_points: rollup.keep_points,
                place: rollup.place.clone(),
            });
            series.push((metric, fields));
        }
        if pipeline.series.len() > super::METRIC_SERIES_MAX {
            let message = format!(
                "gives its streams more than {} series in all; use fewer metrics",
                super::METRIC_SERIES_MAX
            );
            check.problem(&raw.place, "rollup", 0, message);
        }
        MetricSpec {
            name: self.name,
            pipeline: index,
            units,
            series,
            backfill: self.backfill,
            place: raw.place.clone(),
        }
    }
}

impl Rollup {
    fn read(check: &Check<'_>, raw: &raw::Rollup, has_value: bool) -> Option<Self> {
        let place = &raw.place;
        let mut config = raw.config.as_object().cloned().unwrap_or_default();
        for taken in ["keys", "aggregates", "window"] {
            if config.contains_key(taken) {
                let message = format!(
                    "`{taken}` comes from the metric's own `key`, `value`, `window` and `is`; leave it out here"
                );
                check.problem(place, "config", 0, message);
            }
        }
        if let Some(window) = &raw.window {
            check.duration_ns(place, "window", Some(window), "1s");
            config.insert("window".into(), window.value.as_str().into());
        } else if config.is_empty() {
            check.problem(place, "window", 0, "is missing; add `window = \"1s\"`");
        }
        let name = match (&raw.name, &raw.window) {
            (Some(name), _) => check.name(place, "name", name).to_string(),
            (None, Some(window)) => window.value.replace('.', "_").replace('µ', "u"),
            (None, None) => "rollup".to_owned(),
        };
        if name == "value" {
            check.problem(
                place,
                "name",
                0,
                "`value` is the unit that computes the values; choose another name",
            );
        }
        Some(Self {
            functions: functions(check, raw, has_value)?,
            keep_points: keep_points(check, place, "keep", raw.keep.as_ref()),
            place: raw.place.clone(),
            name,
            config,
        })
    }
}

/// `is`: one function or a list of them.
fn functions(check: &Check<'_>, raw: &raw::Rollup, has_value: bool) -> Option<Vec<String>> {
    let line = raw.is.as_ref().map_or(0, |is| is.line);
    let listed: Option<Vec<String>> = match raw.is.as_ref().map(|is| &is.value) {
        Some(Value::String(one)) => Some(vec![one.clone()]),
        Some(Value::Array(many)) if !many.is_empty() && many.len() <= FIELDS_MAX => {
            many.iter().map(|one| one.as_str().map(str::to_owned)).collect()
        }
        _ => None,
    };
    let Some(functions) = listed else {
        let message = format!(
            "says what of the value is wanted: \"count\", or a list of at most {FIELDS_MAX} like [\"median\", \"max\"]"
        );
        check.problem(&raw.place, "is", line, message);
        return None;
    };
    if let Some(needs) = functions.iter().find(|function| !has_value && !counts(function)) {
        let message = format!("`{needs}` is taken of a value; add `value = \"latency_ms\"` to the metric");
        check.problem(&raw.place, "is", line, message);
    }
    Some(functions)
}

/// `value`: a column or expression, or several under names of their own.
fn values(check: &Check<'_>, raw: &raw::Metric) -> Vec<(String, String)> {
    let Some(value) = &raw.value else { return Vec::new() };
    let wrong = |message: String| check.problem(&raw.place, "value", value.line, message);
    let named: Vec<(String, String)> = match &value.value {
        Value::String(one) => vec![(String::new(), one.clone())],
        Value::Object(many) if !many.is_empty() && many.len() <= FIELDS_MAX => many
            .iter()
            .filter_map(|(name, one)| one.as_str().map(|one| (name.clone(), one.to_owned())))
            .collect(),
        _ => {
            wrong(format!(
                "is a column or expression like \"latency_ms\", or at most {FIELDS_MAX} of them by name like {{ ms = \"latency_ms\", kib = \"bytes / 1024\" }}"
            ));
            return Vec::new();
        }
    };
    for (name, expression) in &named {
        if let Err(error) = weir_expr::parse(expression) {
            wrong(format!(
                "`{expression}`{}: {error}",
                if name.is_empty() { String::new() } else { format!(" of `{name}`") }
            ));
        }
    }
    named
}

fn backfill(check: &Check<'_>, raw: &raw::Metric) -> Backfill {
    match raw.backfill.as_ref().map(|word| (word.line, word.value.as_str())) {
        None | Some((_, "recent")) => Backfill::Recent,
        Some((_, "none")) => Backfill::None,
        Some((line, word)) => {
            let near = near::hint(word, ["recent", "none"]);
            check.problem(&raw.place, "backfill", line, format!("there is no backfill `{word}`{near}"));
            Backfill::None
        }
    }
}

/// Functions that need no value.
fn counts(function: &str) -> bool {
    matches!(function, "count" | "rate")
}

fn is_column(expression: &str) -> bool {
    weir_expr::parse(expression).is_ok_and(|parsed| parsed.is_column())
}

/// A name that no event is likely to have, so that computing it hides nothing.
fn computed_column(field: &str) -> String {
    if field.is_empty() { "metric.value".into() } else { format!("metric.{field}") }
}

/// Columns that come out of a rollup: `median`, or `ms_median` where there are several values.
fn aggregates(values: &[(String, String)], functions: &[String]) -> Map<String, Value> {
    let mut out = Map::new();
    for function in functions {
        if counts(function) && (function == "count" || values.is_empty()) {
            out.insert(function.clone(), function.as_str().into());
            continue;
        }
        for (field, expression) in values {
            let of = if is_column(expression) { column_name(expression) } else { computed_column(field) };
            let name = if field.is_empty() { function.clone() } else { format!("{field}_{function}") };
            out.insert(name, json!({ "of": of, "is": function }));
        }
    }
    out
}

/// A column may be written in quotes; the rollup wants its plain name.
fn column_name(expression: &str) -> String {
    let parsed = weir_expr::parse(expression).ok();
    parsed
        .and_then(|parsed| parsed.columns().first().map(|name| name.to_string()))
        .unwrap_or_else(|| expression.to_owned())
}

/// A line over the first rollup where nothing is said; `false`: none.
fn chart(check: &Check<'_>, raw: &raw::Metric, spec: &MetricSpec) -> Option<ChartSpec> {
    let said = match raw.chart.as_ref().map(|chart| (chart.line, &chart.value)) {
        Some((_, Value::Bool(false))) => return None,
        None | Some((_, Value::Bool(true))) => Map::new(),
        Some((_, Value::Object(said))) => said.clone(),
        Some((line, _)) => {
            check.problem(
                &raw.place,
                "chart",
                line,
                "is a table like { use = \"timeseries\", title = \"…\" }, or false for none",
            );
            return None;
        }
    };
    let line = raw.chart.as_ref().map_or(0, |chart| chart.line);
    const KNOWN: [&str; 5] = ["use", "title", "window", "rollup", "config"];
    if let Some(unknown) = said.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        let near = near::hint(unknown, KNOWN);
        check.problem(&raw.place, "chart", line, format!("`{unknown}` is not a known key{near}"));
    }
    let text =
        |key: &str| said.get(key).and_then(Value::as_str).map(|value| At { value: value.to_owned(), line });
    let wanted = text("rollup").map(|rollup| format!("{}_{}", spec.name, rollup.value));
    let series =
        spec.series.iter().find(|(series, _)| wanted.as_ref().is_none_or(|wanted| **wanted == **series));
    let Some((series, fields)) = series else {
        check.problem(&raw.place, "chart", line, "`rollup` names no rollup of this metric");
        return None;
    };
    let uses = text("use").unwrap_or(At { value: "timeseries".into(), line });
    let config = match said.get("config") {
        Some(config) => config.clone(),
        None if uses.value == "timeseries" => json!({ "field": fields.first().map_or("", |field| field) }),
        None => json!({}),
    };
    let by = if raw.key.is_empty() {
        String::new()
    } else {
        format!(" by {}", raw.key.iter().map(|key| key.value.as_str()).collect::<Vec<_>>().join(", "))
    };
    Some(ChartSpec {
        id: Arc::clone(&spec.name),
        title: text("title").map_or_else(|| format!("{}{by}", spec.name), |title| title.value),
        metric: Arc::clone(series),
        uses: check.uses(&raw.place, &uses),
        config,
        window_ns: check.duration_ns(&raw.place, "chart", text("window").as_ref(), DEFAULT_WINDOW),
        place: Place { words: format!("{}, chart", raw.place.words), line, config_lines: Vec::new() },
    })
}

#[cfg(test)]
mod tests;
