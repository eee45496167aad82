//! Bench `codec`: JSON events of many shapes to columns, ns per event, beside libraries that do part of the work.
//!
//! Weir: chunks of 64 KiB as a socket gives them, batches of 4,096 rows built and dropped; schema, triplet, event time and dictionaries are part of it.
//! arrow-json: the whole text at once into batches of 4,096 rows, schema from the first 1,000 events (once) and from then on given; no triplet, the time stays
//! text. simd-json: each line into its tape, no columns. sonic-rs: each line into a struct of four borrowed fields, no columns. `serde_json`: each line into a
//! `Value`, dropped (rmp-serde for MessagePack). A way that cannot read an input (a bad line, types that change) has no figure there. Lines found and nothing else: this tells how fast the
//! machine is today. CPU time of the thread; all ways of an input take turns, medians of the rounds. The inputs: `shapes.rs`; the ways: `codec/ways.rs`.

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

const BUDGET_NS: f64 = 120.0;
const MESSY_BUDGET_NS: f64 = 160.0;
const SHUFFLED_BUDGET_NS: f64 = 300.0;
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
    lines: Vec<f64>,
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
    "lines found",
];

pub fn run() -> Result<Report> {
    let mut report = Report::new("codec", &TITLES);
    let mut measure = |shape: &Shape, rounds: usize| {
        let measured = measure(shape, rounds).with_context(|| shape.name)?;
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
        hostile = hostile.max(median(&measure(&shape, ROUNDS_FEW)?.weir));
    }
    let msgpack = shapes::msgpack(EVENTS)?;
    let [msgpack_ns, msgpack_value_ns] = measure_other("msgpack", &msgpack, Some(ways::msgpack_value))?;
    let logfmt = shapes::logfmt(EVENTS);
    let [logfmt_ns, _] = measure_other("logfmt", &logfmt, None)?;
    for (shape, ours, theirs) in
        [(&msgpack, &msgpack_ns, &msgpack_value_ns), (&logfmt, &logfmt_ns, &Vec::new())]
    {
        let nothing = Measured {
            weir: ours.clone(),
            portable: Vec::new(),
            arrow: Vec::new(),
            simd: Vec::new(),
            sonic: Vec::new(),
            serde: theirs.clone(),
            lines: Vec::new(),
        };
        report.row(cells(shape, &nothing));
    }
    let weir_ns = median(&usual.weir);
    report.budgeted("json_200b_ns", weir_ns, BUDGET_NS);
    report.budgeted("json_200b_to_arrow_json", ratio(&usual.weir, &usual.arrow), TO_ARROW_BUDGET);
    report.figure("json_1kb_ns", median(&kilobyte.weir));
    report.figure("json_nested60_ns", median(&nested.weir));
    report.budgeted("json_messy_ns", median(&messy.weir), MESSY_BUDGET_NS);
    report.budgeted("json_shuffled_ns", median(&shuffled.weir), SHUFFLED_BUDGET_NS);
    report.figure("json_names100k_ns", median(&names.weir));
    report.budgeted("streams10_ratio", median(&streams.weir) / weir_ns, STREAMS_BUDGET);
    report.budgeted("hostile_ratio", hostile / weir_ns, HOSTILE_BUDGET);
    report.figure("json_200b_portable_ns", median(&usual.portable));
    report.budgeted("msgpack_ns", median(&msgpack_ns), BUDGET_NS);
    report.budgeted("logfmt_ns", median(&logfmt_ns), BUDGET_NS);
    report.figure("arrow_json_ns", median(&usual.arrow));
    report.figure("simd_json_tape_ns", median(&usual.simd));
    report.figure("sonic_struct_ns", median(&usual.sonic));
    report.figure("serde_json_value_ns", median(&usual.serde));
    report.figure("lines_found_ns", median(&usual.lines));
    Ok(report)
}

fn cells(shape: &Shape, measured: &Measured) -> Vec<String> {
    let bytes = format!("{:.0}", shape.text.len() as f64 / shape.events as f64);
    let Measured { weir, portable, arrow, simd, sonic, serde, lines } = measured;
    let all = [weir, portable, arrow, simd, sonic, serde, lines];
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

fn measure(shape: &Shape, rounds: usize) -> Result<Measured> {
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
        (("lines", Box::new(|| ways::lines(text, |_| Ok(())).map(|_| shape.good))), true),
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
            ensure!(rows == shape.good, "{name} made {rows} rows of {} good events", shape.good);
            if round > 0 {
                figures.push(ns / shape.events as f64);
            }
        }
    }
    let [weir, portable, arrow, simd, sonic, serde, lines] = figures;
    Ok(Measured { weir, portable, arrow, simd, sonic, serde, lines })
}

/// ns per event of another format, by Weir and by its library into `Value` (none: there is none), in turn.
fn measure_other(name: &str, shape: &Shape, library: Option<Library>) -> Result<[Vec<f64>; 2]> {
    let mut gather = Gather::new(Limits::default(), "bench");
    let mut codec = decoder(name).with_context(|| format!("no codec `{name}`"))?;
    let mut figures = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (at, figures) in figures.iter_mut().enumerate() {
            let begun_ns = thread_cpu_ns()?;
            let rows = match (at, library) {
                (0, _) => ways::weir(&shape.text, &mut *codec, &mut gather)?,
                (_, Some(library)) => library(&shape.text)?,
                _ => continue,
            };
            let ns = (thread_cpu_ns()? - begun_ns) as f64;
            ensure!(rows == shape.good, "{name}: {rows} rows of {} events", shape.good);
            if round > 0 {
                figures.push(ns / shape.events as f64);
            }
        }
    }
    Ok(figures)
}
