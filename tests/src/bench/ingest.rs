//! Bench `ingest`: a million events over one TCP connection into a real `weir`, through filter and keyed rollup into series.
//!
//! CPU time is that of the process `weir` from just before the connection is made until every window has closed; in turn the same bytes go to the
//! floor (`floor.rs`), a process that computes the same by hand. What Weir says is compared with what the generator counted, window by window.
//! Event times cover ten minutes and end before now; 1 % are up to 2 s late, within the pipeline's lateness. A few events of another host, later than
//! all, close the last windows. Memory is the greatest that the process ever had. In turn the same again with a journal and checkpoints, in a folder that is new each time; the budget
//! of that is what the other came to and 0.15 more.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Report;
use super::events::{self, Requests};
use super::floor;
use super::measure::{median, memory_mib, percentile, process_cpu_ns, spread};
use super::windows::Windows;
use crate::process::{Weir, free_port};

const EVENTS: usize = 1_000_000;
const SPAN_MS: i64 = 600_000;
const ROUNDS: usize = 3;
const END_EVENTS: usize = 4;
const DONE_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

const RATIO_BUDGET: f64 = 0.9;
/// What durability may cost, of the floor; and both together.
const JOURNAL_BUDGET: f64 = 0.15;
const WITH_JOURNAL_BUDGET: f64 = 1.0;
const RSS_BUDGET_MIB: f64 = 250.0;

pub const CONFIG: &str = crate::local_config!(
    tcp: "",
    r#"
[[source]]
name = "http"
kind = "http"

[[pipeline]]
name = "requests"
from = ["shop/prod/request"]
lateness = "3s"

[[pipeline.unit]]
name = "real"
use = "filter"
config = { keep = "latency_ms >= 0" }

[[pipeline.unit]]
name = "per_host"
use = "rollup"
config = { keys = ["host"], window = "1s", aggregates = { n = "count", sum_ms = { of = "latency_ms", is = "sum" } } }

[[pipeline.series]]
metric = "requests"
labels = ["host"]
fields = ["n", "sum_ms"]
"#
);

/// What is sent, and what must come of it.
struct Sent {
    text: Vec<u8>,
    end: Vec<u8>,
    windows: Windows,
}

/// One round of Weir.
struct Round {
    cpu_us_per_event: f64,
    /// From the connection to the last window.
    seconds: f64,
    rss_mib: f64,
    idle_rss_mib: f64,
    count_error: u64,
    /// Unit and ns per row.
    units: Vec<(String, f64)>,
}

pub fn run() -> Result<Report> {
    let sent = sent();
    let folder = tempfile::tempdir().context("make a folder")?;
    // Once for the cache of compiled code.
    Weir::start(CONFIG, folder.path())?.process.end()?;
    let (mut rounds, mut floors, mut durable) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor::cpu_us_per_event(&sent.windows, 1, |streams| write_all(streams, &[&sent.text]))?);
        rounds.push(weir(&sent, folder.path(), false)?);
        for part in ["journal", "state"] {
            let old = folder.path().join("data").join(part);
            if old.exists() {
                std::fs::remove_dir_all(old).context("begin anew")?;
            }
        }
        durable.push(weir(&sent, folder.path(), true)?);
    }
    let of = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
    let cpu = of(|round| round.cpu_us_per_event);
    let ratios: Vec<f64> = cpu.iter().zip(&floors).map(|(cpu, floor)| cpu / floor).collect();
    let rates = of(|round| EVENTS as f64 / round.seconds);
    let rss = of(|round| round.rss_mib);
    let kept: Vec<f64> = durable.iter().map(|round| round.cpu_us_per_event).collect();
    let kept_ratios: Vec<f64> = kept.iter().zip(&floors).map(|(cpu, floor)| cpu / floor).collect();
    let count_error = rounds.iter().chain(&durable).map(|round| round.count_error).max().unwrap_or(u64::MAX);
    let mut report = Report::new("ingest", &["1 M events of 200 B", "median (least-greatest)"]);
    report.row(vec!["weir, CPU us per event".into(), spread(&cpu, 3)]);
    report.row(vec!["floor, CPU us per event".into(), spread(&floors, 3)]);
    report.row(vec!["weir / floor".into(), spread(&ratios, 2)]);
    report.row(vec!["weir with a journal, CPU us per event".into(), spread(&kept, 3)]);
    report.row(vec!["weir with a journal / floor".into(), spread(&kept_ratios, 2)]);
    report.row(vec!["weir, events per s".into(), spread(&rates, 0)]);
    report.row(vec!["weir, peak memory MiB".into(), spread(&rss, 0)]);
    report.row(vec!["weir, memory before MiB".into(), spread(&of(|round| round.idle_rss_mib), 0)]);
    report.row(vec!["rows counted wrong".into(), count_error.to_string()]);
    for (at, (unit, _)) in
        rounds.first().map(|round| round.units.as_slice()).unwrap_or_default().iter().enumerate()
    {
        let ns: Vec<f64> = rounds.iter().filter_map(|round| round.units.get(at)).map(|(_, ns)| *ns).collect();
        report.row(vec![format!("of it in {unit}, ns per row"), spread(&ns, 1)]);
    }
    report.figure("cpu_us_per_event", median(&cpu));
    report.figure("floor_us_per_event", median(&floors));
    report.budgeted("ratio_to_floor", median(&ratios), RATIO_BUDGET);
    report.budgeted(
        "ratio_to_floor_journal",
        median(&kept_ratios),
        (median(&ratios) + JOURNAL_BUDGET).min(WITH_JOURNAL_BUDGET),
    );
    report.figure("events_per_s", median(&rates));
    report.budgeted("rss_mib", percentile(&rss, 1.0), RSS_BUDGET_MIB);
    report.budgeted("count_error", count_error as f64, 0.0);
    Ok(report)
}

