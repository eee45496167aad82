//! The configuration of a split: from JSON to one condition for each port, with every complaint at once.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use weir_sdk::Complaint;
use weir_sdk::expr::{self, Expr};

/// The host takes 64 ports; one is `rest`.
const PORTS_MAX: usize = 63;
pub const REST: &str = "rest";

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Split",
  "description": "Parts a stream: each row leaves by the port whose condition it fulfils or that has its value; rows without a port of their own leave by `rest`.",
  "required": ["ports"],
  "additionalProperties": false,
  "properties": {
    "by": {
      "type": "string",
      "title": "By column",
      "description": "The column whose value chooses the port; needed where a port has `values`.",
      "minLength": 1,
      "maxLength": 256,
      "examples": ["method", "http.status"]
    },
    "ports": {
      "type": "array",
      "title": "Ports",
      "description": "The ways out, in their order: a name, and either the values of the column or a condition. The first one is the unit's default port.",
      "minItems": 1,
      "maxItems": 63,
      "items": {
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
          "name": {
            "type": "string",
            "title": "Name",
            "description": "Name of the port: a-z, 0-9, `-` and `_`; not `rest`.",
            "pattern": "^[a-z0-9_-]{1,64}$",
            "examples": ["errors"]
          },
          "values": {
            "type": "array",
            "title": "Values",
            "description": "Rows with one of these values in the column. A number is not the text of it.",
            "items": { "type": ["string", "number", "boolean"] },
            "minItems": 1,
            "maxItems": 1024,
            "examples": [["GET", "HEAD"], [500, 502, 503]]
          },
          "when": {
            "type": "string",
            "title": "Condition",
            "description": "Rows for which it is true. What cannot be computed is not true.",
            "format": "weir-expression",
            "minLength": 1,
            "maxLength": 8192,
            "examples": ["status >= 500", "n % 2 = 0"]
          }
        }
      },
      "examples": [
        [{ "name": "errors", "when": "status >= 500" }, { "name": "slow", "when": "latency_ms > 1000" }],
        [{ "name": "reads", "values": ["GET", "HEAD"] }, { "name": "writes", "values": ["POST", "PUT", "DELETE"] }]
      ]
    },
    "match": {
      "enum": ["first", "all"],
      "title": "Ports for a row",
      "description": "`first`: a row leaves by the first port that fits, once. `all`: by each port that fits.",
      "default": "first"
    }
  },
  "examples": [
    { "by": "method", "ports": [{ "name": "reads", "values": ["GET", "HEAD"] }, { "name": "writes", "values": ["POST", "PUT", "DELETE"] }] },
    { "ports": [{ "name": "errors", "when": "status >= 500" }, { "name": "slow", "when": "latency_ms > 1000" }], "match": "all" }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    by: Option<String>,
    ports: Vec<PortConfig>,
    #[serde(default, rename = "match")]
    pub takes: Match,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortConfig {
    name: String,
    values: Option<Vec<Value>>,
    when: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    #[default]
    First,
    All,
}

/// A way out and what it takes.
pub struct Branch {
    pub name: String,
    pub when: Expr,
}

pub fn branches(config: &Config) -> Result<Vec<Branch>, Vec<Complaint>> {
    let (mut complaints, mut branches, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    if config.ports.is_empty() || config.ports.len() > PORTS_MAX {
        complaints.push(Complaint::new("/ports", format!("wants 1 to {PORTS_MAX} ports")));
    }
    for (index, port) in config.ports.iter().enumerate() {
        let path = format!("/ports/{index}");
        if let Err(message) = check_name(&port.name, &mut names) {
            complaints.push(Complaint::new(&format!("{path}/name"), message));
        }
        match condition(config.by.as_deref(), port) {
            Ok(when) => branches.push(Branch { name: port.name.clone(), when }),
            Err((member, message)) => complaints.push(Complaint::new(&format!("{path}{member}"), message)),
        }
    }
    if config.by.is_some() && config.ports.iter().all(|port| port.values.is_none()) {
        complaints.push(Complaint::new("/by", "no port has `values`; give one some, or leave `by` out"));
    }
    if complaints.is_empty() { Ok(branches) } else { Err(complaints) }
}

fn check_name<'a>(name: &'a str, names: &mut BTreeSet<&'a str>) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(format!("`{name}` is no name of a port: 1 to 64 of a-z, 0-9, `-` and `_`"));
    }
    if name == REST {
        return Err("`rest` is the port of the rows that no other port takes; choose another name".to_owned());
    }
    if names.insert(name) { Ok(()) } else { Err(format!("`{name}` is there twice; choose another name")) }
}

/// The error is the member of the port, and what is wrong with it.
fn condition(by: Option<&str>, port: &PortConfig) -> Result<Expr, (&'static str, String)> {
    match (&port.when, &port.values, by) {
        (Some(text), None, _) => {
            let when = expr::parse(text).map_err(|err| ("/when", err.to_string()))?;
            if when.is_condition() {
                return Ok(when);
            }
            Err((
                "/when",
                "this is not true or false; compare it with something, as in `status >= 500`".to_owned(),
            ))
        }
        (None, Some(values), Some(by)) => {
            let text = has_value(by, values).map_err(|message| ("/values", message))?;
            expr::parse(&text).map_err(|err| ("/values", err.to_string()))
        }
        (None, Some(_), None) => {
            Err(("/values", "there is no column to look at; name it in `by`".to_owned()))
        }
        (Some(_), Some(_), _) => Err(("", "has both `values` and `when`; take one out".to_owned())),
        (None, None, _) => Err(("", "has neither `values` nor `when`; say what the port takes".to_owned())),
    }
}

/// As an expression, so that values compare here as they do everywhere.
fn has_value(by: &str, values: &[Value]) -> Result<String, String> {
    if by.contains('`') || by.is_empty() {
        return Err(format!("`by` cannot be {by:?}: a name without backticks is wanted"));
    }
    let mut items = Vec::with_capacity(values.len());
    for value in values {
        items.push(match value {
            Value::String(text) => quoted(text),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err("wants texts, numbers, true or false".to_owned()),
        });
    }
    if items.is_empty() {
        return Err("is empty; name at least one value".to_owned());
    }
    Ok(format!("`{by}` in [{}]", items.join(", ")))
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\t', "\\t");
    format!("'{escaped}'")
}
