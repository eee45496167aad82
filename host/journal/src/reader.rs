//! Records from a position on, and what is missing between them.
//!
//! In: a folder, and the offset of the first record that is wanted. Out, in the order of offsets: the records; for each damaged place what it is; a [`Item::Hole`] wherever
//! offsets are missing, which is true whatever the reason (a damaged place, a lost file, a folder that begins later than was wanted). It streams, holds one
//! window of one file, and may read while a host writes: what is being written at the end is a [`Item::Tail`] and no damage.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use weir_core::record::Record;
use weir_disk::Disk;

use crate::decode::Decoder;
use crate::frame::Head;
use crate::scan::{Scan, Step};
use crate::segment::{self, HEADER_BYTES, SegmentName};

#[derive(Debug, Clone)]
pub enum Item {
    Record(Record),
    /// No record has an offset of these, `to` not among them.
    Hole {
        from: u64,
        to: u64,
    },
    /// A place that is not what was written, though it had been made durable.
    Damage {
        segment: SegmentName,
        at: u64,
        bytes: u64,
    },
    /// The last file goes on with bytes that make no frame: being written, or torn by a crash.
    Tail {
        segment: SegmentName,
        at: u64,
        bytes: u64,
    },
}

#[derive(Debug)]
struct Current {
    name: SegmentName,
    scan: Scan,
    decoder: Decoder,
    is_last: bool,
}

#[derive(Debug)]
pub struct Reader {
    disk: Arc<dyn Disk>,
    log: u16,
    segments: VecDeque<SegmentName>,
    current: Option<Current>,
    /// The offset that comes next.
    expected: u64,
    waiting: Option<Record>,
}

impl Reader {
    /// From the record at `from` on. Earlier segments are not opened.
    pub fn open(disk: Arc<dyn Disk>, from: u64) -> io::Result<Self> {
        let mut segments: VecDeque<_> = segment::list(&*disk)?.into();
        let log = log_of(&*disk, &segments)?;
        // The last segment that begins at or before `from` holds it.
        while segments.get(1).is_some_and(|second| second.first <= from) {
            segments.pop_front();
        }
        Ok(Self { disk, log, segments, current: None, expected: from, waiting: None })
    }

    /// The next item; none at the end.
    pub fn read(&mut self) -> io::Result<Option<Item>> {
        if let Some(record) = self.waiting.take() {
            return Ok(Some(self.given(record)));
        }
        loop {
            let Some(current) = &mut self.current else {
                if !self.enter()? {
                    return Ok(None);
                }
                if let Some(item) = self.header() {
                    return Ok(Some(item));
                }
                continue;
            };
            let (name, at) = (current.name, current.scan.at());
            match current.scan.step()? {
                Step::Frame(head) => {
                    if let Some(item) = self.frame(head, at) {
                        return Ok(Some(item));
                    }
                }
                Step::Damage { at, bytes } => return Ok(Some(Item::Damage { segment: name, at, bytes })),
                Step::End { rest_at, rest_bytes } => {
                    let (is_last, closed) = (current.is_last, current.scan.closed());
                    let next_offset = current.scan.next_offset();
                    self.current = None;
                    if let Some(item) = self.left(name, (rest_at, rest_bytes), (is_last, closed), next_offset)
                    {
                        return Ok(Some(item));
                    }
                }
            }
        }
    }

    /// Opens the next segment; false where there is none.
    fn enter(&mut self) -> io::Result<bool> {
        while let Some(name) = self.segments.pop_front() {
            let scan = match Scan::open(&*self.disk, name) {
                // Retention was faster; the offsets that went with it are told as a hole.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match Scan::open(&*self.disk, name.set_apart()) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        other => other?,
                    }
                }
                other => other?,
            };
            let decoder = Decoder::new(self.log, name.epoch);
            self.current = Some(Current { name, scan, decoder, is_last: self.segments.is_empty() });
            return Ok(true);
        }
        Ok(false)
    }

    /// A damaged header loses nothing, but is told. That of the last file may not be written yet.
    fn header(&self) -> Option<Item> {
        let current = self.current.as_ref()?;
        let bytes = HEADER_BYTES as u64;
        let unwritten = current.is_last && current.scan.len() < bytes;
        let damaged = current.scan.header.is_none() && !unwritten;
        damaged.then_some(Item::Damage { segment: current.name, at: 0, bytes })
    }

    fn frame(&mut self, head: Head, at: u64) -> Option<Item> {
        let expected = self.expected;
        let current = self.current.as_mut()?;
        match current.decoder.take(&head, current.scan.payload(), expected) {
            Ok(Some(record)) => Some(self.given(record)),
            Ok(None) => None,
            // It needs what a damaged place took with it, and so is part of the hole.
            Err(_) => {
                let bytes = current.scan.at().saturating_sub(at);
                Some(Item::Damage { segment: current.name, at, bytes })
            }
        }
    }

    /// The record, or the hole before it.
    fn given(&mut self, record: Record) -> Item {
        let offset = record.position.offset;
        if offset > self.expected {
            let hole = Item::Hole { from: self.expected, to: offset };
            self.expected = offset;
            self.waiting = Some(record);
            return hole;
        }
        self.expected = offset + 1;
        Item::Record(record)
    }

    fn left(
        &mut self,
        segment: SegmentName,
        (at, bytes): (u64, u64),
        (is_last, closed): (bool, bool),
        next_offset: u64,
    ) -> Option<Item> {
        // What marks tell of and no record showed is missing at the end.
        let missing = is_last && next_offset > self.expected;
        if missing {
            let hole = Item::Hole { from: self.expected, to: next_offset };
            self.expected = next_offset;
            return Some(hole);
        }
        match (is_last, bytes, closed) {
            (true, 0, _) | (false, 0, true) => None,
            (true, ..) => Some(Item::Tail { segment, at, bytes }),
            (false, ..) => Some(Item::Damage { segment, at, bytes }),
        }
    }
}

/// Which log it is, as the first good header says.
fn log_of(disk: &dyn Disk, segments: &VecDeque<SegmentName>) -> io::Result<u16> {
    for name in segments {
        match Scan::open(disk, *name) {
            Ok(Scan { header: Some(header), .. }) => return Ok(header.log),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(0)
}

impl Iterator for Reader {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
