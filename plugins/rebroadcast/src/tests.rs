//! The rebroadcast over a host in memory.

use serde_json::json;
use weir_sdk::column::{PackedExt, U32s};
use weir_sdk::testing::{Bench, batch, kept, plan};
use weir_sdk::{Column, ColumnExt, Forward, Output, Values};

use super::Rebroadcast;

fn columns() -> Vec<Column> {
    let mut method = Column::of_categories("method", ["GET", "PUT", "GET", ""]);
    method.valid = Some(vec![1, 1, 0, 1]);
    vec![method, Column::of_s64s("status", &[200, 404, 500, 200])]
}

fn forwards(config: &str) -> Vec<Forward> {
    let outputs =
        Bench::<Rebroadcast>::open(config).unwrap().process(batch(&[1, 2, 3, 4], &[], columns())).unwrap();
    assert!(outputs.iter().all(|output| matches!(output, Output::Forward(_))));
    assert!((0..outputs.len()).all(|port| kept(&outputs, port as u32, 4).unwrap() == [0, 1, 2, 3]));
    let forward = |output| if let Output::Forward(forward) = output { Some(forward) } else { None };
    outputs.into_iter().filter_map(forward).collect()
}

#[test]
fn every_row_leaves_by_every_port() {
    let forwards = forwards(r#"{"to": ["audit", "billing", "log"]}"#);
    assert_eq!(forwards.iter().map(|forward| forward.port).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(forwards.iter().all(|forward| forward.set.is_empty() && forward.omit.is_empty()));
}

/// The types of the four rows.
fn types(made_of: &str) -> Vec<Option<String>> {
    let forward = forwards(&json!({ "type": made_of, "type_column": "kind" }).to_string()).remove(0);
    let Some(column) = forward.set.first() else {
        assert_eq!(forward.omit, ["kind"]);
        return vec![None; 4];
    };
    assert_eq!(column.name, "kind");
    let Values::Categories(categories) = &column.values else { panic!("not categories") };
    let codes = U32s::new(&categories.codes);
    let name = |row: usize| categories.names.text_at(codes.get(row) as usize).to_owned();
    (0..4).map(|row| column.is_there(row).then(|| name(row))).collect()
}

#[test]
fn a_type_is_made_of_what_fits_into_a_triplet() {
    let some =
        |texts: [&str; 4]| texts.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty())).to_vec();
    assert_eq!(types("method"), some(["get", "put", "", ""]));
    assert_eq!(types("status"), some(["200", "404", "500", "200"]));
    assert_eq!(types("concat('A/b ', status, '*')"), some(["a-b-200-", "a-b-404-", "a-b-500-", "a-b-200-"]));
    assert_eq!(types("gone"), some(["", "", "", ""]));
    let long = "x".repeat(100);
    assert!(
        types(&format!("'{long}'")).iter().all(|made| made.as_ref().is_some_and(|made| made.len() == 64))
    );
}

#[test]
fn a_bad_configuration_is_refused_with_its_places() {
    let config = r#"{"to": ["a", "a", "B"], "type": "1 +", "type_column": "time"}"#;
    let complaints = plan::<Rebroadcast>(config).err().unwrap();
    let paths: Vec<&str> = complaints.iter().map(|complaint| complaint.path.as_str()).collect();
    assert_eq!(paths, ["/to/1", "/to/2", "/type_column", "/type"]);
    assert_eq!(plan::<Rebroadcast>("{}").unwrap().ports.len(), 1);
}
