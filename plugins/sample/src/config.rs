//! The configuration of a sample: exactly one of three ways to choose.

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_text::parse_duration_ns;

const RESERVOIR_MAX: u32 = 10_000;
/// Rows of a window are numbered by ns from its start, so it must be longer than there can be rows.
const WINDOW_NS_MIN: i64 = 1_000_000;
const WINDOW_NS_MAX: i64 = 366 * 86_400_000_000_000;

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Sample",
  "description": "Keeps a share of the events. Choose one way: `rate` keeps all events of a share of the keys, `one_in` every n-th event, `reservoir` the same number of events for each window, each event with the same chance.",
  "additionalProperties": false,
  "properties": {
    "keys": {
      "type": "array",
      "title": "Key",
      "description": "Columns whose values make the key. `rate` needs one: all events of a key are kept, or none. `one_in` counts, and `reservoir` chooses, for each key by itself.",
      "items": { "type": "string", "minLength": 1, "maxLength": 256 },
      "maxItems": 16,
      "uniqueItems": true,
      "default": [],
      "examples": [["user_id"], ["trace_id"]]
    },
    "rate": {
      "type": "number",
      "title": "Rate",
      "description": "Share of the keys whose events are kept, 0 to 1. The same key is kept or not everywhere and always, for the same `salt`.",
      "minimum": 0,
      "maximum": 1,
      "examples": [0.1, 0.01]
    },
    "one_in": {
      "type": "integer",
      "title": "One in",
      "description": "Keeps the first event and then every n-th.",
      "minimum": 1,
      "maximum": 1000000000,
      "examples": [100]
    },
    "reservoir": {
      "type": "integer",
      "title": "Reservoir",
      "description": "Keeps that many events of each window, or all where there are fewer. They leave when the window is over.",
      "minimum": 1,
      "maximum": 10000,
      "examples": [100]
    },
    "window": {
      "type": "string",
      "title": "Window of the reservoir",
      "description": "Length of the windows of event time.",
      "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
      "default": "10s",
      "examples": ["10s", "1m"]
    },
    "salt": {
      "type": "integer",
      "title": "Salt",
      "description": "Another number, another choice: give two samples of one stream different ones, so that they do not choose the same keys.",
      "minimum": 0,
      "maximum": 9007199254740991,
      "default": 0
    }
  },
  "examples": [
    { "keys": ["user_id"], "rate": 0.1 },
    { "one_in": 100 },
    { "keys": ["host"], "reservoir": 20, "window": "1m" }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub keys: Vec<String>,
    rate: Option<f64>,
    one_in: Option<u64>,
    reservoir: Option<u32>,
    #[serde(default = "window")]
    pub window: String,
    #[serde(default)]
    pub salt: u64,
}

fn window() -> String {
    "10s".to_owned()
}

/// How rows are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Rate(f64),
    OneIn(u64),
    Reservoir { rows: u32, window_ns: i64 },
}

impl Config {
    pub fn way(&self) -> Result<Way, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if let Some(index) = self.keys.iter().position(|name| name == "time" || name.is_empty()) {
            let message = "the event time (or an empty name) cannot be part of the key; name a column";
            complaints.push(Complaint::new(&format!("/keys/{index}"), message));
        }
        let way = match (self.rate, self.one_in, self.reservoir) {
            (Some(rate), None, None) => self.by_rate(rate),
            (None, Some(n), None) if n >= 1 => Ok(Way::OneIn(n)),
            (None, Some(_), None) => Err(Complaint::new("/one_in", "wants a whole number from 1 on")),
            (None, None, Some(rows)) => self.by_reservoir(rows),
            (None, None, None) => {
                Err(Complaint::new("", "says no way to choose; add one of `rate`, `one_in` or `reservoir`"))
            }
            _ => Err(Complaint::new(
                "",
                "only one of `rate`, `one_in` and `reservoir` can choose; take the others out",
            )),
        };
        match way {
            Ok(way) if complaints.is_empty() => Ok(way),
            Ok(_) => Err(complaints),
            Err(complaint) => {
                complaints.push(complaint);
                Err(complaints)
            }
        }
    }

    fn by_rate(&self, rate: f64) -> Result<Way, Complaint> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(Complaint::new("/rate", "wants a number from 0 to 1, such as 0.1"));
        }
        if self.keys.is_empty() {
            let message = "`rate` chooses by key; name the columns, such as [\"user_id\"], or use `one_in`";
            return Err(Complaint::new("/keys", message));
        }
        Ok(Way::Rate(rate))
    }

    fn by_reservoir(&self, rows: u32) -> Result<Way, Complaint> {
        if !(1..=RESERVOIR_MAX).contains(&rows) {
            return Err(Complaint::new("/reservoir", format!("wants 1 to {RESERVOIR_MAX} events")));
        }
        match parse_duration_ns(&self.window) {
            Some(window_ns) if (WINDOW_NS_MIN..=WINDOW_NS_MAX).contains(&window_ns) => {
                Ok(Way::Reservoir { rows, window_ns })
            }
            _ => Err(Complaint::new("/window", "wants a duration from \"1ms\" to \"366d\", such as \"10s\"")),
        }
    }
}
