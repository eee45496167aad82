//! Names and headers of segment files.
//!
//! A file is called `NUMBER-EPOCH-FIRST.journal`, decimal with leading zeros: the number counts segments from 1, the epoch is that of all its records, FIRST is
//! the offset of its first record or, as long as it has none, of the next one. The name says all that is needed to read the file, so that a damaged header loses
//! nothing. A damaged file is called the same with `.damaged` behind it and stays readable. The header is 64 bytes: magic `WEIRJRNL`, version u16, flags
//! u16 (1: packed), log u16, zero u16, epoch u32, number u32, first offset u64, time of creation i64, zeros, CRC-32C u32 of the 60 bytes before it.

use std::fmt;
use std::io;

use weir_disk::{Disk, crc32c};

use crate::bytes::Take;

pub const HEADER_BYTES: usize = 64;
pub const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"WEIRJRNL";
const PACKED: u16 = 1;
const SUFFIX: &str = ".journal";
const DAMAGED: &str = ".journal.damaged";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    pub number: u32,
    pub epoch: u32,
    pub first: u64,
    /// Found to be damaged, and set apart: read for what it still holds, never packed.
    pub damaged: bool,
}

impl SegmentName {
    pub fn of(file: &str) -> Option<Self> {
        let (stem, damaged) = match file.strip_suffix(DAMAGED) {
            Some(stem) => (stem, true),
            None => (file.strip_suffix(SUFFIX)?, false),
        };
        let mut parts = stem.split('-');
        let name = Self {
            number: parts.next()?.parse().ok()?,
            epoch: parts.next()?.parse().ok()?,
            first: parts.next()?.parse().ok()?,
            damaged,
        };
        (parts.next().is_none() && name.to_string() == file).then_some(name)
    }

    pub fn set_apart(self) -> Self {
        Self { damaged: true, ..self }
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.damaged { DAMAGED } else { SUFFIX };
        write!(f, "{:010}-{:010}-{:016}{suffix}", self.number, self.epoch, self.first)
    }
}

/// The segments of a folder in their order. Other files are none of ours.
pub fn list(disk: &dyn Disk) -> io::Result<Vec<SegmentName>> {
    let mut names: Vec<_> = disk.list()?.iter().filter_map(|file| SegmentName::of(file)).collect();
    names.sort_unstable();
    // The rename of one set apart is one step, but a copy of a folder may hold both.
    names.dedup_by_key(|name| name.number);
    Ok(names)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub packed: bool,
    pub log: u16,
    pub epoch: u32,
    pub number: u32,
    pub first: u64,
    pub created_at_unix_ns: i64,
}

impl Header {
    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&if self.packed { PACKED } else { 0 }.to_le_bytes());
        out.extend_from_slice(&self.log.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.created_at_unix_ns.to_le_bytes());
        out.resize(HEADER_BYTES - 4, 0);
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(&out);
        bytes
    }

    /// `None` where it is damaged, or of a version that this program does not know.
    pub fn of(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        let mut take = Take(content);
        let (magic, version) = (take.array::<8>()?, u16::from_le_bytes(take.array()?));
        if magic != MAGIC || version != VERSION || crc32c(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let flags = u16::from_le_bytes(take.array()?);
        let log = u16::from_le_bytes(take.array()?);
        take.array::<2>()?;
        Some(Self {
            packed: flags & PACKED != 0,
            log,
            epoch: u32::from_le_bytes(take.array()?),
            number: u32::from_le_bytes(take.array()?),
            first: u64::from_le_bytes(take.array()?),
            created_at_unix_ns: i64::from_le_bytes(take.array()?),
        })
    }

    /// A whole header of a later version: the file is not damaged, the program is too old.
    pub fn newer_version(bytes: &[u8; HEADER_BYTES]) -> Option<u16> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        let mut take = Take(content);
        let (magic, version) = (take.array::<8>()?, u16::from_le_bytes(take.array()?));
        let whole = magic == MAGIC && crc32c(content) == u32::from_le_bytes(*crc);
        (whole && version > VERSION).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_and_others_are_not_taken() {
        let name = SegmentName { number: 3, epoch: 1, first: 17, damaged: false };
        assert_eq!(name.to_string(), "0000000003-0000000001-0000000000000017.journal");
        assert_eq!(SegmentName::of(&name.to_string()), Some(name));
        assert_eq!(SegmentName::of(&name.set_apart().to_string()), Some(name.set_apart()));
        for file in ["3-1-17.journal", "reserve", "0000000003-0000000001-0000000000000017.journal.tmp"] {
            assert_eq!(SegmentName::of(file), None, "{file}");
        }
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_found() {
        let header = Header { packed: true, log: 1, epoch: 2, number: 3, first: 4, created_at_unix_ns: 5 };
        let good = header.bytes();
        assert_eq!(Header::of(&good), Some(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::of(&bad), None, "bit {bit}");
        }
    }
}
