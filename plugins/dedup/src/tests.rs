//! The dedup over a host in memory.

use weir_sdk::Output;
use weir_sdk::testing::{Bench, batch, host, kept, plan, refuse_writes};

use super::{DUPLICATES, Dedup, OUT};

const S: i64 = 1_000_000_000;
const CONFIG: &str = r#"{"keys": ["id"], "within": "10s"}"#;

/// Which of rows (second, key) come through, for cuts of any size.
fn check(config: &str, rows: &[(i64, u32)], wanted: &[u8]) {
    for cut in [1, 2, 3, rows.len()] {
        let mut bench = Bench::<Dedup>::open(config).unwrap();
        let mut out = Vec::new();
        for piece in rows.chunks(cut) {
            let times: Vec<i64> = piece.iter().map(|row| row.0 * S).collect();
            let keys: Vec<u32> = piece.iter().map(|row| row.1).collect();
            let outputs = bench.process(batch(&times, &keys, Vec::new())).unwrap();
            let kept_rows = kept(&outputs, OUT, piece.len()).unwrap_or_default();
            let others = kept(&outputs, DUPLICATES, piece.len()).unwrap_or_default();
            assert_eq!(kept_rows.len() + others.len(), piece.len());
            out.extend((0..piece.len() as u32).map(|row| u8::from(kept_rows.contains(&row))));
        }
        assert_eq!(out, wanted, "cut of {cut}");
    }
}

#[test]
fn the_first_event_of_a_key_comes_through_and_again_after_the_time() {
    check(
        CONFIG,
        &[(0, 0), (1, 0), (2, 1), (9, 0), (10, 0), (11, 0), (11, 1), (12, 1)],
        &[1, 0, 1, 0, 1, 0, 0, 1],
    );
}

#[test]
fn duplicates_refresh_if_asked_to() {
    let config = r#"{"keys": ["id"], "within": "10s", "refresh": true}"#;
    check(config, &[(0, 0), (9, 0), (18, 0), (28, 0)], &[1, 0, 0, 1]);
}

#[test]
fn an_event_that_is_out_of_order_is_a_duplicate_too() {
    check(CONFIG, &[(20, 0), (15, 0), (5, 0), (21, 0)], &[1, 0, 1, 0]);
}

#[test]
fn times_before_1970_are_times() {
    check(CONFIG, &[(-20, 3), (-19, 3), (-10, 3)], &[1, 0, 1]);
}

#[test]
fn what_is_known_survives_the_instance() {
    let mut bench = Bench::<Dedup>::open(CONFIG).unwrap();
    bench.process(batch(&[S], &[7], Vec::new())).unwrap();
    assert_eq!(host(|host| host.entries.len()), 1);
    bench.reopen(CONFIG).unwrap();
    let outputs = bench.process(batch(&[2 * S], &[7], Vec::new())).unwrap();
    assert_eq!(kept(&outputs, OUT, 1), None);
}

#[test]
fn without_room_rows_pass_and_are_counted() {
    let mut bench = Bench::<Dedup>::open(CONFIG).unwrap();
    refuse_writes(true);
    let outputs = bench.process(batch(&[S, S], &[0, 1], Vec::new())).unwrap();
    assert_eq!(kept(&outputs, OUT, 2).unwrap(), [0, 1]);
    let extra = outputs.iter().find_map(|output| match output {
        Output::Extra(extra) => Some((extra.name.as_str(), extra.value.as_str())),
        _ => None,
    });
    assert_eq!(extra, Some(("dedup.not_remembered", "2")));
}

#[test]
fn a_bad_configuration_is_refused_with_its_places() {
    let complaints = plan::<Dedup>(r#"{"keys": ["time"], "within": "soon"}"#).err().unwrap();
    let paths: Vec<&str> = complaints.iter().map(|complaint| complaint.path.as_str()).collect();
    assert_eq!(paths, ["/keys/0", "/within"]);
    assert!(plan::<Dedup>(r#"{"keys": [], "within": "1s"}"#).is_err());
    assert_eq!(plan::<Dedup>(CONFIG).unwrap().keys, ["id"]);
}
