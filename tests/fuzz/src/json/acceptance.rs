//! The acceptance table of JSON: each line is given to a decoder that has learned nothing, to one that lived through all lines before, and to one that gets it byte by byte.
//! Where serde_json decides otherwise the table says so, and this test with it.

use serde_json::{Map, Value, json};

use crate::subject::{Cell, Codec, Output, Subject, feed_all};

const TABLE: &str = include_str!("../../json-acceptance.tsv");

/// Taken by serde_json and refused by us, because of what only we look at.
const OURS: [&str; 5] = ["duplicate_key", "bad_triplet", "bad_time", "not_an_object", "number_out_of_range"];

struct Line<'a> {
    verdict: &'a str,
    input: Vec<u8>,
    rows: Vec<Map<String, Value>>,
    text: &'a str,
}

/// `⟨ff⟩` as the byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut pieces = text.split('⟨');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_once('⟩').unwrap();
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

fn lines() -> Vec<Line<'static>> {
    let parse = |text: &'static str| {
        let [verdict, input, rows, _why] = text.split('\t').collect::<Vec<_>>()[..] else { panic!("{text}") };
        let rows = rows.split(';').filter(|row| !row.is_empty());
        let rows = rows.map(|row| serde_json::from_str(row).unwrap()).collect();
        Line { verdict, input: bytes(input), rows, text }
    };
    TABLE.lines().filter(|line| !line.starts_with('#')).map(parse).collect()
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Int(value) | Cell::Time(value) => json!(value),
        Cell::UInt(value) => json!(value),
        Cell::Float(value) => json!(value),
        Cell::Bool(value) => json!(value),
        Cell::Text(value) => json!(value),
        Cell::Bytes(value) => json!(value),
    }
}

fn rows(output: &Output) -> Vec<Map<String, Value>> {
    let row = |row: &crate::subject::Row| {
        row.cells.iter().map(|(name, cell)| (name.clone(), value(cell))).collect()
    };
    output.rows.values().flatten().map(row).collect()
}

fn check(line: &Line<'_>, subject: &mut dyn Subject, typed: bool, cuts: &[usize]) {
    let output = feed_all(subject, &line.input, cuts).unwrap();
    let codes: Vec<&str> = output.rejected.iter().map(|bad| bad.code.as_str()).collect();
    match line.verdict.strip_prefix("refuse ") {
        Some(code) => assert_eq!(codes.last(), Some(&code), "{}", line.text),
        None => {
            assert!(codes.is_empty(), "{}: {codes:?}", line.text);
            let found = rows(&output);
            assert_eq!(found.len(), line.rows.len(), "{}", line.text);
            assert!(!typed || found == line.rows, "{}: {found:?}", line.text);
        }
    }
}

#[test]
fn each_line_of_the_table_is_what_it_says() {
    let make = || Codec::new("json").unwrap();
    let mut old = make();
    for line in lines() {
        let every: Vec<usize> = (1..line.input.len()).collect();
        check(&line, &mut make(), true, &[]);
        check(&line, &mut make(), true, &every);
        // Columns of one that lived have the types of all lines before.
        check(&line, &mut old, false, &[]);
        check(&line, &mut old, false, &every);
    }
}

#[test]
fn serde_json_agrees_where_the_table_does_not_say_otherwise() {
    for line in lines() {
        let input = line.input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line.input);
        let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(input).into_iter().collect();
        match line.verdict.strip_prefix("refuse ") {
            None => assert!(values.is_ok() || line.text.contains("1e999"), "{}: {values:?}", line.text),
            Some(code) => assert!(values.is_err() || OURS.contains(&code), "{}", line.text),
        }
    }
}
