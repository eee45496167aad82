//! The filter over a host in memory.

use weir_sdk::testing::{Bench, batch, kept, plan};
use weir_sdk::{Column, ColumnExt};

use super::{Filter, OUT, REST};

fn check(keep: &str, out: &[u32], rest: &[u32]) {
    let config = serde_json::json!({ "keep": keep }).to_string();
    let columns = vec![
        Column::of_f64s("latency_ms", &[50.0, 150.0, 250.0, 350.0]),
        Column::of_categories("method", ["GET", "PUT", "GET", "PUT"]),
    ];
    let outputs =
        Bench::<Filter>::open(&config).unwrap().process(batch(&[1, 2, 3, 4], &[], columns)).unwrap();
    assert_eq!(kept(&outputs, OUT, 4).unwrap_or_default(), out, "{keep}");
    assert_eq!(kept(&outputs, REST, 4).unwrap_or_default(), rest, "{keep}");
}

#[test]
fn rows_part_by_the_condition() {
    check("latency_ms > 100", &[1, 2, 3], &[0]);
    check("latency_ms > 100 and method = 'GET'", &[2], &[0, 1, 3]);
    check("method in ['PUT', 'POST'] or time = 1", &[0, 1, 3], &[2]);
}

#[test]
fn all_or_none_is_one_output() {
    check("latency_ms > 0", &[0, 1, 2, 3], &[]);
    check("latency_ms > 1000", &[], &[0, 1, 2, 3]);
}

#[test]
fn what_cannot_be_computed_is_not_kept() {
    check("missing > 0", &[], &[0, 1, 2, 3]);
    check("method > 3", &[], &[0, 1, 2, 3]);
    check("not (missing > 0)", &[], &[0, 1, 2, 3]);
    check("missing is null", &[0, 1, 2, 3], &[]);
}

#[test]
fn it_reads_only_the_columns_of_the_expression() {
    let planned =
        plan::<Filter>(r#"{"keep": "a.b > 1 and `odd name` = 'x' and time > 0 and a.b < 9"}"#).unwrap();
    let names: Vec<String> = planned.reads.unwrap().into_iter().map(|read| read.name).collect();
    assert_eq!(names, ["a.b", "odd name"]);
}

#[test]
fn a_bad_configuration_is_refused_with_place_and_mending() {
    for (config, wanted) in [
        (r#"{"keep": "latency_ms >"}"#, "at character 13: expected a value, found the end"),
        (r#"{"keep": "latency_ms + 1"}"#, "not true or false"),
        (r#"{"kep": "x"}"#, "unknown field `kep`"),
    ] {
        let message = plan::<Filter>(config).unwrap_err().remove(0).message;
        assert!(message.contains(wanted), "{message}");
    }
}
