//! Differences over a host in memory.

use weir_sdk::testing::{Bench, batch, refuse_writes};
use weir_sdk::{Batch, Column, ColumnExt, Output};

use crate::Delta;

const COUNTER: &str = r#"{"of": ["total"], "keys": ["host"]}"#;

/// Rows of (ms, key, value); NaN is no value.
fn input(rows: &[(i64, u32, f64)]) -> Batch {
    let times: Vec<i64> = rows.iter().map(|row| row.0 * 1_000_000).collect();
    let keys: Vec<u32> = rows.iter().map(|row| row.1).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.2).collect();
    let valid = values.iter().map(|value| u8::from(!value.is_nan())).collect();
    batch(&times, &keys, vec![Column { valid: Some(valid), ..Column::of_f64s("total", &values) }])
}

/// "delta rate" of each row, - where there is none.
fn set(outputs: &[Output]) -> Vec<String> {
    let Some(Output::Forward(forward)) = outputs.first() else { panic!("nothing went on") };
    let column = |name: &str| forward.set.iter().find(|column| column.name == name).unwrap();
    let shown = |column: &Column, row: usize| {
        let weir_sdk::Values::F64s(bytes) = &column.values else { panic!("no doubles") };
        let value = weir_sdk::column::F64s::new(bytes).get(row);
        if column.is_there(row) { value.to_string() } else { "-".to_owned() }
    };
    let (delta, rate) = (column("total_delta"), column("total_per_s"));
    let weir_sdk::Values::F64s(bytes) = &delta.values else { panic!("no doubles") };
    (0..bytes.len() / 8).map(|row| format!("{} {}", shown(delta, row), shown(rate, row))).collect()
}

fn run(config: &str, rows: &[(i64, u32, f64)]) -> Vec<String> {
    set(&Bench::<Delta>::open(config).unwrap().process(input(rows)).unwrap())
}

#[test]
fn differences_and_rates_are_to_the_keys_value_before() {
    let rows =
        [(0, 0, 10.0), (0, 1, 100.0), (500, 0, 30.0), (2_000, 1, 100.0), (1_500, 0, 5.0), (1_500, 0, 7.0)];
    assert_eq!(run(COUNTER, &rows), ["- -", "- -", "20 40", "0 0", "5 5", "2 -"]);
    let gauge = r#"{"of": ["total"], "counter": false, "keys": ["host"]}"#;
    assert_eq!(run(gauge, &rows)[4], "-25 -25");
}

#[test]
fn what_is_missing_or_out_of_order_changes_nothing() {
    let rows = [
        (0, 0, 1.0),
        (1_000, 0, f64::NAN),
        (500, 0, f64::INFINITY),
        (2_000, 0, 3.0),
        (1_000, 0, 9.0),
        (3_000, 0, 4.0),
    ];
    assert_eq!(run(COUNTER, &rows), ["- -", "- -", "- -", "2 1", "- -", "1 1"]);
    let nothing = batch(&[1, 2], &[0, 0], Vec::new());
    assert_eq!(set(&Bench::<Delta>::open(COUNTER).unwrap().process(nothing).unwrap()), ["- -", "- -"]);
}

#[test]
fn after_too_long_a_pause_a_key_begins_anew_and_is_forgotten() {
    let config = r#"{"of": ["total"], "keys": ["host"], "max_gap": "1s"}"#;
    assert_eq!(run(config, &[(0, 0, 1.0), (1_000, 0, 2.0), (2_001, 0, 5.0)]), ["- -", "1 1", "- -"]);
    let mut bench = Bench::<Delta>::open(config).unwrap();
    bench.process(input(&[(0, 0, 1.0), (900, 1, 1.0)])).unwrap();
    bench.advance(1_500_000_000).unwrap();
    weir_sdk::testing::host(|host| assert_eq!(host.entries.len(), 1));
}

#[test]
fn rows_give_the_same_however_they_are_cut() {
    let rows: Vec<_> = (0..400_i64).map(|n| (n * 10, (n * 7 % 5) as u32, (n * n % 97) as f64)).collect();
    let whole = run(COUNTER, &rows);
    for cut in [1, 7, 128] {
        let mut bench = Bench::<Delta>::open(COUNTER).unwrap();
        let mut all = Vec::new();
        for part in rows.chunks(cut) {
            all.extend(set(&bench.process(input(part)).unwrap()));
            bench.reopen(COUNTER).unwrap();
        }
        assert_eq!(all, whole, "cut {cut}");
    }
}

#[test]
fn rows_of_keys_without_room_are_rejected_and_the_others_go_on() {
    let mut bench = Bench::<Delta>::open(COUNTER).unwrap();
    refuse_writes(true);
    let outputs = bench.process(input(&[(0, 0, 1.0)]));
    refuse_writes(false);
    assert!(matches!(&outputs.unwrap()[..], [Output::Reject(reject)] if reject.code == "quota"));
    assert_eq!(set(&bench.process(input(&[(1, 0, 1.0)])).unwrap()), ["- -"]);
}

#[test]
fn complaints_name_their_place() {
    let paths = |config: &str| match weir_sdk::testing::plan::<Delta>(config) {
        Ok(_) => Vec::new(),
        Err(complaints) => complaints.into_iter().map(|complaint| complaint.path).collect::<Vec<_>>(),
    };
    assert_eq!(
        paths(r#"{"of": ["time", "k"], "keys": ["k"], "max_gap": "long"}"#),
        ["/of/0", "/of/1", "/max_gap"]
    );
    assert_eq!(paths(r#"{"of": []}"#), ["/of"]);
    let schema: serde_json::Value = serde_json::from_str(crate::config::SCHEMA).unwrap();
    for example in schema["examples"].as_array().unwrap() {
        assert!(paths(&example.to_string()).is_empty());
    }
}
