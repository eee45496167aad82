//! The configuration as it is written: texts and numbers with their lines, not yet checked against each other.
//!
//! [`read`] is the only place that knows the keys of the file; each struct here is one section and each field one key. Unknown keys, missing ones
//! and wrong types become problems of the reader; reading always goes on, with empty or absent values, so that all are found in one pass.

use serde_json::Value;
use toml::de::DeTable;

pub use self::source::{Dedup, Fields, Idempotency, Source, Tls};
pub use super::reader::At;
use super::reader::{Reader, Section};
use super::{
    CHANNELS_MAX, CHARTS_MAX, COLUMNS_MAX, FROM_MAX, METRIC_ROLLUPS_MAX, METRICS_MAX, PIPELINES_MAX, Place,
    RULES_MAX, SELECTORS_MAX, SERIES_MAX, SINKS_MAX, SOURCES_MAX, STREAMS_MAX, TEXT_BYTES_MAX, UNITS_MAX,
};

mod source;

type Text = At<String>;

#[derive(Debug, Default)]
pub struct Configuration {
    pub server: Server,
    pub data: Data,
    pub state: State,
    pub dead: Dead,
    pub sources: Vec<Source>,
    pub pipelines: Vec<Pipeline>,
    pub rules: Vec<Rule>,
    pub charts: Vec<Chart>,
    pub metrics: Vec<Metric>,
    pub channels: Vec<Channel>,
    pub sinks: Vec<Sink>,
}

#[derive(Debug, Default)]
pub struct Server {
    pub place: Place,
    pub listen: Option<Text>,
    pub hosts: Vec<Text>,
}

#[derive(Debug, Default)]
pub struct Data {
    pub place: Place,
    pub dir: Option<Text>,
    pub durable: Option<At<bool>>,
    pub keep_age: Option<Text>,
    pub keep_bytes: Option<Text>,
}

#[derive(Debug, Default)]
pub struct State {
    pub place: Place,
    pub engine: Option<Text>,
    pub replay: Option<Text>,
}

#[derive(Debug, Default)]
pub struct Dead {
    pub place: Place,
    pub keep_rows: Option<At<i64>>,
    pub keep_bytes: Option<Text>,
    pub keep_age: Option<Text>,
}

#[derive(Debug)]
pub struct Pipeline {
    pub place: Place,
    pub name: Text,
    pub from: Option<Vec<Text>>,
    pub lateness: Option<Text>,
    pub lanes: Lanes,
    pub lag: Lag,
    pub units: Vec<Unit>,
    pub series: Vec<Series>,
    pub streams: Vec<Stream>,
}

#[derive(Debug, Default)]
pub struct Lanes {
    pub place: Place,
    pub count: Option<At<i64>>,
    pub by: Vec<Text>,
}

#[derive(Debug, Default)]
pub struct Lag {
    pub place: Place,
    pub bytes: Option<Text>,
    pub seconds: Option<At<f64>>,
    pub beyond: Option<Text>,
}

#[derive(Debug)]
pub struct Unit {
    pub place: Place,
    pub name: Text,
    pub uses: Text,
    pub from: Option<Vec<Text>>,
    pub config: Value,
    pub on_open_circuit: Option<Text>,
}

#[derive(Debug)]
pub struct Series {
    pub place: Place,
    pub metric: Text,
    pub from: Option<Vec<Text>>,
    pub labels: Option<Vec<Text>>,
    pub fields: Option<Vec<Text>>,
    pub keep_points: Option<At<i64>>,
}

#[derive(Debug)]
pub struct Stream {
    pub place: Place,
    pub triplet: Text,
    pub type_by: Option<Text>,
    pub types: Option<At<i64>>,
    pub from: Option<Vec<Text>>,
}

#[derive(Debug)]
pub struct Rule {
    pub place: Place,
    pub name: Text,
    pub uses: Text,
    pub on: Text,
    pub config: Value,
    /// `for`
    pub for_: Option<Text>,
    pub keep_firing: Option<Text>,
    pub forget: Option<Text>,
    pub flap: Flap,
    pub labels: Value,
    pub annotations: Value,
    pub channels: Option<Vec<Text>>,
}

#[derive(Debug, Default)]
pub struct Flap {
    pub place: Place,
    pub changes: Option<At<i64>>,
    pub within: Option<Text>,
}

#[derive(Debug)]
pub struct Channel {
    pub place: Place,
    pub name: Text,
    pub kind: Text,
    pub url: Text,
    pub level: Option<Text>,
    pub resolved: Option<At<bool>>,
    pub timeout: Option<Text>,
    pub give_up_after: Option<Text>,
}

#[derive(Debug)]
pub struct Sink {
    pub place: Place,
    pub name: Text,
    pub kind: Text,
    pub from: Option<Vec<Text>>,
    pub dir: Option<Text>,
    pub rows: Option<At<i64>>,
    pub bytes: Option<Text>,
    pub every: Option<Text>,
}

