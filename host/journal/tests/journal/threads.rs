//! The journal with its thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use weir_disk::sim::Fault;
use weir_disk::{Disk, RealDisk, SimDisk};
use weir_journal::journal::Limits;
use weir_journal::{Durability, Journal, Refused};

use crate::records::{Maker, small};
use crate::there::{check_prefix, open, read};

const LONG: Duration = Duration::from_secs(60);

fn start(disk: &Arc<dyn Disk>) -> (Journal, Maker) {
    let (mut writer, opened) = open(disk, small()).unwrap();
    writer.keep_reserve().unwrap();
    let maker = Maker::new(1, opened.position);
    (Journal::start(writer, Limits::default()).unwrap(), maker)
}

#[test]
fn one_sync_serves_all_that_wait() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(folder.path()).unwrap());
    let (journal, mut maker) = start(&disk);
    let records: Vec<_> = (0..500).map(|_| maker.record()).collect();
    let called = Arc::new(AtomicU64::new(0));
    let mut tickets = Vec::new();
    for record in &records {
        let ticket = journal.append(Arc::clone(record), Durability::Fsync).unwrap();
        let called = Arc::clone(&called);
        journal.when_durable(ticket, move |outcome| {
            outcome.unwrap();
            called.fetch_add(1, Ordering::Relaxed);
        });
        tickets.push(ticket);
    }
    journal.wait(*tickets.last().unwrap(), LONG).unwrap();
    assert!(tickets.iter().all(|ticket| journal.is_durable(*ticket)));
    let status = journal.status();
    assert!(status.syncs_total < 400 && status.durable == 500, "{status:?}");
    journal.close().unwrap();
    assert_eq!(called.load(Ordering::Relaxed), 500);
    let there = read(&disk, 0);
    assert_eq!((there.records.len(), there.damages), (500, 0));
    check_prefix(&there, &records);
}

#[test]
fn what_need_not_be_durable_at_once_is_so_in_its_time() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (journal, mut maker) = start(&disk);
    let off = journal.append(maker.record(), Durability::Off).unwrap();
    assert_eq!(journal.wait(off, Duration::from_millis(30)), Err(Refused::TimedOut));
    let soon = journal.append(maker.record(), Durability::Interval(Duration::from_millis(20))).unwrap();
    journal.wait(soon, LONG).unwrap();
    assert!(journal.is_durable(off), "one that is durable makes all before it so");
    let last = journal.append(maker.record(), Durability::Off).unwrap();
    assert!(!journal.is_durable(last));
    journal.close().unwrap();
    assert_eq!(read(&disk, 0).records.len(), 3, "a clean end writes all");
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_or_accepted() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (journal, mut maker) = start(&disk);
    let good = journal.append(maker.record(), Durability::Fsync).unwrap();
    journal.wait(good, LONG).unwrap();
    for call in 0..4 {
        sim.plan(call, Fault::Io);
    }
    let bad = journal.append(maker.record(), Durability::Fsync).unwrap();
    let (tx, rx) = mpsc::channel();
    journal.when_durable(bad, move |outcome| tx.send(outcome.is_err()).unwrap());
    assert!(rx.recv_timeout(LONG).unwrap());
    assert!(matches!(journal.wait(bad, LONG), Err(Refused::Stopped(_))));
    assert!(matches!(journal.room(), Err(Refused::Stopped(_))));
    assert!(journal.append(maker.record(), Durability::Fsync).is_err());
    assert!(journal.is_durable(good) && journal.close().is_err());
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (journal, mut maker) = start(&disk);
    let mut records = vec![maker.record()];
    let first = journal.append(Arc::clone(&records[0]), Durability::Fsync).unwrap();
    journal.wait(first, LONG).unwrap();
    sim.set_capacity(Some(sim.used()));
    let mut tickets = Vec::new();
    while journal.room().is_ok() {
        records.push(maker.record());
        let ticket = journal.append(Arc::clone(records.last().unwrap()), Durability::Fsync).unwrap();
        let waited = journal.wait(ticket, LONG);
        assert!(waited.is_ok(), "the reserve takes it: {waited:?}");
        tickets.push(ticket);
    }
    assert_eq!(journal.room(), Err(Refused::Full));
    sim.set_capacity(None);
    let until = std::time::Instant::now() + LONG;
    while journal.room().is_err() {
        assert!(std::time::Instant::now() < until, "it never went on");
        std::thread::yield_now();
    }
    journal.close().unwrap();
    let there = read(&disk, 0);
    assert_eq!(there.records.len(), records.len());
    check_prefix(&there, &records);
}

#[test]
fn a_full_queue_says_so() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (writer, opened) = open(&disk, small()).unwrap();
    let journal = Journal::start(writer, Limits { waiting_bytes: 0 }).unwrap();
    assert!(matches!(journal.room(), Err(Refused::Busy { limit_bytes: 0, .. })), "{opened:?}");
}
