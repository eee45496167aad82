//! The frame: what every entry of a segment is wrapped in.
//!
//! A frame is 32 bytes and its payload, numbers little-endian: magic `WJ`, kind u8, flags u8 (1: the record counts only together with the next one), payload length u32, CRC-32C u32 over everything but itself,
//! number of the frame in its segment u32, offset of the record u64, its `accepted_at` i64. The number and the bounds of a header make it possible to find
//! the next good frame behind a damaged place.

use weir_disk::{crc32c, crc32c_on};

pub const FRAME_BYTES: usize = 32;
/// Longest payload. A batch of 65,536 rows with values of the greatest size does not reach it.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 20;
const MAGIC: [u8; 2] = *b"WJ";
const GOES_ON: u8 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A stream as of here: id, triplet, source, columns.
    Stream,
    /// Names appended to a dictionary column.
    Names,
    Batch,
    Tick,
    Command,
    /// So many bytes of this file are durable.
    Mark,
    /// The same, and nothing comes after.
    End,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Stream, Self::Names, Self::Batch, Self::Tick, Self::Command, Self::Mark, Self::End];

    fn code(self) -> u8 {
        match self {
            Self::Stream => 1,
            Self::Names => 2,
            Self::Batch => 3,
            Self::Tick => 4,
            Self::Command => 5,
            Self::Mark => 6,
            Self::End => 7,
        }
    }

    fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    pub fn is_record(self) -> bool {
        matches!(self, Self::Batch | Self::Tick | Self::Command)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    pub payload_bytes: usize,
    crc: u32,
    /// Counts the frames of the segment from 0.
    pub number: u32,
    /// Of the record; of the next record where the frame is none.
    pub offset: u64,
    pub accepted_at_unix_ns: i64,
    /// The record counts only together with the next one.
    pub goes_on: bool,
}

/// What of a frame is known before its payload is written.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub kind: Kind,
    pub number: u32,
    pub offset: u64,
    pub accepted_at_unix_ns: i64,
    pub goes_on: bool,
}

/// Leaves room for the header; the payload is appended next, then [`close`].
pub fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; FRAME_BYTES]);
    at
}

/// Fills in the header of the frame that begins at `at` and ends with `out`.
pub fn close(out: &mut [u8], at: usize, entry: Entry) {
    let Some(frame) = out.get_mut(at..) else { return };
    let Some((head, payload)) = frame.split_first_chunk_mut::<FRAME_BYTES>() else { return };
    let mut fields = Vec::with_capacity(FRAME_BYTES);
    fields.extend_from_slice(&MAGIC);
    fields.extend_from_slice(&[entry.kind.code(), u8::from(entry.goes_on)]);
    fields.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let mut rest = Vec::with_capacity(FRAME_BYTES);
    rest.extend_from_slice(&entry.number.to_le_bytes());
    rest.extend_from_slice(&entry.offset.to_le_bytes());
    rest.extend_from_slice(&entry.accepted_at_unix_ns.to_le_bytes());
    let crc = crc32c_on(crc32c_on(crc32c(&fields), &rest), payload);
    fields.extend_from_slice(&crc.to_le_bytes());
    fields.extend_from_slice(&rest);
    head.copy_from_slice(&fields);
}

/// The header, where the bytes may be one. Says nothing of the payload: [`holds`].
pub fn head(bytes: &[u8; FRAME_BYTES]) -> Option<Head> {
    let (magic, rest) = bytes.split_first_chunk::<2>()?;
    let (kind_flags, rest) = rest.split_first_chunk::<2>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let accepted_at = rest.first_chunk::<8>()?;
    let [kind, flags] = *kind_flags;
    let payload_bytes = u32::from_le_bytes(*len) as usize;
    if *magic != MAGIC || flags > GOES_ON || payload_bytes > PAYLOAD_BYTES_MAX {
        return None;
    }
    Some(Head {
        kind: Kind::of(kind)?,
        payload_bytes,
        crc: u32::from_le_bytes(*crc),
        number: u32::from_le_bytes(*number),
        offset: u64::from_le_bytes(*offset),
        accepted_at_unix_ns: i64::from_le_bytes(*accepted_at),
        goes_on: flags == GOES_ON,
    })
}

/// Whether header and payload are what was written.
pub fn holds(head: &Head, frame: &[u8]) -> bool {
    let (Some(before), Some(after)) = (frame.get(..8), frame.get(12..)) else { return false };
    crc32c_on(crc32c(before), after) == head.crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut out = vec![9];
        let at = begin(&mut out);
        out.extend_from_slice(b"payload");
        close(
            &mut out,
            at,
            Entry { kind: Kind::Tick, number: 7, offset: 9, accepted_at_unix_ns: -4, goes_on: true },
        );
        out.split_off(at)
    }

    #[test]
    fn a_frame_comes_back() {
        let frame = frame();
        let head = head(frame.first_chunk().unwrap()).unwrap();
        assert_eq!((head.kind, head.payload_bytes, head.number, head.offset), (Kind::Tick, 7, 7, 9));
        assert_eq!((head.accepted_at_unix_ns, head.goes_on), (-4, true));
        assert!(holds(&head, &frame));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = frame();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let found = match head(bad.first_chunk().unwrap()) {
                None => true,
                Some(head) => FRAME_BYTES + head.payload_bytes != bad.len() || !holds(&head, &bad),
            };
            assert!(found, "bit {bit}");
        }
    }
}
