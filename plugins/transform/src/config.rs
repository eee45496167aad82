//! The configuration of a transform: from JSON to columns that are made and names that are left out, with every complaint at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_sdk::expr::{self, Expr, Kind};

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Transform",
  "description": "Computes, renames, converts and drops columns. Everything is computed from the columns as they come in; the order of the entries does not matter.",
  "additionalProperties": false,
  "properties": {
    "set": {
      "type": "object",
      "title": "Computed columns",
      "description": "Name of a new or replaced column, and the expression that computes it. The name `time` replaces the event time, where there is a result.",
      "additionalProperties": { "type": "string", "minLength": 1, "maxLength": 8192, "format": "weir-expression" },
      "propertyNames": { "minLength": 1, "maxLength": 256 },
      "maxProperties": 128,
      "default": {},
      "examples": [{ "latency_s": "latency_ms / 1000", "slow": "latency_ms > 500", "route": "lower(concat(method, ' ', path))" }]
    },
    "rename": {
      "type": "object",
      "title": "Renamed columns",
      "description": "Old name and new name. A column that the stream does not have is passed over.",
      "additionalProperties": { "type": "string", "minLength": 1, "maxLength": 256 },
      "maxProperties": 128,
      "default": {},
      "examples": [{ "lat": "latency_ms" }]
    },
    "drop": {
      "type": "array",
      "title": "Dropped columns",
      "description": "Names of columns that do not go on.",
      "items": { "type": "string", "minLength": 1, "maxLength": 256 },
      "maxItems": 256,
      "default": [],
      "examples": [["password", "token"]]
    },
    "cast": {
      "type": "object",
      "title": "Converted columns",
      "description": "Name (as it comes in) and the kind that it becomes. A value that does not convert is not there in that row.",
      "additionalProperties": { "enum": ["f64", "s64", "u64", "text", "bool", "timestamp"] },
      "maxProperties": 128,
      "default": {},
      "examples": [{ "status": "u64" }]
    }
  },
  "examples": [{ "set": { "latency_s": "latency_ms / 1000" }, "drop": ["latency_ms"] }]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Config {
    set: BTreeMap<String, String>,
    rename: BTreeMap<String, String>,
    drop: Vec<String>,
    cast: BTreeMap<String, String>,
}

/// What happens to a batch.
pub struct Changes {
    /// Name, and what computes it; rows without a result have no value.
    pub made: Vec<(String, Expr)>,
    /// New name, and the column that it was: copied or converted, passed over where the stream does not have it.
    pub moved: Vec<(String, Expr)>,
    pub omit: Vec<String>,
    /// All columns that are read, each once; never the event time.
    pub reads: BTreeSet<String>,
}

pub fn changes(config: &Config) -> Result<Changes, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut made = Vec::new();
    for (name, text) in &config.set {
        match expr::parse(text) {
            Ok(expr) => made.push((name.clone(), expr)),
            Err(err) => complaints.push(Complaint::new(&pointer("set", name), err.to_string())),
        }
    }
    let moved = moved(config, &mut complaints);
    check_names(config, &mut complaints);
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let comes: BTreeSet<&String> = made.iter().chain(&moved).map(|(name, _)| name).collect();
    let goes = config.drop.iter().chain(config.rename.keys());
    let omit: BTreeSet<String> = goes.filter(|name| !comes.contains(name)).cloned().collect();
    let named = made.iter().chain(&moved).flat_map(|(_, expr)| expr.columns());
    let reads = named.filter(|name| *name != "time").cloned().collect();
    Ok(Changes { made, moved, omit: omit.into_iter().collect(), reads })
}

/// Casts and renames, both of the columns as they come in.
fn moved(config: &Config, complaints: &mut Vec<Complaint>) -> Vec<(String, Expr)> {
    let mut moved = Vec::new();
    for (name, kind) in &config.cast {
        let Some(known) = Kind::named(kind) else {
            let message = format!("`{kind}` is not a kind; there are {}", Kind::NAMES.join(", "));
            complaints.push(Complaint::new(&pointer("cast", name), message));
            continue;
        };
        let target = config.rename.get(name).unwrap_or(name);
        moved.push((target.clone(), expr::cast(name, known)));
    }
    for (old, new) in config.rename.iter().filter(|(old, _)| !config.cast.contains_key(*old)) {
        moved.push((new.clone(), expr::copy(old)));
    }
    moved
}

fn check_names(config: &Config, complaints: &mut Vec<Complaint>) {
    let mut targets = BTreeSet::new();
    for (old, new) in &config.rename {
        let path = pointer("rename", old);
        if old == "time" || new == "time" {
            complaints.push(Complaint::new(&path, "the event time has no other name; use `set` with `time`"));
        }
        if config.set.contains_key(new) || !targets.insert(new) {
            complaints.push(Complaint::new(&path, format!("`{new}` is made twice; choose another name")));
        }
    }
    for name in config.cast.keys() {
        if name == "time" {
            complaints.push(Complaint::new("/cast/time", "the event time is a timestamp always"));
        }
        if config.set.contains_key(name) && !config.rename.contains_key(name) {
            let message = format!("`{name}` is also in `set`; convert in that expression: {}(...)", "f64");
            complaints.push(Complaint::new(&pointer("cast", name), message));
        }
    }
    for (index, name) in config.drop.iter().enumerate() {
        let path = format!("/drop/{index}");
        if name == "time" {
            complaints.push(Complaint::new(&path, "the event time cannot be dropped"));
        }
        if config.set.contains_key(name) || config.cast.contains_key(name) {
            complaints.push(Complaint::new(
                &path,
                format!("`{name}` is also in `set` or `cast`; take it out of one"),
            ));
        }
    }
}

fn pointer(member: &str, name: &str) -> String {
    format!("/{member}/{}", name.replace('~', "~0").replace('/', "~1"))
}
