//! Values in, signals out. The random values come from a generator with a fixed start, so that every run sees the same.

use weir_sdk::rule::Severity::{self, Critical, Ok, Warning};
use weir_sdk::testing::batch;
use weir_sdk::testing::rules::{RuleBench, plan};
use weir_sdk::{Column, ColumnExt};

use crate::Change;

const S: i64 = 1_000_000_000;

/// xorshift64*, and the sum of twelve for about a normal distribution.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * ((0..12).map(|_| self.uniform()).sum::<f64>() - 6.0)
    }
}

/// Level and number of the value at which it was said.
fn said(config: &str, values: &[f64], cut: usize, replace: bool) -> Vec<(Severity, i64)> {
    let mut bench = RuleBench::<Change>::open(config).unwrap();
    let mut out = Vec::new();
    for (part, values) in values.chunks(cut).enumerate() {
        if replace {
            bench.reopen(config).unwrap();
        }
        let times: Vec<i64> = (0..values.len()).map(|row| (part * cut + row) as i64 * S).collect();
        let signals = bench.evaluate(batch(&times, &[], vec![Column::of_f64s("x", values)])).unwrap();
        out.extend(signals.iter().map(|signal| (signal.level, signal.time / S)));
    }
    out
}

fn levels(config: &str, values: &[f64]) -> Vec<Severity> {
    said(config, values, values.len(), false).into_iter().map(|(level, _)| level).collect()
}

fn noise(seed: u64, parts: &[(usize, f64, f64)]) -> Vec<f64> {
    let mut random = Random(seed);
    parts
        .iter()
        .flat_map(|(count, mean, deviation)| {
            (0..*count).map(|_| random.normal(*mean, *deviation)).collect::<Vec<_>>()
        })
        .collect()
}

const PLAIN: &str = r#"{"column": "x", "critical": 20}"#;

#[test]
fn a_shift_is_found_and_its_end_too() {
    let values = noise(1, &[(200, 100.0, 5.0), (60, 120.0, 5.0), (200, 100.0, 5.0)]);
    let seen = said(PLAIN, &values, values.len(), false);
    assert_eq!(
        seen.iter().map(|(level, _)| *level).collect::<Vec<_>>(),
        [Ok, Warning, Critical, Warning, Ok]
    );
    let at: Vec<i64> = seen.iter().map(|(_, at)| *at).collect();
    assert_eq!(at[0], 59, "learned from 60 values");
    assert!((202..=206).contains(&at[1]), "a shift by four deviations is found within a few values: {at:?}");
    assert!((261..=310).contains(&at[4]), "{at:?}");
}

#[test]
fn however_it_is_cut_it_says_the_same() {
    let values = noise(2, &[(150, 10.0, 1.0), (100, 13.0, 1.0), (100, 7.0, 1.0)]);
    let whole = said(PLAIN, &values, values.len(), false);
    assert!(whole.len() >= 3, "{whole:?}");
    for (cut, replace) in [(1, true), (7, false), (64, true)] {
        assert_eq!(said(PLAIN, &values, cut, replace), whole);
    }
}

#[test]
fn a_single_value_is_no_change() {
    let mut values = noise(3, &[(300, 100.0, 5.0)]);
    values[200] = 1e9;
    assert_eq!(levels(PLAIN, &values), [Ok]);
}

#[test]
fn chance_alone_is_seldom_a_change() {
    let wrong = (1..=20).map(|seed| {
        let values = noise(seed * 7_919, &[(2_000, 50.0, 3.0)]);
        levels(PLAIN, &values).iter().filter(|level| **level == Warning).count()
    });
    let wrong: usize = wrong.sum();
    // 40,000 values; about one in ten thousand is expected, three times as many are let pass.
    assert!(wrong <= 12, "{wrong} wrong of 40,000");
}

#[test]
fn the_direction_counts() {
    let up = noise(4, &[(100, 100.0, 5.0), (50, 130.0, 5.0)]);
    let down = noise(4, &[(100, 100.0, 5.0), (50, 70.0, 5.0)]);
    let only = |direction: &str| format!(r#"{{"column": "x", "direction": "{direction}"}}"#);
    assert_eq!(levels(&only("up"), &up), [Ok, Warning]);
    assert_eq!(levels(&only("up"), &down), [Ok]);
    assert_eq!(levels(&only("down"), &down), [Ok, Warning]);
    assert_eq!(levels(&only("down"), &up), [Ok]);
}

#[test]
fn a_new_level_becomes_the_normal_one() {
    let config = r#"{"column": "x", "adopt": 100}"#;
    let values = noise(5, &[(100, 100.0, 5.0), (400, 150.0, 5.0)]);
    assert_eq!(levels(config, &values), [Ok, Warning, Ok]);
    let never = r#"{"column": "x", "adopt": 0}"#;
    assert_eq!(levels(never, &values), [Ok, Warning]);
}

#[test]
fn constant_values_may_have_a_least_deviation() {
    let mut values = vec![10.0; 100];
    values.extend([11.0; 20]);
    assert_eq!(levels(r#"{"column": "x"}"#, &values), [Ok, Warning]);
    assert_eq!(levels(r#"{"column": "x", "least": 5}"#, &values), [Ok]);
}

#[test]
fn the_summary_says_from_what_to_what() {
    let mut bench =
        RuleBench::<Change>::open_with(r#"{"column": "x", "least": 1}"#, &[("weir.unit.x", "ms")]).unwrap();
    let mut values = vec![10.0; 60];
    values.extend([20.0; 4]);
    let times: Vec<i64> = (0..64).map(|s| s * S).collect();
    let signals = bench.evaluate(batch(&times, &[], vec![Column::of_f64s("x", &values)])).unwrap();
    let texts: Vec<&str> = signals.iter().map(|signal| signal.summary.as_str()).collect();
    assert_eq!(texts, ["x is usually at 10 ms", "x 20 ms, shifted up from 10.1 ms (usually ± 1 ms)"]);
}

#[test]
fn values_without_a_number_and_old_ones_are_passed_over() {
    let mut bench = RuleBench::<Change>::open(r#"{"column": "x", "learn": 8}"#).unwrap();
    let values = [1.0, f64::NAN, 1.0, f64::INFINITY, 1.0];
    assert!(
        bench.evaluate(batch(&[1, 2, 3, 4, 5], &[], vec![Column::of_f64s("x", &values)])).unwrap().is_empty()
    );
    assert!(bench.evaluate(batch(&[0; 20], &[], vec![Column::of_f64s("x", &[9.0; 20])])).unwrap().is_empty());
}

#[test]
fn complaints_name_place_and_mend() {
    let paths =
        |json: &str| plan::<Change>(json).unwrap_err().into_iter().map(|one| one.path).collect::<Vec<_>>();
    assert_eq!(paths(r#"{"column": "time"}"#), ["/column"]);
    assert_eq!(paths(r#"{"column": "x", "warning": 9, "critical": 9}"#), ["/critical"]);
    assert!(serde_json::from_str::<serde_json::Value>(crate::config::SCHEMA).is_ok());
}
