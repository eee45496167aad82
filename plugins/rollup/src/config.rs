//! The configuration of a rollup: JSON in, checked into types, and the plan that follows from it.
//!
//! In: JSON that already fits the schema. Out: [`Config`], or all that is wrong with it as [`Complaint`]s (JSON pointer and what would be right);
//! and the answers of `describe` and `plan`. Durations are texts such as "250ms", "1s", "5m".
//! Limits: windows and gaps from 1 ms to 366 days, lateness up to 366 days, at most [`PANES_MAX`] slides in a window, 1 to 64 results.

use serde_json::{Map, Value, json};
use weir_fold::function::{self, AGGREGATES_MAX, Aggregate, Function};
use weir_fold::layout::Layout;
use weir_fold::windows::Shape;
use weir_text::parse_duration_ns;

const WINDOW_MIN_NS: i64 = 1_000_000;
const DURATION_MAX_NS: i64 = 366 * 86_400_000_000_000;
/// Slides in a window: each window that closes reads and merges as many panes.
pub const PANES_MAX: i64 = 64;

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub keys: Vec<String>,
    pub shape: Windowing,
    pub aggregates: Vec<Aggregate>,
    pub across: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windowing {
    Windows(Shape),
    Sessions { gap_ns: i64, lateness_ns: i64 },
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    pub path: String,
    pub message: String,
}

/// What `describe` answers.
pub fn describe() -> String {
    json!({
        "name": "rollup",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "One row per key and window of event time: counts, sums, percentiles, distinct values and more",
        "kind": "rollup",
        "requires": [],
        "config": schema(),
        "state": { "schema": 2, "migrates": [] },
    })
    .to_string()
}

