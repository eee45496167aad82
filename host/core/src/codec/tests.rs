//! What the JSON codec takes, refuses and makes of it. The decoder of a property test lives through all its inputs: what it learned from
//! one must not change what it makes of the next.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Decode, Defaults, FieldNames, Gather, JsonDecoder, Limits, Rejected, Taken, decode_whole};
use crate::batch::{DICTIONARY_ID, Incoming};

const ARRIVED_UNIX_NS: i64 = 1_000_000_000;

struct World {
    decoder: JsonDecoder,
    gather: Gather,
    defaults: Defaults,
}

impl World {
    fn new(limits: Limits) -> Self {
        let mut defaults = Defaults::new("test");
        defaults.triplet = Some("a/b/c".parse().unwrap());
        Self { decoder: JsonDecoder::new(), gather: Gather::new(limits, "test"), defaults }
    }

    fn whole(&mut self, body: &[u8]) -> (Vec<Incoming>, Vec<Rejected>) {
        let mut rejected = Vec::new();
        let taken = decode_whole(
            &mut self.decoder,
            body,
            ARRIVED_UNIX_NS,
            &self.defaults,
            &mut self.gather,
            &mut rejected,
        );
        let batches = self.gather.take_all();
        let rows: usize = batches.iter().map(Incoming::rows).sum();
        assert_eq!(taken, Taken { accepted: rows as u64, rejected: rejected.len() as u64 });
        assert_eq!(self.gather.lost_total(), 0);
        (batches, rejected)
    }
}

fn limits() -> Limits {
    Limits::default()
}

fn codes(rejected: &[Rejected]) -> Vec<&str> {
    rejected.iter().map(|rejected| rejected.code).collect()
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

/// Rows as (triplet, time, cells that are not null).
fn rows(batches: &[Incoming]) -> Vec<(String, i64, Map<String, Value>)> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.rows() {
            let mut cells = Map::new();
            for (field, array) in batch.columns.schema().fields().iter().zip(batch.columns.columns()) {
                cells.extend(cell(array, row).map(|value| (field.name().clone(), value)));
            }
            rows.push((batch.triplet.to_string(), batch.time[row], cells));
        }
    }
    rows
}

fn check(input: &str, events: Value, expected_codes: &[&str]) {
    let (batches, rejected) = World::new(limits()).whole(input.as_bytes());
    let events_found: Vec<Value> =
        rows(&batches).into_iter().map(|(_, _, cells)| Value::Object(cells)).collect();
    assert_eq!(Value::Array(events_found), events, "{input}: {rejected:?}");
    assert_eq!(codes(&rejected), expected_codes, "{input}: {rejected:?}");
}

#[test]
fn lines_arrays_and_concatenated_objects_are_events() {
    let two = json!([{"x": 1}, {"x": 2}]);
    for input in [
        "{\"x\":1}\n{\"x\":2}\n",
        "{\"x\":1}\r\n\r\n  {\"x\":2}",
        "{\"x\":1}{\"x\":2}",
        "[{\"x\":1},{\"x\":2}]",
        " [ {\"x\" : 1 }\n,\n { \"x\":2} ] \n",
        "\u{feff}{\"x\":1}[{\"x\":2}][]",
        "{\n  \"x\": 1\n}\n{\n  \"x\": 2\n}\n",
    ] {
        check(input, two.clone(), &[]);
    }
    check("", json!([]), &[]);
    check("{}", json!([{}]), &[]);
}

