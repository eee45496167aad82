//! The enrich over a host in memory.

use serde_json::{Value, json};
use weir_sdk::testing::{Bench, batch, f64s, kept, plan};
use weir_sdk::{Batch, Column, ColumnExt, Forward, Output};

use super::{Enrich, OUT, UNMATCHED};

const HOSTS: &str = "name, host,cores,weight\none,a,8,1.5\n\"two, too\",b,16,\n";

fn with_file(file: &str, text: &str, unmatched: &str) -> String {
    let table = json!({ "file": file, "digest": "x", "text": text });
    json!({ "keys": ["host"], "add": { "name": "text", "cores": "u64", "weight": "f64" }, "table": table, "unmatched": unmatched })
        .to_string()
}

fn input(hosts: &[&str]) -> Batch {
    batch(&vec![1; hosts.len()], &[], vec![Column::of_categories("host", hosts)])
}

fn forwarded(outputs: &[Output], port: u32) -> &Forward {
    let found = outputs.iter().find_map(|output| match output {
        Output::Forward(forward) if forward.port == port => Some(forward),
        _ => None,
    });
    found.expect("a forward")
}

fn numbers(outputs: &[Output], name: &str, rows: usize) -> Vec<f64> {
    f64s(&batch(&vec![1; rows], &[], forwarded(outputs, OUT).set.clone()), name)
}

#[test]
fn rows_get_the_columns_of_their_entry() {
    let config = with_file("hosts.csv", HOSTS, "pass");
    let outputs = Bench::<Enrich>::open(&config).unwrap().process(input(&["b", "a", "x"])).unwrap();
    let cores = numbers(&outputs, "cores", 3);
    assert_eq!((cores[0], cores[1], cores[2].is_nan()), (16.0, 8.0, true));
    let weight = numbers(&outputs, "weight", 3);
    assert!(weight[0].is_nan() && weight[1] == 1.5);
    assert_eq!(kept(&outputs, OUT, 3).unwrap(), [0, 1, 2]);
    let name = forwarded(&outputs, OUT).set.iter().find(|column| column.name == "name").unwrap();
    let weir_sdk::Values::Categories(names) = &name.values else { panic!("not categories") };
    assert_eq!(names.names.data, b"two, tooone");
}

#[test]
fn rows_without_an_entry_go_apart_if_asked_to() {
    let config = with_file("hosts.csv", HOSTS, "apart");
    let mut bench = Bench::<Enrich>::open(&config).unwrap();
    let outputs = bench.process(input(&["b", "x"])).unwrap();
    assert_eq!((kept(&outputs, OUT, 2).unwrap(), kept(&outputs, UNMATCHED, 2).unwrap()), (vec![0], vec![1]));
    let outputs = bench.process(input(&["x"])).unwrap();
    assert_eq!((kept(&outputs, OUT, 1), kept(&outputs, UNMATCHED, 1).unwrap()), (None, vec![0]));
    let no_key = bench.process(batch(&[1], &[], Vec::new())).unwrap();
    assert_eq!(kept(&no_key, UNMATCHED, 1).unwrap(), [0]);
}

#[test]
fn json_lines_are_a_table_and_numbers_find_their_texts() {
    let text = "{\"status\": 200, \"means\": \"good\"}\n\n{\"status\": \"404\", \"means\": \"gone\"}\n";
    let table = json!({ "file": "t.ndjson", "text": text });
    let config =
        json!({ "keys": ["status"], "add": { "means": "text" }, "table": table, "unmatched": "apart" });
    let mut bench = Bench::<Enrich>::open(&config.to_string()).unwrap();
    let rows = batch(&[1, 1, 1], &[], vec![Column::of_s64s("status", &[404, 200, 500])]);
    assert_eq!(kept(&bench.process(rows).unwrap(), OUT, 3).unwrap(), [0, 1]);
}

fn of_stream(event_type: &str, keys: &[u32], columns: Vec<Column>) -> Batch {
    let mut batch = batch(&vec![1; keys.len()], keys, columns);
    batch.triplet.event_type = event_type.to_owned();
    batch
}

#[test]
fn the_newest_event_of_a_stream_is_the_entry() {
    let config =
        json!({ "keys": ["host"], "add": { "cores": "u64", "team": "text" }, "stream": "test/*/ref*" })
            .to_string();
    let mut bench = Bench::<Enrich>::open(&config).unwrap();
    let rows = |keys: &[u32]| of_stream("request", keys, Vec::new());
    let outputs = bench.process(rows(&[0])).unwrap();
    assert!(forwarded(&outputs, OUT).set.is_empty());
    let columns = vec![Column::of_s64s("cores", &[1, 2, 3]), Column::of_texts("team", ["x", "y", "z"])];
    assert!(bench.process(of_stream("reference", &[0, 1, 0], columns)).unwrap().is_empty());
    let outputs = bench.process(rows(&[1, 0, 7])).unwrap();
    let cores = numbers(&outputs, "cores", 3);
    assert_eq!((cores[0], cores[1], cores[2].is_nan()), (2.0, 3.0, true));
    bench.reopen(&config).unwrap();
    assert_eq!(numbers(&bench.process(rows(&[0])).unwrap(), "cores", 1), [3.0]);
    let planned = plan::<Enrich>(&config).unwrap();
    assert!(planned.across && !planned.cut_invariant);
}

#[test]
fn what_is_wrong_with_a_table_is_told_with_its_line() {
    for (file, text, wanted) in [
        (
            "t.csv",
            "host,cores,weight,name\na,1,1,x\na,2,2,y\n",
            "line 3 of `t.csv` has a key that was there before: a",
        ),
        ("t.csv", "host,cores,weight\n", "no column `name`; it has host, cores, weight"),
        ("t.csv", "host,cores,weight,name\na,1\n", "found record with 2 fields"),
        ("t.csv", "host,cores,weight,name\n,1,2,x\n", "line 2 of `t.csv` has no value for the key"),
        ("t.jsonl", "{\"host\": 1}\nx\n", "line 2 is no JSON object"),
        ("t.txt", "", "neither .csv nor"),
    ] {
        let complaint = plan::<Enrich>(&with_file(file, text, "pass")).err().unwrap().remove(0);
        assert_eq!(complaint.path, "/table/file");
        assert!(complaint.message.contains(wanted), "{}", complaint.message);
    }
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let check = |config: Value, path: &str| {
        let complaints = plan::<Enrich>(&config.to_string()).err().unwrap_or_else(|| panic!("{config}"));
        assert_eq!(complaints[0].path, path, "{config}");
    };
    check(json!({ "keys": ["a"], "add": { "b": "text" } }), "");
    check(json!({ "keys": ["a"], "add": { "b": "text" }, "stream": "x/y" }), "/stream");
    check(json!({ "keys": ["a"], "add": { "a": "text" }, "stream": "x/y/z" }), "/add/a");
    check(json!({ "keys": ["a"], "add": { "b": "int" }, "stream": "x/y/z" }), "/add/b");
    check(json!({ "keys": ["a", "a"], "add": { "b": "text" }, "stream": "x/y/z" }), "/keys");
    check(json!({ "keys": ["a"], "add": { "b": "text" }, "table": { "file": "x.csv" } }), "/table");
    check(json!({ "keys": ["a"], "add": { "b": "text" }, "stream": "x/y/z", "forget": "1ns" }), "/forget");
}
