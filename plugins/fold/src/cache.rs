//! Cells in guest memory: a cache of what the host's state holds, found by key number without hashing.
//!
//! A cell is that of a key and a pane: of the piece of time that begins at its start; who has no windows has one pane, at 0. It lies in one long vector at a `base`: its words (see
//! [`crate::layout`]) and behind them whose it is; its sketches lie in another. [`WAYS`] panes of a key, the newest first, stand side by side in an array indexed by the key number; the others are found
//! through a hash table. So a row among very many keys waits for two lines of memory, that of the key and that of the cell. Base 0 is a bin: rows that do not count are folded into it, so that the
//! folding loops need no branch for them. The bin is never written to the state.
//! Bounds: [`WORDS_MAX`] words and [`SKETCH_BYTES_MAX`] of sketches, then the cache is dropped between two batches and fills again from the state; key numbers
//! from [`KEYS_MAX`] on are only in the hash table.

use std::hash::Hasher;

use hashbrown::HashTable;

use crate::layout::Layout;
use crate::sketches::Sketch;

/// 12 MiB: 300,000 windows of a count and a sum, and never more than 524,288 cells, which have three words at least. With what is left over of growing, and the array of keys, that is two thirds of an instance.
const WORDS_MAX: usize = 3 << 19;
/// Of sketches, as far as their bytes in the state tell: an instance has 64 MiB.
const SKETCH_BYTES_MAX: usize = 16 << 20;
/// What a cell with sketches takes beside their contents.
const SKETCHED_CELL_BYTES: u32 = 256;
/// 8 MiB.
const KEYS_MAX: usize = 1 << 18;
/// Panes of a key that are found without hashing.
const WAYS: usize = 4;
/// So many panes before the first one that is seen have numbers too; others, and those four billion panes later, are only in the hash table.
const NUMBERS_BEFORE: i64 = 1 << 16;
/// The base of the rows that do not count.
pub const BIN: u32 = 0;
/// Stands for a cell that is not that of its key's first pane; no base is like it.
pub const ANOTHER: u32 = u32::MAX;
/// Nobody's cell starts here.
const NOBODY: i64 = i64::MIN;

/// A pane of a key, and where its cell is.
#[derive(Clone, Copy)]
struct Way {
    /// Counted from the cache's origin.
    pane: u32,
    base: u32,
}

/// Behind all others, and of no pane.
const NOTHING: Way = Way { pane: u32::MAX, base: BIN };
/// No pane has this number; all that have one have a smaller one.
pub const NEVER: u32 = u32::MAX - 1;

/// Whose a cell is.
#[derive(Clone, Copy)]
pub struct Entry {
    pub key: u32,
    pub start: i64,
}

/// Found or made by [`Cache::touch`].
pub struct Touched {
    pub base: u32,
    /// Not in the cache until now: its words are zeros and the state may know it.
    pub fresh: bool,
}

pub struct Cache {
    /// Words of a cell, the two of its owner included.
    stride: usize,
    has_sketches: bool,
    pub words: Vec<u64>,
    /// Of each cell, in the order of the bases; empty where nothing was folded. None at all where the layout has none.
    pub sketches: Vec<Vec<Sketch>>,
    /// About what each of them takes.
    sketch_sizes: Vec<u32>,
    sketch_bytes: usize,
    /// Length of a pane, ns.
    slide: i64,
    /// Start of pane 0; none: no cell was made yet.
    origin: Option<i64>,
    /// By key number; first the newest, or one that rows meet again and again.
    ways: Vec<[Way; WAYS]>,
    /// Bases of the cells that have, or had, no way that leads to them.
    elsewhere: HashTable<u32>,
    cells: usize,
    free: Vec<u32>,
    /// Bases touched in this call, each once, in the order of their first row.
    pub touched: Vec<u32>,
    call: u32,
    /// Counts rows that did not meet the first pane of their key.
    misses: u32,
}

