//! The sketches of a cell: what does not fit into a few words.
//!
//! In: values of a column of numbers, or items. Out: quantiles, counts, the most frequent as JSON text; and bytes for the host's state, beginning with the
//! number of their format. Bounds of errors are those of `weir-sketch`.

use std::fmt::Write;

use weir_sketch::bytes::{Damaged, Reader};
use weir_sketch::{Distinct, Histogram, Quantiles, Top};

use crate::columns::Columns;
use crate::function::counters_of;
use crate::layout::Layout;
use crate::words::each;

const FORMAT: u8 = 1;

/// Where a sketch's values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Index of the layout's columns.
    Column(usize),
    /// Index of the layout's items.
    Item(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Quantiles,
    Distinct,
    /// `weight`: index of the layout's columns; none: each row weighs 1.
    Top {
        counters: usize,
        weight: Option<usize>,
    },
    Histogram(Vec<f64>),
}

impl Kind {
    pub fn top(k: usize) -> Self {
        Self::Top { counters: counters_of(k), weight: None }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub source: Source,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Sketch {
    Quantiles(Quantiles),
    Distinct(Distinct),
    Top(Top),
    Histogram(Histogram),
}

impl Sketch {
    fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Quantiles => Self::Quantiles(Quantiles::default()),
            Kind::Distinct => Self::Distinct(Distinct::default()),
            Kind::Top { counters, .. } => Self::Top(Top::new(*counters)),
            Kind::Histogram(bounds) => Self::Histogram(Histogram::new(bounds.len())),
        }
    }

    pub fn quantiles(&self, shares: &[f64]) -> Vec<f64> {
        match self {
            Self::Quantiles(quantiles) => quantiles.at(shares),
            _ => Vec::new(),
        }
    }

    pub fn distinct(&self) -> u64 {
        match self {
            Self::Distinct(distinct) => distinct.count(),
            _ => 0,
        }
    }

    pub fn as_top(&self) -> Option<&Top> {
        match self {
            Self::Top(top) => Some(top),
            _ => None,
        }
    }

    /// `[["item",count],…]`, the most frequent first.
    pub fn top(&self, k: usize) -> String {
        let Self::Top(top) = self else { return "[]".to_owned() };
        let mut text = String::from("[");
        for counter in top.heaviest(k) {
            let comma = if text.len() > 1 { "," } else { "" };
            let item = serde_json::Value::from(String::from_utf8_lossy(&counter.item));
            // Writing to a String does not fail.
            let _ = write!(text, "{comma}[{item},{}]", counter.weight);
        }
        text.push(']');
        text
    }

    pub fn bucket(&self, at: usize) -> u64 {
        match self {
            Self::Histogram(histogram) => histogram.counts().get(at).copied().unwrap_or(0),
            _ => 0,
        }
    }

    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Quantiles(mine), Self::Quantiles(other)) => mine.merge(other),
            (Self::Distinct(mine), Self::Distinct(other)) => mine.merge(other),
            (Self::Top(mine), Self::Top(other)) => mine.merge(other),
            (Self::Histogram(mine), Self::Histogram(other)) => mine.merge(other),
            // Sketches of one layout stand in one order.
            _ => {}
        }
    }
}

/// All sketches of a new cell.
pub fn new(layout: &Layout) -> Vec<Sketch> {
    layout.sketches.iter().map(|spec| Sketch::new(&spec.kind)).collect()
}

/// `mine` may be empty: nothing was folded yet.
pub fn merge(mine: &mut Vec<Sketch>, other: &[Sketch]) {
    if mine.is_empty() {
        mine.extend_from_slice(other);
        return;
    }
    mine.iter_mut().zip(other).for_each(|(mine, other)| mine.merge(other));
}

pub fn put(cell: &[Sketch], out: &mut Vec<u8>) {
    if cell.is_empty() {
        return;
    }
    out.push(FORMAT);
    for sketch in cell {
        match sketch {
            Sketch::Quantiles(quantiles) => quantiles.put(out),
            Sketch::Distinct(distinct) => distinct.put(out),
            Sketch::Top(top) => top.put(out),
            Sketch::Histogram(histogram) => histogram.put(out),
        }
    }
}

/// Empty bytes are a cell without sketches.
pub fn read(layout: &Layout, bytes: &[u8]) -> Result<Vec<Sketch>, Damaged> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORMAT {
        return Err(Damaged);
    }
    let one = |spec: &Spec| {
        Ok(match &spec.kind {
            Kind::Quantiles => Sketch::Quantiles(Quantiles::read(&mut reader)?),
            Kind::Distinct => Sketch::Distinct(Distinct::read(&mut reader)?),
            Kind::Top { .. } => Sketch::Top(Top::read(&mut reader)?),
            Kind::Histogram(bounds) => {
                let histogram = Histogram::read(&mut reader)?;
                if histogram.counts().len() != bounds.len() + 1 {
                    return Err(Damaged);
                }
                Sketch::Histogram(histogram)
            }
        })
    };
    let cell = layout.sketches.iter().map(one).collect::<Result<Vec<_>, Damaged>>()?;
    reader.finish()?;
    Ok(cell)
}

/// Folds rows from `from` on into the sketches of their cells: `bases` has one entry for each of these rows, base 0 is for rows that do not count.
pub fn fold(layout: &Layout, from: usize, bases: &[u32], columns: &Columns<'_>, cells: &mut [Vec<Sketch>]) {
    let stride = layout.stride();
    if layout.sketches.is_empty() {
        return;
    }
    for base in bases.iter().filter(|base| **base != 0) {
        if let Some(cell) = cells.get_mut(*base as usize / stride).filter(|cell| cell.is_empty()) {
            *cell = new(layout);
        }
    }
    for (at, spec) in layout.sketches.iter().enumerate() {
        match spec.source {
            Source::Column(column) => {
                let Some(numbers) = columns.numbers.get(column).and_then(Option::as_ref) else { continue };
                each(bases, &numbers.slice(from, bases.len()), |base, value| {
                    if base == 0 || !value.is_finite() {
                        return;
                    }
                    match (sketch(cells, base / stride, at), &spec.kind) {
                        (Some(Sketch::Quantiles(quantiles)), _) => quantiles.add(value),
                        (Some(Sketch::Histogram(histogram)), Kind::Histogram(bounds)) => {
                            histogram.add(bounds, value)
                        }
                        _ => {}
                    }
                });
            }
            Source::Item(item) => {
                let Some(items) = columns.items.get(item).and_then(Option::as_ref) else { continue };
                let codes = items.codes.get(from..).unwrap_or_default();
                for (row, (base, code)) in bases.iter().zip(codes).enumerate() {
                    let is_there = items.valid.is_none_or(|valid| valid.get(from + row) == Some(&1));
                    if *base == 0 || !is_there {
                        continue;
                    }
                    match sketch(cells, *base as usize / stride, at) {
                        Some(Sketch::Distinct(distinct)) => {
                            distinct.add(items.hashes.get(*code as usize).copied().unwrap_or(0));
                        }
                        Some(Sketch::Top(top)) => {
                            let weight = match &spec.kind {
                                Kind::Top { weight: Some(column), .. } => columns.weight(*column, from + row),
                                _ => 1.0,
                            };
                            if weight > 0.0 {
                                top.add(items.names.get(*code as usize).map_or(&[][..], |name| name), weight);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn sketch(cells: &mut [Vec<Sketch>], cell: usize, at: usize) -> Option<&mut Sketch> {
    cells.get_mut(cell)?.get_mut(at)
}
