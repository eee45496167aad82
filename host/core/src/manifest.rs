//! Reads what a component says of itself: JSON of `describe` into a [`Manifest`], JSON of `plan` into a [`Plan`].
//!
//! In: text from a guest, so anything at all. Out: checked types, or one [`ManifestError`] that names the member and what would be right; it is a
//! fault of the component. Members that this version does not know become warnings in the result, a word of `requires` that it does not know is an
//! error: the component says that it cannot do without. Durations are texts such as `"1s"`. The format is in `wit/manifest.wit`. Limits: the
//! constants below.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::measure::duration_ns;
use crate::plan::{ColumnKind, Manifest, Plan, PlannedPort, PlannedTable, Read};

pub const TEXT_BYTES_MAX: usize = 1 << 20;
pub const SUMMARY_BYTES_MAX: usize = 1024;
pub const READS_MAX: usize = 256;
pub const KEYS_MAX: usize = 16;
pub const PORTS_MAX: usize = 64;
pub const TABLES_MAX: usize = 64;
/// Largest fixed size of a value; the contract allows 1 MiB per value.
pub const SIZE_BYTES_MAX: u64 = 1 << 20;
const NAME_BYTES_MAX: usize = 256;
const TICK_NS_MIN: i64 = 1_000_000;

/// Words of `requires` that this host understands: none so far.
const REQUIRES: [&str; 0] = [];

pub const UNIT_KINDS: [&str; 7] =
    ["filter", "transform", "aggregate", "rebroadcast", "split", "rollup", "buffer"];
const OTHER_KINDS: [&str; 3] = ["rule", "formatter", "codec"];

/// Why a manifest or a plan is not one. The text names the member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {message}")]
pub struct ManifestError {
    /// For example `describe`, `plan.reads[2].kind`.
    pub member: String,
    pub message: String,
}

/// The answer of `describe`.
pub fn parse_manifest(text: &str) -> Result<Manifest, ManifestError> {
    let mut object = Object::parse("describe", text)?;
    let name = object.name("name")?;
    let version = object.required_text("version", 64)?;
    let summary = object.text("summary", SUMMARY_BYTES_MAX)?.unwrap_or_default();
    let kind = object.required_text("kind", 64)?;
    if !UNIT_KINDS.contains(&kind.as_str()) && !OTHER_KINDS.contains(&kind.as_str()) {
        let kinds = [&UNIT_KINDS[..], &OTHER_KINDS[..]].concat().join(", ");
        return Err(object.error("kind", format!("`{kind}` is none of {kinds}")));
    }
    for word in object.texts("requires", 64)?.unwrap_or_default() {
        if !REQUIRES.contains(&word.as_str()) {
            return Err(object
                .error("requires", format!("this version of Weir has no `{word}`; a newer one is needed")));
        }
    }
    let config_schema = object.take("config").unwrap_or_else(|| Value::Object(Map::new()));
    if !config_schema.is_object() {
        return Err(object.error("config", "must be a JSON Schema, an object"));
    }
    let (mut state_schema, mut migrates, mut warnings) = (1, Vec::new(), Vec::new());
    if let Some(value) = object.take("state") {
        let mut state = Object::new("describe.state", value)?;
        state_schema = state.u32("schema")?.unwrap_or(1);
        migrates = state.u32s("migrates")?;
        warnings = state.finish();
    }
    warnings.extend(object.finish());
    Ok(Manifest { name, version, summary, kind, config_schema, state_schema, migrates, warnings })
}

/// The answer of `plan`. Whether there must be ports depends on the kind; [`crate::graph`] checks that.
pub fn parse_plan(text: &str) -> Result<Plan, ManifestError> {
    let mut object = Object::parse("plan", text)?;
    let mut warnings = Vec::new();
    let reads = reads(&mut object, &mut warnings)?;
    let selector = object.text("where", 64 * 1024)?.filter(|text| !text.trim().is_empty());
    let keys = object.texts("keys", KEYS_MAX)?.unwrap_or_default();
    object.distinct("keys", keys.iter().map(String::as_str))?;
    if let Some(key) = keys.iter().find(|key| !is_column(key)) {
        return Err(object.error("keys", format!("`{}` is not the name of a column", key.escape_debug())));
    }
    let across = object.bool("across")?;
    let ports = ports(&mut object, &mut warnings)?;
    let tick_ns = object.duration("tick")?;
    if tick_ns.is_some_and(|tick| tick < TICK_NS_MIN) {
        return Err(object.error("tick", "is under 1 ms; leave it out for no ticks"));
    }
    let delay_ns = object.duration("delay")?.unwrap_or(0);
    let tables = tables(&mut object, &mut warnings)?;
    let cut_invariant = object.bool("cut_invariant")?;
    warnings.extend(object.finish());
    let keys = keys.into_iter().map(Arc::from).collect();
    Ok(Plan { reads, selector, keys, across, ports, tick_ns, delay_ns, tables, cut_invariant, warnings })
}

