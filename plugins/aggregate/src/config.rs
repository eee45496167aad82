//! The configuration of an aggregate: JSON into types, with every complaint at once, and the answers of `describe` and `plan`.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use weir_fold::function::{self, AGGREGATES_MAX, Aggregate, Function};
use weir_fold::layout::Layout;
use weir_sdk::{Complaint, Plan, Read, Table};
use weir_text::parse_duration_ns;

const DURATION_MAX_NS: i64 = 366 * 86_400_000_000_000;
const DURATION_MIN_NS: i64 = 1_000_000;
pub const EVERY_MAX: u64 = 1_000_000_000;

/// When rows come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emit {
    Batch,
    Change,
    /// At each such event of a key.
    Every(u64),
    /// In ns of event time.
    Pace(i64),
}

#[derive(Debug)]
pub struct Config {
    pub keys: Vec<String>,
    pub aggregates: Vec<Aggregate>,
    pub emit: Emit,
    /// 0: never.
    pub forget_ns: i64,
    pub across: bool,
}

/// The schema as text, made once.
pub fn schema() -> &'static str {
    static SCHEMA: LazyLock<String> = LazyLock::new(|| value().to_string());
    &SCHEMA
}

fn value() -> Value {
    json!({
        "type": "object",
        "title": "Aggregate",
        "description": "Keeps results for each key that run on from its first event: a count, a sum, percentiles, the most frequent values and more, without windows. \
            Rows with the key's columns and the results so far come out as `emit` says.",
        "additionalProperties": false,
        "required": ["aggregates"],
        "properties": {
            "keys": {
                "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true, "default": [], "title": "Key",
                "description": "Columns whose values make the key; none: one state for all rows of a stream.", "examples": [["user"]]
            },
            "aggregates": function::schema(&["count", "duration"], " duration: seconds from first to last event. initial, next: a number that an expression carries on from event to event.", true),
            "emit": {
                "enum": ["batch", "change", "count", "time"], "default": "batch", "title": "When",
                "description": "batch: a row for each key of a batch, at the time of the key's last event in it. change: the same, but only where a result changed. \
                    count: at each Nth event of a key, see `every`. time: at a pace of event time, see `interval`, for keys that had events since."
            },
            "every": {
                "type": "integer", "minimum": 1, "maximum": EVERY_MAX, "default": 100, "title": "Every N events",
                "description": "With `emit = \"count\"`: how many events of a key lie between two rows. 1 gives a row for each event."
            },
            "interval": {
                "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "default": "10s", "title": "Interval",
                "description": "With `emit = \"time\"`: the pace, from 1 ms on, aligned to 1970 in UTC."
            },
            "forget": {
                "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "title": "Forget after",
                "description": "A key is forgotten when the stream's watermark has passed its newest event by that much; its next event begins anew. The watermark moves behind each batch, so an event that itself brings it so far still belongs to what was. Without it a key is kept for ever, so give it where keys come and go.",
                "examples": ["1h"]
            },
            "across": {
                "type": "boolean", "default": false, "title": "Across streams",
                "description": "One key space for all streams of the pipeline instead of one for each."
            }
        },
        "examples": [
            { "keys": ["user"], "aggregates": { "n": "count", "spent": { "of": "price", "is": "sum" } }, "forget": "1d" },
            { "keys": ["sensor"], "emit": "count", "every": 10, "aggregates": { "mean": { "of": "value", "is": "mean" }, "p95": { "of": "value", "is": "p95" } } },
            { "keys": ["host"], "aggregates": { "smooth_ms": { "initial": 0, "next": "state * 0.9 + latency_ms * 0.1" } } },
            { "emit": "time", "interval": "1m", "aggregates": { "paths": { "of": "path", "is": "top", "k": 5 }, "sizes": { "of": "bytes", "is": "histogram", "bounds": [1000, 10000, 100000] } } }
        ]
    })
}

