//! The configuration of a buffer: how many rows of a key go together, and how long they wait at most.

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_text::parse_duration_ns;

/// Rows of one buffer: what one call lets go with time to spare.
const CAPACITY_MAX: u32 = 10_000;
/// Chunks of a window are numbered by ns from its start, so it must be longer than there can be chunks.
const EVERY_NS_MIN: i64 = 1_000_000;
const EVERY_NS_MAX: i64 = 366 * 86_400_000_000_000;

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Buffer",
  "description": "Holds events back and lets them go together: each key's when its buffer is full, which empties it, or when their time is over.",
  "additionalProperties": false,
  "properties": {
    "keys": {
      "type": "array",
      "title": "Key",
      "description": "Columns whose values make the key: each has a buffer of its own. None: one buffer for everything that comes.",
      "items": { "type": "string", "minLength": 1, "maxLength": 256 },
      "maxItems": 16,
      "uniqueItems": true,
      "default": [],
      "examples": [["host"]]
    },
    "capacity": {
      "type": "integer",
      "title": "Capacity",
      "description": "Events of a key that go together: the last of them lets all go and empties the buffer.",
      "minimum": 1,
      "maximum": 10000,
      "default": 1000,
      "examples": [100]
    },
    "every": {
      "type": "string",
      "title": "Or every",
      "description": "Length of the windows of event time that events are held in: when a window is over, what it holds goes too. Without it a buffer that does not fill up waits for ever, and what comes after it in the pipeline may find its events late.",
      "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
      "examples": ["10s", "1m"]
    }
  },
  "examples": [
    { "keys": ["host"], "capacity": 100, "every": "10s" },
    { "capacity": 500 }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default = "capacity")]
    pub capacity: u32,
    pub every: Option<String>,
}

fn capacity() -> u32 {
    1_000
}

impl Config {
    /// Length of a window, or none, and what is wrong.
    pub fn every_ns(&self) -> Result<Option<i64>, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if let Some(index) = self.keys.iter().position(|name| name == "time" || name.is_empty()) {
            let message = "the event time (or an empty name) cannot be part of the key; name a column";
            complaints.push(Complaint::new(&format!("/keys/{index}"), message));
        }
        if !(1..=CAPACITY_MAX).contains(&self.capacity) {
            complaints.push(Complaint::new("/capacity", format!("wants 1 to {CAPACITY_MAX} events")));
        }
        let every_ns = self.every.as_deref().map(parse_duration_ns);
        match every_ns {
            None => {}
            Some(Some(ns)) if (EVERY_NS_MIN..=EVERY_NS_MAX).contains(&ns) => {}
            Some(_) => complaints
                .push(Complaint::new("/every", "wants a duration from \"1ms\" to \"366d\", such as \"10s\"")),
        }
        if complaints.is_empty() { Ok(every_ns.flatten()) } else { Err(complaints) }
    }
}
