//! One value of a fixed size for each key, kept by the host and cached here, for plug-ins that look at rows one by one.
//!
//! In: the key numbers of a call. [`PerKey::load`] reads those that are not cached, in one call; [`PerKey::get_mut`] gives the value and marks it as changed;
//! [`PerKey::store`] writes the changed ones, in one call. All zeros stands for a key that has no value yet. What is forgotten by the host is forgotten here
//! ([`PerKey::forget`], first thing in a call). Limit: [`DENSE_MAX`] keys stay cached, further ones for one call.

use std::collections::HashMap;

use crate::aggregate::State;
use crate::column::{U32s, bytes_of};
use crate::state::{self, refused};
use crate::{Context, Failure};

/// Key numbers are dense from 0, so that the first ones are an index.
const DENSE_MAX: u32 = 1 << 18;

struct Cached<S> {
    value: S,
    changed: bool,
}

pub struct PerKey<S> {
    table: u32,
    dense: Vec<Option<Cached<S>>>,
    sparse: HashMap<u32, Cached<S>>,
    changed: Vec<u32>,
}

impl<S: State> PerKey<S> {
    /// `table` is its place in the plan.
    pub fn new(table: u32) -> Self {
        Self { table, dense: Vec::new(), sparse: HashMap::new(), changed: Vec::new() }
    }

    /// Key numbers of the context that are given to other keys from here on.
    pub fn forget(&mut self, context: &Context) {
        for key in U32s::new(&context.forgotten).iter() {
            if let Some(place) = self.dense.get_mut(key as usize) {
                *place = None;
            }
            self.sparse.remove(&key);
        }
    }

    /// Reads what is not cached of these keys; they may repeat.
    pub fn load(&mut self, keys: impl Iterator<Item = u32>) {
        let mut missing: Vec<u32> = Vec::new();
        for key in keys {
            let known = match self.dense.get(key as usize) {
                Some(place) => place.is_some(),
                None => self.sparse.contains_key(&key),
            };
            // Rows of one key often stand together; the rest of the repeats goes below.
            if !known && missing.last() != Some(&key) {
                missing.push(key);
            }
        }
        if missing.is_empty() {
            return;
        }
        missing.sort_unstable();
        missing.dedup();
        let values = state::read(self.table, &bytes_of(&missing), &[]);
        for (key, bytes) in missing.iter().zip(values.chunks_exact(S::BYTES.max(1))) {
            self.put(*key, Cached { value: S::from_bytes(bytes), changed: false });
        }
    }

    /// None where the key was not loaded.
    pub fn get(&self, key: u32) -> Option<&S> {
        let cached = match self.dense.get(key as usize) {
            Some(place) => place.as_ref(),
            None => self.sparse.get(&key),
        };
        cached.map(|cached| &cached.value)
    }

    /// The value, which will be written. None where the key was not loaded.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut S> {
        let cached = match self.dense.get_mut(key as usize) {
            Some(place) => place.as_mut(),
            None => self.sparse.get_mut(&key),
        };
        let cached = cached?;
        if !cached.changed {
            cached.changed = true;
            self.changed.push(key);
        }
        Some(&mut cached.value)
    }

    /// Forgets the key and what the host has of it.
    pub fn remove(&mut self, keys: &[u32]) {
        for key in keys {
            if let Some(place) = self.dense.get_mut(*key as usize) {
                *place = None;
            }
            self.sparse.remove(key);
        }
        self.changed.retain(|key| !keys.contains(key));
        state::remove(self.table, &bytes_of(keys), &[]);
    }

    /// Writes what was changed.
    pub fn store(&mut self) -> Result<(), Failure> {
        if !self.changed.is_empty() {
            self.changed.sort_unstable();
            let keys = std::mem::take(&mut self.changed);
            let mut values = Vec::with_capacity(keys.len() * S::BYTES);
            for key in &keys {
                let cached = match self.dense.get_mut(*key as usize) {
                    Some(place) => place.as_mut(),
                    None => self.sparse.get_mut(key),
                };
                if let Some(cached) = cached {
                    cached.changed = false;
                    cached.value.put_bytes(&mut values);
                }
            }
            state::write(self.table, &bytes_of(&keys), &[], &values).map_err(refused)?;
        }
        self.sparse.clear();
        Ok(())
    }

    fn put(&mut self, key: u32, cached: Cached<S>) {
        if key >= DENSE_MAX {
            self.sparse.insert(key, cached);
            return;
        }
        let wanted = key as usize + 1;
        if self.dense.len() < wanted {
            self.dense.resize_with(wanted, || None);
        }
        if let Some(place) = self.dense.get_mut(key as usize) {
            *place = Some(cached);
        }
    }
}