#[test]
fn values_become_columns() {
    check(
        r#"{"i":-5,"u":18446744073709551615,"f":1.5e3,"b":true,"s":"a\u00e4\n\ud83d\ude00","n":null,"o":{"p":{"q":1},"e":{}},"l":[1, {"a":"]"}]}"#,
        json!([{"i": -5, "u": 18446744073709551615u64, "f": 1500.0, "b": true, "s": "aä\n😀", "o.p.q": 1, "l": "[1, {\"a\":\"]\"}]"}]),
        &[],
    );
    check(r#"{"x":123456789012345678901234567890}"#, json!([{"x": 123456789012345678901234567890f64}]), &[]);
    check(r#"{"x":{"time":1}}"#, json!([{"x.time": 1}]), &[]);
}

#[test]
fn types_widen_and_mixes_become_text() {
    check("{\"x\":1}{\"x\":2.5}", json!([{"x": 1.0}, {"x": 2.5}]), &[]);
    check("{\"x\":1}{\"x\":9223372036854775808}", json!([{"x": 1}, {"x": 9223372036854775808u64}]), &[]);
    check("{\"x\":-1}{\"x\":9223372036854775808}", json!([{"x": -1.0}, {"x": 9223372036854775808f64}]), &[]);
    check("{\"x\":9223372036854775808}{\"x\":-1}", json!([{"x": 9223372036854775808f64}, {"x": -1.0}]), &[]);
    check(
        "{\"x\":1}{\"y\":0}{\"x\":\"a\"}{\"x\":true}",
        json!([{"x": "1"}, {"y": 0}, {"x": "a"}, {"x": "true"}]),
        &[],
    );
    check("{\"x\":\"a\"}{\"x\":1.5}{\"x\":[1]}", json!([{"x": "a"}, {"x": "1.5"}, {"x": "[1]"}]), &[]);
    let mut world = World::new(limits());
    world.whole(b"{\"x\":1}");
    world.whole(b"{\"x\":2.5}");
    world.whole(b"{\"x\":\"a\",\"y\":1}");
    let (batches, _) = world.whole(b"{\"y\":1}");
    assert_eq!(batches[0].columns.schema().field(0).data_type().to_string(), "Dictionary(UInt32, Utf8)");
    let (triplet, counters) = world.gather.drain_counters().remove(0);
    assert_eq!(
        (triplet.as_str(), counters.rows, counters.widened, counters.mixed_to_text, counters.schema_changes),
        ("a/b/c", 4, 1, 1, 2)
    );
    assert!(world.gather.drain_counters().is_empty());
}

#[test]
fn a_bad_event_costs_only_itself() {
    for (bad, code) in [
        ("{\"x\":}", "syntax"),
        ("{\"x\":1,}", "syntax"),
        ("{\"x\":01}", "syntax"),
        ("{\"x\":1", "syntax"),
        ("{x:1}", "syntax"),
        ("{\"x\":NaN}", "syntax"),
        ("{\"x\":\"\\ud800\"}", "syntax"),
        ("nonsense", "not_an_object"),
        ("17", "not_an_object"),
        ("]", "not_an_object"),
        ("{\"x\":1,\"x\":2}", "duplicate_key"),
        ("{\"x\":null,\"x\":2}", "duplicate_key"),
        ("{\"a\":{\"b\":1},\"a.b\":2}", "duplicate_key"),
        ("{\"x\":1e999}", "number_out_of_range"),
        ("{\"time\":\"yesterday\"}", "bad_time"),
        ("{\"time\":true}", "bad_time"),
        ("{\"application\":5}", "bad_triplet"),
        ("{\"application\":\"a/b\"}", "bad_triplet"),
    ] {
        let input = format!("{{\"y\":1}}\n{bad}\n{{\"y\":2}}\n");
        check(&input, json!([{"y": 1}, {"y": 2}]), &[code]);
    }
    check(
        "[{\"y\":1},{\"x\":1,\"x\":1},5,{\"y\":2}]",
        json!([{"y": 1}, {"y": 2}]),
        &["duplicate_key", "not_an_object"],
    );
    check(
        "[\n{\"y\":1},\n{\"x\":},\n{\"y\":2}\n]\n{\"y\":3}",
        json!([{"y": 1}, {"y": 2}, {"y": 3}]),
        &["syntax"],
    );
    check("{\n \"x\": 1,\n \"y\": x,\n \"z\": 1\n}\n{\"y\":2}\n", json!([{"y": 2}]), &["syntax"]);
    check("{\"y\":1}\n{\"y\":", json!([{"y": 1}]), &["cut_off"]);
    check("[{\"y\":1}", json!([{"y": 1}]), &["cut_off"]);
}

#[test]
fn a_rejected_row_says_where_and_leaves_nothing_behind() {
    let mut world = World::new(limits());
    let (_, rejected) =
        world.whole(b"{\"y\":1}\n\n{\"new\":\"text\",\"y\":1.5,\"y\":1}\n{\"y\":\xff}\n{\"y\":\"\xff\"}");
    let places: Vec<_> = rejected.iter().map(|bad| (bad.offset, bad.length, bad.line, bad.code)).collect();
    assert_eq!(places, [(9, 28, 3, "duplicate_key"), (38, 7, 4, "syntax"), (46, 9, 5, "invalid_utf8")]);
    assert_eq!(rejected[0].message, "key `y` stands twice in the event");
    let (batches, _) = world.whole(b"{\"y\":2}");
    assert_eq!(rows(&batches)[0].2, *json!({"y": 2}).as_object().unwrap());
    assert_eq!(batches[0].columns.num_columns(), 1);
}

#[test]
fn limits_refuse_an_event_and_the_rest_goes_on() {
    let small = Limits {
        event_bytes_max: 200,
        depth_max: 4,
        keys_max: 5,
        name_bytes_max: 20,
        string_bytes_max: 100,
        columns_max: 3,
        tables_max: 2,
        ..limits()
    };
    let long = "x".repeat(101);
    for (event, code) in [
        ("{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}".to_owned(), "too_deep"),
        ("{\"a\":[[[[1]]]]}".to_owned(), "too_deep"),
        ("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1}".to_owned(), "too_many_keys"),
        ("{\"abcdefghijk\":{\"abcdefghijk\":1}}".to_owned(), "key_too_long"),
        (format!("{{\"a\":\"{long}\"}}"), "string_too_long"),
        (format!("{{\"a\":\"{}\",\"b\":\"{}\"}}", &long[..99], &long[..99]), "event_too_long"),
    ] {
        let mut world = World::new(small.clone());
        let (batches, rejected) = world.whole(format!("{event}{{\"a\":1}}").as_bytes());
        assert_eq!((codes(&rejected), rows(&batches).len()), (vec![code], 1), "{event}");
    }
    let mut world = World::new(small);
    let (batches, rejected) =
        world.whole(b"{\"a\":1,\"b\":1}{\"c\":1,\"d\":1,\"e\":2}{\"type\":\"x\"}{\"type\":\"y\"}{\"d\":3}");
    assert_eq!(codes(&rejected), ["too_many_streams"]);
    assert_eq!(rows(&batches)[1].2, *json!({"c": 1}).as_object().unwrap());
    assert_eq!(world.gather.drain_counters()[0].1.columns_over_limit, 3);
}

#[test]
fn an_endless_event_is_dropped_to_the_next_line() {
    let mut world = World::new(Limits { event_bytes_max: 100, ..limits() });
    let mut rejected = Vec::new();
    let mut held = Vec::new();
    for piece in std::iter::repeat_n(&b"{\"a\":[1,1,1,1,1,"[..], 100).chain([&b"\n{\"a\":1}\n"[..]]) {
        held.extend_from_slice(piece);
        let used = world.decoder.decode(&held, false, 0, &world.defaults, &mut world.gather, &mut rejected);
        held.drain(..used);
        assert!(held.len() <= 200);
    }
    assert_eq!((codes(&rejected), world.gather.rows_total()), (vec!["event_too_long"], 1));
}

#[test]
fn the_triplet_comes_from_fields_anywhere_or_from_the_source() {
    let mut world = World::new(limits());
    let (batches, rejected) = world.whole(
        br#"{"x":1}{"x":2,"type":"t"}{"y":1,"environment":"e","application":"p"}{"type":"t","x":3}{"x":4,"type":null}{"y":5,"type":"c"}"#,
    );
    assert!(rejected.is_empty(), "{rejected:?}");
    let mut found: Vec<String> =
        rows(&batches).iter().map(|(triplet, _, cells)| format!("{triplet} {}", json!(cells))).collect();
    found.sort();
    let expected = [
        "a/b/c {\"x\":1}",
        "a/b/c {\"x\":4}",
        "a/b/c {\"y\":5}",
        "a/b/t {\"x\":2}",
        "a/b/t {\"x\":3}",
        "p/e/c {\"y\":1}",
    ];
    assert_eq!(found, expected);
    // Columns of one stream do not leak into another.
    let other = batches.iter().find(|batch| batch.triplet.as_str() == "p/e/c").unwrap();
    assert_eq!(other.columns.schema().fields().len(), 1);
}

#[test]
fn a_stream_that_the_source_may_not_write_is_refused() {
    let mut world = World::new(limits());
    world.defaults.may_write = vec!["a/b/*".parse().unwrap()];
    let (batches, rejected) =
        world.whole(br#"{"x":1}{"application":"z","x":1}{"type":"t"}{"application":"z","x":1}"#);
    assert_eq!((rows(&batches).len(), codes(&rejected)), (2, vec!["not_allowed"; 2]));
    world.defaults.may_write.clear();
    assert_eq!(codes(&world.whole(b"{\"x\":1}").1), ["not_allowed"]);
    world.defaults.triplet = None;
    assert_eq!(codes(&world.whole(b"{\"x\":1}").1), ["no_triplet"]);
}

#[test]
fn the_time_comes_from_its_field_or_is_that_of_arrival() {
    let mut world = World::new(limits());
    let (batches, _) = world.whole(
        br#"{}{"time":null}{"time":"2026-11-21T23:05:59Z"}{"time":1795302359}{"time":1795302359000.5}"#,
    );
    let times: Vec<i64> = rows(&batches).iter().map(|row| row.1).collect();
    let at_ns = 1_795_302_359_000_000_000;
    assert_eq!(times, [ARRIVED_UNIX_NS, ARRIVED_UNIX_NS, at_ns, at_ns, at_ns + 500_000]);
    world.defaults.fields = FieldNames { time: "ts".into(), ..FieldNames::default() };
    let (batches, _) = world.whole(br#"{"ts":1,"time":5}"#);
    assert_eq!(
        rows(&batches)[0],
        ("a/b/c".to_owned(), 1_000_000_000, json!({"_time": 5}).as_object().unwrap().clone())
    );
}

#[test]
fn a_dictionary_keeps_its_identity_and_only_grows() {
    let mut world = World::new(limits());
    let first = world.whole(b"{\"x\":\"a\"}{\"x\":\"b\"}").0.remove(0);
    let second = world.whole(b"{\"x\":\"b\"}{\"x\":\"c\"}").0.remove(0);
    assert!(std::sync::Arc::ptr_eq(&first.columns.schema(), &second.columns.schema()));
    assert!(first.columns.schema().field(0).metadata().contains_key(DICTIONARY_ID));
    let coded = second.columns.column(0).as_dictionary::<UInt32Type>();
    assert_eq!((coded.keys().values().to_vec(), coded.values().len()), (vec![1, 2], 3));
}

#[test]
fn names_that_do_not_repeat_become_plain_text_and_large_dictionaries_begin_anew() {
    let mut world = World::new(Limits { dictionary_bytes_max: 1_000, ..limits() });
    let body = (0..1_000).fold(String::new(), |mut body, row| {
        let _ = writeln!(body, "{{\"unique\":\"{row}\",\"repeats\":\"{:0200}\"}}", row % 10);
        body
    });
    let batch = world.whole(body.as_bytes()).0.remove(0);
    assert_eq!(*batch.columns.schema().field(0).data_type(), DataType::Utf8);
    assert_eq!(cell(batch.columns.column(0), 999), Some(json!("999")));
    assert_eq!(cell(batch.columns.column(1), 999), Some(json!(format!("{:0200}", 9))));
    let counters = world.gather.drain_counters().remove(0).1;
    assert_eq!((counters.dictionaries_to_text, counters.dictionaries_replaced), (1, 1));
}

#[test]
fn a_batch_is_full_by_rows_and_due_by_age() {
    let mut world = World::new(Limits { batch_rows_max: 3, ..limits() });
    let mut rejected = Vec::new();
    let World { decoder, gather, defaults } = &mut world;
    decoder.decode(b"{}{}{}{}{}{}{}{\"type\":\"x\"}", false, 100, defaults, gather, &mut rejected);
    assert_eq!(gather.take_full().iter().map(Incoming::rows).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(gather.next_due_unix_ns(), Some(5_000_100));
    assert!(gather.take_due(5_000_099).is_empty());
    assert_eq!(gather.take_due(5_000_100).len(), 2);
    assert_eq!((gather.next_due_unix_ns(), gather.take_all().len()), (None, 0));
}

#[test]
fn many_bad_lines_are_counted_but_not_all_kept() {
    let mut world = World::new(limits());
    let mut rejected = Vec::new();
    let taken = decode_whole(
        &mut world.decoder,
        "x\n".repeat(5_000).as_bytes(),
        0,
        &world.defaults,
        &mut world.gather,
        &mut rejected,
    );
    assert_eq!((taken.rejected, rejected.len(), rejected[999].line), (5_000, 1_000, 1_000));
}

const SAMPLE: &str = concat!(
    "{\"type\":\"r\",\"host\":\"web-1\",\"n\":1,\"f\":0.25,\"time\":\"2026-11-21T23:05:59.5Z\",\"ok\":true,\"t\":\"\\u00e4x\"}\n",
    "{\"host\":\"wäb-2\",\"n\":-22,\"o\":{\"a\":1,\"b\":{\"c\":\"d\"}},\"type\":\"q\",\"l\":[1,\"]\",{\"x\":null}]}\n",
    "{\"host\":\"web-1\",\"n\":,}\n",
    "[{\"n\":18446744073709551615},{\"n\":3,\"n\":4}, {\"host\":null,\"time\":1795302359123}]\n",
    "{\n  \"type\": \"r\",\n  \"host\": \"web-1\"\n}{\"n\":1.5e3}\n",
    "{\"type\":\"r\",\"host\":\"web-1\",\"n\":2,\"f\":0.5,\"time\":\"2026-11-21T23:06:00Z\",\"ok\":false,\"t\":\"\"}\n",
);

#[test]
fn cutting_the_input_anywhere_gives_the_same_rows() {
    let (whole, rejected) = World::new(limits()).whole(SAMPLE.as_bytes());
    assert_eq!(codes(&rejected), ["syntax", "duplicate_key"]);
    let expected = rows(&whole);
    for cut in 0..=SAMPLE.len() {
        let mut world = World::new(limits());
        let mut bad = Vec::new();
        let (first, _) = SAMPLE.as_bytes().split_at(cut);
        let World { decoder, gather, defaults } = &mut world;
        let used = decoder.decode(first, false, ARRIVED_UNIX_NS, defaults, gather, &mut bad);
        decoder.decode(&SAMPLE.as_bytes()[used..], true, ARRIVED_UNIX_NS, defaults, gather, &mut bad);
        assert_eq!(rows(&gather.take_all()), expected, "cut at {cut}");
        assert_eq!(codes(&bad), codes(&rejected), "cut at {cut}");
    }
    let mut world = World::new(limits());
    let (mut held, mut bad) = (Vec::new(), Vec::new());
    let World { decoder, gather, defaults } = &mut world;
    for byte in SAMPLE.as_bytes() {
        held.push(*byte);
        let used = decoder.decode(&held, false, ARRIVED_UNIX_NS, defaults, gather, &mut bad);
        held.drain(..used);
    }
    decoder.decode(&held, true, ARRIVED_UNIX_NS, defaults, gather, &mut bad);
    assert_eq!((rows(&gather.take_all()), codes(&bad)), (expected, codes(&rejected)));
}

/// What serde_json makes of an event, flattened like the codec does it.
fn flatten(prefix: &str, object: &Map<String, Value>, into: &mut Map<String, Value>) {
    for (key, value) in object {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(object) => flatten(&format!("{name}."), object, into),
            Value::Null => {}
            value => {
                into.insert(name, value.clone());
            }
        }
    }
}

/// Equal up to what widening and mixing may do to a value.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            found == expected || close(found.as_f64(), expected.as_f64())
        }
        (Value::String(text), Value::Array(_)) => serde_json::from_str::<Value>(text).is_ok(),
        (Value::String(text), Value::Number(number)) => close(text.parse().ok(), number.as_f64()),
        (Value::String(text), Value::Bool(value)) => *text == value.to_string(),
        (found, expected) => found == expected,
    }
}

/// serde_json without `float_roundtrip` may miss the nearest float by one step.
fn close(a: Option<f64>, b: Option<f64>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a == b || (a - b).abs() <= a.abs() * 1e-15)
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|value| json!(value)),
        any::<u64>().prop_map(|value| json!(value)),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| json!(value)),
        any::<bool>().prop_map(|value| json!(value)),
        Just(Value::Null),
        ".{0,12}".prop_map(|value| json!(value)),
        "[ab]{1,2}".prop_map(|value| json!(value)),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let value = leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("[a-e]{1,2}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    });
    prop::collection::vec(("[a-h]{1,2}|é\"", value), 0..8)
        .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
}

