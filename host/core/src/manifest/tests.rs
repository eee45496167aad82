//! What components may say of themselves, and what they may not.

use super::*;

const PLAN: &str = r#"{
  "reads": [ { "name": "latency_ms", "kind": "f64s", "optional": true }, { "name": "agent", "kind": "categories", "dictionary": "growing" } ],
  "where": "latency_ms > 100", "keys": ["host"], "across": false,
  "ports": [ { "name": "out", "summary": "counts" } ], "tick": "1s", "delay": "5s",
  "tables": [ { "name": "counts", "by": "key", "size": 8, "expire": "1h" }, { "name": "seen", "by": "name" } ],
  "cut_invariant": true, "colour": "red"
}"#;

#[test]
fn a_manifest_is_read() {
    let text = r#"{"name": "count", "version": "1.2.0", "kind": "aggregate", "requires": [], "config": {"type": "object"},
        "state": {"schema": 3, "migrates": [1, 2], "x": 1}, "homepage": "..."}"#;
    let manifest = parse_manifest(text).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.kind.as_str()), ("count", "aggregate"));
    assert_eq!((manifest.state_schema, manifest.migrates), (3, vec![1, 2]));
    assert_eq!(manifest.warnings.len(), 2, "{:?}", manifest.warnings);
}

#[test]
fn a_plan_is_read() {
    let plan = parse_plan(PLAN).unwrap();
    let reads = plan.reads.unwrap();
    assert_eq!((reads[0].kind, reads[0].optional, reads[0].growing), (ColumnKind::F64s, true, false));
    assert_eq!((reads[1].kind, reads[1].optional, reads[1].growing), (ColumnKind::Categories, false, true));
    assert_eq!((plan.tick_ns, plan.delay_ns), (Some(1_000_000_000), 5_000_000_000));
    assert_eq!(
        (plan.tables[0].by_key, plan.tables[0].size, plan.tables[0].expire_ns),
        (true, Some(8), Some(3_600_000_000_000))
    );
    assert_eq!((plan.tables[1].by_key, plan.tables[1].size), (false, None));
    assert_eq!(plan.warnings, ["plan.colour is not known to this version and has no effect"]);
    assert!(parse_plan("{}").unwrap().reads.is_none());
}

#[test]
fn what_is_wrong_is_named() {
    let manifest = |text| parse_manifest(text).unwrap_err().to_string();
    assert!(manifest("[]").starts_with("describe: must be a JSON object"));
    assert!(manifest("{").starts_with("describe: is not JSON"));
    assert!(manifest(r#"{"name": "a"}"#).starts_with("describe.version: is missing"));
    assert!(
        manifest(r#"{"name": "a", "version": "1", "kind": "filtr"}"#)
            .contains("describe.kind: `filtr` is none of filter")
    );
    let requires = manifest(r#"{"name": "a", "version": "1", "kind": "filter", "requires": ["telepathy"]}"#);
    assert!(requires.contains("no `telepathy`"), "{requires}");
    for (text, begin) in [
        (r#"{"reads": [{"name": "a"}, {"name": "a"}]}"#, "plan.reads: names `a` twice"),
        (r#"{"reads": [{"name": "time"}]}"#, "plan.reads[0].name"),
        (r#"{"reads": [{"name": "a", "kind": "f32"}]}"#, "plan.reads[0].kind: `f32`"),
        (
            r#"{"reads": [{"name": "a", "kind": "f64s", "dictionary": "growing"}]}"#,
            "plan.reads[0].dictionary",
        ),
        (r#"{"keys": [1]}"#, "plan.keys: must be a list of texts"),
        (r#"{"keys": ["time"]}"#, "plan.keys: `time`"),
        (r#"{"tick": "soon"}"#, "plan.tick: `soon` is not a duration"),
        (r#"{"tick": "1us"}"#, "plan.tick: is under 1 ms"),
        (r#"{"tables": [{"name": "t", "size": 0}]}"#, "plan.tables[0].size"),
        (r#"{"tables": [{"name": "t", "by": "row"}]}"#, "plan.tables[0].by"),
        (r#"{"ports": {}}"#, "plan.ports: must be a list"),
        (r#"{"cut_invariant": "yes"}"#, "plan.cut_invariant"),
    ] {
        let error = parse_plan(text).unwrap_err().to_string();
        assert!(error.starts_with(begin), "{error}");
    }
}
