//! The fields of one event as an oracle collects them, for formats whose values have types of their own.
//!
//! In: paths and values in any order. Out: an [`Event`], or the codes with which it may be refused. It knows of streams and times what the documentation says.

use std::collections::HashSet;

use weir_core::codec::Limits;
use weir_core::codec::time::{TimeReader, from_float, from_integer};
use weir_core::triplet::Triplet;

use crate::expected::Event;
use crate::subject::{ARRIVED_UNIX_NS, Cell, STREAM};

const PARTS: [&str; 3] = ["application", "environment", "type"];
const TIME: &str = "time";

#[derive(Default)]
pub struct Fields {
    limits: Limits,
    parts: [Option<String>; 3],
    time_unix_ns: Option<i64>,
    cells: Vec<(String, Cell)>,
    paths: HashSet<String>,
    keys: usize,
    pub problems: Vec<&'static str>,
}

impl Fields {
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Notes a key.
    pub fn key(&mut self, path: &str) {
        self.keys += 1;
        if self.keys > self.limits.keys_max {
            self.problems.push("too_many_keys");
        }
        if path.len() > self.limits.name_bytes_max {
            self.problems.push("key_too_long");
        }
        if !self.paths.insert(path.to_owned()) {
            self.problems.push("duplicate_key");
        }
    }

    /// Whether a path is one of the fields that are no columns.
    pub fn is_special(path: &str) -> bool {
        path == TIME || Self::is_part(path)
    }

    pub fn is_part(path: &str) -> bool {
        PARTS.contains(&path)
    }

    /// A value that is none of those that a field may have.
    pub fn other(&mut self, path: &str) {
        self.problems.push(if path == TIME { "bad_time" } else { "bad_triplet" });
    }

    pub fn put(&mut self, path: &str, cell: Cell) {
        if let Cell::Float(value) = cell
            && !value.is_finite()
        {
            self.problems.push("number_out_of_range");
        }
        if let Some(part) = PARTS.iter().position(|part| *part == path) {
            match (cell, self.parts.get_mut(part)) {
                (Cell::Text(text), Some(slot)) => *slot = Some(text),
                _ => self.problems.push("bad_triplet"),
            }
            return;
        }
        if path != TIME {
            self.cells.push((path.to_owned(), cell));
            return;
        }
        self.time_unix_ns = match cell {
            Cell::Time(value) => Some(value),
            Cell::Int(value) => from_integer(value),
            Cell::Float(value) => from_float(value),
            Cell::Text(text) => TimeReader::default().text(&text),
            Cell::UInt(_) | Cell::Bool(_) | Cell::Bytes(_) => None,
        };
        if self.time_unix_ns.is_none() {
            self.problems.push("bad_time");
        }
    }

    /// The event that starts at `offset`.
    pub fn event(mut self, offset: usize) -> Event {
        let mut parts = STREAM.split('/').map(str::to_owned).zip(&mut self.parts);
        let mut part =
            || parts.next().map(|(default, named)| named.take().unwrap_or(default)).unwrap_or_default();
        match Triplet::new(&part(), &part(), &part()) {
            Ok(triplet) if self.problems.is_empty() => Event::Row {
                stream: triplet.to_string(),
                time_unix_ns: self.time_unix_ns.unwrap_or(ARRIVED_UNIX_NS),
                cells: self.cells,
            },
            Ok(_) => Event::Bad { offset, codes: self.problems },
            Err(_) => {
                self.problems.push("bad_triplet");
                Event::Bad { offset, codes: self.problems }
            }
        }
    }
}
