//! Bench `units`: what a row costs in each standard unit and rule, ns per event, beside the same by hand in Rust.
//!
//! Calls of one unit on decoded batches as a flow makes them: projection, conversion and key numbers are made before, state is read, written and
//! committed. Batches of 128 and 1,024 rows with 100 and 100,000 keys, 20 s of event time that no watermark closes. A unit is one entry of [`UNITS`]: its
//! configuration, and what a person would write instead, over the same Arrow columns and key numbers and without a state outside. CPU time of the thread;
//! rounds take turns.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use weir::units::Components;
use weir_core::batch::Batch;
use weir_core::flow::node::{Node, lock};
use weir_core::unit::Input;
use weir_engine::{Engine, Settings};

use super::boundary::{ROWS_PER_ROUND, batches_of, calls, inputs, node, turns};
use super::measure::{median, spread};
use super::{Report, native};

const ROWS: [usize; 2] = [128, 1_024];
const KEYS: [(u64, &str); 2] = [(100, "100"), (100_000, "100k")];
/// How far apart the first and the last event are.
const SPAN_MS: usize = 20_000;
/// 2026-01-01
const START_MS: usize = 1_767_225_600_000;

/// The work of a unit by hand: made for a count of keys, then called with each batch. Columns are those of the plan's `reads`, in that order.
type Native = fn(keys: usize) -> Box<dyn FnMut(&Input) -> Result<()>>;

/// One row of the table.
struct Entry {
    /// Unique; also the name of the figure, with `_` for what is no letter.
    name: &'static str,
    uses: &'static str,
    config: fn() -> Value,
    native: Native,
}

/// Standard units and rules. Columns of the events: `user` (the key), `path` (one of 500), `status`, `latency_ms`, `bytes`, `total` (a counter of the
/// user's), `line` (key=value), `json`, `url` and `agent`.
const UNITS: &[Entry] = &[
    Entry {
        name: "filter",
        uses: "filter",
        config: || json!({ "keep": "latency_ms > 50" }),
        native: |_| Box::new(|input| native::filter(input, 50.0).map(|mask| drop(black_box(mask)))),
    },
    Entry {
        name: "transform",
        uses: "transform",
        config: || json!({ "set": { "latency_s": "latency_ms / 1000" } }),
        native: |_| Box::new(|input| native::transform(input).map(|column| drop(black_box(column)))),
    },
    Entry {
        name: "rollup count sum",
        uses: "rollup",
        config: || {
            let sum = json!({ "of": "latency_ms", "is": "sum" });
            json!({ "keys": ["user"], "window": "1s", "aggregates": { "n": "count", "sum_ms": sum } })
        },
        native: |keys| {
            let mut rollup = native::Rollup::of(keys);
            Box::new(move |input| rollup.fold(input))
        },
    },
    Entry {
        name: "rollup p99",
        uses: "rollup",
        config: || {
            let p99 = json!({ "of": "latency_ms", "is": "p99" });
            json!({ "keys": ["user"], "window": "1s", "aggregates": { "p99_ms": p99 } })
        },
        native: |keys| {
            let mut cells = native::Cells::<Vec<f64>>::of(keys);
            Box::new(move |input| native::each(input, |at, value| cells.at(at).map(|cell| cell.push(value))))
        },
    },
    Entry {
        name: "rollup distinct",
        uses: "rollup",
        config: || {
            let paths = json!({ "of": "path", "is": "distinct" });
            json!({ "keys": ["user"], "window": "10s", "aggregates": { "paths": paths } })
        },
        native: |keys| {
            let mut cells = native::Cells::<HashSet<u32>>::of(keys);
            Box::new(move |input| {
                native::each_code(input, |at, code| cells.at(at).map(|cell| cell.insert(code)))
            })
        },
    },
    Entry {
        name: "rollup sliding",
        uses: "rollup",
        config: || {
            let sum = json!({ "of": "latency_ms", "is": "sum" });
            json!({ "keys": ["user"], "window": "10s", "slide": "1s", "aggregates": { "n": "count", "sum_ms": sum } })
        },
        native: |keys| {
            let mut rollup = native::Rollup::of(keys);
            Box::new(move |input| rollup.fold(input))
        },
    },
    Entry {
        name: "aggregate",
        uses: "aggregate",
        config: || {
            let part = |is: &str| json!({ "of": "latency_ms", "is": is });
            json!({ "keys": ["user"], "aggregates": { "n": "count", "sum": part("sum"), "max": part("max") } })
        },
        native: |keys| {
            let mut cells = vec![(0_u64, 0.0_f64, f64::NEG_INFINITY); keys];
            Box::new(move |input| {
                native::each(input, |(_, key), value| {
                    let cell = cells.get_mut(key)?;
                    *cell = (cell.0 + 1, cell.1 + value, cell.2.max(value));
                    Some(())
                })
            })
        },
    },
    Entry {
        name: "topk",
        uses: "topk",
        config: || json!({ "of": "path", "window": "10s", "keys": ["status"] }),
        native: |keys| {
            let mut cells = native::Cells::<HashMap<u32, u64>>::of(keys.max(5));
            Box::new(move |input| {
                native::each_code(input, |at, code| {
                    cells.at(at).map(|cell| *cell.entry(code).or_default() += 1)
                })
            })
        },
    },
    Entry {
        name: "delta",
        uses: "delta",
        config: || json!({ "of": ["total"], "keys": ["user"] }),
        native: |keys| {
            let mut before = vec![f64::NAN; keys];
            Box::new(move |input| {
                let mut deltas = Vec::with_capacity(input.rows());
                native::each(input, |(_, key), value| {
                    let before = before.get_mut(key)?;
                    deltas.push(if value >= *before { value - *before } else { value });
                    *before = value;
                    Some(())
                })?;
                black_box(deltas);
                Ok(())
            })
        },
    },
];

pub fn run() -> Result<Report> {
    let engine = Engine::start(Settings::default()).context("start the engine")?;
    let components = Components::new(engine, None);
    let titles = ["ns per event", "rows", "keys", "component", "native", "times"];
    let mut report = Report::new("units", &titles);
    for (keys, keys_name) in KEYS {
        let text = events(keys);
        for rows in ROWS {
            let batches = batches_of(&text, rows)?;
            for entry in UNITS {
                let pair = measure(&components, entry, &batches, keys)
                    .with_context(|| format!("{} at {rows} rows, {keys_name} keys", entry.name))?;
                let (wasm, by_hand) = (median(&pair.wasm), median(&pair.native));
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
        let (path, status) = ((random >> 20) % 500, [200, 200, 200, 404, 500][(random >> 30) as usize % 5]);
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
        let mut names: Vec<&str> = UNITS.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), UNITS.len());
    }
}
