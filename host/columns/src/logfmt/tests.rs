//! What the decoder of `key=value` lines takes and refuses. Each input is given whole, and cut at each of its bytes.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_schema::DataType;

use super::Decoder;
use crate::{Finished, Input, Limits, OneTable, Rejected, Settings, Tables};

fn decode(input: &[u8], cut: usize, limits: &Limits) -> (Vec<Finished>, Vec<Rejected>) {
    let settings = Settings {
        limits: limits.clone(),
        time_field: Some("time".into()),
        route_fields: vec!["app".into()],
        ..Settings::default()
    };
    let (mut decoder, mut tables) = (Decoder::new(), Tables::new(settings));
    let (router, mut rejected) = (OneTable("t".into()), Vec::new());
    let first = Input { chunk: &input[..cut], end: false, arrived_unix_ns: 7, router: &router };
    let used = decoder.decode(first, &mut tables, &mut rejected);
    let counted = rejected.len();
    let second = Input { chunk: &input[used..], end: true, ..first };
    assert_eq!(decoder.decode(second, &mut tables, &mut rejected), input.len() - used);
    rejected[counted..].iter_mut().for_each(|bad| bad.offset += used);
    assert_eq!(tables.rejected_total(), rejected.len() as u64);
    (tables.take_all(), rejected)
}

/// Time and columns that are not null, texts in quotes.
fn shown(batches: &[Finished]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.columns.num_rows() {
            let mut text = batch.time[row].to_string();
            for (field, array) in batch.columns.schema().fields().iter().zip(batch.columns.columns()) {
                if array.is_null(row) {
                    continue;
                }
                let value = match array.data_type() {
                    DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
                    DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
                    DataType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
                    DataType::Boolean => array.as_boolean().value(row).to_string(),
                    _ => {
                        let coded = array.as_any_dictionary();
                        let code = coded.normalized_keys()[row];
                        format!("{:?}", coded.values().as_string::<i32>().value(code))
                    }
                };
                text += &format!(" {}={value}", field.name());
            }
            rows.push(text);
        }
    }
    rows
}

fn check_within(input: &str, limits: &Limits, rows: &[&str], bad: &[(usize, u64, &str)]) {
    for cut in (0..=input.len()).step_by(if cfg!(miri) { 29 } else { 1 }) {
        let (batches, rejected) = decode(input.as_bytes(), cut, limits);
        let places: Vec<_> = rejected.iter().map(|bad| (bad.offset, bad.line, bad.code)).collect();
        assert_eq!(places, bad, "{input:?} cut at {cut}: {rejected:?}");
        assert_eq!(shown(&batches), rows, "{input:?} cut at {cut}");
    }
}

fn check(input: &str, rows: &[&str], bad: &[(usize, u64, &str)]) {
    check_within(input, &Limits::default(), rows, bad);
}

#[test]
fn values_are_typed_and_quoted_ones_are_texts() {
    check("a=1 b=-2.5 c=true d=x", &["7 a=1 b=-2.5 c=true d=\"x\""], &[]);
    check("\u{feff}a=1\r\n\r\n \t\nb=\"2\"  c\n", &["7 a=1", "7 b=\"2\" c=true"], &[]);
    check(r#"a="x\"y\\\n\u00e4\ud83d\ude00" b="" c= d=null e=ü"#, &[r#"7 a="x\"y\\\nä😀" b="" e="ü""#], &[]);
    check(
        "a=12ms b=007 c=1e999 d=- e=/x?y=z f=1. g=.5",
        &[r#"7 a="12ms" b="007" c="1e999" d="-" e="/x?y=z" f="1." g=".5""#],
        &[],
    );
    check(
        "a=18446744073709551615 b=9223372036854775807 c=1e2 d=-0 e=-0.0",
        &["7 a=18446744073709551615 b=9223372036854775807 c=100.0 d=0 e=-0.0"],
        &[],
    );
    check("app=17 a.b=1 time=2", &["2000000000 a.b=1"], &[]);
    check("time=2026-11-21T23:05:59Z x=1", &["1795302359000000000 x=1"], &[]);
}

#[test]
fn a_bad_line_costs_only_itself() {
    for (bad, code) in [
        ("hello world", "syntax"),
        ("=1", "syntax"),
        ("a=1 =2", "syntax"),
        ("a\"b=1", "syntax"),
        ("a=x\"y\"", "syntax"),
        ("a=\"x", "syntax"),
        ("a=\"x\\\"", "syntax"),
        ("a=\"x\"y", "syntax"),
        ("a=\"\\x\"", "syntax"),
        ("a=\"\\ud800\"", "syntax"),
        ("a=1 a=2", "duplicate_key"),
        ("a=1 a", "duplicate_key"),
        ("a= a=2", "duplicate_key"),
        ("time=noon x=1", "bad_time"),
        ("x=1 app", "bad_route"),
    ] {
        check(&format!("y=1\n{bad}\ny=2"), &["7 y=1", "7 y=2"], &[(4, 2, code)]);
    }
    let (batches, rejected) = decode(b"y=1\ny=\xff\nx\xff=1\ny=2\n", 6, &Limits::default());
    assert_eq!(shown(&batches), ["7 y=1", "7 y=2"]);
    assert_eq!(rejected.iter().map(|bad| bad.code).collect::<Vec<_>>(), ["invalid_utf8"; 2]);
}

#[test]
fn limits_refuse_a_line_and_the_rest_goes_on() {
    let limits = Limits {
        event_bytes_max: 20,
        keys_max: 3,
        string_bytes_max: 9,
        name_bytes_max: 9,
        ..Limits::default()
    };
    for (bad, code) in [
        ("a=1234567890123456789", "event_too_long"),
        ("a=1 b=2 c=3 d=4", "too_many_keys"),
        ("a=abcdefghij", "string_too_long"),
        ("abcdefghij=1", "key_too_long"),
    ] {
        check_within(&format!("{bad}\ny=2"), &limits, &["7 y=2"], &[(0, 1, code)]);
    }
    let endless = "a=".to_owned() + &"x".repeat(1_000) + "\ny=2";
    check_within(&endless, &limits, &["7 y=2"], &[(0, 1, "event_too_long")]);
}

#[test]
fn numbers_are_those_of_the_standard_parser() {
    let mut random = 1u64;
    for _ in 0..if cfg!(miri) { 50 } else { 2_000 } {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (whole, places) = (random >> (random & 63), (random >> 8) as usize % 20);
        let text = format!("{}.{:0places$}", whole % 1_000_000_007, random >> 20, places = places + 1);
        let found = super::value::of(text.as_bytes());
        let super::value::Plain::Value(crate::Value::Float(found)) = found else { panic!("{text}") };
        assert_eq!(found.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
    }
}
