//! Counters: values that only grow, drawn as how much they grow in a second.
//!
//! In: series whose times rise (NaN: no value). Out: the same rows with rates, and where a counter began anew. The first value of a field has no rate; one that is lower than the
//! one before began again at 0 in between: its rate is of what it has come to since, and it is a [`Reset`]. A rate is that of the time since the value before, be it a gap. At most
//! [`RESETS_MAX`] resets, the newest: more are not told apart.

use weir_sdk::drawing::names;

use crate::chart::Series;
use crate::options::Options;

pub const RESETS_MAX: usize = 256;
const SECOND_NS: f64 = 1e9;

/// A counter of a series began anew before this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    pub time_ns: i64,
    /// Of the series, as people call it.
    pub label: String,
}

/// What is measured becomes so much in a second, unless the configuration says what it is.
pub fn measure(measure: String, options: &Options) -> String {
    if !options.counter || !options.measure.is_empty() {
        return measure;
    }
    format!("{measure}/s")
}

/// Makes rates of all series; the newest resets, by time.
pub fn apply(all: &mut [Series], options: &Options) -> Vec<Reset> {
    if !options.counter {
        return Vec::new();
    }
    let mut resets = Vec::new();
    for series in all {
        let label = names::for_people(&series.labels, &options.label_by);
        resets.extend(rates(series).into_iter().map(|time_ns| Reset { time_ns, label: label.clone() }));
    }
    resets.sort_by_key(|reset| reset.time_ns);
    resets.split_off(resets.len().saturating_sub(RESETS_MAX))
}

/// Rates in place of values. Returns the times at which a field fell, rising, each once.
pub fn rates(series: &mut Series) -> Vec<i64> {
    let mut falls = Vec::new();
    for (_, values) in &mut series.fields {
        let mut before: Option<(i64, f64)> = None;
        for (value, time_ns) in values.iter_mut().zip(&series.time) {
            if value.is_nan() {
                continue;
            }
            let now = *value;
            *value = match before {
                Some((from_ns, from)) if *time_ns > from_ns => {
                    let grown = if now < from { now } else { now - from };
                    grown * SECOND_NS / time_ns.saturating_sub(from_ns) as f64
                }
                _ => f64::NAN,
            };
            if before.is_some_and(|(_, from)| now < from) {
                falls.push(*time_ns);
            }
            before = Some((*time_ns, now));
        }
    }
    falls.sort_unstable();
    falls.dedup();
    falls
}

/// As the extra `weir.moments` of a chart: JSON, times in ms since 1970.
pub fn moments(resets: &[Reset]) -> String {
    let one = |reset: &Reset| serde_json::json!({ "kind": "reset", "time_ms": reset.time_ns as f64 / 1e6, "label": reset.label });
    serde_json::Value::from(resets.iter().map(one).collect::<Vec<_>>()).to_string()
}
