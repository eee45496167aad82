//! timeseries: a formatter that makes a chart over time of series: lines, areas, bars or points, with bands and lines across.

pub mod chart;
pub mod component;
pub mod counter;
pub mod fields;
pub mod gaps;
pub mod m4;
pub mod options;
pub mod spread;
pub mod summary;
pub mod thin;

#[cfg(test)]
mod tests;