fn reads(object: &mut Object, warnings: &mut Vec<String>) -> Result<Option<Vec<Read>>, ManifestError> {
    let Some(entries) = object.objects("reads", READS_MAX)? else { return Ok(None) };
    let mut reads: Vec<Read> = Vec::with_capacity(entries.len());
    for mut entry in entries {
        let name = entry.name("name")?;
        if name == "time" {
            return Err(entry.error("name", "`time` is not a column; every batch brings it by itself"));
        }
        let word = entry.text("kind", 64)?.unwrap_or_else(|| "any".to_owned());
        let kind = column_kind(&word).ok_or_else(|| {
            let kinds = "any, f64s, s64s, u64s, bools, timestamps, texts, blobs, categories";
            entry.error("kind", format!("`{word}` is none of {kinds}"))
        })?;
        let optional = entry.bool("optional")?;
        let growing = match entry.text("dictionary", 64)?.as_deref() {
            None | Some("whole") => false,
            Some("growing") if matches!(kind, ColumnKind::Categories | ColumnKind::Any) => true,
            Some("growing") => return Err(entry.error("dictionary", "only categories have one")),
            Some(word) => {
                return Err(entry.error("dictionary", format!("`{word}` is neither whole nor growing")));
            }
        };
        warnings.extend(entry.finish());
        reads.push(Read { name: name.into(), kind, optional, growing });
    }
    object.distinct("reads", reads.iter().map(|read| &*read.name))?;
    Ok(Some(reads))
}

fn column_kind(word: &str) -> Option<ColumnKind> {
    Some(match word {
        "any" => ColumnKind::Any,
        "f64s" => ColumnKind::F64s,
        "s64s" => ColumnKind::S64s,
        "u64s" => ColumnKind::U64s,
        "bools" => ColumnKind::Bools,
        "timestamps" => ColumnKind::Timestamps,
        "texts" => ColumnKind::Texts,
        "blobs" => ColumnKind::Blobs,
        "categories" => ColumnKind::Categories,
        _ => return None,
    })
}

fn ports(object: &mut Object, warnings: &mut Vec<String>) -> Result<Vec<PlannedPort>, ManifestError> {
    let mut ports = Vec::new();
    for mut entry in object.objects("ports", PORTS_MAX)?.unwrap_or_default() {
        let name = entry.name("name")?;
        let summary = entry.text("summary", SUMMARY_BYTES_MAX)?.unwrap_or_default();
        warnings.extend(entry.finish());
        ports.push(PlannedPort { name: name.into(), summary });
    }
    object.distinct("ports", ports.iter().map(|port| &*port.name))?;
    Ok(ports)
}

fn tables(object: &mut Object, warnings: &mut Vec<String>) -> Result<Vec<PlannedTable>, ManifestError> {
    let mut tables = Vec::new();
    for mut entry in object.objects("tables", TABLES_MAX)?.unwrap_or_default() {
        let name = entry.name("name")?;
        let by_key = match entry.text("by", 64)?.as_deref() {
            None | Some("key") => true,
            Some("name") => false,
            Some(word) => return Err(entry.error("by", format!("`{word}` is neither key nor name"))),
        };
        let size = entry.u32("size")?;
        if size.is_some_and(|size| size == 0 || u64::from(size) > SIZE_BYTES_MAX) {
            return Err(entry.error(
                "size",
                format!("must be 1 to {SIZE_BYTES_MAX} bytes; leave it out for values of any length"),
            ));
        }
        let expire_ns = entry.duration("expire")?;
        warnings.extend(entry.finish());
        tables.push(PlannedTable { name: name.into(), by_key, size, expire_ns });
    }
    object.distinct("tables", tables.iter().map(|table| &*table.name))?;
    Ok(tables)
}

fn is_column(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name != "time" && !name.chars().any(char::is_control)
}

/// A JSON object while it is read; what is left at the end is unknown.
struct Object {
    place: String,
    members: Map<String, Value>,
}

