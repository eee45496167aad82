//! The buffer over a host in memory.

use std::collections::BTreeMap;

use weir_sdk::testing::{Bench, batch, f64s, host, kept, plan, refuse_writes};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Output};

use super::{Buffer, LATE};

const S: i64 = 1_000_000_000;

/// Rows (second, key) with their number as the column `n`.
fn rows(from: usize, rows: &[(i64, u32)]) -> Batch {
    let times: Vec<i64> = rows.iter().map(|row| row.0 * S).collect();
    let keys: Vec<u32> = rows.iter().map(|row| row.1).collect();
    let numbers: Vec<i64> = (from..from + rows.len()).map(|number| number as i64).collect();
    let names = numbers.iter().map(|number| format!("r{number}"));
    batch(&times, &keys, vec![Column::of_s64s("n", &numbers), Column::of_categories("name", names)])
}

/// (second, key, n) of what is emitted.
fn emitted(outputs: &[Output]) -> Vec<(i64, u32, f64)> {
    let batches = outputs.iter().filter_map(|output| match output {
        Output::Emit(emit) => Some(&emit.batch),
        _ => None,
    });
    batches
        .flat_map(|batch| {
            let numbers = f64s(batch, "n");
            let keys = batch.key_numbers().to_vec();
            let times = batch.times().to_vec();
            (0..times.len())
                .map(|row| (times[row] / S, keys.get(row).copied().unwrap_or(99), numbers[row]))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_full_buffer_goes_and_is_empty_again() {
    let mut bench = Bench::<Buffer>::open(r#"{"keys": ["host"], "capacity": 3}"#).unwrap();
    let outputs = bench.process(rows(0, &[(1, 0), (2, 1), (3, 0)])).unwrap();
    assert!(outputs.is_empty());
    let outputs = bench.process(rows(3, &[(4, 0), (5, 0), (6, 1)])).unwrap();
    assert_eq!(emitted(&outputs), [(1, 0, 0.0), (3, 0, 2.0), (4, 0, 3.0)]);
    let outputs = bench.process(rows(6, &[(7, 1)])).unwrap();
    assert_eq!(emitted(&outputs), [(2, 1, 1.0), (6, 1, 5.0), (7, 1, 6.0)]);
    let outputs = bench.process(rows(7, &[(8, 0), (9, 0)])).unwrap();
    assert_eq!(emitted(&outputs), [(5, 0, 4.0), (8, 0, 7.0), (9, 0, 8.0)]);
    assert!(host(|host| host.entries.is_empty()), "nothing stays behind");
}

#[test]
fn one_batch_may_fill_a_buffer_several_times() {
    let mut bench = Bench::<Buffer>::open(r#"{"capacity": 2}"#).unwrap();
    let unkeyed = |from, list: &[i64]| {
        let mut batch = rows(from, &list.iter().map(|second| (*second, 0)).collect::<Vec<_>>());
        batch.keys.clear();
        batch
    };
    let outputs = bench.process(unkeyed(0, &[1, 2, 3, 4, 5])).unwrap();
    let numbers: Vec<f64> = emitted(&outputs).iter().map(|row| row.2).collect();
    assert_eq!(numbers, [0.0, 1.0, 2.0, 3.0]);
    let outputs = bench.process(unkeyed(5, &[6])).unwrap();
    assert_eq!(emitted(&outputs), [(5, 99, 4.0), (6, 99, 5.0)]);
}

#[test]
fn what_a_window_holds_goes_when_it_is_over() {
    let mut bench = Bench::<Buffer>::open(r#"{"keys": ["host"], "capacity": 3, "every": "10s"}"#).unwrap();
    bench.process(rows(0, &[(1, 0), (2, 1), (11, 0)])).unwrap();
    assert!(emitted(&bench.advance(9 * S).unwrap()).is_empty());
    assert_eq!(emitted(&bench.advance(10 * S).unwrap()), [(1, 0, 0.0), (2, 1, 1.0)]);
    let outputs = bench.process(rows(3, &[(9, 0), (12, 0), (13, 0), (14, 0)])).unwrap();
    assert_eq!(kept(&outputs, LATE, 4).unwrap(), [0]);
    assert_eq!(emitted(&outputs), [(11, 0, 2.0), (12, 0, 4.0), (13, 0, 5.0)]);
    assert_eq!(emitted(&bench.advance(20 * S).unwrap()), [(14, 0, 6.0)]);
    assert!(host(|host| host.entries.is_empty()), "nothing stays behind");
}

#[test]
fn more_than_one_call_can_let_go_is_asked_for_again() {
    let mut bench =
        Bench::<Buffer>::open(r#"{"keys": ["host"], "capacity": 10000, "every": "10s"}"#).unwrap();
    for key in 0..6 {
        bench.process(rows(0, &vec![(1, key); 9_000])).unwrap();
    }
    bench.context.watermark = 10 * S;
    let due = host(|host| host.take_due(0, 10 * S));
    let outputs = weir_sdk::Unit::tick(&mut bench.unit, &bench.context, due).unwrap();
    assert_eq!(emitted(&outputs).len(), 27_000);
    assert_eq!(emitted(&bench.advance(10 * S).unwrap()).len(), 27_000);
    assert!(host(|host| host.entries.is_empty()));
}

#[test]
fn the_same_rows_go_together_however_they_are_cut() {
    let all: Vec<(i64, u32)> = (0..40).map(|row| (i64::from(row * 7 % 25), row as u32 % 3)).collect();
    let run = |cut: usize| {
        let config = r#"{"keys": ["host"], "capacity": 4, "every": "10s"}"#;
        let mut bench = Bench::<Buffer>::open(config).unwrap();
        let mut out = Vec::new();
        for (index, piece) in all.chunks(cut).enumerate() {
            out.extend(emitted(&bench.process(rows(index * cut, piece)).unwrap()));
        }
        out.extend(emitted(&bench.advance(30 * S).unwrap()));
        // Order counts inside a key's window; which of two windows fills up first in a batch does not.
        let mut windows: BTreeMap<(u32, i64), Vec<f64>> = BTreeMap::new();
        for (second, key, number) in out {
            windows.entry((key, second / 10)).or_default().push(number);
        }
        windows
    };
    let whole = run(40);
    assert_eq!(whole.values().map(Vec::len).sum::<usize>(), 40);
    for cut in [1, 3, 7] {
        assert_eq!(run(cut), whole, "cut of {cut}");
    }
}

#[test]
fn rows_without_room_are_rejected_and_what_was_held_stays() {
    let mut bench = Bench::<Buffer>::open(r#"{"keys": ["host"], "capacity": 3}"#).unwrap();
    bench.process(rows(0, &[(1, 0)])).unwrap();
    refuse_writes(true);
    let outputs = bench.process(rows(1, &[(2, 1), (3, 1)])).unwrap();
    assert!(matches!(&outputs[..], [Output::Reject(reject)] if reject.code == "quota"));
    refuse_writes(false);
    let outputs = bench.process(rows(3, &[(4, 0), (5, 0)])).unwrap();
    assert_eq!(emitted(&outputs), [(1, 0, 0.0), (4, 0, 3.0), (5, 0, 4.0)]);
}

#[test]
fn times_at_the_ends_of_64_bits_are_rejected() {
    let mut bench = Bench::<Buffer>::open(r#"{"every": "1d"}"#).unwrap();
    let outputs = bench.process(batch(&[i64::MAX, i64::MIN], &[], Vec::new())).unwrap();
    assert!(matches!(&outputs[..], [Output::Reject(reject)] if reject.code == "time-out-of-range"));
}

#[test]
fn the_plan_says_how_long_rows_wait() {
    let planned = plan::<Buffer>(r#"{"every": "10s"}"#).unwrap();
    assert_eq!((planned.delay.as_deref(), planned.ports.len()), (Some("10s"), 2));
    assert_eq!(plan::<Buffer>("{}").unwrap().delay, None);
    let complaints = plan::<Buffer>(r#"{"keys": ["time"], "capacity": 0, "every": "1ns"}"#).err().unwrap();
    let paths: Vec<&str> = complaints.iter().map(|complaint| complaint.path.as_str()).collect();
    assert_eq!(paths, ["/keys/0", "/capacity", "/every"]);
}
