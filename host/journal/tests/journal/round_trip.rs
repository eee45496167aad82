//! Written and read, over segments and restarts.

use std::sync::Arc;

use weir_core::batch::Position;
use weir_core::record::Payload;
use weir_disk::{Disk, SimDisk};

use crate::records::{Maker, small};
use crate::there::{check_prefix, open, read};

#[test]
fn all_that_was_written_comes_back_over_many_segments() {
    for seed in 0..20 {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(seed));
        let (mut writer, opened) = open(&disk, small()).unwrap();
        assert_eq!(opened.position, Position { log: 3, epoch: 1, offset: 0 });
        let mut maker = Maker::new(seed, opened.position);
        let records: Vec<_> = (0..300).map(|_| maker.record()).collect();
        for record in &records {
            writer.append(record).unwrap();
        }
        writer.close().unwrap();
        assert!(writer.segment().number > 3);
        let there = read(&disk, 0);
        assert_eq!((there.records.len(), there.damages, there.tail_bytes), (300, 0, 0));
        assert!(there.holes.is_empty());
        check_prefix(&there, &records);
    }
}

#[test]
fn reading_begins_at_any_position() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (mut writer, opened) = open(&disk, small()).unwrap();
    let mut maker = Maker::new(1, opened.position);
    let records: Vec<_> = (0..200).map(|_| maker.record()).collect();
    for record in &records {
        writer.append(record).unwrap();
    }
    writer.close().unwrap();
    for from in [0, 1, 57, 100, 199, 200] {
        let there = read(&disk, from);
        assert_eq!(there.records.len() as u64, 200 - from);
        check_prefix(&there, &records[from as usize..]);
    }
}

#[test]
fn a_batch_of_one_row_costs_at_most_400_bytes() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (mut writer, opened) = open(&disk, weir_journal::Settings::default()).unwrap();
    let mut maker = Maker::new(1, opened.position);
    // The description of both streams, and names.
    for _ in 0..20 {
        writer.append(&maker.batch(1)).unwrap();
    }
    writer.flush().unwrap();
    let mut most = 0;
    for _ in 0..200 {
        let before = writer.bytes_total();
        let record = maker.batch(1);
        assert!(matches!(record.payload, Payload::Batch { .. }));
        writer.append(&record).unwrap();
        writer.flush().unwrap();
        // With the mark of its sync, and with the new name where it brings one.
        writer.sync().unwrap();
        writer.flush().unwrap();
        most = most.max(writer.bytes_total() - before);
    }
    assert!(most <= 400, "{most}");
}

#[test]
fn a_restart_goes_on_in_a_new_epoch_behind_the_last_record() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let mut records = Vec::new();
    for epoch in 1..5 {
        let (mut writer, opened) = open(&disk, small()).unwrap();
        assert_eq!(opened.position, Position { log: 3, epoch, offset: records.len() as u64 });
        assert!(opened.was_closed && opened.torn.is_none() && opened.damaged.is_empty());
        let mut maker = Maker::new(u64::from(epoch), opened.position);
        for _ in 0..30 {
            records.push(maker.record());
            writer.append(records.last().unwrap()).unwrap();
        }
        writer.close().unwrap();
    }
    let there = read(&disk, 0);
    assert_eq!(there.records.len(), 120);
    check_prefix(&there, &records);
}

#[test]
fn the_new_position_is_beyond_what_a_checkpoint_knows() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let at_least = Position { log: 3, epoch: 9, offset: 50 };
    let (mut writer, opened) = weir_journal::open(Arc::clone(&disk), small(), at_least, 0).unwrap();
    assert_eq!(opened.position, Position { log: 3, epoch: 10, offset: 50 });
    let record = Maker::new(1, opened.position).record();
    writer.append(&record).unwrap();
    writer.close().unwrap();
    assert_eq!(read(&disk, 40).holes, [(40, 50)], "what should have been there is told");
}