impl Config {
    pub fn parse(config: &Value) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let text = |name: &str| config.get(name).and_then(Value::as_str);
        let list = config.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys: Vec<String> = list.filter_map(Value::as_str).map(str::to_owned).collect();
        let mut duration = |name: &str, default: i64| match text(name) {
            None => default,
            Some(text) => {
                let ns =
                    parse_duration_ns(text).filter(|ns| (DURATION_MIN_NS..=DURATION_MAX_NS).contains(ns));
                if ns.is_none() {
                    let message =
                        format!("\"{text}\" is no duration from 1ms to 366d, such as \"10s\", \"1h\"");
                    complaints.push(Complaint::new(&format!("/{name}"), message));
                }
                ns.unwrap_or(default)
            }
        };
        let (interval_ns, forget_ns) = (duration("interval", 10_000_000_000), duration("forget", 0));
        let every = config
            .get("every")
            .map_or(Some(100), Value::as_u64)
            .filter(|every| (1..=EVERY_MAX).contains(every));
        if every.is_none() {
            complaints.push(Complaint::new("/every", format!("wants a whole number from 1 to {EVERY_MAX}")));
        }
        let emit = match text("emit").unwrap_or("batch") {
            "batch" => Emit::Batch,
            "change" => Emit::Change,
            "count" => Emit::Every(every.unwrap_or(1)),
            "time" => Emit::Pace(interval_ns),
            other => {
                complaints.push(Complaint::new(
                    "/emit",
                    format!("\"{other}\" is none of batch, change, count, time"),
                ));
                Emit::Batch
            }
        };
        let aggregates = aggregates(config, &keys, &mut complaints);
        let across = config.get("across").and_then(Value::as_bool).unwrap_or(false);
        if complaints.is_empty() {
            Ok(Self { keys, aggregates, emit, forget_ns, across })
        } else {
            Err(complaints)
        }
    }

    pub fn layout(&self) -> Layout {
        Layout::new(&self.aggregates, 0)
    }

    pub fn plan(&self) -> Plan {
        let layout = self.layout();
        let read =
            |(name, is_number): (&str, bool)| Read::optional(name, if is_number { "f64s" } else { "any" });
        let reads: Vec<Read> = layout.reads().into_iter().map(read).collect();
        let plan = Plan::default()
            .reads(reads)
            .keys(self.keys.clone())
            .port("out", "the results of a key so far")
            .table(Table::by_key("cells", layout.bytes() as u32))
            .table(Table { name: "sketches", by: "key", size: None, expire: None });
        let plan = Plan { across: self.across, ..plan };
        // What is forgotten depends on where batches end.
        let is_cut_invariant = matches!(self.emit, Emit::Every(_)) && self.forget_ns == 0;
        if is_cut_invariant { plan.cut_invariant() } else { plan }
    }
}

fn aggregates(config: &Value, keys: &[String], complaints: &mut Vec<Complaint>) -> Vec<Aggregate> {
    let none = Map::new();
    let configured = config.get("aggregates").and_then(Value::as_object).unwrap_or(&none);
    if configured.is_empty() || configured.len() > AGGREGATES_MAX {
        let message = format!("wants 1 to {AGGREGATES_MAX} results, such as {{\"n\": \"count\"}}");
        complaints.push(Complaint::new("/aggregates", message));
    }
    let mut aggregates = Vec::new();
    for (name, what) in configured {
        let path = format!("/aggregates/{}", name.replace('~', "~0").replace('/', "~1"));
        if name == "time" || name.is_empty() || keys.contains(name) {
            let message = "this name is taken (\"time\", a key) or empty: name the result otherwise";
            complaints.push(Complaint::new(&path, message));
            continue;
        }
        match Aggregate::parse(name, what) {
            Ok(Aggregate { is: Function::Rate, .. }) => {
                let message =
                    "there is no window whose seconds a rate could be of: use rollup, or counter-rate";
                complaints.push(Complaint::new(&path, message));
            }
            Ok(aggregate) => aggregates.push(aggregate),
            Err(message) => complaints.push(Complaint::new(&path, message)),
        }
    }
    aggregates
}