fn sent() -> Sent {
    let start_unix_ms = events::now_unix_ms() - SPAN_MS - 100_000;
    let mut requests = Requests::new(EVENTS, start_unix_ms, SPAN_MS);
    let (mut text, mut windows) = (Vec::with_capacity(EVENTS * 210), Windows::default());
    while let Some(request) = requests.write_next(&mut text) {
        windows.add(&request);
    }
    let mut end = Vec::new();
    for late_s in 0..END_EVENTS as i64 {
        events::write_end(&mut end, start_unix_ms + SPAN_MS + (30 + late_s) * 1_000);
    }
    Sent { text, end, windows }
}

fn weir(sent: &Sent, folder: &Path, durable: bool) -> Result<Round> {
    let weir = Weir::start_on(CONFIG, folder, (free_port()?, free_port()?), durable)?;
    let pid = weir.process.pid();
    let idle_rss_mib = memory_mib(pid, "VmRSS")?;
    let begun_ns = process_cpu_ns(pid)?;
    let begun = Instant::now();
    let mut streams = floor::connect(weir.tcp_port, 1)?;
    write_all(&mut streams, &[&sent.text, &sent.end]).context("send to weir")?;
    let done = wait(&weir, sent.windows.len() as u64)?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_us_per_event = (process_cpu_ns(pid)? - begun_ns) as f64 / 1_000.0 / EVENTS as f64;
    drop(streams);
    let rss_mib = memory_mib(pid, "VmHWM")?;
    // The counters may be a moment before the series.
    let mut count_error = u64::MAX;
    for _ in 0..20 {
        count_error =
            sent.windows.count_error(&weir.json("/api/series/points?metric=requests&limit=1000")?)?;
        if count_error == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    weir.process.end()?;
    Ok(Round { cpu_us_per_event, seconds, rss_mib, idle_rss_mib, count_error, units: done })
}

/// Until the rollup has taken all rows and given all windows; then what each unit took, ns per row.
fn wait(weir: &Weir, windows: u64) -> Result<Vec<(String, f64)>> {
    let until = Instant::now() + DONE_MAX;
    let rows = (EVENTS + END_EVENTS) as u64;
    let mut seen = Vec::new();
    while Instant::now() < until {
        std::thread::sleep(LOOK_EVERY);
        let pipelines = weir.json("/api/pipelines")?;
        let units = pipelines.pointer("/pipelines/0/units").and_then(Value::as_array).context("no units")?;
        let number = |unit: &Value, member: &str| unit.get(member).and_then(Value::as_u64).unwrap_or(0);
        let cost = |unit: &Value| {
            let id = unit.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            (id, number(unit, "busy_ns_total") as f64 / number(unit, "rows_in_total").max(1) as f64)
        };
        seen = units
            .iter()
            .map(|unit| (number(unit, "rows_in_total"), number(unit, "rows_out_total")))
            .collect();
        if seen.last().is_some_and(|(taken, given)| *taken >= rows && *given >= windows) {
            return Ok(units.iter().map(cost).collect());
        }
    }
    bail!(
        "not done in {DONE_MAX:?}: rows in and out of the units are {seen:?}; {rows} and {windows} windows were expected"
    )
}

fn write_all(streams: &mut [TcpStream], texts: &[&[u8]]) -> Result<()> {
    for stream in streams {
        stream.set_write_timeout(Some(DONE_MAX))?;
        texts.iter().try_for_each(|text| stream.write_all(text))?;
    }
    Ok(())
}
