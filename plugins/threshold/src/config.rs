//! The configuration of a threshold: JSON in, checked into types, and the plan that follows from it.
//!
//! In: JSON that already fits the schema of [`describe`]. Out: [`Config`], or all that is wrong with it as [`Complaint`]s (JSON pointer and what
//! would be right); and the answers of `describe` and `plan`.

use serde_json::{Value, json};
use weir_text::parse_duration_ns;

use crate::levels::VALUE_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Above,
    Below,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub column: String,
    /// At least one of the two is there.
    pub warning: Option<f64>,
    pub critical: Option<f64>,
    pub direction: Direction,
    pub keys: Vec<String>,
    /// Without a value for that long a key is `unknown`; 0: never.
    pub stale_after_ns: i64,
    /// Unit of measurement for the summaries; empty: what the host says of the column.
    pub measure: String,
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
        "name": "threshold",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "a level per key: warning or critical while the newest value is over (or under) a limit",
        "kind": "rule",
        "requires": [],
        "config": {
            "type": "object",
            "additionalProperties": false,
            "required": ["column"],
            "anyOf": [{ "required": ["warning"] }, { "required": ["critical"] }],
            "properties": {
                "column": { "type": "string", "minLength": 1, "description": "the column with the values" },
                "warning": { "type": "number", "description": "the level is warning beyond this" },
                "critical": { "type": "number", "description": "the level is critical beyond this" },
                "direction": { "enum": ["above", "below"], "default": "above", "description": "which side of the limits is bad" },
                "keys": {
                    "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true,
                    "default": [], "description": "columns whose values make the key; none: one level for the stream"
                },
                "stale_after": {
                    "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "default": "0s",
                    "description": "a key without a value for that long is unknown; 0s: never"
                },
                "measure": { "type": "string", "default": "", "description": "unit of measurement for the summaries, such as \"ms\"" }
            }
        },
        "state": { "schema": 1, "migrates": [] },
    })
    .to_string()
}

impl Config {
    pub fn parse(json: &str) -> Result<Self, Vec<Complaint>> {
        let complaint = |path: &str, message: String| Complaint { path: path.to_owned(), message };
        let config: Value = serde_json::from_str(json)
            .map_err(|error| vec![complaint("", format!("is no JSON: {error}"))])?;
        let mut complaints = Vec::new();
        let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |name: &str| config.get(name).and_then(Value::as_f64);
        let (warning, critical) = (number("warning"), number("critical"));
        let direction = if text("direction") == "below" { Direction::Below } else { Direction::Above };
        if warning.is_none() && critical.is_none() {
            complaints.push(complaint("/warning", "give warning, critical or both".to_owned()));
        }
        if let (Some(warning), Some(critical)) = (warning, critical) {
            let (wrong, side) = match direction {
                Direction::Above => (critical < warning, "at or over"),
                Direction::Below => (critical > warning, "at or under"),
            };
            if wrong {
                complaints.push(complaint("/critical", format!("must be {side} the warning at {warning}")));
            }
        }
        if text("column").is_empty() || text("column") == "time" {
            complaints.push(complaint("/column", "wants the name of a column with numbers".to_owned()));
        }
        let stale_after = text("stale_after");
        let stale_after_ns = if stale_after.is_empty() { Some(0) } else { parse_duration_ns(&stale_after) };
        if stale_after_ns.is_none() {
            let message = format!("\"{stale_after}\" is no duration such as \"30s\" or \"5m\"");
            complaints.push(complaint("/stale_after", message));
        }
        let keys = config.get("keys").and_then(Value::as_array);
        let keys = keys.map(|keys| keys.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        if !complaints.is_empty() {
            return Err(complaints);
        }
        Ok(Self {
            column: text("column"),
            warning,
            critical,
            direction,
            keys: keys.unwrap_or_default(),
            stale_after_ns: stale_after_ns.unwrap_or(0),
            measure: text("measure"),
        })
    }

    /// What `plan` answers.
    pub fn plan(&self) -> String {
        json!({
            "reads": [{ "name": self.column, "kind": "f64s", "optional": true }],
            "keys": self.keys,
            "tables": [{ "name": "levels", "by": "key", "size": VALUE_BYTES }],
            "cut_invariant": true,
        })
        .to_string()
    }
}