fn schema() -> Value {
    let duration = |title: &str, about: &str, examples: Value| json!({ "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "title": title, "description": about, "examples": examples });
    let mut lateness = duration(
        "Lateness",
        "How long a window stays open after the stream's watermark has reached its end. Rows that come later leave on the port `late`.",
        json!(["2s"]),
    );
    if let Some(lateness) = lateness.as_object_mut() {
        lateness.insert("default".to_owned(), json!("0s"));
    }
    json!({
        "type": "object",
        "title": "Rollup",
        "description": "Groups rows by key and by windows of event time, and gives one row for each when it is complete, at the start of the window and with the key's \
            columns. Give `window` for windows of one length, also `slide` for windows that overlap, or `gap` for sessions. A window closes when the stream's \
            watermark has passed its end and the lateness. Where the configuration has `early`, provisional rows with the column `provisional` true come while the window is \
            open, at the same time and with the same key, so that the final row replaces them in a series; the final rows do not depend on them.",
        "additionalProperties": false,
        "required": ["aggregates"],
        "properties": {
            "keys": {
                "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true,
                "default": [], "title": "Key",
                "description": "Columns whose values make the key; none: one window for all rows of a stream.", "examples": [["host"], ["method", "status"]]
            },
            "window": duration("Window", "Length of a window. Windows are aligned to 1970 in UTC: one of a minute begins with the minute.", json!(["10s", "1m"])),
            "slide": duration("Slide", "For windows that overlap: one begins each time this has passed. The window must be a multiple of it, at most 64 times as long.", json!(["10s"])),
            "gap": duration("Session gap", "Instead of `window`: sessions, which last as long as the events of a key come at most this far apart. The row's time is that of the first event; \
                the result `duration` tells how long it lasted.", json!(["30m"])),
            "lateness": lateness,
            "early": duration("Early results", "How often, in event time, windows that are still open give a provisional row. Of windows that do not overlap only.", json!(["5s"])),
            "aggregates": function::schema(&["count", "rate", "duration"], " rate: the sum, or the count of rows, per second of the window. duration: seconds from first to last event.", false),
            "across": {
                "type": "boolean", "default": false, "title": "Across streams",
                "description": "One key space for all streams of the pipeline instead of one for each."
            }
        },
        "examples": [
            { "keys": ["host"], "window": "10s", "aggregates": { "n": "count", "p99_ms": { "of": "latency_ms", "is": "p99" }, "users": { "of": "user", "is": "distinct" } } },
            { "window": "5m", "slide": "10s", "aggregates": { "rate": "rate", "mean_ms": { "of": "latency_ms", "is": "mean" } } },
            { "keys": ["user"], "gap": "30m", "aggregates": { "events": "count", "seconds": "duration", "first_path": { "of": "path", "is": "top", "k": 1 } } },
            { "window": "1m", "early": "5s", "lateness": "2s", "aggregates": { "n": "count" } }
        ]
    })
}

impl Config {
    pub fn parse(json: &str) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let config: Value = match serde_json::from_str(json) {
            Ok(config) => config,
            Err(error) => return Err(vec![complaint("", format!("is no JSON: {error}"))]),
        };
        let keys: Vec<String> = config
            .get("keys")
            .and_then(Value::as_array)
            .map(|keys| keys.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        let shape = windowing(&config, &mut complaints);
        let is_early = config.get("early").is_some();
        let aggregates = aggregates(&config, &keys, is_early, &mut complaints);
        if let Some(Windowing::Sessions { .. }) = shape {
            let is_rate = |aggregate: &&Aggregate| aggregate.is == Function::Rate;
            for aggregate in aggregates.iter().filter(is_rate) {
                let path = format!("/aggregates/{}", escaped(&aggregate.name));
                complaints.push(complaint(
                    &path,
                    "a session has no length of its own: use count or sum, and duration".to_owned(),
                ));
            }
        }
        let across = config.get("across").and_then(Value::as_bool).unwrap_or(false);
        match shape {
            Some(shape) if complaints.is_empty() => Ok(Self { keys, shape, aggregates, across }),
            _ => Err(complaints),
        }
    }

    pub fn layout(&self) -> Layout {
        let window_ns = match self.shape {
            Windowing::Windows(shape) => shape.window_ns,
            Windowing::Sessions { .. } => 0,
        };
        Layout::new(&self.aggregates, window_ns)
    }

    pub fn is_early(&self) -> bool {
        matches!(self.shape, Windowing::Windows(shape) if shape.early_ns > 0)
    }

    /// What `plan` answers.
    pub fn plan(&self) -> String {
        let layout = self.layout();
        let read = |(name, is_number): (&str, bool)| json!({ "name": name, "kind": if is_number { "f64s" } else { "any" }, "optional": true });
        let reads: Vec<Value> = layout.reads().into_iter().map(read).collect();
        // A row comes out when the watermark is that far behind it, at least: units after this one wait as long before they call it late.
        let delay_ns = match self.shape {
            Windowing::Windows(shape) => shape.window_ns + shape.lateness_ns,
            // A session may last for ever; what is behind it must bring its own lateness.
            Windowing::Sessions { gap_ns, lateness_ns } => gap_ns + lateness_ns,
        };
        json!({
            "reads": reads,
            "keys": self.keys,
            "across": self.across,
            "ports": [
                { "name": "out", "summary": "one row per key and window, at the start of the window" },
                { "name": "late", "summary": "rows that came after their window had closed, as they were" }
            ],
            "delay": format!("{delay_ns}ns"),
            "tables": [{ "name": "windows", "by": "key", "size": layout.bytes() }, { "name": "sketches", "by": "key" }],
            // Of rows that are not late: which rows are late depends on the watermark, and that moves between records. Provisional rows show what has
            // come so far, and so depend on the cut.
            "cut_invariant": !self.is_early(),
        })
        .to_string()
    }
}

fn windowing(config: &Value, complaints: &mut Vec<Complaint>) -> Option<Windowing> {
    let mut optional = |name: &str, min_ns: i64| duration(config, name, min_ns, complaints);
    let window_ns = optional("window", WINDOW_MIN_NS);
    let slide_ns = optional("slide", WINDOW_MIN_NS);
    let gap_ns = optional("gap", WINDOW_MIN_NS);
    let early_ns = optional("early", WINDOW_MIN_NS);
    let lateness_ns = optional("lateness", 0).map(|lateness| lateness.unwrap_or(0));
    let mut wrong = |path: &str, message: &str| complaints.push(complaint(path, message.to_owned()));
    let has = |name: &str| config.get(name).is_some();
    if has("window") && has("gap") {
        wrong("/gap", "goes instead of `window`, not beside it: leave one of them out");
    } else if !has("window") && !has("gap") {
        wrong("/window", "is missing: a duration such as \"1s\", or `gap` for sessions");
    }
    if has("gap") {
        for name in ["slide", "early"].into_iter().filter(|name| has(name)) {
            wrong(&format!("/{name}"), "goes with `window`, not with sessions");
        }
        let (gap_ns, lateness_ns) = (gap_ns??, lateness_ns?);
        return Some(Windowing::Sessions { gap_ns, lateness_ns });
    }
    if has("slide") && has("early") {
        wrong("/early", "goes with windows that do not overlap; one that slides gives a row at each slide");
    }
    let window_ns = window_ns??;
    let slide_ns = slide_ns?.unwrap_or(window_ns);
    if window_ns % slide_ns != 0 || window_ns / slide_ns > PANES_MAX {
        wrong("/slide", "the window must be a multiple of the slide, at most 64 times as long");
    }
    let early_ns = early_ns?.unwrap_or(0);
    Some(Windowing::Windows(Shape { window_ns, slide_ns, lateness_ns: lateness_ns?, early_ns }))
}

fn aggregates(
    config: &Value,
    keys: &[String],
    is_early: bool,
    complaints: &mut Vec<Complaint>,
) -> Vec<Aggregate> {
    let none = Map::new();
    let configured = config.get("aggregates").and_then(Value::as_object).unwrap_or(&none);
    if configured.is_empty() || configured.len() > AGGREGATES_MAX {
        let message = format!("wants 1 to {AGGREGATES_MAX} aggregates, such as {{\"n\": \"count\"}}");
        complaints.push(complaint("/aggregates", message));
    }
    let mut aggregates = Vec::new();
    for (name, what) in configured {
        let path = format!("/aggregates/{}", escaped(name));
        if name == "time" || name.is_empty() || keys.contains(name) || (is_early && name == "provisional") {
            let message = "this name is taken (\"time\", a key, \"provisional\") or empty: name the aggregate otherwise";
            complaints.push(complaint(&path, message.to_owned()));
            continue;
        }
        match Aggregate::parse(name, what) {
            Ok(aggregate) => aggregates.push(aggregate),
            Err(message) => complaints.push(complaint(&path, message)),
        }
    }
    aggregates
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// `Some(None)` where it is not configured, none where it is wrong.
fn duration(config: &Value, name: &str, min_ns: i64, complaints: &mut Vec<Complaint>) -> Option<Option<i64>> {
    let Some(text) = config.get(name).and_then(Value::as_str) else { return Some(None) };
    let ns = parse_duration_ns(text).filter(|ns| (min_ns..=DURATION_MAX_NS).contains(ns));
    if ns.is_none() {
        let least = if min_ns == 0 { "0s" } else { "1ms" };
        let message =
            format!("\"{text}\" is no duration from {least} to 366d, such as \"250ms\", \"1s\", \"5m\"");
        complaints.push(complaint(&format!("/{name}"), message));
    }
    ns.map(Some)
}

fn complaint(path: &str, message: String) -> Complaint {
    Complaint { path: path.to_owned(), message }
}
