//! Looks from outside at what comes out: the canaries one by one, the windows of all keys, and how long nothing came out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::checker::{Seen, Sums, Windows};
use crate::client;

/// Pace of the looks at the canaries; the ring holds 1,000 of them.
const CANARIES_EVERY: Duration = Duration::from_millis(100);
const RING: usize = 1_000;
/// Pace of the looks at the counter: the resolution of stalls.
const COUNTER_EVERY: Duration = Duration::from_millis(4);

/// Collects canaries until `stop`; then once more.
pub fn canaries(port: u16, stop: &AtomicBool) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut after = None;
    loop {
        let last = stop.load(Ordering::Acquire);
        look(port, &mut after, &mut seen)?;
        if last {
            return Ok(seen);
        }
        std::thread::sleep(CANARIES_EVERY);
    }
}

fn look(port: u16, after: &mut Option<(u64, u64, u64)>, seen: &mut Seen) -> Result<()> {
    let path = format!("/api/streams/proof/edit/canary/recent?limit={RING}");
    let answer = client::request(port, "GET", &path, &[], b"")?;
    if answer.status == 404 {
        return Ok(());
    }
    let answer = answer.json()?;
    let events = answer["events"].as_array().context("no events")?;
    // Newest first.
    let mut fresh: Vec<&Value> = events.iter().collect();
    fresh.reverse();
    let old = after.and_then(|after| fresh.iter().copied().rposition(|event| place(event) == after));
    if after.is_some() && old.is_none() && !fresh.is_empty() {
        seen.unseen += 1;
    }
    for event in fresh.iter().skip(old.map_or(0, |old| old + 1)) {
        let key = event["fields"]["key"].as_str().unwrap_or_default().to_owned();
        let number = event["fields"]["n"].as_u64().with_context(|| format!("no number: {event}"))?;
        seen.canaries.entry(key).or_default().push(number);
    }
    *after = fresh.last().copied().map(place).or(*after);
    Ok(())
}

/// A derived batch has the position of its record: within one, rows count on, and the number tells batches of one record apart.
fn place(event: &Value) -> (u64, u64, u64) {
    let number = |member: &Value| member.as_u64().unwrap_or(0);
    (number(&event["position"]), number(&event["row"]), number(&event["fields"]["n"]))
}

/// The windows of a key that have closed.
pub fn windows(port: u16, key: &str, windows: &mut Windows) -> Result<()> {
    let path = format!("/api/series/points?metric=edit_sums&label.key={key}&limit=50000");
    let answer = client::request(port, "GET", &path, &[], b"")?.json()?;
    let mut found: BTreeMap<i64, Sums> = BTreeMap::new();
    for series in answer["series"].as_array().into_iter().flatten() {
        let times = series["time_unix_ns"].as_array().context("no times")?;
        for (row, time) in times.iter().enumerate() {
            let value = |field: &str| series["values"][field][row].as_f64().unwrap_or(f64::NAN);
            let sums = Sums {
                count: value("count"),
                numbers: value("numbers"),
                hashes: value("hashes"),
                least: value("least"),
                greatest: value("greatest"),
            };
            let window = time.as_i64().unwrap_or(0) / 1_000_000;
            found.entry(window).and_modify(|known| known.add(&sums)).or_insert(sums);
        }
    }
    windows.extend(found.into_iter().map(|(window, sums)| ((key.to_owned(), window), sums)));
    Ok(())
}

/// When more rows had come out, as (when, rows).
pub fn progress(port: u16, unit: &str, stop: &AtomicBool) -> Result<Vec<(Instant, u64)>> {
    let mut steps: Vec<(Instant, u64)> = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let rows = rows_in(port, unit)?;
        if steps.last().is_none_or(|(_, known)| *known != rows) {
            steps.push((Instant::now(), rows));
        }
        std::thread::sleep(COUNTER_EVERY);
    }
    Ok(steps)
}

pub fn rows_in(port: u16, unit: &str) -> Result<u64> {
    let answer = client::request(port, "GET", "/api/pipelines", &[], b"")?.json()?;
    let units = answer["pipelines"].as_array().into_iter().flatten();
    let mut units = units.flat_map(|pipeline| pipeline["units"].as_array().into_iter().flatten());
    Ok(units.find(|known| known["id"] == unit).and_then(|unit| unit["rows_in_total"].as_u64()).unwrap_or(0))
}

/// The longest and the median time between two steps, ms, in the time between `from` and `to` and without the times in which an operator held everything up.
pub fn stalls(
    steps: &[(Instant, u64)],
    held: &[(Instant, Instant)],
    (from, to): (Instant, Instant),
) -> (f64, f64) {
    let mut gaps: Vec<f64> = steps
        .windows(2)
        .filter_map(|pair| match pair {
            [(before, _), (after, _)] => Some((*before, *after)),
            _ => None,
        })
        .filter(|(before, after)| *before >= from && *after <= to)
        .filter(|(before, after)| !held.iter().any(|(begin, end)| before <= end && after >= begin))
        .map(|(before, after)| after.duration_since(before).as_secs_f64() * 1_000.0)
        .collect();
    gaps.sort_by(f64::total_cmp);
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or(0.0);
    (gaps.last().copied().unwrap_or(0.0), median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_without_pauses() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let steps: Vec<(Instant, u64)> = [0, 10, 20, 120, 130, 430, 440]
            .into_iter()
            .enumerate()
            .map(|(n, ms)| (at(ms), n as u64))
            .collect();
        assert_eq!(stalls(&steps, &[], (at(0), at(500))).0, 300.0);
        assert_eq!(stalls(&steps, &[(at(200), at(400))], (at(0), at(500))).0, 100.0);
        assert_eq!(stalls(&steps, &[(at(200), at(400))], (at(0), at(100))), (10.0, 10.0));
    }
}
