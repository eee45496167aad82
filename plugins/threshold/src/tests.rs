//! Rows in, signals out: the tests are data.

use std::collections::BTreeMap;

use crate::config::{Config, describe};
use crate::levels::{Host, Level, Levels, Refusal, Rows, VALUE_BYTES};

#[derive(Default)]
struct Memory(BTreeMap<u32, Vec<u8>>);

impl Host for Memory {
    fn read(&mut self, keys: &[u8]) -> Vec<u8> {
        let keys = keys.as_chunks::<4>().0.iter().map(|key| u32::from_le_bytes(*key));
        keys.flat_map(|key| self.0.get(&key).cloned().unwrap_or(vec![0; VALUE_BYTES])).collect()
    }

    fn write(&mut self, keys: &[u8], values: &[u8]) -> Result<(), Refusal> {
        for (key, value) in keys.as_chunks::<4>().0.iter().zip(values.chunks_exact(VALUE_BYTES)) {
            self.0.insert(u32::from_le_bytes(*key), value.to_vec());
        }
        Ok(())
    }
}

const ABOVE: &str = r#"{"column": "mean_ms", "warning": 200, "critical": 500, "keys": ["host"]}"#;

/// Rows are (seconds, key, value); gives (key, level, seconds). With `cut` 0 in one batch; `replace`: a new instance for each batch.
fn signals(config: &str, rows: &[(i64, u32, f64)], cut: usize, replace: bool) -> Vec<(u32, Level, i64)> {
    let config = Config::parse(config).unwrap();
    let mut levels = Levels::new(config.clone(), "ms");
    let mut host = Memory::default();
    let mut out = Vec::new();
    for rows in rows.chunks(if cut == 0 { rows.len() } else { cut }) {
        if replace {
            levels = Levels::new(config.clone(), "ms");
        }
        let time: Vec<u8> = rows.iter().flat_map(|row| (row.0 * 1_000_000_000).to_le_bytes()).collect();
        let keys: Vec<u8> = rows.iter().flat_map(|row| row.1.to_le_bytes()).collect();
        let values: Vec<u8> = rows.iter().flat_map(|row| row.2.to_le_bytes()).collect();
        let rows = Rows { time: &time, keys: &keys, values: &values, valid: None };
        let signals = levels.judge(&[], &rows, &mut host).unwrap();
        out.extend(
            signals.into_iter().map(|signal| (signal.key, signal.level, signal.time_ns / 1_000_000_000)),
        );
    }
    out
}

fn check(config: &str, rows: &[(i64, u32, f64)], wanted: &[(u32, Level, i64)]) {
    for cut in [0, 1, 2] {
        for replace in [false, true] {
            assert_eq!(signals(config, rows, cut, replace), wanted, "cut {cut}, replaced {replace}");
        }
    }
}

#[test]
fn signals_at_first_sight_and_on_change_of_level_only() {
    let rows = [
        (1, 0, 100.0),
        (2, 0, 150.0),
        (3, 0, 250.0),
        (4, 0, 200.0),
        (5, 0, 900.0),
        (6, 0, 501.0),
        (7, 1, 600.0),
    ];
    let wanted = [
        (0, Level::Ok, 1),
        (0, Level::Warning, 3),
        (0, Level::Ok, 4),
        (0, Level::Critical, 5),
        (1, Level::Critical, 7),
    ];
    check(ABOVE, &rows, &wanted);
}

#[test]
fn below_turns_the_limits_round() {
    let config = r#"{"column": "free", "warning": 20, "critical": 5, "direction": "below"}"#;
    let rows = [(1, 0, 20.0), (2, 0, 19.0), (3, 0, 5.0), (4, 0, 4.9)];
    check(config, &rows, &[(0, Level::Ok, 1), (0, Level::Warning, 2), (0, Level::Critical, 4)]);
}

#[test]
fn one_limit_is_enough() {
    check(
        r#"{"column": "x", "critical": 5}"#,
        &[(1, 0, 5.0), (2, 0, 6.0)],
        &[(0, Level::Ok, 1), (0, Level::Critical, 2)],
    );
}

#[test]
fn late_rows_and_missing_values_change_nothing() {
    let rows = [(5, 0, 100.0), (4, 0, 900.0), (6, 0, f64::NAN), (7, 0, f64::INFINITY)];
    check(ABOVE, &rows, &[(0, Level::Ok, 5), (0, Level::Critical, 7)]);
}

#[test]
fn a_level_is_repeated_before_it_goes_stale() {
    let config = ABOVE.replace("\"column\"", "\"stale_after\": \"10s\", \"column\"");
    let rows: Vec<_> = (0..12).map(|s| (s, 0, 1.0)).collect();
    check(&config, &rows, &[(0, Level::Ok, 0), (0, Level::Ok, 5), (0, Level::Ok, 10)]);
}

#[test]
fn a_forgotten_key_signals_anew() {
    let mut levels = Levels::new(Config::parse(ABOVE).unwrap(), "");
    let (time, keys, values) = (1i64.to_le_bytes(), 3u32.to_le_bytes(), 1f64.to_le_bytes());
    let rows = Rows { time: &time, keys: &keys, values: &values, valid: None };
    assert_eq!(levels.judge(&[], &rows, &mut Memory::default()).unwrap().len(), 1);
    assert_eq!(levels.judge(&keys, &rows, &mut Memory::default()).unwrap().len(), 1);
}

#[test]
fn the_summary_has_numbers_and_unit() {
    let summary = |value: f64, config: &str, measure: &str| {
        let mut levels = Levels::new(Config::parse(config).unwrap(), measure);
        let (time, values) = (1i64.to_le_bytes(), value.to_le_bytes());
        let rows = Rows { time: &time, keys: &[], values: &values, valid: Some(&[1]) };
        levels.judge(&[], &rows, &mut Memory::default()).unwrap().remove(0).summary
    };
    assert_eq!(summary(612.4, ABOVE, "ms"), "mean_ms 612 ms, over 500 ms");
    assert_eq!(summary(300.0, ABOVE, "ms"), "mean_ms 300 ms, over 200 ms");
    assert_eq!(summary(12.0, ABOVE, ""), "mean_ms 12, not over 200");
    let below = r#"{"column": "free", "warning": 20, "direction": "below", "measure": "%"}"#;
    assert_eq!(summary(3.25, below, "ms"), "free 3.25 %, under 20 %");
}

#[test]
fn complaints_name_place_and_mend() {
    let paths = |json: &str| {
        Config::parse(json).unwrap_err().into_iter().map(|complaint| complaint.path).collect::<Vec<_>>()
    };
    assert_eq!(paths(r#"{"column": "x"}"#), ["/warning"]);
    assert_eq!(paths(r#"{"column": "x", "warning": 5, "critical": 4}"#), ["/critical"]);
    assert_eq!(
        paths(r#"{"column": "time", "warning": 5, "stale_after": "soon"}"#),
        ["/column", "/stale_after"]
    );
}

#[test]
fn description_and_plan_are_json() {
    let description: serde_json::Value = serde_json::from_str(&describe()).unwrap();
    assert_eq!(description["kind"], "rule");
    let plan: serde_json::Value = serde_json::from_str(&Config::parse(ABOVE).unwrap().plan()).unwrap();
    assert_eq!(plan["tables"][0]["size"], 9);
    assert_eq!(plan["keys"][0], "host");
}
