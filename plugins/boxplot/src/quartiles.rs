//! Five numbers of a distribution, and what lies beyond the whiskers.

use serde::Deserialize;

use crate::OUTLIERS_MAX;

/// Of Tukey's fences, in heights of the box.
const FENCE: f64 = 1.5;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Whiskers {
    #[default]
    #[serde(rename = "tukey")]
    Tukey,
    #[serde(rename = "range")]
    Range,
    #[serde(rename = "p5-p95")]
    Percentiles,
}

impl Whiskers {
    pub fn words(self) -> &'static str {
        match self {
            Self::Tukey => "whiskers to the farthest value within 1.5 heights of the box",
            Self::Range => "whiskers to the least and the greatest value",
            Self::Percentiles => "whiskers to the 5th and the 95th percentile",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Box5 {
    pub low: f64,
    pub q1: f64,
    pub median: f64,
    pub q3: f64,
    pub high: f64,
    pub values: u64,
    /// Beyond the whiskers, the farthest from the median first, bounded.
    pub outliers: Vec<f64>,
    pub outliers_total: u64,
}

impl Box5 {
    /// None where there is no value; what is no finite number is passed over.
    pub fn of(mut values: Vec<f64>, whiskers: Whiskers) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*values.first()?, *values.last()?);
        let [q1, median, q3] = [0.25, 0.5, 0.75].map(|part| quantile(&values, part));
        let (low, high) = match whiskers {
            Whiskers::Range => (first, last),
            Whiskers::Percentiles => (quantile(&values, 0.05), quantile(&values, 0.95)),
            Whiskers::Tukey => {
                let reach = FENCE * (q3 - q1);
                let within = |value: &&f64| **value >= q1 - reach && **value <= q3 + reach;
                // An interpolated quartile may lie beyond every value within reach; a whisker never ends inside of the box.
                let low = values.iter().find(within).map_or(q1, |low| low.min(q1));
                let high = values.iter().rev().find(within).map_or(q3, |high| high.max(q3));
                (low, high)
            }
        };
        let mut outliers: Vec<f64> =
            values.iter().copied().filter(|value| *value < low || *value > high).collect();
        let outliers_total = outliers.len() as u64;
        outliers.sort_by(|left, right| (right - median).abs().total_cmp(&(left - median).abs()));
        outliers.truncate(OUTLIERS_MAX);
        Some(Self { low, q1, median, q3, high, values: values.len() as u64, outliers, outliers_total })
    }
}

/// Of sorted values, not empty: between the two values around the place.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len().saturating_sub(1)) as f64;
    let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(f64::NAN);
    let (below, above) = (at(place.floor()), at(place.ceil()));
    below + (above - below) * place.fract()
}
