//! The decoders of `weir-columns` by themselves, with tables of their own.
//!
//! The same fields choose the table as in Weir, and its name is a triplet. In and out as with any [`Subject`].

use std::sync::Arc;

use anyhow::{Result, ensure};
use weir_columns::{Input, Refusal, Router, Settings, Tables, json, logfmt, msgpack};
use weir_core::triplet::Triplet;

use crate::subject::{ARRIVED_UNIX_NS, Bad, Output, STREAM, Subject, rows};

pub enum Decoder {
    Json(Box<json::Scanner>),
    Msgpack(Box<msgpack::Decoder>),
    Logfmt(Box<logfmt::Decoder>),
}

pub struct Direct {
    decoder: Decoder,
    tables: Tables,
    rejected: Vec<Bad>,
}

/// Names a table by its triplet, with [`STREAM`] for the parts that an event does not name.
struct ByTriplet;

impl Router for ByTriplet {
    fn table(&self, parts: &[Option<&str>]) -> Result<Arc<str>, Refusal> {
        let mut parts = STREAM.split('/').zip(parts).map(|(default, part)| part.unwrap_or(default));
        let mut part = || parts.next().unwrap_or_default();
        match Triplet::new(part(), part(), part()) {
            Ok(triplet) => Ok(triplet.as_str().into()),
            Err(error) => Err(Refusal::new("bad_triplet", error.to_string())),
        }
    }

    fn not_text(&self, field: &str) -> Refusal {
        Refusal::new("bad_triplet", format!("`{field}` must be a text"))
    }
}

impl Direct {
    pub fn new(decoder: Decoder) -> Self {
        let settings = Settings {
            route_fields: ["application", "environment", "type"].map(Arc::from).to_vec(),
            time_field: Some("time".into()),
            ..Settings::default()
        };
        Self { decoder, tables: Tables::new(settings), rejected: Vec::new() }
    }
}

impl Subject for Direct {
    fn feed(&mut self, chunk: &[u8], base: usize, end: bool) -> Result<usize> {
        let input = Input { chunk, end, arrived_unix_ns: ARRIVED_UNIX_NS, router: &ByTriplet };
        let mut rejected = Vec::new();
        let used = match &mut self.decoder {
            Decoder::Json(scanner) => scanner.scan(input, &mut self.tables, &mut rejected),
            Decoder::Msgpack(decoder) => decoder.decode(input, &mut self.tables, &mut rejected),
            Decoder::Logfmt(decoder) => decoder.decode(input, &mut self.tables, &mut rejected),
        };
        for bad in rejected {
            let within = bad.offset.checked_add(bad.length).is_some_and(|end| end <= chunk.len());
            ensure!(within, "a rejected event lies outside of its chunk: {bad:?}");
            self.rejected.push(Bad { offset: base + bad.offset, code: bad.code.to_owned() });
        }
        Ok(used)
    }

    fn take(&mut self) -> Result<Output> {
        let mut output = Output { rejected: std::mem::take(&mut self.rejected), ..Output::default() };
        for batch in self.tables.take_all() {
            output.rows.entry(batch.name.to_string()).or_default().extend(rows(&batch.time, &batch.columns)?);
        }
        ensure!(self.tables.lost_total() == 0, "arrow refused a batch");
        Ok(output)
    }

    fn left_out(&mut self) -> u64 {
        self.tables.drain_counters().iter().map(|(_, _, counters)| counters.columns_over_limit).sum()
    }
}
