//! The only thing that moves inside the program: events of one stream in columns.
//!
//! Columns are Arrow arrays of these types and no other: Float64, Int64, UInt64, Boolean, Timestamp(ns, no zone), Utf8, Binary, and
//! Dictionary(UInt32, Utf8). A dictionary column whose field carries the metadata [`DICTIONARY_ID`] has names that are only ever
//! appended to under that id, so that work done for a code (a key number, a guest's table) stays good across batches.
//! The event time is not one of the columns; "time" is not allowed as the name of one. Cloning a batch clones `Arc`s.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::ScalarBuffer;

use crate::triplet::Triplet;

/// Metadata key of a dictionary field: a decimal number that names the dictionary.
pub const DICTIONARY_ID: &str = "weir.dictionary";

/// Most rows in one batch.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// Where a record stands in the log. A new epoch starts at each recovery, so that a position never means two things.
/// `offset` never falls, across epochs too, and stays below 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub log: u16,
    pub epoch: u32,
    pub offset: u64,
}

/// Which rows of the record a batch's rows were, so that identity survives filters.
#[derive(Clone, Debug)]
pub enum RowIds {
    /// Row `r` is row `start + r` of the record (or of the output that the batch was emitted as).
    From(u32),
    /// Row `r` is row `ids[r]`; rising.
    Picked(ScalarBuffer<u32>),
}

impl RowIds {
    pub fn get(&self, row: usize) -> u32 {
        match self {
            Self::From(start) => start + row as u32,
            Self::Picked(ids) => ids.get(row).copied().unwrap_or(u32::MAX),
        }
    }
}

/// Who made a batch: a source, or a unit from the record at `Batch::position`.
/// With the position and the row ids it is the identity of each row: {flow, position, unit id, ordinal, row}.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    Source(Arc<str>),
    /// `ordinal` counts the outputs of that unit within the record, from 0.
    Unit {
        id: Arc<str>,
        ordinal: u32,
    },
}

/// Events of one stream in columns.
#[derive(Clone, Debug)]
pub struct Batch {
    pub triplet: Triplet,
    pub position: Position,
    /// When the host took the record in, ns since 1970; a multiple of 1,024, never falls.
    pub accepted_at_unix_ns: i64,
    pub origin: Origin,
    pub row_ids: RowIds,
    /// Event time of each row, ns since 1970. In no particular order.
    pub time: ScalarBuffer<i64>,
    /// One value for each row in each column; the schema's names are distinct.
    pub columns: RecordBatch,
    /// How many derived streams lie between the source and this batch.
    pub hops: u8,
}

impl Batch {
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// Memory held, in bytes; shared buffers (dictionaries) count for each batch.
    pub fn bytes(&self) -> usize {
        self.time.len() * 8 + self.columns.get_array_memory_size()
    }
}

/// Rows as a codec or a source makes them: not yet in the log.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub triplet: Triplet,
    pub source: Arc<str>,
    pub time: ScalarBuffer<i64>,
    pub columns: RecordBatch,
}

impl Incoming {
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    pub fn bytes(&self) -> usize {
        self.time.len() * 8 + self.columns.get_array_memory_size()
    }
}
