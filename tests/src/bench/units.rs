//! Bench `units`: what a row costs in each standard unit and rule, ns per event, beside the same by hand in Rust.
//!
//! Calls of one unit on decoded batches as a flow makes them: projection, conversion and key numbers are made before, state is read, written and
//! committed. Batches of 128 and 1,024 rows with 100 and 100,000 keys, 20 s of event time that no watermark closes. A unit is one entry of [`entries`]: its
//! configuration, and what a person would write instead, over the same Arrow columns and key numbers and without a state outside. CPU time of the thread;
//! rounds take turns. `WEIR_BENCH_UNITS=parse,split` measures only entries whose names have one of these words.

mod entries;
mod kinds;

use anyhow::{Context as _, Result, anyhow, ensure};
use weir::units::Components;
use weir_core::batch::Batch;
use weir_core::flow::node::{Node, lock};
use weir_core::unit::Input;
use weir_engine::{Engine, Settings};

use super::Report;
use super::boundary::{ROWS_PER_ROUND, batches_of, calls, inputs, node, turns};
use super::measure::{median, spread};
use entries::Entry;

const ROWS: [usize; 2] = [128, 1_024];
const KEYS: [(u64, &str); 2] = [(100, "100"), (100_000, "100k")];
/// Environment: words separated by commas; only entries with one of them in their name are measured.
const ONLY: &str = "WEIR_BENCH_UNITS";
/// A table of [`PATHS`] lines.
const TEAMS: &str = "teams.csv";
const PATHS: u64 = 500;
/// How far apart the first and the last event are.
const SPAN_MS: usize = 20_000;
/// 2026-01-01
const START_MS: usize = 1_767_225_600_000;

pub fn run() -> Result<Report> {
    let engine = Engine::start(Settings::default()).context("start the engine")?;
    let tables = tempfile::tempdir().context("make a folder for a table")?;
    std::fs::write(tables.path().join(TEAMS), teams()).context("write a table")?;
    let components = Components::new(engine, None).with_tables(tables.path().to_owned());
    let wanted = std::env::var(ONLY).unwrap_or_default();
    let chosen =
        |entry: &&Entry| wanted.is_empty() || wanted.split(',').any(|word| entry.name.contains(word));
    let titles = ["ns per event", "rows", "keys", "component", "native", "times"];
    let mut report = Report::new("units", &titles);
    for (keys, keys_name) in KEYS {
        let text = events(keys);
        for rows in ROWS {
            let batches = batches_of(&text, rows)?;
            for entry in entries::all().filter(chosen) {
                let pair = measure(&components, entry, &batches, keys)
                    .with_context(|| format!("{} at {rows} rows, {keys_name} keys", entry.name))?;
                let (wasm, by_hand) = (median(&pair.wasm), median(&pair.native));
                eprintln!(
                    "{} at {rows} rows, {keys_name} keys: {wasm:.1} ns, by hand {by_hand:.1}",
                    entry.name
                );
                report.row(vec![
                    entry.name.to_owned(),
                    rows.to_string(),
                    keys_name.to_owned(),
                    spread(&pair.wasm, 1),
                    spread(&pair.native, 1),
                    format!("{:.1}", wasm / by_hand),
                ]);
                let name = entry.name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
                report.figure(&format!("{name}_{rows}_{keys_name}_ns"), wasm);
                report.figure(&format!("{name}_{rows}_{keys_name}_native_ns"), by_hand);
            }
        }
    }
    Ok(report)
}

fn measure(
    components: &Components,
    entry: &Entry,
    batches: &[Batch],
    keys: u64,
) -> Result<super::boundary::Pair> {
    let mut node = node(components, entry.uses, entry.uses, &(entry.config)())?;
    let inputs = inputs(&node, batches)?;
    ensure!(inputs.len() == batches.len(), "the projection leaves out batches");
    hold_keys(&node, &inputs)?;
    let mut by_hand = (entry.native)(keys as usize);
    turns(|| calls(&mut node, &inputs), || inputs.iter().try_for_each(&mut by_hand))
}

/// The host forgets a key when nothing of it is left; a timer that never comes keeps all of them, though units without state are measured too.
fn hold_keys(node: &Node, inputs: &[Input]) -> Result<()> {
    if node.plan.keys.is_empty() {
        return Ok(());
    }
    let mut keys: Vec<u32> = inputs.iter().flat_map(|input| input.keys.iter().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    let bytes = |number: i64| keys.iter().flat_map(|_| number.to_le_bytes()).collect::<Vec<u8>>();
    let numbers: Vec<u8> = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
    let mut state = lock(&node.state);
    state.wake(&numbers, &bytes(i64::MIN), &bytes(i64::MAX - 1), true).map_err(|bug| anyhow!("{bug}"))?;
    state.commit();
    Ok(())
}

/// A team of each path.
fn teams() -> String {
    let lines = (0..PATHS).map(|path| format!("/items/{path},team-{}\n", path % 7));
    std::iter::once("path,team\n".to_owned()).chain(lines).collect()
}

/// JSON lines for one round, in order of time, always the same.
fn events(keys: u64) -> Vec<u8> {
    let mut text = String::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut totals = vec![0_u64; keys as usize];
    for row in 0..ROWS_PER_ROUND {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let user = random % keys;
        let (path, status) = ((random >> 20) % PATHS, [200, 200, 200, 404, 500][(random >> 30) as usize % 5]);
        let (latency_us, bytes) = ((random >> 24) % 100_000, (random >> 40) % 50_000);
        let (latency_ms, ms) = (latency_us / 1_000, START_MS + row * SPAN_MS / ROWS_PER_ROUND);
        let latency = format!("{latency_ms}.{:03}", latency_us % 1_000);
        let total = totals.get_mut(user as usize).map_or(0, |total| {
            *total += bytes;
            *total
        });
        text.push_str(&format!(
            concat!(
                r#"{{"application":"shop","environment":"prod","type":"request","time":{ms},"user":"user-{user}","path":"/items/{path}","#,
                r#""status":{status},"latency_ms":{latency},"bytes":{bytes},"total":{total},"line":"level=info status={status} took={latency}ms","#,
                r#""json":"{{\"status\":{status},\"took_ms\":{latency}}}","url":"https://shop.example/items/{path}?page={bytes}","#,
                r#""agent":"Mozilla/5.0 (X11; Linux x86_64; rv:{rv}.0) Gecko/20100101 Firefox/{rv}.0"}}"#,
                "\n"
            ),
            ms = ms,
            user = user,
            path = path,
            status = status,
            latency = latency,
            bytes = bytes,
            total = total,
            rv = 100 + path % 30,
        ));
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_the_bench_become_rows() {
        let batches = batches_of(&events(100), 1_024).unwrap();
        assert_eq!(batches.iter().map(Batch::rows).sum::<usize>(), ROWS_PER_ROUND);
        assert_eq!(batches[0].columns.num_columns(), 10);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = entries::all().map(|entry| entry.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
