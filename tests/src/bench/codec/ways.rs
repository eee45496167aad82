//! The ways of the bench `codec` to read a text of JSON lines: Weir's decoders and libraries that do part of the work.
//!
//! In: the text. Out: how many rows it had. Each way does as much of the work as its name says; what it makes is dropped.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow_json::ReaderBuilder;
use arrow_json::reader::infer_json_schema;
use arrow_schema::Schema;
use serde::Deserialize;
use weir_columns::json::Scanner;
use weir_columns::{Input, Refusal, Router, Settings, Tables};
use weir_core::codec::{Decode, Defaults, Gather};

use super::super::floor;

/// What a socket gives at once.
const CHUNK_BYTES: usize = 64 * 1024;
const BATCH_ROWS: usize = 4_096;
const INFERRED_FROM: usize = 1_000;

/// Chunks of 64 KiB into batches of 4,096 rows; rejected rows are left out.
pub fn weir(text: &[u8], decoder: &mut dyn Decode, gather: &mut Gather) -> Result<usize> {
    let defaults = Defaults::new("bench");
    let mut rejected = Vec::new();
    let (mut at, mut rows) = (0, 0);
    while at < text.len() {
        let stop = (at + CHUNK_BYTES).min(text.len());
        let chunk = text.get(at..stop).unwrap_or_default();
        let used = decoder.decode(chunk, stop == text.len(), 0, &defaults, gather, &mut rejected);
        ensure!(used > 0, "the codec takes nothing at byte {at}");
        at += used;
        rows += gather.take_full().iter().map(|batch| batch.rows()).sum::<usize>();
    }
    rows += gather.take_all().iter().map(|batch| batch.rows()).sum::<usize>();
    black_box(&rejected);
    Ok(rows)
}

/// Names tables by the parts of the triplet.
struct Joined;

impl Router for Joined {
    fn table(&self, parts: &[Option<&str>]) -> std::result::Result<Arc<str>, Refusal> {
        Ok(parts.iter().flatten().copied().collect::<Vec<_>>().join("/").into())
    }
}

/// For [`portable`].
pub fn tables() -> Tables {
    let route_fields = ["application", "environment", "type"].map(Arc::from).to_vec();
    Tables::new(Settings { route_fields, time_field: Some("time".into()), ..Settings::default() })
}

/// As [`weir`], with a scanner of its own that may use no vectors.
pub fn portable(text: &[u8], scanner: &mut Scanner, tables: &mut Tables) -> Result<usize> {
    let mut rejected = Vec::new();
    let (mut at, mut rows) = (0, 0);
    while at < text.len() {
        let stop = (at + CHUNK_BYTES).min(text.len());
        let chunk = text.get(at..stop).unwrap_or_default();
        let input = Input { chunk, end: stop == text.len(), arrived_unix_ns: 0, router: &Joined };
        let used = scanner.scan(input, tables, &mut rejected);
        ensure!(used > 0, "the scanner takes nothing at byte {at}");
        at += used;
        rows += tables.take_full().iter().map(|batch| batch.time.len()).sum::<usize>();
    }
    rows += tables.take_all().iter().map(|batch| batch.time.len()).sum::<usize>();
    black_box(&rejected);
    Ok(rows)
}

/// The schema of the first 1,000 events.
pub fn inferred(text: &[u8]) -> Result<Arc<Schema>> {
    let (schema, _) = infer_json_schema(text, Some(INFERRED_FROM)).context("infer a schema")?;
    Ok(Arc::new(schema))
}

/// The text at once into batches of 4,096 rows.
pub fn arrow(text: &[u8], schema: &Arc<Schema>) -> Result<usize> {
    let mut decoder = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(BATCH_ROWS).build_decoder()?;
    let (mut at, mut rows) = (0, 0);
    while at < text.len() {
        let used = decoder.decode(text.get(at..).unwrap_or_default())?;
        at += used;
        match decoder.flush()? {
            Some(batch) => rows += black_box(batch).num_rows(),
            None => ensure!(used > 0, "arrow-json takes nothing at byte {at}"),
        }
    }
    Ok(rows)
}

/// Each line into a tape of borrowed tokens; the copy that it wants, since it writes into its input, is part of it.
pub fn simd_tape(text: &[u8], line_buffer: &mut Vec<u8>, buffers: &mut simd_json::Buffers) -> Result<usize> {
    let mut rows = 0;
    lines(text, |line| {
        line_buffer.clear();
        line_buffer.extend_from_slice(line);
        rows += usize::from(black_box(simd_json::to_tape_with_buffers(line_buffer, buffers)).is_ok());
        Ok(())
    })?;
    Ok(rows)
}

/// Each line into a `Value`.
pub fn serde_value(text: &[u8]) -> Result<usize> {
    let mut rows = 0;
    lines(text, |line| {
        rows += usize::from(black_box(serde_json::from_slice::<serde_json::Value>(line)).is_ok());
        Ok(())
    })?;
    Ok(rows)
}

/// Each MessagePack map into a `Value`.
pub fn msgpack_value(text: &[u8]) -> Result<usize> {
    let (mut rest, mut rows) = (text, 0);
    while !rest.is_empty() {
        // A reader that goes on in `rest`; the one by reference would not say how far it came.
        let mut from = rmp_serde::Deserializer::new(&mut rest);
        black_box(serde_json::Value::deserialize(&mut from)?);
        rows += 1;
    }
    Ok(rows)
}

/// Each line into a struct of four borrowed fields.
pub fn sonic_struct(text: &[u8]) -> Result<usize> {
    lines(text, |line| {
        black_box(sonic_rs::from_slice::<floor::Event<'_>>(line)?);
        Ok(())
    })
}

/// How many there are.
pub fn lines(text: &[u8], mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
    let (mut at, mut rows) = (0, 0);
    while let Some(rest) = text.get(at..)
        && let Some(length) = floor::line_feed(rest)
    {
        each(black_box(rest.get(..length).unwrap_or_default()))?;
        at += length + 1;
        rows += 1;
    }
    Ok(rows)
}
