//! A table of a unit's state: one current layer over frozen ones.
//!
//! Reads look through the layers from the top; writes and removals go to the current layer. [`Table::freeze`] puts a new empty layer on
//! top (a candidate works in it and is dropped with it); [`Table::settle`] merges the current layer into the one
//! below; [`Table::drop_top`] throws it away. One mechanism for shadow and roll-back. A checkpoint reads without a layer of its own (`dump.rs`).

use std::sync::Arc;

use super::layer::{Address, Found, Layer};
use crate::plan::PlannedTable;

#[derive(Debug)]
pub struct Table {
    pub spec: PlannedTable,
    current: Layer,
    /// Newest first.
    below: Vec<Arc<Layer>>,
    live_entries: usize,
    live_bytes: usize,
}

impl Table {
    pub fn new(spec: PlannedTable) -> Self {
        let current = Layer::new(spec.size);
        Self { spec, current, below: Vec::new(), live_entries: 0, live_bytes: 0 }
    }

    pub fn get(&self, address: Address) -> Option<&[u8]> {
        match self.current.get(address) {
            Found::Value(value) => return Some(value),
            Found::Gone => return None,
            Found::Unknown => {}
        }
        for layer in &self.below {
            match layer.get(address) {
                Found::Value(value) => return Some(value),
                Found::Gone => return None,
                Found::Unknown => {}
            }
        }
        None
    }

    /// `old_bytes`: length of the value that is there now, if one is.
    pub fn put(&mut self, address: Address, value: &[u8], old_bytes: Option<usize>) {
        match old_bytes {
            Some(old) => self.live_bytes = self.live_bytes + value.len() - old,
            None => {
                self.live_entries += 1;
                self.live_bytes += value.len();
            }
        }
        self.current.put(address, value);
    }

    /// Where the current layer has the value of an address; until it is removed.
    pub fn cell(&self, address: Address) -> Option<u32> {
        self.current.cell(address)
    }

    /// The value in a cell of the current layer.
    pub fn value(&self, cell: u32) -> &[u8] {
        self.current.value(cell)
    }

    /// Puts another value into a cell of the current layer.
    pub fn overwrite(&mut self, cell: u32, value: &[u8]) {
        self.live_bytes = self.live_bytes + value.len() - self.current.value(cell).len();
        self.current.overwrite(cell, value);
    }

    /// Whether all there is lies in the current layer.
    pub fn is_flat(&self) -> bool {
        self.below.is_empty()
    }

    /// Removes an entry of `old_bytes`; false where there is none any more.
    pub fn remove(&mut self, address: Address, old_bytes: usize) -> bool {
        if !self.below.is_empty() {
            self.current.bury(address);
        } else if !self.current.forget(address) {
            return false;
        }
        self.live_entries -= 1;
        self.live_bytes -= old_bytes;
        true
    }

    pub fn entries(&self) -> usize {
        self.live_entries
    }

    /// Bytes of the values.
    pub fn bytes(&self) -> usize {
        self.live_bytes
    }

    /// Addresses of all live entries, sorted.
    pub fn addresses(&self) -> Vec<Address> {
        let mut all: Vec<Address> = self.current.iter().map(|(address, _)| address).collect();
        for layer in &self.below {
            all.extend(layer.iter().map(|(address, _)| address));
        }
        all.sort_unstable();
        all.dedup();
        all.retain(|address| self.get(*address).is_some());
        all
    }

    /// Puts an empty layer on top and gives the one that is now frozen.
    pub fn freeze(&mut self) -> Arc<Layer> {
        let frozen = Arc::new(std::mem::replace(&mut self.current, Layer::new(self.spec.size)));
        self.below.insert(0, Arc::clone(&frozen));
        frozen
    }

    /// Merges the current layer into the newest one below (copying that one only where somebody still reads it).
    pub fn settle(&mut self) {
        if self.below.is_empty() {
            return;
        }
        let last = self.below.len() == 1;
        let mut base = self.below.remove(0);
        let merged = Arc::make_mut(&mut base);
        for (address, value) in self.current.iter() {
            match value {
                Some(value) => merged.put(address, value),
                None if last => drop(merged.forget(address)),
                None => merged.bury(address),
            }
        }
        self.current = Arc::unwrap_or_clone(base);
    }

    /// Throws the current layer away; the newest frozen one is current again.
    pub fn drop_top(&mut self) {
        if self.below.is_empty() {
            return;
        }
        self.current = Arc::unwrap_or_clone(self.below.remove(0));
        let addresses = self.addresses();
        self.live_entries = addresses.len();
        self.live_bytes = addresses.iter().filter_map(|address| self.get(*address)).map(<[u8]>::len).sum();
    }

    pub fn layers(&self) -> usize {
        1 + self.below.len()
    }
}
