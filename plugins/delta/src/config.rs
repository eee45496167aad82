//! The configuration of a delta: JSON into types, with every complaint at once.

use serde::Deserialize;
use weir_sdk::{Complaint, Plan, Read, Table};
use weir_text::parse_duration_ns;

const DURATION_MAX_NS: i64 = 366 * 86_400_000_000_000;
const COLUMNS_MAX: usize = 32;
/// Seen, time, value.
pub const WORDS_PER_COLUMN: usize = 3;

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Delta",
  "description": "Adds to each row how much a number changed since the key's row before, as `NAME_delta`, and that per second of event time, as `NAME_per_s`. The first row of a key has neither; nor has a row that is older than the one before. Made for counters that only rise, such as bytes sent since the start: where one falls it began again at 0, and the difference is its new value.",
  "additionalProperties": false,
  "required": ["of"],
  "properties": {
    "of": {
      "type": "array", "items": { "type": "string", "minLength": 1, "maxLength": 250 }, "minItems": 1, "maxItems": 32, "uniqueItems": true,
      "title": "Columns", "description": "Columns of numbers.", "examples": [["bytes_total"], ["reads", "writes"]]
    },
    "keys": {
      "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true, "default": [], "title": "Key",
      "description": "Columns whose values tell apart what is compared; none: each row with the one before it in its stream.",
      "examples": [["host", "interface"]]
    },
    "counter": {
      "type": "boolean", "default": true, "title": "These are counters",
      "description": "A value that is less than the one before is a counter that began again at 0. Turn it off for numbers that may fall, such as a temperature."
    },
    "max_gap": {
      "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "title": "Longest pause",
      "description": "After a pause of a key that is longer than this there is no difference, and the key begins anew; its memory is given back. Without it a key is kept for ever, so give it where keys come and go.",
      "examples": ["5m"]
    },
    "across": {
      "type": "boolean", "default": false, "title": "Across streams",
      "description": "One key space for all streams of the pipeline instead of one for each."
    }
  },
  "examples": [
    { "keys": ["host", "interface"], "of": ["bytes_total"], "max_gap": "5m" },
    { "keys": ["room"], "of": ["temperature"], "counter": false }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    of: Vec<String>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default = "yes")]
    counter: bool,
    #[serde(default)]
    max_gap: Option<String>,
    #[serde(default)]
    across: bool,
}

const fn yes() -> bool {
    true
}

pub struct Config {
    pub of: Vec<String>,
    pub keys: Vec<String>,
    pub counter: bool,
    /// 0: none.
    pub max_gap_ns: i64,
    pub across: bool,
}

impl Config {
    pub fn new(raw: Raw) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if raw.of.is_empty() || raw.of.len() > COLUMNS_MAX {
            complaints.push(Complaint::new("/of", format!("wants 1 to {COLUMNS_MAX} columns")));
        }
        for (at, name) in raw.of.iter().enumerate() {
            if name == "time" || name.is_empty() || raw.keys.contains(name) {
                let message =
                    format!("\"{name}\" is the event time, a key, or empty: name a column of numbers");
                complaints.push(Complaint::new(&format!("/of/{at}"), message));
            }
        }
        let max_gap_ns = match raw.max_gap.as_deref() {
            None => 0,
            Some(text) => {
                let ns = parse_duration_ns(text).filter(|ns| (1..=DURATION_MAX_NS).contains(ns));
                if ns.is_none() {
                    let message = format!("\"{text}\" is no duration up to 366d, such as \"5m\"");
                    complaints.push(Complaint::new("/max_gap", message));
                }
                ns.unwrap_or(0)
            }
        };
        let Raw { of, keys, counter, across, .. } = raw;
        if complaints.is_empty() {
            Ok(Self { of, keys, counter, max_gap_ns, across })
        } else {
            Err(complaints)
        }
    }

    /// Of a cell: the first says that it is there.
    pub fn words(&self) -> usize {
        1 + self.of.len() * WORDS_PER_COLUMN
    }

    pub fn plan(&self) -> Plan {
        let plan = Plan::default()
            .reads(self.of.iter().map(|name| Read::optional(name, "f64s")))
            .keys(self.keys.clone())
            .port("out", "all rows, with the differences and rates")
            .table(Table::by_key("values", (self.words() * 8) as u32))
            .cut_invariant();
        Plan { across: self.across, ..plan }
    }
}
