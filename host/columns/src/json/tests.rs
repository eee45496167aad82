//! What the scanner takes, refuses and makes of it. Scanners live through all inputs of a test: what was learned from one must not change
//! what is made of the next.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Input, Scanner};
use crate::{Limits, OneTable, Rejected, Settings, Tables};

struct World {
    scanner: Scanner,
    tables: Tables,
    router: OneTable,
}

impl World {
    fn new(scanner: Scanner) -> Self {
        let settings = Settings { time_field: Some("time".into()), ..Settings::default() };
        Self { scanner, tables: Tables::new(settings), router: OneTable("t".into()) }
    }

    fn both() -> [Self; 2] {
        [Self::new(Scanner::new()), Self::new(Scanner::portable())]
    }

    fn feed(&mut self, chunk: &[u8], end: bool, rejected: &mut Vec<Rejected>) -> usize {
        let input = Input { chunk, end, arrived_unix_ns: 7, router: &self.router };
        self.scanner.scan(input, &mut self.tables, rejected)
    }

    fn whole(&mut self, body: &[u8]) -> (Vec<Map<String, Value>>, Vec<Rejected>) {
        let mut rejected = Vec::new();
        self.feed(body, true, &mut rejected);
        (self.rows(), rejected)
    }

    /// Rows as cells that are not null.
    fn rows(&mut self) -> Vec<Map<String, Value>> {
        let mut rows = Vec::new();
        for batch in self.tables.take_all() {
            for row in 0..batch.columns.num_rows() {
                let mut cells = Map::new();
                for (field, array) in batch.columns.schema().fields().iter().zip(batch.columns.columns()) {
                    cells.extend(cell(array, row).map(|value| (field.name().clone(), value)));
                }
                rows.push(cells);
            }
        }
        assert_eq!(self.tables.lost_total(), 0);
        rows
    }
}

/// The value of a cell as JSON; none for null.
fn cell(array: &ArrayRef, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => json!(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float64 => json!(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        _ => {
            let coded = array.as_dictionary::<UInt32Type>();
            json!(coded.values().as_string::<i32>().value(coded.keys().value(row) as usize))
        }
    })
}

fn check(input: &str, events: Value, codes: &[&str]) {
    for mut world in World::both() {
        // Twice: the second time all literals are learned.
        for _ in 0..2 {
            let (rows, rejected) = world.whole(input.as_bytes());
            let rows: Vec<Value> = rows.into_iter().map(Value::Object).collect();
            assert_eq!(Value::Array(rows), events, "{input}: {rejected:?}");
            assert_eq!(rejected.iter().map(|bad| bad.code).collect::<Vec<_>>(), codes, "{input}");
        }
    }
}

#[test]
fn learned_literals_never_change_what_a_value_is() {
    // Each line first teaches, then differs in one thing from what was taught.
    check(
        "{\"a\":1,\"b\":2}\n{\"a\":1,\"b\":\"2\"}\n{\"a\":1,\"b\": 3}\n{\"a\":1,\"b\":{\"c\":4}}\n{\"a\":1,\"b\":[5]}\n{\"a\":1,\"b\":null}\n{\"a\":1,\"b\":2}\n",
        json!([{"a":1,"b":"2"},{"a":1,"b":"2"},{"a":1,"b":"3"},{"a":1,"b.c":4},{"a":1,"b":"[5]"},{"a":1},{"a":1,"b":"2"}]),
        &[],
    );
}

#[test]
fn duplicates_are_found_among_learned_literals_too() {
    check(
        "{\"a\":1,\"o\":{\"x\":1},\"b\":1}\n{\"a\":1,\"o\":{\"x\":1},\"b\":1}\n{\"a\":1,\"a\":1}\n{\"a\":1,\"a\":1}{\"o\":{\"x\":1},\"o\":{\"y\":1}}\n{\"o\":{\"x\":1},\"o\":{\"y\":1}}",
        json!([{"a":1,"o.x":1,"b":1},{"a":1,"o.x":1,"b":1}]),
        &["duplicate_key", "duplicate_key", "duplicate_key", "duplicate_key"],
    );
}

