//! Bench `codec`: JSON events of many shapes to columns, ns per event, beside libraries that do part of the work.
//!
//! Weir: chunks of 64 KiB as a socket gives them, batches of 4,096 rows built and dropped; schema, triplet, event time and dictionaries are part of it.
//! arrow-json: the whole text at once into batches of 4,096 rows, schema from the first 1,000 events (once) and from then on given; no triplet, the time stays
//! text. simd-json: each line into its tape, no columns. sonic-rs: each line into a struct of four borrowed fields, no columns. `serde_json`: each line into a
//! `Value`, dropped (rmp-serde for MessagePack). A way that cannot read an input (a bad line, types that change) has no figure there. CPU time of the thread; all ways of an input take turns,
//! medians of the rounds. The inputs: `shapes.rs`; the ways: `codec/ways.rs`.
//!
//! Budgets in ns are those of a machine on which sonic-rs reads an event of 200 B into its struct in 241 ns. Others are slower, and change their pace within a run: so each input's rounds have a yardstick,
//! sonic-rs over the same 200 B events, and the budget is for the quotient.

use anyhow::{Context, Result, ensure};
use weir_columns::json::Scanner;
use weir_core::codec::{Gather, Limits, decoder};

use super::Report;
use super::measure::{median, thread_cpu_ns};
use super::shapes::{self, Shape};

mod ways;

const EVENTS: usize = 100_000;
/// Of the shapes that are compared less closely.
const EVENTS_FEW: usize = 40_000;
const ROUNDS: usize = 11;
const ROUNDS_FEW: usize = 5;
/// Beyond it arrow-json has no figure: it fills every column of its schema for every row, which takes minutes for 100,000 columns.
const ARROW_COLUMNS_MAX: usize = 1_000;

/// Of sonic-rs, on the machine that the budgets in ns come from.
const YARDSTICK_NS: f64 = 241.0;
const YARDSTICK_EVENTS: usize = 20_000;
const BUDGET: f64 = 120.0 / YARDSTICK_NS;
const MESSY_BUDGET: f64 = 160.0 / YARDSTICK_NS;
const SHUFFLED_BUDGET: f64 = 300.0 / YARDSTICK_NS;
const TO_ARROW_BUDGET: f64 = 0.4;
const STREAMS_BUDGET: f64 = 1.5;
const HOSTILE_BUDGET: f64 = 4.0;

/// What turns a text into rows, and says how many.
type Way<'a> = (&'static str, Box<dyn FnMut() -> Result<usize> + 'a>);

/// A library's reading of a text: how many events it had.
type Library = fn(&[u8]) -> Result<usize>;

/// ns per event of each way for one input, round by round; empty where a way cannot read it.
struct Measured {
    weir: Vec<f64>,
    portable: Vec<f64>,
    arrow: Vec<f64>,
    simd: Vec<f64>,
    sonic: Vec<f64>,
    serde: Vec<f64>,
    yardstick: Vec<f64>,
}

const TITLES: [&str; 9] = [
    "JSON, ns per event",
    "bytes",
    "weir",
    "weir, no vectors",
    "arrow-json",
    "simd-json tape",
    "sonic-rs struct",
    "serde_json Value",
    "yardstick",
];

pub fn run() -> Result<Report> {
    let mut report = Report::new("codec", &TITLES);
    let yardstick = shapes::requests(YARDSTICK_EVENTS);
    let mut measure = |shape: &Shape, rounds: usize| {
        let measured = measure(shape, &yardstick, rounds).with_context(|| shape.name)?;
        report.row(cells(shape, &measured));
        anyhow::Ok(measured)
    };
    let usual = measure(&shapes::requests(EVENTS), ROUNDS)?;
    let kilobyte = measure(&shapes::kilobyte(EVENTS_FEW), ROUNDS_FEW)?;
    let nested = measure(&shapes::nested(EVENTS_FEW), ROUNDS_FEW)?;
    let messy = measure(&shapes::messy(EVENTS_FEW), ROUNDS)?;
    let shuffled = measure(&shapes::shuffled(EVENTS_FEW), ROUNDS)?;
    let names = measure(&shapes::names(EVENTS), ROUNDS_FEW)?;
    let streams = measure(&shapes::streams(EVENTS_FEW), ROUNDS)?;
    let mut hostile: f64 = 0.0;
    for shape in shapes::hostile(EVENTS_FEW) {
        let measured = measure(&shape, ROUNDS_FEW)?;
        hostile = hostile.max(ratio(&measured.weir, &measured.yardstick));
    }
    let msgpack = shapes::msgpack(EVENTS)?;
    let logfmt = shapes::logfmt(EVENTS);
    let of_msgpack = measure_other("msgpack", &msgpack, &yardstick, Some(ways::msgpack_value))?;
    let of_logfmt = measure_other("logfmt", &logfmt, &yardstick, None)?;
    report.row(cells(&msgpack, &of_msgpack));
    report.row(cells(&logfmt, &of_logfmt));
    let mut budgeted = |name: &str, measured: &Measured, budget: f64| {
        report.figure(&format!("{name}_ns"), median(&measured.weir));
        report.budgeted(&format!("{name}_to_sonic"), ratio(&measured.weir, &measured.yardstick), budget);
    };
    budgeted("json_200b", &usual, BUDGET);
    budgeted("json_messy", &messy, MESSY_BUDGET);
    budgeted("json_shuffled", &shuffled, SHUFFLED_BUDGET);
    budgeted("msgpack", &of_msgpack, BUDGET);
    budgeted("logfmt", &of_logfmt, BUDGET);
    report.budgeted("json_200b_to_arrow_json", ratio(&usual.weir, &usual.arrow), TO_ARROW_BUDGET);
    let pace = |measured: &Measured| ratio(&measured.weir, &measured.yardstick);
    report.budgeted("streams10_ratio", pace(&streams) / pace(&usual), STREAMS_BUDGET);
    report.budgeted("hostile_ratio", hostile / pace(&usual), HOSTILE_BUDGET);
    report.figure("json_1kb_ns", median(&kilobyte.weir));
    report.figure("json_nested60_ns", median(&nested.weir));
    report.figure("json_names100k_ns", median(&names.weir));
    report.figure("json_200b_portable_ns", median(&usual.portable));
    report.figure("arrow_json_ns", median(&usual.arrow));
    report.figure("simd_json_tape_ns", median(&usual.simd));
    report.figure("sonic_struct_ns", median(&usual.sonic));
    report.figure("serde_json_value_ns", median(&usual.serde));
    Ok(report)
}

