//! Cases as folders: `weir.toml`, `in.ndjson`, and `out.json` with the points of each metric that must come out.
//!
//! `UPDATE_CASES=1` writes `out.json` anew from what came; a person reads the difference.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use weir_tests::host::{Point, TestHost};

/// Files that configurations of cases name.
const TABLES: [&str; 2] = ["hosts.csv", "teams.ndjson"];

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(name);
    let read = |file: &str| {
        std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{name}/{file}: {error}"))
    };
    let home = tempfile::tempdir().unwrap();
    for table in TABLES {
        if folder.join(table).is_file() {
            std::fs::copy(folder.join(table), home.path().join(table)).unwrap();
        }
    }
    let host = TestHost::start_in(&read("weir.toml"), home).unwrap();
    host.send(&read("in.ndjson")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&read("out.json")).unwrap();
    let mut seen = BTreeMap::new();
    let update = std::env::var_os("UPDATE_CASES").is_some_and(|value| !value.is_empty());
    for (metric, wanted) in &expected {
        let rows = wanted.as_array().map_or(0, Vec::len);
        let enough = |points: &[Point]| points.len() >= rows.max(1);
        let points = host.wait_points(metric, enough).unwrap();
        seen.insert(metric.clone(), Value::from(points.iter().map(shown).collect::<Vec<_>>()));
    }
    if update {
        std::fs::write(folder.join("out.json"), format!("{:#}\n", json!(seen))).unwrap();
        return;
    }
    assert_eq!(json!(seen), json!(expected), "{name}: got\n{:#}", json!(seen));
}

fn shown(point: &Point) -> Value {
    let map = |pairs: &[(String, String)]| {
        pairs.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<serde_json::Map<_, _>>()
    };
    let values: serde_json::Map<_, _> = point.values.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    json!({ "labels": map(&point.labels), "second": point.time_unix_ns / 1_000_000_000, "values": values })
}

#[test]
fn filter_transform_rollup_and_late_rows() {
    check("filter-transform-rollup");
}

#[test]
fn derived_streams_feed_other_pipelines() {
    check("derived-stream");
}

#[test]
fn nested_and_mixed_fields() {
    check("nested-and-mixed");
}

#[test]
fn rows_are_split_by_value_and_by_condition() {
    check("split");
}

#[test]
fn rows_are_held_back_and_go_together() {
    check("buffer");
}

/// The expected rows are of an independent computation of the hash and of algorithm R.
#[test]
fn samples_choose_the_rows_that_they_must() {
    check("sample");
}

#[test]
fn repetitions_are_held_back_for_their_time() {
    check("dedup");
}

#[test]
fn texts_are_taken_apart() {
    check("parse");
}

#[test]
fn percentiles_sliding_windows_and_sessions() {
    check("rollup-shapes");
}

#[test]
fn running_results_rankings_and_differences() {
    check("aggregate-topk-delta");
}

#[test]
fn rows_choose_the_type_of_the_stream_that_they_go_to() {
    check("rebroadcast");
}

#[test]
fn a_file_is_a_table() {
    check("enrich");
}
