//! What the MessagePack decoder takes and refuses, by bytes written by hand. Each input is given whole, and cut at each of its bytes.

use arrow_array::Array;
use arrow_array::cast::AsArray;

use super::Decoder;
use crate::{Finished, Input, Limits, OneTable, Rejected, Settings, Tables};

fn settings(limits: Limits) -> Settings {
    Settings { limits, time_field: Some("time".into()), ..Settings::default() }
}

/// Gives the input in two pieces.
fn decode(input: &[u8], cut: usize, limits: &Limits) -> (Vec<Finished>, Vec<Rejected>) {
    let (mut decoder, mut tables) = (Decoder::new(), Tables::new(settings(limits.clone())));
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

/// One line for each row: time and columns that are not null.
fn shown(batches: &[Finished]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.columns.num_rows() {
            let mut text = batch.time[row].to_string();
            for (field, array) in batch.columns.schema().fields().iter().zip(batch.columns.columns()) {
                if !array.is_null(row) {
                    let cell = array.slice(row, 1);
                    let value = match cell.as_any_dictionary_opt() {
                        Some(coded) => {
                            let code = coded.normalized_keys()[0];
                            coded.values().as_string::<i32>().value(code).to_owned()
                        }
                        // The last word of how Arrow shows an array of one.
                        None => {
                            let text = format!("{cell:?}");
                            let words =
                                text.split(['\n', '[', ']', ' ', ',']).filter(|word| !word.is_empty());
                            words.fold(String::new(), |_, word| word.to_owned())
                        }
                    };
                    text += &format!(" {}={value}", field.name());
                }
            }
            rows.push(text);
        }
    }
    rows
}

fn check_within(input: &[u8], limits: &Limits, rows: &[&str], bad: &[(usize, &str)]) {
    for cut in (0..=input.len()).step_by(if cfg!(miri) { 29 } else { 1 }) {
        let (batches, rejected) = decode(input, cut, limits);
        let places: Vec<_> = rejected.iter().map(|bad| (bad.offset, bad.code)).collect();
        assert_eq!(places, bad, "cut at {cut}: {rejected:?}");
        assert_eq!(shown(&batches), rows, "cut at {cut}");
    }
}

fn check(input: &[u8], rows: &[&str], bad: &[(usize, &str)]) {
    check_within(input, &Limits::default(), rows, bad);
}

#[test]
fn maps_are_events_one_behind_the_other_and_in_arrays() {
    check(
        b"\x81\xa1x\x01\x81\xa1x\x02\x92\x81\xa1x\x03\x81\xa1x\x04\x90\x80",
        &["7 x=1", "7 x=2", "7 x=3", "7 x=4", "7"],
        &[],
    );
}

#[test]
fn every_type_becomes_what_the_table_says() {
    check(
        b"\x86\xa1a\xff\xa1b\xd3\x80\0\0\0\0\0\0\0\xa1c\xc3\xa1d\xc0\xa1e\xca\x3f\xc0\0\0\xa1f\xd9\x02hi",
        &["7 a=-1 b=-9223372036854775808 c=true e=1.5 f=hi"],
        &[],
    );
    check(b"\x81\xa1u\xcf\xff\xff\xff\xff\xff\xff\xff\xff", &["7 u=18446744073709551615"], &[]);
    check(b"\x82\x05\x01\xcc\xff\x02", &["7 5=1 255=2"], &[]);
    check(b"\x81\xa1o\x82\xa1p\x81\xa1q\x01\xa1e\x80", &["7 o.p.q=1"], &[]);
    let (batches, _) = decode(b"\x82\xa1b\xc4\x02\x00\xff\xa1x\xd5\x05\x01\x02", 3, &Limits::default());
    let columns = &batches[0].columns;
    let names: Vec<_> = columns.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["b", "x.type", "x.data"]);
    assert_eq!(columns.column(0).as_binary::<i32>().value(0), b"\x00\xff");
    assert_eq!(columns.column(2).as_binary::<i32>().value(0), b"\x01\x02");
}

#[test]
fn arrays_are_json_text() {
    check(
        b"\x81\xa1l\x99\x01\xa2a\"\xc0\xcb\x7f\xf8\0\0\0\0\0\0\xc4\x01\xab\x81\x02\x90\xd6\xff\0\0\0\x01\xd4\x09\xcd\xc2",
        &["7 l=[1,\"a\\\"\",null,null,\"ab\",{\"2\":[]},1000000000,{\"type\":9,\"data\":\"cd\"},false]"],
        &[],
    );
}

