//! A table from the text of a file: entries by key.
//!
//! In: CSV (RFC 4180, the first line names the columns, an empty cell is not there) or one JSON object on a line, by the file's ending. Out: [`Table`], or one sentence with the
//! line that is wrong. Limits: [`ENTRIES_MAX`]; the host bounds the bytes.

use std::collections::HashMap;

use serde_json::{Map, Value};
use weir_rows::Spread;

use crate::config::Field;

pub const ENTRIES_MAX: usize = 50_000;
/// Between the values of a key; nobody writes it.
pub const BETWEEN: char = '\u{1f}';

pub struct Table {
    by_key: HashMap<String, usize>,
    pub columns: Vec<Spread>,
}

/// An entry: key columns, then added ones.
type Entry = Vec<Option<String>>;

impl Table {
    pub fn parse(file: &str, text: &str, keys: &[String], fields: &[Field]) -> Result<Self, String> {
        let names: Vec<&str> =
            keys.iter().map(String::as_str).chain(fields.iter().map(|it| it.name.as_str())).collect();
        let entries = match file.rsplit('.').next().unwrap_or_default() {
            "csv" => csv(text, &names)?,
            "ndjson" | "jsonl" => json_lines(text, &names)?,
            _ => return Err(format!("`{file}` is neither .csv nor .ndjson or .jsonl")),
        };
        let mut by_key = HashMap::with_capacity(entries.len());
        let mut cells: Vec<Vec<Option<String>>> =
            fields.iter().map(|_| Vec::with_capacity(entries.len())).collect();
        for (line, mut entry) in entries {
            let added = entry.split_off(keys.len().min(entry.len()));
            let values: Option<Vec<String>> = entry.into_iter().collect();
            let Some(values) = values else {
                return Err(format!("line {line} of `{file}` has no value for the key"));
            };
            let key = values.join(&BETWEEN.to_string());
            let next = by_key.len();
            if by_key.insert(key, next).is_some() {
                return Err(format!(
                    "line {line} of `{file}` has a key that was there before: {}",
                    values.join(", ")
                ));
            }
            cells.iter_mut().zip(added).for_each(|(cells, cell)| cells.push(cell));
        }
        let columns =
            fields.iter().zip(&cells).map(|(field, cells)| Spread::new(field.kind, cells)).collect();
        Ok(Self { by_key, columns })
    }

    pub fn find(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }
}

fn room(entries: &[(u64, Entry)]) -> Result<(), String> {
    if entries.len() < ENTRIES_MAX {
        return Ok(());
    }
    Err(format!("has more than {ENTRIES_MAX} entries"))
}

fn csv(text: &str, names: &[&str]) -> Result<Vec<(u64, Entry)>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|err| err.to_string())?.clone();
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let place = header.iter().position(|known| known == *name);
        let known: Vec<&str> = header.iter().collect();
        places.push(place.ok_or_else(|| format!("has no column `{name}`; it has {}", known.join(", ")))?);
    }
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|err| err.to_string())?;
        room(&entries)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |place: &usize| record.get(*place).filter(|cell| !cell.is_empty()).map(str::to_owned);
        entries.push((line, places.iter().map(cell).collect()));
    }
    Ok(entries)
}

fn json_lines(text: &str, names: &[&str]) -> Result<Vec<(u64, Entry)>, String> {
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|err| format!("line {line} is no JSON object: {err}"))?;
        room(&entries)?;
        let cell = |name: &&str| match object.get(*name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        entries.push((line, names.iter().map(cell).collect()));
    }
    Ok(entries)
}
