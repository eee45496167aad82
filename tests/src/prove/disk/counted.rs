//! The counting pipeline: a state that shows which events made it, how often and in which order.
//!
//! In: events, one after the other. Out: entries as a checkpoint takes them. `totals` has {n, sum of values, xor of ids, order violations}; `producer/P` the last seq; `key/K` {n, sum}, which goes
//! away at every seventh event of the key, so that keys are removed too; `event/ID` {times, ordinal}. All numbers u64, little-endian.

use std::collections::{BTreeMap, BTreeSet};

use super::events::Event;

pub type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

const KEY_EVENTS: u64 = 7;
const EVENT: &[u8] = b"event/";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    pub entries: Entries,
    /// Keys that changed since the checkpoint before.
    pub dirty: BTreeSet<Vec<u8>>,
}

impl Counted {
    pub fn apply(&mut self, event: &Event) {
        let value = event.value as u64;
        let [n, sum, xor, violations] = self.numbers(b"totals");
        let producer = format!("producer/{}", event.producer).into_bytes();
        let [last] = self.numbers(&producer);
        let violations = violations + u64::from(event.seq as u64 <= last);
        let ordinal = n + 1;
        self.set(b"totals".to_vec(), &[ordinal, sum.wrapping_add(value), xor ^ event.id(), violations]);
        self.set(producer, &[last.max(event.seq as u64)]);
        let key = format!("key/{}", event.key).into_bytes();
        let [count, sum] = self.numbers(&key);
        if count + 1 == KEY_EVENTS {
            self.entries.remove(&key);
            self.dirty.insert(key);
        } else {
            self.set(key, &[count + 1, sum.wrapping_add(value)]);
        }
        let id = [EVENT, event.id().to_be_bytes().as_slice()].concat();
        let [times, _] = self.numbers(&id);
        self.set(id, &[times + 1, ordinal]);
    }

    /// Events that were counted: id, times, ordinal.
    pub fn events(&self) -> Vec<(u64, u64, u64)> {
        let counted = self.entries.iter().filter_map(|(key, value)| {
            let id = u64::from_be_bytes(*key.strip_prefix(EVENT)?.first_chunk()?);
            let [times, ordinal] = numbers(value);
            Some((id, times, ordinal))
        });
        counted.collect()
    }

    fn numbers<const N: usize>(&self, key: &[u8]) -> [u64; N] {
        self.entries.get(key).map_or([0; N], |value| numbers(value))
    }

    fn set(&mut self, key: Vec<u8>, numbers: &[u64]) {
        self.dirty.insert(key.clone());
        self.entries.insert(key, numbers.iter().flat_map(|number| number.to_le_bytes()).collect());
    }
}

/// As far as the value has them; zeros beyond.
fn numbers<const N: usize>(value: &[u8]) -> [u64; N] {
    let (chunks, _) = value.as_chunks::<8>();
    let mut numbers = [0; N];
    numbers.iter_mut().zip(chunks).for_each(|(number, chunk)| *number = u64::from_le_bytes(*chunk));
    numbers
}

impl weir_checkpoint::Entries for Counted {
    fn begin(&mut self) {
        self.entries.clear();
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) {
        self.entries.insert(key.to_vec(), value.to_vec());
    }
}