#[test]
fn a_learned_row_end_of_lines_is_no_comma_of_an_array() {
    check(
        "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n[{\"a\":4},{\"a\":5},{\"a\":6}]",
        json!([{"a":1},{"a":2},{"a":3},{"a":4},{"a":5},{"a":6}]),
        &[],
    );
    check(
        "{\"a\":1}\n{\"a\":2}\n[{\"a\":4}\n{\"a\":5}\n]{\"a\":6}",
        json!([{"a":1},{"a":2},{"a":4},{"a":6}]),
        &["syntax"],
    );
}

#[test]
fn values_at_every_place_of_a_vector_are_read_alike() {
    for mut world in World::both() {
        for length in (0..100).step_by(if cfg!(miri) { 9 } else { 1 }) {
            let text = "x".repeat(length);
            for text in
                [text.clone(), format!("{text}é"), format!("{text}\\n"), format!("é{text}\\u00e4{text}")]
            {
                let line = format!("{{\"s\":\"{text}\",\"n\":{length}.5,\"k\":-1{length}}}");
                for pad in [0, 80] {
                    let body = format!("{line}\n{}", " ".repeat(pad));
                    let (rows, rejected) = world.whole(body.as_bytes());
                    assert!(rejected.is_empty(), "{body} {rejected:?}");
                    let expected: Value = serde_json::from_str(&line).unwrap();
                    assert_eq!(Value::Object(rows[0].clone()), expected, "{body}");
                }
            }
        }
    }
}

const SAMPLE: &str = concat!(
    "{\"type\":\"r\",\"host\":\"web-1\",\"n\":1,\"f\":0.25,\"time\":\"2026-11-21T23:05:59.5Z\",\"ok\":true,\"t\":\"\\u00e4x\"}\n",
    "{\"host\":\"wäb-2\",\"n\":-22,\"o\":{\"a\":1,\"b\":{\"c\":\"d\"}},\"type\":\"q\",\"l\":[1,\"]\",{\"x\":null}]}\n",
    "{\"host\":\"web-1\",\"n\":,}\n",
    "[{\"n\":18446744073709551615},{\"n\":3,\"n\":4}, {\"host\":null,\"time\":1795302359123}]\n",
    "{\n  \"type\": \"r\",\n  \"host\": \"web-1\"\n}{\"n\":1.5e3}\n",
    "{\"type\":\"r\",\"host\":\"web-1\",\"n\":2,\"f\":0.5,\"time\":\"2026-11-21T23:06:00Z\",\"ok\":false,\"t\":\"\"}\n",
    "{\"type\":\"r\",\"host\":\"web-1\",\"n\":2,\"f\":0.5,\"time\":\"2026-11-21T23:06:00Z\",\"ok\":false,\"t\":\"\"}\n",
    "{\"host\":\"wäb-2\",\"n\":-22,\"o\":{\"a\":1,\"b\":{\"c\":\"d\"}},\"type\":\"q\",\"l\":[]}\n",
);

#[test]
fn cutting_the_input_anywhere_gives_the_same_rows() {
    for (mut world, mut fresh) in World::both().into_iter().zip(World::both()) {
        let (expected, bad) = fresh.whole(SAMPLE.as_bytes());
        let expected_codes: Vec<_> = bad.iter().map(|bad| (bad.line, bad.code)).collect();
        world.whole(SAMPLE.as_bytes());
        for cut in (0..=SAMPLE.len()).step_by(if cfg!(miri) { 113 } else { 1 }) {
            let mut rejected = Vec::new();
            let used = world.feed(&SAMPLE.as_bytes()[..cut], false, &mut rejected);
            world.feed(&SAMPLE.as_bytes()[used..], true, &mut rejected);
            assert_eq!(shown(&world.rows()), shown(&expected), "cut at {cut}");
            assert_eq!(
                rejected.iter().map(|bad| (bad.line, bad.code)).collect::<Vec<_>>(),
                expected_codes,
                "cut at {cut}"
            );
        }
    }
}

