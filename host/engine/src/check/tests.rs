//! Each rule of the contract for results: one input that breaks it, and the sentence that says so.

use super::chart::chart;
use super::coded::{decoded, encoded, entries};
use super::*;
use crate::bindings::made::weir::plugin::types::Emit;
use crate::bindings::raw;

fn u32s(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn s64s(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn packed(strings: &[&str]) -> raw::Packed {
    let mut offsets = vec![0_u32];
    let mut data = Vec::new();
    for string in strings {
        data.extend_from_slice(string.as_bytes());
        offsets.push(data.len() as u32);
    }
    raw::Packed { offsets: u32s(&offsets), data }
}

fn column(name: &str, values: raw::Values) -> raw::Column {
    raw::Column { name: name.into(), values, valid: None }
}

fn categories(codes: &[u32], base: u32, names: &[&str]) -> raw::Values {
    raw::Values::Categories(raw::Categories { codes: u32s(codes), dictionary: 1, base, names: packed(names) })
}

fn forward() -> raw::Forward {
    raw::Forward { port: 0, rows: raw::Rows::All, set: Vec::new(), omit: Vec::new() }
}

fn set(values: raw::Values) -> raw::Output {
    raw::Output::Forward(raw::Forward { set: vec![column("c", values)], ..forward() })
}

fn picked(rows: raw::Rows) -> raw::Output {
    raw::Output::Forward(raw::Forward { rows, ..forward() })
}

fn triplet(application: &str) -> raw::Triplet {
    let rest = if application.is_empty() { "" } else { "x" };
    raw::Triplet { application: application.into(), environment: rest.into(), event_type: rest.into() }
}

fn batch(rows: u32) -> raw::Batch {
    raw::Batch {
        triplet: triplet(""),
        rows,
        time: s64s(&vec![7; rows as usize]),
        keys: Vec::new(),
        columns: Vec::new(),
        extras: Vec::new(),
    }
}

fn emit(batch: raw::Batch) -> raw::Output {
    raw::Output::Emit(Emit { port: 0, batch })
}

fn reject(indexes: &[u32]) -> raw::Output {
    raw::Output::Reject(raw::Reject { indexes: u32s(indexes), code: "c".into(), message: "m".into() })
}

fn extra(name: &str) -> raw::Extra {
    raw::Extra { name: name.into(), value: "v".into() }
}

/// Three rows of input, two ports, five keys, dictionary 1 of two names.
fn known() -> Known<'static> {
    Known { ports: 2, keys: 5, dictionaries: &[0, 2] }
}

#[track_caller]
fn wrong(output: raw::Output, expected: &str) {
    let wrong = outputs(vec![output], Some(3), &known(), &OutputLimits::default()).unwrap_err();
    assert!(wrong.contains(expected), "got: {wrong}\nexpected: {expected}");
    assert!(wrong.starts_with("output 0: "), "{wrong}");
}

#[track_caller]
fn right(output: raw::Output) -> Output {
    let mut outputs = outputs(vec![output], Some(3), &known(), &OutputLimits::default()).unwrap();
    outputs.pop().unwrap()
}

#[test]
fn rows_of_the_input_must_exist() {
    let mask = |bytes: &[u8]| picked(raw::Rows::Mask(bytes.to_vec()));
    let indexes = |numbers: &[u32]| picked(raw::Rows::Indexes(u32s(numbers)));
    wrong(mask(&[1, 0]), "mask has 2 bytes, expected one for each of 3 rows");
    wrong(mask(&[1, 0, 1, 1]), "mask has 4 bytes");
    wrong(mask(&[1, 2, 0]), "mask: row 1 is 2, expected 0 or 1");
    wrong(indexes(&[0, 3]), "number 1 is 3, but the input has 3 rows");
    wrong(indexes(&[u32::MAX]), "number 0 is 4294967295");
    wrong(indexes(&[1, 1]), "number 1 is 1 after 1");
    wrong(indexes(&[2, 0]), "number 1 is 0 after 2");
    wrong(picked(raw::Rows::Indexes(vec![0, 0, 0])), "indexes are 3 bytes, expected a multiple of 4");
    assert!(matches!(right(mask(&[1, 0, 1])), Output::Forward { rows: Rows::Mask(_), .. }));
    let Output::Forward { rows, .. } = right(indexes(&[0, 2])) else { panic!() };
    assert_eq!(rows, Rows::Indexes(vec![0, 2]));
}

#[test]
fn ports_must_be_in_the_plan() {
    wrong(
        raw::Output::Forward(raw::Forward { port: 2, ..forward() }),
        "port 2 is not in the plan, which has 2",
    );
    wrong(raw::Output::Emit(Emit { port: 9, batch: batch(1) }), "port 9 is not in the plan");
}

#[test]
fn columns_must_be_as_long_as_the_input() {
    wrong(set(raw::Values::F64s(vec![0; 16])), "column \"c\": f64s are 16 bytes, expected 24 for 3 rows");
    wrong(set(raw::Values::S64s(vec![0; 25])), "column \"c\": s64s are 25 bytes");
    wrong(set(raw::Values::U64s(Vec::new())), "column \"c\": u64s are 0 bytes");
    wrong(set(raw::Values::Timestamps(vec![0; 32])), "column \"c\": timestamps are 32 bytes");
    wrong(set(raw::Values::Bools(vec![0; 2])), "column \"c\": 2 bools, expected 3");
    wrong(set(raw::Values::Bools(vec![0, 1, 255])), "bools: row 2 is 255, expected 0 or 1");
    wrong(set(raw::Values::Texts(packed(&["a"]))), "1 texts, expected 3");
    wrong(set(raw::Values::Blobs(packed(&["a", "b", "c", "d"]))), "4 blobs, expected 3");
    wrong(set(categories(&[0, 0], 0, &["a"])), "codes are 8 bytes, expected 12 for 3 rows");
    let valid = |valid: &[u8]| raw::Column {
        valid: Some(valid.to_vec()),
        ..column("c", raw::Values::Bools(vec![0; 3]))
    };
    let with = |column| raw::Output::Forward(raw::Forward { set: vec![column], ..forward() });
    wrong(with(valid(&[1, 1])), "column \"c\": 2 valid, expected 3");
    wrong(with(valid(&[1, 1, 3])), "column \"c\": valid: row 2 is 3");
    let Output::Forward { set, .. } = right(set(raw::Values::S64s(s64s(&[1, -2, i64::MIN])))) else {
        panic!()
    };
    assert_eq!(set[0].values, Values::S64s(vec![1, -2, i64::MIN]));
}

#[test]
fn offsets_must_cut_the_data() {
    let texts = |offsets: &[u32], data: &[u8]| {
        set(raw::Values::Texts(raw::Packed { offsets: u32s(offsets), data: data.to_vec() }))
    };
    wrong(texts(&[1, 1, 1, 1], b"abc"), "texts: offsets must start with 0, but start with 1");
    wrong(texts(&[0, 2, 1, 3], b"abc"), "texts: offsets must never fall, but number 2 is 1 after 2");
    wrong(texts(&[0, 1, 2, 4], b"abc"), "texts: offsets end at 4, but there are 3 bytes of data");
    wrong(texts(&[0, 1, 2, u32::MAX], b"abc"), "texts: offsets end at 4294967295");
    wrong(texts(&[], b"abc"), "0 texts, expected 3");
    let odd = raw::Packed { offsets: vec![0; 15], data: Vec::new() };
    wrong(set(raw::Values::Texts(odd)), "offsets are 15 bytes, expected a multiple of 4");
    let Output::Forward { set, .. } = right(texts(&[0, 1, 1, 2], b"ab-rest")) else { panic!() };
    let Values::Texts(strings) = &set[0].values else { panic!() };
    assert_eq!((strings.get(0), strings.get(1), strings.get(2)), (&b"a"[..], &b""[..], &b"b"[..]));
    assert_eq!(strings.data, b"ab");
}

#[test]
fn texts_must_be_utf8_each_for_itself() {
    let texts = |offsets: &[u32], data: &[u8]| {
        set(raw::Values::Texts(raw::Packed { offsets: u32s(offsets), data: data.to_vec() }))
    };
    wrong(texts(&[0, 1, 2, 3], b"a\xFFb"), "column \"c\": row 1 is not UTF-8 (byte 1 of the data)");
    wrong(
        texts(&[0, 1, 2, 3], "aä".as_bytes()),
        "column \"c\": row 1 is not UTF-8: it ends inside a character",
    );
    wrong(texts(&[0, 0, 0, 1], b"\xC3"), "row 2 is not UTF-8");
    let blobs = raw::Packed { offsets: u32s(&[0, 1, 2, 3]), data: b"a\xFFb".to_vec() };
    right(set(raw::Values::Blobs(blobs)));
    right(texts(&[0, 2, 2, 4], "äö".as_bytes()));
}

#[test]
fn codes_must_have_names() {
    wrong(
        set(categories(&[0, 1, 2], 0, &["a", "b"])),
        "column \"c\": row 2 has code 2, but there are 2 names",
    );
    wrong(set(categories(&[0, 1, 2], 2, &[])), "row 2 has code 2, but there are 2 names");
    wrong(set(categories(&[0, 0, 0], 3, &[])), "base 3 of dictionary 1, of which 2 names were given");
    wrong(set(categories(&[0, 0, 0], 1, &["x"])), "1 names with base 1: give all names (base 0) or none");
    wrong(set(categories(&[0, 0, 0], 0, &[])), "row 0 has code 0, but there are 0 names");
    let bad_name = raw::Packed { offsets: u32s(&[0, 1]), data: vec![0xFF] };
    wrong(
        set(raw::Values::Categories(raw::Categories {
            codes: u32s(&[0; 3]),
            dictionary: 0,
            base: 0,
            names: bad_name,
        })),
        "column \"c\": names: row 0 is not UTF-8",
    );
    let unknown = raw::Categories { codes: u32s(&[0; 3]), dictionary: 63, base: 1, names: packed(&[]) };
    wrong(set(raw::Values::Categories(unknown)), "base 1 of dictionary 63, of which 0 names were given");
    let Output::Forward { set, .. } = right(set(categories(&[0, 1, 1], 2, &[]))) else { panic!() };
    let Values::Categories(it) = &set[0].values else { panic!() };
    assert_eq!(it.names, Names::Given { dictionary: 1, base: 2 });
}

#[test]
fn a_row_without_a_value_needs_no_name() {
    let column = |codes| raw::Column { valid: Some(vec![0, 1, 0]), ..column("c", categories(codes, 0, &[])) };
    let with = |column| raw::Output::Forward(raw::Forward { set: vec![column], ..forward() });
    wrong(with(column(&[0, 0, 0])), "row 1 has code 0, but there are 0 names");
    let all_missing = raw::Column { valid: Some(vec![0; 3]), ..column(&[0; 3]) };
    right(with(all_missing));
    let not_zero = raw::Column { valid: Some(vec![0; 3]), ..column(&[0, 7, 0]) };
    wrong(with(not_zero), "row 1 has code 7, but there are 0 names");
}

#[test]
fn names_of_columns_are_distinct_and_time_is_the_time() {
    let numbers = || raw::Values::S64s(vec![0; 24]);
    let with = |set: Vec<raw::Column>, omit: &[&str]| {
        let omit = omit.iter().map(|&name| name.into()).collect();
        raw::Output::Forward(raw::Forward { set, omit, ..forward() })
    };
    wrong(with(vec![column("a", numbers()), column("a", numbers())], &[]), "column \"a\" is named twice");
    wrong(with(vec![column("a", numbers())], &["a"]), "column \"a\" is named twice");
    wrong(with(Vec::new(), &["a", "a"]), "column \"a\" is named twice");
    wrong(with(vec![column("", numbers())], &[]), "empty name");
    wrong(with(vec![column(&"x".repeat(257), numbers())], &[]), "has 257 bytes");
    wrong(with(vec![column("a\nb", numbers())], &[]), "control character");
    wrong(with(Vec::new(), &["time"]), "column \"time\" cannot be omitted");
    wrong(with(vec![column("time", raw::Values::F64s(vec![0; 24]))], &[]), "it must be s64s or timestamps");
    let gaps = raw::Column { valid: Some(vec![1; 3]), ..column("time", numbers()) };
    wrong(with(vec![gaps], &[]), "every row needs a value");
    right(with(vec![column("time", numbers()), column("b", raw::Values::Timestamps(vec![0; 24]))], &["c"]));
    let other = raw::Values::Other(crate::bindings::made::weir::plugin::types::OtherValuesResult {
        kind: "f32s".into(),
        parts: Vec::new(),
    });
    wrong(set(other), "column \"c\": values of kind \"f32s\" are not known to this host");
}

#[test]
fn emitted_rows_must_be_whole() {
    let with = |change: fn(&mut raw::Batch)| {
        let mut batch = batch(2);
        change(&mut batch);
        emit(batch)
    };
    wrong(with(|batch| batch.rows = 3), "time are 16 bytes, expected 24 for 3 rows");
    wrong(with(|batch| batch.keys = u32s(&[0])), "keys are 4 bytes, expected 8 for 2 rows");
    wrong(with(|batch| batch.keys = u32s(&[0, 5])), "keys: row 1 has key number 5, known are 5");
    wrong(
        with(|batch| batch.columns.push(column("a", raw::Values::F64s(vec![0; 8])))),
        "column \"a\": f64s are 8 bytes, expected 16 for 2 rows",
    );
    wrong(
        with(|batch| batch.columns.push(column("time", raw::Values::S64s(vec![0; 16])))),
        "column \"time\": the time of new rows goes into the batch's `time`",
    );
    wrong(
        with(|batch| batch.columns = vec![column("a", raw::Values::Bools(vec![0; 2])); 2]),
        "column \"a\" is there twice",
    );
    wrong(with(|batch| batch.triplet = triplet("a/b")), "triplet part \"a/b\"");
    wrong(with(|batch| batch.triplet.event_type = "x".into()), "triplet part \"\"");
    wrong(emit(batch(65_537)), "65537 rows, at most 65536 are taken");
    wrong(with(|batch| batch.extras = vec![extra("x"); 257]), "257 extras, at most 256");
    let Output::Emit { rows, .. } = right(with(|batch| {
        batch.keys = u32s(&[4, 0]);
        batch.triplet = triplet("shop");
    })) else {
        panic!()
    };
    assert_eq!((rows.keys, rows.time), (vec![4, 0], vec![7, 7]));
    assert_eq!(rows.triplet.unwrap().application, "shop");
    right(emit(batch(0)));
}

#[test]
fn rejects_name_rows_and_say_why() {
    wrong(reject(&[]), "reject names no row");
    wrong(reject(&[3]), "number 0 is 3, but the input has 3 rows");
    wrong(reject(&[2, 1]), "number 1 is 1 after 2");
    let long = raw::Reject { indexes: u32s(&[0]), code: "c".into(), message: "m".repeat(65_537) };
    wrong(raw::Output::Reject(long), "message has 65537 bytes, at most 65536");
    assert!(matches!(right(reject(&[0, 1, 2])), Output::Reject { .. }));
    assert!(matches!(right(raw::Output::Extra(extra("x"))), Output::Extra { .. }));
}

#[test]
fn tick_has_no_input_to_forward() {
    for output in [picked(raw::Rows::All), reject(&[0])] {
        let wrong = outputs(vec![output], None, &known(), &OutputLimits::default()).unwrap_err();
        assert_eq!(wrong, "output 0: tick has no input, so only emit and extra may be returned");
    }
    let fine = vec![emit(batch(1)), raw::Output::Extra(extra("x"))];
    assert_eq!(outputs(fine, None, &known(), &OutputLimits::default()).unwrap().len(), 2);
}

#[test]
fn counts_and_bytes_are_bounded() {
    let many = vec![raw::Output::Extra(extra("x")); 257];
    let limits = OutputLimits::default();
    assert_eq!(outputs(many, None, &known(), &limits).unwrap_err(), "257 outputs, at most 256 are taken");
    let columns: Vec<_> = (0..257).map(|i| column(&i.to_string(), raw::Values::Bools(vec![0; 3]))).collect();
    wrong(raw::Output::Forward(raw::Forward { set: columns, ..forward() }), "257 set columns, at most 256");
    let omit = (0..257).map(|i| i.to_string()).collect();
    wrong(raw::Output::Forward(raw::Forward { omit, ..forward() }), "257 omitted columns, at most 256");
    let small = OutputLimits { bytes: 100, ..limits };
    let wrong = outputs(vec![emit(batch(8)), emit(batch(8))], None, &known(), &small).unwrap_err();
    assert_eq!(wrong, "output 1: all results together are over 100 bytes");
}

#[test]
fn signals_name_known_keys() {
    let signal = || raw::Signal {
        key: 4,
        level: Severity::Critical,
        value: f64::NAN,
        time: 1,
        lasts: 0,
        summary: "s".into(),
        extras: vec![extra("x")],
    };
    let check = |signal: raw::Signal| signals(vec![signal], &known(), &OutputLimits::default());
    assert!(check(signal()).unwrap()[0].value.is_nan());
    let wrong = |signal| check(signal).unwrap_err();
    assert_eq!(wrong(raw::Signal { key: 5, ..signal() }), "signal 0: key number 5 is not known, known are 5");
    assert!(wrong(raw::Signal { lasts: -1, ..signal() }).contains("lasts -1 ns"));
    assert!(
        wrong(raw::Signal { summary: "s".repeat(65_537), ..signal() }).contains("summary has 65537 bytes")
    );
}

#[test]
fn failures_are_checked_like_results() {
    let raw = |indexes: &[u32], after| raw::Failure {
        verdict: Verdict::Drop,
        code: "c".into(),
        message: "m".into(),
        indexes: u32s(indexes),
        after,
    };
    let limits = OutputLimits::default();
    assert_eq!(failure(raw(&[1, 2], 5), 3, &limits).unwrap().indexes, [1, 2]);
    assert!(failure(raw(&[3], 0), 3, &limits).unwrap_err().contains("but the input has 3 rows"));
    assert!(failure(raw(&[], -1), 3, &limits).unwrap_err().contains("after is -1 ns"));
}

fn a_chart() -> raw::Chart {
    let axis = |name: &str| raw::Axis {
        name: name.into(),
        label: "Latency".into(),
        measure: "ms".into(),
        scale: "linear".into(),
        extras: Vec::new(),
    };
    let binding =
        |column: &str, axis: &str| crate::bindings::made::exports::weir::plugin::rendering::Binding {
            role: "x".into(),
            column: column.into(),
            axis: axis.into(),
        };
    raw::Chart {
        title: "t".into(),
        summary: "s".into(),
        tables: vec![raw::Table {
            name: "points".into(),
            rows: 2,
            columns: vec![column("time", raw::Values::Timestamps(vec![0; 16]))],
        }],
        axes: vec![axis("x")],
        marks: vec![raw::Mark {
            shape: "line".into(),
            table: "points".into(),
            label: "l".into(),
            bindings: vec![binding("time", "x"), binding("time", "")],
            estimated: false,
            stack: String::new(),
            extras: Vec::new(),
        }],
        gaps: vec![raw::Gap { table: String::new(), start: 1, end: 2, label: "g".into() }],
        extras: Vec::new(),
    }
}

#[test]
fn a_chart_points_only_at_what_it_has() {
    type Change = fn(&mut raw::Chart);
    let cases: [(Change, &str); 13] = [
        (|it| it.marks[0].table = "other".into(), "mark 0: table \"other\" does not exist"),
        (
            |it| it.marks[0].bindings[0].column = "v".into(),
            "mark 0: column \"v\" does not exist in table \"points\"",
        ),
        (|it| it.marks[0].bindings[0].axis = "y".into(), "mark 0: axis \"y\" does not exist"),
        (|it| it.marks[0].shape.clear(), "mark 0: its shape is empty"),
        (|it| it.axes[0].label.clear(), "axis \"x\": its label is empty"),
        (|it| it.axes[0].measure.clear(), "axis \"x\": its measure is empty"),
        (|it| it.axes.push(it.axes[0].clone()), "axis \"x\" is there twice"),
        (
            |it| it.tables[0].rows = 3,
            "table \"points\": column \"time\": timestamps are 16 bytes, expected 24",
        ),
        (|it| it.tables.push(it.tables[0].clone()), "table \"points\" is there twice"),
        (
            |it| it.tables[0].columns = vec![it.tables[0].columns[0].clone(); 2],
            "column \"time\" is there twice",
        ),
        (|it| it.tables[0].columns[0].values = categories(&[0, 0], 1, &[]), "base 1 of dictionary 1"),
        (|it| it.gaps[0].end = 0, "gap 0: it ends at 0 before it starts at 1"),
        (|it| it.gaps[0].table = "other".into(), "gap 0: table \"other\" does not exist"),
    ];
    for (change, expected) in cases {
        let mut raw = a_chart();
        change(&mut raw);
        let wrong = chart(raw, &OutputLimits::default()).unwrap_err();
        assert!(wrong.contains(expected), "got: {wrong}\nexpected: {expected}");
    }
    assert_eq!(chart(a_chart(), &OutputLimits::default()).unwrap().tables[0].rows, 2);
}

#[test]
fn decoders_and_encoders_stay_within_what_they_were_given() {
    let limits = OutputLimits::default();
    let defect = |message, offset, length| raw::Defect {
        message,
        offset,
        length,
        code: "c".into(),
        reason: "r".into(),
    };
    let decode = |defect: raw::Defect, consumed| {
        let raw = raw::Decoded { batches: vec![batch(1)], defects: vec![defect], consumed };
        decoded(raw, &[4, 10], &limits)
    };
    assert_eq!(decode(defect(1, 8, 2), 10).unwrap().consumed, 10);
    assert!(decode(defect(1, 8, 3), 0).unwrap_err().contains("defect 0: ends at byte 11 of message 1"));
    assert!(decode(defect(1, u32::MAX, u32::MAX), 0).unwrap_err().contains("defect 0: ends at byte"));
    assert!(decode(defect(2, 0, 0), 0).unwrap_err().contains("message 2 does not exist, there are 2"));
    assert!(decode(defect(0, 0, 0), 11).unwrap_err().contains("consumed 11 bytes of the last message"));
    let mut keyed = batch(1);
    keyed.keys = u32s(&[0]);
    let raw = raw::Decoded { batches: vec![keyed], defects: Vec::new(), consumed: 0 };
    assert!(decoded(raw, &[4], &limits).unwrap_err().contains("known are 0"));
    let encode = |batch, index: u32| {
        let unwritable = crate::bindings::made::exports::weir::plugin::coding::Unwritable {
            batch,
            indexes: u32s(&[index]),
            code: "c".into(),
            reason: "r".into(),
        };
        encoded(raw::Encoded { messages: packed(&["a"]), unwritable: vec![unwritable] }, &[3], &limits)
    };
    assert_eq!(encode(0, 2).unwrap().messages.len(), 1);
    assert!(encode(1, 0).unwrap_err().contains("batch 1 does not exist"));
    assert!(encode(0, 3).unwrap_err().contains("the input has 3 rows"));
}

#[test]
fn migrated_entries_are_whole() {
    let raw = |keys: &[u32], names: &[&str], slots: &[i64]| raw::Entries {
        table: "t".into(),
        keys: u32s(keys),
        names: packed(names),
        slots: s64s(slots),
        values: packed(&["a", "b"]),
    };
    let check = |raw: raw::Entries| entries(vec![raw], &OutputLimits::default());
    assert_eq!(check(raw(&[1, 2], &[], &[])).unwrap()[0].keys, [1, 2]);
    assert_eq!(check(raw(&[], &["x", "y"], &[0, 1])).unwrap()[0].names.len(), 2);
    for raw in
        [raw(&[1], &[], &[]), raw(&[1, 2], &["x"], &[]), raw(&[], &["x"], &[]), raw(&[1, 2], &[], &[0])]
    {
        assert!(check(raw).unwrap_err().starts_with("entries 0: "));
    }
}
