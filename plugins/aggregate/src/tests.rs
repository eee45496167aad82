//! Running results over a host in memory.

use weir_sdk::column::{PackedExt, S64s, U32s};
use weir_sdk::testing::{Bench, batch, f64s, refuse_writes};
use weir_sdk::{Batch, Column, ColumnExt, Output, Values};

use crate::Aggregate;

const RESULTS: &str = r#""aggregates": {"n": "count", "sum": {"of": "v", "is": "sum"}, "med": {"of": "v", "is": "median"}, "who": {"of": "who", "is": "distinct"},
    "var": {"of": "v", "is": "variance"}, "top": {"of": "who", "is": "top", "k": 2}}"#;

fn config(more: &str) -> String {
    format!("{{\"keys\": [\"k\"], {more} {RESULTS}}}")
}

fn open(config: &str) -> Bench<Aggregate> {
    Bench::open(config).unwrap()
}

/// Rows of (second, key, value).
fn input(rows: &[(i64, u32, f64)]) -> Batch {
    let times: Vec<i64> = rows.iter().map(|row| row.0 * 1_000_000_000).collect();
    let keys: Vec<u32> = rows.iter().map(|row| row.1).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.2).collect();
    let who = Column::of_categories("who", values.iter().map(|value| format!("w{value}")));
    batch(&times, &keys, vec![Column::of_f64s("v", &values), who])
}

/// (second, key, columns as numbers) of all that was emitted.
fn emitted(outputs: &[Output], names: &[&str]) -> Vec<(i64, u32, Vec<f64>)> {
    let batches = outputs.iter().filter_map(|output| match output {
        Output::Emit(emit) => Some(&emit.batch),
        _ => None,
    });
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<Vec<f64>> = names.iter().map(|name| f64s(batch, name)).collect();
        for (row, (time, key)) in S64s::new(&batch.time).iter().zip(U32s::new(&batch.keys).iter()).enumerate()
        {
            rows.push((time / 1_000_000_000, key, columns.iter().map(|column| column[row]).collect()));
        }
    }
    rows
}

/// Values that repeat, three keys, in order of time.
fn stream(n: i64) -> Vec<(i64, u32, f64)> {
    (0..n).map(|at| (at, (at * 7 % 3) as u32, (at * 13 % 11) as f64)).collect()
}

