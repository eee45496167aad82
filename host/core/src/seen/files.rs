//! How far files have been read, by source, device and inode.
//!
//! In: what records say of it. Out: the places where reading goes on after a restart. Bounded by [`PLACES_MAX`] of one source: beyond it those that nothing was read of
//! for longest go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::record::{FilePlace, Files};

/// Files of one source whose places are known: more than it may follow at once.
pub const PLACES_MAX: usize = 4_096;

type Key = (Arc<str>, u64, u64);

#[derive(Debug)]
pub(super) struct Known {
    pub place: FilePlace,
    /// Rises with each word of it.
    pub at: u64,
    pub changed: bool,
}

#[derive(Debug, Default)]
pub struct Places {
    pub(super) known: BTreeMap<Key, Known>,
    next: u64,
    pub(super) gone: Vec<Key>,
}

impl Places {
    pub fn of(&self, source: &str) -> Vec<FilePlace> {
        let known = self.known.iter().filter(|((name, ..), _)| **name == *source);
        known.map(|(_, known)| known.place.clone()).collect()
    }

    pub fn note(&mut self, files: &Files) {
        for place in &files.places {
            self.put(&files.source, place.clone(), true);
        }
        for (device, inode) in &files.gone {
            let key = (Arc::clone(&files.source), *device, *inode);
            if self.known.remove(&key).is_some() {
                self.gone.push(key);
            }
        }
        if self.known.len() <= PLACES_MAX {
            return;
        }
        let mut ages: Vec<(u64, Key)> = Vec::new();
        let of_source = self.known.iter().filter(|((name, ..), _)| *name == files.source);
        ages.extend(of_source.map(|(key, known)| (known.at, key.clone())));
        ages.sort_unstable();
        let over = ages.len().saturating_sub(PLACES_MAX);
        for (_, key) in ages.into_iter().take(over) {
            self.known.remove(&key);
            self.gone.push(key);
        }
    }

    pub(super) fn put(&mut self, source: &Arc<str>, place: FilePlace, changed: bool) {
        self.next += 1;
        let key = (Arc::clone(source), place.device, place.inode);
        self.known.insert(key, Known { place, at: self.next, changed });
    }
}
