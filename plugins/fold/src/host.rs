//! What windows need of their host, and what they give: rows of a batch that did not count, and windows that close.
//!
//! Numbers are little-endian bytes, keys n x u32, starts and times n x i64.

use weir_sdk::column::{PackedExt, pack};
use weir_sdk::{Failure, FailureExt, Output as Decision, output, state, timers};

use crate::columns::{Columns, Output};
use crate::sketches::Sketch;

/// State and timers. Table 0 holds the words of cells, table 1 bytes of any length.
pub trait Host {
    /// Words of n cells; zeros where there is none.
    fn read(&mut self, keys: &[u8], starts: &[u8]) -> Vec<u8>;
    fn write(&mut self, keys: &[u8], starts: &[u8], values: &[u8]) -> Result<(), Refusal>;
    fn remove(&mut self, keys: &[u8], starts: &[u8]);
    /// Empty where there is none.
    fn read_bytes(&mut self, keys: &[u8], starts: &[u8]) -> Vec<Vec<u8>>;
    fn write_bytes(&mut self, keys: &[u8], starts: &[u8], values: &[Vec<u8>]) -> Result<(), Refusal>;
    fn remove_bytes(&mut self, keys: &[u8], starts: &[u8]);
    /// Timers by watermark.
    fn wake(&mut self, keys: &[u8], starts: &[u8], times: &[u8]);
}

/// The host did not take a write: "quota" and the like; or its state is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

impl Refusal {
    pub fn damaged() -> Self {
        Self { code: "damaged-state".to_owned(), message: weir_sketch::Damaged.to_string() }
    }
}

impl From<state::Refusal> for Refusal {
    fn from(refusal: state::Refusal) -> Self {
        Self { code: refusal.code, message: refusal.message }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::fail(&refusal.code, refusal.message)
    }
}

/// The host itself.
pub struct Imports;

const WORDS: u32 = 0;
const BYTES: u32 = 1;

impl Host for Imports {
    fn read(&mut self, keys: &[u8], starts: &[u8]) -> Vec<u8> {
        state::read(WORDS, keys, starts)
    }

    fn write(&mut self, keys: &[u8], starts: &[u8], values: &[u8]) -> Result<(), Refusal> {
        Ok(state::write(WORDS, keys, starts, values)?)
    }

    fn remove(&mut self, keys: &[u8], starts: &[u8]) {
        state::remove(WORDS, keys, starts);
    }

    fn read_bytes(&mut self, keys: &[u8], starts: &[u8]) -> Vec<Vec<u8>> {
        let packed = state::read_packed(BYTES, keys, starts);
        (0..packed.count()).map(|at| packed.bytes_at(at).to_vec()).collect()
    }

    fn write_bytes(&mut self, keys: &[u8], starts: &[u8], values: &[Vec<u8>]) -> Result<(), Refusal> {
        Ok(state::write_packed(BYTES, keys, starts, &pack(values))?)
    }

    fn remove_bytes(&mut self, keys: &[u8], starts: &[u8]) {
        state::remove(BYTES, keys, starts);
    }

    fn wake(&mut self, keys: &[u8], starts: &[u8], times: &[u8]) {
        timers::wake_bytes(keys, starts, times);
    }
}

pub struct Rows<'a> {
    /// n x i64
    pub time: &'a [u8],
    /// n x u32, or empty: all rows have key 0.
    pub keys: &'a [u8],
    pub columns: &'a Columns<'a>,
}

/// Rows of a batch that did not count, as n x u32, rising.
#[derive(Debug, Default, PartialEq)]
pub struct Folded {
    pub late: Vec<u8>,
    /// Their window lies outside of what 64 bits of nanoseconds can say.
    pub out_of_range: Vec<u8>,
    /// With the host's reason.
    pub refused: Option<(Vec<u8>, Refusal)>,
    /// Values that were NaN or infinite: they count as missing.
    pub not_finite: u64,
}

impl Folded {
    /// Late rows to a port, the others to the dead letters with the reason; values that were not finite are counted in an extra of that name.
    pub fn into_outputs(self, late_port: u32, not_finite: &str) -> Vec<Decision> {
        let numbers = |bytes: &[u8]| weir_sdk::column::U32s::new(bytes).to_vec();
        let mut outputs = Vec::new();
        if !self.late.is_empty() {
            let rows = weir_sdk::Rows::Indexes(self.late);
            let (set, omit) = (Vec::new(), Vec::new());
            outputs.push(Decision::Forward(weir_sdk::Forward { port: late_port, rows, set, omit }));
        }
        if !self.out_of_range.is_empty() {
            let message = "the time is too near to an end of 64 bits of nanoseconds for a window";
            outputs.push(output::reject(&numbers(&self.out_of_range), "time-out-of-range", message));
        }
        if let Some((rows, refusal)) = self.refused {
            let message = format!("there is no room for a new window: {}", refusal.message);
            outputs.push(output::reject(&numbers(&rows), &refusal.code, message));
        }
        if self.not_finite > 0 {
            let value = self.not_finite.to_string();
            outputs.push(Decision::Extra(weir_sdk::Extra { name: not_finite.to_owned(), value }));
        }
        outputs
    }
}

/// Windows that closed, in the order of the timers.
#[derive(Debug, Default)]
pub struct Closed {
    /// n x u32
    pub keys: Vec<u8>,
    /// n x i64
    pub starts: Vec<u8>,
    /// One for each row: 1 where it is early and a later one will replace it.
    pub provisional: Vec<u8>,
    pub columns: Vec<Output>,
    /// The sketches of each row.
    pub cells: Vec<Vec<Sketch>>,
}

/// Timers that are due.
#[derive(Clone, Copy, Debug)]
pub struct Due<'a> {
    pub keys: &'a [u8],
    pub slots: &'a [u8],
    pub times: &'a [u8],
}

impl Due<'_> {
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64, i64)> {
        let keys = self.keys.as_chunks::<4>().0.iter().map(|key| u32::from_le_bytes(*key));
        let longs = |bytes: &'_ [u8]| {
            bytes.as_chunks::<8>().0.iter().map(|long| i64::from_le_bytes(*long)).collect::<Vec<_>>()
        };
        let (slots, times) = (longs(self.slots), longs(self.times));
        keys.zip(slots).zip(times).map(|((key, slot), time)| (key, slot, time))
    }
}

/// Addresses as the host wants them.
#[derive(Debug, Default)]
pub struct Addresses {
    pub keys: Vec<u8>,
    pub starts: Vec<u8>,
}

impl Addresses {
    pub fn push(&mut self, key: u32, start: i64) {
        self.keys.extend_from_slice(&key.to_le_bytes());
        self.starts.extend_from_slice(&start.to_le_bytes());
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Timers to be set.
#[derive(Debug, Default)]
pub struct Wakes {
    addresses: Addresses,
    times: Vec<u8>,
}

impl Wakes {
    pub fn push(&mut self, key: u32, slot: i64, time: i64) {
        self.addresses.push(key, slot);
        self.times.extend_from_slice(&time.to_le_bytes());
    }

    pub fn set(self, host: &mut impl Host) {
        if !self.addresses.is_empty() {
            host.wake(&self.addresses.keys, &self.addresses.starts, &self.times);
        }
    }
}
