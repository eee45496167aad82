//! Packs sealed segments and forgets old ones.
//!
//! In: a folder, the number of the segment that is being written, which is never touched, and the offset that replay may still need. Out: what was done. A
//! segment is packed beside itself, synced and renamed over, so that readers see the one or the other; one that turns out damaged is set apart. The
//! oldest are removed while there is more than [`Keep`] allows, and only where all their records lie before `needed_from`.
//!
//! [`configurations`] gives the revisions of the configuration that kept segments name, so that the host keeps what they run with.
//!
//! Errors leave the segments as they were; what did not work is tried again the next time.

use std::io;
use std::sync::Arc;

use weir_core::record::Command;
use weir_disk::{Disk, write_all_at};

use crate::command;
use crate::frame::Kind;
use crate::open::{Damaged, inspect, set_apart};
use crate::scan::{BLOCK_BYTES, Scan, Step, pack_block};
use crate::segment::{self, HEADER_BYTES, Header, SegmentName};

/// What of the past is kept beyond what replay needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Age of the newest record of a segment; from the creation of the next one.
    pub age_ns: i64,
    /// Of all segments together.
    pub bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upkeep {
    pub packed: Vec<SegmentName>,
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub removed: Vec<SegmentName>,
    pub damaged: Vec<Damaged>,
}

/// Packs at most one segment per call, the oldest that is not.
pub fn upkeep(
    disk: &dyn Disk,
    live: u32,
    keep: Keep,
    needed_from: u64,
    now_unix_ns: i64,
) -> io::Result<Upkeep> {
    let mut done = Upkeep::default();
    let sealed: Vec<_> = segment::list(disk)?.into_iter().filter(|name| name.number < live).collect();
    for name in sealed.iter().filter(|name| !name.damaged) {
        match Scan::open(disk, *name)?.header {
            Some(header) if header.packed => {}
            Some(header) => {
                pack(disk, *name, header, &mut done)?;
                break;
            }
            None => {
                set_apart(disk, *name)?;
                done.damaged.push(Damaged { segment: *name, at: 0, bytes: HEADER_BYTES as u64 });
            }
        }
    }
    forget(disk, keep, needed_from, now_unix_ns, &mut done)?;
    Ok(done)
}

/// Revision and text of each configuration that a kept segment has, oldest first. Records before the first of them ran with the one of the
/// checkpoint before. What a damaged place took with it is left out.
pub fn configurations(disk: &dyn Disk) -> io::Result<Vec<(u64, Arc<str>)>> {
    let mut found = Vec::new();
    for name in segment::list(disk)? {
        let mut scan = match Scan::open(disk, name) {
            // Removed or set apart since the listing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        loop {
            match scan.step()? {
                Step::Frame(head) if head.kind == Kind::Command => {
                    if let Some(Command::Configure { revision, text, .. }) = command::of(scan.payload()) {
                        found.push((revision, text));
                    }
                }
                Step::End { .. } => break,
                Step::Frame(_) | Step::Damage { .. } => {}
            }
        }
    }
    Ok(found)
}

fn pack(disk: &dyn Disk, name: SegmentName, header: Header, done: &mut Upkeep) -> io::Result<()> {
    let found = inspect(disk, name)?;
    if !found.closed || !found.places.is_empty() {
        set_apart(disk, name)?;
        done.damaged.extend_from_slice(&found.places);
        return Ok(());
    }
    let beside = format!("{name}.tmp");
    let file = disk.create(&beside)?;
    let written = (|| {
        let mut at = HEADER_BYTES as u64;
        write_all_at(&*file, 0, &Header { packed: true, ..header }.bytes())?;
        let mut scan = Scan::open(disk, name)?;
        let mut frames = Vec::new();
        loop {
            let step = scan.step()?;
            if let Step::Frame(_) = step {
                frames.extend_from_slice(scan.frame());
            }
            let is_end = !matches!(step, Step::Frame(_));
            if frames.len() >= BLOCK_BYTES || (is_end && !frames.is_empty()) {
                let block = pack_block(&frames);
                write_all_at(&*file, at, &block)?;
                at += block.len() as u64;
                frames.clear();
            }
            if is_end {
                break;
            }
        }
        file.sync()?;
        Ok(at)
    })();
    drop(file);
    match written {
        Ok(bytes) => {
            disk.rename(&beside, &name.to_string())?;
            disk.sync_dir()?;
            done.packed.push(name);
            done.bytes_before += found.bytes;
            done.bytes_after += bytes;
            Ok(())
        }
        Err(error) => {
            disk.remove(&beside)?;
            Err(error)
        }
    }
}

fn forget(
    disk: &dyn Disk,
    keep: Keep,
    needed_from: u64,
    now_unix_ns: i64,
    done: &mut Upkeep,
) -> io::Result<()> {
    let segments = segment::list(disk)?;
    let mut sizes = Vec::with_capacity(segments.len());
    for name in &segments {
        sizes.push(disk.open(&name.to_string())?.len()?);
    }
    let mut bytes: u64 = sizes.iter().sum();
    for (pair, size) in segments.windows(2).zip(sizes) {
        let [name, next] = pair else { break };
        // The records of a segment end where the next one begins.
        if next.first > needed_from {
            break;
        }
        let ended_at = Scan::open(disk, *next)?.header.map(|header| header.created_at_unix_ns);
        let too_old = ended_at.is_some_and(|ended_at| now_unix_ns.saturating_sub(ended_at) > keep.age_ns);
        if !too_old && bytes <= keep.bytes {
            break;
        }
        disk.remove(&name.to_string())?;
        // One after the other: else a crash could keep an older one and not the next, which would be taken for a loss.
        disk.sync_dir()?;
        bytes -= size;
        done.removed.push(*name);
    }
    Ok(())
}
