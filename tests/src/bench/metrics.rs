//! Bench `metrics`: what a metric costs for each event of its stream, with 1, 10, 100 and 1,000 of them on one stream.
//!
//! Whole flows as the configuration makes them, with the standard components: one `where`, a rollup of one second (count, mean or max of a latency by host, status
//! or path) for each metric. Shared: all have the same `where`, which is then one filter. Apart: each has a `where` of its own that keeps the same rows, and so
//! a pipeline and a filter of its own. The difference is what sharing saves. CPU time of the thread, ns; decoding is not in it. The figure for each event and metric
//! is that of a batch of 1,024 rows. Memory is what the process gained while 1,000 metrics were made and first run.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use weir::units::Components;
use weir_core::config::Topology;
use weir_core::flow::{Flow, Outcome};
use weir_core::graph;
use weir_core::record::Record;
use weir_core::sequencer::Sequencer;
use weir_engine::{Engine, Settings};

use super::Report;
use super::boundary::{batches, records};
use super::events::TRIPLET;
use super::measure::{median, memory_mib, spread, thread_cpu_ns};

const COUNTS: [usize; 4] = [1, 10, 100, 1_000];
/// Without sharing, as many instances again are made; a hundred show the difference.
const APART_MAX: usize = 100;
const ROWS: usize = 1_024;
const ROUNDS: usize = 5;
/// Calls of rollups in a round, so that a round takes some hundred ms whatever the number of metrics.
const CALLS_PER_ROUND: usize = 8_192;

const KEYS: [&str; 3] = ["host", "status", "path"];
const FUNCTIONS: [&str; 3] = ["count", "mean", "max"];

pub fn run() -> Result<Report> {
    let components = Components::new(Engine::start(Settings::default()).context("start the engine")?, None);
    let mut report =
        Report::new("metrics", &["ns per event", "metrics", "all of them", "each metric", "pipelines"]);
    let batches = batches(ROWS)?;
    for count in COUNTS {
        for shared in [true, false].into_iter().filter(|shared| *shared || (2..=APART_MAX).contains(&count)) {
            let before_mib = memory_mib(std::process::id(), "VmRSS")?;
            let mut flows = flows(&components, count, shared)?;
            let times = (CALLS_PER_ROUND / count).clamp(8, 128);
            let some = batches.get(..times.min(batches.len())).context("too few batches")?;
            let mut sequencer = Sequencer::new(0, 1, 0);
            let mut rounds = Vec::new();
            for round in 0..=ROUNDS {
                let records = records(&mut sequencer, some, round as i64)?;
                let begun_ns = thread_cpu_ns()?;
                flows.iter_mut().try_for_each(|flow| run_all(flow, &records))?;
                if round > 0 {
                    rounds.push((thread_cpu_ns()? - begun_ns) as f64 / (some.len() * ROWS) as f64);
                }
            }
            let each: Vec<f64> = rounds.iter().map(|ns| ns / count as f64).collect();
            let name = if shared { "the same where" } else { "a where each" };
            let cells = [count.to_string(), spread(&rounds, 0), spread(&each, 1), flows.len().to_string()];
            report.row(std::iter::once(name.to_owned()).chain(cells).collect());
            match (count, shared) {
                (1, true) => report.figure("metrics1_ns_each", median(&each)),
                (100, true) => report.figure("metrics100_ns_each", median(&each)),
                (100, false) => report.figure("metrics100_apart_ns_each", median(&each)),
                (1_000, true) => {
                    report.figure("metrics1000_ns_each", median(&each));
                    report.figure("metrics1000_ns_per_event", median(&rounds));
                    let gained = memory_mib(std::process::id(), "VmRSS")? - before_mib;
                    report.figure("metrics1000_mib", gained);
                }
                _ => {}
            }
        }
    }
    Ok(report)
}

fn configuration(count: usize, shared: bool) -> String {
    let metric = |number: usize| {
        let [key, function] =
            [KEYS, FUNCTIONS].map(|all| all.get(number % all.len()).copied().unwrap_or("count"));
        // Never true for a latency, so that all keep the same rows.
        let apart = if shared { String::new() } else { format!(" and latency_ms != -{number}") };
        format!(
            "[[metric]]\nname = \"m{number}\"\nfrom = [\"{TRIPLET}\"]\nwhere = \"latency_ms >= 0{apart}\"\nkey = [\"{key}\"]\n\
             value = \"latency_ms\"\nlateness = \"3s\"\nrollup = [{{ window = \"1s\", is = \"{function}\" }}]\nchart = false\n"
        )
    };
    (0..count).map(metric).collect()
}

fn flows(components: &Components, count: usize, shared: bool) -> Result<Vec<Flow>> {
    let topology =
        Topology::parse(&configuration(count, shared)).map_err(|problems| anyhow!("{problems:?}"))?;
    ensure!(topology.pipelines.len() == if shared { 1 } else { count }, "not shared as it should be");
    let graph = graph::resolve(&topology, components).map_err(|problems| anyhow!("{problems:?}"))?;
    let plans = weir::runtime::plans(&topology, &graph, components).map_err(|error| anyhow!(error))?;
    Ok(plans.iter().map(|plan| plan.build(0, &mut Default::default())).collect())
}

fn run_all(flow: &mut Flow, records: &[Record]) -> Result<()> {
    for record in records {
        let Outcome::Done(effects) = flow.run(record, true, &|| 0) else {
            bail!("the flow took a record back")
        };
        ensure!(
            effects.faults.is_empty() && effects.dead.is_empty(),
            "the flow loses rows: {:?}",
            effects.faults.first()
        );
    }
    Ok(())
}
