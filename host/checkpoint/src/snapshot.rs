//! Portable snapshots: one checkpoint in one file that needs no engine.
//!
//! In: a checkpoint and its entries in the order of keys. Out: `NUMBER.snapshot` (twenty digits), written beside, synced, renamed, the folder synced; the two
//! newest are kept. Reading checks every block, the order of keys, and at the end the count and sum of all entries; a file without its end is not a
//! snapshot. Memory: one block. What is read before an error is not to be believed.
//!
//! The file: `WEIRSNAP`, version u16, the checkpoint (number u64, log u16, epoch u32, offset u64, length of the note u32, the note), CRC-32C u32 of all that.
//! Blocks: length u32, CRC-32C u32, then so many bytes of entries, each: length of the key u32, length of the value u32, key, value. The end: length
//! 0xffffffff, CRC-32C u32, and the 16 bytes of count and sum. Little-endian.

use std::io;
use std::sync::Arc;

use weir_disk::{Disk, File, crc32c, read_full_at, write_all_at};

use crate::manifest::{Checkpoint, Sum, put_checkpoint, take_checkpoint};
use crate::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

const MAGIC: &[u8; 8] = b"WEIRSNAP";
const VERSION: u16 = 1;
const BLOCK_BYTES: usize = 256 << 10;
const END: u32 = u32::MAX;
const SUFFIX: &str = ".snapshot";
/// Kept; older ones are removed when a new one is whole.
pub const KEPT: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{file} is damaged at byte {at}")]
    Damaged { file: String, at: u64 },
    #[error("{file} is of version {version}, this program reads {VERSION}")]
    Version { file: String, version: u16 },
    #[error("an entry of {key_bytes} + {value_bytes} bytes is over the limit, or its key does not rise")]
    Entry { key_bytes: usize, value_bytes: usize },
}

/// A snapshot on its way. Dropped before [`Writer::finish`] it leaves a file that the next start removes.
#[derive(Debug)]
pub struct Writer {
    disk: Arc<dyn Disk>,
    file: Box<dyn File>,
    name: String,
    at: u64,
    block: Vec<u8>,
    sum: Sum,
    last: Option<Vec<u8>>,
}

impl Writer {
    pub fn create(disk: Arc<dyn Disk>, checkpoint: &Checkpoint) -> Result<Self, SnapshotError> {
        let name = format!("{:020}{SUFFIX}", checkpoint.number);
        let file = disk.create(&beside(&name))?;
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&VERSION.to_le_bytes());
        put_checkpoint(&mut head, checkpoint);
        let crc = crc32c(&head);
        head.extend_from_slice(&crc.to_le_bytes());
        write_all_at(&*file, 0, &head)?;
        let at = head.len() as u64;
        Ok(Self { disk, file, name, at, block: Vec::new(), sum: Sum::default(), last: None })
    }

    /// Keys rise.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), SnapshotError> {
        let rises = self.last.as_deref().is_none_or(|last| last < key);
        if !rises || key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return Err(SnapshotError::Entry { key_bytes: key.len(), value_bytes: value.len() });
        }
        self.last = Some(key.to_vec());
        self.sum.add(key, value);
        self.block.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.block.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value);
        if self.block.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Makes it durable and the newest, and removes those beyond [`KEPT`].
    pub fn finish(mut self) -> Result<String, SnapshotError> {
        self.flush()?;
        let sum = self.sum.to_bytes();
        let end = [END.to_le_bytes().as_slice(), &crc32c(&sum).to_le_bytes(), &sum].concat();
        write_all_at(&*self.file, self.at, &end)?;
        self.file.sync()?;
        self.disk.rename(&beside(&self.name), &self.name)?;
        self.disk.sync_dir()?;
        let names = list(&*self.disk)?;
        let mut removed = false;
        for name in names.iter().rev().skip(KEPT) {
            self.disk.remove(name)?;
            removed = true;
        }
        if removed {
            self.disk.sync_dir()?;
        }
        Ok(self.name)
    }

    fn flush(&mut self) -> Result<(), SnapshotError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let (len, crc) = (self.block.len() as u32, crc32c(&self.block));
        write_all_at(&*self.file, self.at, &[len.to_le_bytes(), crc.to_le_bytes()].concat())?;
        write_all_at(&*self.file, self.at + 8, &self.block)?;
        self.at += 8 + self.block.len() as u64;
        self.block.clear();
        Ok(())
    }
}

fn beside(name: &str) -> String {
    format!("{name}.tmp")
}

