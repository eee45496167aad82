//! Checkpoints in an engine: deltas that are only inserted, one small commit, folding in the background.
//!
//! In: the keys that changed since the checkpoint before, each once and rising, in pieces of any size ([`Store::begin`], [`Writing::put`]), then
//! [`Writing::commit`]; only with it are they true. [`Store::fold`] moves entries of the oldest delta into the base, a piece per call, and each piece is one
//! batch with the sums that then hold, so that a crash between any two batches leaves a whole store. Out: [`Store::load`] gives every key once with its
//! newest value and checks all that it reads: each block has a checksum, and base and deltas have counts and sums. Deltas whose commit is missing are
//! removed when the store is opened.
//!
//! Entries lie in blocks of some hundred or thousand ([`crate::block`]), each an entry of the engine: `m` is the manifest, `b` and the first key of a block one of the base, `d`, the
//! number u64 (big-endian) and the first key one of a delta. A block's value is a CRC-32C u32 over the engine's key and the rest; the number of entries u32; the block.

use weir_core::batch::Position;
use weir_disk::{crc32c, crc32c_on};

use crate::block::{BLOCK_BYTES, Builder, Cursor, Malformed};
use crate::engine::{Change, Engine, EngineError};
use crate::manifest::{Checkpoint, Manifest, Sum};
use crate::merge::Newer;
use crate::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

const MANIFEST: &[u8] = b"m";
pub(crate) const BASE: u8 = b'b';
const DELTA: u8 = b'd';
/// Bytes of one batch of the engine: some milliseconds.
const PIECE_BYTES: usize = 256 << 10;
/// Blocks that are removed in one batch.
const REMOVED_MAX: usize = 1_000;
/// So much is written before the engine is made to sync, which lets it use again what was freed.
const UNSYNCED_BYTES: usize = 32 << 20;
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

impl From<Malformed> for StoreError {
    fn from(_: Malformed) -> Self {
        Self::Damaged("a block is not what was written".into())
    }
}

#[derive(Debug)]
pub struct Store {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) manifest: Manifest,
    unsynced_bytes: usize,
    /// Numbers of checkpoints are beyond it.
    after: u64,
}

pub(crate) fn damaged<T>(what: impl Into<String>) -> Result<T, StoreError> {
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
        let mut store = Self { engine, manifest, unsynced_bytes: 0, after: 0 };
        store.remove_uncommitted()?;
        Ok(store)
    }

    pub fn newest(&self) -> &Checkpoint {
        &self.manifest.newest
    }

    /// Checkpoints have numbers beyond this one: those of a store that was made anew go on behind the snapshots that are there.
    pub fn count_after(&mut self, number: u64) {
        self.after = number;
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
        let number = self.manifest.newest.number.max(self.after) + 1;
        Ok(Writing::new(self, number))
    }

    /// Begins a checkpoint of a given number in a store that has none yet.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<Writing<'_>, StoreError> {
        if self.manifest != Manifest::default() {
            return Err(StoreError::Misuse("only an empty store can be restored".into()));
        }
        self.remove_uncommitted()?;
        Ok(Writing::new(self, checkpoint.number))
    }

    /// Every key with its newest value, in order. Where this returns an error nothing that was visited is to be believed.
    pub fn load(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let mut deltas = Vec::with_capacity(self.manifest.deltas.len());
        for (number, expected) in &self.manifest.deltas {
            let mut blocks = Vec::new();
            let seen = self.read_blocks(&delta_key(*number, &[]), &mut |block| {
                blocks.push(block.to_vec());
                Ok(())
            })?;
            if seen != *expected {
                return damaged(format!("delta {number} is not what was written"));
            }
            deltas.push(blocks);
        }
        let mut newer = Newer::new(&deltas)?;
        let seen = self.read_blocks(&[BASE], &mut |block| {
            let mut cursor = Cursor::new(block);
            while cursor.next()? {
                let is_hidden = newer.up_to(Some(&cursor.key), visit)?;
                if let (false, Some(value)) = (is_hidden, cursor.value) {
                    visit(&cursor.key, value);
                }
            }
            Ok(())
        })?;
        if seen != self.manifest.base {
            return damaged("its base is not what was written");
        }
        newer.up_to(None, visit)?;
        Ok(())
    }

    /// Reads and checks all of it; the number of keys.
    pub fn verify(&self) -> Result<u64, StoreError> {
        let mut keys = 0;
        self.load(&mut |_, _| keys += 1)?;
        Ok(keys)
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let deltas = self.manifest.deltas.iter().rev().map(|(number, _)| delta_key(*number, &[]));
        for prefix in deltas.chain([vec![BASE]]) {
            let found = self.engine.at_or_before(&[prefix.as_slice(), key].concat())?;
            let Some((place, value)) = found.filter(|(place, _)| place.starts_with(&prefix)) else {
                continue;
            };
            let (.., block) = opened(&place, &value)?;
            let mut cursor = Cursor::new(block);
            while cursor.next()? {
                if cursor.key == key {
                    return Ok(cursor.value.map(<[u8]>::to_vec));
                }
            }
        }
        Ok(None)
    }

    fn read_blocks(
        &self,
        prefix: &[u8],
        take: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<Sum, StoreError> {
        let mut sum = Sum::default();
        let mut failed = None;
        self.engine.scan(prefix, &mut |key, value| {
            if !key.starts_with(prefix) {
                return false;
            }
            let read = opened(key, value).and_then(|(count, body, block)| {
                sum.add_block(count, key, body);
                Ok(take(block)?)
            });
            failed = read.err();
            failed.is_none()
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
                key.first() == Some(&DELTA) && strays.len() < REMOVED_MAX
            })?;
            if strays.is_empty() {
                return Ok(());
            }
            self.engine.apply(&strays, false)?;
        }
    }

    /// One batch, with the manifest that then holds.
    pub(crate) fn write(
        &mut self,
        mut changes: Vec<Change>,
        manifest: Manifest,
        durable: bool,
    ) -> Result<(), StoreError> {
        changes.push(Change { key: MANIFEST.to_vec(), value: Some(manifest.bytes()) });
        self.apply(&changes, durable)?;
        self.manifest = manifest;
        Ok(())
    }

    fn apply(&mut self, changes: &[Change], durable: bool) -> Result<(), StoreError> {
        let values = changes.iter().filter_map(|change| change.value.as_ref());
        self.unsynced_bytes += values.map(Vec::len).sum::<usize>();
        let durable = durable || self.unsynced_bytes > UNSYNCED_BYTES;
        self.engine.apply(changes, durable)?;
        if durable {
            self.unsynced_bytes = 0;
        }
        Ok(())
    }
}

