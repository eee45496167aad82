//! What the log is made of: batches, ticks and commands, each at a position.

use std::sync::Arc;

use crate::batch::{Batch, Position};
use crate::letter::DeadLetter;
use crate::triplet::Triplet;

/// A change of what runs. It takes effect in a flow when the flow passes its position.
#[derive(Debug, Clone)]
pub enum Command {
    /// From here on revision `revision` of the configuration runs. The summary says what changed, for people.
    Configure { revision: u64, text: Arc<str>, summary: Arc<str> },
    /// Start, pause or stop a whole pipeline.
    Pipeline { pipeline: Arc<str>, run: Run },
    /// Start, pause or stop one unit (id is pipeline/unit). The rows that would reach a paused unit wait, with their flow; those that would reach a
    /// stopped one end there and are counted.
    Unit { unit: Arc<str>, run: Run },
    /// Dead letters of one unit (pipeline/unit) are given to it again. The rows are part of the command, so that it is whole without anything else.
    Redeliver { unit: Arc<str>, letters: Arc<[DeadLetter]> },
}

impl Command {
    /// Memory held.
    pub fn bytes(&self) -> usize {
        let more = match self {
            Self::Redeliver { letters, .. } => letters.iter().map(DeadLetter::bytes).sum(),
            _ => 0,
        };
        256 + more
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Run {
    #[default]
    Running,
    Paused,
    Stopped,
}

#[derive(Debug, Clone)]
pub enum Payload {
    /// The watermark is the stream's before this batch, and after it: windows close after the batch, a row is late by the one before.
    Batch {
        batch: Batch,
        watermark_before_unix_ns: i64,
        watermark_unix_ns: i64,
    },
    /// Time went on; with the watermarks of the idle streams that moved.
    Tick {
        moved: Arc<[(Triplet, i64)]>,
    },
    Command(Command),
}

/// What is true of a sender once a record is in the journal; no flow looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A request that must not be taken a second time.
    Request(Request),
    /// How far files have been read.
    Files(Files),
}

/// A request that its sender may repeat, and what it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Digest of source and key.
    pub key: [u8; 16],
    /// Digest of what was sent.
    pub print: [u8; 16],
    /// Events that it brought.
    pub accepted: u64,
    /// So many of them had come before by other means.
    pub duplicates: u64,
    pub rejected: u64,
    /// Why events were rejected, as JSON; for the answer alone.
    pub reasons: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub source: Arc<str>,
    /// Those in which reading went on.
    pub places: Vec<FilePlace>,
    /// Device and inode of those that are read no more.
    pub gone: Vec<(u64, u64)>,
}

/// How far a file has been read. All events before it are in this record or in one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    pub device: u64,
    pub inode: u64,
    /// Where the next event begins.
    pub offset_bytes: u64,
    /// CRC-32C of the first so many bytes: what the file began with.
    pub beginning: (u32, u32),
    /// For people.
    pub path: Arc<str>,
}

#[derive(Debug, Clone)]
pub struct Record {
    pub position: Position,
    /// ns since 1970; a multiple of 1,024, never falls.
    pub accepted_at_unix_ns: i64,
    pub payload: Payload,
    /// Memory that it holds.
    pub bytes: usize,
    pub note: Option<Arc<Note>>,
    /// It counts only together with the next one: a journal that ends with it ends before it.
    pub goes_on: bool,
}

impl Record {
    pub fn new(position: Position, accepted_at_unix_ns: i64, payload: Payload, bytes: usize) -> Self {
        Self { position, accepted_at_unix_ns, payload, bytes, note: None, goes_on: false }
    }
}