#[test]
fn each_batch_gives_a_row_for_each_of_its_keys() {
    let config = config("");
    let mut bench = open(&config);
    let first = bench.process(input(&[(1, 0, 2.0), (2, 1, 5.0), (3, 0, 4.0)])).unwrap();
    let names = ["n", "sum", "med", "who"];
    assert_eq!(emitted(&first, &names), [(3, 0, vec![2.0, 6.0, 3.0, 2.0]), (2, 1, vec![1.0, 5.0, 5.0, 1.0])]);
    // A new instance goes on from the state.
    bench.reopen(&config).unwrap();
    let next = bench.process(input(&[(4, 0, 4.0)])).unwrap();
    assert_eq!(emitted(&next, &names), [(4, 0, vec![3.0, 10.0, 4.0, 2.0])]);
    let Some(Output::Emit(emit)) = next.first() else { panic!("nothing was emitted") };
    let top = emit.batch.columns.iter().find(|column| column.name == "top").unwrap();
    assert!(matches!(&top.values, Values::Texts(texts) if texts.text_at(0) == r#"[["w4",2],["w2",1]]"#));
}

#[test]
fn a_row_at_each_nth_event_does_not_depend_on_the_cut() {
    let config = config(r#""emit": "count", "every": 4,"#);
    let rows = stream(100);
    let run = |cut: usize, replace: bool| {
        let mut bench = open(&config);
        let mut all = Vec::new();
        for part in rows.chunks(cut) {
            all.extend(emitted(&bench.process(input(part)).unwrap(), &["n", "sum", "med", "who", "var"]));
            if replace {
                bench.reopen(&config).unwrap();
            }
        }
        all.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>()
    };
    let whole = run(100, false);
    assert_eq!(whole.len(), 24);
    for cut in [1, 3, 7, 50] {
        assert_eq!(run(cut, cut == 7), whole, "cut {cut}");
    }
}

#[test]
fn every_event_may_give_a_row() {
    let mut bench = open(&config(r#""emit": "count", "every": 1,"#));
    let outputs = bench.process(input(&[(1, 0, 2.0), (2, 0, 5.0), (3, 0, 4.0)])).unwrap();
    assert_eq!(
        emitted(&outputs, &["n", "sum"]),
        [(1, 0, vec![1.0, 2.0]), (2, 0, vec![2.0, 7.0]), (3, 0, vec![3.0, 11.0])]
    );
}

#[test]
fn only_what_changed_is_told() {
    let config = r#"{"keys": ["k"], "emit": "change", "aggregates": {"max": {"of": "v", "is": "max"}}}"#;
    let mut bench = open(config);
    let mut max = |rows: &[(i64, u32, f64)]| emitted(&bench.process(input(rows)).unwrap(), &["max"]);
    assert_eq!(max(&[(1, 0, 5.0), (2, 1, 7.0)]).len(), 2);
    assert_eq!(max(&[(3, 0, 4.0), (4, 1, 9.0)]), [(4, 1, vec![9.0])]);
    assert!(max(&[(5, 0, 5.0)]).is_empty());
}

#[test]
fn at_a_pace_keys_with_events_give_a_row_at_each_boundary() {
    let mut bench = open(&config(r#""emit": "time", "interval": "10s","#));
    assert!(bench.process(input(&[(1, 0, 1.0), (12, 1, 1.0), (13, 0, 2.0)])).unwrap().is_empty());
    // Boundaries of the latest event of each key in the batch.
    assert_eq!(emitted(&bench.advance(19_000_000_000).unwrap(), &["n"]), []);
    let rows = emitted(&bench.advance(20_000_000_000).unwrap(), &["n"]);
    assert_eq!(rows, [(20, 0, vec![2.0]), (20, 1, vec![1.0])]);
    assert!(bench.advance(60_000_000_000).unwrap().is_empty());
}

#[test]
fn a_silent_key_is_forgotten() {
    let mut bench = open(&config(r#""forget": "1m","#));
    bench.process(input(&[(1, 0, 1.0)])).unwrap();
    bench.advance(50_000_000_000).unwrap();
    let rows = bench.process(input(&[(50, 0, 1.0)])).unwrap();
    assert_eq!(emitted(&rows, &["n"]), [(50, 0, vec![2.0])]);
    bench.advance(111_000_000_000).unwrap();
    weir_sdk::testing::host(|host| assert!(host.entries.is_empty()));
    let rows = bench.process(input(&[(112, 0, 1.0)])).unwrap();
    assert_eq!(emitted(&rows, &["n"]), [(112, 0, vec![1.0])]);
}

#[test]
fn rows_of_keys_without_room_are_rejected() {
    let mut bench = open(&config(""));
    refuse_writes(true);
    let outputs = bench.process(input(&[(1, 0, 1.0), (2, 1, 1.0)]));
    refuse_writes(false);
    let outputs = outputs.unwrap();
    assert!(
        matches!(&outputs[..], [Output::Reject(reject)] if reject.code == "quota" && reject.indexes.len() == 8)
    );
    let rows = bench.process(input(&[(3, 0, 1.0)])).unwrap();
    assert_eq!(emitted(&rows, &["n"]), [(3, 0, vec![1.0])]);
}

#[test]
fn complaints_name_their_place() {
    let paths = |config: &str| {
        let complaints = weir_sdk::testing::plan::<Aggregate>(config).unwrap_err();
        complaints.into_iter().map(|complaint| complaint.path).collect::<Vec<_>>()
    };
    let wrong = r#"{"keys": ["k"], "emit": "never", "interval": "1 s", "forget": "1us", "every": 0, "aggregates": {"k": "count", "r": "rate", "x": {"of": "v", "is": "y"}}}"#;
    assert_eq!(
        paths(wrong),
        ["/interval", "/forget", "/every", "/emit", "/aggregates/k", "/aggregates/r", "/aggregates/x"]
    );
    assert_eq!(paths("{}"), ["/aggregates"]);
}

#[test]
fn the_examples_of_the_schema_have_plans_and_only_counting_is_cut_invariant() {
    let schema: serde_json::Value = serde_json::from_str(crate::config::schema()).unwrap();
    let examples = schema["examples"].as_array().unwrap();
    let plans: Vec<bool> = examples
        .iter()
        .map(|example| weir_sdk::testing::plan::<Aggregate>(&example.to_string()).unwrap().cut_invariant)
        .collect();
    assert_eq!(plans, [false, true, false, false]);
    let mut counting = examples[1].clone();
    counting["forget"] = "1h".into();
    assert!(!weir_sdk::testing::plan::<Aggregate>(&counting.to_string()).unwrap().cut_invariant);
}

/// Of an exponentially weighted mean and a count of great values, which is what a person would write.
const STEPS: &str = r#"{"keys": ["k"], "aggregates": {"mean": {"initial": 1, "next": "state * 0.5 + v * 0.5"}, "great": {"next": "state + if(v > 5, 1, 0)"}}}"#;

#[test]
fn an_expression_carries_a_state_on_from_row_to_row_of_a_key() {
    let rows = stream(500);
    for cut in [1, 7, 500] {
        let mut bench = open(STEPS);
        let mut last: std::collections::BTreeMap<u32, Vec<f64>> = Default::default();
        for part in rows.chunks(cut) {
            let outputs = bench.process(input(part)).unwrap();
            last.extend(emitted(&outputs, &["mean", "great"]).into_iter().map(|row| (row.1, row.2)));
            bench.reopen(STEPS).unwrap();
        }
        for key in 0..3 {
            let values = || rows.iter().filter(|row| row.1 == key).map(|row| row.2);
            let mean = values().fold(1.0, |state, value| state * 0.5 + value * 0.5);
            let great = values().filter(|value| *value > 5.0).count() as f64;
            assert_eq!(last.get(&key), Some(&vec![mean, great]), "key {key}, cut {cut}");
        }
    }
}

#[test]
fn a_step_without_a_number_leaves_the_state_as_it_is() {
    let config = r#"{"keys": ["k"], "emit": "count", "every": 1, "aggregates": {"product": {"initial": 1, "next": "state * v"}}}"#;
    let mut bench = open(config);
    let outputs =
        bench.process(input(&[(1, 0, 3.0), (2, 0, f64::NAN), (3, 0, f64::INFINITY), (4, 0, 2.0)])).unwrap();
    let products: Vec<f64> = emitted(&outputs, &["product"]).into_iter().map(|row| row.2[0]).collect();
    assert_eq!(products, [3.0, 3.0, 3.0, 6.0]);
}
