//! Bench `curve`: how the cost of an event of bench `ingest` changes with the number of keys, of connections and of rows in a batch.
//!
//! 1 M events of four seconds of event time, filter and rollup by second and host, into a real `weir` and, in turn, into the floor (`floor.rs`). Keys: 1 to 100,000 hosts over
//! one connection. Connections: 1 to 1,000 of 100 hosts, pieces of 16 lines in turn. Rows in a batch: a sender over HTTP that waits for each answer, 16 to 4,096 events a body,
//! so that no batch has more rows; the protocol is part of that, and there is no floor beside it. The windows close at the end, all at once; their cost is in it. What comes out
//! of the rollup is counted. And, in this process, a flow whose windows of 100,000 keys close while batches of 1,024 rows go on: how long the longest batch took, of the
//! thread's own time, the middle of those in which nothing closed, and what a row costs there.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use weir::units::Components;
use weir_core::flow::Outcome;
use weir_core::sequencer::Sequencer;
use weir_engine::{Engine, Settings};

use super::events::{self, HOSTS, Requests};
use super::measure::{median, percentile, process_cpu_ns, thread_cpu_ns};
use super::windows::Windows;
use super::{Report, boundary, floor, ingest};
use crate::client::Connection;
use crate::process::Weir;

const EVENTS: usize = 1_000_000;
/// Of batches that are few rows each.
const EVENTS_BY_BODY: usize = 200_000;
const SPAN_MS: i64 = 4_000;
const KEYS: [usize; 5] = [1, 100, 1_000, 10_000, 100_000];
const CONNECTIONS: [usize; 4] = [1, 10, 100, 1_000];
const BODY_ROWS: [usize; 5] = [16, 64, 256, 1_024, 4_096];
const LINES_IN_TURN: usize = 16;
const ROUNDS: usize = 3;
const DONE_MAX: Duration = Duration::from_secs(60);
/// Each look is work of the host that the floor does not have: seldom enough to be none beside the events.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const MANY_KEYS: usize = 100_000;
const MANY_KEYS_BUDGET: f64 = 1.3;
const STALL_ROWS: usize = 1_024;
const STALL_BUDGET_MS: f64 = 10.0;

struct Sent {
    text: Vec<u8>,
    /// Moves time on, so that all windows close.
    end: Vec<u8>,
    windows: Windows,
}

pub fn run() -> Result<Report> {
    let mut report = Report::new("curve", &["1 M events of 200 B", "weir us", "floor us", "weir / floor"]);
    let folder = tempfile::tempdir().context("make a folder")?;
    // Once for the cache of compiled code.
    Weir::start(&config(), folder.path())?.process.end()?;
    for keys in KEYS {
        let ratio = point(&mut report, folder.path(), &format!("{keys} keys"), &sent(keys, EVENTS), 1)?;
        report.figure(&format!("keys{keys}_ratio"), ratio);
        if keys == MANY_KEYS {
            report.budgeted("keys_many_ratio", ratio, MANY_KEYS_BUDGET);
        }
    }
    let usual = sent(HOSTS, EVENTS);
    for connections in CONNECTIONS {
        let name = format!("{connections} connections");
        let ratio = point(&mut report, folder.path(), &name, &usual, connections)?;
        report.figure(&format!("connections{connections}_ratio"), ratio);
    }
    let few = sent(HOSTS, EVENTS_BY_BODY);
    for rows in BODY_ROWS {
        let cpu_us = by_body(folder.path(), &few, rows)?;
        report.row(vec![format!("{rows} rows a batch, HTTP"), format!("{cpu_us:.3}")]);
        report.figure(&format!("rows{rows}_us"), cpu_us);
    }
    let stall = stall()?;
    report.row(vec![
        format!("{} windows close: longest batch ms", stall.closed),
        format!("{:.2}", stall.longest_ms),
    ]);
    report.row(vec!["a batch while none closes, ms".into(), format!("{:.2}", stall.median_ms)]);
    report.row(vec!["the rollup's flow alone, us per event".into(), format!("{:.3}", stall.us_per_row)]);
    report.figure("batch_ms", stall.median_ms);
    report.figure("flow_many_us", stall.us_per_row);
    report.budgeted("batch_while_closing_ms", stall.longest_ms, STALL_BUDGET_MS);
    Ok(report)
}

