//! Packing and retention.

use std::sync::Arc;

use weir_core::record::{Command, Payload};
use weir_disk::{Disk, SimDisk};
use weir_journal::upkeep::{Keep, configurations};
use weir_journal::{Reader, Writer, offline, upkeep};

use crate::records::{Maker, small};
use crate::there::{check_prefix, open, read};

const KEEP_ALL: Keep = Keep { age_ns: i64::MAX, bytes: u64::MAX };

fn filled(count: usize) -> (Arc<dyn Disk>, Writer, Vec<Arc<weir_core::record::Record>>) {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (mut writer, opened) = open(&disk, small()).unwrap();
    let mut maker = Maker::new(1, opened.position);
    let records: Vec<_> = (0..count).map(|_| maker.record()).collect();
    for record in &records {
        writer.append(record).unwrap();
    }
    writer.flush().unwrap();
    writer.sync().unwrap();
    (disk, writer, records)
}

#[test]
fn packed_segments_are_smaller_and_hold_the_same() {
    let (disk, writer, records) = filled(300);
    let live = writer.segment().number;
    let (mut before, mut after) = (0, 0);
    for _ in 1..live {
        let done = upkeep(&*disk, live, KEEP_ALL, 0, 0).unwrap();
        assert_eq!(done.packed.len(), 1);
        before += done.bytes_before;
        after += done.bytes_after;
    }
    assert!(upkeep(&*disk, live, KEEP_ALL, 0, 0).unwrap().packed.is_empty());
    assert!(after < before, "{after} of {before}");
    let there = read(&disk, 0);
    assert_eq!((there.records.len(), there.damages), (300, 0));
    check_prefix(&there, &records);
    assert!(offline::ls(&*disk).unwrap().iter().all(|listed| listed.packed == (listed.name.number < live)));
}

#[test]
fn a_reader_goes_on_while_segments_are_packed_and_removed() {
    let (disk, writer, records) = filled(300);
    let mut reader = Reader::open(Arc::clone(&disk), 0).unwrap();
    for _ in 0..10 {
        reader.read().unwrap();
    }
    let live = writer.segment().number;
    for _ in 1..live {
        upkeep(&*disk, live, KEEP_ALL, 0, 0).unwrap();
    }
    assert_eq!(reader.by_ref().count(), 290);
    assert_eq!(records.len(), 300);
    let mut reader = Reader::open(Arc::clone(&disk), 0).unwrap();
    upkeep(&*disk, live, Keep { age_ns: i64::MAX, bytes: 0 }, u64::MAX, 0).unwrap();
    let first = reader.read().unwrap().unwrap();
    assert!(matches!(first, weir_journal::Item::Hole { from: 0, .. }), "{first:?}");
}

#[test]
fn retention_goes_by_age_and_by_size_and_never_past_what_replay_needs() {
    let (disk, writer, _) = filled(300);
    let live = writer.segment().number;
    let listed = offline::ls(&*disk).unwrap();
    let third = listed[2].name.first;
    let nothing = Keep { age_ns: 0, bytes: 0 };
    let done = upkeep(&*disk, live, nothing, third, i64::MAX).unwrap();
    assert_eq!(done.removed.iter().map(|name| name.number).collect::<Vec<_>>(), [1, 2]);
    assert!(upkeep(&*disk, live, nothing, third, i64::MAX).unwrap().removed.is_empty());

    let born = listed[4].created_at_unix_ns.unwrap();
    let by_age = Keep { age_ns: 10, bytes: u64::MAX };
    let done = upkeep(&*disk, live, by_age, u64::MAX, born + 11).unwrap();
    assert_eq!(
        done.removed.last().map(|name| name.number),
        Some(4),
        "those that ended more than 10 ns before"
    );

    // So that no packing gives the room.
    while !upkeep(&*disk, live, KEEP_ALL, 0, 0).unwrap().packed.is_empty() {}
    let sizes: u64 = offline::ls(&*disk).unwrap().iter().map(|listed| listed.bytes).sum();
    let by_size = Keep { age_ns: i64::MAX, bytes: sizes - 1 };
    assert_eq!(upkeep(&*disk, live, by_size, u64::MAX, 0).unwrap().removed.len(), 1);
    let all = upkeep(&*disk, live, nothing, u64::MAX, i64::MAX).unwrap();
    assert_eq!(offline::ls(&*disk).unwrap().len(), 1, "the one that is written stays: {all:?}");
}

#[test]
fn what_kept_segments_name_is_told_packed_or_not() {
    let (disk, writer, records) = filled(300);
    let named = |records: &[Arc<weir_core::record::Record>]| {
        let commands = records.iter().filter_map(|record| match &record.payload {
            Payload::Command(Command::Configure { revision, text, .. }) => {
                Some((*revision, Arc::clone(text)))
            }
            _ => None,
        });
        commands.collect::<Vec<_>>()
    };
    assert!(named(&records).len() > 3);
    assert_eq!(configurations(&*disk).unwrap(), named(&records));
    let live = writer.segment().number;
    while !upkeep(&*disk, live, KEEP_ALL, 0, 0).unwrap().packed.is_empty() {}
    upkeep(&*disk, live, Keep { age_ns: i64::MAX, bytes: 0 }, records.len() as u64 / 2, 0).unwrap();
    let first = offline::ls(&*disk).unwrap()[0].name.first as usize;
    assert!(first > 0);
    assert_eq!(configurations(&*disk).unwrap(), named(&records[first..]));
}
