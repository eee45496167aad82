//! Frames of a file as they were written.
//!
//! Where no good frame stands, the next one is looked for byte by byte: magic, a number that may follow, a length that fits, and then the checksum.

use std::io;

use weir_disk::File;

use super::{Step, read};
use crate::frame::{self, FRAME_BYTES, Head};

const WINDOW_BYTES: usize = 1 << 20;
/// Passes over the file that looking for frames may cost.
const PASSES_MAX: u64 = 16;

#[derive(Debug)]
pub struct Plain {
    file: Box<dyn File>,
    len: u64,
    window: Vec<u8>,
    /// Where in the file the window begins.
    window_at: u64,
    /// Where in the window the next frame begins, and where the newest one did.
    next: usize,
    newest: usize,
    /// Bytes whose checksum may still be taken while looking for frames.
    budget: u64,
}

impl Plain {
    pub fn new(file: Box<dyn File>, at: u64, len: u64) -> Self {
        let budget = len.saturating_mul(PASSES_MAX);
        Self { file, len, window: Vec::new(), window_at: at, next: 0, newest: 0, budget }
    }

    pub fn next(&mut self, expected: u32) -> io::Result<Step> {
        let at = self.at();
        if self.fill(FRAME_BYTES)? == 0 {
            return Ok(Step::End { rest_at: at, rest_bytes: 0 });
        }
        if let Some(head) = self.good(|number| number >= expected)? {
            self.newest = self.next;
            self.next += FRAME_BYTES + head.payload_bytes;
            return Ok(Step::Frame(head));
        }
        match self.look(expected)? {
            Some(_) => Ok(Step::Damage { at, bytes: self.at() - at }),
            None => Ok(Step::End { rest_at: at, rest_bytes: self.len - at }),
        }
    }

    pub fn payload(&self) -> &[u8] {
        self.frame().get(FRAME_BYTES..).unwrap_or_default()
    }

    pub fn frame(&self) -> &[u8] {
        self.window.get(self.newest..self.next).unwrap_or_default()
    }

    pub fn at(&self) -> u64 {
        self.window_at + self.next as u64
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// The frame at `next`, if one stands there.
    fn good(&mut self, number: impl Fn(u32) -> bool) -> io::Result<Option<Head>> {
        let place = self.window.get(self.next..).and_then(|rest| rest.first_chunk::<FRAME_BYTES>());
        let Some(head) = place.and_then(frame::head) else { return Ok(None) };
        let frame_bytes = FRAME_BYTES + head.payload_bytes;
        if !number(head.number) || frame_bytes as u64 > self.len - self.at() {
            return Ok(None);
        }
        if self.fill(frame_bytes)? < frame_bytes {
            return Ok(None);
        }
        let frame = self.window.get(self.next..self.next + frame_bytes).unwrap_or_default();
        Ok(frame::holds(&head, frame).then_some(head))
    }

    /// Goes on to the next good frame.
    fn look(&mut self, expected: u32) -> io::Result<Option<Head>> {
        loop {
            self.next += 1;
            if self.fill(FRAME_BYTES)? < FRAME_BYTES {
                return Ok(None);
            }
            // Straight to the next byte that may begin a frame.
            let rest = self.window.get(self.next..).unwrap_or_default();
            match rest.iter().position(|byte| *byte == b'W') {
                Some(0) => {}
                Some(further) => {
                    self.next += further - 1;
                    continue;
                }
                None => {
                    self.next += rest.len() - 1;
                    continue;
                }
            }
            let most = u64::from(expected) + (self.len - self.at()) / FRAME_BYTES as u64 + self.at();
            let follows = |number: u32| number >= expected && u64::from(number) <= most;
            let place = rest.first_chunk::<FRAME_BYTES>().and_then(frame::head);
            let Some(candidate) = place.filter(|head| follows(head.number)) else { continue };
            let cost = (candidate.payload_bytes as u64).min(self.len);
            if cost > self.budget {
                return Ok(None);
            }
            self.budget -= cost;
            if let Some(head) = self.good(follows)? {
                return Ok(Some(head));
            }
        }
    }

    /// Bytes at `next` that there are, once so many were asked for.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        let there = self.window.len().saturating_sub(self.next);
        if there >= wanted {
            return Ok(there);
        }
        let at = self.at();
        self.window_at = at;
        self.next = 0;
        self.newest = 0;
        let len = (wanted.max(WINDOW_BYTES) as u64).min(self.len.saturating_sub(at)) as usize;
        self.window = read(&*self.file, at, len)?;
        Ok(self.window.len())
    }
}
