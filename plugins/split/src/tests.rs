//! The split over a host in memory.

use weir_sdk::testing::{Bench, batch, kept, plan};
use weir_sdk::{Batch, Column, ColumnExt};

use super::Split;

const WHEN: &str =
    r#"[{"name": "slow", "when": "latency_ms > 200"}, {"name": "get", "when": "method = 'GET'"}]"#;

fn input() -> Batch {
    let mut status = Column::of_s64s("status", &[200, 404, 0, 500]);
    status.valid = Some(vec![1, 1, 0, 1]);
    let columns = vec![
        Column::of_f64s("latency_ms", &[50.0, 150.0, 250.0, 350.0]),
        Column::of_categories("method", ["GET", "PUT", "GET", "it's"]),
        status,
    ];
    batch(&[1, 2, 3, 4], &[], columns)
}

/// Rows by port, the last one `rest`.
fn check(config: &str, wanted: &[&[u32]]) {
    let outputs = Bench::<Split>::open(config).unwrap().process(input()).unwrap();
    for (port, rows) in wanted.iter().enumerate() {
        assert_eq!(kept(&outputs, port as u32, 4).unwrap_or_default(), *rows, "port {port} of {config}");
    }
}

#[test]
fn a_row_leaves_by_the_first_port_that_fits() {
    check(&format!(r#"{{"ports": {WHEN}}}"#), &[&[2, 3], &[0], &[1]]);
}

#[test]
fn a_row_leaves_by_each_port_that_fits_if_asked_to() {
    check(&format!(r#"{{"ports": {WHEN}, "match": "all"}}"#), &[&[2, 3], &[0, 2], &[1]]);
}

#[test]
fn values_of_a_column_choose_the_port() {
    let ports = r#"[{"name": "read", "values": ["GET"]}, {"name": "odd", "values": ["it's", "x\\y"]}]"#;
    check(&format!(r#"{{"by": "method", "ports": {ports}}}"#), &[&[0, 2], &[3], &[1]]);
    let ports = r#"[{"name": "good", "values": [200]}, {"name": "bad", "values": [404, 500.0]}]"#;
    check(&format!(r#"{{"by": "status", "ports": {ports}}}"#), &[&[0], &[1, 3], &[2]]);
}

#[test]
fn values_and_conditions_may_stand_side_by_side() {
    let ports = r#"[{"name": "read", "values": ["GET"]}, {"name": "slow", "when": "latency_ms > 300"}]"#;
    check(&format!(r#"{{"by": "method", "ports": {ports}}}"#), &[&[0, 2], &[3], &[1]]);
}

#[test]
fn a_column_that_is_not_there_leaves_all_rows_to_rest() {
    check(r#"{"by": "gone", "ports": [{"name": "a", "values": [1]}]}"#, &[&[], &[0, 1, 2, 3]]);
}

#[test]
fn ports_and_columns_come_from_the_configuration() {
    let planned = plan::<Split>(&format!(r#"{{"ports": {WHEN}}}"#)).unwrap();
    let ports: Vec<_> = planned.ports.iter().map(|port| &*port.name).collect();
    assert_eq!(ports, ["slow", "get", "rest"]);
    let reads: Vec<String> = planned.reads.unwrap().into_iter().map(|read| read.name).collect();
    assert_eq!(reads, ["latency_ms", "method"]);
    assert!(planned.cut_invariant);
}

#[test]
fn all_complaints_come_at_once_with_their_places() {
    let ports = r#"[{"name": "a"}, {"name": "a", "when": "x +"}, {"name": "rest", "when": "x > 1"}, {"name": "b", "values": [1], "when": "x > 1"}, {"name": "c", "when": "x + 1"}]"#;
    let complaints = plan::<Split>(&format!(r#"{{"by": "m", "ports": {ports}}}"#)).err().unwrap();
    let paths: Vec<&str> = complaints.iter().map(|complaint| complaint.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/ports/0", "/ports/1/name", "/ports/1/when", "/ports/2/name", "/ports/3", "/ports/4/when"]
    );
    let complaints = plan::<Split>(r#"{"ports": [{"name": "a", "values": [1]}]}"#).err().unwrap();
    assert!(complaints[0].message.contains("`by`"), "{complaints:?}");
}

#[test]
fn rows_come_out_the_same_however_they_are_cut() {
    let config = format!(r#"{{"ports": {WHEN}}}"#);
    let mut bench = Bench::<Split>::open(&config).unwrap();
    let ports: Vec<u32> = [(50.0, "GET"), (150.0, "PUT"), (250.0, "GET"), (350.0, "PUT")]
        .into_iter()
        .map(|(latency_ms, method)| {
            let columns =
                vec![Column::of_f64s("latency_ms", &[latency_ms]), Column::of_categories("method", [method])];
            let outputs = bench.process(batch(&[1], &[], columns)).unwrap();
            (0..3).find(|port| kept(&outputs, *port, 1).is_some()).unwrap()
        })
        .collect();
    assert_eq!(ports, [1, 2, 0, 0]);
}
