//! Key numbers: the host turns the values of a unit's key columns into small dense numbers.
//!
//! In: a batch. Out: one u32 per row, [`REFUSED`] where the bound is reached. Numbers start at 0, belong to (triplet, values) or, with
//! `across`, to the values alone, and are given in the order of first sight, so that the same log gives the same numbers. A number is held by entries
//! and timers; numbers that nothing holds are freed in sweeps, announced by [`KeyTable::take_forgotten`] and only then given again.
//!
//! Cost: one table lookup per row for a single dictionary column that lives across batches; else one hash per row.

pub mod dump;
pub mod values;

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;

use crate::batch::{Batch, DICTIONARY_ID};
use crate::triplet::Triplet;

/// Number of a row whose new key is over the bound.
pub const REFUSED: u32 = u32::MAX;
/// Partitions of the key space, for lanes and for moving state between machines.
pub const PARTITIONS: u32 = 64;
/// A sweep waits until this many numbers are held by nothing.
const SWEEP_MIN: usize = 4_096;
/// Kept between batches.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

/// Names of a free table, and their handles.
#[derive(Debug, Default)]
pub struct Names {
    by_name: HashMap<Arc<[u8]>, u32, FixedState>,
    by_handle: Vec<Arc<[u8]>>,
}

impl Names {
    pub fn define(&mut self, name: &[u8]) -> u32 {
        if let Some(handle) = self.by_name.get(name) {
            return *handle;
        }
        let handle = self.by_handle.len() as u32;
        let name: Arc<[u8]> = name.into();
        self.by_handle.push(Arc::clone(&name));
        self.by_name.insert(name, handle);
        handle
    }

    pub fn name(&self, handle: u32) -> Option<&[u8]> {
        self.by_handle.get(handle as usize).map(|name| &**name)
    }

    pub fn len(&self) -> usize {
        self.by_handle.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_handle.is_empty()
    }
}

type Encoded = SmallVec<[u8; 24]>;

#[derive(Debug)]
struct Key {
    scope: u32,
    /// Scope and encoded values of the key columns (see [`values`]); empty where the number is free. Most are short and lie in place: a look-up waits for one line less.
    encoded: Encoded,
    /// Entries and timers that need the number.
    held: u32,
    free: bool,
}

/// A number, and the hash of its key: few other keys have the same, so that a look-up meets the line of one key.
#[derive(Debug, Clone, Copy)]
struct Known {
    hash: u32,
    number: u32,
}

/// Code of a dictionary to key number, for the one dictionary seen last in that scope.
#[derive(Debug, Default)]
struct CodeCache {
    dictionary: Option<u64>,
    numbers: Vec<u32>,
}

#[derive(Debug)]
pub struct KeyTable {
    columns: Vec<Arc<str>>,
    across: bool,
    limit: usize,
    scopes: Vec<Triplet>,
    /// Numbers by what their keys hold.
    by_value: HashTable<Known>,
    keys: Vec<Key>,
    free: Vec<u32>,
    /// Freed but not yet announced.
    forgotten: Vec<u32>,
    idle: usize,
    caches: Vec<CodeCache>,
    /// In the order of giving, since the last commit; for roll-back.
    newest: Vec<u32>,
    scratch: Vec<u8>,
    /// None: nobody wants to know.
    touched: Option<dump::Touched>,
    /// What a checkpoint reads.
    frozen: Option<crate::state::frozen::Frozen>,
}

impl KeyTable {
    pub fn new(columns: Vec<Arc<str>>, across: bool, limit: usize) -> Self {
        Self {
            columns,
            across,
            limit: limit.min(REFUSED as usize - 1),
            scopes: Vec::new(),
            by_value: HashTable::new(),
            keys: Vec::new(),
            free: Vec::new(),
            forgotten: Vec::new(),
            idle: 0,
            caches: Vec::new(),
            newest: Vec::new(),
            scratch: Vec::new(),
            touched: None,
            frozen: None,
        }
    }

    pub fn is_keyed(&self) -> bool {
        !self.columns.is_empty()
    }

    pub fn columns(&self) -> &[Arc<str>] {
        &self.columns
    }

