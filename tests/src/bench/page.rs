//! Bench `page`: the page in a real browser, from its size to the way of an event to a pixel.
//!
//! A real `weir` with the charts of the bench `latency`; `tests/browser/measure.mjs` drives Chromium (and the page's own mock host, for charts of an hour) and says
//! its figures as one line of JSON. What is measured how stands there. `WEIR_PAGE_MINUTES` (2) is how long live charts are watched for the growth of
//! the heap. Node.js, the packages of `host/ui` and Chromium are needed; the page must be built.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Report, latency};
use crate::process::Weir;

/// Figures, what they are, and their budgets.
const FIGURES: [(&str, &str, Option<f64>); 14] = [
    ("gzipped_kib", "the whole page, gzipped, KiB", Some(150.0)),
    (
        "first_graph_ms",
        "start of the navigation to the first graph painted, fresh profile, median, ms",
        Some(500.0),
    ),
    ("first_graph_p95_ms", "the same, 95 %, ms", None),
    ("event_to_pixel_p50_ms", "event sent to pixel drawn, 10,000 others per s, median, ms", Some(100.0)),
    ("event_to_pixel_p99_ms", "the same, 99 %, ms", Some(250.0)),
    ("markers", "events that were followed", None),
    ("background_events_per_s", "other events per s", None),
    (
        "charts24_main_thread_pct",
        "24 charts, 5 series, 3,600 points, 1 Hz: CPU of the main thread, %",
        Some(30.0),
    ),
    ("charts24_frames_per_s", "pictures drawn per s meanwhile", None),
    ("clients200_host_cpu_pct", "200 WebSocket clients: CPU of the host, % of a core", None),
    ("clients200_frames_per_s", "frames that they got per s", None),
    ("clients200_dropped_pct", "versions that they were not sent, %", None),
    ("heap_growth_mib", "growth of the heap of live charts, after garbage collection, MiB", Some(5.0)),
    ("heap_minutes", "minutes of it", None),
];

pub fn run() -> Result<Report> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let weir = Weir::start(latency::CONFIG, folder.path())?;
    let mut node = Command::new("node");
    node.arg("tests/browser/measure.mjs")
        .arg(format!("http://127.0.0.1:{}/", weir.http_port))
        .arg(weir.tcp_port.to_string())
        .arg(weir.process.pid().to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = node.output().context("start node; install Node.js: https://nodejs.org")?;
    ensure!(output.status.success(), "tests/browser/measure.mjs ended with {}", output.status);
    weir.process.end()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().next_back().context("tests/browser/measure.mjs said nothing")?;
    let measured: Value = serde_json::from_str(line).with_context(|| format!("read {line}"))?;
    report(&measured)
}

fn report(measured: &Value) -> Result<Report> {
    let mut report = Report::new("page", &["in a browser", "figure"]);
    for (name, what, budget) in FIGURES {
        let value = measured.get(name).and_then(Value::as_f64).with_context(|| format!("no {name}"))?;
        report.row(vec![what.to_owned(), format!("{value:.1}")]);
        match budget {
            Some(budget) => report.budgeted(name, value, budget),
            None => report.figure(name, value),
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_over_its_budget_is_missed_and_one_that_is_not_there_is_an_error() {
        let all: serde_json::Map<_, _> =
            FIGURES.iter().map(|(name, ..)| ((*name).to_owned(), Value::from(140.0))).collect();
        let missed = report(&Value::Object(all)).unwrap().missed;
        let names: Vec<&str> = missed.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, ["event_to_pixel_p50_ms", "charts24_main_thread_pct", "heap_growth_mib"]);
        assert!(report(&Value::Null).is_err());
    }
}
