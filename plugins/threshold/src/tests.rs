//! Rows in, signals out: the tests are data.

use weir_sdk::rule::Severity::{self, Critical, Ok, Warning};
use weir_sdk::testing::batch;
use weir_sdk::testing::rules::{RuleBench, plan};
use weir_sdk::{Batch, Column, ColumnExt};

use crate::Threshold;

const S: i64 = 1_000_000_000;
const ABOVE: &str = r#"{"column": "mean_ms", "warning": 200, "critical": 500, "keys": ["host"]}"#;

type Row = (i64, u32, f64);

fn rows(config: &str, rows: &[Row]) -> Batch {
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    let times: Vec<i64> = rows.iter().map(|row| row.0 * S).collect();
    let keys: Vec<u32> = rows.iter().map(|row| row.1).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.2).collect();
    batch(&times, &keys, vec![Column::of_f64s(config["column"].as_str().unwrap(), &values)])
}

/// Rows are (seconds, key, value); gives (key, level, seconds), and must give the same however the rows are cut and instances replaced.
fn check(config: &str, all: &[Row], wanted: &[(u32, Severity, i64)]) {
    for (cut, replace) in [(all.len(), false), (1, false), (1, true), (2, true)] {
        let mut bench = RuleBench::<Threshold>::open(config).unwrap();
        let mut seen = Vec::new();
        for part in all.chunks(cut) {
            if replace {
                bench.reopen(config).unwrap();
            }
            let signals = bench.evaluate(rows(config, part)).unwrap();
            seen.extend(signals.iter().map(|signal| (signal.key, signal.level, signal.time / S)));
        }
        assert_eq!(seen, wanted, "cut {cut}, replaced {replace}");
    }
}

#[test]
fn signals_at_first_sight_and_on_change_of_level() {
    let rows = [
        (1, 0, 100.0),
        (2, 0, 150.0),
        (3, 0, 250.0),
        (4, 0, 200.0),
        (5, 0, 900.0),
        (6, 0, 501.0),
        (7, 1, 600.0),
    ];
    let wanted = [(0, Ok, 1), (0, Warning, 3), (0, Ok, 4), (0, Critical, 5), (1, Critical, 7)];
    check(ABOVE, &rows, &wanted);
}

#[test]
fn a_level_ends_at_its_own_bound() {
    let config =
        r#"{"column": "x", "warning": 90, "warning_clear": 80, "critical": 95, "critical_clear": 92}"#;
    let rows = [
        (1, 0, 85.0),
        (2, 0, 91.0),
        (3, 0, 85.0),
        (4, 0, 96.0),
        (5, 0, 93.0),
        (6, 0, 92.0),
        (7, 0, 81.0),
        (8, 0, 80.0),
        (9, 0, 85.0),
    ];
    let wanted = [(0, Ok, 1), (0, Warning, 2), (0, Critical, 4), (0, Warning, 6), (0, Ok, 8)];
    check(config, &rows, &wanted);
}

#[test]
fn below_turns_the_limits_round() {
    let config =
        r#"{"column": "free", "warning": 20, "warning_clear": 25, "critical": 5, "direction": "below"}"#;
    let rows = [(1, 0, 20.0), (2, 0, 19.0), (3, 0, 5.0), (4, 0, 4.9), (5, 0, 24.0), (6, 0, 25.0)];
    check(
        config,
        &rows,
        &[(0, Ok, 1), (0, Warning, 2), (0, Warning, 3), (0, Critical, 4), (0, Warning, 5), (0, Ok, 6)],
    );
}