    /// How many numbers were ever given: every number is below.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn live(&self) -> usize {
        self.by_value.len()
    }

    pub fn knows(&self, number: u32) -> bool {
        if !self.is_keyed() {
            return number == 0;
        }
        self.keys.get(number as usize).is_some_and(|key| !key.free)
    }

    /// Index of the scope (a triplet, or 0 for all) that a number belongs to.
    pub fn scope_of(&self, number: u32) -> usize {
        self.keys.get(number as usize).map_or(0, |key| key.scope as usize)
    }

    /// The scope of a triplet; made when it is new.
    pub fn scope(&mut self, triplet: &Triplet) -> usize {
        if self.across || !self.is_keyed() {
            return 0;
        }
        if let Some(scope) = self.scopes.iter().position(|known| known == triplet) {
            return scope;
        }
        self.scopes.push(triplet.clone());
        if let Some(touched) = &mut self.touched {
            touched.lists = true;
        }
        self.scopes.len() - 1
    }

    /// The triplet that a number belongs to; none with `across`.
    pub fn triplet_of(&self, number: u32) -> Option<&Triplet> {
        if self.across {
            return None;
        }
        self.scopes.get(self.scope_of(number))
    }

    pub fn scopes(&self) -> &[Triplet] {
        &self.scopes
    }

    /// Numbers of a batch's rows, and how many of them are new. Empty where the plan names no key.
    pub fn number(&mut self, batch: &Batch) -> (Vec<u32>, usize) {
        if !self.is_keyed() {
            return (Vec::new(), 0);
        }
        let scope = self.scope(&batch.triplet);
        let before = self.newest.len();
        let columns: Vec<Option<ArrayRef>> =
            self.columns.iter().map(|name| batch.columns.column_by_name(name).cloned()).collect();
        let numbers = match &columns[..] {
            [Some(only)] if matches!(only.data_type(), DataType::Dictionary(_, _)) => {
                self.number_codes(scope, batch, only)
            }
            _ => self.number_rows(scope, &columns, 0..batch.rows()),
        };
        (numbers, self.newest.len() - before)
    }

    /// One dictionary column: each code is looked up once.
    fn number_codes(&mut self, scope: usize, batch: &Batch, column: &ArrayRef) -> Vec<u32> {
        let codes = column.as_dictionary::<UInt32Type>();
        let dictionary = self.columns.first().and_then(|name| dictionary_id(batch, name));
        let mut cache = std::mem::take(self.cache(scope));
        if dictionary.is_none() || cache.dictionary != dictionary {
            cache = CodeCache { dictionary, numbers: Vec::new() };
        }
        cache.numbers.resize(cache.numbers.len().max(codes.values().len()), REFUSED);
        let mut out = Vec::with_capacity(batch.rows());
        let whole = std::slice::from_ref(column).iter().cloned().map(Some).collect::<Vec<_>>();
        let no_nulls = codes.null_count() == 0;
        for (row, code) in codes.keys().values().iter().enumerate() {
            let known = cache.numbers.get(*code as usize).copied().unwrap_or(REFUSED);
            if known != REFUSED && (no_nulls || codes.is_valid(row)) {
                out.push(known);
                continue;
            }
            let number = self.number_rows(scope, &whole, row..row + 1).pop().unwrap_or(REFUSED);
            if codes.is_valid(row)
                && let Some(place) = cache.numbers.get_mut(*code as usize)
            {
                *place = number;
            }
            out.push(number);
        }
        *self.cache(scope) = cache;
        out
    }

    fn cache(&mut self, scope: usize) -> &mut CodeCache {
        if self.caches.len() <= scope {
            self.caches.resize_with(scope + 1, CodeCache::default);
        }
        &mut self.caches[scope]
    }

    /// In loops that each wait for one kind of memory, many rows at once: all are encoded and hashed, then looked up by their hash, then compared.
    fn number_rows(&mut self, scope: usize, columns: &[Option<ArrayRef>], rows: Range<usize>) -> Vec<u32> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let from = scratch.len();
            scratch.extend((scope as u32).to_le_bytes());
            for column in columns {
                values::encode(column.as_ref(), row, &mut scratch);
            }
            let encoded = scratch.get(from..).unwrap_or_default();
            places.push((hash(encoded), from..scratch.len()));
        }
        let mut numbers: Vec<u32> = places.iter().map(|(hash, _)| self.guess(*hash)).collect();
        for (number, (hash, place)) in numbers.iter_mut().zip(places) {
            let encoded = scratch.get(place).unwrap_or_default();
            if !self.is_of(*number, encoded) {
                *number = self.find(hash, encoded).unwrap_or_else(|| self.give(scope, hash, encoded));
            }
        }
        scratch.truncate(0);
        scratch.shrink_to(SCRATCH_BYTES_MAX);
        self.scratch = scratch;
        numbers
    }

    /// The first number with this hash, of whatever key; [`REFUSED`] where there is none.
    fn guess(&self, hash: u32) -> u32 {
        self.by_value.find(spread(hash), |known| known.hash == hash).map_or(REFUSED, |known| known.number)
    }

    fn is_of(&self, number: u32, encoded: &[u8]) -> bool {
        self.keys.get(number as usize).is_some_and(|key| &*key.encoded == encoded)
    }

    fn find(&self, hash: u32, encoded: &[u8]) -> Option<u32> {
        let is_it = |known: &Known| known.hash == hash && self.is_of(known.number, encoded);
        self.by_value.find(spread(hash), is_it).map(|known| known.number)
    }

    /// Of a number whose key is written.
    fn enter(&mut self, hash: u32, number: u32) {
        self.by_value.insert_unique(spread(hash), Known { hash, number }, |known| spread(known.hash));
    }

    /// Frees the number, which is nobody's then.
    fn clear(&mut self, number: u32) {
        let Some(key) = self.keys.get_mut(number as usize) else { return };
        let hash = spread(hash(&key.encoded));
        if let Ok(entry) = self.by_value.find_entry(hash, |known| known.number == number) {
            entry.remove();
        }
        key.free = true;
        key.encoded = Encoded::new();
    }

    fn give(&mut self, scope: usize, hash: u32, encoded: &[u8]) -> u32 {
        if self.by_value.len() >= self.limit {
            return REFUSED;
        }
        let key = Key { scope: scope as u32, encoded: encoded.into(), held: 0, free: false };
        let number = match self.free.pop() {
            Some(number) => number,
            None => self.keys.len() as u32,
        };
        self.before(number);
        match self.keys.get_mut(number as usize) {
            Some(place) => *place = key,
            None => self.keys.push(key),
        }
        self.enter(hash, number);
        self.newest.push(number);
        self.touch(number);
        self.idle += 1;
        number
    }

    /// Takes back the number that was given last.
    pub fn forget_newest(&mut self) {
        let Some(number) = self.newest.pop() else { return };
        self.before(number);
        self.touch(number);
        let is_idle = self.keys.get(number as usize).is_some_and(|key| key.held == 0);
        self.idle -= usize::from(is_idle);
        self.clear(number);
        if number as usize + 1 == self.keys.len() {
            self.keys.pop();
        } else {
            self.free.push(number);
        }
        self.caches.clear();
    }

    /// One more entry or timer needs the number.
    pub fn hold(&mut self, number: u32) {
        if let Some(key) = self.keys.get_mut(number as usize) {
            self.idle -= usize::from(key.held == 0);
            key.held += 1;
        }
    }

    pub fn release(&mut self, number: u32) {
        if let Some(key) = self.keys.get_mut(number as usize) {
            key.held = key.held.saturating_sub(1);
            self.idle += usize::from(key.held == 0);
        }
    }

    /// After a commit: frees the numbers that nothing holds, when they are many and more than half.
    pub fn sweep(&mut self) {
        self.newest.clear();
        if self.idle < SWEEP_MIN || self.idle * 2 < self.by_value.len() {
            return;
        }
        for number in 0..self.keys.len() as u32 {
            let is_idle = |key: &Key| key.held == 0 && !key.free;
            if self.keys.get(number as usize).is_some_and(is_idle) {
                self.before(number);
                self.clear(number);
                self.forgotten.push(number);
            }
        }
        if let Some(touched) = &mut self.touched {
            touched.lists = true;
            self.forgotten.iter().for_each(|number| touched.numbers.insert(dump::place(*number)));
        }
        self.idle = 0;
        self.caches.clear();
    }

    /// Numbers to be announced as forgotten; from here on they may be given again.
    pub fn take_forgotten(&mut self) -> Vec<u32> {
        let forgotten = std::mem::take(&mut self.forgotten);
        if let Some(touched) = self.touched.as_mut().filter(|_| !forgotten.is_empty()) {
            touched.lists = true;
        }
        self.free.extend(forgotten.iter().rev());
        forgotten
    }

    /// The key's columns for rows with these numbers.
    pub fn rebuild(&self, numbers: &[u32]) -> Vec<(Arc<str>, ArrayRef)> {
        let encoded: Vec<&[u8]> = numbers
            .iter()
            .map(|number| {
                self.keys.get(*number as usize).and_then(|key| key.encoded.get(4..)).unwrap_or_default()
            })
            .collect();
        values::decode(&self.columns, &encoded)
    }
}

fn hash(encoded: &[u8]) -> u32 {
    let hash = FixedState::default().hash_one(encoded);
    (hash ^ hash >> 32) as u32
}

/// As the table wants it: the lowest bits choose the place, the highest tell neighbours apart.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The id of a column's dictionary, where it lives across batches.
pub fn dictionary_id(batch: &Batch, column: &str) -> Option<u64> {
    let schema = batch.columns.schema_ref();
    let (_, field) = schema.column_with_name(column)?;
    field.metadata().get(DICTIONARY_ID)?.parse().ok()
}

/// The partition of a row's key: a hash of the encoded values, the same on every machine.
pub fn partition(columns: &[Option<ArrayRef>], row: usize, scratch: &mut Vec<u8>) -> u32 {
    scratch.clear();
    for column in columns {
        values::encode(column.as_ref(), row, scratch);
    }
    // FNV-1a: small, fixed for ever, good enough for 64 ways.
    let hash = scratch.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ((hash ^ (hash >> 32)) % u64::from(PARTITIONS)) as u32
}

#[cfg(test)]
mod tests;
