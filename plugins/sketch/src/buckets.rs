//! Counts by the logarithm of a value: the store of a quantile sketch.
//!
//! The mapping is DDSketch's cubic interpolation of the logarithm between powers of two (Masson, Rim, Lee: DDSketch, VLDB 2019, section 2.4, and its
//! Java implementation): bits, three multiplications and an addition, equal on every machine, 1 % more buckets than the logarithm itself. Neighbouring
//! bounds are at most (1 + a) / (1 - a) apart with a = 0.99 %, so the harmonic middle of a bucket is within that of all its values.
//! Bound: [`BUCKETS_MAX`] buckets, a factor of about 1e17 between least and greatest; below that the smallest are counted together.

use crate::bytes::{Damaged, Reader, put_i64, put_u64};

/// At 35 buckets for each power of two.
pub const BUCKETS_MAX: usize = 2_048;
/// Under 1 %, so that rounding cannot break the bound that is stated.
const ACCURACY: f64 = 0.0099;
/// Coefficients of the cubic.
const A: f64 = 6.0 / 35.0;
const B: f64 = -3.0 / 5.0;
const C: f64 = 10.0 / 7.0;
/// Buckets for each power of two: 0.7 / ln((1 + a) / (1 - a)), with the logarithm of a = 0.0099 as a series, since it may not differ between machines.
const PER_OCTAVE: f64 = 0.7 / (2.0 * (ACCURACY + ACCURACY * ACCURACY * ACCURACY / 3.0 + 1e-11));

/// Bucket of a positive, normal number.
#[inline]
pub fn bucket_of(value: f64) -> i32 {
    let bits = value.to_bits();
    let exponent = ((bits >> 52) as i32 & 0x7ff) - 1_023;
    let s = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000) - 1.0;
    let log = ((A * s + B) * s + C) * s + f64::from(exponent);
    (log * PER_OCTAVE).floor() as i32
}

/// The number whose cubic logarithm is `log`: the cubic rises, so halving finds it.
fn value_of(log: f64) -> f64 {
    let exponent = log.floor();
    if exponent >= 1_024.0 {
        return f64::MAX;
    }
    let wanted = log - exponent;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..54 {
        let s: f64 = (low + high) / 2.0;
        if ((A * s + B) * s + C) * s < wanted { low = s } else { high = s }
    }
    let power = (exponent as i64 + 1_023).clamp(1, 2_046).cast_unsigned() << 52;
    (1.0 + low) * f64::from_bits(power)
}

/// A value that no value of the bucket is further from than the accuracy.
pub fn middle_of(bucket: i32) -> f64 {
    let low = value_of(f64::from(bucket) / PER_OCTAVE);
    let high = value_of(f64::from(bucket + 1) / PER_OCTAVE);
    // 2 * low * high / (low + high), written so that nothing overflows.
    low * (2.0 / (1.0 + low / high))
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Bucket of the first count.
    first: i32,
    counts: Vec<u64>,
}

impl Buckets {
    #[inline]
    pub fn add(&mut self, bucket: i32, count: u64) {
        let at = bucket.wrapping_sub(self.first);
        match self.counts.get_mut(at as usize) {
            Some(place) if at >= 0 => *place = u64::saturating_add(*place, count),
            _ => self.add_outside(bucket, count),
        }
    }

    #[cold]
    fn add_outside(&mut self, bucket: i32, count: u64) {
        if self.counts.is_empty() {
            (self.first, self.counts) = (bucket, vec![count]);
            return;
        }
        let last = self.last().max(bucket);
        // The least bucket that may be: all below it are counted in it.
        let least = last - (BUCKETS_MAX as i32 - 1);
        let bucket = bucket.max(least);
        let first = self.first.min(bucket).max(least);
        if first != self.first || last != self.last() {
            let mut counts = vec![0; (last - first) as usize + 1];
            for (at, count) in self.counts.iter().enumerate() {
                let place = (self.first + at as i32).max(first) - first;
                if let Some(place) = counts.get_mut(place as usize) {
                    *place = u64::saturating_add(*place, *count);
                }
            }
            (self.first, self.counts) = (first, counts);
        }
        if let Some(place) = self.counts.get_mut((bucket - first) as usize) {
            *place += count;
        }
    }

    fn last(&self) -> i32 {
        self.first + self.counts.len() as i32 - 1
    }

    pub fn merge(&mut self, other: &Self) {
        // From the greatest, so that what is counted together is so at once.
        for (at, count) in other.counts.iter().enumerate().rev().filter(|(_, count)| **count > 0) {
            self.add(other.first + at as i32, *count);
        }
    }

    /// Buckets that are not empty with their counts, rising.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> {
        let all = self.counts.iter().enumerate().map(|(at, count)| (self.first + at as i32, *count));
        all.filter(|(_, count)| *count > 0)
    }

    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Of empty buckets between others only how many.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.iter().count() as u64);
        let mut before = 0;
        for (bucket, count) in self.iter() {
            put_i64(out, i64::from(bucket) - i64::from(before));
            put_u64(out, count);
            before = bucket;
        }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        let length = reader.u64()?;
        if length > BUCKETS_MAX as u64 {
            return Err(Damaged);
        }
        let (mut buckets, mut bucket) = (Self::default(), 0_i64);
        for at in 0..length {
            let step = reader.i64()?;
            bucket = bucket.checked_add(step).filter(|bucket| bucket.abs() < 100_000).ok_or(Damaged)?;
            if at > 0 && step <= 0 {
                return Err(Damaged);
            }
            let count = reader.u64()?;
            buckets.add(bucket as i32, count);
        }
        Ok(buckets)
    }
}
