//! The configuration of a threshold: checked, and what follows from it.
//!
//! In: JSON that already fits [`SCHEMA`]. Out: [`Limits`], or all that is wrong with it as complaints (JSON pointer and what would be right).

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_text::parse_duration_ns;

pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Threshold",
  "description": "Gives each key the level that its newest value has. With a separate bound for the way back (hysteresis) a value that swings around a limit does not switch the level to and fro.",
  "examples": [{ "column": "mean_ms", "warning": 200, "warning_clear": 180, "critical": 500, "keys": ["host"] }],
  "additionalProperties": false,
  "required": ["column"],
  "anyOf": [{ "required": ["warning"] }, { "required": ["critical"] }],
  "properties": {
    "column": {
      "type": "string", "title": "Column", "minLength": 1,
      "description": "The column with the values.",
      "examples": ["mean_ms", "busy_percent"]
    },
    "direction": {
      "enum": ["above", "below"], "default": "above", "title": "Bad is",
      "description": "Which side of the limits is bad."
    },
    "warning": {
      "type": "number", "title": "Warning limit",
      "description": "The level is warning beyond this. A value at the limit is not beyond it.",
      "examples": [200]
    },
    "warning_clear": {
      "type": "number", "title": "Warning ends at",
      "description": "Once warning, the level stays so until the value is back at this; without it, at the limit itself.",
      "examples": [180]
    },
    "critical": {
      "type": "number", "title": "Critical limit",
      "description": "The level is critical beyond this.",
      "examples": [500]
    },
    "critical_clear": {
      "type": "number", "title": "Critical ends at",
      "description": "Once critical, the level stays so until the value is back at this; without it, at the limit itself.",
      "examples": [450]
    },
    "keys": {
      "type": "array", "title": "Key columns", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true, "default": [],
      "description": "Columns whose values make the key: each key has a level of its own. None: one level for the stream.",
      "examples": [["host"]]
    },
    "stale_after": {
      "type": "string", "title": "Stale after", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "default": "0s",
      "description": "A key without a value for that long is stale: its level is no longer known. 0s: never.",
      "examples": ["30s"]
    },
    "measure": {
      "type": "string", "title": "Unit of measurement", "default": "",
      "description": "For the sentences, such as \"ms\" or \"%\".", "examples": ["ms"]
    }
  }
}"#;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    #[default]
    Above,
    Below,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub column: String,
    #[serde(default)]
    pub direction: Direction,
    pub warning: Option<f64>,
    pub warning_clear: Option<f64>,
    pub critical: Option<f64>,
    pub critical_clear: Option<f64>,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub stale_after: String,
    #[serde(default)]
    pub measure: String,
}

/// Where a level begins and where it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub begins: f64,
    pub ends: f64,
}

/// Checked.
#[derive(Clone, Debug)]
pub struct Limits {
    pub direction: Direction,
    /// At least one of the two is there.
    pub warning: Option<Limit>,
    pub critical: Option<Limit>,
    /// 0: never.
    pub stale_after_ns: i64,
}

impl Limits {
    pub fn check(config: &Config) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if config.warning.is_none() && config.critical.is_none() {
            complaints.push(Complaint::new("/warning", "give warning, critical or both"));
        }
        if config.column.is_empty() || config.column == "time" {
            complaints.push(Complaint::new("/column", "wants the name of a column with numbers"));
        }
        let side = match config.direction {
            Direction::Above => "under",
            Direction::Below => "over",
        };
        if let (Some(warning), Some(critical)) = (config.warning, config.critical)
            && config.beyond(warning, critical)
        {
            let message = format!("{critical} is {side} the warning at {warning}; exchange them");
            complaints.push(Complaint::new("/critical", message));
        }
        let warning = config.limit("warning", config.warning, config.warning_clear, &mut complaints);
        let critical = config.limit("critical", config.critical, config.critical_clear, &mut complaints);
        let stale_after = Some(config.stale_after.as_str()).filter(|text| !text.is_empty());
        let stale_after_ns = stale_after.map_or(Some(0), parse_duration_ns);
        if stale_after_ns.is_none() {
            let message = format!("\"{}\" is no duration such as \"30s\" or \"5m\"", config.stale_after);
            complaints.push(Complaint::new("/stale_after", message));
        }
        match complaints.is_empty() {
            true => Ok(Self {
                direction: config.direction,
                warning,
                critical,
                stale_after_ns: stale_after_ns.unwrap_or(0),
            }),
            false => Err(complaints),
        }
    }
}

impl Config {
    fn beyond(&self, value: f64, limit: f64) -> bool {
        match self.direction {
            Direction::Above => value > limit,
            Direction::Below => value < limit,
        }
    }

    fn limit(
        &self,
        name: &str,
        begins: Option<f64>,
        ends: Option<f64>,
        complaints: &mut Vec<Complaint>,
    ) -> Option<Limit> {
        let path = format!("/{name}_clear");
        match (begins, ends) {
            (None, Some(_)) => {
                complaints.push(Complaint::new(&path, format!("is there without {name}; give {name} too")));
                None
            }
            (Some(begins), Some(ends)) if self.beyond(ends, begins) => {
                let message =
                    format!("{ends} is on the bad side of {name} at {begins}; write one on the good side");
                complaints.push(Complaint::new(&path, message));
                None
            }
            (Some(begins), ends) => Some(Limit { begins, ends: ends.unwrap_or(begins) }),
            (None, None) => None,
        }
    }
}
