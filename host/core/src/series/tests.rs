//! Rings in and out of order, identity of series, bounds.

use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, StringArray};

use super::{Appended, Points, SILENT_CROWDED_NS, SILENT_NS, SeriesStore};
use crate::triplet::Triplet;

fn triplet() -> Triplet {
    "shop/prod/request".parse().unwrap()
}

fn column(name: &str, array: impl arrow_array::Array + 'static) -> (Arc<str>, ArrayRef) {
    (name.into(), Arc::new(array))
}

/// Puts (host, time, value) rows into metric "m".
fn put(store: &mut SeriesStore, rows: &[(&str, i64, f64)]) -> Appended {
    let labels = [column("host", StringArray::from_iter_values(rows.iter().map(|row| row.0)))];
    let values = [column("n", Float64Array::from_iter_values(rows.iter().map(|row| row.2)))];
    let time: Vec<i64> = rows.iter().map(|row| row.1).collect();
    store.append("m", &Points { triplet: &triplet(), time: &time, labels: &labels, values: &values })
}

fn points(store: &SeriesStore, series: usize) -> Vec<(i64, f64)> {
    let all = store.metric("m").unwrap().series[series].ring.all();
    all.time.iter().copied().zip(all.values(0).iter().copied()).collect()
}

#[test]
fn points_out_of_order_are_sorted_and_the_same_time_replaces() {
    let mut store = SeriesStore::default();
    put(&mut store, &[("a", 10, 1.0), ("a", 30, 3.0), ("a", 20, 2.0), ("a", 30, 4.0)]);
    assert_eq!(points(&store, 0), [(10, 1.0), (20, 2.0), (30, 4.0)]);
}

#[test]
fn a_ring_keeps_the_newest_and_drops_what_is_older() {
    let mut store = SeriesStore::default();
    store.declare("m", &[], 100);
    for time in 0..1_000 {
        put(&mut store, &[("a", time, time as f64)]);
    }
    assert_eq!(put(&mut store, &[("a", 5, 5.0)]).late, 1);
    let kept = points(&store, 0);
    assert_eq!((kept.len(), kept[0], kept[99]), (100, (900, 900.0), (999, 999.0)));
    assert_eq!(store.metric("m").unwrap().series[0].ring.slice(910..920).values(0)[0], 910.0);
    assert_eq!(store.metric("m").unwrap().series[0].ring.slice(2_000..2_000).time.len(), 0);
}

