//! Finds the end of the journal after any kind of stop, and begins a new epoch behind it.
//!
//! In: a folder. Out: a [`Writer`] at the next position and [`Opened`], which says what was found. The last segment is read as a whole:
//! - ended: nothing is done;
//! - good to its end: it is ended and synced, so that what it holds stays;
//! - bytes that make no frame, behind everything that a mark calls durable: a torn tail. It is cut, counted, and the segment ended; so are records at the end that count
//!   only together with one that is not there;
//! - such bytes before that, or in a packed file: damage. The file is set apart under another name and stays readable around the hole.
//!
//! Whatever is found, a writer comes of it; only errors of the disk itself are returned. Each step may be cut short by another crash and is done again.
//! Earlier segments are not read here: the [`crate::Reader`] finds their damage when it passes, [`set_apart`] is for whoever hears of it.

use std::io;
use std::sync::Arc;

use weir_core::batch::Position;
use weir_disk::{Disk, write_all_at};

use crate::frame::{self, Entry, Kind};
use crate::scan::{Scan, Step};
use crate::segment::{self, HEADER_BYTES, SegmentName};
use crate::writer::{RESERVE, Settings, Writer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    pub segment: SegmentName,
    pub at: u64,
    pub bytes: u64,
}

/// What opening has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Of the next record.
    pub position: Position,
    pub segments: usize,
    /// Cut from the last segment: its name and how many bytes.
    pub torn: Option<(SegmentName, u64)>,
    pub damaged: Vec<Damaged>,
    /// Numbers of segments that should be there and are not.
    pub missing: Vec<u32>,
    /// The last segment had been ended by a clean stop.
    pub was_closed: bool,
}

/// Most missing numbers that are listed.
const MISSING_MAX: usize = 1_000;

/// `at_least`: an epoch and an offset that the new ones must be beyond and at, such as those of a checkpoint.
pub fn open(
    disk: Arc<dyn Disk>,
    settings: Settings,
    at_least: Position,
    now_unix_ns: i64,
) -> io::Result<(Writer, Opened)> {
    let mut removed = false;
    for file in disk.list()?.iter().filter(|file| file.ends_with(".tmp") || *file == RESERVE) {
        disk.remove(file)?;
        removed = true;
    }
    if removed {
        // Else what was on its way before another crash could come back under a name that is used again.
        disk.sync_dir()?;
    }
    let segments = segment::list(&*disk)?;
    let mut opened = Opened { segments: segments.len(), was_closed: true, ..Opened::default() };
    for pair in segments.windows(2) {
        if let [before, after] = pair {
            let room = MISSING_MAX - opened.missing.len().min(MISSING_MAX);
            opened.missing.extend((before.number + 1..after.number).take(room));
        }
    }
    let mut offset = at_least.offset;
    let mut epoch = at_least.epoch;
    let mut number = 0;
    if let Some(last) = segments.last() {
        offset = offset.max(mend(&*disk, *last, &mut opened)?);
        epoch = epoch.max(last.epoch);
        // The number of one that was removed is given again.
        number = last.number - u32::from(opened.segments < segments.len());
    }
    let name = SegmentName { number: number + 1, epoch: epoch + 1, first: offset, damaged: false };
    opened.position = Position { log: settings.log, epoch: name.epoch, offset };
    Ok((Writer::new(disk, settings, name, now_unix_ns), opened))
}

/// Keeps a damaged segment under a name that says so.
pub fn set_apart(disk: &dyn Disk, name: SegmentName) -> io::Result<()> {
    if name.damaged {
        return Ok(());
    }
    match disk.rename(&name.to_string(), &name.set_apart().to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.and_then(|()| disk.sync_dir()),
    }
}

/// What a whole reading of one segment has found.
#[derive(Debug, Default)]
pub struct Found {
    pub places: Vec<Damaged>,
    /// Frames before the first place, and the offset behind them.
    frames: u32,
    offset: u64,
    /// Where the record begins whose next one never came; frames and offset are then those before it.
    unfinished_at: Option<u64>,
    pub next_offset: u64,
    pub durable_bytes: u64,
    pub closed: bool,
    pub is_packed: bool,
    pub header_is_good: bool,
    pub bytes: u64,
}

