//! Checkpoints in an engine: deltas that are only inserted, one small commit, folding in the background.
//!
//! In: the keys that changed since the checkpoint before, each once and rising, in pieces of any size ([`Store::begin`], [`Writing::put`]), then
//! [`Writing::commit`]; only with it are they true. [`Store::fold`] moves entries of the oldest delta into the base, a piece per call, and each piece is one
//! batch with the sums that then hold, so that a crash between any two batches leaves a whole store. Out: [`Store::load`] gives every key once with its
//! newest value and checks all that it reads: each entry has a checksum, and base and deltas have counts and sums. Deltas whose commit is missing are
//! removed when the store is opened.
//!
//! In the engine: `m` is the manifest, `b` and the key an entry of the base, `d`, the number u64 (big-endian) and the key one of a delta. An entry's value is a
//! CRC-32C u32 over the engine's key and the rest; a byte, 1 for a value and 0 for a key that is gone; the value.

use std::collections::BTreeMap;

use weir_core::batch::Position;
use weir_disk::{crc32c, crc32c_on};

use crate::engine::{Change, Engine, EngineError};
use crate::manifest::{Checkpoint, Manifest, Sum};
use crate::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

const MANIFEST: &[u8] = b"m";
const BASE: u8 = b'b';
const DELTA: u8 = b'd';
/// Entries of one batch of the engine: some milliseconds.
const PIECE: usize = 1_000;
/// More deltas than this are folded before the next checkpoint.
pub const DELTAS_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Misuse(String),
}

#[derive(Debug)]
pub struct Store {
    engine: Box<dyn Engine>,
    manifest: Manifest,
}

fn damaged<T>(what: impl Into<String>) -> Result<T, StoreError> {
    Err(StoreError::Damaged(what.into()))
}

impl Store {
    /// What the last commit made true. An engine without a manifest but with entries is damaged.
    pub fn open(engine: Box<dyn Engine>) -> Result<Self, StoreError> {
        let manifest = match engine.get(MANIFEST)? {
            Some(bytes) => match Manifest::of(&bytes) {
                Some(manifest) => manifest,
                None => return damaged("its manifest is not what was written"),
            },
            None => Manifest::default(),
        };
        let mut store = Self { engine, manifest };
        store.remove_uncommitted()?;
        Ok(store)
    }

    pub fn newest(&self) -> &Checkpoint {
        &self.manifest.newest
    }

    /// Entries, those of deltas that take the place of others among them.
    pub fn entries(&self) -> u64 {
        self.manifest.deltas.iter().map(|(_, sum)| sum.entries).sum::<u64>() + self.manifest.base.entries
    }

    pub fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        Ok(self.engine.bytes_on_disk()?)
    }

    /// Begins the next checkpoint. What an earlier one left that was not committed is removed.
    pub fn begin(&mut self) -> Result<Writing<'_>, StoreError> {
        while self.manifest.deltas.len() >= DELTAS_MAX {
            self.fold()?;
        }
        self.remove_uncommitted()?;
        let number = self.manifest.newest.number + 1;
        Ok(Writing { store: self, number, sum: Sum::default(), last: None, piece: Vec::new() })
    }

    /// Begins a checkpoint of a given number in a store that has none yet.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<Writing<'_>, StoreError> {
        if self.manifest != Manifest::default() {
            return Err(StoreError::Misuse("only an empty store can be restored".into()));
        }
        self.remove_uncommitted()?;
        Ok(Writing {
            store: self,
            number: checkpoint.number,
            sum: Sum::default(),
            last: None,
            piece: Vec::new(),
        })
    }

    /// Moves a piece of the oldest delta into the base; false when there was none.
    pub fn fold(&mut self) -> Result<bool, StoreError> {
        let Some((number, mut sum)) = self.manifest.deltas.first().copied() else { return Ok(false) };
        let prefix = delta_key(number, &[]);
        let mut moved: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        self.engine.scan(&prefix, &mut |key, value| {
            let inside = key.starts_with(&prefix);
            if inside {
                moved.push((key.to_vec(), value.to_vec()));
            }
            inside && moved.len() < PIECE
        })?;
        let mut base = self.manifest.base;
        let mut changes = Vec::with_capacity(2 * moved.len() + 1);
        for (from, value) in &moved {
            let body = checked(from, value)?;
            sum.take_away(from, body);
            let to = base_key(from.get(prefix.len()..).unwrap_or_default());
            if let Some(old) = self.engine.get(&to)? {
                base.take_away(&to, checked(&to, &old)?);
            }
            let is_value = body.first() == Some(&1);
            if is_value {
                base.add(&to, body);
            }
            let value = is_value.then(|| sealed(&to, body));
            changes.push(Change { key: from.clone(), value: None });
            changes.push(Change { key: to, value });
        }
        let mut manifest = self.manifest.clone();
        manifest.base = base;
        if sum.entries == 0 || moved.len() < PIECE {
            if sum != Sum::default() {
                return damaged(format!("delta {number} is not what was written"));
            }
            manifest.deltas.remove(0);
        } else if let Some(first) = manifest.deltas.first_mut() {
            first.1 = sum;
        }
        changes.sort_by(|left, right| left.key.cmp(&right.key));
        self.write(changes, manifest, false)?;
        Ok(true)
    }

    /// Every key with its newest value, in order. Where this returns an error nothing that was visited is to be believed.
    pub fn load(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let mut newer: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for (number, expected) in &self.manifest.deltas {
            let prefix = delta_key(*number, &[]);
            let seen = self.sum_of(&prefix, &mut |key, body| {
                newer.insert(key.to_vec(), value_of(body).map(<[u8]>::to_vec));
            })?;
            if seen != *expected {
                return damaged(format!("delta {number} is not what was written"));
            }
        }
        let mut newer = newer.into_iter().peekable();
        let seen = self.sum_of(&[BASE], &mut |key, body| {
            let mut hidden = false;
            while let Some((newer, value)) = newer.next_if(|(newer, _)| newer.as_slice() <= key) {
                hidden |= newer == key;
                if let Some(value) = value {
                    visit(&newer, &value);
                }
            }
            if let (false, Some(value)) = (hidden, value_of(body)) {
                visit(key, value);
            }
        })?;
        if seen != self.manifest.base {
            return damaged("its base is not what was written");
        }
        for (key, value) in newer {
            if let Some(value) = value {
                visit(&key, &value);
            }
        }
        Ok(())
    }

    /// Reads and checks all of it; the number of keys.
    pub fn verify(&self) -> Result<u64, StoreError> {
        let mut keys = 0;
        self.load(&mut |_, _| keys += 1)?;
        Ok(keys)
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let deltas = self.manifest.deltas.iter().rev().map(|(number, _)| delta_key(*number, key));
        for place in deltas.chain([base_key(key)]) {
            if let Some(value) = self.engine.get(&place)? {
                return Ok(value_of(checked(&place, &value)?).map(<[u8]>::to_vec));
            }
        }
        Ok(None)
    }

    fn sum_of(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<Sum, StoreError> {
        let mut sum = Sum::default();
        let mut failed = None;
        self.engine.scan(prefix, &mut |key, value| {
            let Some(own) = key.strip_prefix(prefix) else { return false };
            match checked(key, value) {
                Ok(body) => {
                    sum.add(key, body);
                    visit(own, body);
                    true
                }
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        })?;
        failed.map_or(Ok(sum), Err)
    }

    /// Deltas that the manifest does not know: of a checkpoint that was never committed.
    fn remove_uncommitted(&mut self) -> Result<(), StoreError> {
        let from = delta_key(self.manifest.newest.number + 1, &[]);
        loop {
            let mut strays = Vec::new();
            self.engine.scan(&from, &mut |key, _| {
                if key.first() == Some(&DELTA) {
                    strays.push(Change { key: key.to_vec(), value: None });
                }
                key.first() == Some(&DELTA) && strays.len() < PIECE
            })?;
            if strays.is_empty() {
                return Ok(());
            }
            self.engine.apply(&strays, false)?;
        }
    }

    fn write(
        &mut self,
        mut changes: Vec<Change>,
        manifest: Manifest,
        durable: bool,
    ) -> Result<(), StoreError> {
        changes.push(Change { key: MANIFEST.to_vec(), value: Some(manifest.bytes()) });
        self.engine.apply(&changes, durable)?;
        self.manifest = manifest;
        Ok(())
    }
}

/// A checkpoint on its way. Dropped without a commit it never was.
#[derive(Debug)]
pub struct Writing<'a> {
    store: &'a mut Store,
    number: u64,
    sum: Sum,
    last: Option<Vec<u8>>,
    piece: Vec<Change>,
}

