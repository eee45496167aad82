//! The transform over a host in memory.

use weir_sdk::testing::{Bench, batch, f64s, plan};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Forward, Output};

use super::Transform;

fn input() -> Batch {
    let columns = vec![
        Column::of_f64s("latency_ms", &[50.0, 150.0, 0.0]),
        Column::of_categories("status", ["200", "x", "500"]),
        Column::of_s64s("size", &[10, 20, 30]),
    ];
    batch(&[1_000, 2_000, 3_000], &[], columns)
}

fn transformed(config: &str) -> Forward {
    let outputs = Bench::<Transform>::open(config).unwrap().process(input()).unwrap();
    let Some(Output::Forward(forward)) = outputs.into_iter().next() else { panic!("no forward") };
    forward
}

fn column(forward: Forward, name: &str) -> Vec<f64> {
    f64s(&batch(&[1, 2, 3], &[], forward.set), name)
}

#[test]
fn columns_are_computed_from_what_comes_in() {
    let config = r#"{"set": {"latency_ms": "latency_ms * 2", "ratio": "size / latency_ms"}}"#;
    assert_eq!(column(transformed(config), "latency_ms"), [100.0, 300.0, 0.0]);
    let ratio = column(transformed(config), "ratio");
    assert_eq!(ratio[..2], [0.2, 20.0 / 150.0]);
    assert!(ratio[2].is_nan(), "a division by zero has no value");
}

#[test]
fn a_cast_that_fails_leaves_no_value() {
    let status = column(transformed(r#"{"cast": {"status": "u64"}}"#), "status");
    assert_eq!((status[0], status[1].is_nan(), status[2]), (200.0, true, 500.0));
}

#[test]
fn renames_copy_and_omit_also_crosswise() {
    let forward = transformed(r#"{"rename": {"size": "bytes"}, "drop": ["status"]}"#);
    assert_eq!(forward.omit, ["size", "status"]);
    assert_eq!(column(forward, "bytes"), [10.0, 20.0, 30.0]);
    let crossed = transformed(r#"{"rename": {"size": "latency_ms", "latency_ms": "size"}}"#);
    assert!(crossed.omit.is_empty());
    assert_eq!(column(crossed, "size"), [50.0, 150.0, 0.0]);
}

#[test]
fn a_column_that_nothing_converts_is_left_out() {
    let blobs = weir_sdk::Values::Blobs(weir_sdk::column::pack(["a", "b"]));
    let input = batch(&[1, 2], &[], vec![Column::new("raw", blobs)]);
    let outputs = Bench::<Transform>::open(r#"{"cast": {"raw": "f64"}}"#).unwrap().process(input).unwrap();
    let Some(Output::Forward(forward)) = outputs.first() else { panic!("no forward") };
    assert_eq!((forward.set.len(), forward.omit.as_slice()), (0, ["raw".to_owned()].as_slice()));
}

#[test]
fn what_the_stream_lacks_is_passed_over() {
    let forward =
        transformed(r#"{"rename": {"nothing": "more"}, "cast": {"none": "f64"}, "set": {"x": "gone + 1"}}"#);
    assert!(forward.set.is_empty());
    assert_eq!(forward.omit, ["nothing", "x"]);
}

#[test]
fn time_is_replaced_where_there_is_a_result() {
    let forward = transformed(r#"{"set": {"time": "if(size > 15, time + size, null)"}}"#);
    let replaced = batch(&[1, 2, 3], &[], forward.set);
    assert_eq!(f64s(&replaced, "time").len(), 3);
    let weir_sdk::Values::S64s(bytes) = &replaced.column("time").unwrap().values else { panic!("not s64s") };
    assert_eq!(weir_sdk::column::S64s::new(bytes).to_vec(), [1_000, 2_020, 3_030]);
}

#[test]
fn it_reads_what_it_needs_and_no_more() {
    let config = r#"{"set": {"a": "b + time"}, "rename": {"c": "d"}, "cast": {"e": "f64"}, "drop": ["f"]}"#;
    let names: Vec<String> =
        plan::<Transform>(config).unwrap().reads.unwrap().into_iter().map(|read| read.name).collect();
    assert_eq!(names, ["b", "c", "e"]);
}

#[test]
fn all_complaints_come_at_once_with_their_places() {
    let config = r#"{"set": {"a/b": "1 +", "c": "1"}, "rename": {"x": "c", "time": "t"}, "cast": {"y": "int"}, "drop": ["c"]}"#;
    let paths: Vec<String> = plan::<Transform>(config).unwrap_err().into_iter().map(|c| c.path).collect();
    assert_eq!(paths, ["/set/a~1b", "/cast/y", "/rename/time", "/rename/x", "/drop/0"]);
}

#[test]
fn rows_come_out_the_same_however_they_are_cut() {
    let config = r#"{"set": {"t": "concat(status, '-', size)", "u": "upper(status)", "v": "if(size > 15, latency_ms, 0)"}}"#;
    let whole = column(transformed(config), "v");
    let mut bench = Bench::<Transform>::open(config).unwrap();
    for row in 0..3 {
        let one = batch(
            &[1],
            &[],
            vec![
                Column::of_f64s("latency_ms", &[[50.0, 150.0, 0.0][row]]),
                Column::of_categories("status", [["200", "x", "500"][row]]),
                Column::of_s64s("size", &[[10, 20, 30][row]]),
            ],
        );
        let Output::Forward(forward) = bench.process(one).unwrap().remove(0) else { panic!("no forward") };
        assert_eq!(f64s(&batch(&[1], &[], forward.set), "v"), [whole[row]]);
    }
}