impl Found {
    /// Whether a place is bad that had been durable, in the last segment of a folder; in those before it all had been.
    pub fn is_damaged(&self) -> bool {
        // Not all of one that was ended: the last frame may have reached the disk without the mark before it.
        let durable = if self.is_packed { u64::MAX } else { self.durable_bytes };
        let header = !self.header_is_good && durable >= HEADER_BYTES as u64;
        header || self.places.iter().any(|place| place.at < durable)
    }
}

/// Most bad places that are remembered of one segment.
const PLACES_MAX: usize = 10_000;

pub fn inspect(disk: &dyn Disk, segment: SegmentName) -> io::Result<Found> {
    let mut scan = Scan::open(disk, segment)?;
    let header = scan.header;
    let mut found = Found {
        offset: segment.first,
        is_packed: header.is_some_and(|header| header.packed),
        header_is_good: header.is_some(),
        ..Found::default()
    };
    let mut before = HEADER_BYTES as u64;
    loop {
        match scan.step()? {
            Step::Frame(head) if found.places.is_empty() => {
                let at = std::mem::replace(&mut before, scan.at());
                found.unfinished_at = match (head.kind.is_record(), head.goes_on) {
                    (true, false) => None,
                    (true, true) => found.unfinished_at.or(Some(at)),
                    (false, _) => found.unfinished_at,
                };
                if found.unfinished_at.is_none() {
                    found.frames = scan.frames();
                    found.offset = scan.next_offset();
                }
            }
            Step::Frame(_) => {}
            Step::Damage { at, bytes } if found.places.len() < PLACES_MAX => {
                found.places.push(Damaged { segment, at, bytes });
            }
            Step::Damage { .. } => {}
            Step::End { rest_at, rest_bytes } => {
                if rest_bytes > 0 {
                    found.places.push(Damaged { segment, at: rest_at, bytes: rest_bytes });
                }
                found.next_offset = scan.next_offset();
                found.durable_bytes = scan.durable_bytes();
                found.closed = scan.closed();
                found.bytes = scan.len();
                return Ok(found);
            }
        }
    }
}

/// Ends the last segment, or sets it apart; returns the next offset.
fn mend(disk: &dyn Disk, name: SegmentName, opened: &mut Opened) -> io::Result<u64> {
    let found = inspect(disk, name)?;
    if name.damaged {
        return Ok(found.next_offset);
    }
    opened.was_closed = found.closed;
    if found.is_damaged() {
        set_apart(disk, name)?;
        opened.damaged.extend_from_slice(&found.places);
        if found.places.is_empty() {
            opened.damaged.push(Damaged { segment: name, at: 0, bytes: HEADER_BYTES as u64 });
        }
        return Ok(found.next_offset);
    }
    if !found.header_is_good {
        // Made by a write that never became durable.
        opened.torn = Some((name, found.bytes));
        disk.remove(&name.to_string())?;
        disk.sync_dir()?;
        opened.segments -= 1;
        return Ok(name.first);
    }
    if found.closed && found.places.is_empty() {
        return Ok(found.next_offset);
    }
    let mut at = found.bytes;
    // A record that the next one was to follow was told to nobody without it.
    if let Some(torn_at) = found.unfinished_at.or(found.places.first().map(|place| place.at)) {
        at = torn_at;
        opened.torn = Some((name, found.bytes - at));
    }
    let file = disk.open_writable(&name.to_string())?;
    file.set_len(at)?;
    // Else a crash could leave the end and, behind it, what was to be cut.
    file.sync()?;
    let mut end = Vec::new();
    frame::begin(&mut end);
    end.extend_from_slice(&at.to_le_bytes());
    let entry = Entry {
        kind: Kind::End,
        number: found.frames,
        offset: found.offset,
        accepted_at_unix_ns: 0,
        goes_on: false,
    };
    frame::close(&mut end, 0, entry);
    write_all_at(&*file, at, &end)?;
    file.sync()?;
    // The name may be as new as the file.
    disk.sync_dir()?;
    Ok(found.offset)
}
