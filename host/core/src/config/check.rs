//! From what is written ([`raw`]) to what is meant ([`Topology`]): the whole of it, and the parts that stand outside pipelines.
//!
//! Goes on after each problem, with a default in its place, so that all are found; the result counts only where there was none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::near::hint;
use super::raw::{self, At};
use super::reader::Reader;
use super::{
    ChartSpec, NAME_BYTES_MAX, PipelineSpec, Place, PortRef, Problem, RuleSpec, ServerSpec, Topology,
    alerting, durability, measure, metric, order, pipeline, sink, source,
};
use crate::flow::HOPS_MAX;
use crate::triplet::{Selector, Triplet};

const DEFAULT_LISTEN: &str = "127.0.0.1:7070";
const DEFAULT_WINDOW: &str = "10m";
const TITLE_CHARS_MAX: usize = 200;
const USES_BYTES_MAX: usize = 1024;

pub fn topology(text: &str) -> Result<Topology, Vec<Problem>> {
    let reader = Reader::new(text);
    let raw = raw::read(&reader, text);
    let mut check = Check { reader: &reader, warnings: Vec::new() };
    let server = server(&check, &raw.server);
    let data = durability::data(&check, &raw.data);
    let state = durability::state(&check, &raw.state);
    let dead = durability::dead(&check, &raw.dead);
    let sources = source::sources(&mut check, &raw.sources, server.listen);
    let names: Vec<(&At<String>, &Place)> = raw.pipelines.iter().map(|p| (&p.name, &p.place)).collect();
    check.distinct("pipeline", &names);
    let mut pipelines: Vec<PipelineSpec> =
        raw.pipelines.iter().map(|raw| pipeline::pipeline(&mut check, raw)).collect();
    let expansion = metric::expand(&check, &raw.metrics, pipelines.len());
    metrics_distinct(&check, &raw.pipelines, &expansion);
    ids_distinct(&check, &pipelines, &expansion);
    pipelines.extend(expansion.pipelines);
    derived_cycles(&check, &pipelines);
    let channels = alerting::channels(&check, &raw.channels);
    let sinks = sink::sinks(&mut check, &raw.sinks, &pipelines);
    let rules = rules(&check, &raw, &pipelines);
    let mut charts = charts(&check, &raw.charts, &pipelines);
    charts_distinct(&check, &charts, &expansion.charts);
    charts.extend(expansion.charts);
    let metrics = expansion.metrics;
    unread(&mut check, &pipelines, &rules);
    let warnings = check.warnings;
    if reader.is_clean() {
        let text = text.to_owned();
        Ok(Topology {
            server,
            data,
            state,
            dead,
            sources,
            pipelines,
            rules,
            charts,
            channels,
            sinks,
            metrics,
            text,
            warnings,
        })
    } else {
        Err(reader.into_problems())
    }
}

/// Reports problems and warnings; and the checks that many sections share.
pub struct Check<'a> {
    reader: &'a Reader,
    pub warnings: Vec<Problem>,
}

