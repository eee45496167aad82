//! The configuration of a rebroadcast: names of ports, and how the type is made.

use std::collections::BTreeSet;

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_sdk::expr::{self, Expr};

const PORTS_MAX: usize = 64;

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Rebroadcast",
  "description": "Gives the same events to several ports, each of which may lead to a stream of another type. With `type` it also computes the type of each event, for a derived stream with `type_by`.",
  "additionalProperties": false,
  "properties": {
    "to": {
      "type": "array",
      "title": "Ports",
      "description": "The ways out, by name (a-z, 0-9, `-` and `_`). Every event leaves by each of them; connect a `[[pipeline.stream]]` to each for several types.",
      "items": { "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" },
      "minItems": 1,
      "maxItems": 64,
      "uniqueItems": true,
      "default": ["out"],
      "examples": [["audit", "billing"]]
    },
    "type": {
      "type": "string",
      "title": "Type",
      "description": "What an event's type is made of. Letters become small, and what is neither a-z, 0-9, `.`, `_` nor `-` becomes `-`, at most 64 characters, so that values of any kind can be types. Where there is no result there is none.",
      "format": "weir-expression",
      "minLength": 1,
      "maxLength": 8192,
      "examples": ["method", "concat(method, '-', status)"]
    },
    "type_column": {
      "type": "string",
      "title": "Column of the type",
      "description": "Where the computed type is put: name it in `type_by` of the derived stream, whose `types` says how many there may be.",
      "minLength": 1,
      "maxLength": 256,
      "default": "type",
      "examples": ["route"]
    }
  },
  "examples": [
    { "to": ["audit", "billing"] },
    { "to": ["out"], "type": "concat(method, '-', status)" }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "out")]
    pub to: Vec<String>,
    #[serde(rename = "type")]
    made_of: Option<String>,
    #[serde(default = "column")]
    pub type_column: String,
}

fn out() -> Vec<String> {
    vec!["out".to_owned()]
}

fn column() -> String {
    "type".to_owned()
}

impl Config {
    /// What makes the type, if anything does; and all that is wrong.
    pub fn check(&self) -> Result<Option<Expr>, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if self.to.is_empty() || self.to.len() > PORTS_MAX {
            complaints.push(Complaint::new("/to", format!("wants 1 to {PORTS_MAX} ports")));
        }
        let fits =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let mut names = BTreeSet::new();
        for (index, name) in self.to.iter().enumerate() {
            let path = format!("/to/{index}");
            if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
                let message = format!("`{name}` is no name of a port: 1 to 64 of a-z, 0-9, `-` and `_`");
                complaints.push(Complaint::new(&path, message));
            }
            if !names.insert(name) {
                complaints.push(Complaint::new(&path, format!("`{name}` is there twice")));
            }
        }
        if self.type_column == "time" || self.type_column.is_empty() {
            let message = "the event time (or an empty name) cannot hold the type; name a column";
            complaints.push(Complaint::new("/type_column", message));
        }
        match self.made_of.as_deref().map(expr::parse).transpose() {
            Ok(made_of) if complaints.is_empty() => Ok(made_of),
            Ok(_) => Err(complaints),
            Err(err) => {
                complaints.push(Complaint::new("/type", err.to_string()));
                Err(complaints)
            }
        }
    }
}
