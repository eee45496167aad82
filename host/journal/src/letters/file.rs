//! The file of the dead letters: a log of letters and of ids that are gone, made anew when most of it is gone.
//!
//! In: changes of a [`super::Letters`]. Out: after a crash, what was written before the last sync that returned well. A file is `letters.log`: a header (`WEIRDEAD`, version u16, two zero bytes, CRC-32C of
//! these 12 bytes u32) and frames: `WL`, kind u8, zero u8, length u32, where in the file it begins u64, CRC-32C of these 16 bytes and the payload u32, payload. Kinds: 1 a letter ([`super::form`]), 2 ids that are gone, 3 how many
//! bytes of this file are durable (u64), written behind each sync.
//!
//! Bytes behind that mark that make no frame were torn by a crash: they are left out and counted. Such bytes before it are damage: what stands behind them is still read, the file is put aside as
//! `letters.damaged` and made anew of what was read. After an error of a write or a sync nothing more is written to that file: the next flush makes another, from memory, which has everything.
//! A file of a later version is refused and not touched.

use std::io;
use std::sync::Arc;

use weir_core::letter::LetterId;
use weir_disk::{Disk, File, crc32c, crc32c_on, read_full_at, replace, write_all_at};

use super::form::{put_id, take_id};
use super::{Change, Kept, Letters};
use crate::bytes::{Take, put_varint};

pub const NAME: &str = "letters.log";
pub const DAMAGED: &str = "letters.damaged";
const MAGIC: &[u8; 8] = b"WEIRDEAD";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 16;
const FRAME_BYTES: usize = 20;
const GONE_IN_FRAME: usize = 1_000;
/// A file is made anew when it is this much longer than twice what it must hold.
const SLACK_BYTES: u64 = 4 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter = 1,
    Gone = 2,
    Mark = 3,
}

/// What a file had.
#[derive(Debug, Default)]
pub struct Found {
    pub letters: Vec<Kept>,
    pub gone: Vec<LetterId>,
    pub bytes: u64,
    /// At the end: written by nobody who was told so.
    pub torn_bytes: u64,
    /// Where, and how many bytes.
    pub damaged: Vec<(u64, u64)>,
}

impl Found {
    /// Letters that are not gone, in the order of the log.
    pub fn into_letters(self) -> Letters {
        let mut letters = Letters::default();
        letters.restore(self.letters, self.gone);
        letters
    }
}

#[derive(Debug)]
pub struct LetterFile {
    disk: Arc<dyn Disk>,
    /// None: the next flush makes it.
    file: Option<Box<dyn File>>,
    bytes: u64,
    /// What lies there is not to be gone on with.
    is_bad: bool,
}

/// What a file has, without changing it. None: there is none.
pub fn read(disk: &dyn Disk) -> io::Result<Option<Found>> {
    let file = match disk.open(NAME) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    content(&*file).and_then(|bytes| parse(&bytes)).map(Some)
}

fn content(file: &dyn File) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let read = read_full_at(file, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

impl LetterFile {
    /// What was left, and the file to go on with. A damaged one is put aside; that it cannot be is no reason not to start.
    pub fn open(disk: Arc<dyn Disk>) -> io::Result<(Self, Found)> {
        let found = read(&*disk)?;
        let mut opened = Self { disk, file: None, bytes: 0, is_bad: false };
        let Some(found) = found else { return Ok((opened, Found::default())) };
        opened.is_bad = !found.damaged.is_empty() || found.torn_bytes > 0;
        if !found.damaged.is_empty() {
            let bytes = opened.disk.open(NAME).and_then(|file| content(&*file))?;
            if let Err(error) = replace(&*opened.disk, DAMAGED, &bytes) {
                tracing::warn!(%error, "the damaged file of the dead letters could not be put aside");
            }
        }
        if !opened.is_bad {
            opened.file = Some(opened.disk.open_writable(NAME)?);
            opened.bytes = found.bytes;
        }
        Ok((opened, found))
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is none to append to.
    pub fn is_missing(&self) -> bool {
        self.file.is_none()
    }

    /// Whether one must be made in the place of one that is torn, damaged or failed, though nothing new is to be written.
    pub fn is_bad(&self) -> bool {
        self.is_bad
    }

    /// Whether most of it is gone.
    pub fn is_slack(&self, must_hold_bytes: u64) -> bool {
        self.bytes > must_hold_bytes.saturating_mul(2).saturating_add(SLACK_BYTES)
    }

    /// Durable when it returns well. After an error the file is gone: the next must be made anew.
    pub fn append(&mut self, change: &Change) -> io::Result<()> {
        if change.is_empty() {
            return Ok(());
        }
        let Some(file) = self.file.take() else {
            return Err(io::Error::other("there is no file to append to"));
        };
        self.is_bad = true;
        let mut out = Vec::new();
        put_change(&mut out, self.bytes, change);
        write_all_at(&*file, self.bytes, &out)?;
        file.sync()?;
        self.bytes += out.len() as u64;
        let mut mark = Vec::new();
        put_frame(&mut mark, self.bytes, Kind::Mark, &self.bytes.to_le_bytes());
        // Goes to the disk with the next sync. Without it the file is good; with a part of it the end is torn.
        write_all_at(&*file, self.bytes, &mark)?;
        self.bytes += mark.len() as u64;
        (self.file, self.is_bad) = (Some(file), false);
        Ok(())
    }

    /// A new file that has all of this, in the place of the old one. Durable when it returns well.
    pub fn make_anew(&mut self, whole: &Change) -> io::Result<()> {
        (self.file, self.is_bad) = (None, true);
        let mut out = header();
        put_change(&mut out, 0, whole);
        let durable = out.len() as u64;
        put_frame(&mut out, 0, Kind::Mark, &durable.to_le_bytes());
        replace(&*self.disk, NAME, &out)?;
        self.file = Some(self.disk.open_writable(NAME)?);
        (self.bytes, self.is_bad) = (out.len() as u64, false);
        Ok(())
    }
}

fn header() -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&[0, 0]);
    let crc = crc32c(&header);
    header.extend_from_slice(&crc.to_le_bytes());
    header
}

