//! Bench `codec`: JSON events of 200 bytes to columns, ns per event, beside libraries that do part of the work.
//!
//! Weir: chunks of 64 KiB as a socket gives them, batches of 4,096 rows built and dropped; schema, triplet, event time and dictionaries
//! are part of it. `arrow-json`: the whole text at once into batches of 4,096 rows, with the schema given, and with the schema taken from the first 1,000 events;
//! no triplet, the time as text or parsed by it. `serde_json`: each line into a `Value`, dropped. `sonic-rs`: each line into a struct of four borrowed fields,
//! no columns. Lines found and nothing else: this tells how fast the machine is today. CPU time of the thread; rounds take turns.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow_json::ReaderBuilder;
use arrow_json::reader::infer_json_schema;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use weir_core::codec::json::JsonDecoder;
use weir_core::codec::{Decode, Defaults, Gather, Limits};

use super::Report;
use super::events::{self, Requests};
use super::floor;
use super::measure::{median, spread, thread_cpu_ns};

const EVENTS: usize = 100_000;
const CHUNK_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 11;
const BATCH_ROWS: usize = 4_096;
const INFERRED_FROM: usize = 1_000;
const BUDGET_NS: f64 = 400.0;

/// What turns all the text into rows, and says how many.
type Way<'a> = (&'static str, Box<dyn FnMut() -> Result<usize> + 'a>);

pub fn run() -> Result<Report> {
    let mut text = Vec::new();
    let mut requests = Requests::new(EVENTS, events::now_unix_ms() - 700_000, 600_000);
    while requests.write_next(&mut text).is_some() {}
    let (mut gather, mut decoder) = (Gather::new(Limits::default(), "bench"), JsonDecoder::new());
    let mut ways: [Way<'_>; 6] = [
        ("weir", Box::new(|| weir(&text, &mut decoder, &mut gather))),
        ("arrow-json, schema known", Box::new(|| arrow(&text, &known()))),
        ("arrow-json, schema inferred", Box::new(|| arrow(&text, &inferred(&text)?))),
        ("serde_json Value", Box::new(|| serde_value(&text))),
        ("sonic-rs, a struct of four fields", Box::new(|| sonic_struct(&text))),
        ("lines found, nothing parsed", Box::new(|| lines(&text, |_| Ok(())))),
    ];
    let mut rounds = ways.each_ref().map(|_| Vec::new());
    // The first round is for caches, dictionaries and the allocator.
    for round in 0..=ROUNDS {
        for ((name, way), rounds) in ways.iter_mut().zip(&mut rounds) {
            let begun_ns = thread_cpu_ns()?;
            let rows = way()?;
            let ns = (thread_cpu_ns()? - begun_ns) as f64;
            ensure!(rows == EVENTS, "{name} made {rows} rows of {EVENTS} events");
            if round > 0 {
                rounds.push(ns / EVENTS as f64);
            }
        }
    }
    let mut report = Report::new("codec", &["200 B of JSON", "ns per event", "MB/s"]);
    let event_bytes = text.len() as f64 / EVENTS as f64;
    for ((name, _), rounds) in ways.iter().zip(&rounds) {
        let rate = format!("{:.0}", event_bytes * 1_000.0 / median(rounds));
        report.row(vec![(*name).to_owned(), spread(rounds, 0), rate]);
    }
    let [weir, known, inferred, value, sonic, found] = rounds.each_ref().map(|rounds| median(rounds));
    report.budgeted("json_200b_ns", weir, BUDGET_NS);
    report.figure("arrow_json_ns", known);
    report.figure("arrow_json_inferred_ns", inferred);
    report.figure("serde_json_value_ns", value);
    report.figure("sonic_struct_ns", sonic);
    report.figure("lines_found_ns", found);
    report.figure("event_bytes", event_bytes);
    Ok(report)
}

fn weir(text: &[u8], decoder: &mut JsonDecoder, gather: &mut Gather) -> Result<usize> {
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
    ensure!(rejected.is_empty(), "rejected: {:?}", rejected.first());
    Ok(rows)
}

fn known() -> Arc<Schema> {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let fields = [
        ("application", DataType::Utf8),
        ("environment", DataType::Utf8),
        ("type", DataType::Utf8),
        ("host", DataType::Utf8),
        ("path", DataType::Utf8),
        ("status", DataType::Int64),
        ("latency_ms", DataType::Float64),
        ("bytes", DataType::Int64),
        ("time", time),
        ("trace", DataType::Utf8),
    ];
    let fields: Vec<Field> = fields.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
    Arc::new(Schema::new(fields))
}

fn inferred(text: &[u8]) -> Result<Arc<Schema>> {
    let (schema, _) = infer_json_schema(text, Some(INFERRED_FROM)).context("infer a schema")?;
    Ok(Arc::new(schema))
}

fn arrow(text: &[u8], schema: &Arc<Schema>) -> Result<usize> {
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

fn serde_value(text: &[u8]) -> Result<usize> {
    lines(text, |line| {
        black_box(serde_json::from_slice::<serde_json::Value>(line)?);
        Ok(())
    })
}

fn sonic_struct(text: &[u8]) -> Result<usize> {
    lines(text, |line| {
        black_box(sonic_rs::from_slice::<floor::Event<'_>>(line)?);
        Ok(())
    })
}

/// How many there are.
fn lines(text: &[u8], mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
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
