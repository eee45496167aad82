//! Frames of a sealed segment that was packed.
//!
//! Behind the header stand blocks: magic `WJBK`, length of the frames u32, packed length u32, CRC-32C u32 of the packed bytes, CRC-32C u32 of these 16 bytes;
//! then the packed bytes (LZ4, one block). A block holds whole frames, [`BLOCK_BYTES`] or one longer frame. A damaged block is passed over as a whole.

use std::io;

use weir_disk::{File, crc32c};

use super::{Step, read};
use crate::bytes::Take;
use crate::frame::{self, FRAME_BYTES, PAYLOAD_BYTES_MAX};
use crate::segment::HEADER_BYTES;

/// Frames of so many bytes make a block.
pub const BLOCK_BYTES: usize = 256 << 10;
const HEAD_BYTES: usize = 20;
const MAGIC: [u8; 4] = *b"WJBK";

/// A block of these frames.
pub fn pack_block(frames: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress(frames);
    let mut out = Vec::with_capacity(HEAD_BYTES + packed.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(frames.len() as u32).to_le_bytes());
    out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c(&packed).to_le_bytes());
    let crc = crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&packed);
    out
}

/// Whether a file whose header is damaged goes on with a block.
pub fn looks_packed(file: &dyn File) -> io::Result<bool> {
    Ok(head(&read(file, HEADER_BYTES as u64, HEAD_BYTES)?).is_some())
}

#[derive(Debug)]
struct Block {
    frames_bytes: usize,
    packed_bytes: usize,
    crc: u32,
}

fn head(bytes: &[u8]) -> Option<Block> {
    let (content, crc) = bytes.get(..HEAD_BYTES)?.split_last_chunk::<4>()?;
    let mut take = Take(content);
    if take.array::<4>()? != MAGIC || crc32c(content) != u32::from_le_bytes(*crc) {
        return None;
    }
    let block = Block {
        frames_bytes: u32::from_le_bytes(take.array()?) as usize,
        packed_bytes: u32::from_le_bytes(take.array()?) as usize,
        crc: u32::from_le_bytes(take.array()?),
    };
    (block.frames_bytes <= BLOCK_BYTES + FRAME_BYTES + PAYLOAD_BYTES_MAX).then_some(block)
}

#[derive(Debug)]
pub struct Packed {
    file: Box<dyn File>,
    len: u64,
    /// Where in the file the next block begins.
    at: u64,
    frames: Vec<u8>,
    next: usize,
    newest: usize,
}

impl Packed {
    pub fn new(file: Box<dyn File>, at: u64, len: u64) -> Self {
        Self { file, len, at, frames: Vec::new(), next: 0, newest: 0 }
    }

    pub fn next(&mut self, expected: u32) -> io::Result<Step> {
        while self.next >= self.frames.len() {
            if self.at >= self.len {
                return Ok(Step::End { rest_at: self.at, rest_bytes: 0 });
            }
            let from = self.at;
            if !self.block()? {
                return self.look(from);
            }
        }
        let rest = self.frames.get(self.next..).unwrap_or_default();
        let head = rest.first_chunk::<FRAME_BYTES>().and_then(frame::head);
        let frame = head.and_then(|head| Some((head, rest.get(..FRAME_BYTES + head.payload_bytes)?)));
        match frame {
            Some((head, frame)) if head.number >= expected && frame::holds(&head, frame) => {
                self.newest = self.next;
                self.next += frame.len();
                Ok(Step::Frame(head))
            }
            _ => {
                // The block is what was packed, so this cannot be; if it is, the rest of the block is passed over.
                self.next = self.frames.len();
                Ok(Step::Damage { at: self.at, bytes: 0 })
            }
        }
    }

    pub fn payload(&self) -> &[u8] {
        self.frame().get(FRAME_BYTES..).unwrap_or_default()
    }

    pub fn frame(&self) -> &[u8] {
        self.frames.get(self.newest..self.next).unwrap_or_default()
    }

    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Unpacks the block at `at`; false where it is damaged.
    fn block(&mut self) -> io::Result<bool> {
        let Some(block) = head(&read(&*self.file, self.at, HEAD_BYTES)?) else { return Ok(false) };
        let packed_at = self.at + HEAD_BYTES as u64;
        if block.packed_bytes as u64 > self.len.saturating_sub(packed_at) {
            return Ok(false);
        }
        let packed = read(&*self.file, packed_at, block.packed_bytes)?;
        if packed.len() != block.packed_bytes || crc32c(&packed) != block.crc {
            return Ok(false);
        }
        self.frames.resize(block.frames_bytes, 0);
        self.next = 0;
        self.newest = 0;
        self.at = packed_at + block.packed_bytes as u64;
        let unpacked = lz4_flex::block::decompress_into(&packed, &mut self.frames);
        Ok(unpacked.is_ok_and(|bytes| bytes == block.frames_bytes))
    }

    /// Goes on to the next header of a block.
    fn look(&mut self, from: u64) -> io::Result<Step> {
        self.frames.clear();
        self.next = 0;
        self.newest = 0;
        let mut at = from + 1;
        while at < self.len {
            let len = BLOCK_BYTES.min((self.len - at) as usize);
            let window = read(&*self.file, at, len)?;
            let found = window.windows(HEAD_BYTES).position(|place| head(place).is_some());
            if let Some(further) = found {
                self.at = at + further as u64;
                return Ok(Step::Damage { at: from, bytes: self.at - from });
            }
            if window.len() < HEAD_BYTES || at + window.len() as u64 >= self.len {
                break;
            }
            at += (window.len() - (HEAD_BYTES - 1)) as u64;
        }
        self.at = self.len;
        Ok(Step::End { rest_at: from, rest_bytes: self.len - from })
    }
}
