//! The proof of live editing: a real `weir` under load is edited at random, and a checker outside counts.
//!
//! First the capacity is measured (TCP and HTTP as fast as they go), then edits are made at [`LOAD`] of it. Out: `edits`, `lost`, `double`, `reordered`,
//! `stalls_max_ms` (the longest time in which nothing came out, but for pauses that were asked for, less the median step of the look at it) and what explains
//! them. A violation is anything lost, doubled or out of order, or an edit that was refused.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Proof;
use super::checker::{Ledger, Seen, judge};
use super::editor::Editor;
use super::sender::{Lie, Pace, Sender, Way, now_ms};
use super::watcher;
use crate::host::TestHost;

/// Part of the capacity at which edits are made.
const LOAD: f64 = 0.7;
const MEASURE: Duration = Duration::from_secs(5);
const SETTLE_MAX: Duration = Duration::from_secs(120);
/// Part of the flood that goes over HTTP.
const HTTP_SHARE: f64 = 0.1;
const TCP_SENDERS: usize = 2;
const KEYS: usize = 8;
/// Where time goes after the end, so that all windows close.
const END_MS: i64 = 120_000;

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:{http}"
[[source]]
name = "tcp"
kind = "tcp"
listen = "127.0.0.1:{tcp}"
triplet = "proof/edit/event"
[[source]]
name = "http"
kind = "http"

# A pause holds rows: there is room for many of them.
[[pipeline]]
name = "edit"
from = ["proof/edit/event"]
lateness = "30s"
lag = { bytes = "512MiB", seconds = 600, beyond = "back-pressure" }

[[pipeline.unit]]
name = "first"
use = "filter"
config = { keep = "true" }

[[pipeline.unit]]
name = "last"
use = "filter"
config = { keep = "true" }

[[pipeline.unit]]
name = "sums" # counts
use = "rollup"
config = { keys = ["key"], window = "1s", aggregates = { count = "count", numbers = { of = "n", is = "sum" }, hashes = { of = "h", is = "sum" }, least = { of = "n", is = "min" }, greatest = { of = "n", is = "max" } } }

[[pipeline.series]]
metric = "edit_sums"
from = ["sums"]
labels = ["key"]
keep_points = 50000

[[pipeline.unit]]
name = "watch"
use = "filter"
from = ["last"]
config = { keep = "c = 1" }

[[pipeline.stream]]
triplet = "proof/edit/canary"
"#;

#[derive(Debug, Clone)]
pub struct Options {
    pub edits: u32,
    pub time: Duration,
    /// Events per s; none: measured.
    pub rate: Option<u64>,
    pub seed: u64,
    /// A mistake of a sender that the checker must find.
    pub lie: Option<Lie>,
}

/// Runs it all; an error means that nothing was proved.
pub fn run(options: &Options) -> Result<Proof> {
    let host = TestHost::start(CONFIG)?;
    let (pace, stop_looking) = (Pace::default(), AtomicBool::new(false));
    let senders = senders(&host, options.lie)?;
    let keys: Vec<String> = senders.iter().flat_map(|sender| sender.keys.clone()).collect();
    pace.rate.store(options.rate.unwrap_or(0), Ordering::Relaxed);
    std::thread::scope(|scope| {
        let sending: Vec<_> = senders.into_iter().map(|sender| scope.spawn(|| sender.run(&pace))).collect();
        let canaries = scope.spawn(|| watcher::canaries(host.http, &stop_looking));
        let progress = scope.spawn(|| watcher::progress(host.http, "edit/last", &stop_looking));
        let edited = edit(&host, &pace, options);
        pace.stop.store(true, Ordering::Release);
        let sent = sending.into_iter().map(joined).collect::<Vec<Result<Ledger>>>();
        let sent = sent.into_iter().try_fold(Ledger::default(), |mut all, sent| {
            all.take(sent?);
            anyhow::Ok(all)
        });
        let settled = match (&edited, &sent) {
            (Ok(_), Ok(sent)) => settle(&host, sent),
            _ => Ok(()),
        };
        // Before anything can end this, so that nobody looks for ever.
        stop_looking.store(true, Ordering::Release);
        let (seen, steps) = (joined(canaries), joined(progress));
        let (edited, sent) = (edited?, sent?);
        settled?;
        let mut proof = report(&host, &sent, seen?, &keys)?;
        let steps = steps?;
        let (longest, median) = watcher::stalls(&steps, &edited.held, edited.during);
        proof.figures.insert(0, ("edits", f64::from(edited.edits)));
        proof.figures.push(("stalls_max_ms", (longest - median).max(0.0)));
        proof.figures.push(("step_median_ms", median));
        proof.figures.push(("capacity_events_per_s", edited.capacity));
        proof.figures.push(("load_events_per_s", edited.load));
        Ok(proof)
    })
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("a thread of the proof panicked"))?
}