impl Cache {
    /// `slide`: length of a pane in ns, over 0.
    pub fn new(layout: &Layout, slide: i64) -> Self {
        let mut cache = Self {
            stride: layout.stride(),
            has_sketches: !layout.sketches.is_empty(),
            words: Vec::new(),
            sketches: Vec::new(),
            sketch_sizes: Vec::new(),
            sketch_bytes: 0,
            slide,
            origin: None,
            ways: Vec::new(),
            elsewhere: HashTable::new(),
            cells: 0,
            free: Vec::new(),
            touched: Vec::new(),
            call: 0,
            misses: 0,
        };
        cache.clear();
        cache
    }

    /// Forgets everything but the bin.
    pub fn clear(&mut self) {
        self.words.clear();
        self.sketches.clear();
        self.sketch_sizes.clear();
        self.sketch_bytes = 0;
        self.origin = None;
        self.ways.clear();
        self.elsewhere.clear();
        self.cells = 0;
        self.free.clear();
        self.touched.clear();
        self.call = 0;
        let bin = self.grow();
        self.give(bin, 0, NOBODY);
    }

    /// A new call begins; key numbers in `forgotten` (n x u32) will stand for other keys.
    pub fn begin_call(&mut self, forgotten: &[u8]) {
        // The host forgets a key when nothing of it is left, so nothing can be cached for it. Should it be, then all of it goes: it is a cache.
        let stale = forgotten.as_chunks::<4>().0.iter().any(|key| {
            self.ways.get(u32::from_le_bytes(*key) as usize).is_some_and(|[first, ..]| first.base != BIN)
        });
        let full = self.words.len() > WORDS_MAX || self.sketch_bytes > SKETCH_BYTES_MAX;
        if stale || full || self.call == CALLS_MAX {
            self.clear();
        }
        self.call += 1;
        self.touched.clear();
        // So that the bin never counts as touched.
        self.note_touched(BIN);
        self.touched.clear();
    }

    /// The number of a pane, where it has one.
    pub fn number(&self, start: i64) -> Option<u32> {
        let behind = start.checked_sub(self.origin?).filter(|behind| *behind >= 0)?;
        Some(behind / self.slide).filter(|number| *number < i64::from(NEVER)).map(|number| number as u32)
    }

    /// The base of the first pane of a key, where it is the one of that number; else [`ANOTHER`]. Without a branch: which it is cannot be foretold, and the rows behind it would
    /// wait for this one.
    #[inline]
    pub fn first(&self, key: u32, pane: u32) -> u32 {
        let [first, ..] = self.ways.get(key as usize).unwrap_or(&[NOTHING; WAYS]);
        first.base | u32::from(first.pane == pane).wrapping_sub(1)
    }

    /// Finds or makes a cell; the caller notes it as touched.
    pub fn touch(&mut self, key: u32, start: i64) -> Touched {
        if self.origin.is_none() {
            self.origin = Some(start.saturating_sub(NUMBERS_BEFORE.saturating_mul(self.slide)));
        }
        self.touch_at(key, start, self.number(start).unwrap_or(NEVER))
    }

    /// The same of a pane whose number is known; [`NEVER`] where it has none.
    pub fn touch_at(&mut self, key: u32, start: i64, pane: u32) -> Touched {
        if let Some(base) = self.find_at(key, start, pane) {
            // A row out of order should not push the newest pane from its place: the next row would pay for it. Yet a row that ran ahead must not keep its place
            // for ever, nor panes of a stream that began again in the past wait behind those that were, so an older one gets it now and then.
            self.misses = self.misses.wrapping_add(1);
            let first = self.ways.get(key as usize).and_then(|ways| ways.first());
            let is_newer = first.is_some_and(|first| first.pane < pane);
            if (is_newer || self.misses.is_multiple_of(8)) && pane != NEVER {
                self.bring_forward(key, Way { pane, base });
            }
            return Touched { base, fresh: false };
        }
        Touched { base: self.make(key, start, pane), fresh: true }
    }

    fn bring_forward(&mut self, key: u32, way: Way) {
        let Some(ways) = self.ways.get_mut(key as usize) else { return };
        if let Some(at) = ways.iter().position(|known| known.base == way.base) {
            put_first(ways.iter_mut().take(at + 1), way);
        } else {
            let last = put_first(ways, way);
            self.put_elsewhere(last);
        }
    }

