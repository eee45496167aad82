//! What changed up to a moment, readable as it was then while it goes on changing.
//!
//! In: the addresses that changed; every change after the moment, told before it is made ([`Frozen::before`]). Out: values of that moment, for addresses in rising order
//! ([`Frozen::take`]). Kept are only values that were overwritten before they were read; a change of an address that was read, or that is not among these, costs one lookup.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

pub type Addresses<K> = HashSet<K, FixedState>;

#[derive(Debug)]
pub struct Frozen<K, V> {
    /// Shared with the reader, who sorts them.
    changed: Arc<Addresses<K>>,
    /// Read up to and with this one.
    read: Option<K>,
    overwritten: HashMap<K, V, FixedState>,
}

impl<K: Copy + Ord + Hash, V> Frozen<K, V> {
    pub fn new(changed: &Arc<Addresses<K>>) -> Self {
        Self { changed: Arc::clone(changed), read: None, overwritten: HashMap::default() }
    }

    /// The value of this address is about to change; `now` gives the one that it still has.
    pub fn before(&mut self, address: K, now: impl FnOnce() -> V) {
        if self.read.is_none_or(|read| address > read) && self.changed.contains(&address) {
            self.overwritten.entry(address).or_insert_with(now);
        }
    }

    /// The value of the moment, where it changed since; else the one that there is now. Addresses rise from call to call.
    pub fn take(&mut self, address: K, now: impl FnOnce() -> V) -> V {
        self.read = Some(address);
        self.overwritten.remove(&address).unwrap_or_else(now)
    }
}

/// Addresses in the order in which they are read.
pub fn sorted<K: Copy + Ord>(changed: &Addresses<K>) -> Vec<K> {
    let mut sorted: Vec<K> = changed.iter().copied().collect();
    sorted.sort_unstable();
    sorted
}
