//! Bits that flip anywhere: each is found and told, what is served is what was written, and a start always comes through.
//!
//! `WEIR_FLIPS=10000 cargo test --release -p weir-journal --test journal damage` flips more.

use std::sync::Arc;

use weir_core::record::Record;
use weir_disk::sim::Chance;
use weir_disk::{Disk, SimDisk};
use weir_journal::upkeep::Keep;
use weir_journal::{offline, upkeep};

use crate::records::{Maker, same, small};
use crate::there::{check_prefix, open, read};

/// Several segments, the first two packed, the last ended where `closed`, else as a crash leaves it.
fn written(closed: bool) -> (SimDisk, Vec<Arc<Record>>) {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (mut writer, opened) = open(&disk, small()).unwrap();
    let mut maker = Maker::new(5, opened.position);
    let records: Vec<_> = (0..150).map(|_| maker.record()).collect();
    for group in records.chunks(5) {
        for record in group {
            writer.append(record).unwrap();
        }
        writer.flush().unwrap();
        writer.sync().unwrap();
    }
    writer.flush().unwrap();
    let keep = Keep { age_ns: i64::MAX, bytes: u64::MAX };
    for _ in 0..2 {
        assert_eq!(upkeep(&*disk, writer.segment().number, keep, 0, 0).unwrap().packed.len(), 1);
    }
    if closed {
        writer.close().unwrap();
    }
    (sim, records)
}

fn check(good: &SimDisk, records: &[Arc<Record>], closed: bool, chance: &mut Chance) {
    let sim = good.copied(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let files = disk.list().unwrap();
    let file = &files[chance.below(files.len() as u64) as usize];
    let byte = chance.below(sim.len(file).unwrap());
    let bit = chance.below(8) as u8;
    assert!(sim.flip(file, byte, bit));
    let place = format!("{file}, byte {byte}, bit {bit}, closed {closed}");

    let verified = offline::verify(Arc::clone(&disk)).unwrap();
    assert!(!verified.is_good() || verified.tail_bytes > 0, "{place} was not found");
    let (mut writer, opened) = open(&disk, small()).unwrap();
    let there = read(&disk, 0);
    let missing: u64 = there.holes.iter().map(|(from, to)| to - from).sum();
    let cut = records.len() as u64 - missing - there.records.len() as u64;
    assert!(cut == 0 || opened.torn.is_some(), "{place}: {cut} records are gone and nobody says so");
    assert!(cut <= 5, "{place}: {cut} records were cut, though a sync had made them durable");
    assert!(there.damages > 0 || opened.torn.is_some() || !opened.damaged.is_empty(), "{place} was not told");
    for record in &there.records {
        assert!(same(record, &records[record.position.offset as usize]), "{place} is served");
    }

    // And it goes on behind the damage, in a new epoch.
    let mut maker = Maker::new(9, opened.position);
    let more: Vec<_> = (0..10).map(|_| maker.record()).collect();
    for record in &more {
        writer.append(record).unwrap();
    }
    writer.close().unwrap();
    let there = read(&disk, opened.position.offset);
    assert_eq!(there.records.len(), 10, "{place}");
    check_prefix(&there, &more);
    let (_, again) = open(&disk, small()).unwrap();
    assert!(
        again.was_closed && again.torn.is_none() && again.damaged.is_empty(),
        "{place}: no damage is found twice"
    );
}

#[test]
fn damage_flipped_bits_are_found_and_never_served() {
    let flips = std::env::var("WEIR_FLIPS").ok().and_then(|flips| flips.parse().ok()).unwrap_or(300);
    let mut chance = Chance::new(77);
    for closed in [true, false] {
        let (good, records) = written(closed);
        for _ in 0..flips / 2 {
            check(&good, &records, closed, &mut chance);
        }
    }
}

#[test]
fn damage_in_the_middle_leaves_the_rest_readable() {
    let (good, records) = written(true);
    let disk: Arc<dyn Disk> = Arc::new(good.clone());
    let files = disk.list().unwrap();
    let plain = &files[files.len() - 2];
    good.flip(plain, good.len(plain).unwrap() / 2, 3);
    let there = read(&disk, 0);
    assert_eq!((there.damages, there.holes.len()), (1, 1));
    assert_eq!(there.records.len(), records.len() - 1, "one record, and no more, is gone");
    let hole = there.holes[0];
    assert_eq!(hole.1 - hole.0, 1);
}

#[test]
fn damage_before_the_newest_mark_sets_the_segment_apart() {
    let (good, records) = written(false);
    let disk: Arc<dyn Disk> = Arc::new(good.clone());
    let last = disk.list().unwrap().last().unwrap().clone();
    good.flip(&last, 100, 3);
    let (_, opened) = open(&disk, small()).unwrap();
    assert_eq!(opened.damaged.len(), 1);
    assert!(disk.list().unwrap().contains(&format!("{last}.damaged")));
    assert_eq!(opened.position.offset, records.len() as u64, "positions go on behind what was lost");
    assert_eq!(opened.position.epoch, 2);
}

#[test]
fn a_lost_segment_is_told_as_a_hole() {
    let (good, records) = written(true);
    let disk: Arc<dyn Disk> = Arc::new(good);
    let files = disk.list().unwrap();
    disk.remove(&files[1]).unwrap();
    let (_, opened) = open(&disk, small()).unwrap();
    assert_eq!(opened.missing, [2]);
    let there = read(&disk, 0);
    assert_eq!(there.holes.len(), 1);
    let missing = there.holes[0].1 - there.holes[0].0;
    assert_eq!(there.records.len() as u64 + missing, records.len() as u64);
}
