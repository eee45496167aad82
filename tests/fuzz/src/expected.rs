//! What an input must come to, as an oracle says it, and how that is compared with what a subject made of it.
//!
//! A column's type follows from all values that it ever had ([`Columns`]), and a value may stand in a wider type than its own: a whole number in a column
//! of floats, anything in a column of text. Everything else is exact, floats to the last bit.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use crate::subject::{Cell, Output, Row};

/// An event as the oracle sees it.
#[derive(Clone, Debug)]
pub enum Event {
    Row {
        stream: String,
        time_unix_ns: i64,
        /// Path and value; null is not there.
        cells: Vec<(String, Cell)>,
    },
    /// Refused, with one of these codes; none given: with any.
    Bad { offset: usize, codes: Vec<&'static str> },
}

/// What the documentation leaves open is not judged.
#[derive(Clone, Debug)]
pub enum Expected {
    Events(Vec<Event>),
    Open(&'static str),
}

/// Time and cells of a row.
type Wanted<'a> = (i64, &'a [(String, Cell)]);

/// What kinds of values a column had.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds {
    int: bool,
    negative: bool,
    uint: bool,
    float: bool,
    bool: bool,
    text: bool,
    bytes: bool,
    time: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    UInt,
    Float,
    Bool,
    Text,
    Bytes,
    Time,
}

impl Kinds {
    fn add(&mut self, cell: &Cell) {
        match cell {
            Cell::Int(value) => {
                self.int = true;
                self.negative |= *value < 0;
            }
            Cell::UInt(_) => self.uint = true,
            Cell::Float(_) => self.float = true,
            Cell::Bool(_) => self.bool = true,
            Cell::Text(_) => self.text = true,
            Cell::Bytes(_) => self.bytes = true,
            Cell::Time(_) => self.time = true,
        }
    }

    /// The narrowest type that holds them all.
    fn kind(self) -> Kind {
        let number = self.int || self.uint || self.float;
        let families = [number, self.bool, self.text, self.bytes, self.time];
        match families.iter().filter(|family| **family).count() {
            0 | 1 if self.float || self.uint && self.negative => Kind::Float,
            0 | 1 if self.uint => Kind::UInt,
            0 | 1 if self.int => Kind::Int,
            0 | 1 if self.bool => Kind::Bool,
            0 | 1 if self.bytes => Kind::Bytes,
            0 | 1 if self.time => Kind::Time,
            _ => Kind::Text,
        }
    }
}

/// All columns of a subject's life, by stream and name.
#[derive(Debug, Default)]
pub struct Columns {
    kinds: BTreeMap<String, BTreeMap<String, Kinds>>,
}

impl Columns {
    /// Columns of the stream that has most.
    pub fn most(&self) -> usize {
        self.kinds.values().map(BTreeMap::len).max().unwrap_or(0)
    }

    /// Columns of all streams.
    pub fn all(&self) -> usize {
        self.kinds.values().map(BTreeMap::len).sum()
    }

    pub fn streams(&self) -> usize {
        self.kinds.len()
    }

    fn learn(&mut self, events: &[Event]) {
        for event in events {
            let Event::Row { stream, cells, .. } = event else { continue };
            let columns = self.kinds.entry(stream.clone()).or_default();
            for (name, cell) in cells {
                columns.entry(name.clone()).or_default().add(cell);
            }
        }
    }

    /// Of an input that is not compared: what came of it counts all the same.
    pub fn learn_output(&mut self, output: &Output) {
        for (stream, rows) in &output.rows {
            let columns = self.kinds.entry(stream.clone()).or_default();
            for (name, cell) in rows.iter().flat_map(|row| &row.cells) {
                columns.entry(name.clone()).or_default().add(cell);
            }
        }
    }

    fn kind(&self, stream: &str, name: &str) -> Kind {
        let columns = self.kinds.get(stream);
        columns.and_then(|columns| columns.get(name)).copied().unwrap_or_default().kind()
    }

    /// Whether the output is what was expected; learns the columns of it.
    pub fn compare(&mut self, expected: &[Event], output: &Output) -> Result<()> {
        self.learn(expected);
        let mut rows: BTreeMap<&str, Vec<Wanted<'_>>> = BTreeMap::new();
        let mut bad = Vec::new();
        for event in expected {
            match event {
                Event::Row { stream, time_unix_ns, cells } => {
                    rows.entry(stream).or_default().push((*time_unix_ns, cells));
                }
                Event::Bad { offset, codes } => bad.push((*offset, codes)),
            }
        }
        let (found, wanted): (Vec<_>, Vec<_>) =
            (output.rejected.iter().map(|bad| bad.offset).collect(), bad.iter().map(|(at, _)| *at).collect());
        ensure!(found == wanted, "rejected at {:?}, expected at {bad:?}", output.rejected);
        for (found, (_, codes)) in output.rejected.iter().zip(&bad) {
            let fits = codes.is_empty() || codes.contains(&found.code.as_str());
            ensure!(fits, "rejected as `{}` at {}, expected {codes:?}", found.code, found.offset);
        }
        let streams: Vec<&str> = output.rows.keys().map(String::as_str).collect();
        ensure!(streams == rows.keys().copied().collect::<Vec<_>>(), "rows of {streams:?}, not {rows:?}");
        for (stream, expected) in rows {
            let found = output.rows.get(stream).map(Vec::as_slice).unwrap_or_default();
            ensure!(
                found.len() == expected.len(),
                "{} rows of {stream}, not {}",
                found.len(),
                expected.len()
            );
            for (found, (time_unix_ns, cells)) in found.iter().zip(expected) {
                self.compare_row(stream, found, time_unix_ns, cells)?;
            }
        }
        Ok(())
    }

