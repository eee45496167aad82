//! Counts and sums of the bench `ingest` by host and second, made from the generator alone, and how far an answer of Weir is from them.
//!
//! In: each [`Request`] that was sent; the JSON of `/api/series/points`. Out: the sum of all differences of counts, 0 where every window is there with
//! exactly its rows, and an error where a sum of latencies is not that of its rows.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::events::Request;

/// Doubles are added in another order; each addition may round.
const SUM_ERROR_MAX: f64 = 1e-9;

/// Count and sum in µs, by host and second.
#[derive(Debug, Default)]
pub struct Windows {
    cells: HashMap<(String, i64), (u64, u64)>,
}

impl Windows {
    pub fn add(&mut self, request: &Request) {
        let cell = self.cells.entry((format!("web-{:03}", request.host), request.second())).or_default();
        cell.0 += 1;
        cell.1 += request.latency_us;
    }

    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub fn rows(&self) -> u64 {
        self.cells.values().map(|(count, _)| *count).sum()
    }

    pub fn sum_ms(&self) -> f64 {
        self.cells.values().map(|(_, sum_us)| *sum_us).sum::<u64>() as f64 / 1_000.0
    }

    /// How many rows are too many or missing, in all windows together. Series of hosts that are not ours are passed over.
    pub fn count_error(&self, points: &Value) -> Result<u64> {
        ensure!(
            points.get("cut").and_then(Value::as_bool) == Some(false),
            "the answer with the points is cut"
        );
        let mut left = self.cells.clone();
        let mut error = 0;
        for series in points.get("series").and_then(Value::as_array).context("no series")? {
            let host =
                series.pointer("/labels/host").and_then(Value::as_str).context("a series without host")?;
            if !host.starts_with("web-") {
                continue;
            }
            let column =
                |path: &str| series.pointer(path).and_then(Value::as_array).context("a column is missing");
            let (times, counts, sums) =
                (column("/time_unix_ns")?, column("/values/n")?, column("/values/sum_ms")?);
            for ((time, count), sum) in times.iter().zip(counts).zip(sums) {
                let second = time.as_i64().context("a time that is none")? / 1_000_000_000;
                let count = count.as_f64().context("a count that is none")?;
                let (expected, sum_us) = left.remove(&(host.to_owned(), second)).unwrap_or_default();
                error += (count - expected as f64).abs().ceil() as u64;
                let (sum, sum_ms) = (sum.as_f64().context("a sum that is none")?, sum_us as f64 / 1_000.0);
                let same_rows = count == expected as f64;
                ensure!(
                    !same_rows || (sum - sum_ms).abs() <= SUM_ERROR_MAX * sum_ms.max(1.0),
                    "{host} at {second}: the sum is {sum} instead of {sum_ms}"
                );
            }
        }
        Ok(error + left.values().map(|(count, _)| count).sum::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(host: &str, counts: &[u64], sum_ms: f64) -> Option<u64> {
        let mut windows = Windows::default();
        for time_unix_ms in [5_000, 5_999, 6_000] {
            windows.add(&Request { host: 7, latency_us: 1_500, time_unix_ms });
        }
        let times = [5_000_000_000_i64, 6_000_000_000];
        let sums = [sum_ms, 1.5];
        let points = json!({ "cut": false, "series": [{ "labels": { "host": host }, "time_unix_ns": times[..counts.len()],
            "values": { "n": counts, "sum_ms": sums[..counts.len()] } }] });
        windows.count_error(&points).ok()
    }

    #[test]
    fn each_row_too_many_and_each_missing_one_counts() {
        assert_eq!(error("web-007", &[2, 1], 3.0), Some(0));
        assert_eq!(error("web-007", &[2, 3], 3.0), Some(2));
        assert_eq!(error("web-007", &[2], 3.0), Some(1));
        assert_eq!(error("web-008", &[2, 1], 3.0), Some(6));
        assert_eq!(error("end", &[9, 9], 3.0), Some(3));
        assert_eq!(error("web-007", &[2, 1], 2.9), None);
    }
}