/// Numbers as text, since a column that has widened for one input stays so.
fn shown(rows: &[Map<String, Value>]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            let cells = row.iter().map(|(name, value)| match value.as_f64() {
                Some(number) => format!("{name}={number}"),
                None => format!("{name}={value}"),
            });
            cells.collect::<Vec<_>>().join(",")
        })
        .collect()
}

#[test]
fn the_nodes_are_bounded_and_a_flood_of_names_does_no_harm() {
    // Miri has no vectors, and each of its steps takes long: fewer names than the bound there.
    let names = if cfg!(miri) { 600 } else { 20_000 };
    for mut world in World::both() {
        let mut body = String::new();
        for start in 0..names {
            body += &format!("{{\"n{start}\":1,\"{}\":2,\"a\":3}}\n", start % 200);
        }
        let mut rejected = Vec::new();
        world.feed(body.as_bytes(), true, &mut rejected);
        assert_eq!((rejected.len(), world.tables.rows_total()), (0, names));
        world.tables.take_all();
        let (rows, _) = world.whole(b"{\"a\":3}{\"a\":4}");
        assert_eq!(
            rows,
            [json!({"a":3}).as_object().unwrap().clone(), json!({"a":4}).as_object().unwrap().clone()]
        );
    }
}

/// A text of tokens that is often nearly JSON.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"a\":",
        "\"b\":",
        "{\"a\":1",
        "{\"a\":1,\"b\":",
        "\"x\"",
        "1",
        "-2.5",
        "1e3",
        "true",
        "null",
        " ",
        "\n",
        "\"\\u00e4\"",
        "\"ä\"",
        "{\"a\":1,\"b\":2}\n",
        "{\"a\":1,\"o\":{\"x\":",
        "}}\n",
        "\\",
        "\"",
    ]);
    prop::collection::vec(token, 1..14).prop_map(|tokens| tokens.concat())
}

#[test]
fn vectors_and_plain_rust_answer_alike_on_every_input() {
    let worlds = std::cell::RefCell::new(World::both());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: if cfg!(miri) { 40 } else { 20_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(tokens(), 0..90usize), |(text, pad)| {
            let [vectors, plain] = &mut *worlds.borrow_mut();
            let body = format!("{text}{}", " ".repeat(pad));
            let (a, b) = (vectors.whole(body.as_bytes()), plain.whole(body.as_bytes()));
            prop_assert_eq!(a, b, "{}", body);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_table_that_is_full_of_columns_still_takes_rows() {
    let settings = Settings { limits: Limits { columns_max: 1, ..Limits::default() }, ..Settings::default() };
    let mut world =
        World { scanner: Scanner::new(), tables: Tables::new(settings), router: OneTable(Arc::from("t")) };
    let (rows, _) = world.whole("{\"a\":1,\"b\":2,\"c\":\"x\"}\n".repeat(20).as_bytes());
    assert_eq!((rows.len(), rows[19].len()), (20, 1));
}

#[test]
fn keys_without_room_are_passed_over_with_the_same_checks() {
    let limits =
        Limits { columns_max: 2, keys_max: 4, string_bytes_max: 9, depth_max: 3, ..Limits::default() };
    for scanner in [Scanner::new(), Scanner::portable()] {
        let settings =
            Settings { limits: limits.clone(), route_fields: vec!["t".into()], ..Settings::default() };
        let mut world = World { scanner, tables: Tables::new(settings), router: OneTable(Arc::from("t")) };
        world.whole(br#"{"t":"x","a":1,"b":2,"c":3}{"t":"x","d":1}"#);
        let (rows, rejected) = world.whole(
            br#"{"t":"x","e":{"f":[1]},"a":5}{"t":"x","g":"0123456789"}{"t":"x","g":[[[1]]]}{"t":"x","g":1,"b":6}
{"t":"x","g":"\ud800"}
{"t":"x","a":7}"#,
        );
        let rows: Vec<Value> = rows.into_iter().map(Value::Object).collect();
        assert_eq!(rows, [json!({"a":5}), json!({"b":6}), json!({"a":7})]);
        let codes: Vec<_> = rejected.iter().map(|bad| bad.code).collect();
        assert_eq!(codes, ["string_too_long", "too_deep", "syntax"]);
    }
}
