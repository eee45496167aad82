//! Rankings over a host in memory.

use weir_sdk::column::{PackedExt, S64s, U32s};
use weir_sdk::testing::{Bench, batch, f64s, kept};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Output, Values};

use crate::Topk;

const S: i64 = 1_000_000_000;

/// Rows of (ms, key, item, bytes).
fn input(rows: &[(i64, u32, String, f64)]) -> Batch {
    let times: Vec<i64> = rows.iter().map(|row| row.0 * 1_000_000).collect();
    let keys: Vec<u32> = rows.iter().map(|row| row.1).collect();
    let bytes: Vec<f64> = rows.iter().map(|row| row.3).collect();
    let path = Column::of_categories("path", rows.iter().map(|row| &row.2));
    batch(&times, &keys, vec![path, Column::of_f64s("bytes", &bytes)])
}

/// (second, key, rank, item, weight, error) as text.
fn ranked(outputs: &[Output]) -> Vec<String> {
    let mut lines = Vec::new();
    for output in outputs {
        let Output::Emit(emit) = output else { continue };
        let batch = &emit.batch;
        let Some(Values::Categories(items)) = batch.column("path").map(|column| &column.values) else {
            panic!("no items")
        };
        let codes = U32s::new(&items.codes);
        let [rank, weight, error] = ["rank", "weight", "error"].map(|name| f64s(batch, name));
        for (row, time) in S64s::new(&batch.time).iter().enumerate() {
            let key = U32s::new(&batch.keys).get(row);
            let item = items.names.text_at(codes.get(row) as usize);
            lines.push(format!("{} {key} {} {item} {} {}", time / S, rank[row], weight[row], error[row]));
        }
    }
    lines
}

#[test]
fn the_most_frequent_come_first_for_each_key_and_window() {
    let mut bench =
        Bench::<Topk>::open(r#"{"of": "path", "window": "1s", "k": 2, "keys": ["host"]}"#).unwrap();
    let row = |ms, key, item: &str| (ms, key, item.to_owned(), 1.0);
    let rows =
        [row(1, 0, "a"), row(2, 0, "b"), row(3, 0, "b"), row(4, 1, "c"), row(5, 0, "d"), row(1_001, 0, "a")];
    assert!(bench.process(input(&rows)).unwrap().is_empty());
    assert_eq!(ranked(&bench.advance(S).unwrap()), ["0 0 1 b 2 0", "0 0 2 a 1 0", "0 1 1 c 1 0"]);
    assert_eq!(ranked(&bench.advance(2 * S).unwrap()), ["1 0 1 a 1 0"]);
    bench.context.watermark = 2 * S;
    let late = bench.process(input(&[row(5, 0, "a")])).unwrap();
    assert_eq!(kept(&late, 1, 1), Some(vec![0]));
}

#[test]
fn a_weight_is_summed_and_what_has_none_does_not_count() {
    let mut bench = Bench::<Topk>::open(r#"{"of": "path", "weight": "bytes", "window": "1s"}"#).unwrap();
    let row = |item: &str, bytes| (1, 0, item.to_owned(), bytes);
    bench
        .process(input(&[row("a", 5.0), row("b", 3.0), row("a", -7.0), row("c", f64::NAN), row("b", 4.5)]))
        .unwrap();
    assert_eq!(ranked(&bench.advance(S).unwrap()), ["0 0 1 b 7.5 0", "0 0 2 a 5 0"]);
}

#[test]
fn rankings_of_many_items_do_not_depend_on_the_cut_or_the_instance() {
    let config = r#"{"of": "path", "window": "1s", "k": 5}"#;
    let noise = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let item = |n: u64| if n.is_multiple_of(3) { n % 4 } else { 10 + n % 2_000 };
    let rows: Vec<_> = (0..6_000).map(|n| (n as i64 / 2, 0, format!("p{}", item(noise(n))), 1.0)).collect();
    let run = |cut: usize, replace: bool| {
        let mut bench = Bench::<Topk>::open(config).unwrap();
        for part in rows.chunks(cut) {
            bench.process(input(part)).unwrap();
            if replace {
                bench.reopen(config).unwrap();
            }
        }
        ranked(&bench.advance(10 * S).unwrap())
    };
    let whole = run(6_000, false);
    assert_eq!(whole.len(), 15);
    assert!(
        whole[..4].iter().all(|line| ["p0", "p1", "p2", "p3"].iter().any(|item| line.contains(item))),
        "{whole:?}"
    );
    for cut in [1, 7, 128, 1_024] {
        assert_eq!(run(cut, cut == 128), whole, "cut {cut}");
    }
}

#[test]
fn complaints_name_their_place() {
    let paths = |config: &str| {
        let complaints = weir_sdk::testing::plan::<Topk>(config).unwrap_err();
        complaints.into_iter().map(|complaint| complaint.path).collect::<Vec<_>>()
    };
    assert_eq!(
        paths(r#"{"of": "rank", "k": 0, "window": "1ns", "keys": ["time"]}"#),
        ["/of", "/keys/0", "/k", "/window"]
    );
    assert_eq!(
        paths(r#"{"of": "path", "weight": "path", "lateness": "soon"}"#),
        ["/weight", "/window", "/lateness"]
    );
    let schema: serde_json::Value = serde_json::from_str(crate::config::schema()).unwrap();
    for example in schema["examples"].as_array().unwrap() {
        assert!(weir_sdk::testing::plan::<Topk>(&example.to_string()).unwrap().cut_invariant);
    }
}
