//! Writes the segments: encoding, rolling to the next file, syncing, and what happens when the disk is full or fails.
//!
//! In: records in the order of their offsets. Out: files. [`Writer::append`] encodes, [`Writer::flush`] hands to the system, [`Writer::sync`] makes durable. It is
//! used by one thread and knows no other; time comes in as an argument.
//!
//! Full disk: what is encoded stays in memory, the reserve file is given back to the disk, and the write is tried again; [`Writer::is_full`] then tells the owner
//! to accept nothing more, and [`Writer::resume`] to be called now and then until there is room for the rest and for a new reserve. Every other error of a
//! write or a sync is final: [`Stopped`], now and from every later call, and no sync is tried again.

use std::io;
use std::sync::Arc;

use weir_core::record::Record;
use weir_disk::{Disk, File, is_full, write_all_at};

use crate::encode::{Encoder, Unwritable};
use crate::frame::Kind;
use crate::segment::{Header, SegmentName};

/// Name of the file that is given back when the disk is full.
pub const RESERVE: &str = "reserve";
const RESERVE_PIECE_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub log: u16,
    /// A segment that has so many bytes is followed by the next.
    pub segment_bytes: u64,
    /// Kept free for what is accepted but not written when the disk gets full. More than [`crate::journal::Limits`] lets wait.
    pub reserve_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { log: 0, segment_bytes: 64 << 20, reserve_bytes: 32 << 20 }
    }
}

/// The journal has ended; only a restart begins a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the journal stopped: {doing} failed: {reason}. Nothing is accepted any more; what was acknowledged is safe up to the last good sync. \
     Check the disk (kernel log, smartctl), then restart: the end of the journal is found anew"
)]
pub struct Stopped {
    pub doing: &'static str,
    pub reason: Arc<str>,
}

/// Why a record was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

#[derive(Debug)]
pub struct Writer {
    disk: Arc<dyn Disk>,
    settings: Settings,
    name: SegmentName,
    encoder: Encoder,
    /// None as long as nothing of the segment is written.
    file: Option<Box<dyn File>>,
    /// The name of the file is not durable yet.
    is_new: bool,
    /// Encoded and not yet handed to the system.
    waiting: Vec<u8>,
    written_bytes: u64,
    next_offset: u64,
    /// The newest record counts only together with the next one.
    goes_on: bool,
    has_reserve: bool,
    full: bool,
    stopped: Option<Stopped>,
    bytes_total: u64,
    syncs_total: u64,
}

impl Writer {
    /// Writes from `name` on; `name.first` is the next offset. The file is made with the first write.
    pub fn new(disk: Arc<dyn Disk>, settings: Settings, name: SegmentName, now_unix_ns: i64) -> Self {
        let mut writer = Self {
            disk,
            settings,
            name,
            encoder: Encoder::default(),
            file: None,
            is_new: false,
            waiting: Vec::new(),
            written_bytes: 0,
            next_offset: name.first,
            goes_on: false,
            has_reserve: false,
            full: false,
            stopped: None,
            bytes_total: 0,
            syncs_total: 0,
        };
        writer.begin(name, now_unix_ns);
        writer
    }

    /// Takes a record; it is in memory until [`Writer::flush`].
    pub fn append(&mut self, record: &Record) -> Result<(), AppendError> {
        self.alive()?;
        let bytes = self.written_bytes + self.waiting.len() as u64;
        let wants_next = bytes >= self.settings.segment_bytes || self.encoder.is_full();
        // Records that count only together are in one segment, so that its end can be cut back to where they begin.
        if wants_next && !self.goes_on {
            self.roll(record.accepted_at_unix_ns)?;
        }
        self.encoder.put(&mut self.waiting, record)?;
        self.goes_on = record.goes_on;
        self.next_offset = record.position.offset + 1;
        Ok(())
    }

    /// Hands to the system what waits; false where the disk is full and it goes on waiting.
    pub fn flush(&mut self) -> Result<bool, Stopped> {
        self.alive()?;
        if self.waiting.is_empty() {
            return Ok(true);
        }
        match self.write() {
            Err(error) if is_full(&error) => {
                self.full = true;
                if !self.has_reserve {
                    return Ok(false);
                }
                self.has_reserve = false;
                self.disk.remove(RESERVE).or_else(|error| self.stop("giving the reserve back", &error))?;
                match self.write() {
                    Err(error) if is_full(&error) => Ok(false),
                    Err(error) => self.stop("a write", &error),
                    Ok(()) => Ok(true),
                }
            }
            Err(error) => self.stop("a write", &error),
            Ok(()) => Ok(true),
        }
    }

