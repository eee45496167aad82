//! rollup: one row per key and window of event time, with counts, sums, means and the like.

pub mod cache;
pub mod component;
pub mod config;
pub mod layout;
pub mod windows;

#[cfg(test)]
mod tests;
