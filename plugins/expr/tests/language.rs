//! The language as its page describes it: one table of expressions and results over one small batch.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use weir_expr::{Bits, Column, Columns, Packed, Source, Values, View, parse};

/// Bytes of the columns that the tests see; every view lies at an odd address.
struct Store(Vec<(&'static str, Kind, Option<Vec<u8>>)>);

enum Kind {
    F64(Vec<u8>),
    S64(Vec<u8>),
    U64(Vec<u8>),
    Time(Vec<u8>),
    Bool(Vec<u8>),
    Text(Vec<u8>, Vec<u8>),
    Category(Vec<u8>, Vec<u8>, Vec<u8>),
}

fn odd<const N: usize>(parts: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    let mut bytes = vec![0];
    parts.into_iter().for_each(|part| bytes.extend(part));
    bytes
}

fn packed(texts: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let ends = texts.iter().scan(0u32, |end, text| {
        *end += text.len() as u32;
        Some(*end)
    });
    (odd(std::iter::once(0).chain(ends).map(u32::to_le_bytes)), texts.concat().into_bytes())
}

fn store() -> Store {
    let (names_offsets, names_data) = packed(&["web", "api"]);
    let (text_offsets, text_data) = packed(&["/a", "/b%c", "", "Ärger"]);
    Store(vec![
        ("f", Kind::F64(odd([1.5f64, -2.0, 0.0, 4.0].map(f64::to_le_bytes))), None),
        ("n", Kind::F64(odd([1.0f64, 2.0, 0.0, 4.0].map(f64::to_le_bytes))), Some(vec![1, 1, 0, 1])),
        ("s", Kind::S64(odd([1i64, -2, 3, i64::MAX].map(i64::to_le_bytes))), None),
        ("u", Kind::U64(odd([1u64, 2, 3, u64::MAX].map(u64::to_le_bytes))), None),
        (
            "time",
            Kind::Time(odd([0i64, 1_000_000_000, 2_000_000_000, 3_000_000_000].map(i64::to_le_bytes))),
            None,
        ),
        ("b", Kind::Bool(vec![1, 0, 1, 0]), Some(vec![1, 1, 0, 0])),
        ("t", Kind::Text(text_offsets, text_data), None),
        (
            "c",
            Kind::Category(
                odd([0u32, 1, 0, 0].map(u32::to_le_bytes)),
                names_offsets.clone(),
                names_data.clone(),
            ),
            Some(vec![1, 1, 1, 0]),
        ),
        (
            "http.host-name",
            Kind::Category(odd([1u32, 1, 0, 0].map(u32::to_le_bytes)), names_offsets, names_data),
            None,
        ),
    ])
}

impl Store {
    fn columns(&self) -> Columns<'_> {
        let mut columns = Columns::new(4);
        for (name, kind, valid) in &self.0 {
            let view = match kind {
                Kind::F64(bytes) => View::F64s(&bytes[1..]),
                Kind::S64(bytes) => View::S64s(&bytes[1..]),
                Kind::U64(bytes) => View::U64s(&bytes[1..]),
                Kind::Time(bytes) => View::Timestamps(&bytes[1..]),
                Kind::Bool(bytes) => View::Bools(Bits::Bytes(bytes)),
                Kind::Text(offsets, data) => View::Texts(Packed { offsets: &offsets[1..], data }),
                Kind::Category(codes, offsets, data) => {
                    View::Categories { codes: &codes[1..], names: Packed { offsets: &offsets[1..], data } }
                }
            };
            columns.add(name, Source { view, valid: valid.as_deref().map(Bits::Bytes) });
        }
        columns
    }
}

/// Each row as text; `-` where there is no value.
fn shown(column: &Column) -> String {
    let row = |row: usize| {
        if column.valid.as_ref().is_some_and(|valid| valid[row] == 0) {
            return "-".to_owned();
        }
        match &column.values {
            Values::Null => "-".into(),
            Values::F64s(values) => format!("{}", values[row]),
            Values::S64s(values) => format!("{}s", values[row]),
            Values::U64s(values) => format!("{}u", values[row]),
            Values::Timestamps(values) => format!("@{}", values[row]),
            Values::Bools(values) => ["false", "true"][values[row] as usize].into(),
            Values::Texts(texts) | Values::Blobs(texts) => {
                String::from_utf8(texts.get(row).to_vec()).unwrap()
            }
            Values::Categories { codes, names } => {
                format!("#{}", String::from_utf8(names.get(codes[row] as usize).to_vec()).unwrap())
            }
        }
    };
    (0..4).map(row).collect::<Vec<_>>().join(" ")
}

fn check(text: &str, wanted: &str) {
    let expr = parse(text).unwrap_or_else(|err| panic!("{text}: {err}"));
    assert_eq!(shown(&expr.eval(&store().columns())), wanted, "{text}");
}

fn refuse(text: &str, wanted: &str) {
    let message = parse(text).err().map_or_else(|| "no error".into(), |err| err.to_string());
    assert!(message.contains(wanted), "{text}: {message}");
}

#[test]
fn arithmetic_keeps_whole_numbers_whole() {
    check("f + 1", "2.5 -1 1 5");
    check("s * 2", "2s -4s 6s -");
    check("s / 2", "0.5 -1 1.5 4611686018427388000");
    check("u - 2", "-1s 0s 1s -");
    check("u + 1", "2u 3u 4u -");
    check("s + u", "2s 0s 6s -");
    check("7 % s", "0s 1s 1s 7s");
    check("-s", "-1s 2s -3s -9223372036854775807s");
    check("1 + 2 * 3 - 4", "3s 3s 3s 3s");
    check("2 - 1 - 1", "0s 0s 0s 0s");
}

#[test]
fn what_has_no_result_is_null() {
    check("1 / f", "0.6666666666666666 -0.5 - 0.25");
    check("s % 0", "- - - -");
    check("n + 1", "2 3 - 5");
    check("t + 1", "- - - -");
    check("sqrt(f)", "1.224744871391589 - 0 2");
    check("log(f) is null", "false true true false");
    check("missing", "- - - -");
    check("c > 3", "- - - -");
}

#[test]
fn comparisons_across_kinds() {
    check("f > 0", "true false false true");
    check("0 < f", "true false false true");
    check("s >= 2.5", "false false true true");
    check("u > s", "false true false true");
    check("u = 18446744073709551615", "false false false true");
    check("s < 18446744073709551615", "true true true true");
    check("time > timestamp('1970-01-01T00:00:01Z')", "false false true true");
    check("time >= 2000000000", "false false true true");
    check("b = true", "true false - -");
    check("t = '/a'", "true false false false");
    check("t < 'Z'", "true true true false");
}

#[test]
fn three_valued_logic() {
    check("b and f > 0", "true false false -");
    check("b or f > 0", "true false - true");
    check("not b", "false true - -");
    check("b is null", "false false true true");
    check("b is not null and n is null", "false false false false");
    check("n > 1 or n <= 1", "true true - true");
    check("not (n > 1) and f < 2 or c = 'api'", "true true - -");
}

#[test]
fn texts_and_categories_are_the_same_language() {
    check("c = 'web'", "true false true -");
    check("c != 'web'", "false true false -");
    check("'web' = c", "true false true -");
    check("c = `http.host-name`", "false true true -");
    check("upper(c)", "#WEB #API #WEB -");
    check("coalesce(c, 'none')", "#web #api #web #none");
    check("length(t)", "2s 4s 0s 5s");
    check("lower(t)", "/a /b%c  ärger");
    check("t like '/_'", "true false false false");
    check("t like '/%'", "true true false false");
    check("t like '%\\%%'", "false true false false");
    check("t like '_rger'", "false false false true");
    check("t not like '/%'", "false false true true");
    check("c starts_with 'w'", "true false true -");
    check("contains(t, 'b%')", "false true false false");
    check("t ends_with 'r'", "false false false true");
    check("concat(c, '-', s)", "web-1 api--2 web-3 -9223372036854775807");
}

#[test]
fn lists() {
    check("s in [1, 3]", "true false true false");
    check("c in ['api', 'x']", "false true false -");
    check("c not in ['api']", "true false true -");
    check("s in [-2, 'x', true, 1.0]", "true true false false");
    check("t in ['a','b','c','d','e','f','g','h','/a']", "true false false false");
    check("s in []", "false false false false");
}

#[test]
fn functions() {
    check("abs(f)", "1.5 2 0 4");
    check("round(f)", "2 -2 0 4");
    check("round(f / 7, 2)", "0.21 -0.29 0 0.57");
    check("min(f, s, n)", "1 -2 0 4");
    check("max(s, u)", "1s 2s 3s 9223372036854775807s");
    check("if(f > 0, s, 0)", "1s 0s 0s 9223372036854775807s");
    check("if(b, 'yes', 'no')", "yes no no no");
    check("coalesce(n, f)", "1 2 0 4");
    check("pow(f, 2)", "2.25 4 0 16");
    check("min(c, t)", "- - - -".replace("- - - -", "/a /b%c  Ärger").as_str());
}

#[test]
fn casts() {
    check("s64(f)", "1s -2s 0s 4s");
    check("u64(f)", "1u - 0u 4u");
    check("f64('1e3')", "1000 1000 1000 1000");
    check("s64(t)", "- - - -");
    check("text(f)", "1.5 -2 0 4");
    check(
        "text(time)",
        "1970-01-01T00:00:00Z 1970-01-01T00:00:01Z 1970-01-01T00:00:02Z 1970-01-01T00:00:03Z",
    );
    check("bool(s)", "true true true true");
    check("timestamp(s)", "@1 @-2 @3 @9223372036854775807");
    check("time + 5", "@5 @1000000005 @2000000005 @3000000005");
    check("time - timestamp('1970-01-01')", "0s 1000000000s 2000000000s 3000000000s");
}

#[test]
fn refusals_name_the_place_and_the_mending() {
    refuse("", "at character 1: expected a value, found the end");
    refuse("a >", "at character 4: expected a value");
    refuse("a b", "at character 3: `b` follows a complete expression");
    refuse("(a", "expected `)` to close the bracket");
    refuse("'abc", "does not end; add '");
    refuse("5ms > 1", "units of measurement");
    refuse("a = null", "write `is null`");
    refuse("1 < a < 3", "comparisons do not chain");
    refuse("1 + 'a'", "write concat(a, b)");
    refuse("'a' > 1", "convert one with");
    refuse("foo(1)", "there is no function `foo`; there are abs");
    refuse("round()", "write round(x)");
    refuse("a like b", "a text in quotes");
    refuse("a is 3", "write `=` to compare");
    refuse("not 3", "`not` wants true or false; this is a number");
    refuse("a in b", "expected `[` after `in`");
    refuse("a ~ 3", "`~` means nothing here");
    refuse("true < false", "no order");
    refuse("if(1, 2, 3)", "the condition is a number");
    refuse("coalesce(1, 'a')", "mixes a number and a text");
    refuse("and", "in backticks");
}

#[test]
fn bounds_hold() {
    refuse(&"(".repeat(100), "nested deeper than 64");
    refuse(&"-".repeat(100), "nested deeper than 64");
    refuse(&"not ".repeat(100), "nested deeper than 64");
    refuse(&format!("1{}", " + 1".repeat(100)), "nested deeper than 64");
    refuse(&"a".repeat(9000), "longer than 8192");
    refuse(&(0..200).map(|n| format!("c{n} = 1")).collect::<Vec<_>>().join(" or "), "more than 128 columns");
    refuse(&vec!["a=1"; 600].join(" or "), "more than 1024 parts");
    parse(&vec!["a = 1"; 250].join(" and ")).unwrap();
}

#[test]
fn columns_are_each_named_once() {
    let expr = parse("a.b > 1 and `odd name` = 'x' or a.b < log and log(x) > time").unwrap();
    assert_eq!(expr.columns(), ["a.b", "odd name", "log", "x", "time"]);
    assert!(expr.is_condition() && !parse("a + 1").unwrap().is_condition());
}
