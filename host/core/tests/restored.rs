//! What is dumped piece by piece comes back as it was, and goes on like what never went: alerts and series.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of it is tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use weir_core::alerts::{Alerts, Flap, Policy};
use weir_core::flow::effects::Said;
use weir_core::series::{Points, SeriesStore};
use weir_core::triplet::Triplet;
use weir_core::unit::{Level, Signal};

const S: i64 = 1_000_000_000;
const RULE: &str = "rule/load";

type Stored = BTreeMap<Vec<u8>, Vec<u8>>;

fn keep(stored: &mut Stored, entries: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
    for (key, value) in entries {
        match value {
            Some(value) => stored.insert(key, value),
            None => stored.remove(&key),
        };
    }
}

fn triplet() -> Triplet {
    "shop/prod/host".parse().unwrap()
}

fn alerts() -> Alerts {
    let flap = Flap { changes: 6, within_ns: 40 * S };
    let policy = Policy { for_ns: 2 * S, keep_firing_ns: S, flap, forget_ns: 40 * S };
    let mut alerts = Alerts::default();
    alerts.declare(&[(RULE.into(), policy)], 0);
    alerts
}

/// What a few hosts are said to be in a second; everything that it changes, as text.
fn second(alerts: &mut Alerts, at: i64) -> Vec<String> {
    let mut out = Vec::new();
    for host in 0..5 {
        if (at / 30 + host) % 3 == 2 {
            continue;
        }
        let levels = [Level::Ok, Level::Warning, Level::Critical, Level::Ok, Level::Unknown];
        let level = levels[((at * (host + 1) / 16) % 5) as usize];
        let value = if host == 0 { f64::NAN } else { at as f64 };
        let summary = format!("load {at}");
        let signal = Signal { key: 0, level, value, time_unix_ns: at * S, lasts_ns: 5 * S, summary };
        let labels = vec![("host".into(), host.to_string())];
        let said = Said { rule: RULE.into(), triplet: triplet(), labels, position: at as u64, signal };
        out.extend(alerts.say(0, said));
    }
    out.extend(alerts.advance(RULE, 0, at as u64, |_| at * S));
    out.iter().map(|transition| format!("{transition:?}")).collect()
}

fn shown(alerts: &Alerts) -> (Vec<String>, Vec<String>) {
    let all = alerts.all().map(|(alert, beside)| format!("{alert:?} {beside:?}")).collect();
    (all, alerts.ended().map(|episode| format!("{episode:?}")).collect())
}

#[test]
fn alerts_that_were_dumped_go_on_as_if_nothing_had_been() {
    let mut first = alerts();
    first.track();
    let (mut stored, mut since) = (Stored::new(), 0);
    for at in 1..400 {
        second(&mut first, at);
        if at % 37 != 0 {
            continue;
        }
        let mut entries = Vec::new();
        first.dump(&[RULE.into()], 0, since, false, &mut entries);
        since = at as u64 + 1;
        keep(&mut stored, entries);
        let mut back = alerts();
        stored.iter().for_each(|(key, value)| back.restore(key, value));
        back.restored();
        assert_eq!(shown(&back), shown(&first), "second {at}");
    }
    let mut entries = Vec::new();
    first.dump(&[RULE.into()], 0, 0, true, &mut entries);
    let mut back = alerts();
    keep(&mut stored, entries);
    stored.iter().for_each(|(key, value)| back.restore(key, value));
    back.restored();
    for at in 400..600 {
        assert_eq!(second(&mut back, at), second(&mut first, at), "second {at}");
    }
    assert!(first.ended().count() > 10, "the words are too calm");
}

fn append(store: &mut SeriesStore, at: i64) {
    let hosts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let busy: ArrayRef = Arc::new(Float64Array::from(vec![Some(at as f64), None, Some(f64::MAX)]));
    let (labels, mut values) = (vec![("host".into(), hosts)], vec![("busy".into(), busy)]);
    if at > 150 {
        let idle: ArrayRef = Arc::new(Float64Array::from(vec![0.5, at as f64, -1.0]));
        values.push(("idle".into(), idle));
    }
    // Every third second something late comes too.
    let late = if at % 3 == 0 { 40 } else { 0 };
    let time = [at * S, (at - late) * S, (at + late) * S];
    let points = Points { triplet: &triplet(), time: &time, labels: &labels, values: &values };
    store.append("cpu", &points);
}

fn store() -> SeriesStore {
    let mut store = SeriesStore::default();
    store.declare("cpu", &[], 100);
    store.track();
    store
}

/// Labels and points of all series, NaN as text.
fn points(store: &SeriesStore) -> Vec<String> {
    let metric = store.metric("cpu").unwrap();
    let one = |series: &weir_core::series::Series| {
        let all = series.ring.all();
        let fields: Vec<_> = (0..metric.fields.len()).map(|field| all.values(field)).collect();
        format!("{:?} {:?} {fields:?}", series.labels, all.time)
    };
    metric.series.iter().map(one).collect()
}

fn dump(store: &mut SeriesStore, all: bool, stored: &mut Stored) {
    let (mut entries, mut next) = (Vec::new(), Some(0));
    store.take_gone(&mut entries);
    while let Some(from) = next {
        next = store.dump("cpu", all, (from, 2), &mut entries);
    }
    keep(stored, entries);
}

fn restored(stored: &Stored) -> SeriesStore {
    let mut back = store();
    stored.iter().for_each(|(key, value)| back.restore(key, value));
    back.restored();
    back
}

#[test]
fn series_that_were_dumped_have_the_same_points_and_what_fell_out_of_the_rings_is_gone() {
    let (mut first, mut stored) = (store(), Stored::new());
    let mut longest = 0;
    for at in 1..1_000 {
        append(&mut first, at);
        if at % 41 == 0 {
            dump(&mut first, false, &mut stored);
            assert_eq!(points(&restored(&stored)), points(&first), "second {at}");
            longest = longest.max(stored.len());
        }
    }
    // 100 points of one a second are three or four pieces for each of three series, with a meta entry each and one of the metric.
    assert!(longest <= 1 + 3 * 6, "{longest} entries stay");
    dump(&mut first, false, &mut stored);
    let mut back = restored(&stored);
    for at in 1_000..1_100 {
        append(&mut first, at);
        append(&mut back, at);
    }
    // What is replayed over newer series comes to the same.
    for at in 1_050..1_100 {
        append(&mut back, at);
    }
    assert_eq!(points(&back), points(&first));
    let mut both = Stored::new();
    dump(&mut back, true, &mut both);
    assert_eq!(points(&restored(&both)), points(&first));
}