#[derive(Debug)]
pub struct Chart {
    pub place: Place,
    pub id: Text,
    pub title: Option<Text>,
    pub metric: Text,
    pub uses: Text,
    pub config: Value,
    pub window: Option<Text>,
}

#[derive(Debug)]
pub struct Metric {
    pub place: Place,
    pub name: Text,
    pub from: Option<Vec<Text>>,
    /// `where`
    pub filter: Option<Text>,
    pub key: Vec<Text>,
    /// A text, or texts by name.
    pub value: Option<At<Value>>,
    pub lateness: Option<Text>,
    pub rollups: Vec<Rollup>,
    pub chart: Option<At<Value>>,
    pub backfill: Option<Text>,
}

#[derive(Debug)]
pub struct Rollup {
    pub place: Place,
    pub name: Option<Text>,
    pub window: Option<Text>,
    /// A text or a list of them.
    pub is: Option<At<Value>>,
    pub keep: Option<At<i64>>,
    pub config: Value,
}

/// Reads all of it. Text that is not TOML is told with all its errors and gives an empty configuration, because what follows would be noise.
pub fn read(reader: &Reader, text: &str) -> Configuration {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("is {} bytes long; at most {TEXT_BYTES_MAX} are allowed", text.len());
        reader.problem(0, "configuration".into(), message);
        return Configuration::default();
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let (line, column) = error.span().map_or((0, 0), |span| reader.spot(text, span.start));
        reader.problem(
            line,
            format!("TOML (line {line}, column {column})"),
            error.message().trim().replace('\n', ", "),
        );
    }
    if !errors.is_empty() {
        return Configuration::default();
    }
    let mut top = Section::new(reader, "", 1, document.get_ref());
    let configuration = Configuration {
        server: top.table("server").map(server).unwrap_or_default(),
        data: top.table("data").map(data).unwrap_or_default(),
        state: top.table("state").map(state).unwrap_or_default(),
        dead: top.table("dead").map(dead).unwrap_or_default(),
        sources: top.tables("source", SOURCES_MAX).into_iter().map(source::source).collect(),
        pipelines: top.tables("pipeline", PIPELINES_MAX).into_iter().map(pipeline).collect(),
        rules: top.tables("rule", RULES_MAX).into_iter().map(rule).collect(),
        charts: top.tables("chart", CHARTS_MAX).into_iter().map(chart).collect(),
        metrics: top.tables("metric", METRICS_MAX).into_iter().map(metric).collect(),
        channels: top.tables("channel", CHANNELS_MAX).into_iter().map(channel).collect(),
        sinks: top.tables("sink", SINKS_MAX).into_iter().map(sink).collect(),
    };
    top.finish();
    configuration
}

/// From here on the section is called by its name.
fn call(section: &mut Section<'_>, prefix: &str, kind: &str, name: &At<String>) {
    if !name.value.is_empty() {
        let short: String = name.value.chars().take(80).collect();
        section.place.words = format!("{prefix}{kind} \"{short}\"");
    }
}

fn server(mut section: Section<'_>) -> Server {
    let listen = section.text("listen");
    let hosts = section.texts("hosts", 64).unwrap_or_default();
    Server { listen, hosts, place: section.finish() }
}

fn data(mut section: Section<'_>) -> Data {
    let dir = section.text("dir");
    let durable = section.flag("durable");
    let (keep_age, keep_bytes) = (section.text("keep_age"), section.text("keep_bytes"));
    Data { dir, durable, keep_age, keep_bytes, place: section.finish() }
}

fn state(mut section: Section<'_>) -> State {
    let engine = section.text("engine");
    let replay = section.text("replay");
    State { engine, replay, place: section.finish() }
}

fn dead(mut section: Section<'_>) -> Dead {
    let keep_rows = section.integer("keep_rows");
    let (keep_bytes, keep_age) = (section.text("keep_bytes"), section.text("keep_age"));
    Dead { keep_rows, keep_bytes, keep_age, place: section.finish() }
}

fn pipeline(mut section: Section<'_>) -> Pipeline {
    let name = section.required("name", "\"requests\"");
    call(&mut section, "", "pipeline", &name);
    let prefix = format!("{}, ", section.place.words);
    Pipeline {
        from: section.texts("from", SELECTORS_MAX),
        lateness: section.text("lateness"),
        lanes: section.table("lanes").map(lanes).unwrap_or_default(),
        lag: section.table("lag").map(lag).unwrap_or_default(),
        units: section.tables("unit", UNITS_MAX).into_iter().map(|unit_| unit(unit_, &prefix)).collect(),
        series: section
            .tables("series", SERIES_MAX)
            .into_iter()
            .map(|series_| series(series_, &prefix))
            .collect(),
        streams: section
            .tables("stream", STREAMS_MAX)
            .into_iter()
            .map(|stream_| stream(stream_, &prefix))
            .collect(),
        name,
        place: section.finish(),
    }
}

fn lanes(mut section: Section<'_>) -> Lanes {
    let count = section.integer("count");
    let by = section.texts("by", COLUMNS_MAX).unwrap_or_default();
    Lanes { count, by, place: section.finish() }
}