    /// Notes that a cell is touched in this call.
    #[inline]
    pub fn note_touched(&mut self, base: u32) {
        let at = base as usize + self.stride;
        if let Some([owner, _]) = self.words.get_mut(at - OWNER_WORDS..at)
            && (*owner ^ u64::from(self.call) << 32) & CALL != 0
        {
            *owner = *owner & !CALL | u64::from(self.call) << 32;
            self.touched.push(base);
        }
    }

    fn is_hashed(&self, base: u32) -> bool {
        self.words.get(base as usize + self.stride - OWNER_WORDS).is_some_and(|owner| owner & HASHED != 0)
    }

    fn make(&mut self, key: u32, start: i64, pane: u32) -> u32 {
        let base = self.free.pop().unwrap_or_else(|| self.grow());
        self.give(base, key, start);
        self.cells += 1;
        let index = key as usize;
        if pane == NEVER || index >= KEYS_MAX {
            self.put_elsewhere(base);
            return base;
        }
        if index >= self.ways.len() {
            reserve(&mut self.ways, index + 1, KEYS_MAX);
            self.ways.resize(index + 1, [NOTHING; WAYS]);
        }
        let Some(ways) = self.ways.get_mut(index) else { return base };
        let is_newest = ways.first().is_some_and(|first| first.base == BIN || first.pane < pane);
        let last = put_first(ways.iter_mut().skip(usize::from(!is_newest)), Way { pane, base });
        self.put_elsewhere(last);
        base
    }

    /// Into the hash table, unless it was there before.
    fn put_elsewhere(&mut self, base: u32) {
        let at = base as usize + self.stride;
        let Some([owner, start]) = self.words.get_mut(at - OWNER_WORDS..at) else { return };
        if base == BIN || *owner & HASHED != 0 {
            return;
        }
        *owner |= HASHED;
        let hash_now = hash(*owner as u32, start.cast_signed());
        let Self { words, stride, elsewhere, .. } = self;
        let hash_of =
            |base: &u32| owner_of(words, *stride, *base).map_or(0, |entry| hash(entry.key, entry.start));
        elsewhere.insert_unique(hash_now, base, hash_of);
    }

    fn give(&mut self, base: u32, key: u32, start: i64) {
        let at = base as usize + self.stride;
        if let Some(owner) = self.words.get_mut(at - OWNER_WORDS..at) {
            owner.copy_from_slice(&[u64::from(key), start.cast_unsigned()]);
        }
    }

    /// Room for one more cell of zeros.
    fn grow(&mut self) -> u32 {
        let base = self.words.len() as u32;
        reserve(&mut self.words, base as usize + self.stride, WORDS_MAX / 8 * 9);
        self.words.resize(self.words.len() + self.stride, 0);
        if self.has_sketches {
            self.sketches.push(Vec::new());
            self.sketch_sizes.push(0);
        }
        base
    }

    /// The window is closed (or was refused).
    pub fn remove(&mut self, key: u32, start: i64) {
        if let Some(base) = self.find(key, start) {
            self.remove_at(key, start, base);
        }
    }

    /// The same of a cell that was found.
    pub fn remove_at(&mut self, key: u32, start: i64, base: u32) {
        if let Some(ways) = self.ways.get_mut(key as usize)
            && let Some(at) = ways.iter().position(|way| way.base == base)
        {
            take_first(ways.iter_mut().skip(at));
        }
        if self.is_hashed(base)
            && let Ok(place) = self.elsewhere.find_entry(hash(key, start), |known| *known == base)
        {
            place.remove();
        }
        self.cells -= 1;
        self.note_sketches(base, 0);
        if let Some(sketches) = self.sketches_at(base) {
            sketches.clear();
        }
        let at = base as usize;
        if let Some(words) = self.words.get_mut(at..at + self.stride) {
            words.fill(0);
        }
        self.give(base, 0, NOBODY);
        self.free.push(base);
    }

    /// Whose the cell at a base is; nobody's is the bin, and one that was removed.
    pub fn entry(&self, base: u32) -> Option<Entry> {
        owner_of(&self.words, self.stride, base).filter(|entry| entry.start != NOBODY)
    }

