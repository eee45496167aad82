//! Folding: entries of the oldest delta move into the base, a piece per call.
//!
//! Each piece is one batch of the engine with the manifest that then holds, so that a crash between any two leaves a whole store. Only blocks of the base that get
//! a change are written again; one that has become small takes in the next. Bounds of a call: [`TAKEN_BYTES`] of the delta, [`WORK_BYTES`] of the base.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use crate::block::{BLOCK_BYTES, Owned, entries, entry_bytes, pack};
use crate::engine::{Change, Stored};
use crate::manifest::Sum;
use crate::store::{BASE, Store, StoreError, base_key, damaged, delta_key, opened, sealed};

const TAKEN_BYTES: usize = 128 << 10;
const WORK_BYTES: usize = 512 << 10;
/// A block with less than that takes in the next.
const LEAST_BYTES: usize = BLOCK_BYTES / 4;

/// What the batch does, by key of the engine.
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Store {
    /// Moves a piece of the oldest delta into the base; false when there was none.
    pub fn fold(&mut self) -> Result<bool, StoreError> {
        let Some((number, mut sum)) = self.manifest.deltas.first().copied() else { return Ok(false) };
        let mut changes = Changes::new();
        let (taken, is_last) = self.take_of_delta(number, &mut sum, &mut changes)?;
        let mut base = Base { store: self, sum: self.manifest.base, changes, work: 0 };
        let left: Vec<Owned> = base.merge(taken)?.collect();
        let (base_sum, mut changes) = (base.sum, base.changes);
        for block in pack(&left, true) {
            let key = delta_key(number, &block.first);
            let value = sealed(&key, &block);
            sum.add_block(block.entries, &key, value.get(4..).unwrap_or_default());
            changes.insert(key, Some(value));
        }
        let mut manifest = self.manifest.clone();
        manifest.base = base_sum;
        if is_last && left.is_empty() {
            if sum != Sum::default() {
                return damaged(format!("delta {number} is not what was written"));
            }
            manifest.deltas.remove(0);
        } else if let Some(first) = manifest.deltas.first_mut() {
            first.1 = sum;
        }
        let changes = changes.into_iter().map(|(key, value)| Change { key, value }).collect();
        self.write(changes, manifest, false)?;
        Ok(true)
    }

    /// The first entries of a delta, and whether they are all; their blocks are to be removed.
    fn take_of_delta(
        &self,
        number: u64,
        sum: &mut Sum,
        changes: &mut Changes,
    ) -> Result<(Vec<Owned>, bool), StoreError> {
        let prefix = delta_key(number, &[]);
        let (mut blocks, mut bytes, mut is_last) = (Vec::new(), 0, true);
        self.engine.scan(&prefix, &mut |key, value| {
            if !key.starts_with(&prefix) {
                return false;
            }
            is_last = bytes < TAKEN_BYTES;
            if is_last {
                bytes += value.len();
                blocks.push((key.to_vec(), value.to_vec()));
            }
            is_last
        })?;
        let mut taken = Vec::new();
        for (key, value) in blocks {
            let (count, body, block) = opened(&key, &value)?;
            sum.take_block_away(count, &key, body);
            taken.extend(entries(block)?);
            changes.insert(key, None);
        }
        Ok((taken, is_last))
    }
}

/// The base while it is changed. It is read as it was before the batch, which is enough: the way goes from small keys to great ones, and what is behind is not looked at again.
struct Base<'a> {
    store: &'a Store,
    sum: Sum,
    changes: Changes,
    work: usize,
}

impl Base<'_> {
    /// What was not reached is returned.
    fn merge(&mut self, taken: Vec<Owned>) -> Result<Peekable<IntoIter<Owned>>, StoreError> {
        let mut left = taken.into_iter().peekable();
        while self.work < WORK_BYTES
            && let Some((key, _)) = left.peek()
        {
            let mut open = Vec::new();
            let mut next = match self.at_or_before(key)? {
                Some(found) => {
                    self.take_out(&found, &mut open)?;
                    self.first_from([&found.0, [0].as_slice()].concat())?
                }
                None => self.first_from(vec![BASE])?,
            };
            loop {
                let bound = next.as_ref().and_then(|(key, _)| key.get(1..));
                let mut part = Vec::new();
                while let Some(entry) =
                    left.next_if(|(key, _)| bound.is_none_or(|bound| key.as_slice() < bound))
                {
                    part.push(entry);
                }
                open = merged(open, part);
                let bytes: usize = open.iter().map(|(key, value)| entry_bytes(key, value.as_deref())).sum();
                let Some(found) = next.take_if(|_| bytes < LEAST_BYTES) else { break };
                self.take_out(&found, &mut open)?;
                next = self.first_from([&found.0, [0].as_slice()].concat())?;
            }
            self.put_in(&open, next.is_none());
        }
        Ok(left)
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        let found = self.store.engine.at_or_before(&base_key(key))?;
        Ok(found.filter(|(key, _)| key.first() == Some(&BASE)))
    }

    fn first_from(&self, from: Vec<u8>) -> Result<Option<Stored>, StoreError> {
        let mut found = None;
        self.store.engine.scan(&from, &mut |key, value| {
            if key.first() == Some(&BASE) {
                found = Some((key.to_vec(), value.to_vec()));
            }
            false
        })?;
        Ok(found)
    }

    fn take_out(&mut self, (key, value): &Stored, open: &mut Vec<Owned>) -> Result<(), StoreError> {
        let (count, body, block) = opened(key, value)?;
        self.sum.take_block_away(count, key, body);
        open.extend(entries(block)?);
        self.changes.insert(key.clone(), None);
        Ok(())
    }

    fn put_in(&mut self, open: &[Owned], grows: bool) {
        for block in pack(open, grows) {
            let key = base_key(&block.first);
            let value = sealed(&key, &block);
            self.work += value.len();
            self.sum.add_block(block.entries, &key, value.get(4..).unwrap_or_default());
            self.changes.insert(key, Some(value));
        }
    }
}

/// Both in the order of keys; the newer ones win, and those without a value take away.
fn merged(old: Vec<Owned>, new: Vec<Owned>) -> Vec<Owned> {
    if new.is_empty() {
        return old;
    }
    let mut out = Vec::with_capacity(old.len() + new.len());
    let mut old = old.into_iter().peekable();
    for (key, value) in new {
        while let Some(entry) = old.next_if(|(other, _)| *other < key) {
            out.push(entry);
        }
        old.next_if(|(other, _)| *other == key);
        if value.is_some() {
            out.push((key, value));
        }
    }
    out.extend(old);
    out
}