#[test]
fn one_limit_is_enough() {
    check(r#"{"column": "x", "critical": 5}"#, &[(1, 0, 5.0), (2, 0, 6.0)], &[(0, Ok, 1), (0, Critical, 2)]);
}

#[test]
fn late_rows_and_missing_values_change_nothing() {
    let rows = [(5, 0, 100.0), (4, 0, 900.0), (6, 0, f64::NAN), (7, 0, f64::INFINITY)];
    check(ABOVE, &rows, &[(0, Ok, 5), (0, Critical, 7)]);
}

#[test]
fn a_value_that_gets_a_tenth_worse_is_said_again() {
    let rows = [(1, 0, 600.0), (2, 0, 605.0), (3, 0, 612.0), (4, 0, 550.0), (5, 0, 700.0), (6, 0, 702.0)];
    check(ABOVE, &rows, &[(0, Critical, 1), (0, Critical, 3), (0, Critical, 5)]);
}

#[test]
fn a_level_is_repeated_before_it_goes_stale() {
    let config = ABOVE.replace("\"column\"", "\"stale_after\": \"10s\", \"column\"");
    let rows: Vec<_> = (0..12).map(|s| (s, 0, 1.0)).collect();
    check(&config, &rows, &[(0, Ok, 0), (0, Ok, 5), (0, Ok, 10)]);
}

#[test]
fn a_forgotten_key_signals_anew() {
    let mut bench = RuleBench::<Threshold>::open(ABOVE).unwrap();
    assert_eq!(bench.evaluate(rows(ABOVE, &[(1, 3, 1.0)])).unwrap().len(), 1);
    assert_eq!(bench.evaluate(rows(ABOVE, &[(2, 3, 1.0)])).unwrap().len(), 0);
    bench.context.forgotten = 3u32.to_le_bytes().to_vec();
    weir_sdk::testing::host(|host| host.entries.clear());
    assert_eq!(bench.evaluate(rows(ABOVE, &[(3, 3, 1.0)])).unwrap().len(), 1);
}

#[test]
fn a_stream_without_the_column_is_not_judged() {
    let mut bench = RuleBench::<Threshold>::open(ABOVE).unwrap();
    assert_eq!(bench.evaluate(batch(&[1], &[0], vec![])).unwrap().len(), 0);
}

#[test]
fn the_summary_has_numbers_and_unit() {
    let summary = |value: f64, config: &str, measure: &str| {
        let mut bench = RuleBench::<Threshold>::open_with(config, &[("weir.unit.mean_ms", measure)]).unwrap();
        bench.evaluate(rows(config, &[(1, 0, value)])).unwrap().remove(0).summary
    };
    assert_eq!(summary(612.4, ABOVE, "ms"), "mean_ms 612 ms, over 500 ms");
    assert_eq!(summary(300.0, ABOVE, "ms"), "mean_ms 300 ms, over 200 ms");
    assert_eq!(summary(12.0, ABOVE, ""), "mean_ms 12, not over 200");
    let below = r#"{"column": "free", "warning": 20, "direction": "below", "measure": "%"}"#;
    assert_eq!(summary(3.25, below, "ms"), "free 3.25 %, under 20 %");
}

#[test]
fn the_end_names_the_bound_that_ended_it() {
    let config = r#"{"column": "ms", "warning": 500, "warning_clear": 300}"#;
    let mut bench = RuleBench::<Threshold>::open(config).unwrap();
    let signals = bench.evaluate(rows(config, &[(1, 0, 200.0), (2, 0, 600.0), (3, 0, 250.0)])).unwrap();
    let said: Vec<&str> = signals.iter().map(|signal| signal.summary.as_str()).collect();
    assert_eq!(
        said,
        ["ms 200, not over 500", "ms 600, over 500", "ms 250, not over 300, where warning ends"]
    );
}

#[test]
fn complaints_name_place_and_mend() {
    let paths =
        |json: &str| plan::<Threshold>(json).unwrap_err().into_iter().map(|one| one.path).collect::<Vec<_>>();
    assert_eq!(paths(r#"{"column": "x"}"#), ["/warning"]);
    assert_eq!(paths(r#"{"column": "x", "warning": 5, "critical": 4}"#), ["/critical"]);
    assert_eq!(paths(r#"{"column": "x", "warning": 5, "warning_clear": 6}"#), ["/warning_clear"]);
    assert_eq!(paths(r#"{"column": "x", "warning": 5, "critical_clear": 6}"#), ["/critical_clear"]);
    assert_eq!(
        paths(r#"{"column": "time", "warning": 5, "stale_after": "soon"}"#),
        ["/column", "/stale_after"]
    );
}

#[test]
fn the_schema_is_json_and_the_plan_names_key_and_table() {
    assert!(serde_json::from_str::<serde_json::Value>(crate::config::SCHEMA).is_ok());
    let plan = plan::<Threshold>(ABOVE).unwrap();
    assert_eq!((plan.keys[0].as_str(), plan.tables[0].size), ("host", Some(17)));
}