fn lag(mut section: Section<'_>) -> Lag {
    let bytes = section.text("bytes");
    let seconds = section.number("seconds");
    let beyond = section.text("beyond");
    Lag { bytes, seconds, beyond, place: section.finish() }
}

fn unit(mut section: Section<'_>, prefix: &str) -> Unit {
    let name = section.required("name", "\"slow\"");
    call(&mut section, prefix, "unit", &name);
    let uses = section.required("use", "\"filter\" (a component's name, or a path to a .wasm file)");
    let from = section.texts("from", FROM_MAX);
    let config = section.json("config");
    let on_open_circuit = section.text("on_open_circuit");
    Unit { name, uses, from, config, on_open_circuit, place: section.finish() }
}

fn series(mut section: Section<'_>, prefix: &str) -> Series {
    let metric = section.required("metric", "\"slow_requests\"");
    call(&mut section, prefix, "series", &metric);
    let from = section.texts("from", FROM_MAX);
    let labels = section.texts("labels", COLUMNS_MAX);
    let fields = section.texts("fields", COLUMNS_MAX);
    let keep_points = section.integer("keep_points");
    Series { metric, from, labels, fields, keep_points, place: section.finish() }
}

fn stream(mut section: Section<'_>, prefix: &str) -> Stream {
    let triplet = section.required("triplet", "\"shop/prod/slow\"");
    call(&mut section, prefix, "stream", &triplet);
    let type_by = section.text("type_by");
    let types = section.integer("types");
    let from = section.texts("from", FROM_MAX);
    Stream { triplet, type_by, types, from, place: section.finish() }
}

fn rule(mut section: Section<'_>) -> Rule {
    let name = section.required("name", "\"too-slow\"");
    call(&mut section, "", "rule", &name);
    let uses = section.required("use", "\"threshold\"");
    let on = section.required("on", "\"pipeline/unit\"");
    let for_ = section.text("for");
    let keep_firing = section.text("keep_firing");
    let forget = section.text("forget");
    let flap = section.table("flap").map(flap).unwrap_or_default();
    let labels = section.json("labels");
    let annotations = section.json("annotations");
    let channels = section.texts("channels", CHANNELS_MAX);
    // The lines that the place keeps are those of the configuration.
    section.place.config_lines.clear();
    let config = section.json("config");
    let place = section.finish();
    Rule { name, uses, on, config, for_, keep_firing, forget, flap, labels, annotations, channels, place }
}

fn flap(mut section: Section<'_>) -> Flap {
    let changes = section.integer("changes");
    let within = section.text("within");
    Flap { changes, within, place: section.finish() }
}

fn channel(mut section: Section<'_>) -> Channel {
    let name = section.required("name", "\"on-call\"");
    call(&mut section, "", "channel", &name);
    let kind = section.required("kind", "\"webhook\"");
    let url = section.required("url", "\"http://127.0.0.1:9094/alerts\"");
    let level = section.text("level");
    let resolved = section.flag("resolved");
    let timeout = section.text("timeout");
    let give_up_after = section.text("give_up_after");
    Channel { name, kind, url, level, resolved, timeout, give_up_after, place: section.finish() }
}

fn sink(mut section: Section<'_>) -> Sink {
    let name = section.required("name", "\"slow\"");
    call(&mut section, "", "sink", &name);
    let kind = section.required("kind", "\"file\"");
    let from = section.texts("from", SELECTORS_MAX);
    let dir = section.text("dir");
    let rows = section.integer("rows");
    let bytes = section.text("bytes");
    let every = section.text("every");
    Sink { name, kind, from, dir, rows, bytes, every, place: section.finish() }
}

fn chart(mut section: Section<'_>) -> Chart {
    let id = section.required("id", "\"slow-requests\"");
    call(&mut section, "", "chart", &id);
    let title = section.text("title");
    let metric = section.required("metric", "\"slow_requests\"");
    let uses = section.required("use", "\"timeseries\"");
    let config = section.json("config");
    let window = section.text("window");
    Chart { id, title, metric, uses, config, window, place: section.finish() }
}

fn metric(mut section: Section<'_>) -> Metric {
    let name = section.required("name", "\"latency\"");
    call(&mut section, "", "metric", &name);
    Metric {
        from: section.texts("from", SELECTORS_MAX),
        filter: section.text("where"),
        key: section.texts("key", COLUMNS_MAX).unwrap_or_default(),
        value: section.free("value"),
        lateness: section.text("lateness"),
        rollups: section.tables("rollup", METRIC_ROLLUPS_MAX).into_iter().map(rollup).collect(),
        chart: section.free("chart"),
        backfill: section.text("backfill"),
        name,
        place: section.finish(),
    }
}

fn rollup(mut section: Section<'_>) -> Rollup {
    let name = section.text("name");
    let window = section.text("window");
    let is = section.free("is");
    let keep = section.integer("keep");
    let config = section.json("config");
    Rollup { name, window, is, keep, config, place: section.finish() }
}
