//! Records that count only together, and notes: there as a whole or not at all, wherever the end is torn.

use std::sync::Arc;

use weir_core::record::{FilePlace, Files, Note, Record, Request};
use weir_disk::{Disk, SimDisk};

use crate::records::{Maker, same, small};
use crate::there::{open, read};

fn request() -> Note {
    Note::Request(Request {
        key: *b"0123456789abcdef",
        print: [255; 16],
        accepted: 7,
        duplicates: 2,
        rejected: 1,
        reasons: r#"[{"line":1}]"#.into(),
    })
}

fn files() -> Note {
    let place = FilePlace {
        device: 1 << 40,
        inode: 77,
        offset_bytes: 1 << 50,
        beginning: (0xffff_ffff, 256),
        path: "/var/log/ü.log".into(),
    };
    Note::Files(Files { source: "log".into(), places: vec![place], gone: vec![(3, u64::MAX)] })
}

/// Singles and groups of up to four, each with a note at its end.
fn records(maker: &mut Maker) -> Vec<Arc<Record>> {
    let mut records = Vec::new();
    for group in 0..12 {
        let length = 1 + group % 4;
        for at in 0..length {
            let is_last = at + 1 == length;
            let note = is_last.then(|| Arc::new(if group % 2 == 0 { request() } else { files() }));
            let record = Record { note, goes_on: !is_last, ..(*maker.batch(3)).clone() };
            records.push(Arc::new(record));
        }
    }
    records
}

#[test]
fn notes_come_back_with_their_records_of_every_kind() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let (mut writer, opened) = open(&disk, small()).unwrap();
    let mut maker = Maker::new(3, opened.position);
    let mut written: Vec<Arc<Record>> = records(&mut maker);
    for _ in 0..40 {
        let record = maker.record();
        let takes = !matches!(record.payload, weir_core::record::Payload::Command(_));
        let note = takes.then(|| Arc::new(files()));
        written.push(Arc::new(Record { note, ..(*record).clone() }));
    }
    written.iter().for_each(|record| writer.append(record).unwrap());
    writer.close().unwrap();
    let there = read(&disk, 0);
    assert_eq!((there.records.len(), there.holes.len(), there.damages), (written.len(), 0, 0));
    for (there, record) in there.records.iter().zip(&written) {
        assert!(same(there, record));
        assert_eq!((&there.note, there.goes_on), (&record.note, record.goes_on));
    }
}

#[test]
fn an_end_that_is_torn_anywhere_leaves_whole_groups() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let settings = weir_journal::Settings { segment_bytes: 1 << 20, ..small() };
    let (mut writer, opened) = open(&disk, settings).unwrap();
    let written = records(&mut Maker::new(9, opened.position));
    written.iter().for_each(|record| writer.append(record).unwrap());
    writer.flush().unwrap();
    let name = writer.segment().to_string();
    let whole = sim.len(&name).unwrap();
    let mut counts = std::collections::BTreeSet::new();
    for length in (64..=whole).rev().step_by(7) {
        let disk: Arc<dyn Disk> = Arc::new(sim.copied(1));
        disk.open_writable(&name).unwrap().set_len(length).unwrap();
        let (_, opened) = open(&disk, settings).unwrap();
        let there = read(&disk, 0);
        assert!(there.records.last().is_none_or(|last| !last.goes_on), "cut to {length}");
        assert!(there.holes.is_empty() && there.damages == 0, "cut to {length}: {:?}", there.holes);
        assert!(there.records.iter().zip(&written).all(|(there, record)| same(there, record)));
        let next = written.first().unwrap().position.offset + there.records.len() as u64;
        assert_eq!(opened.position.offset, next, "what was cut gives its offsets back");
        counts.insert(there.records.len());
    }
    assert_eq!(counts.len(), 13, "every group was the last one once: {counts:?}");
}

#[test]
fn a_group_is_in_one_segment_however_small_they_are() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let settings = weir_journal::Settings { segment_bytes: 600, ..small() };
    let (mut writer, opened) = open(&disk, settings).unwrap();
    let written = records(&mut Maker::new(9, opened.position));
    let mut segments = Vec::new();
    for record in &written {
        writer.append(record).unwrap();
        segments.push(writer.segment().number);
    }
    let pairs = written.iter().zip(segments.windows(2));
    assert!(pairs.clone().all(|(record, pair)| !record.goes_on || pair[0] == pair[1]));
    assert!(pairs.filter(|(_, pair)| pair[0] != pair[1]).count() > 3);
}