/// That of `ingest`, with time for lines of many connections. No window gets into a series, of which there may not be so many; a filter behind the rollup takes them all away.
fn config() -> String {
    let none = "[[pipeline.unit]]\nname = \"none\"\nuse = \"filter\"\nconfig = { keep = \"n < 0\" }\n\n[[pipeline.series]]";
    ingest::CONFIG.replace("lateness = \"3s\"", "lateness = \"10s\"").replace("[[pipeline.series]]", none)
}

fn sent(hosts: usize, count: usize) -> Sent {
    let start_unix_ms = events::now_unix_ms() - SPAN_MS - 100_000;
    let mut requests = Requests::with_hosts(hosts, count, start_unix_ms, SPAN_MS);
    let (mut text, mut windows) = (Vec::with_capacity(count * 210), Windows::default());
    while let Some(request) = requests.write_next(&mut text) {
        windows.add(&request);
    }
    let mut end = Vec::new();
    events::write_end(&mut end, start_unix_ms + SPAN_MS + 60_000);
    Sent { text, end, windows }
}

/// Weir and the floor in turn; the median of their quotients.
fn point(report: &mut Report, folder: &Path, name: &str, sent: &Sent, connections: usize) -> Result<f64> {
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors
            .push(floor::cpu_us_per_event(&sent.windows, connections, |streams| write(streams, &sent.text))?);
        let send = |weir: &Weir| write(&mut floor::connect(weir.tcp_port, connections)?, &sent.text);
        ours.push(weir(folder, sent, send).with_context(|| name.to_owned())?);
    }
    let ratio = median(&ours.iter().zip(&floors).map(|(ours, floor)| ours / floor).collect::<Vec<_>>());
    let cells = [median(&ours), median(&floors), ratio];
    let cells = cells.iter().map(|value| format!("{value:.3}"));
    report.row(std::iter::once(name.to_owned()).chain(cells).collect());
    Ok(ratio)
}

/// All of it to one connection, or lines to many in turn.
fn write(streams: &mut [TcpStream], text: &[u8]) -> Result<()> {
    streams.iter().try_for_each(|stream| stream.set_write_timeout(Some(DONE_MAX)))?;
    if let [stream] = streams {
        return Ok(stream.write_all(text)?);
    }
    let mut rest = text;
    while !rest.is_empty() {
        for stream in &mut *streams {
            let (piece, after) = split_lines(rest, LINES_IN_TURN);
            stream.write_all(piece)?;
            rest = after;
        }
    }
    Ok(())
}

/// The first lines, and the rest.
fn split_lines(text: &[u8], lines: usize) -> (&[u8], &[u8]) {
    let mut at = 0;
    for _ in 0..lines {
        match text.get(at..).and_then(floor::line_feed) {
            Some(length) => at += length + 1,
            None => return (text, &[]),
        }
    }
    text.split_at_checked(at).unwrap_or((text, &[]))
}

/// CPU of a `weir` for what `send` sends and for the end, µs per event.
fn weir(folder: &Path, sent: &Sent, send: impl FnOnce(&Weir) -> Result<()>) -> Result<f64> {
    let weir = Weir::start(&config(), folder)?;
    let pid = weir.process.pid();
    let begun_ns = process_cpu_ns(pid)?;
    send(&weir)?;
    let rows = sent.windows.rows();
    wait(&weir, |taken, _| taken >= rows)?;
    let mut last = floor::connect(weir.tcp_port, 1)?;
    last.iter_mut().try_for_each(|stream| stream.write_all(&sent.end)).context("send the end")?;
    let windows = sent.windows.len() as u64;
    let (taken, given) = wait(&weir, |_, given| given >= windows)?;
    let cpu_us = (process_cpu_ns(pid)? - begun_ns) as f64 / 1_000.0;
    // That of the last event closes too where the clock is fast enough.
    ensure!(
        taken == rows + 1 && (windows..=windows + 1).contains(&given),
        "{taken} rows in and {given} windows out of {rows} and {windows}"
    );
    drop(last);
    weir.process.end()?;
    Ok(cpu_us / rows as f64)
}

