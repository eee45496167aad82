//! What the log is made of: batches, ticks and commands, each at a position.

use std::sync::Arc;

use crate::batch::{Batch, Position};
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

#[derive(Debug, Clone)]
pub struct Record {
    pub position: Position,
    /// ns since 1970; a multiple of 1,024, never falls.
    pub accepted_at_unix_ns: i64,
    pub payload: Payload,
    /// Memory that it holds.
    pub bytes: usize,
}