fn put_change(out: &mut Vec<u8>, from: u64, change: &Change) {
    for letter in &change.letters {
        put_frame(out, from, Kind::Letter, letter);
    }
    for gone in change.gone.chunks(GONE_IN_FRAME) {
        let mut payload = Vec::new();
        put_varint(&mut payload, gone.len() as u64);
        gone.iter().for_each(|id| put_id(&mut payload, id));
        put_frame(out, from, Kind::Gone, &payload);
    }
}

/// `from`: where in the file the first byte of `out` comes to be.
fn put_frame(out: &mut Vec<u8>, from: u64, kind: Kind, payload: &[u8]) {
    let at = from + out.len() as u64;
    let mut head = vec![b'W', b'L', kind as u8, 0];
    head.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    head.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(&crc32c_on(crc32c(&head), payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Kind and payload of the frame that begins at `at`. That it says where it is tells it from rows that look like one.
fn frame(bytes: &[u8], at: usize) -> Option<(Kind, &[u8])> {
    let (head, rest) = bytes.get(at..)?.split_first_chunk::<16>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (begin, place) = head.split_first_chunk::<8>()?;
    let [b'W', b'L', kind, 0, length @ ..] = *begin else { return None };
    if place != (at as u64).to_le_bytes() {
        return None;
    }
    let kind = [Kind::Letter, Kind::Gone, Kind::Mark].into_iter().find(|known| *known as u8 == kind)?;
    let payload = rest.get(..u32::from_le_bytes(length) as usize)?;
    (crc32c_on(crc32c(head), payload) == u32::from_le_bytes(*crc)).then_some((kind, payload))
}

fn parse(bytes: &[u8]) -> io::Result<Found> {
    let mut found = Found { bytes: bytes.len() as u64, ..Found::default() };
    let mut at = HEADER_BYTES;
    if !header_is_good(bytes)? {
        at = next_frame(bytes, 0).unwrap_or(bytes.len());
        if at > 0 {
            found.damaged.push((0, at as u64));
        }
    }
    let (mut durable, mut bad) = (0, Vec::new());
    while at < bytes.len() {
        if let Some((kind, payload)) = frame(bytes, at) {
            if take_frame(&mut found, &mut durable, kind, payload).is_none() {
                found.damaged.push((at as u64, (FRAME_BYTES + payload.len()) as u64));
            }
            at += FRAME_BYTES + payload.len();
            continue;
        }
        let next = next_frame(bytes, at + 1);
        let end = next.unwrap_or(bytes.len());
        let length = (end - at) as u64;
        bad.push((at as u64, length));
        at = end;
    }
    // Of what was not synced a crash may have kept any part: a hole with frames behind it is torn too, unless a mark covers it.
    let (damaged, torn): (Vec<_>, Vec<_>) = bad.into_iter().partition(|(at, _)| *at < durable);
    found.damaged.extend(damaged);
    found.torn_bytes = torn.iter().map(|(_, length)| length).sum();
    Ok(found)
}

/// An error: another version wrote it. An empty file was made and never written.
fn header_is_good(bytes: &[u8]) -> io::Result<bool> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(bytes.is_empty()) };
    let (said, crc) = header.split_at(12);
    if crc32c(said).to_le_bytes() != crc || !said.starts_with(MAGIC) {
        return Ok(false);
    }
    match said.get(8..10).and_then(|version| version.first_chunk::<2>()).map(|v| u16::from_le_bytes(*v)) {
        Some(VERSION) => Ok(true),
        version => {
            let version = version.unwrap_or_default();
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{NAME} is of version {version} and this program reads version {VERSION}; run the program that wrote it, or move the file away"
                ),
            ))
        }
    }
}

fn next_frame(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let mut begins = rest.windows(2).enumerate().filter(|(_, two)| *two == b"WL").map(|(at, _)| from + at);
    begins.find(|at| frame(bytes, *at).is_some())
}

fn take_frame(found: &mut Found, durable: &mut u64, kind: Kind, payload: &[u8]) -> Option<()> {
    match kind {
        Kind::Letter => found.letters.push(Kept::read(payload)?),
        Kind::Gone => {
            let mut from = Take(payload);
            for _ in 0..from.count()? {
                found.gone.push(take_id(&mut from)?);
            }
        }
        Kind::Mark => *durable = (*durable).max(u64::from_le_bytes(*payload.first_chunk::<8>()?)),
    }
    Some(())
}
