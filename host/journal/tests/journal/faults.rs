//! Every call that changes or syncs something fails once, in each way, while a journal is opened, written, rolled, packed and closed.

use std::sync::Arc;

use weir_core::record::Record;
use weir_disk::sim::Fault;
use weir_disk::{Disk, SimDisk};
use weir_journal::upkeep::Keep;
use weir_journal::{Stopped, upkeep};

use crate::records::{Maker, small};
use crate::there::{check_prefix, open, read};

/// What was promised before something failed.
#[derive(Default)]
struct Run {
    records: Vec<Arc<Record>>,
    synced: usize,
    stopped: Option<Stopped>,
    failed: bool,
}

/// 60 records, synced three by three, and upkeep in between.
fn run(disk: &Arc<dyn Disk>) -> Run {
    let mut run = Run::default();
    let Ok((mut writer, opened)) = open(disk, small()) else {
        run.failed = true;
        return run;
    };
    let mut maker = Maker::new(1, opened.position);
    for round in 0..20 {
        for _ in 0..3 {
            run.records.push(maker.record());
            if let Err(error) = writer.append(run.records.last().unwrap()) {
                run.failed = true;
                run.stopped = writer.sync().err();
                assert_eq!(Some(error.to_string()), run.stopped.as_ref().map(ToString::to_string), "final");
                return run;
            }
        }
        let done =
            writer.flush().and_then(|written| if written { writer.sync().map(|()| true) } else { Ok(false) });
        match done {
            Ok(true) => run.synced = run.records.len(),
            Ok(false) => run.failed = true,
            Err(stopped) => {
                assert_eq!(writer.sync(), Err(stopped.clone()), "no sync is tried again");
                assert!(writer.append(&maker.record()).is_err());
                run.stopped = Some(stopped);
                run.failed = true;
                return run;
            }
        }
        if round % 5 == 4 {
            let keep = Keep { age_ns: i64::MAX, bytes: u64::MAX };
            run.failed |= upkeep(&**disk, writer.segment().number, keep, 0, 0).is_err();
        }
    }
    match writer.close() {
        Ok(()) => run.synced = run.records.len(),
        Err(_) => run.failed = true,
    }
    run
}

fn check(call: u64, fault: Fault, seed: u64) -> bool {
    let sim = SimDisk::new(seed);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    sim.plan(call, fault);
    let run = run(&disk);
    if sim.fired().is_empty() {
        return false;
    }
    let unseen = fault == Fault::Short || (fault == Fault::Full && run.synced == run.records.len());
    assert!(run.failed || unseen, "call {call} {fault:?}: the error was hidden");
    sim.reboot();
    let (_, opened) = open(&disk, small()).unwrap();
    assert!(opened.damaged.is_empty(), "call {call} {fault:?}: {opened:?}");
    let there = read(&disk, 0);
    assert!(
        there.records.len() >= run.synced,
        "call {call} {fault:?}: {} of {}",
        there.records.len(),
        run.synced
    );
    assert!(there.holes.is_empty() && there.damages == 0, "call {call} {fault:?}: {there:?}");
    check_prefix(&there, &run.records);
    true
}

#[test]
fn every_call_fails_once_in_each_way() {
    let calls = {
        let sim = SimDisk::new(0);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        assert!(!run(&disk).failed);
        sim.calls()
    };
    assert!(calls > 50, "{calls}");
    for fault in [Fault::Io, Fault::Full, Fault::Short, Fault::Crash] {
        for call in 0..calls {
            assert!(check(call, fault, call), "call {call} {fault:?} never fired");
        }
    }
}

#[test]
fn a_stopped_journal_says_what_to_do() {
    let sim = SimDisk::new(0);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (mut writer, opened) = open(&disk, small()).unwrap();
    writer.append(&Maker::new(1, opened.position).record()).unwrap();
    writer.flush().unwrap();
    sim.plan(0, Fault::Io);
    let told = writer.sync().unwrap_err().to_string();
    assert!(told.contains("a sync failed: planned input/output error"), "{told}");
    assert!(told.contains("Check the disk") && told.contains("restart"), "{told}");
}