    /// The cell of a key and a start, where it is cached.
    pub fn find(&self, key: u32, start: i64) -> Option<u32> {
        self.find_at(key, start, self.number(start).unwrap_or(NEVER))
    }

    fn find_at(&self, key: u32, start: i64, pane: u32) -> Option<u32> {
        if let Some(ways) = self.ways.get(key as usize)
            && let Some(way) = ways.iter().find(|way| way.pane == pane)
        {
            return Some(way.base);
        }
        if self.elsewhere.is_empty() {
            return None;
        }
        let is_it = |base: &u32| {
            owner_of(&self.words, self.stride, *base)
                .is_some_and(|entry| entry.key == key && entry.start == start)
        };
        self.elsewhere.find(hash(key, start), is_it).copied()
    }

    pub fn words_of(&self, base: u32) -> &[u64] {
        let base = base as usize;
        self.words.get(base..base + self.stride - OWNER_WORDS).unwrap_or_default()
    }

    pub fn words_at(&mut self, base: u32) -> Option<&mut [u64]> {
        let base = base as usize;
        self.words.get_mut(base..base + self.stride - OWNER_WORDS)
    }

    /// A cell's sketches take that many bytes in the state, and about twice as many here.
    pub fn note_sketches(&mut self, base: u32, bytes: usize) {
        let Some(size) = self.sketch_sizes.get_mut(base as usize / self.stride) else { return };
        let now = if bytes == 0 { 0 } else { SKETCHED_CELL_BYTES.saturating_add(2 * bytes as u32) };
        self.sketch_bytes = self.sketch_bytes.saturating_sub(*size as usize) + now as usize;
        *size = now;
    }

    pub fn sketches_at(&mut self, base: u32) -> Option<&mut Vec<Sketch>> {
        self.sketches.get_mut(base as usize / self.stride)
    }

    /// How many cells are cached.
    pub fn count(&self) -> usize {
        self.cells
    }
}

/// The others go one place back. Gives the base that has lost its way: [`BIN`] where none has.
fn put_first<'a>(ways: impl IntoIterator<Item = &'a mut Way>, first: Way) -> u32 {
    ways.into_iter().fold(first, |moved, place| std::mem::replace(place, moved)).base
}

/// The first way is gone, the others come one place forward.
fn take_first<'a>(ways: impl DoubleEndedIterator<Item = &'a mut Way>) {
    ways.rev().fold(NOTHING, |moved, place| std::mem::replace(place, moved));
}

/// Room for so many: twice what there was, but not over `usual_max` where that is enough. An instance has no room for sixteen megabytes beside thirty-two.
fn reserve<T>(vector: &mut Vec<T>, len: usize, usual_max: usize) {
    let room = vector.capacity();
    if len > room {
        let wanted = (2 * room).min(usual_max).max(if len > usual_max { len + len / 4 } else { len });
        vector.reserve_exact(wanted - vector.len());
    }
}

/// Words behind those of the layout. The first: the key in 32 bits, above it the call in which the cell was last touched in 31, then whether the hash table has it. The second: the start.
pub const OWNER_WORDS: usize = 2;
const CALL: u64 = (CALLS_MAX as u64) << 32;
const CALLS_MAX: u32 = u32::MAX >> 1;
const HASHED: u64 = 1 << 63;

#[inline]
fn owner_of(words: &[u64], stride: usize, base: u32) -> Option<Entry> {
    let at = base as usize + stride;
    let [key, start] = words.get(at - OWNER_WORDS..at)? else { return None };
    Some(Entry { key: *key as u32, start: start.cast_signed() })
}

fn hash(key: u32, start: i64) -> u64 {
    let mut hasher = WindowHasher::default();
    hasher.write_u32(key);
    hasher.write_i64(start);
    hasher.finish()
}

/// For pairs of two small numbers that the host made: no need to withstand an attacker, see FxHash. The last step brings the high bits down,
/// because starts of windows are multiples of large powers of two.
#[derive(Default)]
pub struct WindowHasher(u64);

impl Hasher for WindowHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests;
