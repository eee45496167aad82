//! rollup: one row per key and window of event time, with counts, means, percentiles and the like.

pub mod component;
pub mod config;

#[cfg(test)]
mod tests;
