//! The configuration of a dedup: key columns and how long a key is remembered.

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_text::parse_duration_ns;

const WITHIN_NS_MIN: i64 = 1_000_000;
const WITHIN_NS_MAX: i64 = 366 * 86_400_000_000_000;

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Dedup",
  "description": "Lets the first event of each key through; events with the same key that follow within a time leave by `duplicates`.",
  "required": ["keys"],
  "additionalProperties": false,
  "properties": {
    "keys": {
      "type": "array",
      "title": "Key",
      "description": "Columns whose values together say that two events are the same one.",
      "items": { "type": "string", "minLength": 1, "maxLength": 256 },
      "minItems": 1,
      "maxItems": 16,
      "uniqueItems": true,
      "examples": [["request_id"], ["host", "message"]]
    },
    "within": {
      "type": "string",
      "title": "Within",
      "description": "How far apart in event time two events of a key may be and still be the same one. A key is remembered for that long, so this is what memory depends on.",
      "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
      "default": "10m",
      "examples": ["30s", "10m", "1d"]
    },
    "refresh": {
      "type": "boolean",
      "title": "Duplicates refresh",
      "description": "Whether a duplicate starts the time anew: then a key that never falls silent comes through once only. Otherwise it comes through again each time the time is over.",
      "default": false
    }
  },
  "examples": [
    { "keys": ["request_id"] },
    { "keys": ["host", "message"], "within": "1m", "refresh": true }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub keys: Vec<String>,
    #[serde(default = "within")]
    within: String,
    #[serde(default)]
    pub refresh: bool,
}

fn within() -> String {
    "10m".to_owned()
}

impl Config {
    pub fn within_ns(&self) -> Result<i64, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if self.keys.is_empty() {
            complaints
                .push(Complaint::new("/keys", "is empty; name the columns that make two events the same"));
        }
        if let Some(index) = self.keys.iter().position(|name| name == "time" || name.is_empty()) {
            let message = "the event time (or an empty name) cannot be part of the key; name a column";
            complaints.push(Complaint::new(&format!("/keys/{index}"), message));
        }
        match parse_duration_ns(&self.within) {
            Some(ns) if (WITHIN_NS_MIN..=WITHIN_NS_MAX).contains(&ns) && complaints.is_empty() => Ok(ns),
            Some(ns) if (WITHIN_NS_MIN..=WITHIN_NS_MAX).contains(&ns) => Err(complaints),
            _ => {
                let message =
                    format!("`{}` is no duration from \"1ms\" to \"366d\", such as \"10m\"", self.within);
                complaints.push(Complaint::new("/within", message));
                Err(complaints)
            }
        }
    }
}
