//! Counts between fixed bounds.
//!
//! n rising bounds make n + 1 buckets; a value belongs to the first bucket whose upper bound it does not exceed, what is over the last bound to the last
//! bucket. Merging wants equal bounds.

use crate::bytes::{Damaged, Reader, put_u64};

const FORMAT: u8 = 1;
pub const BOUNDS_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
}

impl Histogram {
    /// For that many bounds.
    pub fn new(bounds: usize) -> Self {
        Self { counts: vec![0; bounds.min(BOUNDS_MAX) + 1] }
    }

    /// Finite, rising, 1 to [`BOUNDS_MAX`].
    pub fn are_bounds(bounds: &[f64]) -> bool {
        (1..=BOUNDS_MAX).contains(&bounds.len())
            && bounds.iter().all(|bound| bound.is_finite())
            && bounds.is_sorted_by(|left, right| left < right)
    }

    pub fn add(&mut self, bounds: &[f64], value: f64) {
        let bucket = bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
    }

    /// One for each bound and one for what is over the last.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, others) in self.counts.iter_mut().zip(&other.counts) {
            *mine += others;
        }
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        put_u64(out, self.counts.len() as u64);
        self.counts.iter().for_each(|count| put_u64(out, *count));
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        if reader.u8()? != FORMAT {
            return Err(Damaged);
        }
        let length = reader.u64()? as usize;
        if !(2..=BOUNDS_MAX + 1).contains(&length) {
            return Err(Damaged);
        }
        let counts = (0..length).map(|_| reader.u64()).collect::<Result<_, _>>()?;
        Ok(Self { counts })
    }
}
