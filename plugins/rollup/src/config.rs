//! The configuration of a rollup: JSON in, checked into types, and the plan that follows from it.
//!
//! In: JSON that already fits [`SCHEMA`]. Out: [`Config`], or all that is wrong with it as [`Complaint`]s (JSON pointer and what would be right);
//! and the answers of `describe` and `plan`. Durations are texts such as "250ms", "1s", "5m".
//! Limits: windows from 1 ms to 366 days, lateness up to 366 days, 1 to [`AGGREGATES_MAX`] aggregates.

use serde_json::{Map, Value, json};
use weir_text::parse_duration_ns;

use crate::layout::{AGGREGATES_MAX, Aggregate, Function, Layout};

const WINDOW_MIN_NS: i64 = 1_000_000;
const DURATION_MAX_NS: i64 = 366 * 86_400_000_000_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub keys: Vec<String>,
    pub window_ns: i64,
    pub lateness_ns: i64,
    pub aggregates: Vec<Aggregate>,
    pub across: bool,
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
        "summary": "count, sum, min, max, mean, last and rate per key and tumbling window of event time; late rows go to the port late",
        "kind": "rollup",
        "requires": [],
        "config": schema(),
        "state": { "schema": 1, "migrates": [] },
    })
    .to_string()
}

fn schema() -> Value {
    let duration = |default: &str, about: &str| json!({ "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "default": default, "description": about });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["window", "aggregates"],
        "properties": {
            "keys": {
                "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true,
                "default": [], "description": "columns whose values make the key; none: one window for all rows of a stream"
            },
            "window": duration("1s", "length of a window; windows are aligned to 1970"),
            "lateness": duration("0s", "how long a window stays open after the stream's watermark has reached its end"),
            "aggregates": {
                "type": "object", "minProperties": 1, "maxProperties": AGGREGATES_MAX,
                "description": "name of the column that comes out, and what it is: \"count\", \"rate\", or of a column {\"of\": \"latency_ms\", \"is\": \"mean\"}",
                "additionalProperties": {
                    "anyOf": [
                        { "enum": ["count", "rate"] },
                        {
                            "type": "object", "additionalProperties": false, "required": ["of", "is"],
                            "properties": { "of": { "type": "string", "minLength": 1 }, "is": { "enum": Function::NAMES } }
                        }
                    ]
                }
            },
            "across": {
                "type": "boolean", "default": false,
                "description": "one key space for all streams of the pipeline instead of one for each"
            }
        }
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
        let window_ns = duration(&config, "window", WINDOW_MIN_NS, None, &mut complaints);
        let lateness_ns = duration(&config, "lateness", 0, Some(0), &mut complaints);
        let aggregates = aggregates(&config, &keys, &mut complaints);
        let across = config.get("across").and_then(Value::as_bool).unwrap_or(false);
        match (window_ns, lateness_ns) {
            (Some(window_ns), Some(lateness_ns)) if complaints.is_empty() => {
                Ok(Self { keys, window_ns, lateness_ns, aggregates, across })
            }
            _ => Err(complaints),
        }
    }

    pub fn layout(&self) -> Layout {
        Layout::new(&self.aggregates, self.window_ns)
    }

    /// What `plan` answers.
    pub fn plan(&self) -> String {
        let layout = self.layout();
        let reads: Vec<Value> = layout
            .columns
            .iter()
            .map(|column| json!({ "name": column.name, "kind": "f64s", "optional": true }))
            .collect();
        json!({
            "reads": reads,
            "keys": self.keys,
            "across": self.across,
            "ports": [
                { "name": "out", "summary": "one row per key and window, at the start of the window" },
                { "name": "late", "summary": "rows that came after their window had closed, as they were" }
            ],
            "tables": [{ "name": "windows", "by": "key", "size": layout.bytes() }],
            // Of rows that are not late: which rows are late depends on the watermark, and that moves between records.
            "cut_invariant": true,
        })
        .to_string()
    }
}

fn aggregates(config: &Value, keys: &[String], complaints: &mut Vec<Complaint>) -> Vec<Aggregate> {
    let none = Map::new();
    let configured = config.get("aggregates").and_then(Value::as_object).unwrap_or(&none);
    if configured.is_empty() || configured.len() > AGGREGATES_MAX {
        let message = format!("wants 1 to {AGGREGATES_MAX} aggregates, such as {{\"n\": \"count\"}}");
        complaints.push(complaint("/aggregates", message));
    }
    let mut aggregates = Vec::new();
    for (name, what) in configured {
        let path = format!("/aggregates/{}", name.replace('~', "~0").replace('/', "~1"));
        if name == "time" || name.is_empty() || keys.contains(name) {
            let message = "this name is taken (\"time\", a key) or empty: name the aggregate otherwise";
            complaints.push(complaint(&path, message.to_owned()));
            continue;
        }
        match aggregate(name, what) {
            Ok(aggregate) => aggregates.push(aggregate),
            Err(message) => complaints.push(complaint(&path, message)),
        }
    }
    aggregates
}

fn aggregate(name: &str, what: &Value) -> Result<Aggregate, String> {
    let (of, is) = match what {
        Value::String(is) => (None, is.as_str()),
        Value::Object(parts) => {
            let of = parts.get("of").and_then(Value::as_str).filter(|of| !of.is_empty() && *of != "time");
            let of = of.ok_or("\"of\" wants the name of a column with numbers")?;
            (Some(of), parts.get("is").and_then(Value::as_str).unwrap_or_default())
        }
        _ => return Err("wants \"count\", \"rate\" or {\"of\": column, \"is\": function}".to_owned()),
    };
    let names = Function::NAMES.join(", ");
    let is = Function::parse(is).ok_or_else(|| format!("\"{is}\" is none of {names}"))?;
    if of.is_none() && !matches!(is, Function::Count | Function::Rate) {
        return Err(
            "only count and rate go without a column: write {\"of\": column, \"is\": function}".to_owned()
        );
    }
    Ok(Aggregate { name: name.to_owned(), of: of.map(str::to_owned), is })
}

fn duration(
    config: &Value,
    name: &str,
    min_ns: i64,
    default_ns: Option<i64>,
    complaints: &mut Vec<Complaint>,
) -> Option<i64> {
    let text = config.get(name).and_then(Value::as_str);
    let Some(text) = text else {
        if default_ns.is_none() {
            complaints
                .push(complaint(&format!("/{name}"), "is missing: a duration such as \"1s\"".to_owned()));
        }
        return default_ns;
    };
    let ns = parse_duration_ns(text).filter(|ns| (min_ns..=DURATION_MAX_NS).contains(ns));
    if ns.is_none() {
        let least = if min_ns == 0 { "0s" } else { "1ms" };
        let message =
            format!("\"{text}\" is no duration from {least} to 366d, such as \"250ms\", \"1s\", \"5m\"");
        complaints.push(complaint(&format!("/{name}"), message));
    }
    ns
}

fn complaint(path: &str, message: String) -> Complaint {
    Complaint { path: path.to_owned(), message }
}