#[test]
fn generated_events_have_the_values_that_serde_json_sees() {
    let world = std::cell::RefCell::new(World::new(limits()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&prop::collection::vec((event(), any::<bool>()), 1..4), |events| {
            let mut input = String::new();
            for (event, pretty) in &events {
                input +=
                    &if *pretty { serde_json::to_string_pretty(event).unwrap() } else { event.to_string() };
                input += "\n";
            }
            let (batches, rejected) = world.borrow_mut().whole(input.as_bytes());
            prop_assert!(rejected.is_empty(), "{input} {rejected:?}");
            for ((event, _), (_, _, cells)) in events.iter().zip(rows(&batches)) {
                let mut expected = Map::new();
                flatten("", event.as_object().unwrap(), &mut expected);
                let extra = cells
                    .iter()
                    .find(|(name, found)| !expected.get(*name).is_some_and(|value| same(found, value)));
                prop_assert!(extra.is_none(), "{extra:?} of {event}");
                // Values over the bound of columns are dropped, and only those.
                prop_assert!(
                    cells.len() == expected.len() || batches[0].columns.num_columns() == 256,
                    "{event}"
                );
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn mutated_lines_never_panic_and_are_taken_only_where_serde_json_takes_them() {
    let world = std::cell::RefCell::new(World::new(limits()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let line =
        prop::sample::select(SAMPLE.lines().filter(|line| line.starts_with("{\"")).collect::<Vec<_>>());
    let changes = prop::collection::vec(
        (
            any::<prop::sample::Index>(),
            prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\0-.e \n".to_vec())],
        ),
        0..4,
    );
    runner
        .run(&(line, changes, 0..3u8), |(line, changes, how)| {
            let mut bytes = line.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            let (batches, rejected) = world.borrow_mut().whole(&bytes);
            let objects: Result<Vec<Value>, _> =
                serde_json::Deserializer::from_slice(&bytes).into_iter().collect();
            let accepted = objects.as_ref().is_ok_and(|values| values.iter().all(Value::is_object));
            if rejected.is_empty() {
                prop_assert!(accepted, "taken: {:?} {objects:?}", String::from_utf8_lossy(&bytes));
                prop_assert_eq!(rows(&batches).len(), objects.unwrap().len());
            } else if accepted {
                let own = ["duplicate_key", "bad_time", "bad_triplet"];
                prop_assert!(
                    rejected.iter().all(|bad| own.contains(&bad.code)),
                    "refused: {:?} {rejected:?}",
                    String::from_utf8_lossy(&bytes)
                );
            }
            // A good line after any bad one is taken whole.
            let (after, rejected) = world.borrow_mut().whole(b"{\"n\":7,\"type\":\"r\"}");
            prop_assert!(rejected.is_empty() && rows(&after).len() == 1);
            Ok(())
        })
        .unwrap();
}

#[test]
fn random_bytes_in_random_pieces_never_panic_and_cost_no_later_line() {
    let world = std::cell::RefCell::new(World::new(limits()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u0-1.e \ntrue".to_vec())];
    runner
        .run(&prop::collection::vec(prop::collection::vec(byte, 0..40), 0..6), |pieces| {
            let mut world = world.borrow_mut();
            let World { decoder, gather, defaults } = &mut *world;
            let (mut held, mut rejected) = (Vec::new(), Vec::new());
            for piece in pieces {
                held.extend_from_slice(&piece);
                let used = decoder.decode(&held, false, 0, defaults, gather, &mut rejected);
                prop_assert!(used <= held.len());
                held.drain(..used);
            }
            decoder.decode(&held, true, 0, defaults, gather, &mut rejected);
            gather.take_all();
            Ok(())
        })
        .unwrap();
}

#[test]
fn floats_are_read_to_the_last_bit() {
    let mut world = World::new(limits());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let world = std::cell::RefCell::new(&mut world);
    runner
        .run(&"-?(0|[1-9][0-9]{0,18})\\.[0-9]{1,20}(e[-+]?[0-9]{1,3})?", |text| {
            let expected: f64 = text.parse().unwrap();
            prop_assume!(expected.is_finite());
            let (batches, _) = world.borrow_mut().whole(format!("{{\"x\":{text}}}").as_bytes());
            let found = batches[0].columns.column(0).as_primitive::<Float64Type>().value(0);
            prop_assert_eq!(found.to_bits(), expected.to_bits());
            Ok(())
        })
        .unwrap();
}