impl Object {
    fn parse(place: &str, text: &str) -> Result<Self, ManifestError> {
        let wrong = |message: String| ManifestError { member: place.to_owned(), message };
        if text.len() > TEXT_BYTES_MAX {
            return Err(wrong(format!("is {} bytes long; at most {TEXT_BYTES_MAX} are allowed", text.len())));
        }
        Self::new(place, serde_json::from_str(text).map_err(|error| wrong(format!("is not JSON: {error}")))?)
    }

    fn new(place: &str, value: Value) -> Result<Self, ManifestError> {
        match value {
            Value::Object(members) => Ok(Self { place: place.to_owned(), members }),
            _ => Err(ManifestError { member: place.to_owned(), message: "must be a JSON object".into() }),
        }
    }

    fn error(&self, member: &str, message: impl Into<String>) -> ManifestError {
        ManifestError { member: format!("{}.{member}", self.place), message: message.into() }
    }

    /// Null counts as absent.
    fn take(&mut self, member: &str) -> Option<Value> {
        self.members.remove(member).filter(|value| !value.is_null())
    }

    fn text(&mut self, member: &str, bytes_max: usize) -> Result<Option<String>, ManifestError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= bytes_max => Ok(Some(text)),
            Some(Value::String(_)) => Err(self.error(member, format!("is longer than {bytes_max} bytes"))),
            Some(_) => Err(self.error(member, "must be a text")),
        }
    }

    fn required_text(&mut self, member: &str, bytes_max: usize) -> Result<String, ManifestError> {
        let text = self.text(member, bytes_max)?;
        text.filter(|text| !text.is_empty()).ok_or_else(|| self.error(member, "is missing or empty"))
    }

    fn name(&mut self, member: &str) -> Result<String, ManifestError> {
        let name = self.required_text(member, NAME_BYTES_MAX)?;
        if name.chars().any(char::is_control) {
            return Err(self.error(member, "has control characters"));
        }
        Ok(name)
    }

    fn bool(&mut self, member: &str) -> Result<bool, ManifestError> {
        match self.take(member) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(value),
            Some(_) => Err(self.error(member, "must be true or false")),
        }
    }

    fn u32(&mut self, member: &str) -> Result<Option<u32>, ManifestError> {
        let Some(value) = self.take(member) else { return Ok(None) };
        match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => Err(self.error(member, "must be a whole number from 0 to 4294967295")),
        }
    }

    fn duration(&mut self, member: &str) -> Result<Option<i64>, ManifestError> {
        let Some(text) = self.text(member, 64)? else { return Ok(None) };
        duration_ns(&text).map(Some).map_err(|message| self.error(member, message))
    }

    fn list(&mut self, member: &str, max: usize) -> Result<Option<Vec<Value>>, ManifestError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() <= max => Ok(Some(list)),
            Some(Value::Array(list)) => {
                Err(self.error(member, format!("has {} entries; at most {max} are allowed", list.len())))
            }
            Some(_) => Err(self.error(member, "must be a list")),
        }
    }

    fn texts(&mut self, member: &str, max: usize) -> Result<Option<Vec<String>>, ManifestError> {
        let Some(list) = self.list(member, max)? else { return Ok(None) };
        let texts: Option<Vec<String>> = list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        texts.map(Some).ok_or_else(|| self.error(member, "must be a list of texts"))
    }

    fn u32s(&mut self, member: &str) -> Result<Vec<u32>, ManifestError> {
        let list = self.list(member, 1024)?.unwrap_or_default();
        let numbers: Option<Vec<u32>> =
            list.iter().map(|value| value.as_u64().and_then(|n| u32::try_from(n).ok())).collect();
        numbers.ok_or_else(|| self.error(member, "must be a list of whole numbers"))
    }

    fn objects(&mut self, member: &str, max: usize) -> Result<Option<Vec<Self>>, ManifestError> {
        let Some(list) = self.list(member, max)? else { return Ok(None) };
        let place = |index: usize| format!("{}.{member}[{index}]", self.place);
        let objects: Result<Vec<Self>, ManifestError> =
            list.into_iter().enumerate().map(|(index, value)| Self::new(&place(index), value)).collect();
        objects.map(Some)
    }

    fn distinct<'a>(&self, member: &str, names: impl Iterator<Item = &'a str>) -> Result<(), ManifestError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(self.error(member, format!("names `{name}` twice")));
            }
        }
        Ok(())
    }

    /// A warning for each member that nobody asked for.
    fn finish(self) -> Vec<String> {
        self.members
            .keys()
            .map(|member| format!("{}.{member} is not known to this version and has no effect", self.place))
            .collect()
    }
}

#[cfg(test)]
mod tests;
