//! The configuration of an enrich: key columns, columns to add, and where the table comes from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_sdk::expr::Kind;
use weir_text::parse_duration_ns;

use crate::selector::Selector;

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Enrich",
  "description": "Adds columns from a table to each event, by a key: the table is a file, or another stream whose newest event of each key counts.",
  "required": ["keys", "add"],
  "additionalProperties": false,
  "properties": {
    "keys": {
      "type": "array",
      "title": "Key",
      "description": "Columns whose values find the entry of the table. A number finds the text of it.",
      "items": { "type": "string", "minLength": 1, "maxLength": 256 },
      "minItems": 1,
      "maxItems": 16,
      "uniqueItems": true,
      "examples": [["host"]]
    },
    "add": {
      "type": "object",
      "title": "Columns to add",
      "description": "Columns of the table, and the kind that they become. A value that does not convert is not there.",
      "additionalProperties": { "enum": ["f64", "s64", "u64", "text", "bool", "timestamp"] },
      "propertyNames": { "minLength": 1, "maxLength": 256 },
      "minProperties": 1,
      "maxProperties": 64,
      "examples": [{ "team": "text", "cores": "u64" }]
    },
    "table": {
      "type": "object",
      "title": "Table from a file",
      "description": "A file below the folder of the configuration, read when the configuration is: CSV with a line of names (`.csv`), or one JSON object on a line (`.ndjson`, `.jsonl`). At most 2 MiB and 50,000 entries; each key once. A changed file counts from the next change or reading of the configuration on.",
      "format": "weir-table",
      "required": ["file"],
      "additionalProperties": false,
      "properties": {
        "file": { "type": "string", "title": "File", "minLength": 1, "maxLength": 1024, "examples": ["tables/hosts.csv"] }
      },
      "examples": [{ "file": "hosts.csv" }]
    },
    "stream": {
      "type": "string",
      "title": "Table from a stream",
      "description": "Selects the streams whose events are entries of the table and go no further; the pipeline must have them in its `from`. They have the same key columns.",
      "minLength": 5,
      "maxLength": 400,
      "examples": ["ref/prod/host", "ref/*/host"]
    },
    "forget": {
      "type": "string",
      "title": "Forget entries",
      "description": "For a table from a stream: how long an entry counts without a newer one. Without it entries stay.",
      "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
      "examples": ["1d"]
    },
    "prefix": {
      "type": "string",
      "title": "Prefix",
      "description": "Put before the name of each new column. A column of that name is replaced.",
      "maxLength": 128,
      "default": "",
      "examples": ["host."]
    },
    "unmatched": {
      "enum": ["pass", "apart"],
      "title": "Events without an entry",
      "description": "`pass`: they leave by `out` without the new columns. `apart`: they leave by the port `unmatched`.",
      "default": "pass"
    }
  },
  "examples": [
    { "keys": ["host"], "add": { "team": "text", "cores": "u64" }, "stream": "ref/prod/host", "forget": "1d" }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub keys: Vec<String>,
    add: BTreeMap<String, String>,
    table: Option<File>,
    stream: Option<String>,
    pub forget: Option<String>,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    pub unmatched: Unmatched,
}

/// What the host makes of a table's file: its text, and the digest of it, so that another content is another configuration.
#[derive(Deserialize)]
pub struct File {
    pub file: String,
    pub text: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    #[default]
    Pass,
    Apart,
}

/// A column that is added.
#[derive(Clone, Debug)]
pub struct Field {
    /// In the table.
    pub name: String,
    pub column: String,
    /// None: text.
    pub kind: Option<Kind>,
}

pub enum From<'a> {
    File { name: &'a str, text: &'a str },
    Stream(Selector),
}

impl Config {
    pub fn check(&self) -> Result<(Vec<Field>, From<'_>), Vec<Complaint>> {
        let mut complaints = Vec::new();
        let distinct: BTreeSet<&String> = self.keys.iter().collect();
        if self.keys.is_empty() || distinct.len() < self.keys.len() {
            complaints.push(Complaint::new("/keys", "wants one or more columns, each once"));
        }
        if let Some(index) = self.keys.iter().position(|name| name == "time" || name.is_empty()) {
            let message = "the event time (or an empty name) cannot be part of the key; name a column";
            complaints.push(Complaint::new(&format!("/keys/{index}"), message));
        }
        let fields = self.fields(&mut complaints);
        let from = self.from(&mut complaints);
        match from {
            Some(from) if complaints.is_empty() => Ok((fields, from)),
            _ => Err(complaints),
        }
    }

    fn fields(&self, complaints: &mut Vec<Complaint>) -> Vec<Field> {
        if self.add.is_empty() {
            complaints.push(Complaint::new(
                "/add",
                "is empty; name columns of the table, such as { team = \"text\" }",
            ));
        }
        let mut fields = Vec::new();
        for (name, kind) in &self.add {
            let path = format!("/add/{}", name.replace('~', "~0").replace('/', "~1"));
            let column = format!("{}{name}", self.prefix);
            if column == "time" || self.keys.contains(&column) {
                let message = format!("`{column}` is the event time or part of the key; give a prefix");
                complaints.push(Complaint::new(&path, message));
            }
            let known = Kind::named(kind);
            if known.is_none() {
                let message = format!("`{kind}` is not a kind; there are {}", Kind::NAMES.join(", "));
                complaints.push(Complaint::new(&path, message));
            }
            fields.push(Field { name: name.clone(), column, kind: known.filter(|_| kind != "text") });
        }
        fields
    }

    fn from(&self, complaints: &mut Vec<Complaint>) -> Option<From<'_>> {
        if let Some(forget) = &self.forget {
            if self.table.is_some() {
                complaints
                    .push(Complaint::new("/forget", "entries of a file are never forgotten; take it out"));
            }
            if parse_duration_ns(forget).is_none_or(|ns| ns < 1_000_000) {
                complaints
                    .push(Complaint::new("/forget", "wants a duration from \"1ms\" on, such as \"1d\""));
            }
        }
        match (&self.table, &self.stream) {
            (Some(File { file, text: Some(text) }), None) => Some(From::File { name: file, text }),
            (Some(_), None) => {
                complaints.push(Complaint::new("/table", "its file was not read by the host"));
                None
            }
            (None, Some(stream)) => match Selector::parse(stream) {
                Some(selector) => Some(From::Stream(selector)),
                None => {
                    let message = format!("`{stream}` is not of the form application/environment/type");
                    complaints.push(Complaint::new("/stream", message));
                    None
                }
            },
            _ => {
                complaints.push(Complaint::new("", "wants one of `table` (a file) and `stream`"));
                None
            }
        }
    }
}
