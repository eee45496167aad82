//! Files behind a trait, so that what is written to them can be tested against the ways in which disks fail.
//!
//! [`Disk`] is what the journal and the snapshots know of a folder: files by flat names, written at offsets, synced, renamed, and the folder synced on its
//! own. [`RealDisk`] is a folder; [`SimDisk`] lies in memory, keeps what was written apart from what is durable, and fails as planned: errors, short
//! writes, a full disk, and a dirty reboot that keeps any part of what was not synced. [`crc32c`] is the checksum of all formats on disk.
//!
//! Promises that callers may build on, and no other: what was written before a [`File::sync`] that returned well is durable; a name is durable after
//! [`Disk::sync_dir`]; a rename shows the old file or the new one. After a sync that failed, nothing is known of what was written since the one before
//! it, and a later sync proves nothing: never sync again.

pub mod crc;
pub mod real;
pub mod sim;

use std::fmt::Debug;
use std::io;

pub use crc::{crc32c, crc32c_on};
pub use real::RealDisk;
pub use sim::SimDisk;

/// One folder. Names have no separators.
pub trait Disk: Debug + Send + Sync {
    /// For reading alone.
    fn open(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// For reading and writing; the file is there.
    fn open_writable(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// For reading and writing; a file of that name is emptied.
    fn create(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// Replaces `to`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// In the order of names.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes created, renamed and removed names durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// An open file. Dropping it closes it and makes nothing durable.
pub trait File: Debug + Send + Sync {
    /// Fewer bytes than asked for only at the end of the file or by chance, as `pread`.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// May write less, as `pwrite`; see [`write_all_at`].
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Makes content and length durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Writes all of it. After an error any part of it may be written.
pub fn write_all_at(file: &dyn File, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(at, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                bytes = bytes.get(written..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until `into` is full or the file ends; tells how many bytes.
pub fn read_full_at(file: &dyn File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(at + done as u64, rest) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Replaces `name` by a file of these bytes so that a crash at any moment leaves the old file or the new one: written beside it, synced, renamed, the
/// folder synced. What could not be written takes no room afterwards.
pub fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = format!("{name}.tmp");
    let file = disk.create(&beside)?;
    let written = write_all_at(&*file, 0, bytes).and_then(|()| file.sync());
    drop(file);
    if let Err(error) = written.and_then(|()| disk.rename(&beside, name)) {
        // The error before is the one to be told; the next try takes the same name.
        let _ = disk.remove(&beside);
        return Err(error);
    }
    disk.sync_dir()
}

/// Whether there was no room for a write: the one error after which writing may go on.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
