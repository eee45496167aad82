//! What a checkpoint holds: the kinds of entries, and how long values are cut.
//!
//! Keys: `a` and `e` alerts and episodes (core, `alerts/dump.rs`), `f` a flow in a lane, `g` what is the log's, `i`, `p` and `t` what was accepted (core, `seen/dump.rs`), `m` and `s` series (core, `series/dump.rs`), `r` and the number of
//! a revision, `u` and the number of a state and the state's own keys (core, `state/dump.rs`). Each key ends in a number of two bytes: a value longer
//! than an entry may be is cut into pieces, the first of which begins with the length of the whole (u32, little-endian). Pieces of an older, longer value may stay behind;
//! the length says that they are none.

use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};
use weir_checkpoint::{Entries, StoreError, VALUE_BYTES_MAX, Writing};
use weir_core::flow::counters::NodeCounters;
use weir_core::flow::dump::{FlowMemory, NodeMemory};
use weir_core::plan::{Plan, PlannedTable};
use weir_core::record::Run;
use weir_core::sequencer::StreamClock;
use weir_core::triplet::Triplet;

use crate::runtime::holes::Hole;

const PIECE_BYTES: usize = VALUE_BYTES_MAX - 8;

/// What is the log's, as of one position.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Global {
    pub revision: u64,
    pub epoch: u32,
    /// Offset of the next record.
    pub at: u64,
    pub accepted_at_unix_ns: i64,
    pub clocks: Vec<(Triplet, StreamClock)>,
    pub runs: Vec<(String, Run)>,
    pub streams: Vec<StreamTotals>,
    /// Of the journal, as starts found them.
    #[serde(default)]
    pub holes: Vec<Hole>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamTotals {
    pub triplet: Triplet,
    pub events: u64,
    pub bytes: u64,
    pub late: u64,
    pub schema_changes: u64,
    pub last_event_time_unix_ns: Option<i64>,
    pub derived: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredRevision {
    pub revision: u64,
    pub offset: u64,
    pub epoch: u32,
    pub at_unix_ns: i64,
    pub origin: String,
    pub summary: String,
    pub text: String,
}

/// One flow in one lane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredFlow {
    pub name: String,
    pub lane: u32,
    pub lanes: u32,
    /// Offset of the first record that is not in it.
    pub from: u64,
    /// Records and rows that it left out, ever.
    #[serde(default)]
    pub skipped: [u64; 2],
    pub memory: FlowMemory,
    pub nodes: Vec<StoredNode>,
    /// Streams that it derives.
    pub streams: Vec<StreamTotals>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredNode {
    pub id: String,
    /// Number of its state.
    pub state: u32,
    pub memory: NodeMemory,
    pub keys: Vec<String>,
    pub across: bool,
    pub tables: Vec<StoredTable>,
    /// Those of [`stored_counters`], in that order.
    pub counters: [u64; 8],
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredTable {
    pub name: String,
    pub by_key: bool,
    pub size: Option<u32>,
    pub expire_ns: Option<i64>,
}

impl StoredNode {
    /// As much of the plan as the state depends on.
    pub fn plan(&self) -> Plan {
        let table = |table: &StoredTable| PlannedTable {
            name: table.name.as_str().into(),
            by_key: table.by_key,
            size: table.size,
            expire_ns: table.expire_ns,
        };
        Plan {
            keys: self.keys.iter().map(|key| key.as_str().into()).collect(),
            across: self.across,
            tables: self.tables.iter().map(table).collect(),
            ..Plan::default()
        }
    }
}

/// What is counted over restarts.
pub fn stored_counters(counters: &NodeCounters) -> [&AtomicU64; 8] {
    [
        &counters.rows_in,
        &counters.rows_out,
        &counters.calls,
        &counters.busy_ns,
        &counters.faults,
        &counters.rejected,
        &counters.late,
        &counters.dropped,
    ]
}

pub fn flow_key(name: &str, lane: u32) -> Vec<u8> {
    [b"f", name.as_bytes(), &[0], lane.to_be_bytes().as_slice()].concat()
}

pub fn state_key(state: u32) -> Vec<u8> {
    [b"u", state.to_be_bytes().as_slice()].concat()
}

pub fn revision_key(revision: u64) -> Vec<u8> {
    [b"r", revision.to_be_bytes().as_slice()].concat()
}

/// Whose an entry is: the key of a flow, the prefix of a state or a rule. None: the log's, or of a metric.
pub fn owner(key: &[u8]) -> Option<Vec<u8>> {
    let length = match key.first()? {
        b'f' => key.len(),
        b'u' => 5,
        b'a' | b'e' => key.iter().position(|byte| *byte == 0)? + 1,
        _ => return None,
    };
    key.get(..length).map(<[u8]>::to_vec)
}

pub const GLOBAL_KEY: &[u8] = b"g";

/// Writes one entry, cut where it is long. Keys rise from call to call.
pub fn put(writing: &mut Writing<'_>, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
    let Some(value) = value else { return writing.put(&piece_key(key, 0), None) };
    let mut first = (value.len() as u32).to_le_bytes().to_vec();
    let (head, rest) = value.split_at(value.len().min(PIECE_BYTES));
    first.extend_from_slice(head);
    writing.put(&piece_key(key, 0), Some(&first))?;
    rest.chunks(PIECE_BYTES)
        .enumerate()
        .try_for_each(|(number, piece)| writing.put(&piece_key(key, number + 1), Some(piece)))
}

fn piece_key(key: &[u8], number: usize) -> Vec<u8> {
    [key, (number as u16).to_be_bytes().as_slice()].concat()
}

/// Puts pieces together again and hands whole entries on.
#[derive(Debug, Default)]
pub struct Joiner {
    key: Vec<u8>,
    value: Vec<u8>,
    wanted: usize,
}

impl Joiner {
    /// The entry that is whole with this piece.
    pub fn take(&mut self, key: &[u8], value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (own, number) = key.split_last_chunk::<2>()?;
        if u16::from_be_bytes(*number) == 0 {
            let (length, head) = value.split_first_chunk::<4>()?;
            (self.key, self.value) = (own.to_vec(), head.to_vec());
            self.wanted = u32::from_le_bytes(*length) as usize;
        } else if self.key == own && self.value.len() < self.wanted {
            self.value.extend_from_slice(value);
        } else {
            return None;
        }
        (self.value.len() == self.wanted).then(|| (self.key.clone(), std::mem::take(&mut self.value)))
    }
}

/// Counts keys below a prefix, to remove them.
pub struct Below<'a> {
    pub prefixes: &'a [Vec<u8>],
    pub found: Vec<Vec<u8>>,
}

impl Entries for Below<'_> {
    fn begin(&mut self) {
        self.found.clear();
    }

    fn entry(&mut self, key: &[u8], _: &[u8]) {
        if self.prefixes.iter().any(|prefix| key.starts_with(prefix))
            && let Some((own, _)) = key.split_last_chunk::<2>()
        {
            self.found.push(own.to_vec());
        }
    }
}

/// JSON of something that always is.
pub fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
