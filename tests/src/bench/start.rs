//! Bench `start`: how long `weir` takes until it is ready, and what it keeps when it has nothing to do but watch the machine and itself.
//!
//! The default configuration with free ports, and a data folder whose cache of compiled code is warm. Time is from before the process is made to the first
//! 200 of `/readyz`, looked at each ms. Memory is resident memory after ten seconds.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Report;
use super::measure::{median, memory_mib, process_cpu_ns, spread};
use crate::process::Weir;

const STARTS: usize = 12;
const IDLE: Duration = Duration::from_secs(10);
const READY_BUDGET_MS: f64 = 500.0;
const RSS_BUDGET_MIB: f64 = 60.0;

pub fn run() -> Result<Report> {
    let config = crate::config::built_in();
    let folder = tempfile::tempdir().context("make a folder")?;
    // Without a warm cache, for the table alone.
    let cold = Weir::start(&config, folder.path())?;
    let cold_ms = cold.ready_after.as_secs_f64() * 1_000.0;
    cold.process.end()?;
    let (mut ready_ms, mut cpu_ms, mut last) = (Vec::new(), Vec::new(), None);
    for _ in 0..STARTS {
        if let Some(weir) = last.take() {
            end(weir)?;
        }
        let weir = Weir::start(&config, folder.path())?;
        ready_ms.push(weir.ready_after.as_secs_f64() * 1_000.0);
        cpu_ms.push(process_cpu_ns(weir.process.pid())? as f64 / 1e6);
        last = Some(weir);
    }
    let weir = last.context("no start")?;
    std::thread::sleep(IDLE);
    let rss_mib = memory_mib(weir.process.pid(), "VmRSS")?;
    let anonymous_mib = memory_mib(weir.process.pid(), "RssAnon")?;
    end(weir)?;
    let mut report = Report::new("start", &["default configuration", "median (least-greatest)"]);
    report.row(vec![format!("ready, {STARTS} starts, ms"), spread(&ready_ms, 0)]);
    report.row(vec!["CPU until ready, ms".into(), spread(&cpu_ms, 0)]);
    report.row(vec!["ready with an empty cache, ms".into(), format!("{cold_ms:.0}")]);
    report.row(vec!["memory after 10 s, MiB".into(), format!("{rss_mib:.1}")]);
    report.row(vec!["of it not backed by files, MiB".into(), format!("{anonymous_mib:.1}")]);
    report.budgeted("ready_ms", median(&ready_ms), READY_BUDGET_MS);
    report.budgeted("idle_rss_mib", rss_mib, RSS_BUDGET_MIB);
    report.figure("cold_ready_ms", cold_ms);
    Ok(report)
}

fn end(weir: Weir) -> Result<()> {
    weir.process.end()
}
