//! Where bins begin, how wide they are, and how many values fall into each.

use crate::{BINS_MAX, BINS_MIN};

/// How wide a single value's bin is, where nothing says more.
const WIDTH_OF_ONE: f64 = 1.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bins {
    pub start: f64,
    pub width: f64,
    pub count: usize,
}

impl Bins {
    /// None without a value. `width` is kept unless it would give too many bins.
    pub fn of(values: &[f64], width: Option<f64>) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let chosen = width.filter(|width| width.is_finite() && *width > 0.0);
        let mut width = chosen.unwrap_or_else(|| chosen_width(&sorted, last - first));
        let mut bins = Self::with_width(first, last, width);
        // Doubling keeps a given width recognisable; the bound ends it.
        for _ in 0..2_000 {
            if bins.count <= BINS_MAX {
                break;
            }
            width = if chosen.is_some() { width * 2.0 } else { round_up(width * 1.01) };
            bins = Self::with_width(first, last, width);
        }
        (bins.count <= BINS_MAX && bins.width.is_finite()).then_some(bins)
    }

    fn with_width(first: f64, last: f64, width: f64) -> Self {
        let start = (first / width).floor() * width;
        // The last value is below the upper edge of the last bin.
        let count = ((last - start) / width).floor().clamp(0.0, 1e9) as usize + 1;
        Self { start, width, count }
    }

    pub fn fill(&self, values: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; self.count];
        for value in values {
            if let Some(count) = counts.get_mut(self.at(*value)) {
                *count += 1;
            }
        }
        counts
    }

    /// The bin of a value.
    pub fn at(&self, value: f64) -> usize {
        (((value - self.start) / self.width).floor().max(0.0) as usize).min(self.count.saturating_sub(1))
    }

    pub fn middles(&self) -> Vec<f64> {
        (0..self.count).map(|bin| self.start + (bin as f64 + 0.5) * self.width).collect()
    }

    /// The lower edges (0) or the upper ones (1).
    pub fn edges(&self, upper: usize) -> Vec<f64> {
        (upper..self.count + upper).map(|bin| self.start + bin as f64 * self.width).collect()
    }
}

/// By the rule of Freedman and Diaconis, then to a round number.
fn chosen_width(sorted: &[f64], span: f64) -> f64 {
    if span <= 0.0 {
        return WIDTH_OF_ONE;
    }
    let quarter = |part: usize| sorted.get(part * (sorted.len() - 1) / 4).copied().unwrap_or(0.0);
    let spread = quarter(3) - quarter(1);
    let wanted = 2.0 * spread / (sorted.len() as f64).cbrt();
    // Half of the values may be one and the same: then the span says how wide.
    let wanted = if wanted > 0.0 { wanted } else { span / 20.0 };
    round_up(wanted.max(span / BINS_MAX as f64)).min(round_down(span / BINS_MIN as f64))
}

/// 1, 2, 5 and 10 times the power of ten at or below a width.
fn rounds(width: f64) -> [f64; 4] {
    let power = 10f64.powf(width.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power)
}

fn round_up(width: f64) -> f64 {
    rounds(width).into_iter().find(|round| *round >= width * 0.999_999).unwrap_or(width)
}

fn round_down(width: f64) -> f64 {
    rounds(width).into_iter().rev().find(|round| *round <= width * 1.000_001).unwrap_or(width)
}