impl Check<'_> {
    /// `line` 0: the line of the section.
    pub fn problem(&self, place: &Place, member: &str, line: u32, message: impl Into<String>) {
        let line = if line == 0 { place.line } else { line };
        let place = Place { words: place.words.clone(), line, config_lines: Vec::new() };
        self.reader.problem(line, place.member(member), message);
    }

    pub fn warning(&mut self, place: &Place, message: impl Into<String>) {
        self.warnings.push(Problem { place: place.here(), message: message.into() });
    }

    /// Names stand in ids, URLs and file names, therefore few characters. An empty text was reported as missing unless it was written so.
    pub fn name(&self, place: &Place, member: &str, name: &At<String>) -> Arc<str> {
        let text = &name.value;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if text.len() > NAME_BYTES_MAX {
            self.problem(place, member, name.line, format!("is longer than {NAME_BYTES_MAX} characters"));
        } else if let Some(wrong) = text.chars().find(|c| !fits(*c)) {
            let message = format!("has the character {wrong:?}; only a-z, 0-9, `-` and `_` are allowed");
            self.problem(place, member, name.line, message);
        }
        text.as_str().into()
    }

    /// Each name once.
    pub fn distinct(&self, kind: &str, names: &[(&At<String>, &Place)]) {
        let mut first: BTreeMap<&str, u32> = BTreeMap::new();
        for (name, place) in names.iter().filter(|(name, _)| !name.value.is_empty()) {
            match first.get(name.value.as_str()) {
                Some(line) => {
                    let message = format!(
                        "there is already a {kind} `{}` in line {line}; give this one another name",
                        name.value
                    );
                    self.problem(place, "name", name.line, message);
                }
                None => {
                    first.insert(&name.value, name.line);
                }
            }
        }
    }

    pub fn selectors(&self, place: &Place, member: &str, texts: &[At<String>]) -> Vec<Selector> {
        let parsed = texts.iter().filter_map(|text| match text.value.parse() {
            Ok(selector) => Some(selector),
            Err(error) => {
                let message = format!("{error}; write a selector like \"shop/*/request\"");
                self.problem(place, member, text.line, message);
                None
            }
        });
        parsed.collect()
    }

    pub fn triplet(&self, place: &Place, member: &str, text: &At<String>) -> Option<Triplet> {
        if text.value.is_empty() && text.line == place.line {
            return None;
        }
        let parsed = text.value.parse();
        if let Err(error) = &parsed {
            let message = format!("{error}; write one stream, like \"shop/prod/request\"");
            self.problem(place, member, text.line, message);
        }
        parsed.ok()
    }

    pub fn duration_ns(&self, place: &Place, member: &str, text: Option<&At<String>>, default: &str) -> i64 {
        let parsed = measure::duration_ns(text.map_or(default, |text| &text.value));
        parsed.unwrap_or_else(|message| {
            self.problem(place, member, text.map_or(0, |text| text.line), message);
            0
        })
    }

    /// Loopback only, while there is no authentication.
    pub fn listen(&self, place: &Place, text: &At<String>) -> Option<SocketAddr> {
        let numeric = text.value.replace("localhost:", "127.0.0.1:");
        match numeric.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Some(address),
            Ok(address) => {
                let message = format!(
                    "`{address}` is reachable from other machines and there is no authentication yet; use 127.0.0.1:{} \
                     and put a proxy that authenticates before it",
                    address.port()
                );
                self.problem(place, "listen", text.line, message);
                None
            }
            Err(_) => {
                let message =
                    format!("`{}` is not an address; write one like \"127.0.0.1:7171\"", text.value);
                self.problem(place, "listen", text.line, message);
                None
            }
        }
    }

    /// Component name or path.
    pub fn uses(&self, place: &Place, text: &At<String>) -> String {
        if text.value.ends_with(".wasm") {
            if text.value.len() > USES_BYTES_MAX || text.value.chars().any(char::is_control) {
                self.problem(place, "use", text.line, "is too long for a path, or has control characters");
            }
        } else {
            self.name(place, "use", text);
        }
        text.value.clone()
    }
}

fn server(check: &Check<'_>, raw: &raw::Server) -> ServerSpec {
    let place = Place { words: "server".into(), ..raw.place.clone() };
    let default = At { value: DEFAULT_LISTEN.to_owned(), line: 0 };
    let listen = check.listen(&place, raw.listen.as_ref().unwrap_or(&default));
    for host in &raw.hosts {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if host.value.is_empty() || host.value.len() > 253 || !host.value.chars().all(fits) {
            let message = format!(
                "`{}` is not a host name; write it without scheme and port, like \"weir.example.org\"",
                host.value
            );
            check.problem(&place, "hosts", host.line, message);
        }
    }
    ServerSpec {
        listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7070))),
        hosts: raw.hosts.iter().map(|host| host.value.to_ascii_lowercase()).collect(),
    }
}

/// Metrics are one name space for charts, API and queries.
fn metrics_distinct(check: &Check<'_>, pipelines: &[raw::Pipeline], expansion: &metric::Expansion) {
    let series = pipelines.iter().flat_map(|pipeline| &pipeline.series);
    let names: Vec<(&At<String>, &Place)> = series.map(|series| (&series.metric, &series.place)).collect();
    check.distinct("metric", &names);
    let mut written: BTreeSet<&str> = names.iter().map(|(name, _)| name.value.as_str()).collect();
    for series in expansion.pipelines.iter().flat_map(|pipeline| &pipeline.series) {
        if !written.insert(&series.metric) {
            let message =
                format!("gives the series `{}`, which there is already; choose another name", series.metric);
            check.problem(&series.place, "name", 0, message);
        }
    }
}