/// Names of what should be whole snapshots, oldest first.
pub fn list(disk: &dyn Disk) -> io::Result<Vec<String>> {
    let is_snapshot = |name: &String| {
        let digits = name.strip_suffix(SUFFIX);
        digits.is_some_and(|digits| digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    Ok(disk.list()?.into_iter().filter(is_snapshot).collect())
}

/// The number of the newest checkpoint that has one, by its name; 0 where there is none.
pub fn newest_number(disk: &dyn Disk) -> io::Result<u64> {
    let newest = list(disk)?.pop();
    Ok(newest.and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok()).unwrap_or(0))
}

/// Removes what a crash has left half-written.
pub fn clean(disk: &dyn Disk) -> io::Result<()> {
    for name in disk.list()?.iter().filter(|name| name.ends_with(".snapshot.tmp")) {
        disk.remove(name)?;
    }
    Ok(())
}

/// The checkpoint that a snapshot is of; its entries are not looked at.
pub fn checkpoint_of(disk: &dyn Disk, name: &str) -> Result<Checkpoint, SnapshotError> {
    Ok(Source::open(disk, name)?.1)
}

/// Visits every entry, in order, and returns the checkpoint.
pub fn read(
    disk: &dyn Disk,
    name: &str,
    visit: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<Checkpoint, SnapshotError> {
    let (mut source, checkpoint) = Source::open(disk, name)?;
    let mut sum = Sum::default();
    let mut last: Option<Vec<u8>> = None;
    loop {
        let at = source.at;
        let [len, crc] = [u32::from_le_bytes(source.array()?), u32::from_le_bytes(source.array()?)];
        if len == END {
            let bytes = source.array::<16>()?;
            let whole =
                crc32c(&bytes) == crc && Sum::of_bytes(&bytes) == Some(sum) && source.at == source.len;
            return if whole { Ok(checkpoint) } else { Err(source.damaged(at)) };
        }
        let block = source.bytes(len as usize)?;
        if crc32c(&block) != crc {
            return Err(source.damaged(at));
        }
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            let Some((key, value, after)) = entry(rest) else { return Err(source.damaged(at)) };
            if last.as_deref().is_some_and(|last| last >= key) {
                return Err(source.damaged(at));
            }
            last = Some(key.to_vec());
            sum.add(key, value);
            visit(key, value);
            rest = after;
        }
    }
}

fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (key_bytes, rest) = bytes.split_first_chunk::<4>()?;
    let (value_bytes, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key_bytes) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value_bytes) as usize)?;
    Some((key, value, rest))
}

/// Longest block: one entry more than fits.
const BLOCK_BYTES_MAX: usize = BLOCK_BYTES + 8 + KEY_BYTES_MAX + VALUE_BYTES_MAX;

struct Source {
    file: Box<dyn File>,
    name: String,
    at: u64,
    len: u64,
}

impl Source {
    fn open(disk: &dyn Disk, name: &str) -> Result<(Self, Checkpoint), SnapshotError> {
        let file = disk.open(name)?;
        let len = file.len()?;
        let mut source = Self { file, name: name.to_owned(), at: 0, len };
        let mut head = vec![0; (8 + 2 + 26 + VALUE_BYTES_MAX + 4).min(len as usize)];
        let read = read_full_at(&*source.file, 0, &mut head)?;
        head.truncate(read);
        let parsed = (|| {
            let (magic, rest) = head.split_first_chunk::<8>()?;
            let (version, rest) = rest.split_first_chunk::<2>()?;
            let (checkpoint, rest) = take_checkpoint(rest)?;
            let used = head.len() - rest.len();
            let crc = u32::from_le_bytes(*rest.first_chunk()?);
            let whole = magic == MAGIC && crc32c(head.get(..used)?) == crc;
            whole.then_some((u16::from_le_bytes(*version), checkpoint, used + 4))
        })();
        match parsed {
            None => Err(source.damaged(0)),
            Some((VERSION, checkpoint, used)) => {
                source.at = used as u64;
                Ok((source, checkpoint))
            }
            Some((version, ..)) => Err(SnapshotError::Version { file: name.to_owned(), version }),
        }
    }

    fn damaged(&self, at: u64) -> SnapshotError {
        SnapshotError::Damaged { file: self.name.clone(), at }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let bytes = self.bytes(N)?;
        bytes.first_chunk::<N>().copied().ok_or_else(|| self.damaged(self.at))
    }

    fn bytes(&mut self, len: usize) -> Result<Vec<u8>, SnapshotError> {
        let at = self.at;
        if len > BLOCK_BYTES_MAX || len as u64 > self.len.saturating_sub(at) {
            return Err(self.damaged(at));
        }
        let mut bytes = vec![0; len];
        if read_full_at(&*self.file, at, &mut bytes)? < len {
            return Err(self.damaged(at));
        }
        self.at += len as u64;
        Ok(bytes)
    }
}
