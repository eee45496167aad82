//! Events and watermarks in, signals out.

use weir_sdk::rule::Severity::{self, Critical, Ok, Unknown, Warning};
use weir_sdk::testing::batch;
use weir_sdk::testing::rules::{RuleBench, plan};
use weir_sdk::{Batch, Column, ColumnExt};

use crate::Ratio;

const S: i64 = 1_000_000_000;
const ERRORS: &str =
    r#"{"of": "status >= 500", "window": "10s", "least": 10, "warning": 0.1, "critical": 0.5}"#;

/// Events with (second, status).
fn requests(rows: &[(i64, i64)]) -> Batch {
    let times: Vec<i64> = rows.iter().map(|row| row.0 * S).collect();
    let statuses: Vec<i64> = rows.iter().map(|row| row.1).collect();
    batch(&times, &[], vec![Column::of_s64s("status", &statuses)])
}

/// `per_second` events in each second of the range, of which `bad` are errors.
fn seconds(range: std::ops::Range<i64>, per_second: i64, bad: i64) -> Vec<(i64, i64)> {
    range.flat_map(|second| (0..per_second).map(move |n| (second, if n < bad { 500 } else { 200 }))).collect()
}

fn said(config: &str, rows: &[(i64, i64)], cut: usize, replace: bool, until_s: i64) -> Vec<(Severity, i64)> {
    let mut bench = RuleBench::<Ratio>::open(config).unwrap();
    let mut signals = Vec::new();
    for part in rows.chunks(cut) {
        if replace {
            bench.reopen(config).unwrap();
        }
        signals.extend(bench.evaluate(requests(part)).unwrap());
        signals.extend(bench.advance(part.last().unwrap().0 * S).unwrap());
    }
    signals.extend(bench.advance(until_s * S).unwrap());
    signals.iter().map(|signal| (signal.level, signal.time / S)).collect()
}

fn check(config: &str, rows: &[(i64, i64)], until_s: i64, wanted: &[(Severity, i64)]) {
    for (cut, replace) in [(rows.len(), false), (1, true), (7, false)] {
        assert_eq!(said(config, rows, cut, replace, until_s), wanted, "cut {cut}");
    }
}

#[test]
fn the_level_follows_the_ratio_in_the_window() {
    let rows = [seconds(0..10, 2, 0), seconds(10..20, 2, 2), seconds(20..30, 2, 0)].concat();
    // 20 events are in the window. Errors: over a tenth from 4 on, over half from 12 on.
    let wanted = [
        (Ok, 5),
        (Warning, 12),
        (Warning, 13),
        (Warning, 14),
        (Warning, 15),
        (Critical, 16),
        (Critical, 17),
        (Critical, 18),
        (Critical, 19),
        (Critical, 20),
        (Warning, 25),
        (Ok, 29),
    ];
    check(ERRORS, &rows, 30, &wanted);
}

#[test]
fn too_few_are_not_judged() {
    let rows = [seconds(0..10, 2, 2), seconds(10..12, 2, 0)].concat();
    let wanted = [(Critical, 5), (Unknown, 18)];
    check(ERRORS, &rows, 60, &wanted);
    let resolving = ERRORS.replace("\"of\"", "\"too_few\": \"ok\", \"of\"");
    check(&resolving, &rows, 60, &[(Critical, 5), (Ok, 18)]);
    check(ERRORS, &seconds(0..3, 2, 2), 60, &[]);
}

#[test]
fn sums_of_numbers_and_a_limit_below() {
    let config = r#"{"of": "hits", "to": "lookups", "window": "10s", "least": 1, "warning": 0.9, "direction": "below"}"#;
    let mut bench = RuleBench::<Ratio>::open(config).unwrap();
    let columns = vec![Column::of_f64s("hits", &[95.0, 3.0]), Column::of_s64s("lookups", &[100, 20])];
    bench.evaluate(batch(&[0, 5 * S], &[], columns)).unwrap();
    let signals = bench.advance(8 * S).unwrap();
    let texts: Vec<&str> = signals.iter().map(|signal| signal.summary.as_str()).collect();
    assert_eq!(texts, ["0.95 (95 of 100), not under 0.9", "0.817 (98 of 120), under 0.9"]);
}

#[test]
fn two_streams_are_summed_up_together() {
    let config =
        r#"{"of": "errors", "to": "requests", "window": "10s", "least": 1, "warning": 0.1, "across": true}"#;
    assert!(plan::<Ratio>(config).unwrap().across);
    let mut bench = RuleBench::<Ratio>::open(config).unwrap();
    bench.evaluate(batch(&[0], &[], vec![Column::of_s64s("requests", &[100])])).unwrap();
    bench.evaluate(batch(&[0], &[], vec![Column::of_s64s("errors", &[20])])).unwrap();
    assert_eq!(bench.advance(S).unwrap().remove(0).summary, "0.2 (20 of 100), over 0.1");
}

#[test]
fn a_key_with_an_empty_window_leaves_nothing_behind() {
    let mut bench = RuleBench::<Ratio>::open(ERRORS).unwrap();
    bench.evaluate(requests(&seconds(0..10, 2, 2))).unwrap();
    bench.advance(100 * S).unwrap();
    weir_sdk::testing::host(|host| {
        assert!(host.entries.is_empty() && host.timers.is_empty(), "{:?} {:?}", host.entries, host.timers);
    });
}

#[test]
fn late_rows_are_left_out() {
    let mut bench = RuleBench::<Ratio>::open(ERRORS).unwrap();
    bench.context.watermark = 20 * S;
    bench.evaluate(requests(&seconds(0..10, 2, 2))).unwrap();
    assert!(bench.advance(60 * S).unwrap().is_empty());
}

#[test]
fn complaints_name_place_and_mend() {
    let paths =
        |json: &str| plan::<Ratio>(json).unwrap_err().into_iter().map(|one| one.path).collect::<Vec<_>>();
    assert_eq!(paths(r#"{"of": "status >="}"#), ["/of", "/warning"]);
    assert_eq!(
        paths(r#"{"of": "a", "warning": 0.5, "critical": 0.1, "window": "5ms"}"#),
        ["/window", "/critical"]
    );
    assert!(serde_json::from_str::<serde_json::Value>(crate::config::SCHEMA).is_ok());
}
