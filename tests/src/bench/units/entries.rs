//! The entries of the bench `units`: which unit, configured how, against what. Here filter, transform and the units that fold; the others are in [`super::kinds`].

use std::collections::{HashMap, HashSet};
use std::hint::black_box;

use anyhow::Result;
use serde_json::{Value, json};
use weir_core::unit::Input;

use crate::bench::native::{self, units};

/// The work of a unit by hand: made for a count of keys, then called with each batch. Columns are those of the plan's `reads`, in that order.
pub type Native = fn(keys: usize) -> Box<dyn FnMut(&Input) -> Result<()>>;

/// One row of the table.
pub struct Entry {
    /// Unique; also the name of the figure, with `_` for what is no letter.
    pub name: &'static str,
    pub uses: &'static str,
    pub config: fn() -> Value,
    pub native: Native,
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    FOLDING.iter().chain(super::kinds::PARTING).chain(super::kinds::RULES)
}

/// Units of single columns, and those that fold rows into cells. Columns of the events: `user` (the key), `path` (one of 500), `status`, `latency_ms`, `bytes`, `total` (a counter of the
/// user's), `line` (key=value), `json`, `url` and `agent`.
const FOLDING: &[Entry] = &[
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
            let mut cells = native::Cells::<HashSet<u64>>::of(keys);
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
            let mut cells = native::Cells::<HashMap<u64, u64>>::of(keys.max(5));
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
    Entry {
        name: "aggregate steps",
        uses: "aggregate",
        config: || json!({ "keys": ["user"], "aggregates": { "smooth": { "next": "state * 0.9 + latency_ms * 0.1" } } }),
        native: |keys| {
            let mut states = vec![0.0; keys];
            Box::new(move |input| units::smooth(&mut states, input))
        },
    },
];
