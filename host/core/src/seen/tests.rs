//! Numbers of producers, keys of requests and places in files against plain sets; dumps that come back; bounds.
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use proptest::prelude::*;

use super::producers::{PRODUCERS_MAX, RUNS_MAX};
use super::*;
use crate::config::{DedupSpec, RequestSpec};
use crate::record::{FilePlace, Files, Request};
use crate::state::dump::Entry;

fn batch(names: ArrayRef, numbers: ArrayRef) -> RecordBatch {
    let field = |name: &str, array: &ArrayRef| Field::new(name, array.data_type().clone(), true);
    let schema = Schema::new(vec![field("producer", &names), field("seq", &numbers)]);
    RecordBatch::try_new(Arc::new(schema), vec![names, numbers]).unwrap()
}

fn of(rows: &[(&str, i64)]) -> RecordBatch {
    let names = StringArray::from_iter_values(rows.iter().map(|(name, _)| name));
    let numbers = Int64Array::from_iter_values(rows.iter().map(|(_, number)| *number));
    batch(Arc::new(names), Arc::new(numbers))
}

fn coded(rows: &[(&str, i64)]) -> RecordBatch {
    let names = of(rows).column(0).clone();
    let kind = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
    batch(arrow_cast::cast(&names, &kind).unwrap(), of(rows).column(1).clone())
}

fn seen() -> Seen {
    let mut seen = Seen::default();
    seen.producers.configure([(&Arc::from("s"), &DedupSpec::default())].into_iter());
    seen
}

fn take(seen: &mut Seen, columns: &RecordBatch, offset: u64) -> Vec<u32> {
    seen.producers.take(&"s".into(), columns, offset).unwrap().duplicates
}

/// All of it, through a checkpoint.
fn over(seen: &mut Seen, all: bool, store: &mut std::collections::BTreeMap<Vec<u8>, Vec<u8>>) -> Seen {
    let (mut entries, mut cursor) = (Vec::<Entry>::new(), Cursor::default());
    while !seen.dump(all, &mut cursor, 3, &mut entries) {}
    for (key, value) in entries {
        match value {
            Some(value) => store.insert(key, value),
            None => store.remove(&key),
        };
    }
    let mut back = self::seen();
    store.iter().for_each(|(key, value)| assert!(back.restore(key, value)));
    back.restored();
    back
}

