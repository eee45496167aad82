//! Rows that come in a learned shape, cut at every byte between two reads: each way gives the same columns.
//!
//! One decoder and one set of tables live through all cuts of a format, so that the shapes are those of a sender that has long been known.

use arrow_array::ArrayRef;

use crate::{Decoder, Input, OneTable, Settings, Tables, json, logfmt, msgpack};

const ROWS: usize = 4;

fn json_text() -> Vec<u8> {
    let row = |n: usize| {
        format!(
            "{{\"app\":\"shop\",\"status\":{},\"in\":{{\"ms\":{}.5,\"path\":\"/items/{n}\"}},\"ok\":true,\"said\":\"größer {n}\"}}\n",
            200 + n,
            n * 3
        )
    };
    (0..ROWS).map(row).collect::<String>().into_bytes()
}

fn logfmt_text() -> Vec<u8> {
    let row = |n: usize| {
        format!(
            "app=shop status={} ms={}.5 path=/items/{n} ok=true id={n}f said=\"a b{n}\" time=2026-11-21T12:00:0{n}.123Z\n",
            200 + n,
            n * 3
        )
    };
    (0..ROWS).map(row).collect::<String>().into_bytes()
}

fn msgpack_text() -> Vec<u8> {
    let text = |text: &str| [&[0xa0 | text.len() as u8], text.as_bytes()].concat();
    let mut all = Vec::new();
    for n in 0..ROWS as u8 {
        let float = [&[0xcb], (f64::from(n) + 0.5).to_be_bytes().as_slice()].concat();
        let inside = [vec![0x82], text("ms"), float, text("path"), text(&format!("/items/{n}"))].concat();
        let long = [&[0xd9, 40], "ü".repeat(20).as_bytes()].concat();
        let pairs = [text("app"), text("shop"), text("status"), vec![0xcd, 1, n], text("in"), inside];
        let rest = [text("ok"), vec![0xc3], text("none"), vec![0xc0], text("said"), long];
        all.extend([vec![0x86], pairs.concat(), rest.concat()].concat());
    }
    all
}

/// Gives the text in pieces that end at `cuts` and at its end; times and columns.
fn feed(
    decoder: &mut dyn Decoder,
    tables: &mut Tables,
    text: &[u8],
    cuts: &[usize],
) -> (Vec<i64>, Vec<ArrayRef>) {
    let (router, mut rejected, mut start) = (OneTable("t".into()), Vec::new(), 0);
    for cut in cuts.iter().copied().chain([text.len()]) {
        let chunk = &text[start..cut];
        let input = Input { chunk, end: cut == text.len(), arrived_unix_ns: 7, router: &router };
        start += decoder.decode(input, tables, &mut rejected);
    }
    assert!(rejected.is_empty() && start == text.len(), "{cuts:?}: {start} {rejected:?}");
    let mut batches = tables.take_all();
    assert_eq!(batches.len(), 1, "{cuts:?}");
    let batch = batches.remove(0);
    (batch.time, batch.columns.columns().to_vec())
}

fn check(decoder: &mut dyn Decoder, text: &[u8], hits: fn(&Tables) -> u32) {
    let route_fields = vec!["app".into()];
    let mut tables =
        Tables::new(Settings { route_fields, time_field: Some("time".into()), ..Settings::default() });
    for _ in 0..100 {
        feed(decoder, &mut tables, text, &[]);
    }
    let before = hits(&tables);
    let whole = feed(decoder, &mut tables, text, &[]);
    assert!(hits(&tables) >= before + ROWS as u32, "the rows do not come by their shape");
    for cut in (1..text.len()).step_by(if cfg!(miri) { 211 } else { 1 }) {
        assert_eq!(feed(decoder, &mut tables, text, &[cut]), whole, "cut at {cut}");
    }
    let every: Vec<usize> = (1..text.len()).collect();
    assert_eq!(feed(decoder, &mut tables, text, &every), whole, "byte by byte");
}

#[test]
fn json_rows_of_a_known_shape_are_the_same_wherever_they_are_cut() {
    check(&mut json::Scanner::new(), &json_text(), |tables| tables.learned.shapes.hits());
    check(&mut json::Scanner::portable(), &json_text(), |tables| tables.learned.shapes.hits());
}

#[test]
fn logfmt_rows_of_a_known_shape_are_the_same_wherever_they_are_cut() {
    check(&mut logfmt::Decoder::new(), &logfmt_text(), |tables| tables.logfmt_shapes.hits());
    check(&mut logfmt::Decoder::portable(), &logfmt_text(), |tables| tables.logfmt_shapes.hits());
}

#[test]
fn msgpack_rows_of_a_known_shape_are_the_same_wherever_they_are_cut() {
    check(&mut msgpack::Decoder::new(), &msgpack_text(), |tables| tables.msgpack_shapes.hits());
    check(&mut msgpack::Decoder::portable(), &msgpack_text(), |tables| tables.msgpack_shapes.hits());
}
