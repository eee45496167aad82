//! The configuration of `absent`, checked.
//!
//! In: JSON that already fits [`SCHEMA`]. Out: [`Limits`], or all that is wrong with it as complaints.

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_text::parse_duration_ns;

pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Absent",
  "description": "Notices when a key went silent: a host that reports no more, a job that did not run. What was never seen is not missed.",
  "examples": [{ "warning": "30s", "critical": "5m", "keys": ["host"] }],
  "additionalProperties": false,
  "anyOf": [{ "required": ["warning"] }, { "required": ["critical"] }],
  "properties": {
    "warning": {
      "type": "string", "title": "Warning after", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
      "description": "The level is warning after so long without an event of the key.", "examples": ["30s"]
    },
    "critical": {
      "type": "string", "title": "Critical after", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
      "description": "The level is critical after so long without an event of the key.", "examples": ["5m"]
    },
    "keys": {
      "type": "array", "title": "Key columns", "items": { "type": "string", "minLength": 1 }, "maxItems": 16, "uniqueItems": true, "default": [],
      "description": "Columns whose values make the key: each key may go silent by itself. None: the stream as a whole.",
      "examples": [["host"]]
    },
    "only": {
      "type": "string", "title": "Only events where", "default": "", "maxLength": 8192, "format": "weir-expression",
      "description": "A condition: other events are no sign of life.", "examples": ["event = 'heartbeat'"]
    },
    "forget": {
      "type": "string", "title": "Give up after", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$", "default": "1d",
      "description": "A key that is silent for that long is given up: its level is unknown from then on. 0s: never.", "examples": ["1d"]
    }
  }
}"#;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub warning: Option<String>,
    pub critical: Option<String>,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub only: String,
    pub forget: Option<String>,
}

const FORGET: &str = "1d";

/// How long a silence is what; none: never.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub warning_ns: Option<i64>,
    pub critical_ns: Option<i64>,
    pub forget_ns: Option<i64>,
}

impl Limits {
    pub fn check(config: &Config) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let mut read = |path: &str, text: Option<&str>| -> Option<i64> {
            let text = text?;
            let ns = parse_duration_ns(text);
            if ns.is_none() {
                complaints.push(Complaint::new(
                    path,
                    format!("\"{text}\" is no duration such as \"30s\" or \"5m\""),
                ));
            }
            ns
        };
        let limits = Self {
            warning_ns: read("/warning", config.warning.as_deref()),
            critical_ns: read("/critical", config.critical.as_deref()),
            forget_ns: read("/forget", Some(config.forget.as_deref().unwrap_or(FORGET))).filter(|ns| *ns > 0),
        };
        if config.warning.is_none() && config.critical.is_none() {
            complaints.push(Complaint::new("/warning", "give warning, critical or both, such as \"30s\""));
        }
        for (path, ns) in [("/warning", limits.warning_ns), ("/critical", limits.critical_ns)] {
            if ns == Some(0) {
                complaints.push(Complaint::new(
                    path,
                    "is no time at all; write one that is longer than the usual distance of two events",
                ));
            }
        }
        if let (Some(warning), Some(critical)) = (limits.warning_ns, limits.critical_ns)
            && critical <= warning
        {
            complaints.push(Complaint::new("/critical", "must be longer than warning"));
        }
        let longest = limits.warning_ns.max(limits.critical_ns);
        if limits.forget_ns.is_some_and(|forget| Some(forget) <= longest) {
            complaints.push(Complaint::new(
                "/forget",
                "must be longer than warning and critical, or \"0s\" for never",
            ));
        }
        if complaints.is_empty() { Ok(limits) } else { Err(complaints) }
    }

    /// What comes next for a key of that level: 1 ok, 2 warning, 3 critical.
    pub fn next_ns(&self, level: u8) -> Option<i64> {
        match level {
            1 => self.warning_ns.or(self.critical_ns),
            2 => self.critical_ns.or(self.forget_ns),
            _ => self.forget_ns,
        }
    }
}