/// A checkpoint on its way. Dropped without a commit it never was.
#[derive(Debug)]
pub struct Writing<'a> {
    store: &'a mut Store,
    number: u64,
    sum: Sum,
    last: Vec<u8>,
    block: Builder,
    piece: Vec<Change>,
    piece_bytes: usize,
}

impl<'a> Writing<'a> {
    fn new(store: &'a mut Store, number: u64) -> Self {
        Self {
            store,
            number,
            sum: Sum::default(),
            last: Vec::new(),
            block: Builder::default(),
            piece: Vec::new(),
            piece_bytes: 0,
        }
    }

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
        let is_first = self.sum.entries == 0 && self.block.entries == 0;
        if !is_first && self.last.as_slice() >= key {
            return Err(StoreError::Misuse("keys of a checkpoint must rise".into()));
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        if self.block.is_full_for(key, value, BLOCK_BYTES) {
            self.end_block();
            if self.piece_bytes >= PIECE_BYTES {
                self.store.apply(&self.piece, false)?;
                self.piece.clear();
                self.piece_bytes = 0;
            }
        }
        self.block.push(key, value);
        Ok(())
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.entries == 0 {
            return;
        }
        let key = delta_key(self.number, &block.first);
        let value = sealed(&key, &block);
        self.sum.add_block(block.entries, &key, value.get(4..).unwrap_or_default());
        self.piece_bytes += value.len();
        self.piece.push(Change { key, value: Some(value) });
    }

    /// From here on the checkpoint is the newest, durably.
    pub fn commit(mut self, position: Position, note: Vec<u8>) -> Result<(), StoreError> {
        if note.len() > VALUE_BYTES_MAX {
            return Err(StoreError::Misuse(format!(
                "a note of {} bytes: {VALUE_BYTES_MAX} is the limit",
                note.len()
            )));
        }
        self.end_block();
        let mut manifest = self.store.manifest.clone();
        manifest.newest = Checkpoint { number: self.number, position, note };
        if self.sum.entries > 0 {
            manifest.deltas.push((self.number, self.sum));
        }
        self.store.write(self.piece, manifest, true)
    }
}

pub(crate) fn base_key(key: &[u8]) -> Vec<u8> {
    [&[BASE], key].concat()
}

pub(crate) fn delta_key(number: u64, key: &[u8]) -> Vec<u8> {
    [&[DELTA], number.to_be_bytes().as_slice(), key].concat()
}

/// A block as it is stored under this key of the engine; what is summed up begins at the fifth byte.
pub(crate) fn sealed(key: &[u8], block: &Builder) -> Vec<u8> {
    let mut value = vec![0; 4];
    value.extend_from_slice(&(block.entries as u32).to_le_bytes());
    value.extend_from_slice(&block.bytes);
    let crc = crc32c_on(crc32c(key), value.get(4..).unwrap_or_default());
    value.splice(..4, crc.to_le_bytes());
    value
}

/// Number of entries, what is summed up, and the block, if the checksum holds.
pub(crate) fn opened<'a>(key: &[u8], value: &'a [u8]) -> Result<(u64, &'a [u8], &'a [u8]), StoreError> {
    let opened = value.split_first_chunk::<4>().and_then(|(crc, body)| {
        let (count, block) = body.split_first_chunk::<4>()?;
        let holds = crc32c_on(crc32c(key), body) == u32::from_le_bytes(*crc);
        holds.then_some((u64::from(u32::from_le_bytes(*count)), body, block))
    });
    opened.map_or_else(|| damaged("a block is not what was written"), Ok)
}