fn senders(host: &TestHost, lie: Option<Lie>) -> Result<Vec<Sender>> {
    let keys = |name: &str| (0..=KEYS).map(|key| format!("{name}-{key}")).collect::<Vec<_>>();
    let mut senders = Vec::new();
    for number in 0..TCP_SENDERS {
        let stream = TcpStream::connect(("127.0.0.1", host.tcp)).context("connect")?;
        senders.push(Sender {
            way: Way::Tcp(stream),
            keys: keys(&format!("tcp{number}")),
            share: (1.0 - HTTP_SHARE) / TCP_SENDERS as f64,
            lie: lie.filter(|_| number == 0),
        });
    }
    senders.push(Sender { way: Way::Http(host.http), keys: keys("http"), share: HTTP_SHARE, lie: None });
    Ok(senders)
}

struct Edited {
    edits: u32,
    held: Vec<(Instant, Instant)>,
    during: (Instant, Instant),
    capacity: f64,
    load: f64,
}

/// Measures, then edits at an even pace.
fn edit(host: &TestHost, pace: &Pace, options: &Options) -> Result<Edited> {
    let capacity = match options.rate {
        Some(rate) => rate as f64,
        None => {
            let rows = watcher::rows_in(host.http, "edit/last")?;
            let start = Instant::now();
            std::thread::sleep(MEASURE);
            let came = watcher::rows_in(host.http, "edit/last")?.saturating_sub(rows);
            let capacity = came as f64 / start.elapsed().as_secs_f64();
            // What has piled up is done before edits begin.
            pace.rate.store(((capacity / 10.0) as u64).max(1), Ordering::Relaxed);
            host.wait("/api/pipelines", |seen| seen["pipelines"][0]["lag_s"].as_f64() < Some(0.2))?;
            pace.rate.store(((capacity * LOAD) as u64).max(1), Ordering::Relaxed);
            capacity
        }
    };
    let (begin, sent) = (Instant::now(), pace.sent.load(Ordering::Relaxed));
    let mut editor = Editor::new(host, options.seed);
    for number in 0..options.edits {
        editor.step().with_context(|| format!("edit {number} of seed {}", options.seed))?;
        let due = options.time.mul_f64(f64::from(number + 1) / f64::from(options.edits.max(1)));
        if let Some(wait) = due.checked_sub(begin.elapsed()) {
            std::thread::sleep(wait);
        }
    }
    let end = Instant::now();
    let load = (pace.sent.load(Ordering::Relaxed) - sent) as f64 / end.duration_since(begin).as_secs_f64();
    Ok(Edited { edits: options.edits, held: editor.held, during: (begin, end), capacity, load })
}

/// Waits until what was sent has come, moves time on so that all windows close, and waits until nothing more comes.
fn settle(host: &TestHost, sent: &Ledger) -> Result<()> {
    let wanted = sent.events() as u64;
    // Time moved on any earlier would make late what is still in the sockets.
    arrive(host, wanted)?;
    host.send(&format!("{{\"key\":\"end\",\"n\":0,\"h\":0,\"c\":0,\"time\":{}}}\n", now_ms() + END_MS))?;
    arrive(host, wanted + 1)
}

/// Until so many rows have come, or nothing more for a while: then the checker says what is missing.
fn arrive(host: &TestHost, wanted: u64) -> Result<()> {
    let until = Instant::now() + SETTLE_MAX;
    let mut last = (0, Instant::now());
    loop {
        let rows = watcher::rows_in(host.http, "edit/sums")?;
        let lag = host.json("/api/pipelines")?["pipelines"][0]["lag_records"].as_u64();
        if rows != last.0 {
            last = (rows, Instant::now());
        }
        let quiet = last.1.elapsed();
        if quiet > Duration::from_secs(2)
            && lag <= Some(1)
            && (rows >= wanted || quiet > Duration::from_secs(10))
        {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("the flow is not done: {rows} of {wanted} rows, {lag:?} records wait");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn report(host: &TestHost, sent: &Ledger, mut seen: Seen, keys: &[String]) -> Result<Proof> {
    for key in keys {
        watcher::windows(host.http, key, &mut seen.windows)?;
    }
    let verdict = judge(sent, &seen);
    let pipeline = host.json("/api/pipelines")?["pipelines"][0].clone();
    let faults = host.json("/api/faults")?["faults"].as_array().map_or(0, Vec::len);
    let looked_at: usize = seen.canaries.values().map(Vec::len).sum();
    let mut proof = Proof { prove: "edit", ..Proof::default() };
    proof.figures = vec![
        ("lost", verdict.lost as f64),
        ("double", verdict.double as f64),
        ("reordered", verdict.reordered as f64),
        ("events", sent.events()),
        ("canaries", looked_at as f64),
        ("canary_looks_too_late", seen.unseen as f64),
        ("skipped", pipeline["skipped_total"].as_f64().unwrap_or(-1.0)),
        ("faults", faults as f64),
    ];
    if !verdict.is_clean() {
        proof.violations = verdict.messages;
    }
    Ok(proof)
}