fn cells(shape: &Shape, measured: &Measured) -> Vec<String> {
    let bytes = format!("{:.0}", shape.text.len() as f64 / shape.events as f64);
    let Measured { weir, portable, arrow, simd, sonic, serde, yardstick } = measured;
    let all = [weir, portable, arrow, simd, sonic, serde, yardstick];
    let figure = |rounds: &Vec<f64>| match rounds.is_empty() {
        true => "-".to_owned(),
        false => format!("{:.0}", median(rounds)),
    };
    [shape.name.to_owned(), bytes].into_iter().chain(all.into_iter().map(figure)).collect()
}

/// Median of the quotients round by round, since the machine changes its pace between rounds.
fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(&ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect::<Vec<f64>>())
}

fn measure(shape: &Shape, yardstick: &Shape, rounds: usize) -> Result<Measured> {
    let text = shape.text.as_slice();
    let mut gather = Gather::new(Limits::default(), "bench");
    let mut json = decoder("json").context("no codec `json`")?;
    let schema = ways::inferred(text).ok().filter(|schema| schema.fields().len() <= ARROW_COLUMNS_MAX);
    let (mut line_buffer, mut buffers) = (Vec::new(), simd_json::Buffers::default());
    let (mut scanner, mut tables) = (Scanner::portable(), ways::tables());
    let mut all: [(Way<'_>, bool); 7] = [
        (("weir", Box::new(|| ways::weir(text, &mut *json, &mut gather))), true),
        (("weir, portable", Box::new(|| ways::portable(text, &mut scanner, &mut tables))), true),
        (
            ("arrow-json", Box::new(|| ways::arrow(text, schema.as_ref().context("no schema")?))),
            shape.good == shape.events && schema.is_some(),
        ),
        (("simd-json", Box::new(|| ways::simd_tape(text, &mut line_buffer, &mut buffers))), true),
        (("sonic-rs", Box::new(|| ways::sonic_struct(text))), shape.usual),
        (("serde_json", Box::new(|| ways::serde_value(text))), true),
        (("yardstick", Box::new(|| ways::sonic_struct(&yardstick.text))), true),
    ];
    let mut figures = all.each_ref().map(|_| Vec::new());
    // The first round is for caches, dictionaries and the allocator, and tells who cannot do it.
    for round in 0..=rounds {
        for (((name, way), can), figures) in all.iter_mut().zip(&mut figures) {
            if !*can {
                continue;
            }
            let begun_ns = thread_cpu_ns()?;
            let rows = way();
            let ns = (thread_cpu_ns()? - begun_ns) as f64;
            if round == 0 && *name == "arrow-json" && rows.is_err() {
                *can = false;
                continue;
            }
            let rows = rows.context(*name)?;
            let shape = if *name == "yardstick" { yardstick } else { shape };
            ensure!(rows == shape.good, "{name} made {rows} rows of {} good events", shape.good);
            if round > 0 {
                figures.push(ns / shape.events as f64);
            }
        }
    }
    let [weir, portable, arrow, simd, sonic, serde, yardstick] = figures;
    Ok(Measured { weir, portable, arrow, simd, sonic, serde, yardstick })
}

/// Another format, by Weir and by its library into `Value` (none: there is none), in turn.
fn measure_other(name: &str, shape: &Shape, yardstick: &Shape, library: Option<Library>) -> Result<Measured> {
    let mut gather = Gather::new(Limits::default(), "bench");
    let mut codec = decoder(name).with_context(|| format!("no codec `{name}`"))?;
    let mut figures = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (at, figures) in figures.iter_mut().enumerate() {
            let of = if at == 2 { yardstick } else { shape };
            let begun_ns = thread_cpu_ns()?;
            let rows = match (at, library) {
                (0, _) => ways::weir(&shape.text, &mut *codec, &mut gather)?,
                (1, Some(library)) => library(&shape.text)?,
                (1, None) => continue,
                _ => ways::sonic_struct(&yardstick.text)?,
            };
            let ns = (thread_cpu_ns()? - begun_ns) as f64;
            ensure!(rows == of.good, "{name}: {rows} rows of {} events", of.good);
            if round > 0 {
                figures.push(ns / of.events as f64);
            }
        }
    }
    let [weir, serde, yardstick] = figures;
    let [portable, arrow, simd, sonic] = Default::default();
    Ok(Measured { weir, portable, arrow, simd, sonic, serde, yardstick })
}