proptest! {
    #[test]
    fn ranges_are_a_set_and_come_back(numbers in proptest::collection::vec(0_u64..60, 0..200)) {
        let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
        for number in numbers {
            prop_assert_eq!(ranges.insert(number), set.insert(number));
            let back = Ranges::of(ranges.below(), ranges.runs());
            prop_assert_eq!(back.as_ref(), Some(&ranges));
        }
        let runs: Vec<_> = ranges.runs().collect();
        prop_assert!(runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        prop_assert!(runs.first().is_none_or(|(first, _)| *first > ranges.below()));
    }

    /// Batches, checkpoints at any place, crashes and replays beside a plain set.
    #[test]
    fn rows_are_known_again_over_checkpoints_and_replays(
        steps in proptest::collection::vec((proptest::collection::vec((0_usize..4, 0_i64..40), 1..20), 0_u8..4), 1..30)
    ) {
        let names = ["a", "b", "c", "a long name of a producer"];
        let (mut seen, mut set) = (seen(), HashSet::new());
        let mut store = std::collections::BTreeMap::new();
        let mut tail: Vec<(RecordBatch, u64)> = Vec::new();
        for (offset, (rows, then)) in steps.into_iter().enumerate() {
            let rows: Vec<(&str, i64)> = rows.into_iter().map(|(name, number)| (names[name], number)).collect();
            let columns = if then % 2 == 0 { of(&rows) } else { coded(&rows) };
            let duplicates = take(&mut seen, &columns, offset as u64);
            let expected: Vec<u32> = (0..rows.len() as u32).filter(|row| !set.insert(rows[*row as usize])).collect();
            prop_assert_eq!(&duplicates, &expected);
            let incoming = Incoming { triplet: "a/b/c".parse().unwrap(), source: "s".into(), time: vec![0; rows.len()].into(), columns };
            if let Some(kept) = without(incoming, &duplicates) {
                prop_assert_eq!(kept.rows(), rows.len() - duplicates.len());
                tail.push((kept.columns, offset as u64));
            }
            match then {
                // A checkpoint; the host goes on.
                1 => { over(&mut seen, false, &mut store); tail.clear(); }
                // A crash: the checkpoint, then what came since.
                2 => {
                    seen = { let mut nothing = self::seen(); over(&mut nothing, false, &mut store.clone()) };
                    for (columns, offset) in &tail {
                        prop_assert!(take(&mut seen, columns, *offset).is_empty());
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn rows_without_a_name_or_a_number_are_counted_and_taken() {
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a"), Some("a"), Some("")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(-1), Some(1)]));
    let found = seen().producers.take(&"s".into(), &batch(names, numbers), 1).unwrap();
    assert_eq!(found, Found { duplicates: vec![], unidentified: 4 });
    let other: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let columns = RecordBatch::try_from_iter([("other", other)]).unwrap();
    assert_eq!(seen().producers.take(&"s".into(), &columns, 1).unwrap().unidentified, 2);
    assert_eq!(seen().producers.take(&"other".into(), &columns, 1), None);
}

#[test]
fn producers_may_be_numbers_and_numbers_may_be_wide() {
    let mut seen = seen();
    let names: ArrayRef = Arc::new(Int64Array::from(vec![7, 7, 8]));
    let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![1 << 60, 1 << 60, 1 << 60]));
    assert_eq!(take(&mut seen, &batch(names, numbers), 1), [1]);
    assert_eq!(take(&mut seen, &of(&[("7", 1 << 60), ("9", 1 << 60)]), 2), [0]);
}

#[test]
fn a_column_of_numbers_that_became_text_still_says_which() {
    let mut seen = seen();
    let names = || -> ArrayRef { Arc::new(StringArray::from(vec!["a"; 6])) };
    let numbers = ["1", "2", "-3", "04", "", "true"];
    let texts: ArrayRef = Arc::new(StringArray::from(numbers.to_vec()));
    let coded: DictionaryArray<UInt32Type> = numbers.into_iter().collect();
    assert!(take(&mut seen, &of(&[("a", 1)]), 1).is_empty());
    let found = seen.producers.take(&"s".into(), &batch(names(), texts), 2).unwrap();
    assert_eq!(found, Found { duplicates: vec![0], unidentified: 4 });
    let found = seen.producers.take(&"s".into(), &batch(names(), Arc::new(coded)), 3).unwrap();
    assert_eq!(found, Found { duplicates: vec![0, 1], unidentified: 4 });
}

#[test]
fn a_float_that_may_be_more_than_one_number_is_none() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a"; 3]));
    let exact = (1u64 << 53) - 1;
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![2.5, exact as f64, exact as f64 + 1.0]));
    let mut seen = seen();
    let found = seen.producers.take(&"s".into(), &batch(names, numbers), 1).unwrap();
    assert_eq!(found, Found { duplicates: vec![], unidentified: 2 });
    assert_eq!(take(&mut seen, &of(&[("a", exact as i64)]), 2), [0]);
}

#[test]
fn the_lowest_hole_is_given_up_beyond_the_bound_and_counted() {
    let mut seen = seen();
    let rows: Vec<(&str, i64)> = (0..=RUNS_MAX as i64).map(|n| ("a", 2 * n)).collect();
    assert!(take(&mut seen, &of(&rows), 1).is_empty());
    assert_eq!(seen.producers.given_up_total, 0);
    assert!(take(&mut seen, &of(&[("a", 20_000)]), 2).is_empty());
    assert_eq!(seen.producers.given_up_total, 1);
    assert_eq!(take(&mut seen, &of(&[("a", 1), ("a", 3)]), 3), [0]);
}

#[test]
fn the_producers_that_are_silent_longest_go_first() {
    let mut seen = seen();
    let names: Vec<String> = (0..=PRODUCERS_MAX).map(|n| n.to_string()).collect();
    for (offset, names) in names.chunks(1_000).enumerate() {
        let rows: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        take(&mut seen, &of(&rows), offset as u64);
    }
    assert!(seen.producers.count() <= PRODUCERS_MAX && seen.producers.evicted_total > 0);
    assert!(take(&mut seen, &of(&[("0", 1)]), 200).is_empty(), "forgotten, so taken again");
    assert_eq!(take(&mut seen, &of(&[(names.last().unwrap(), 1)]), 201), [0]);
    // All of one record: there is no oldest, and yet the bound holds.
    let mut seen = self::seen();
    let rows: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    take(&mut seen, &of(&rows), 1);
    assert!(seen.producers.count() <= PRODUCERS_MAX);
}

fn request(key: u8) -> Arc<Request> {
    let (key, print, reasons) = ([key; 16], [9; 16], Arc::from("[]"));
    Arc::new(Request { key, print, accepted: 3, duplicates: 1, rejected: 0, reasons })
}

#[test]
fn requests_are_known_for_their_time_and_over_a_checkpoint() {
    let mut seen = seen();
    seen.requests.configure(Some(RequestSpec { keep_ns: 100, keys_max: 3 }));
    (0..3).for_each(|n| seen.requests.insert(request(n), i64::from(n) * 10));
    let mut store = Default::default();
    let mut back = over(&mut seen, false, &mut store);
    back.requests.configure(Some(RequestSpec { keep_ns: 100, keys_max: 3 }));
    assert_eq!(back.requests.get(&[1; 16], 105), Some(request(1)));
    assert_eq!(back.requests.get(&[0; 16], 105), None, "its time is over");
    back.requests.insert(request(7), 106);
    back.requests.insert(request(8), 106);
    assert_eq!((back.requests.count(), back.requests.evicted_total), (3, 1));
    over(&mut back, false, &mut store);
    assert_eq!(store.len(), 3, "what is gone is gone from the checkpoint too");
}

#[test]
fn places_in_files_go_on_and_go() {
    let place = |inode, offset_bytes| FilePlace {
        device: 1,
        inode,
        offset_bytes,
        beginning: (5, 6),
        path: "/a/b.log".into(),
    };
    let mut seen = seen();
    seen.places.note(&Files { source: "f".into(), places: vec![place(1, 10), place(2, 20)], gone: vec![] });
    let mut store = Default::default();
    let mut back = over(&mut seen, false, &mut store);
    assert_eq!(back.places.of("f"), [place(1, 10), place(2, 20)]);
    back.places.note(&Files { source: "f".into(), places: vec![place(2, 25)], gone: vec![(1, 1)] });
    assert_eq!(over(&mut back, false, &mut store).places.of("f"), [place(2, 25)]);
    assert!(back.places.of("other").is_empty());
}