#[test]
fn timestamps_are_times_and_the_event_time_in_its_field() {
    check(b"\x81\xa4time\xd6\xff\x00\x00\x00\x02", &["2000000000"], &[]);
    check(b"\x81\xa4time\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x03", &["3000000001"], &[]);
    check(b"\x81\xa4time\xc7\x0c\xff\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff", &["-999999999"], &[]);
    check(b"\x81\xa4time\xcf\0\0\0\0\0\0\0\x05", &["5000000000"], &[]);
    check(b"\x81\xa4time\xd5\xff\x00\x00\x80", &["7"], &[(0, "bad_time")]);
    check(b"\x81\xa4time\xd7\xff\xff\xff\xff\xff\x00\x00\x00\x00", &[], &[(0, "bad_time")]);
    check(b"\x81\xa4time\x81\xa1a\x01", &[], &[(0, "bad_time")]);
}

#[test]
fn a_bad_event_costs_only_itself() {
    for (bad, code) in [
        (&b"\x82\xa1x\x01\xa1x\x02"[..], "duplicate_key"),
        (b"\x81\xa1f\xcb\x7f\xf0\0\0\0\0\0\0", "number_out_of_range"),
        (b"\x81\xa1s\xa1\xff", "invalid_utf8"),
        (b"\x81\xa1\xff\x01", "invalid_utf8"),
        (b"\x81\xc0\x01", "bad_key"),
        (b"\x81\xa4time\xc3", "bad_time"),
    ] {
        let input = [b"\x81\xa1y\x01", bad, b"\x81\xa1y\x02"].concat();
        check(&input, &["7 y=1", "7 y=2"], &[(4, code)]);
    }
    check(
        b"\x93\x81\xa1y\x01\x90\x81\xa1y\x02\x05",
        &["7 y=1", "7 y=2"],
        &[(5, "not_an_object"), (10, "not_an_object")],
    );
    check(b"{\"y\":1}\n\x81\xa1y\x02\x01", &["7 y=2"], &[(0, "not_an_object"), (12, "not_an_object")]);
    check(b"\x81\xa1y\x01\x82\xa1y\x02\xa1", &["7 y=1"], &[(4, "cut_off")]);
    check(b"\x92\x81\xa1y\x01", &["7 y=1"], &[(5, "cut_off")]);
    check(b"\x81\xa1y\x01\x81\xa1y\xc1\x81\xa1y\x01", &["7 y=1"], &[(4, "syntax")]);
}

#[test]
fn limits_refuse_an_event_and_the_rest_goes_on() {
    let limits =
        Limits { event_bytes_max: 20, depth_max: 3, keys_max: 3, string_bytes_max: 9, ..Limits::default() };
    for (bad, code) in [
        (&b"\x81\xa1a\xd9\x1eabcdefghijabcdefghijabcdefghij"[..], "event_too_long"),
        (b"\x81\xa1a\x81\xa1b\x81\xa1c\x81\xa1d\x01", "too_deep"),
        (b"\x81\xa1a\x91\x91\x91\x91\x01", "too_deep"),
        (b"\x84\xa1a\x01\xa1b\x01\xa1c\x01\xa1d\x01", "too_many_keys"),
        (b"\x81\xa1a\xaaabcdefghij", "string_too_long"),
    ] {
        let input = [bad, b"\x81\xa1y\x02"].concat();
        check_within(&input, &limits, &["7 y=2"], &[(0, code)]);
    }
}

#[test]
fn an_endless_event_is_passed_over_in_constant_memory() {
    let (mut decoder, limits) = (Decoder::new(), Limits { event_bytes_max: 100, ..Limits::default() });
    let (mut tables, mut rejected) = (Tables::new(settings(limits)), Vec::new());
    let router = OneTable("t".into());
    let mut held = b"\x81\xa1a\xdd\x00\x00\x10\x00".to_vec();
    for piece in std::iter::repeat_n(&b"\xcd\x00\x01"[..], 4_096).chain([&b"\x81\xa1y\x02"[..]]) {
        held.extend_from_slice(piece);
        let input = Input { chunk: &held, end: false, arrived_unix_ns: 0, router: &router };
        let used = decoder.decode(input, &mut tables, &mut rejected);
        held.drain(..used);
        assert!(held.len() <= 100);
    }
    assert_eq!((rejected.len(), rejected[0].code, tables.rows_total()), (1, "event_too_long", 1));
}

#[test]
fn a_field_that_was_forgotten_is_not_taken_for_another_of_its_name() {
    // `b` is expected behind `a` and then forgotten; its number becomes that of another `b`, inside `o`.
    let events = [
        &b"\x82\xa1o\x01\xa1a\x01"[..],
        b"\x83\xa1a\x01\xa1b\x01\xa4time\xc3",
        b"\x81\xa1o\x81\xa1b\x02",
        b"\x82\xa1a\x03\xa1b\x04",
    ];
    check(&events.concat(), &["7 o=1 a=1", "7 o.b=2", "7 a=3 b=4"], &[(7, "bad_time")]);
}
