//! What is true of a store: one entry of the engine, written with every batch that changes it.
//!
//! It holds the newest checkpoint, and of the base and of each delta how many entries there are and the sum of them, so that a reader can tell that it has seen
//! exactly what was written: nothing lost, nothing old, nothing twice.

use weir_core::batch::Position;
use weir_disk::{crc32c, crc32c_on};

const VERSION: u8 = 2;

/// What a state is a state of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Rises by one; 0 is the empty store.
    pub number: u64,
    /// Of the last record that is in the state; the offset of the next one is greater by one.
    pub position: Position,
    /// The owner's: digests, cursors. At most [`crate::VALUE_BYTES_MAX`].
    pub note: Vec<u8>,
}

/// Count and sum of entries, in whatever order they are seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub entries: u64,
    mixed: u64,
}

impl Sum {
    pub fn add(&mut self, key: &[u8], body: &[u8]) {
        self.add_block(1, key, body);
    }

    /// Entries that are one for the sum.
    pub fn add_block(&mut self, entries: u64, key: &[u8], body: &[u8]) {
        self.entries = self.entries.wrapping_add(entries);
        self.mixed = self.mixed.wrapping_add(mix(key, body));
    }

    pub fn take_block_away(&mut self, entries: u64, key: &[u8], body: &[u8]) {
        self.entries = self.entries.wrapping_sub(entries);
        self.mixed = self.mixed.wrapping_sub(mix(key, body));
    }

    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (entries, mixed) = bytes.split_at_mut(8);
        entries.copy_from_slice(&self.entries.to_le_bytes());
        mixed.copy_from_slice(&self.mixed.to_le_bytes());
        bytes
    }

    pub fn of_bytes(bytes: &[u8; 16]) -> Option<Self> {
        let (entries, mixed) = bytes.split_first_chunk::<8>()?;
        Some(Self { entries: u64::from_le_bytes(*entries), mixed: u64::from_le_bytes(*mixed.first_chunk()?) })
    }
}

/// Two checksums, spread over 64 bits so that sums of them do not cancel out (the finish of SplitMix64).
fn mix(key: &[u8], body: &[u8]) -> u64 {
    let key_crc = crc32c(key);
    let mut mixed = u64::from(key_crc) << 32 | u64::from(crc32c_on(key_crc, body));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    pub newest: Checkpoint,
    pub base: Sum,
    /// Oldest first.
    pub deltas: Vec<(u64, Sum)>,
}

impl Manifest {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_checkpoint(&mut out, &self.newest);
        out.extend_from_slice(&self.base.to_bytes());
        for (number, sum) in &self.deltas {
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&sum.to_bytes());
        }
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (version, content) = content.split_first()?;
        let (newest, content) = take_checkpoint(content)?;
        let (base, content) = content.split_first_chunk::<16>()?;
        let (deltas, rest) = content.as_chunks::<24>();
        let delta = |bytes: &[u8; 24]| {
            let (number, sum) = bytes.split_first_chunk::<8>()?;
            Some((u64::from_le_bytes(*number), Sum::of_bytes(sum.first_chunk()?)?))
        };
        let deltas = deltas.iter().map(delta).collect::<Option<_>>()?;
        let whole = *version == VERSION && rest.is_empty();
        whole.then_some(Self { newest, base: Sum::of_bytes(base)?, deltas })
    }
}

/// number u64, log u16, epoch u32, offset u64, length of the note u32, the note.
pub fn put_checkpoint(out: &mut Vec<u8>, checkpoint: &Checkpoint) {
    out.extend_from_slice(&checkpoint.number.to_le_bytes());
    out.extend_from_slice(&checkpoint.position.log.to_le_bytes());
    out.extend_from_slice(&checkpoint.position.epoch.to_le_bytes());
    out.extend_from_slice(&checkpoint.position.offset.to_le_bytes());
    out.extend_from_slice(&(checkpoint.note.len() as u32).to_le_bytes());
    out.extend_from_slice(&checkpoint.note);
}

pub fn take_checkpoint(bytes: &[u8]) -> Option<(Checkpoint, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (log, rest) = rest.split_first_chunk::<2>()?;
    let (epoch, rest) = rest.split_first_chunk::<4>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (note, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    let position = Position {
        log: u16::from_le_bytes(*log),
        epoch: u32::from_le_bytes(*epoch),
        offset: u64::from_le_bytes(*offset),
    };
    Some((Checkpoint { number: u64::from_le_bytes(*number), position, note: note.to_vec() }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_comes_back_and_every_flipped_bit_is_found() {
        let mut sum = Sum::default();
        sum.add(b"key", b"body");
        let position = Position { log: 1, epoch: 2, offset: 3 };
        let newest = Checkpoint { number: 9, position, note: b"note".to_vec() };
        let manifest = Manifest { newest, base: sum, deltas: vec![(8, sum), (9, Sum::default())] };
        let good = manifest.bytes();
        assert_eq!(Manifest::of(&good), Some(manifest));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Manifest::of(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn a_sum_tells_what_was_lost_doubled_or_swapped() {
        let sum = |entries: &[(&[u8], &[u8])]| {
            let mut sum = Sum::default();
            entries.iter().for_each(|(key, body)| sum.add(key, body));
            sum
        };
        let good = sum(&[(b"a", b"1"), (b"b", b"2")]);
        assert_eq!(good, sum(&[(b"b", b"2"), (b"a", b"1")]));
        assert_ne!(good, sum(&[(b"a", b"2"), (b"b", b"1")]));
        assert_ne!(good, sum(&[(b"a", b"1"), (b"a", b"1")]));
        assert_ne!(good, sum(&[(b"a", b"1")]));
        let mut less = good;
        less.take_block_away(1, b"b", b"2");
        assert_eq!(less, sum(&[(b"a", b"1")]));
    }
}