/// Units of metrics have ids like those of pipelines.
fn ids_distinct(check: &Check<'_>, pipelines: &[PipelineSpec], expansion: &metric::Expansion) {
    let written: BTreeSet<&str> = pipelines.iter().map(|pipeline| &*pipeline.name).collect();
    for metric in &expansion.metrics {
        if written.contains(&*metric.name) || &*metric.name == "rule" {
            let message = "is the name of a pipeline too, and the ids of their units could be the same; choose another name";
            check.problem(&metric.place, "name", 0, message);
        }
    }
    for pipeline in &expansion.pipelines {
        if written.contains(&*pipeline.name) {
            let message = format!(
                "needs the name `{}` for its pipeline; give that pipeline another name",
                pipeline.name
            );
            check.problem(&pipeline.place, "name", 0, message);
        }
    }
}

fn charts_distinct(check: &Check<'_>, written: &[ChartSpec], made: &[ChartSpec]) {
    let known: BTreeSet<&str> = written.iter().map(|chart| &*chart.id).collect();
    for chart in made.iter().filter(|chart| known.contains(&*chart.id)) {
        let message = format!("there is already a chart `{}`; give one of them another name", chart.id);
        check.problem(&chart.place, "name", 0, message);
    }
}

/// A stream that a pipeline derives must not come back to it, by whatever way.
fn derived_cycles(check: &Check<'_>, pipelines: &[PipelineSpec]) {
    let edges = order::derivations(pipelines);
    let cycle = match order::topological(&edges) {
        Ok(order) => return derived_hops(check, pipelines, &edges, &order),
        Err(cycle) => cycle,
    };
    let members: Vec<&PipelineSpec> = cycle.iter().filter_map(|index| pipelines.get(*index)).collect();
    let Some(first) = members.first() else { return };
    let mut path = format!("`{}`", first.name);
    for (from, to) in members.iter().zip(members.iter().cycle().skip(1)) {
        let stream =
            from.streams.iter().find(|stream| to.from.iter().any(|selector| stream.name.feeds(selector)));
        let stream = stream.map_or_else(String::new, |stream| stream.name.to_string());
        path = format!("{path} -> {stream} -> `{}`", to.name);
    }
    let message = format!(
        "feeds itself: {path}; give the derived stream a triplet that no pipeline on this way selects"
    );
    check.problem(&first.place, "stream", 0, message);
}

/// A chain of derived streams that is longer than a batch may travel would lose everything at its end.
fn derived_hops(check: &Check<'_>, pipelines: &[PipelineSpec], edges: &[Vec<usize>], order: &[usize]) {
    let mut hops = vec![0u8; pipelines.len()];
    for node in order {
        let here = hops.get(*node).copied().unwrap_or(0);
        for target in edges.get(*node).into_iter().flatten() {
            if let Some(hop) = hops.get_mut(*target) {
                *hop = (*hop).max(here.saturating_add(1));
            }
        }
    }
    if let Some((pipeline, hops)) = pipelines.iter().zip(&hops).find(|(_, hops)| **hops > HOPS_MAX) {
        let message =
            format!("is fed over {hops} derived streams one after the other; at most {HOPS_MAX} are allowed");
        check.problem(&pipeline.place, "from", 0, message);
    }
}

fn rules(check: &Check<'_>, all: &raw::Configuration, pipelines: &[PipelineSpec]) -> Vec<RuleSpec> {
    let raw = &all.rules;
    let names: Vec<(&At<String>, &Place)> = raw.iter().map(|rule| (&rule.name, &rule.place)).collect();
    check.distinct("rule", &names);
    let rules = raw.iter().map(|raw| {
        let name = check.name(&raw.place, "name", &raw.name);
        let (pipeline, on) =
            rule_on(check, raw, pipelines).unwrap_or((0, PortRef { unit: None, port: None }));
        RuleSpec {
            id: format!("rule/{name}").into(),
            name,
            uses: check.uses(&raw.place, &raw.uses),
            pipeline,
            on,
            config: raw.config.clone(),
            alerts: alerting::alerts(check, raw, &all.channels),
            place: raw.place.clone(),
        }
    });
    rules.collect()
}

