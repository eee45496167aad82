//! Events and watermarks in, signals out.

use weir_sdk::rule::Severity::{self, Critical, Ok, Unknown, Warning};
use weir_sdk::testing::batch;
use weir_sdk::testing::rules::{RuleBench, plan};

use crate::Absent;

const S: i64 = 1_000_000_000;
const BOTH: &str = r#"{"warning": "30s", "critical": "5m", "keys": ["host"], "forget": "1h"}"#;

/// An event of a key at a second, or the watermark at a second.
enum Step {
    Event(i64, u32),
    Mark(i64),
}
use Step::{Event, Mark};

fn check(config: &str, steps: &[Step], wanted: &[(u32, Severity, i64)]) {
    for replace in [false, true] {
        let mut bench = RuleBench::<Absent>::open(config).unwrap();
        let mut seen = Vec::new();
        for step in steps {
            if replace {
                bench.reopen(config).unwrap();
            }
            let signals = match step {
                Event(second, key) => bench.evaluate(batch(&[second * S], &[*key], vec![])),
                Mark(second) => bench.advance(second * S),
            };
            seen.extend(signals.unwrap().iter().map(|signal| (signal.key, signal.level, signal.time / S)));
        }
        assert_eq!(seen, wanted, "replaced {replace}");
    }
}

#[test]
fn a_silent_key_gets_worse_and_comes_back() {
    let steps =
        [Event(0, 0), Event(10, 0), Mark(39), Mark(40), Mark(310), Event(400, 0), Mark(429), Mark(430)];
    let wanted = [(0, Ok, 0), (0, Warning, 40), (0, Critical, 310), (0, Ok, 400), (0, Warning, 430)];
    check(BOTH, &steps, &wanted);
}

#[test]
fn one_key_is_missed_and_the_other_is_not() {
    let steps = [Event(0, 0), Event(0, 1), Event(20, 1), Mark(35), Event(40, 1), Mark(60)];
    check(BOTH, &steps, &[(0, Ok, 0), (1, Ok, 0), (0, Warning, 30)]);
}

#[test]
fn a_long_silence_is_seen_at_once() {
    check(BOTH, &[Event(0, 0), Mark(400)], &[(0, Ok, 0), (0, Critical, 300)]);
}

#[test]
fn a_key_is_given_up_and_seen_anew() {
    let steps = [Event(0, 0), Mark(400), Mark(3_600), Mark(9_000), Event(9_001, 0), Mark(9_031)];
    let wanted = [(0, Ok, 0), (0, Critical, 300), (0, Unknown, 3_600), (0, Ok, 9_001), (0, Warning, 9_031)];
    check(BOTH, &steps, &wanted);
}

#[test]
fn a_late_event_is_no_sign_of_life() {
    let steps = [Event(100, 0), Mark(130), Event(90, 0), Mark(140)];
    check(BOTH, &steps, &[(0, Ok, 100), (0, Warning, 130)]);
}

#[test]
fn critical_alone_and_never_given_up() {
    let config = r#"{"critical": "1m", "forget": "0s"}"#;
    let steps = [Event(0, 0), Mark(60), Mark(1_000_000), Event(1_000_001, 0), Mark(1_000_061)];
    check(config, &steps, &[(0, Ok, 0), (0, Critical, 60), (0, Ok, 1_000_001), (0, Critical, 1_000_061)]);
}

#[test]
fn the_summary_says_how_long() {
    let mut bench = RuleBench::<Absent>::open(BOTH).unwrap();
    bench.evaluate(batch(&[0], &[0], vec![])).unwrap();
    let silent = bench.advance(31 * S).unwrap().remove(0);
    assert_eq!((silent.summary.as_str(), silent.value), ("silent for 30 s", 30.0));
    let back = bench.evaluate(batch(&[95 * S], &[0], vec![])).unwrap().remove(0);
    assert_eq!(back.summary, "back after a silence of 1 min 35 s");
}

#[test]
fn complaints_name_place_and_mend() {
    let paths =
        |json: &str| plan::<Absent>(json).unwrap_err().into_iter().map(|one| one.path).collect::<Vec<_>>();
    assert_eq!(paths("{}"), ["/warning"]);
    assert_eq!(paths(r#"{"warning": "5m", "critical": "5m"}"#), ["/critical"]);
    assert_eq!(paths(r#"{"warning": "0s"}"#), ["/warning"]);
    assert_eq!(paths(r#"{"warning": "soon", "forget": "later"}"#), ["/warning", "/forget"]);
    assert_eq!(paths(r#"{"warning": "2d"}"#), ["/forget"]);
}

#[test]
fn the_schema_is_json_and_the_condition_is_the_selector() {
    assert!(serde_json::from_str::<serde_json::Value>(crate::config::SCHEMA).is_ok());
    let plan = plan::<Absent>(r#"{"warning": "5s", "only": "event = 'beat'"}"#).unwrap();
    assert_eq!(plan.selector.as_deref(), Some("event = 'beat'"));
}
