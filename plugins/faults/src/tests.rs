//! The list of faults, its table in README.md and the configuration fit together. What each does is for the host's tests.

use crate::config::{Config, Equals, describe};
use crate::faults::FAULTS;
use crate::poison;
use crate::wit::{Batch, Column, Packed, Triplet, Values};

#[test]
fn the_readme_lists_every_fault_with_what_is_expected() {
    let readme = include_str!("../README.md");
    let listed: Vec<&str> =
        readme.lines().filter(|line| line.matches('|').count() == 5 && line.starts_with("| `")).collect();
    assert_eq!(listed.len(), FAULTS.len());
    for ((name, _, call, expected), line) in FAULTS.iter().zip(listed) {
        let wanted = format!("| `{name}` | {} | {} | ", call.name(), expected.name());
        assert!(line.starts_with(&wanted), "{line} should start with {wanted}");
    }
}

#[test]
fn every_fault_can_be_configured_and_its_plan_is_json() {
    assert!(serde_json::from_str::<serde_json::Value>(&describe()).is_ok());
    for (name, fault, _, _) in FAULTS {
        let config = Config::parse(&format!(r#"{{"fault": "{name}"}}"#)).unwrap();
        assert_eq!(config.fault, *fault);
        assert!(serde_json::from_str::<serde_json::Value>(&config.plan()).is_ok());
    }
    assert_eq!(Config::parse(r#"{"fault": "kindness"}"#).unwrap_err().0, "/fault");
}

#[test]
fn poison_rows_are_found_by_number_and_by_text() {
    let column = |name: &str, values| Column { name: name.to_owned(), values, valid: None };
    let texts = Packed { offsets: [0u32, 1, 1, 2].map(u32::to_le_bytes).concat(), data: b"ab".to_vec() };
    let batch = Batch {
        triplet: Triplet { application: "a".into(), environment: "e".into(), event_type: "t".into() },
        rows: 3,
        time: vec![0; 24],
        keys: Vec::new(),
        columns: vec![
            column("x", Values::F64s([13.0f64, 2.0, 13.0].map(f64::to_le_bytes).concat())),
            column("who", Values::Texts(texts)),
        ],
        extras: Vec::new(),
    };
    let rows = |json: &str| poison::rows(Config::parse(json).unwrap().poison.as_ref(), &batch);
    assert_eq!(rows(r#"{"on_row_value": {"column": "x", "equals": 13}}"#), [0, 2]);
    assert_eq!(rows(r#"{"on_row_value": {"column": "who", "equals": "b"}}"#), [2]);
    assert!(rows(r#"{"on_row_value": {"column": "y", "equals": 13}}"#).is_empty());
    assert_eq!(rows("{}"), [0]);
    assert_eq!(
        Config::parse(r#"{"on_row_value": {"column": "x", "equals": 1}}"#).unwrap().poison.unwrap().equals,
        Equals::Number(1.0)
    );
}
