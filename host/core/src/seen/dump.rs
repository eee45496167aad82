//! What was accepted, as entries of a checkpoint, and back.
//!
//! Keys: `p`, the source, a zero byte and the name of a producer: offset of its newest event u64, all below u64, then first and last of each run u64, little-endian. `i` and
//! the digest of a key: digest of the request (16 bytes), time i64, accepted, duplicates and rejected u64, the reasons as text. `t`, the source, a zero byte, device and inode
//! (u64 each, big-endian): offset u64, checksum and length of the beginning u32 each, the path as text.
//!
//! A dump may be newer than what is replayed over it: what comes again changes nothing. It must not be newer than the journal on disk.

use std::sync::Arc;

use super::Seen;
use super::ranges::Ranges;
use crate::record::{FilePlace, Request};
use crate::state::dump::Entry;

pub const PRODUCER: u8 = b'p';
pub const REQUEST: u8 = b'i';
pub const PLACE: u8 = b't';

impl Seen {
    /// What changed since the last call, or all of it: at most about `count` entries. False: there is more.
    pub fn dump(&mut self, all: bool, from: &mut Cursor, count: usize, out: &mut Vec<Entry>) -> bool {
        if !std::mem::replace(&mut from.begun, true) {
            self.dump_gone(out);
            self.dump_requests(all, out);
            self.dump_places(all, out);
        }
        if from.evicted_total != self.producers.evicted_total {
            // Places have moved: those that were dumped are dumped once more.
            *from = Cursor { begun: true, passed: 0, evicted_total: self.producers.evicted_total };
        }
        let bound = out.len() + count;
        let mut passed = 0;
        for (source, of_source) in &mut self.producers.sources {
            for producer in &mut of_source.slots {
                passed += 1;
                if passed <= from.passed {
                    continue;
                }
                if out.len() >= bound {
                    return false;
                }
                from.passed = passed;
                if std::mem::take(&mut producer.changed) || all {
                    let value = producer_value(producer.at, &producer.ranges);
                    out.push((producer_key(source, &producer.name), Some(value)));
                }
            }
        }
        true
    }

    fn dump_gone(&mut self, out: &mut Vec<Entry>) {
        let gone = std::mem::take(&mut self.producers.gone);
        out.extend(gone.iter().map(|(source, name)| (producer_key(source, name), None)));
        let gone = std::mem::take(&mut self.requests.gone);
        out.extend(gone.iter().map(|key| (request_key(key), None)));
        let gone = std::mem::take(&mut self.places.gone);
        out.extend(gone.iter().map(|(source, device, inode)| (place_key(source, *device, *inode), None)));
    }

    fn dump_requests(&mut self, all: bool, out: &mut Vec<Entry>) {
        let fresh = std::mem::take(&mut self.requests.fresh);
        let keys: Vec<[u8; 16]> = if all { self.requests.known.keys().copied().collect() } else { fresh };
        for key in keys {
            let Some(known) = self.requests.known.get(&key) else { continue };
            let Request { print, accepted, duplicates, rejected, reasons, .. } = &*known.request;
            let mut value = print.to_vec();
            value.extend_from_slice(&known.at_unix_ns.to_le_bytes());
            for number in [accepted, duplicates, rejected] {
                value.extend_from_slice(&number.to_le_bytes());
            }
            value.extend_from_slice(reasons.as_bytes());
            out.push((request_key(&key), Some(value)));
        }
    }

    fn dump_places(&mut self, all: bool, out: &mut Vec<Entry>) {
        for ((source, device, inode), known) in &mut self.places.known {
            if std::mem::take(&mut known.changed) || all {
                let mut value = known.place.offset_bytes.to_le_bytes().to_vec();
                value.extend_from_slice(&known.place.beginning.0.to_le_bytes());
                value.extend_from_slice(&known.place.beginning.1.to_le_bytes());
                value.extend_from_slice(known.place.path.as_bytes());
                out.push((place_key(source, *device, *inode), Some(value)));
            }
        }
    }

    /// Takes one entry. False: it makes no sense.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.restore_one(key, value).is_some()
    }

    /// After the last entry.
    pub fn restored(&mut self) {
        self.requests.restored();
    }

    fn restore_one(&mut self, key: &[u8], mut value: &[u8]) -> Option<()> {
        let (kind, key) = key.split_first()?;
        match *kind {
            PRODUCER => {
                let (source, name) = split(key)?;
                let (at, below) = (u64_of(&mut value)?, u64_of(&mut value)?);
                let mut runs = Vec::new();
                while !value.is_empty() {
                    runs.push((u64_of(&mut value)?, u64_of(&mut value)?));
                }
                let name = std::str::from_utf8(name).ok()?;
                self.producers.restore(source, name, at, Ranges::of(below, runs)?);
            }
            REQUEST => {
                let print = *value.split_off(..16)?.first_chunk()?;
                let at_unix_ns = u64_of(&mut value)? as i64;
                let request = Request {
                    key: *key.first_chunk()?,
                    print,
                    accepted: u64_of(&mut value)?,
                    duplicates: u64_of(&mut value)?,
                    rejected: u64_of(&mut value)?,
                    reasons: std::str::from_utf8(value).ok()?.into(),
                };
                self.requests.put(Arc::new(request), at_unix_ns);
            }
            PLACE => {
                let (source, rest) = split(key)?;
                let (device, rest) = rest.split_first_chunk::<8>()?;
                let offset_bytes = u64_of(&mut value)?;
                let beginning = u64_of(&mut value)?;
                let place = FilePlace {
                    device: u64::from_be_bytes(*device),
                    inode: u64::from_be_bytes(*rest.first_chunk()?),
                    offset_bytes,
                    beginning: (beginning as u32, (beginning >> 32) as u32),
                    path: std::str::from_utf8(value).ok()?.into(),
                };
                self.places.put(&source.into(), place, false);
            }
            _ => return None,
        }
        Some(())
    }
}

/// Where a dump goes on. A producer that moves meanwhile is dumped with the next one.
#[derive(Debug, Default)]
pub struct Cursor {
    begun: bool,
    passed: usize,
    evicted_total: u64,
}

fn producer_key(source: &str, name: &str) -> Vec<u8> {
    [&[PRODUCER], source.as_bytes(), &[0], name.as_bytes()].concat()
}

fn request_key(key: &[u8; 16]) -> Vec<u8> {
    [[REQUEST].as_slice(), key].concat()
}

fn place_key(source: &str, device: u64, inode: u64) -> Vec<u8> {
    let numbers = [device.to_be_bytes(), inode.to_be_bytes()].concat();
    [&[PLACE], source.as_bytes(), &[0], &numbers].concat()
}

fn producer_value(at: u64, ranges: &Ranges) -> Vec<u8> {
    let mut value = Vec::with_capacity(16 + 16 * ranges.len());
    value.extend_from_slice(&at.to_le_bytes());
    value.extend_from_slice(&ranges.below().to_le_bytes());
    for (first, last) in ranges.runs() {
        value.extend_from_slice(&first.to_le_bytes());
        value.extend_from_slice(&last.to_le_bytes());
    }
    value
}

/// The name of a source, and what is behind its zero byte.
fn split(key: &[u8]) -> Option<(&str, &[u8])> {
    let at = key.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(key.get(..at)?).ok()?, key.get(at + 1..)?))
}

fn u64_of(value: &mut &[u8]) -> Option<u64> {
    value.split_off(..8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
