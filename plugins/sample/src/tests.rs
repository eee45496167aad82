//! The sample over a host in memory.

use weir_sdk::testing::{Bench, batch, f64s, host, kept, plan};
use weir_sdk::{Batch, Column, ColumnExt, Output};

use super::hash;
use super::{OUT, REST, Sample};

const S: i64 = 1_000_000_000;

fn users(count: usize) -> Batch {
    let names = (0..count).map(|user| format!("user-{user}"));
    batch(&vec![S; count], &[], vec![Column::of_categories("user", names)])
}

fn chosen(config: &str, input: Batch) -> Vec<u32> {
    let rows = input.rows as usize;
    let outputs = Bench::<Sample>::open(config).unwrap().process(input).unwrap();
    let out = kept(&outputs, OUT, rows).unwrap_or_default();
    assert_eq!(out.len() + kept(&outputs, REST, rows).unwrap_or_default().len(), rows);
    out
}

#[test]
fn a_rate_keeps_its_share_of_the_keys() {
    for rate in [0.01_f64, 0.1, 0.5, 0.9] {
        let count = chosen(&format!(r#"{{"keys": ["user"], "rate": {rate}}}"#), users(10_000)).len() as f64;
        // Five standard deviations of a binomial.
        let off = 5.0 * (10_000.0 * rate * (1.0 - rate)).sqrt();
        assert!((count - 10_000.0 * rate).abs() < off, "{rate}: {count}");
    }
    assert_eq!(chosen(r#"{"keys": ["user"], "rate": 0}"#, users(100)).len(), 0);
    assert_eq!(chosen(r#"{"keys": ["user"], "rate": 1}"#, users(100)).len(), 100);
}

#[test]
fn a_smaller_rate_keeps_a_part_of_what_a_larger_keeps() {
    let small = chosen(r#"{"keys": ["user"], "rate": 0.1}"#, users(1_000));
    let large = chosen(r#"{"keys": ["user"], "rate": 0.3}"#, users(1_000));
    assert!(small.iter().all(|row| large.contains(row)));
    let salted = chosen(r#"{"keys": ["user"], "rate": 0.1, "salt": 1}"#, users(1_000));
    assert_ne!(small, salted);
}

/// These numbers must never change: samples of two hosts and two versions have to agree.
#[test]
fn the_hash_of_a_key_is_fixed() {
    let columns = vec![Column::of_texts("t", ["", "abc"]), Column::of_s64s("n", &[-1, 200])];
    let names = ["t".to_owned(), "n".to_owned()];
    let hashes = hash::of_rows(&batch(&[1, 2], &[], columns), &names, 0);
    assert_eq!(hashes, [0x5b30375e30a6e1e9, 0xb7f44ae6e6497b38]);
}

#[test]
fn the_same_value_hashes_alike_in_every_kind_of_column() {
    let names = ["x".to_owned()];
    let of = |column: Column| hash::of_rows(&batch(&[1], &[], vec![column]), &names, 0);
    assert_eq!(of(Column::of_s64s("x", &[200])), of(Column::of_f64s("x", &[200.0])));
    assert_eq!(of(Column::of_s64s("x", &[200])), of(Column::of_u64s("x", &[200])));
    assert_eq!(of(Column::of_texts("x", ["a"])), of(Column::of_categories("x", ["a"])));
    assert_ne!(of(Column::of_texts("x", ["200"])), of(Column::of_s64s("x", &[200])));
    assert_ne!(of(Column::of_f64s("x", &[-0.5])), of(Column::of_f64s("x", &[0.5])));
}

#[test]
fn one_in_n_counts_each_key_by_itself_and_over_batches() {
    let keys = [0, 1, 0, 0, 0, 1, 1, 1, 0];
    for cut in [1, 2, 9] {
        host(|host| host.entries.clear());
        let mut bench = Bench::<Sample>::open(r#"{"keys": ["host"], "one_in": 3}"#).unwrap();
        let mut out = Vec::new();
        for piece in keys.chunks(cut) {
            let outputs = bench.process(batch(&vec![S; piece.len()], piece, Vec::new())).unwrap();
            let rows = kept(&outputs, OUT, piece.len()).unwrap_or_default();
            out.extend((0..piece.len() as u32).map(|row| u8::from(rows.contains(&row))));
        }
        assert_eq!(out, [1, 1, 0, 0, 1, 0, 0, 1, 0], "cut of {cut}");
    }
    assert_eq!(chosen(r#"{"one_in": 2}"#, batch(&[1, 2, 3], &[], Vec::new())), [0, 2]);
}

fn numbered(from: i64, count: i64, second: i64) -> Batch {
    let numbers: Vec<i64> = (from..from + count).collect();
    let times = vec![second * S; count as usize];
    batch(&times, &vec![0; count as usize], vec![Column::of_s64s("n", &numbers)])
}

fn emitted(outputs: &[Output]) -> Vec<f64> {
    let batches = outputs.iter().filter_map(|output| match output {
        Output::Emit(emit) => Some(f64s(&emit.batch, "n")),
        _ => None,
    });
    batches.flatten().collect()
}

#[test]
fn a_reservoir_keeps_its_number_of_each_window_and_nothing_after_it() {
    let config = r#"{"keys": ["host"], "reservoir": 10, "window": "10s"}"#;
    let run = |cut: i64| {
        let mut bench = Bench::<Sample>::open(config).unwrap();
        for from in (0..120).step_by(cut as usize) {
            bench.process(numbered(from, cut, 5)).unwrap();
        }
        bench.process(numbered(500, 3, 15)).unwrap();
        let first = emitted(&bench.advance(10 * S).unwrap());
        let late = bench.process(numbered(900, 1, 5)).unwrap();
        assert_eq!(kept(&late, REST, 1).unwrap(), [0]);
        assert_eq!(emitted(&bench.advance(20 * S).unwrap()), [500.0, 501.0, 502.0]);
        assert!(host(|host| host.entries.is_empty()));
        first
    };
    let whole = run(120);
    assert_eq!(whole.len(), 10);
    assert!(whole.iter().any(|number| *number >= 60.0), "{whole:?}");
    for cut in [1, 7 + 1, 40] {
        assert_eq!(run(cut), whole, "cut of {cut}");
    }
}

#[test]
fn every_row_of_a_window_has_the_same_chance() {
    let mut hits = [0_u32; 20];
    let mut bench = Bench::<Sample>::open(r#"{"keys": ["host"], "reservoir": 5, "window": "1s"}"#).unwrap();
    for second in 0..4_000 {
        bench.process(numbered(0, 20, second)).unwrap();
        for number in emitted(&bench.advance((second + 1) * S).unwrap()) {
            hits[number as usize] += 1;
        }
    }
    // 1,000 are expected of each; five standard deviations are 137.
    assert!(hits.iter().all(|hits| hits.abs_diff(1_000) < 137), "{hits:?}");
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for (config, path) in [
        (r#"{}"#, ""),
        (r#"{"rate": 0.5, "one_in": 2}"#, ""),
        (r#"{"rate": 0.5}"#, "/keys"),
        (r#"{"rate": 2, "keys": ["a"]}"#, "/rate"),
        (r#"{"one_in": 0}"#, "/one_in"),
        (r#"{"reservoir": 0}"#, "/reservoir"),
        (r#"{"reservoir": 5, "window": "1ns"}"#, "/window"),
        (r#"{"one_in": 5, "keys": ["time"]}"#, "/keys/0"),
    ] {
        assert_eq!(plan::<Sample>(config).err().unwrap().remove(0).path, path, "{config}");
    }
    assert_eq!(plan::<Sample>(r#"{"reservoir": 5}"#).unwrap().delay.as_deref(), Some("10s"));
}
