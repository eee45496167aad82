//! Which rows of the series are drawn: all of them, or so many that no pixel changes.
//!
//! In: series within the range. Out: indexes of the rows of each series, rising. Lines, areas and bars: [`crate::m4`]. Series that add up are thinned out at the same times, where any of their
//! tops has its extent, so that sums stay sums. Points: one row for each pixel that a point falls on.

use std::collections::{BTreeSet, HashMap};

use crate::m4::{self, Scale};
use crate::options::{Options, Shape};

/// A series as it is thinned out.
pub struct Rows<'a> {
    pub time: &'a [i64],
    pub fields: Vec<&'a [f64]>,
}

pub fn keep(all: &[Rows], scale: Scale, height_px: u32, options: &Options) -> Vec<Vec<usize>> {
    match options.shape {
        Shape::Point => {
            let values = || all.iter().flat_map(|one| &one.fields).flat_map(|values| values.iter().copied());
            let range = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
            all.iter().map(|one| points(one, scale, height_px, range)).collect()
        }
        _ if options.stack => stacked(all, scale),
        _ => all.iter().map(|one| m4::keep(one.time, &one.fields, scale)).collect(),
    }
}

/// Per column of pixels the rows whose points fall on a pixel that none before fell on.
fn points(rows: &Rows, scale: Scale, height_px: u32, (low, high): (f64, f64)) -> Vec<usize> {
    if rows.time.len() <= scale.width_px as usize {
        return (0..rows.time.len()).collect();
    }
    let height = height_px.max(1) as usize;
    let pixel_of = |value: f64| {
        let part = (value - low) / (high - low);
        if part.is_finite() { ((part * height as f64) as usize).min(height - 1) } else { 0 }
    };
    let mut seen = vec![false; height * rows.fields.len()];
    let mut column = i64::MIN;
    let mut kept = Vec::new();
    for (row, time_ns) in rows.time.iter().enumerate() {
        if scale.pixel(*time_ns) != column {
            column = scale.pixel(*time_ns);
            seen.fill(false);
        }
        let mut is_new = false;
        for (field, values) in rows.fields.iter().enumerate() {
            let Some(value) = values.get(row).filter(|value| !value.is_nan()) else { continue };
            if let Some(pixel) = seen.get_mut(field * height + pixel_of(*value)) {
                is_new |= !std::mem::replace(pixel, true);
            }
        }
        if is_new {
            kept.push(row);
        }
    }
    kept
}

fn stacked(all: &[Rows], scale: Scale) -> Vec<Vec<usize>> {
    let mut sums: HashMap<i64, f64> = HashMap::new();
    let mut times: BTreeSet<i64> = BTreeSet::new();
    for one in all {
        for values in &one.fields {
            let top = |(time, value): (&i64, &f64)| {
                let sum = sums.entry(*time).or_default();
                if !value.is_nan() {
                    *sum += value;
                }
                *sum
            };
            let tops: Vec<f64> = one.time.iter().zip(values.iter()).map(top).collect();
            times.extend(m4::keep(one.time, &[&tops], scale).iter().filter_map(|row| one.time.get(*row)));
        }
    }
    let rows = |one: &Rows| {
        (0..).zip(one.time).filter(|(_, time)| times.contains(time)).map(|(row, _)| row).collect()
    };
    all.iter().map(rows).collect()
}