/// Until rows into and out of the rollup are enough.
fn wait(weir: &Weir, enough: impl Fn(u64, u64) -> bool) -> Result<(u64, u64)> {
    let until = Instant::now() + DONE_MAX;
    let mut seen = (0, 0);
    while Instant::now() < until {
        std::thread::sleep(LOOK_EVERY);
        let pipelines = weir.json("/api/pipelines")?;
        let rollup = pipelines.pointer("/pipelines/0/units/1").context("no rollup")?;
        let number = |member: &str| rollup.get(member).and_then(Value::as_u64).unwrap_or(0);
        seen = (number("rows_in_total"), number("rows_out_total"));
        if enough(seen.0, seen.1) {
            return Ok(seen);
        }
    }
    bail!("not done in {DONE_MAX:?}: {} rows went into the rollup and {} windows came out", seen.0, seen.1)
}

/// Bodies of so many events, each answered before the next goes; µs of CPU per event.
fn by_body(folder: &Path, sent: &Sent, rows: usize) -> Result<f64> {
    weir(folder, sent, |weir| {
        let mut connection = Connection::open(weir.http_port)?;
        let mut rest = sent.text.as_slice();
        while !rest.is_empty() {
            let (body, after) = split_lines(rest, rows);
            let answer = connection.post("/ingest/shop/prod/request", "application/x-ndjson", body)?;
            ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
            rest = after;
        }
        Ok(())
    })
}

/// Batches of a flow by which windows of many keys close.
struct Stall {
    /// Of those in which none closes.
    median_ms: f64,
    longest_ms: f64,
    /// Windows.
    closed: usize,
    us_per_row: f64,
}

fn stall() -> Result<Stall> {
    let components = Components::new(Engine::start(Settings::default()).context("start the engine")?, None);
    let mut text = Vec::new();
    let start_unix_ms = events::now_unix_ms() - 700_000;
    let span_ms = 2_620;
    let mut requests = Requests::with_hosts(MANY_KEYS, boundary::ROWS_PER_ROUND, start_unix_ms, span_ms);
    while requests.write_next(&mut text).is_some() {}
    let batches = boundary::batches_of(&text, STALL_ROWS)?;
    let mut flow =
        boundary::flow(vec![boundary::node(&components, "rollup", "u0", &boundary::rollup_config())?])?;
    let mut sequencer = Sequencer::new(0, 1, 0);
    let (mut quiet, mut closing, mut closed) = (Vec::new(), Vec::new(), 0);
    let (mut all_ms, mut rows) = (0.0, 0);
    for round in 0..3 {
        for record in boundary::records(&mut sequencer, &batches, round)? {
            let begun_ns = thread_cpu_ns()?;
            let Outcome::Done(effects) = flow.run(&record, true, &|| 0) else {
                bail!("the flow took a record back")
            };
            let took_ms = (thread_cpu_ns()? - begun_ns) as f64 / 1e6;
            ensure!(
                effects.faults.is_empty() && effects.dead.is_empty(),
                "the flow loses rows: {:?}",
                effects.faults
            );
            let windows = effects.series.iter().map(|(_, batch)| batch.rows()).sum::<usize>();
            closed += windows;
            (all_ms, rows) = (all_ms + took_ms, rows + STALL_ROWS);
            // The first rounds make the keys.
            match (windows, round) {
                (0, 0) => {}
                (0, _) => quiet.push(took_ms),
                _ => closing.push(took_ms),
            }
        }
    }
    ensure!(closed > 2 * MANY_KEYS, "only {closed} windows closed");
    let us_per_row = all_ms * 1_000.0 / rows as f64;
    Ok(Stall { median_ms: median(&quiet), longest_ms: percentile(&closing, 1.0), closed, us_per_row })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_and_none_is_lost() {
        assert_eq!(split_lines(b"a\nb\nc\n", 2), (&b"a\nb\n"[..], &b"c\n"[..]));
        assert_eq!(split_lines(b"a\nb", 5), (&b"a\nb"[..], &b""[..]));
    }
}
