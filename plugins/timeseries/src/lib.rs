//! timeseries: a formatter that makes a chart over time of series: lines, areas, bars or points.

pub mod chart;
pub mod component;
pub mod gaps;
pub mod m4;
pub mod names;
pub mod options;

#[cfg(test)]
mod tests;