    fn compare_row(
        &self,
        stream: &str,
        found: &Row,
        time_unix_ns: i64,
        cells: &[(String, Cell)],
    ) -> Result<()> {
        ensure!(found.time_unix_ns == time_unix_ns, "time {} instead of {time_unix_ns}", found.time_unix_ns);
        for (name, cell) in cells {
            let Some(found) = found.cells.get(name) else { bail!("`{name}` is missing; it is {cell:?}") };
            let kind = self.kind(stream, name);
            ensure!(same(kind, cell, found), "`{name}` is {found:?}, not {cell:?} in a column of {kind:?}");
        }
        let extra = found.cells.keys().find(|name| !cells.iter().any(|(cell, _)| cell == *name));
        ensure!(extra.is_none(), "there is a value of {extra:?}");
        Ok(())
    }
}

/// Whether `found` is what a column of that kind shows of the value.
fn same(kind: Kind, expected: &Cell, found: &Cell) -> bool {
    match (kind, found) {
        (Kind::Int, Cell::Int(found)) => *expected == Cell::Int(*found),
        (Kind::UInt, Cell::UInt(found)) => {
            *expected == Cell::UInt(*found)
                || matches!(expected, Cell::Int(value) if u64::try_from(*value) == Ok(*found))
        }
        (Kind::Float, Cell::Float(found)) => {
            float(expected).is_some_and(|value| value.to_bits() == found.to_bits())
        }
        (Kind::Bool, Cell::Bool(_)) | (Kind::Bytes, Cell::Bytes(_)) | (Kind::Time, Cell::Time(_)) => {
            expected == found
        }
        (Kind::Text, Cell::Text(found)) => texts(expected).iter().any(|text| text == found),
        _ => false,
    }
}

fn float(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Int(value) => Some(*value as f64),
        Cell::UInt(value) => Some(*value as f64),
        Cell::Float(value) => Some(*value),
        _ => None,
    }
}

/// How a column of text may show a value: a whole number may have been a float for a while.
fn texts(cell: &Cell) -> Vec<String> {
    let as_float = float(cell).map(|value| format!("{value:?}"));
    let own = match cell {
        Cell::Int(value) | Cell::Time(value) => Some(value.to_string()),
        Cell::UInt(value) => Some(value.to_string()),
        Cell::Float(_) => None,
        Cell::Bool(value) => Some(value.to_string()),
        Cell::Text(text) => Some(text.clone()),
        Cell::Bytes(bytes) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    };
    own.into_iter().chain(as_float).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(cells: &[Cell]) -> Kind {
        let mut kinds = Kinds::default();
        cells.iter().for_each(|cell| kinds.add(cell));
        kinds.kind()
    }

    #[test]
    fn a_columns_type_follows_from_its_values() {
        assert_eq!(kind(&[Cell::Int(1), Cell::UInt(2)]), Kind::UInt);
        assert_eq!(kind(&[Cell::UInt(1), Cell::Int(-2)]), Kind::Float);
        assert_eq!(kind(&[Cell::Int(1), Cell::Float(2.0)]), Kind::Float);
        assert_eq!(kind(&[Cell::Int(1), Cell::Bool(true)]), Kind::Text);
        assert_eq!(kind(&[Cell::Bytes(vec![]), Cell::Text(String::new())]), Kind::Text);
        assert_eq!(kind(&[Cell::Time(1)]), Kind::Time);
    }

    #[test]
    fn a_value_may_stand_in_a_wider_type_and_nowhere_else() {
        assert!(same(Kind::Float, &Cell::Int(3), &Cell::Float(3.0)));
        assert!(!same(Kind::Int, &Cell::Int(3), &Cell::Float(3.0)));
        assert!(!same(Kind::Float, &Cell::Float(0.0), &Cell::Float(-0.0)));
        assert!(same(Kind::Text, &Cell::Int(3), &Cell::Text("3.0".into())));
        assert!(!same(Kind::Text, &Cell::Text("3".into()), &Cell::Text("3.0".into())));
        assert!(same(Kind::Text, &Cell::Bytes(vec![0xab]), &Cell::Text("ab".into())));
    }
}