    /// Makes durable what was handed over.
    pub fn sync(&mut self) -> Result<(), Stopped> {
        self.alive()?;
        let Some(file) = &self.file else { return Ok(()) };
        if let Err(error) = file.sync() {
            return self.stop("a sync", &error);
        }
        if self.is_new {
            self.disk.sync_dir().or_else(|error| self.stop("a sync of the folder", &error))?;
            self.is_new = false;
        }
        self.syncs_total += 1;
        // Goes with the next write, or when there is nothing else to do; it is never waited for.
        if self.waiting.is_empty() {
            self.encoder.mark(&mut self.waiting, Kind::Mark, self.next_offset, self.written_bytes);
        }
        Ok(())
    }

    /// Whether the disk was full, and nothing more should be accepted.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// After a full disk: writes what waits and keeps a new reserve. True when all is well again.
    pub fn resume(&mut self) -> Result<bool, Stopped> {
        if self.full && self.flush()? && self.keep_reserve()? {
            self.full = false;
        }
        Ok(!self.full)
    }

    /// Writes the reserve; false where there is no room for it.
    pub fn keep_reserve(&mut self) -> Result<bool, Stopped> {
        self.alive()?;
        if self.has_reserve || self.settings.reserve_bytes == 0 {
            return Ok(true);
        }
        match self.write_reserve() {
            Ok(()) => self.has_reserve = true,
            Err(error) if is_full(&error) => {
                self.disk.remove(RESERVE).or_else(|error| self.stop("giving the reserve back", &error))?;
            }
            Err(error) => return self.stop("writing the reserve", &error),
        }
        Ok(self.has_reserve)
    }

    /// Ends the segment, so that the next start finds nothing to mend.
    pub fn close(&mut self) -> Result<(), Stopped> {
        self.alive()?;
        if self.file.is_none() && self.next_offset == self.name.first {
            return Ok(());
        }
        if self.flush()? {
            // The last frame says that all before it is durable, and so is not written before that is true.
            self.sync()?;
            if self.end()? {
                self.sync()?;
            }
        }
        Ok(())
    }

    pub fn segment(&self) -> SegmentName {
        self.name
    }

    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    pub fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    pub fn syncs_total(&self) -> u64 {
        self.syncs_total
    }

    fn alive(&self) -> Result<(), Stopped> {
        self.stopped.clone().map_or(Ok(()), Err)
    }

    fn stop<T>(&mut self, doing: &'static str, error: &io::Error) -> Result<T, Stopped> {
        let stopped = Stopped { doing, reason: error.to_string().into() };
        self.stopped = Some(stopped.clone());
        Err(stopped)
    }

    fn write(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => {
                self.is_new = true;
                self.file.insert(self.disk.create(&self.name.to_string())?)
            }
        };
        write_all_at(&**file, self.written_bytes, &self.waiting)?;
        self.written_bytes += self.waiting.len() as u64;
        self.bytes_total += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// The end of this segment, durable, and the next one. On a full disk this one goes on.
    fn roll(&mut self, now_unix_ns: i64) -> Result<(), Stopped> {
        if !self.flush()? {
            return Ok(());
        }
        self.sync()?;
        if self.end()? {
            self.sync()?;
            let name = SegmentName { number: self.name.number + 1, first: self.next_offset, ..self.name };
            self.begin(name, now_unix_ns);
        }
        Ok(())
    }

    /// Writes the last frame; where there is no room for it, it is as if this had not been called.
    fn end(&mut self) -> Result<bool, Stopped> {
        let before = self.waiting.len();
        self.encoder.mark(&mut self.waiting, Kind::End, self.next_offset, self.written_bytes);
        let ended = self.flush()?;
        if !ended {
            self.waiting.truncate(before);
            self.encoder.unmark();
        }
        Ok(ended)
    }

    fn begin(&mut self, name: SegmentName, now_unix_ns: i64) {
        let header = Header {
            packed: false,
            log: self.settings.log,
            epoch: name.epoch,
            number: name.number,
            first: name.first,
            created_at_unix_ns: now_unix_ns,
        };
        self.name = name;
        self.encoder = Encoder::default();
        self.file = None;
        self.written_bytes = 0;
        self.waiting.clear();
        self.waiting.extend_from_slice(&header.bytes());
    }

    fn write_reserve(&self) -> io::Result<()> {
        let file = self.disk.create(RESERVE)?;
        let piece = vec![0; RESERVE_PIECE_BYTES];
        let mut at = 0;
        while at < self.settings.reserve_bytes {
            let len = (self.settings.reserve_bytes - at).min(RESERVE_PIECE_BYTES as u64);
            write_all_at(&*file, at, piece.get(..len as usize).unwrap_or_default())?;
            at += len;
        }
        file.sync()
    }
}
