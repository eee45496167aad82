//! The configuration of a topk: JSON into types, with every complaint at once.

use serde_json::Value;
use weir_fold::function::{TOP_MAX, counters_of};
use weir_fold::windows::Shape;
use weir_sdk::{Complaint, Plan, Read, Table};
use weir_text::parse_duration_ns;

const DURATION_MAX_NS: i64 = 366 * 86_400_000_000_000;
const WINDOW_MIN_NS: i64 = 1_000_000;
/// Columns that the unit makes itself.
const OWN: [&str; 5] = ["time", "rank", "weight", "error", "share"];

/// A form: titles, descriptions, examples.
pub const fn schema() -> &'static str {
    r#"{
  "type": "object",
  "title": "Top k",
  "description": "Ranks the values of a column by how often they occur, or by the sum of another column, in each window. When a window is complete it gives up to k rows, the heaviest first, with the columns `rank` (from 1), `weight`, `error` (how much of the weight may be too much: 0 where there were fewer different values than counters), and `share` of the window's whole weight. Memory is bounded however many different values there are: ten counters for each row that is shown, at least 100, and what is heavier than 1 in that many is never missing.",
  "additionalProperties": false,
  "required": ["of", "window"],
  "properties": {
    "of": {
      "type": "string", "minLength": 1, "maxLength": 256, "title": "Ranked column",
      "description": "The column whose values are ranked: texts, or numbers as texts.",
      "examples": ["path"]
    },
    "weight": {
      "type": "string", "minLength": 1, "maxLength": 256, "title": "Weight",
      "description": "A column of numbers whose sum is the weight; without it each row weighs 1. Rows whose weight is missing or not above 0 do not count.",
      "examples": ["bytes"]
    },
    "k": {
      "type": "integer", "minimum": 1, "maximum": 100, "default": 10, "title": "How many",
      "description": "Rows for each key and window."
    },
    "keys": {
      "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true, "default": [], "title": "Key",
      "description": "A ranking of its own for each combination of the values of these columns; none: one for all rows of a stream.",
      "examples": [["host"]]
    },
    "window": {
      "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "title": "Window",
      "description": "Length of a window of event time, from 1 ms on. Windows are aligned to 1970 in UTC.",
      "examples": ["1m"]
    },
    "lateness": {
      "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "default": "0s", "title": "Lateness",
      "description": "How long a window stays open after the stream's watermark has reached its end. Rows that come later leave on the port `late`."
    },
    "across": {
      "type": "boolean", "default": false, "title": "Across streams",
      "description": "One key space for all streams of the pipeline instead of one for each."
    }
  },
  "examples": [
    { "of": "path", "window": "1m", "k": 5 },
    { "of": "user", "weight": "bytes", "keys": ["host"], "window": "10s", "lateness": "2s" }
  ]
}"#
}

#[derive(Debug)]
pub struct Config {
    pub of: String,
    pub weight: Option<String>,
    pub k: usize,
    pub keys: Vec<String>,
    pub window_ns: i64,
    pub lateness_ns: i64,
    pub across: bool,
}

impl Config {
    pub fn parse(config: &Value) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let text = |name: &str| config.get(name).and_then(Value::as_str);
        let list = config.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys: Vec<String> = list.filter_map(Value::as_str).map(str::to_owned).collect();
        let of = text("of").unwrap_or_default().to_owned();
        if of.is_empty() || OWN.contains(&of.as_str()) || keys.contains(&of) {
            let message = format!("wants the name of a column that is no key and none of {}", OWN.join(", "));
            complaints.push(Complaint::new("/of", message));
        }
        if let Some(at) = keys.iter().position(|key| OWN.contains(&key.as_str())) {
            complaints.push(Complaint::new(
                &format!("/keys/{at}"),
                format!("a key may be none of {}", OWN.join(", ")),
            ));
        }
        let weight = text("weight").map(str::to_owned);
        if weight.as_ref().is_some_and(|weight| *weight == of || weight == "time") {
            complaints
                .push(Complaint::new("/weight", "wants another column than the ranked one, with numbers"));
        }
        let k = config.get("k").map_or(Some(10), Value::as_u64).filter(|k| (1..=TOP_MAX as u64).contains(k));
        if k.is_none() {
            complaints.push(Complaint::new("/k", format!("wants a whole number from 1 to {TOP_MAX}")));
        }
        let mut duration = |name: &str, least: i64, default: Option<&str>| {
            let text = text(name).or(default).unwrap_or_default();
            let ns = parse_duration_ns(text).filter(|ns| (least..=DURATION_MAX_NS).contains(ns));
            if ns.is_none() {
                let message = format!(
                    "\"{text}\" is no duration up to 366d, such as \"1m\"; a window has at least 1ms"
                );
                complaints.push(Complaint::new(&format!("/{name}"), message));
            }
            ns.unwrap_or(WINDOW_MIN_NS)
        };
        let window_ns = duration("window", WINDOW_MIN_NS, None);
        let lateness_ns = duration("lateness", 0, Some("0s"));
        let across = config.get("across").and_then(Value::as_bool).unwrap_or(false);
        let k = k.unwrap_or(1) as usize;
        if complaints.is_empty() {
            Ok(Self { of, weight, k, keys, window_ns, lateness_ns, across })
        } else {
            Err(complaints)
        }
    }

    pub fn counters(&self) -> usize {
        counters_of(self.k)
    }

    pub fn shape(&self) -> Shape {
        Shape {
            window_ns: self.window_ns,
            slide_ns: self.window_ns,
            lateness_ns: self.lateness_ns,
            early_ns: 0,
        }
    }

    pub fn plan(&self) -> Plan {
        let mut reads = vec![Read::optional(&self.of, "any")];
        reads.extend(self.weight.as_ref().map(|weight| Read::optional(weight, "f64s")));
        let bytes =
            weir_fold::layout::Layout::of_top(&self.of, self.weight.as_deref(), self.counters()).bytes();
        let plan = Plan::default()
            .reads(reads)
            .keys(self.keys.clone())
            .port(
                "out",
                "up to k rows for each key and window, the heaviest first, at the start of the window",
            )
            .port("late", "rows that came after their window had closed, as they were")
            .delay_ns(self.window_ns + self.lateness_ns)
            .table(Table::by_key("windows", bytes as u32))
            .table(Table { name: "sketches", by: "key", size: None, expire: None })
            .cut_invariant();
        Plan { across: self.across, ..plan }
    }
}
