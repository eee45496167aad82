//! Quantiles: exact up to [`EXACT_MAX`] values, then a sketch whose answers are within 1 % of the value.
//!
//! Definition: of n sorted values the quantile q lies at rank q * (n - 1), between two values in proportion (type 7 of Hyndman and Fan, the default of R,
//! NumPy and spreadsheets). Bound of the sketch: each of the two values is within 1 % of the true one, so where both have the same sign the answer is within 1 %
//! of the exact answer; where the least and greatest value are over a factor of 1e17 apart, that holds for the quantiles in the upper part. Least and
//! greatest are exact. Values that are not finite are not for here. Merging gives what adding all values would have given, in any order.

use crate::buckets::{Buckets, bucket_of, middle_of};
use crate::bytes::{Damaged, Reader, put_f64, put_u64};

pub const EXACT_MAX: usize = 256;
/// Of the sketch's answers, as a share of the value.
pub const ERROR_MAX: f64 = 0.01;

const FORMAT_EXACT: u8 = 1;
const FORMAT_SKETCH: u8 = 2;

#[derive(Clone, Debug, PartialEq)]
pub enum Quantiles {
    /// In the order in which they came.
    Exact(Vec<f64>),
    Sketch(Box<Sketch>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    positive: Buckets,
    /// By the absolute value.
    negative: Buckets,
    /// Zeros, and what is too small to be a normal number.
    zeros: u64,
    min: f64,
    max: f64,
}

impl Default for Quantiles {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Quantiles {
    /// A finite value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        match self {
            Self::Sketch(sketch) => sketch.add(value),
            Self::Exact(values) if values.len() < EXACT_MAX => values.push(value),
            Self::Exact(_) => self.make_sketch().add(value),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(values) => values.iter().for_each(|value| self.add(*value)),
            Self::Sketch(sketch) => self.make_sketch().merge(sketch),
        }
    }

    fn make_sketch(&mut self) -> &mut Sketch {
        if let Self::Exact(values) = self {
            let mut sketch = Box::<Sketch>::default();
            values.iter().for_each(|value| sketch.add(*value));
            *self = Self::Sketch(sketch);
        }
        match self {
            Self::Sketch(sketch) => sketch,
            Self::Exact(_) => unreachable!("it was made a sketch above"),
        }
    }

    pub fn count(&self) -> u64 {
        match self {
            Self::Exact(values) => values.len() as u64,
            Self::Sketch(sketch) => sketch.count(),
        }
    }

    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// Quantiles (from 0 to 1), all NaN where there is no value.
    pub fn at(&self, shares: &[f64]) -> Vec<f64> {
        match self {
            Self::Exact(values) => {
                let mut sorted = values.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                let value = |rank: u64| sorted.get(rank as usize).copied().unwrap_or(f64::NAN);
                shares.iter().map(|share| between(*share, sorted.len() as u64, value)).collect()
            }
            Self::Sketch(sketch) => shares
                .iter()
                .map(|share| between(*share, sketch.count(), |rank| sketch.value(rank)))
                .collect(),
        }
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Exact(values) => {
                out.push(FORMAT_EXACT);
                put_u64(out, values.len() as u64);
                values.iter().for_each(|value| put_f64(out, *value));
            }
            Self::Sketch(sketch) => {
                out.push(FORMAT_SKETCH);
                put_f64(out, sketch.min);
                put_f64(out, sketch.max);
                put_u64(out, sketch.zeros);
                sketch.positive.put(out);
                sketch.negative.put(out);
            }
        }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        match reader.u8()? {
            FORMAT_EXACT => {
                let length = reader.u64()? as usize;
                if length > EXACT_MAX {
                    return Err(Damaged);
                }
                Ok(Self::Exact((0..length).map(|_| reader.f64()).collect::<Result<_, _>>()?))
            }
            FORMAT_SKETCH => {
                let (min, max, zeros) = (reader.f64()?, reader.f64()?, reader.u64()?);
                if !(min.is_finite() && max.is_finite() && min <= max) {
                    return Err(Damaged);
                }
                let (positive, negative) = (Buckets::read(reader)?, Buckets::read(reader)?);
                Ok(Self::Sketch(Box::new(Sketch { positive, negative, zeros, min, max })))
            }
            _ => Err(Damaged),
        }
    }
}

/// The value at rank share * (n - 1), in proportion between its neighbours.
fn between(share: f64, count: u64, value: impl Fn(u64) -> f64) -> f64 {
    let Some(last) = count.checked_sub(1) else { return f64::NAN };
    let rank = share.clamp(0.0, 1.0) * last as f64;
    let below = value(rank.floor() as u64);
    let part = rank - rank.floor();
    if part == 0.0 {
        return below;
    }
    let above = value((rank.floor() as u64 + 1).min(last));
    // Not below + part * (above - below): the difference of two doubles may overflow.
    below * (1.0 - part) + above * part
}

impl Sketch {
    fn add(&mut self, value: f64) {
        if self.is_empty() {
            (self.min, self.max) = (value, value);
        }
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
        if value >= f64::MIN_POSITIVE {
            self.positive.add(bucket_of(value), 1);
        } else if value <= -f64::MIN_POSITIVE {
            self.negative.add(bucket_of(-value), 1);
        } else {
            self.zeros += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max));
        self.zeros += other.zeros;
        self.positive.merge(&other.positive);
        self.negative.merge(&other.negative);
    }

    fn is_empty(&self) -> bool {
        self.zeros == 0 && self.positive.iter().next().is_none() && self.negative.iter().next().is_none()
    }

    fn count(&self) -> u64 {
        self.zeros.saturating_add(self.positive.total()).saturating_add(self.negative.total())
    }

    /// The value of a rank from 0; the first and the last are exact.
    fn value(&self, rank: u64) -> f64 {
        if rank == 0 {
            return self.min;
        }
        if rank + 1 >= self.count() {
            return self.max;
        }
        let mut before = 0;
        let negative = self.negative.iter().rev().map(|(bucket, count)| (-1.0, bucket, count));
        let zeros = [(0.0, 0, self.zeros)].into_iter();
        let positive = self.positive.iter().map(|(bucket, count)| (1.0, bucket, count));
        for (sign, bucket, count) in negative.chain(zeros).chain(positive) {
            before = u64::saturating_add(before, count);
            if rank < before {
                let value = if sign == 0.0 { 0.0 } else { sign * middle_of(bucket) };
                return value.clamp(self.min, self.max);
            }
        }
        self.max
    }
}
