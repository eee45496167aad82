//! The configuration of the hostile unit, and its description and plan.
//!
//! In: JSON such as {"fault": "trap", "on_row_value": {"column": "x", "equals": 13}}. With `on_row_value` only a batch that holds such a row
//! misbehaves (a poison row); every other batch is forwarded whole.

use serde_json::{Value, json};

use crate::faults::{Call, FAULTS, Fault};

/// State table of any size, by key.
pub const PACKED_TABLE: u32 = 0;
/// State table of 8 bytes per value, by key.
pub const FIXED_TABLE: u32 = 1;

#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub fault: Fault,
    pub poison: Option<Poison>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Poison {
    pub column: String,
    pub equals: Equals,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Equals {
    Number(f64),
    Text(String),
}

/// What `describe` answers.
pub fn describe() -> String {
    let names: Vec<&str> = FAULTS.iter().map(|fault| fault.0).collect();
    json!({
        "name": "faults",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "misbehaves in the way that its configuration names; forwards all rows otherwise",
        "kind": "filter",
        "requires": [],
        "config": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "fault": { "enum": names, "default": "none" },
                "on_row_value": {
                    "type": "object", "additionalProperties": false, "required": ["column", "equals"],
                    "properties": {
                        "column": { "type": "string", "minLength": 1 },
                        "equals": { "anyOf": [{ "type": "number" }, { "type": "string" }] }
                    },
                    "description": "only a batch with such a row misbehaves"
                }
            }
        },
        "state": { "schema": 1, "migrates": [] },
    })
    .to_string()
}

impl Config {
    /// None: what is wrong as (JSON pointer, message).
    pub fn parse(json: &str) -> Result<Self, (String, String)> {
        let config: Value =
            serde_json::from_str(json).map_err(|error| (String::new(), format!("is no JSON: {error}")))?;
        let name = config.get("fault").and_then(Value::as_str).unwrap_or("none");
        let fault = Fault::parse(name)
            .ok_or_else(|| ("/fault".to_owned(), format!("there is no fault \"{name}\"")))?;
        let poison = match config.get("on_row_value") {
            None | Some(Value::Null) => None,
            Some(row) => Some(Poison {
                column: row.get("column").and_then(Value::as_str).unwrap_or_default().to_owned(),
                equals: match row.get("equals") {
                    Some(Value::String(text)) => Equals::Text(text.clone()),
                    Some(Value::Number(number)) => Equals::Number(number.as_f64().unwrap_or(f64::NAN)),
                    _ => {
                        return Err((
                            "/on_row_value/equals".to_owned(),
                            "wants a number or a text".to_owned(),
                        ));
                    }
                },
            }),
        };
        Ok(Self { fault, poison })
    }

    /// What `plan` answers, where it does not lie.
    pub fn plan(&self) -> String {
        let reads: Vec<Value> = self
            .poison
            .iter()
            .map(|poison| {
                let kind = if matches!(poison.equals, Equals::Text(_)) { "texts" } else { "f64s" };
                json!({ "name": poison.column, "kind": kind, "optional": true })
            })
            .collect();
        let mut plan = json!({
            "reads": reads,
            "ports": [{ "name": "out", "summary": "all rows" }],
            "tables": [{ "name": "packed", "by": "key" }, { "name": "fixed", "by": "key", "size": 8 }],
            "cut_invariant": true,
        });
        if self.fault.call() == Call::Tick
            && let Some(plan) = plan.as_object_mut()
        {
            plan.insert("tick".to_owned(), json!("100ms"));
        }
        plan.to_string()
    }
}
