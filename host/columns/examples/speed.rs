//! How long the JSON scanner takes for an event: `cargo run --release -p weir-columns --example speed [SHAPE [RUNS]]`.
//!
//! 100,000 events of about 200 bytes in chunks of 64 KiB, as a socket gives them; best and median of 9 runs in ns per event, batches built
//! and dropped. `lines` is the search for line feeds and nothing else: how fast the machine is just now. Time is the thread's CPU time as Linux counts it, so that other programs disturb little.

#![allow(clippy::expect_used, clippy::print_stdout)] // A measurement that cannot measure may stop.

use std::fmt::Write;
use std::sync::Arc;

use weir_columns::json::Scanner;
use weir_columns::{Input, Refusal, Router, Settings, Tables};

const EVENTS: usize = 100_000;
const CHUNK_BYTES: usize = 64 * 1024;
const RUNS: usize = 9;

struct Joined;

impl Router for Joined {
    fn table(&self, parts: &[Option<&str>]) -> Result<Arc<str>, Refusal> {
        Ok(parts.iter().flatten().copied().collect::<Vec<_>>().join("/").into())
    }
}

/// What differs from event to event.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    streams: usize,
    hosts: u64,
    shuffled: bool,
    messy: bool,
    /// Names that were never seen: behind the fields that choose the table, or before them.
    new_names: Option<Behind>,
}

#[derive(Clone, Copy, PartialEq)]
enum Behind {
    Route,
    Nothing,
}

const PLAIN: Shape =
    Shape { name: "plain", streams: 1, hosts: 100, shuffled: false, messy: false, new_names: None };

fn main() {
    let wanted = std::env::args().nth(1);
    let runs = std::env::args().nth(2).and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let shapes = [
        PLAIN,
        Shape { name: "hosts", hosts: 100_000, ..PLAIN },
        Shape { name: "streams", streams: 10, ..PLAIN },
        Shape { name: "messy", messy: true, ..PLAIN },
        Shape { name: "shuffled", shuffled: true, ..PLAIN },
        Shape { name: "names", new_names: Some(Behind::Route), ..PLAIN },
        Shape { name: "names 1st", new_names: Some(Behind::Nothing), ..PLAIN },
    ];
    for shape in shapes.iter().filter(|shape| wanted.as_deref().is_none_or(|wanted| wanted == shape.name)) {
        let text = events(*shape);
        for (path, mut scanner) in [("vectors", Scanner::new()), ("portable", Scanner::portable())] {
            let mut tables = tables();
            report(
                shape.name,
                path,
                &text,
                (0..runs).map(|_| run(&text, &mut scanner, &mut tables)).collect(),
            );
        }
        report(shape.name, "lines", &text, (0..runs).map(|_| lines(&text)).collect());
    }
}

fn report(shape: &str, path: &str, text: &[u8], mut ns: Vec<f64>) {
    ns.sort_by(f64::total_cmp);
    let bytes = text.len() as f64 / EVENTS as f64;
    let (best, median) = (ns[0], ns[ns.len() / 2]);
    println!("{shape:9} {path:9} {bytes:5.1} B  best {best:5.0}  median {median:5.0} ns per event");
}

fn lines(text: &[u8]) -> f64 {
    let begun_ns = cpu_ns();
    let found = text.iter().filter(|byte| **byte == b'\n').count();
    let ns = (cpu_ns() - begun_ns) as f64;
    assert_eq!(found, EVENTS);
    ns / EVENTS as f64
}

fn tables() -> Tables {
    let route_fields = ["application", "environment", "type"].map(Arc::from).to_vec();
    Tables::new(Settings { route_fields, time_field: Some("time".into()), ..Settings::default() })
}

fn events(shape: Shape) -> Vec<u8> {
    let mut text = String::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for number in 0..EVENTS {
        for shift in [13, 7, 17] {
            random ^= if shift == 7 { random >> shift } else { random << shift };
        }
        let host = random % shape.hosts;
        let (path, status) = ((random >> 8) % 500, [200, 200, 200, 404, 500][(random >> 20) as usize % 5]);
        let (latency, bytes, second) = ((random >> 24) % 100_000, (random >> 40) % 50_000, number / 10_000);
        let mut pairs = vec![
            "\"application\":\"shop\"".to_owned(),
            "\"environment\":\"prod\"".to_owned(),
            format!("\"type\":\"request{}\"", number % shape.streams),
            format!("\"host\":\"web-{host:03}\""),
            format!("\"path\":\"/api/items/{path}\""),
            format!("\"status\":{status}"),
            format!("\"latency_ms\":{}.{:03}", latency / 1_000, latency % 1_000),
            format!("\"bytes\":{bytes}"),
            format!("\"time\":\"2026-11-21T12:00:{second:02}.{:03}Z\"", number % 1_000),
            format!("\"trace\":\"{random:016x}\""),
        ];
        if shape.messy {
            mess(&mut pairs, random);
        }
        if let Some(behind) = shape.new_names {
            for (place, pair) in pairs.iter_mut().enumerate().skip(3).filter(|(place, _)| *place != 8) {
                *pair = pair.replacen('"', &format!("\"{:03x}", (random >> (place * 4)) & 0xfff_ffff), 1);
            }
            if behind == Behind::Nothing {
                pairs.reverse();
            }
        }
        if shape.shuffled {
            for last in (1..pairs.len()).rev() {
                pairs.swap(last, (random >> (last * 5)) as usize % (last + 1));
            }
        }
        let _ = writeln!(text, "{{{}}}", pairs.join(","));
    }
    text.into_bytes()
}

/// One event in five is not like the others.
fn mess(pairs: &mut Vec<String>, random: u64) {
    match (random >> 50) % 25 {
        0 => pairs[4] = "\"path\":\"/caf\\u00e9/\\n\"".to_owned(),
        1 => pairs[3] = "\"host\":\"wäb\"".to_owned(),
        2 => drop(pairs.remove(5)),
        3 => pairs[6] = "\"latency_ms\":null".to_owned(),
        4 => pairs.push("\"tags\":[1,\"a\",{\"b\":null}]".to_owned()),
        _ => {}
    }
}

fn run(text: &[u8], scanner: &mut Scanner, tables: &mut Tables) -> f64 {
    let mut rejected = Vec::new();
    let (mut at, mut rows) = (0, 0);
    let begun_ns = cpu_ns();
    while at < text.len() {
        let stop = (at + CHUNK_BYTES).min(text.len());
        let input =
            Input { chunk: &text[at..stop], end: stop == text.len(), arrived_unix_ns: 0, router: &Joined };
        at += scanner.scan(input, tables, &mut rejected);
        rows += tables.take_full().iter().map(|batch| batch.columns.num_rows()).sum::<usize>();
    }
    rows += tables.take_all().iter().map(|batch| batch.columns.num_rows()).sum::<usize>();
    let ns = (cpu_ns() - begun_ns) as f64;
    assert_eq!((rows, rejected.len()), (EVENTS, 0), "{:?}", rejected.first());
    ns / EVENTS as f64
}

fn cpu_ns() -> u64 {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("schedstat starts with ns on the CPU")
}
