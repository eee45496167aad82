//! Summaries of many values in little memory, that can be merged and kept as bytes: quantiles, distinct values, variance, most frequent, histogram.
//!
//! In: values one by one, in their order. Out: estimates with a stated bound, and bytes that begin with the number of their format, so that state which was
//! written by an older version is read or refused, never misread. All are deterministic, on every machine: arithmetic and square roots only, no logarithms of
//! a library, no random seeds. Feeding a summary row by row gives the same state however the rows are cut into batches. Pure: nothing here reads or
//! writes anything, and nothing fails but [`Damaged`].
//!
//! | what | bound | memory |
//! |---|---|---|
//! | [`Quantiles`] | exact up to 256 values, then 1 % of the value | 2 KiB exact, then about 1 byte per 2 % step between least and greatest value |
//! | [`Distinct`] | exact up to 256 values, then 1.63 % standard error | 4 KiB |
//! | [`Moments`] | exact but for rounding | 24 B |
//! | [`Top`] | a count is at most `total / capacity` too great, never too small | capacity x (item + 24 B) |
//! | [`Histogram`] | exact | 8 B per bucket |

mod buckets;
pub mod bytes;
pub mod distinct;
pub mod histogram;
pub mod moments;
pub mod quantiles;
pub mod top;

pub use bytes::Damaged;
pub use distinct::Distinct;
pub use histogram::Histogram;
pub use moments::Moments;
pub use quantiles::Quantiles;
pub use top::Top;
