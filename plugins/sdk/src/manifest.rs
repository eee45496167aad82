//! What a component says of itself and of what it needs, made into the JSON of the contract.

use std::borrow::Cow;

use serde::Serialize;

pub use crate::bindings::unit::exports::weir::plugin::manifest::Complaint;

impl Complaint {
    /// `path` is a JSON pointer into the configuration: "/keep".
    pub fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

/// Answer of `describe`.
#[derive(Clone, Debug)]
pub struct Description {
    pub name: &'static str,
    pub version: &'static str,
    pub summary: &'static str,
    /// filter, transform, aggregate, rebroadcast, split, rollup, buffer, rule, formatter or codec.
    pub kind: &'static str,
    /// JSON Schema of the configuration, as text: it is a form, so give titles, descriptions and examples.
    pub config: &'static str,
    /// Version of what is in the state; 0 where there is none.
    pub state_schema: u32,
    /// Older versions that `migrate` understands.
    pub migrates: &'static [u32],
}

/// The schema of a component without configuration.
pub const NO_CONFIG: &str = r#"{"type":"object","additionalProperties":false}"#;

impl Description {
    pub const fn new(
        kind: &'static str,
        name: &'static str,
        version: &'static str,
        summary: &'static str,
    ) -> Self {
        Self { name, version, summary, kind, config: NO_CONFIG, state_schema: 0, migrates: &[] }
    }

    pub const fn config(self, schema: &'static str) -> Self {
        Self { config: schema, ..self }
    }

    pub const fn state(self, schema: u32, migrates: &'static [u32]) -> Self {
        Self { state_schema: schema, migrates, ..self }
    }

    /// The schema goes in as it is, so that its order of properties, which is that of the form, is kept.
    pub fn to_json(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let migrates: Vec<String> = self.migrates.iter().map(u32::to_string).collect();
        format!(
            r#"{{"name":{},"version":{},"summary":{},"kind":{},"requires":[],"config":{},"state":{{"schema":{},"migrates":[{}]}}}}"#,
            text(self.name),
            text(self.version),
            text(self.summary),
            text(self.kind),
            self.config,
            self.state_schema,
            migrates.join(",")
        )
    }
}

/// Answer of `plan`. The default reads all columns as they are and has no port, which suits a formatter.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<Read>>,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    pub across: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// "1s"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tick: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
    /// "10s": how far emitted rows may lie behind the watermark at which they are emitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    pub cut_invariant: bool,
    /// Of rules: "series" where it evaluates points instead of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'static str>,
}

impl Plan {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn reads(mut self, reads: impl IntoIterator<Item = Read>) -> Self {
        self.reads.get_or_insert_default().extend(reads);
        self
    }

    pub fn keys<T: Into<String>>(mut self, keys: impl IntoIterator<Item = T>) -> Self {
        self.keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Names may come from the configuration.
    pub fn port(mut self, name: impl Into<Cow<'static, str>>, summary: impl Into<Cow<'static, str>>) -> Self {
        self.ports.push(Port { name: name.into(), summary: summary.into() });
        self
    }

    pub fn delay_ns(mut self, delay_ns: i64) -> Self {
        self.delay = Some(format!("{delay_ns}ns"));
        self
    }

    pub fn table(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// Equal rows come out however the rows are cut into batches.
    pub fn cut_invariant(mut self) -> Self {
        self.cut_invariant = true;
        self
    }
}

/// A column that is wanted.
#[derive(Clone, Debug, Serialize)]
pub struct Read {
    pub name: String,
    /// f64s, s64s, u64s, bools, timestamps, texts, blobs, categories or any.
    pub kind: &'static str,
    pub optional: bool,
    /// "growing", or none for whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dictionary: Option<&'static str>,
}

impl Read {
    /// Must be in the stream.
    pub fn new(name: impl Into<String>, kind: &'static str) -> Self {
        Self { name: name.into(), kind, optional: false, dictionary: None }
    }

    /// Left out where the stream does not have it.
    pub fn optional(name: impl Into<String>, kind: &'static str) -> Self {
        Self { optional: true, ..Self::new(name, kind) }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Port {
    pub name: Cow<'static, str>,
    pub summary: Cow<'static, str>,
}

/// A table of state; its number is its place in the plan.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    pub name: &'static str,
    /// "key" or "name".
    pub by: &'static str,
    /// Bytes of each value; none: any length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<String>,
}

impl Table {
    /// By key number, values of `size` bytes.
    pub fn by_key(name: &'static str, size: u32) -> Self {
        Self { name, by: "key", size: Some(size), expire: None }
    }

    /// By key number, values of any length.
    pub fn by_key_packed(name: &'static str) -> Self {
        Self { name, by: "key", size: None, expire: None }
    }
}

/// JSON into a configuration; the complaint is at the top, since serde names the place in its text.
pub fn parse_config<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Complaint> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    serde_json::from_str(json).map_err(|err| Complaint::new("", err.to_string()))
}
