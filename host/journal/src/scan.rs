//! The frames of one segment file, damaged places passed over.
//!
//! In: a file, hot or packed, finished or being written. Out: frames in their order whose checksums hold; for each damaged place where it lies and how many bytes
//! were passed over to the next good frame; at the end how many bytes of it make no frame. What that means (a torn tail, damage, a writer at work) is the
//! caller's to say: [`Scan::durable_bytes`] tells what the marks in the file promise.
//!
//! Memory: a window of 1 MiB or the longest frame. A damaged place costs at most a fixed number of passes over the file; beyond that the rest is given up.

mod packed;
mod plain;

use std::io;

use weir_disk::{Disk, File, read_full_at};

use crate::frame::{Head, Kind};
use crate::segment::{HEADER_BYTES, Header, SegmentName};
use packed::Packed;
pub use packed::{BLOCK_BYTES, pack_block};
use plain::Plain;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its payload is [`Scan::payload`].
    Frame(Head),
    /// Bytes that were passed over; none where frames are missing but no bytes are bad.
    Damage { at: u64, bytes: u64 },
    /// Nothing more can be read. `rest_bytes` at the end make no frame.
    End { rest_at: u64, rest_bytes: u64 },
}

#[derive(Debug)]
enum Source {
    Plain(Plain),
    Packed(Packed),
}

#[derive(Debug)]
pub struct Scan {
    pub header: Option<Header>,
    source: Source,
    expected: u32,
    /// To be given with the next call.
    waiting: Option<Head>,
    /// The newest step was a damaged place, behind which any number may follow.
    passed_over: bool,
    durable_bytes: u64,
    next_offset: u64,
    closed: bool,
    done: bool,
}

impl Scan {
    pub fn open(disk: &dyn Disk, name: SegmentName) -> io::Result<Self> {
        let file = disk.open(&name.to_string())?;
        let len = file.len()?;
        let mut bytes = [0; HEADER_BYTES];
        let read = read_full_at(&*file, 0, &mut bytes)?;
        if let Some(version) = Header::newer_version(&bytes) {
            let message =
                format!("{name} is of version {version}, this program reads {}", crate::segment::VERSION);
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let header = Header::of(&bytes).filter(|_| read == HEADER_BYTES);
        let packed = match header {
            Some(header) => header.packed,
            None => packed::looks_packed(&*file)?,
        };
        let at = (HEADER_BYTES as u64).min(len);
        let source = match packed {
            true => Source::Packed(Packed::new(file, at, len)),
            false => Source::Plain(Plain::new(file, at, len)),
        };
        Ok(Self {
            header,
            source,
            expected: 0,
            waiting: None,
            passed_over: false,
            durable_bytes: 0,
            next_offset: name.first,
            closed: false,
            done: false,
        })
    }

    pub fn step(&mut self) -> io::Result<Step> {
        if let Some(head) = self.waiting.take() {
            return Ok(self.noted(head));
        }
        if self.done {
            return Ok(Step::End { rest_at: self.len(), rest_bytes: 0 });
        }
        let step = match &mut self.source {
            Source::Plain(plain) => plain.next(self.expected)?,
            Source::Packed(packed) => packed.next(self.expected)?,
        };
        match step {
            Step::Frame(head) if head.number != self.expected && !self.passed_over => {
                // Nothing bad was passed over, and yet frames are missing.
                let at = self.at().saturating_sub((crate::frame::FRAME_BYTES + head.payload_bytes) as u64);
                self.waiting = Some(head);
                Ok(Step::Damage { at, bytes: 0 })
            }
            Step::Frame(head) => Ok(self.noted(head)),
            Step::Damage { .. } => {
                self.passed_over = true;
                Ok(step)
            }
            Step::End { .. } => {
                self.done = true;
                Ok(step)
            }
        }
    }

    pub fn payload(&self) -> &[u8] {
        match &self.source {
            Source::Plain(plain) => plain.payload(),
            Source::Packed(packed) => packed.payload(),
        }
    }

    /// Header and payload of the newest frame.
    pub fn frame(&self) -> &[u8] {
        match &self.source {
            Source::Plain(plain) => plain.frame(),
            Source::Packed(packed) => packed.frame(),
        }
    }

    /// Where in the file the newest frame ends.
    pub fn at(&self) -> u64 {
        match &self.source {
            Source::Plain(plain) => plain.at(),
            Source::Packed(packed) => packed.at(),
        }
    }

    /// Of a file that is not packed: so many bytes of it were durable before it was last written to, as far as the frames so far tell.
    pub fn durable_bytes(&self) -> u64 {
        self.durable_bytes
    }

    /// The frames so far say that the segment ends here.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Behind the greatest offset that the frames so far tell of.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    pub fn frames(&self) -> u32 {
        self.expected
    }

    pub fn len(&self) -> u64 {
        match &self.source {
            Source::Plain(plain) => plain.len(),
            Source::Packed(packed) => packed.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn noted(&mut self, head: Head) -> Step {
        self.expected = head.number.wrapping_add(1);
        self.passed_over = false;
        self.next_offset = self.next_offset.max(head.offset + u64::from(head.kind.is_record()));
        if let (Kind::Mark | Kind::End, Some(bytes)) = (head.kind, self.payload().first_chunk::<8>()) {
            self.durable_bytes = self.durable_bytes.max(u64::from_le_bytes(*bytes));
            self.closed |= head.kind == Kind::End;
        }
        Step::Frame(head)
    }
}

/// Reads what is there of `len` bytes at `at`.
fn read(file: &dyn File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let read = read_full_at(file, at, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}
