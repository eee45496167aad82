//! One file that is read as it grows.
//!
//! In: a path. Out: its bytes, to a [`Decoder`], each once, in their order. A file is its device and inode; the handle is held open, so that the inode is given to no other file
//! meanwhile. [`Followed::step`] looks whether the file was truncated (it is shorter than what was read, or it was
//! changed and begins with other bytes), reads on, and at the end looks whether its path still leads to it. Truncated and filled again up to where reading stood, with the same first
//! [`BEGINNING_BYTES_MAX`] bytes, cannot be seen; no reader of a log can.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_core::config::Begin;
use weir_core::record::FilePlace;
use weir_disk::crc32c;

use super::super::decoder::{Decoder, Input};

/// A file that its path no longer leads to is let go when nothing was written to it for this long: writers often go on for a moment after
/// a rotation.
pub const QUIET: Duration = Duration::from_secs(2);

/// First bytes that are compared. Two lines of a log seldom begin with the same hundred.
const BEGINNING_BYTES_MAX: usize = 256;

/// Device and inode.
pub type Identity = (u64, u64);

/// The identity of the file that a path leads to.
pub fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|found| of(&found))
}

fn of(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// What one look at a file gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Read,
    Nothing,
    /// Nobody writes to it any more and its path leads elsewhere.
    Gone,
}

pub struct Followed {
    path: PathBuf,
    file: File,
    id: Identity,
    offset_bytes: u64,
    input: Input,
    /// The first bytes of the file, as they were.
    beginning: Vec<u8>,
    /// When the file was last changed, by its own time stamp.
    changed: (i64, i64),
    /// When bytes last came.
    active: Instant,
    /// What was told of where reading stands.
    noted_bytes: Option<u64>,
}

impl Followed {
    pub fn open(path: &Path, begin: Begin, input: Input) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let offset_bytes = if begin == Begin::End { metadata.len() } else { 0 };
        let mut followed = Self {
            path: path.to_owned(),
            id: of(&metadata),
            file,
            offset_bytes,
            input,
            beginning: Vec::new(),
            changed: (0, 0),
            active: Instant::now(),
            noted_bytes: None,
        };
        followed.beginning = followed.read_beginning()?;
        Ok(followed)
    }

    /// Goes on where reading stood; none: it is not the file that was read, or not any more.
    pub fn resume(path: &Path, place: &FilePlace, input: Input) -> io::Result<Option<Self>> {
        let mut followed = Self::open(path, Begin::Start, input)?;
        let length = followed.file.metadata()?.len();
        followed.offset_bytes = u64::from(place.beginning.1).min(length);
        let beginning = followed.read_beginning()?;
        let same = followed.id == (place.device, place.inode)
            && length >= place.offset_bytes
            && (crc32c(&beginning), beginning.len() as u32) == place.beginning;
        followed.offset_bytes = place.offset_bytes;
        followed.beginning = beginning;
        // An event that was not whole may have been looked at; it is read again.
        followed.beginning.truncate(place.offset_bytes as usize);
        followed.noted_bytes = Some(place.offset_bytes);
        Ok(same.then_some(followed))
    }

    /// Where its next event begins, where that is news.
    pub fn note(&mut self) -> Option<FilePlace> {
        let offset_bytes = self.offset_bytes - self.input.unfinished_bytes() as u64;
        if self.noted_bytes.replace(offset_bytes) == Some(offset_bytes) {
            return None;
        }
        Some(FilePlace {
            device: self.id.0,
            inode: self.id.1,
            offset_bytes,
            beginning: (crc32c(&self.beginning), self.beginning.len() as u32),
            path: self.path.to_string_lossy().into(),
        })
    }

    /// Whether there is a place that nobody was told.
    pub fn has_news(&self) -> bool {
        self.noted_bytes != Some(self.offset_bytes - self.input.unfinished_bytes() as u64)
    }

    pub fn id(&self) -> Identity {
        self.id
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It may have another name now.
    pub fn found_at(&mut self, path: &Path) {
        if self.path != path && identity(&self.path).ok() != Some(self.id) {
            self.path = path.to_owned();
        }
    }

    /// Looks what became of the file, and reads on.
    pub fn step(&mut self, decoder: &mut Decoder) -> Step {
        let Ok(metadata) = self.file.metadata() else { return Step::Gone };
        // Before the read: bytes of a file that was written anew would follow on those of the old one.
        if self.was_truncated(&metadata) {
            self.start_again(decoder);
        }
        if self.read_on(decoder) {
            return Step::Read;
        }
        let elsewhere = identity(&self.path).ok() != Some(self.id);
        if elsewhere && self.active.elapsed() >= QUIET { Step::Gone } else { Step::Nothing }
    }

    /// One read. False: the end, or an error, which the next look may not have.
    pub fn read_on(&mut self, decoder: &mut Decoder) -> bool {
        let (file, offset_bytes) = (&self.file, self.offset_bytes);
        let mut came = 0;
        let mut read = |buffer: &mut [u8]| {
            came = file.read_at(buffer, offset_bytes)?;
            // 0 bytes would end the input, but more may be written.
            if came == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(came) }
        };
        let Ok(brought) = decoder.read(&mut self.input, &mut read) else { return false };
        self.offset_bytes += came as u64;
        self.active = Instant::now();
        if self.beginning.len() < BEGINNING_BYTES_MAX {
            self.beginning = self.read_beginning().unwrap_or_default();
        }
        if brought.out_of_step {
            self.input = decoder.input();
        }
        true
    }

    /// What is left is its last event.
    pub fn finish(&mut self, decoder: &mut Decoder) {
        decoder.finish(&mut self.input);
    }

    fn was_truncated(&mut self, metadata: &Metadata) -> bool {
        if metadata.len() < self.offset_bytes {
            return true;
        }
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        if changed == self.changed {
            return false;
        }
        self.changed = changed;
        let beginning = self.read_beginning().unwrap_or_default();
        !beginning.starts_with(&self.beginning)
    }

    fn start_again(&mut self, decoder: &mut Decoder) {
        decoder.finish(&mut self.input);
        self.input = decoder.input();
        self.offset_bytes = 0;
        self.beginning = self.read_beginning().unwrap_or_default();
    }

    /// Not beyond what was read, which may still be being written.
    fn read_beginning(&self) -> io::Result<Vec<u8>> {
        let length = self.offset_bytes.min(BEGINNING_BYTES_MAX as u64) as usize;
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, filled as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}
