//! A fake of the intake for tests: keeps what it is given, can be busy, and lets a test wait for rows instead of sleeping.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;
use weir_core::batch::Incoming;
use weir_core::codec::StreamCounters;
use weir_core::config::{Durability, SourceKind, SourceSpec};
use weir_core::record::{FilePlace, Note, Request};
use weir_core::seen::Seen;
use weir_core::triplet::{Selector, Triplet};

use super::Accept;
use super::outlet::Outlet;
use crate::intake::{Busy, Receipt, SourceCounters, Took, Why};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
pub struct Fake {
    pub busy: AtomicBool,
    pub counters: Arc<SourceCounters>,
    /// Each call of `accept`.
    calls: Mutex<Vec<Vec<Incoming>>>,
    changed: Condvar,
    now_unix_ns: AtomicI64,
    /// What builders said happened in streams.
    pub changes: Mutex<Vec<(Triplet, StreamCounters)>>,
    pub own: Mutex<Vec<Incoming>>,
    /// As with a folder of data.
    pub remembers: AtomicBool,
    /// What notes said.
    pub seen: Mutex<Seen>,
}

impl Accept for Fake {
    fn room(&self, _streams: &[Selector]) -> Result<(), Busy> {
        let busy = self.busy.load(Ordering::SeqCst);
        if busy { Err(Busy { retry_after: Duration::from_millis(1_200), why: Why::Lag }) } else { Ok(()) }
    }

    fn accept(&self, batches: Vec<Incoming>, _: Durability, note: Option<Note>) -> Took {
        if let Some(Note::Files(files)) = note {
            self.seen.lock().places.note(&files);
        }
        if !batches.is_empty() {
            self.calls.lock().push(batches);
        }
        self.changed.notify_all();
        Took::default()
    }

    fn request(&self, _: &[u8; 16]) -> Option<(Arc<Request>, Receipt)> {
        None
    }

    fn places(&self, source: &str) -> Option<Vec<FilePlace>> {
        self.remembers.load(Ordering::SeqCst).then(|| self.seen.lock().places.of(source))
    }

    fn note(&self, changes: Vec<(Triplet, StreamCounters)>) {
        self.changes.lock().extend(changes);
    }

    fn now_unix_ns(&self) -> i64 {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
        self.now_unix_ns.fetch_max(now, Ordering::SeqCst).max(now)
    }

    fn counters(&self, _name: &str, _kind: &'static str) -> Arc<SourceCounters> {
        self.counters.clone()
    }

    fn own_counters(&self) -> Vec<Incoming> {
        self.own.lock().clone()
    }
}

/// A source of that kind whose events go to a/b/c.
pub fn spec(name: &str, kind: SourceKind) -> SourceSpec {
    let kind_durability = kind.durability();
    SourceSpec {
        name: name.into(),
        kind,
        triplet: Some("a/b/c".parse().unwrap()),
        durability: kind_durability,
        may_write: vec!["*/*/*".parse().unwrap()],
        fields: Default::default(),
        dedup: None,
        requests: Default::default(),
        codec: Default::default(),
        place: Default::default(),
    }
}

/// The way out of a source of that name, to the fake.
pub fn outlet(name: &str, fake: &Arc<Fake>, stop: watch::Receiver<bool>) -> Outlet {
    Outlet {
        name: name.into(),
        streams: Arc::default(),
        durability: Durability::Interval,
        accept: fake.clone(),
        counters: fake.counters.clone(),
        rejected: Arc::default(),
        stop,
        wants_stop: watch::channel(false).0,
    }
}

impl Fake {
    pub fn calls(&self) -> usize {
        self.calls.lock().len()
    }

    pub fn rows(&self) -> usize {
        rows(&self.calls.lock())
    }

    /// All batches so far, in the order in which they came.
    pub fn batches(&self) -> Vec<Incoming> {
        self.calls.lock().iter().flatten().cloned().collect()
    }

    /// Waits until this many rows have come. Panics if they do not.
    pub fn wait_rows(&self, wanted: usize) {
        let mut calls = self.calls.lock();
        let until = Instant::now() + PATIENCE;
        while rows(&calls) < wanted {
            let late = self.changed.wait_until(&mut calls, until).timed_out();
            assert!(!late, "{} of {wanted} rows came", rows(&calls));
        }
    }

    /// The values of an integer column over all batches of a stream, in order.
    pub fn integers(&self, triplet: &str, column: &str) -> Vec<i64> {
        let batches = self.batches();
        let batches = batches.iter().filter(|batch| batch.triplet.as_str() == triplet);
        batches
            .flat_map(|batch| {
                let column = batch.columns.column_by_name(column).unwrap();
                let values = column.as_primitive_opt::<Int64Type>().unwrap();
                values.values().to_vec()
            })
            .collect()
    }
}

fn rows(calls: &[Vec<Incoming>]) -> usize {
    calls.iter().flatten().map(Incoming::rows).sum()
}

/// Waits until a condition that some other thread makes true holds. Panics if it does not.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "never came: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
