//! What is in the folder of a journal, and whether it is what was written.

use std::sync::Arc;

use weir_core::batch::Position;
use weir_core::record::Record;
use weir_disk::Disk;
use weir_journal::{Item, Reader, Settings, Writer};

use crate::records::same;

/// Opens the journal of the disk, with nothing to be beyond.
pub fn open(disk: &Arc<dyn Disk>, settings: Settings) -> std::io::Result<(Writer, weir_journal::Opened)> {
    weir_journal::open(Arc::clone(disk), settings, Position::default(), 5)
}

#[derive(Debug, Default)]
pub struct There {
    pub records: Vec<Record>,
    pub holes: Vec<(u64, u64)>,
    pub damages: usize,
    pub tail_bytes: u64,
}

pub fn read(disk: &Arc<dyn Disk>, from: u64) -> There {
    let mut there = There::default();
    for item in Reader::open(Arc::clone(disk), from).unwrap() {
        match item.unwrap() {
            Item::Record(record) => there.records.push(record),
            Item::Hole { from, to } => there.holes.push((from, to)),
            Item::Damage { .. } => there.damages += 1,
            Item::Tail { bytes, .. } => there.tail_bytes += bytes,
        }
    }
    there
}

/// The first of `records` are what is there, and nothing else is.
pub fn check_prefix(there: &There, records: &[Arc<Record>]) {
    assert!(there.records.len() <= records.len(), "{} of {}", there.records.len(), records.len());
    for (there, record) in there.records.iter().zip(records) {
        assert!(same(there, record), "{there:?}\n{record:?}");
    }
}
