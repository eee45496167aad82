//! The configuration of `ratio`, checked.
//!
//! In: JSON that already fits [`SCHEMA`]. Out: [`Limits`], or all that is wrong with it as complaints.

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_sdk::expr::{self, Expr};
use weir_text::parse_duration_ns;

pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Ratio",
  "description": "A level by the ratio of two sums over a sliding window: errors to requests, hits to lookups. Below a least sum there is nothing to judge by.",
  "examples": [{ "of": "status >= 500", "window": "1m", "least": 100, "warning": 0.01, "critical": 0.05, "keys": ["host"] }, { "of": "errors", "to": "requests", "warning": 0.01, "across": true }],
  "additionalProperties": false,
  "required": ["of"],
  "anyOf": [{ "required": ["warning"] }, { "required": ["critical"] }],
  "properties": {
    "of": {
      "type": "string", "title": "Ratio of", "minLength": 1, "maxLength": 8192, "format": "weir-expression",
      "description": "A condition: the events for which it is true are counted. Or a number: it is summed up; an event without it adds nothing.",
      "examples": ["status >= 500", "errors"]
    },
    "to": {
      "type": "string", "title": "To", "default": "true", "maxLength": 8192, "format": "weir-expression",
      "description": "The same for what it is compared with. Left out: all events.", "examples": ["true", "requests"]
    },
    "window": {
      "type": "string", "title": "Window", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "default": "1m",
      "description": "How much of the past is summed up. It slides by a tenth of itself.", "examples": ["1m", "10m"]
    },
    "least": {
      "type": "number", "minimum": 0, "default": 10, "title": "Least sum",
      "description": "With a smaller sum of `to` in the window the ratio says nothing: one error of two requests is no half.", "examples": [100]
    },
    "too_few": {
      "enum": ["unknown", "ok"], "default": "unknown", "title": "With too few",
      "description": "The level with less than the least sum. Unknown keeps an alert as it is; ok lets it resolve."
    },
    "direction": { "enum": ["above", "below"], "default": "above", "title": "Bad is", "description": "Which side of the limits is bad." },
    "warning": { "type": "number", "title": "Warning limit", "description": "The level is warning beyond this ratio.", "examples": [0.01] },
    "critical": { "type": "number", "title": "Critical limit", "description": "The level is critical beyond this ratio.", "examples": [0.05] },
    "keys": {
      "type": "array", "title": "Key columns", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true, "default": [],
      "description": "Columns whose values make the key: each key has a ratio of its own.", "examples": [["host"]]
    },
    "across": {
      "type": "boolean", "default": false, "title": "Across streams",
      "description": "Sums the streams of the pipeline up together, so that one stream can have the errors and another the requests."
    }
  }
}"#;

/// The window slides by this part of itself.
pub const STEPS: i64 = 10;
const WINDOW_NS_MIN: i64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    #[default]
    Above,
    Below,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooFew {
    #[default]
    Unknown,
    Ok,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub of: String,
    pub to: Option<String>,
    pub window: Option<String>,
    pub least: Option<f64>,
    #[serde(default)]
    pub too_few: TooFew,
    #[serde(default)]
    pub direction: Direction,
    pub warning: Option<f64>,
    pub critical: Option<f64>,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub across: bool,
}

/// Checked.
pub struct Limits {
    pub of: Expr,
    pub to: Expr,
    /// A whole number of steps.
    pub step_ns: i64,
    pub least: f64,
    pub too_few: TooFew,
    pub direction: Direction,
    pub warning: Option<f64>,
    pub critical: Option<f64>,
}

impl Limits {
    pub fn check(config: &Config) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let mut parsed = |path: &str, text: &str| {
            expr::parse(text).map_err(|err| complaints.push(Complaint::new(path, err.to_string()))).ok()
        };
        let of = parsed("/of", &config.of);
        let to = parsed("/to", config.to.as_deref().unwrap_or("true"));
        let window = config.window.as_deref().unwrap_or("1m");
        let window_ns = parse_duration_ns(window);
        match window_ns {
            None => complaints
                .push(Complaint::new("/window", format!("\"{window}\" is no duration such as \"1m\""))),
            Some(ns) if ns < WINDOW_NS_MIN => {
                complaints.push(Complaint::new("/window", "is shorter than 1 s; write \"1s\" or more"));
            }
            Some(_) => {}
        }
        if config.warning.is_none() && config.critical.is_none() {
            complaints.push(Complaint::new("/warning", "give warning, critical or both"));
        }
        if let (Some(warning), Some(critical)) = (config.warning, config.critical) {
            let (wrong, side) = match config.direction {
                Direction::Above => (critical < warning, "over"),
                Direction::Below => (critical > warning, "under"),
            };
            if wrong {
                complaints
                    .push(Complaint::new("/critical", format!("must be {side} the warning at {warning}")));
            }
        }
        match (of, to, window_ns) {
            (Some(of), Some(to), Some(window_ns)) if complaints.is_empty() => Ok(Self {
                of,
                to,
                step_ns: window_ns / STEPS,
                least: config.least.unwrap_or(10.0),
                too_few: config.too_few,
                direction: config.direction,
                warning: config.warning,
                critical: config.critical,
            }),
            _ => Err(complaints),
        }
    }
}