#[test]
fn a_random_order_gives_the_same_ring_as_a_sorted_map() {
    use rand::{RngExt, SeedableRng};
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let mut store = SeriesStore::default();
    store.declare("m", &[], 50);
    let mut expected = std::collections::BTreeMap::new();
    for step in 0..3_000 {
        let time = i64::from(step / 4) + random.random_range(-40..40);
        if expected.len() < 50 || expected.first_key_value().is_some_and(|(first, _)| *first <= time) {
            expected.insert(time, f64::from(step));
        }
        while expected.len() > 50 {
            expected.pop_first();
        }
        put(&mut store, &[("a", time, f64::from(step))]);
    }
    assert_eq!(points(&store, 0), expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn labels_make_the_series_whatever_their_order_and_type() {
    let mut store = SeriesStore::default();
    let values = [column("n", Int64Array::from(vec![1, 2, 3]))];
    let codes: DictionaryArray<UInt32Type> = vec![Some("x"), None, Some("x")].into_iter().collect();
    let numbers = Int64Array::from(vec![200, 500, 200]);
    let triplet = triplet();
    let labels = [column("zone", codes), column("code", numbers)];
    store.append("m", &Points { triplet: &triplet, time: &[1, 2, 3], labels: &labels, values: &values });
    let turned = [labels[1].clone(), labels[0].clone()];
    store.append("m", &Points { triplet: &triplet, time: &[4, 5, 6], labels: &turned, values: &values });
    let metric = store.metric("m").unwrap();
    let labels: Vec<Vec<(&str, &str)>> = metric
        .series
        .iter()
        .map(|series| series.labels.iter().map(|(name, text)| (&**name, &**text)).collect())
        .collect();
    assert_eq!(labels, [vec![("code", "200"), ("zone", "x")], vec![("code", "500")]]);
    assert_eq!(points(&store, 0), [(1, 1.0), (3, 3.0), (4, 1.0), (6, 3.0)]);
}

#[test]
fn series_over_the_bound_share_one_and_are_counted() {
    let mut store = SeriesStore::with_bounds(2, 100);
    let appended =
        put(&mut store, &[("a", 1, 1.0), ("b", 1, 1.0), ("c", 1, 1.0), ("d", 2, 1.0), ("a", 2, 1.0)]);
    assert_eq!(appended, Appended { stored: 5, overflowed: 2, late: 0, empty: 0 });
    assert_eq!((store.refused_total, store.series_total()), (2, 3));
    assert_eq!(&*store.metric("m").unwrap().series[2].labels[0].0, super::OVERFLOW);
    store.forget("m");
    assert_eq!(store.series_total(), 0);
}

/// Two calls: one for the only metric, one that finds the end and begins anew.
fn pass_time(store: &mut SeriesStore, now_unix_ns: i64) {
    store.forget_silent(now_unix_ns);
    store.forget_silent(now_unix_ns);
}

#[test]
fn silent_series_give_their_place_back_sooner_where_places_are_few() {
    let mut store = SeriesStore::with_bounds(4, 100);
    put(&mut store, &[("a", 1, 1.0), ("b", 1, 1.0)]);
    pass_time(&mut store, SILENT_CROWDED_NS + 1);
    assert_eq!(store.series_total(), 2, "there is room: a day to go");
    put(&mut store, &[("c", 1, 1.0), ("d", 1, 1.0), ("e", 1, 1.0)]);
    assert_eq!(store.refused_total, 1);
    pass_time(&mut store, SILENT_CROWDED_NS + 2);
    assert_eq!((store.series_total(), store.forgotten_total), (3, 2), "c, d and the one over the bound stay");
    assert_eq!(put(&mut store, &[("e", 2, 1.0), ("c", 2, 1.0)]).overflowed, 0, "the freed places are used");
    assert_eq!(store.series_total(), 4);
}

#[test]
fn a_series_lives_a_day_after_its_last_point_however_old_its_events_are() {
    let mut store = SeriesStore::default();
    put(&mut store, &[("a", 1, 1.0), ("b", 1, 1.0)]);
    pass_time(&mut store, SILENT_NS);
    put(&mut store, &[("b", 2, 1.0)]);
    pass_time(&mut store, SILENT_NS + 1);
    let left: Vec<&str> = store.metric("m").unwrap().series.iter().map(|it| &*it.labels[0].1).collect();
    assert_eq!(left, ["b"]);
    assert_eq!(points(&store, 0), [(1, 1.0), (2, 1.0)], "what is left is found by its labels");
    put(&mut store, &[("b", 3, 1.0)]);
    assert_eq!(store.series_total(), 1);
}

#[test]
fn a_point_that_came_late_is_put_in_its_place_and_remembered_as_late() {
    let mut store = SeriesStore::default();
    put(&mut store, &[("a", 10, 1.0), ("a", 30, 3.0), ("a", 20, 2.0), ("a", 30, 4.0)]);
    assert_eq!(points(&store, 0), [(10, 1.0), (20, 2.0), (30, 4.0)]);
    let ring = &store.metric("m").unwrap().series[0].ring;
    assert_eq!(ring.late(0..100).collect::<Vec<_>>(), [(20, 10)], "a new value of the newest is not late");
    assert_eq!(ring.late(21..100).count(), 0);
    for late in 0..100 {
        put(&mut store, &[("b", 1_000, 0.0), ("b", late, 0.0)]);
    }
    let metric = store.metric("m").unwrap();
    let b = metric.series.iter().find(|series| &*series.labels[0].1 == "b").unwrap();
    assert_eq!((b.ring.late(0..1_000).count(), b.ring.late(0..36).count()), (64, 0), "the last that came");
}

#[test]
fn a_field_that_comes_later_has_no_values_before() {
    let mut store = SeriesStore::default();
    put(&mut store, &[("a", 1, 1.0)]);
    let labels = [column("host", StringArray::from(vec!["a", "a", "a"]))];
    let values = [column("max", Float64Array::from(vec![Some(9.0), Some(f64::INFINITY), None]))];
    let points = Points { triplet: &triplet(), time: &[2, 3, 4], labels: &labels, values: &values };
    assert_eq!(store.append("m", &points), Appended { stored: 1, empty: 2, ..Appended::default() });
    let metric = store.metric("m").unwrap();
    let all = metric.series[0].ring.all();
    assert_eq!(metric.fields.iter().map(|field| &**field).collect::<Vec<_>>(), ["n", "max"]);
    assert!(
        all.values(0)[0] == 1.0
            && all.values(0)[1].is_nan()
            && all.values(1)[0].is_nan()
            && all.values(1)[1] == 9.0
    );
}
