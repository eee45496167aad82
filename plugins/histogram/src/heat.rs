//! A heat map: how often values fell into each bin in each slice of time.
//!
//! In: times and values, bins, the range of the request. Out: a table with a row for each cell that is not empty, in order of time, and its mark. A slice is at least
//! [`SLICE_PX`] wide and begins at a multiple of its length since 1970, so that cells stay what they are while the window moves.

use std::collections::BTreeMap;

use weir_sdk::drawing::{axis, column, extra, mark, table, times};
use weir_sdk::formatter::{Axis, Chart, Request};
use weir_sdk::{Column, ColumnExt};
use weir_text::duration;

use crate::bins::Bins;
use crate::{Part, SLICES_MAX};

const SLICE_PX: u32 = 8;
const MS_NS: i64 = 1_000_000;
/// Lengths of a slice that people know; a longer one is a multiple of the last.
const SLICES_MS: [i64; 22] = [
    1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000, 43_200_000, 86_400_000,
];

pub fn axes(request: &Request, label: &str, measure: &str) -> Vec<Axis> {
    let zone = if request.zone.is_empty() { "UTC" } else { &request.zone };
    vec![
        axis("x", "time", zone, "time"),
        axis("y", label, measure, "linear"),
        axis("count", "values", "1", "linear"),
    ]
}

pub fn cells(chart: &mut Chart, part: &Part, bins: &Bins, request: &Request) {
    let slice_ns = slice_ns(request);
    let mut cells: BTreeMap<(i64, usize), u64> = BTreeMap::new();
    for (time, value) in part.times.iter().zip(&part.values) {
        *cells.entry((time.div_euclid(slice_ns), bins.at(*value))).or_default() += 1;
    }
    let edge = |bin: usize| bins.start + bin as f64 * bins.width;
    // The first and the last slice end where the window does.
    let from: Vec<i64> =
        cells.keys().map(|(slice, _)| slice.saturating_mul(slice_ns).max(request.start)).collect();
    let to: Vec<i64> =
        cells.keys().map(|(slice, _)| (slice + 1).saturating_mul(slice_ns).min(request.end)).collect();
    let columns = vec![
        times("from", &from),
        times("to", &to),
        column("least", &cells.keys().map(|(_, bin)| edge(*bin)).collect::<Vec<_>>()),
        column("below", &cells.keys().map(|(_, bin)| edge(bin + 1)).collect::<Vec<_>>()),
        Column::of_u64s("count", &cells.values().copied().collect::<Vec<_>>()),
    ];
    chart.tables.push(table("cells", cells.len(), columns));
    let bindings = [
        ("x_low", "from", "x"),
        ("x_high", "to", "x"),
        ("y_low", "least", "y"),
        ("y_high", "below", "y"),
        ("value", "count", "count"),
    ];
    chart.marks.push(mark("heat", "cells", "values", &bindings));
    chart.extras.push(extra("weir.slices", format!("slices of {}", duration(slice_ns))));
}

fn slice_ns(request: &Request) -> i64 {
    let slices = i64::from((request.width / SLICE_PX).clamp(1, SLICES_MAX as u32));
    // One less: a window seldom begins where a slice does.
    let least_ns = (request.end.saturating_sub(request.start) / (slices - 1).max(1)).max(1);
    let known = SLICES_MS.into_iter().map(|ms| ms * MS_NS).find(|slice_ns| *slice_ns >= least_ns);
    let day_ns = 86_400_000 * MS_NS;
    known.unwrap_or_else(|| (least_ns / day_ns).saturating_add(1).saturating_mul(day_ns))
}