impl Writing<'_> {
    /// None where the key is gone. Keys rise.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let value_bytes = value.map_or(0, <[u8]>::len);
        if key.len() > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX {
            let message = format!(
                "an entry of {} + {value_bytes} bytes: {KEY_BYTES_MAX} and {VALUE_BYTES_MAX} are the limits",
                key.len()
            );
            return Err(StoreError::Misuse(message));
        }
        if self.last.as_deref().is_some_and(|last| last >= key) {
            return Err(StoreError::Misuse("keys of a checkpoint must rise".into()));
        }
        self.last = Some(key.to_vec());
        let place = delta_key(self.number, key);
        let mut body = vec![u8::from(value.is_some())];
        body.extend_from_slice(value.unwrap_or_default());
        self.sum.add(&place, &body);
        let value = sealed(&place, &body);
        self.piece.push(Change { key: place, value: Some(value) });
        if self.piece.len() >= PIECE {
            self.store.engine.apply(&self.piece, false)?;
            self.piece.clear();
        }
        Ok(())
    }

    /// From here on the checkpoint is the newest, durably.
    pub fn commit(self, position: Position, note: Vec<u8>) -> Result<(), StoreError> {
        if note.len() > VALUE_BYTES_MAX {
            return Err(StoreError::Misuse(format!(
                "a note of {} bytes: {VALUE_BYTES_MAX} is the limit",
                note.len()
            )));
        }
        let mut manifest = self.store.manifest.clone();
        manifest.newest = Checkpoint { number: self.number, position, note };
        if self.sum.entries > 0 {
            manifest.deltas.push((self.number, self.sum));
        }
        self.store.write(self.piece, manifest, true)
    }
}

fn base_key(key: &[u8]) -> Vec<u8> {
    [&[BASE], key].concat()
}

fn delta_key(number: u64, key: &[u8]) -> Vec<u8> {
    [&[DELTA], number.to_be_bytes().as_slice(), key].concat()
}

fn sealed(key: &[u8], body: &[u8]) -> Vec<u8> {
    let crc = crc32c_on(crc32c(key), body);
    [crc.to_le_bytes().as_slice(), body].concat()
}

/// The rest of an entry behind its checksum, if that holds.
fn checked<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], StoreError> {
    match value.split_first_chunk::<4>() {
        Some((crc, body)) if crc32c_on(crc32c(key), body) == u32::from_le_bytes(*crc) => Ok(body),
        _ => damaged("an entry is not what was written"),
    }
}

fn value_of(body: &[u8]) -> Option<&[u8]> {
    match body.split_first() {
        Some((1, value)) => Some(value),
        _ => None,
    }
}
