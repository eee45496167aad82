//! The configuration of `change`, checked.
//!
//! In: JSON that already fits [`SCHEMA`]. Out: [`Limits`], or all that is wrong with it as complaints.

use serde::Deserialize;
use weir_sdk::Complaint;

pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Change",
  "description": "Notices when a key's values move to another level than they had in its own past, without a limit to be chosen: a cumulative sum (CUSUM) over the values in units of their usual deviation.",
  "examples": [{ "column": "mean_ms", "keys": ["host"], "critical": 20 }],
  "additionalProperties": false,
  "required": ["column"],
  "properties": {
    "column": {
      "type": "string", "title": "Column", "minLength": 1,
      "description": "The column with the values; best the points of a rollup, such as a mean each second.", "examples": ["mean_ms"]
    },
    "keys": {
      "type": "array", "title": "Key columns", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true, "default": [],
      "description": "Columns whose values make the key: each key has a past of its own.", "examples": [["host"]]
    },
    "direction": {
      "enum": ["both", "up", "down"], "default": "both", "title": "Bad is a change",
      "description": "Which way a change must go to count."
    },
    "learn": {
      "type": "integer", "minimum": 8, "maximum": 100000, "default": 60, "title": "Values to learn from",
      "description": "So many values make the past of a key before anything is said. It then follows slowly, except while the values are suspect."
    },
    "drift": {
      "type": "number", "minimum": 0.1, "maximum": 3, "default": 0.5, "title": "Slack, in deviations",
      "description": "A change of twice this many usual deviations is found fastest; smaller ones than this are never found."
    },
    "warning": {
      "type": "number", "minimum": 1, "maximum": 1000, "default": 8, "title": "Warning at, in deviations",
      "description": "The level is warning when the sum of what was beyond the slack reaches this. Higher finds later and is wrong less often: with the defaults about once in ten thousand values of pure chance."
    },
    "critical": {
      "type": "number", "minimum": 1, "maximum": 1000, "title": "Critical at, in deviations",
      "description": "The same for critical; none: a change is never critical.", "examples": [20]
    },
    "adopt": {
      "type": "integer", "minimum": 0, "maximum": 1000000, "default": 600, "title": "Values until it is the new normal",
      "description": "After so many values at the new level that level is learned as the past, and the alert ends. 0: never."
    },
    "least": {
      "type": "number", "minimum": 0, "default": 0, "title": "Least deviation",
      "description": "The usual deviation counts as at least this, in the column's unit, so that nearly constant values may move a little.", "examples": [5]
    },
    "measure": { "type": "string", "title": "Unit of measurement", "default": "", "description": "For the sentences, such as \"ms\".", "examples": ["ms"] }
  }
}"#;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    #[default]
    Both,
    Up,
    Down,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub column: String,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub direction: Direction,
    pub learn: Option<u32>,
    pub drift: Option<f64>,
    pub warning: Option<f64>,
    pub critical: Option<f64>,
    pub adopt: Option<u32>,
    #[serde(default)]
    pub least: f64,
    #[serde(default)]
    pub measure: String,
}

/// Checked. Sums and drift are in deviations.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub direction: Direction,
    pub learn: u32,
    pub drift: f64,
    pub warning: f64,
    pub critical: Option<f64>,
    pub adopt: u32,
    pub least: f64,
}

impl Limits {
    pub fn check(config: &Config) -> Result<Self, Vec<Complaint>> {
        let limits = Self {
            direction: config.direction,
            learn: config.learn.unwrap_or(60).max(8),
            drift: config.drift.unwrap_or(0.5),
            warning: config.warning.unwrap_or(8.0),
            critical: config.critical,
            adopt: config.adopt.unwrap_or(600),
            least: config.least,
        };
        let mut complaints = Vec::new();
        if config.column.is_empty() || config.column == "time" {
            complaints.push(Complaint::new("/column", "wants the name of a column with numbers"));
        }
        if limits.critical.is_some_and(|critical| critical <= limits.warning) {
            let message = format!("must be over warning, which is at {}", limits.warning);
            complaints.push(Complaint::new("/critical", message));
        }
        if complaints.is_empty() { Ok(limits) } else { Err(complaints) }
    }
}