fn rule_on(check: &Check<'_>, raw: &raw::Rule, pipelines: &[PipelineSpec]) -> Option<(usize, PortRef)> {
    let on = &raw.on;
    if on.value.is_empty() {
        return None;
    }
    let Some((pipeline_name, port)) = on.value.split_once('/') else {
        let message =
            format!("`{}` is not of the form \"pipeline/unit\" or \"pipeline/unit.port\"", on.value);
        check.problem(&raw.place, "on", on.line, message);
        return None;
    };
    if let Some(found) = on_metric(&on.value, pipelines) {
        return Some(found);
    }
    let Some(index) = pipelines.iter().position(|pipeline| &*pipeline.name == pipeline_name) else {
        let near = hint(pipeline_name, pipelines.iter().map(|pipeline| &*pipeline.name));
        check.problem(&raw.place, "on", on.line, format!("there is no pipeline `{pipeline_name}`{near}"));
        return None;
    };
    let units: Vec<&str> =
        pipelines.get(index).into_iter().flat_map(|p| p.units.iter().map(|unit| &*unit.name)).collect();
    match pipeline::port_ref(port, &units) {
        Ok(port) => Some((index, port)),
        Err(message) => {
            check.problem(&raw.place, "on", on.line, message);
            None
        }
    }
}

/// A unit of a metric has an id that does not begin with its pipeline: `latency/1s` or `latency/1s.late`.
fn on_metric(on: &str, pipelines: &[PipelineSpec]) -> Option<(usize, PortRef)> {
    let (id, port) = on.split_once('.').map_or((on, None), |(id, port)| (id, Some(port)));
    pipelines.iter().enumerate().find_map(|(index, pipeline)| {
        let unit =
            pipeline.units.iter().position(|unit| *unit.id == *id && !id.starts_with(&*pipeline.name))?;
        Some((index, PortRef { unit: Some(unit), port: port.map(str::to_owned) }))
    })
}

fn charts(check: &Check<'_>, raw: &[raw::Chart], pipelines: &[PipelineSpec]) -> Vec<ChartSpec> {
    let ids: Vec<(&At<String>, &Place)> = raw.iter().map(|chart| (&chart.id, &chart.place)).collect();
    check.distinct("chart", &ids);
    let metrics: Vec<&str> =
        pipelines.iter().flat_map(|p| p.series.iter().map(|series| &*series.metric)).collect();
    let charts = raw.iter().map(|raw| {
        let place = &raw.place;
        let metric = &raw.metric;
        if !metric.value.is_empty() && !metrics.contains(&metric.value.as_str()) {
            let near = hint(&metric.value, metrics.iter().copied());
            let message = format!("no pipeline has a series of the metric `{}`{near}", metric.value);
            check.problem(place, "metric", metric.line, message);
        }
        let title = raw.title.as_ref().unwrap_or(&raw.id);
        if title.value.chars().count() > TITLE_CHARS_MAX {
            check.problem(place, "title", title.line, format!("is longer than {TITLE_CHARS_MAX} characters"));
        }
        let window_ns = check.duration_ns(place, "window", raw.window.as_ref(), DEFAULT_WINDOW);
        if window_ns < 1_000_000_000 {
            check.problem(
                place,
                "window",
                raw.window.as_ref().map_or(0, |w| w.line),
                "is shorter than 1 s; write \"1s\" or more",
            );
        }
        ChartSpec {
            id: check.name(place, "id", &raw.id),
            title: title.value.clone(),
            metric: metric.value.as_str().into(),
            uses: check.uses(place, &raw.uses),
            config: raw.config.clone(),
            window_ns,
            place: place.clone(),
        }
    });
    charts.collect()
}

/// Units whose work nobody sees.
fn unread(check: &mut Check<'_>, pipelines: &[PipelineSpec], rules: &[RuleSpec]) {
    for (index, pipeline) in pipelines.iter().enumerate() {
        let read = |unit: usize| {
            let of_unit = |from: &Vec<PortRef>| from.iter().any(|port| port.unit == Some(unit));
            pipeline.units.iter().any(|unit| of_unit(&unit.from))
                || pipeline.series.iter().any(|series| of_unit(&series.from))
                || pipeline.streams.iter().any(|stream| of_unit(&stream.from))
                || rules.iter().any(|rule| rule.pipeline == index && rule.on.unit == Some(unit))
        };
        for (number, unit) in pipeline.units.iter().enumerate() {
            if !read(number) {
                check.warning(&unit.place, "nothing takes its output: no unit, series, stream or rule");
            }
        }
        let has_work =
            !pipeline.units.is_empty() || !pipeline.series.is_empty() || !pipeline.streams.is_empty();
        if !has_work && !rules.iter().any(|rule| rule.pipeline == index) {
            check.warning(&pipeline.place, "has no unit, series, stream or rule, and so does nothing");
        }
    }
}
