//! Blocks: many entries, one behind another, as one entry of the engine.
//!
//! In: keys that rise, each with a value or with none (it is gone). Out: the bytes of a block, at most [`BLOCK_BYTES`] unless one entry alone is larger, and the entries
//! again. An engine pays for every entry of its own (a checksum, a place in a page, a half-empty page after a split), so a million small values cost
//! it a hundred bytes each and more; in blocks that fill a page of 16 KiB they cost next to nothing.
//!
//! A block is, for each entry: bytes shared with the key before, further bytes of the key, bytes of the value + 1 or 0 where it is gone (LEB128), the rest of the key, the value.

use crate::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// With the engine's own key and head it fills a page of 16 KiB, and one entry less than that leaves little of it empty.
pub const BLOCK_BYTES: usize = 16_200;

/// One entry, in memory of its own.
pub type Owned = (Vec<u8>, Option<Vec<u8>>);

/// A block that is being filled.
#[derive(Debug, Default)]
pub struct Builder {
    pub bytes: Vec<u8>,
    pub entries: u64,
    /// The block's name in the engine.
    pub first: Vec<u8>,
    last: Vec<u8>,
}

impl Builder {
    /// The key is greater than all before it.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        let shared = match self.entries {
            0 => {
                self.first = key.to_vec();
                0
            }
            _ => key.iter().zip(&self.last).take_while(|(left, right)| left == right).count(),
        };
        let rest = key.get(shared..).unwrap_or_default();
        put_number(&mut self.bytes, shared);
        put_number(&mut self.bytes, rest.len());
        put_number(&mut self.bytes, value.map_or(0, |value| value.len() + 1));
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.last.clear();
        self.last.extend_from_slice(key);
        self.entries += 1;
    }

    /// Whether the entry is for the next block, of blocks of at most `bytes`.
    pub fn is_full_for(&self, key: &[u8], value: Option<&[u8]>, bytes: usize) -> bool {
        self.entries > 0 && self.bytes.len() + entry_bytes(key, value) > bytes
    }
}

/// At most so many bytes in a block.
pub fn entry_bytes(key: &[u8], value: Option<&[u8]>) -> usize {
    8 + key.len() + value.map_or(0, <[u8]>::len)
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// At most four bytes: every length here is below 2^21.
fn take_number<'a>(bytes: &mut &'a [u8]) -> Option<usize> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let (byte, rest): (&u8, &'a [u8]) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The entries of a block, in order; the key is in [`Cursor::key`]. Nothing is believed: lengths are checked, and keys must rise.
#[derive(Debug, Default)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    pub key: Vec<u8>,
    pub value: Option<&'a [u8]>,
    begun: bool,
}

/// The block is not one.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Cursor<'a> {
    pub fn new(block: &'a [u8]) -> Self {
        Self { rest: block, ..Self::default() }
    }

    /// The next entry; false behind the last one.
    pub fn next(&mut self) -> Result<bool, Malformed> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        self.step().map(|()| true).ok_or(Malformed)
    }

    fn step(&mut self) -> Option<()> {
        let shared = take_number(&mut self.rest)?;
        let len = take_number(&mut self.rest)?;
        let value_len = take_number(&mut self.rest)?;
        if shared + len > KEY_BYTES_MAX || value_len > VALUE_BYTES_MAX + 1 {
            return None;
        }
        let (own, rest) = self.rest.split_at_checked(len)?;
        let rises = !self.begun || self.key.get(shared..).is_some_and(|old| old < own);
        if !rises || shared > self.key.len() {
            return None;
        }
        self.begun = true;
        self.key.truncate(shared);
        self.key.extend_from_slice(own);
        self.rest = rest;
        self.value = None;
        if let Some(len) = value_len.checked_sub(1) {
            let (value, rest) = self.rest.split_at_checked(len)?;
            (self.value, self.rest) = (Some(value), rest);
        }
        Some(())
    }
}

/// All entries of a block.
pub fn entries(block: &[u8]) -> Result<Vec<Owned>, Malformed> {
    let mut cursor = Cursor::new(block);
    let mut out = Vec::new();
    while cursor.next()? {
        out.push((cursor.key.clone(), cursor.value.map(<[u8]>::to_vec)));
    }
    Ok(out)
}

/// Entries in as few blocks as they need: filled one after another where more will follow behind the last (`grows`), else in equal parts, so that what comes between
/// them finds room and does not split off a block of one entry each time.
pub fn pack(entries: &[Owned], grows: bool) -> Vec<Builder> {
    let mut whole = Builder::default();
    entries.iter().for_each(|(key, value)| whole.push(key, value.as_deref()));
    let total = whole.bytes.len();
    if total <= BLOCK_BYTES {
        return if whole.entries > 0 { vec![whole] } else { Vec::new() };
    }
    let most = if grows { BLOCK_BYTES } else { (total / total.div_ceil(BLOCK_BYTES) + 256).min(BLOCK_BYTES) };
    let mut out: Vec<Builder> = Vec::new();
    let mut open = Builder::default();
    for (key, value) in entries {
        if open.is_full_for(key, value.as_deref(), most) {
            out.push(std::mem::take(&mut open));
        }
        open.push(key, value.as_deref());
    }
    if open.entries > 0 {
        out.push(open);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize, value_bytes: usize) -> Vec<Owned> {
        let value = |n: usize| (n % 5 != 3).then(|| vec![n as u8; value_bytes]);
        (0..count).map(|n| (format!("unit/{n:07}").into_bytes(), value(n))).collect()
    }

    #[test]
    fn entries_come_back_out_of_blocks_of_the_size_that_is_allowed() {
        for (count, value_bytes) in [(0, 0), (1, 0), (700, 24), (40, 1_024), (9, VALUE_BYTES_MAX)] {
            let all = some(count, value_bytes);
            for grows in [true, false] {
                let blocks = pack(&all, grows);
                let back: Vec<Owned> =
                    blocks.iter().flat_map(|block| entries(&block.bytes).unwrap()).collect();
                assert_eq!(back, all);
                assert!(blocks.iter().all(|block| block.entries == 1 || block.bytes.len() <= BLOCK_BYTES));
                assert!(blocks.iter().all(|block| entries(&block.bytes).unwrap()[0].0 == block.first));
            }
        }
    }

    #[test]
    fn what_splits_has_room_on_both_sides() {
        let all = some(500, 40);
        let sizes: Vec<usize> = pack(&all, false).iter().map(|block| block.bytes.len()).collect();
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(sizes.len() > 1 && least * 3 > *most, "{sizes:?}");
    }

    #[test]
    fn bytes_that_are_no_block_are_refused_and_never_a_panic() {
        let good = pack(&some(50, 9), true).remove(0).bytes;
        for cut in 0..good.len() {
            let _ = entries(&good[..cut]);
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let _ = entries(&bad);
        }
        assert_eq!(entries(&[0, 1, 1, b'b', 0, 1, 1, b'a']), Err(Malformed), "keys must rise");
        assert_eq!(entries(&[0, 1, 1, b'b', 0, 1, 1, b'b']), Err(Malformed), "keys must differ");
        assert_eq!(entries(&[3, 1, 1, b'b']), Err(Malformed), "nothing to share");
        assert_eq!(entries(&[0x80, 0x80, 0x80, 0x80, 0x80, 1]), Err(Malformed));
    }
}
