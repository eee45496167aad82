//! Cells in guest memory: a cache of what the host's state holds, found by key number without hashing.
//!
//! A cell is that of a key and a start: of a window, or 0. Its words (see [`crate::layout`]) lie in one long vector at a `base`, its sketches in another. The newest window of a key stands in an array
//! indexed by the key number; other open windows of a key (rows out of order) are found through a hash map. Base 0 is a bin: rows that do
//! not count are folded into it, so that the folding loops need no branch for them. The bin is never written to the state.
//! Bounds: [`ENTRIES_MAX`] cells, [`WORDS_MAX`] words and [`SKETCH_BYTES_MAX`] of sketches, then the cache is dropped between two batches and fills again from the state; key numbers
//! from [`LATEST_MAX`] on are only in the hash map.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::sketches::Sketch;

/// About 30 MiB with six words per cell.
pub const ENTRIES_MAX: usize = 1 << 18;
/// 16 MiB: cells of many words are fewer.
const WORDS_MAX: usize = 1 << 21;
/// Of sketches, as far as their bytes in the state tell: an instance has 64 MiB.
const SKETCH_BYTES_MAX: usize = 16 << 20;
/// What a cell with sketches takes beside their contents.
const SKETCHED_CELL_BYTES: u32 = 256;
/// 16 MiB.
const LATEST_MAX: usize = 1 << 20;
/// The base of the rows that do not count.
pub const BIN: u32 = 0;

/// The newest window that a key was seen in.
#[derive(Clone, Copy)]
pub struct Latest {
    pub start: i64,
    pub base: u32,
    /// The call in which the window was last noted as touched.
    pub call: u32,
}

/// No window starts here, and it is not after any limit: the fast path never takes it.
const NOTHING: Latest = Latest { start: i64::MIN, base: BIN, call: 0 };

#[derive(Clone, Copy)]
pub struct Entry {
    pub key: u32,
    pub start: i64,
    pub base: u32,
    call: u32,
    /// About what its sketches take.
    sketch_bytes: u32,
}

/// Found or made by [`Cache::touch`].
pub struct Touched {
    pub base: u32,
    /// Not in the cache until now: its words are zeros and the state may know it.
    pub fresh: bool,
}

pub struct Cache {
    stride: usize,
    pub words: Vec<u64>,
    /// Of each entry; empty where nothing was folded.
    pub sketches: Vec<Vec<Sketch>>,
    latest: Vec<Latest>,
    by_window: HashMap<(u32, i64), u32, BuildHasherDefault<WindowHasher>>,
    /// Indexed by base / stride; the bin is the first.
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Bases touched in this call, each once, in the order of their first row.
    pub touched: Vec<u32>,
    pub call: u32,
    /// Counts lookups that went past the array.
    misses: u32,
    sketch_bytes: usize,
}

impl Cache {
    pub fn new(stride: usize) -> Self {
        let mut cache = Self {
            stride,
            words: Vec::new(),
            sketches: Vec::new(),
            latest: Vec::new(),
            by_window: HashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            touched: Vec::new(),
            call: 0,
            misses: 0,
            sketch_bytes: 0,
        };
        cache.clear();
        cache
    }

    /// Forgets everything but the bin.
    pub fn clear(&mut self) {
        self.words.clear();
        self.words.resize(self.stride, 0);
        self.sketches.clear();
        self.sketches.push(Vec::new());
        self.latest.clear();
        self.by_window.clear();
        self.entries.clear();
        self.entries.push(Entry { key: 0, start: i64::MIN, base: BIN, call: 0, sketch_bytes: 0 });
        self.free.clear();
        self.touched.clear();
        self.call = 0;
        self.sketch_bytes = 0;
    }

    /// A new call begins; key numbers in `forgotten` (n x u32) will stand for other keys.
    pub fn begin_call(&mut self, forgotten: &[u8]) {
        // The host forgets a key when nothing of it is left, so nothing can be cached for it. Should it be, then all of it goes: it is a cache.
        let stale = forgotten.as_chunks::<4>().0.iter().any(|key| {
            self.latest.get(u32::from_le_bytes(*key) as usize).is_some_and(|latest| latest.base != BIN)
        });
        let full = self.by_window.len() > ENTRIES_MAX
            || self.words.len() > WORDS_MAX
            || self.sketch_bytes > SKETCH_BYTES_MAX;
        if stale || full || self.call == u32::MAX {
            self.clear();
        }
        self.call += 1;
        self.touched.clear();
    }

    #[inline]
    pub fn latest(&self, key: u32) -> Latest {
        self.latest.get(key as usize).copied().unwrap_or(NOTHING)
    }

    /// Finds or makes the window and notes it as touched in this call.
    pub fn touch(&mut self, key: u32, start: i64) -> Touched {
        let (base, fresh) = match self.by_window.get(&(key, start)) {
            Some(base) => (*base, false),
            None => (self.make(key, start), true),
        };
        self.note_touched(base);
        // A row out of order should not push the newest window out: the next row would pay for it. Yet a row that ran ahead must not keep its place
        // for ever, so the older window gets it now and then.
        self.misses = self.misses.wrapping_add(1);
        if start >= self.latest(key).start || self.misses.is_multiple_of(8) {
            self.note_latest(key, Latest { start, base, call: self.call });
        }
        Touched { base, fresh }
    }

    /// Notes the key's latest window as touched in this call: no need to look it up.
    pub fn touch_latest(&mut self, key: u32) {
        let call = self.call;
        if let Some(latest) = self.latest.get_mut(key as usize) {
            latest.call = call;
            let base = latest.base;
            self.note_touched(base);
        }
    }

    fn note_touched(&mut self, base: u32) {
        let call = self.call;
        if let Some(entry) = self.entries.get_mut(base as usize / self.stride)
            && entry.call != call
        {
            entry.call = call;
            self.touched.push(base);
        }
    }

    fn make(&mut self, key: u32, start: i64) -> u32 {
        let base = self.free.pop().unwrap_or_else(|| {
            let base = self.words.len() as u32;
            self.words.resize(self.words.len() + self.stride, 0);
            self.sketches.push(Vec::new());
            self.entries.push(Entry { key, start, base, call: 0, sketch_bytes: 0 });
            base
        });
        if let Some(entry) = self.entries.get_mut(base as usize / self.stride) {
            *entry = Entry { key, start, base, call: 0, sketch_bytes: 0 };
        }
        self.by_window.insert((key, start), base);
        base
    }

    fn note_latest(&mut self, key: u32, latest: Latest) {
        let index = key as usize;
        if index >= self.latest.len() {
            if index >= LATEST_MAX || latest.base == BIN {
                return;
            }
            self.latest.resize(index + 1, NOTHING);
        }
        if let Some(place) = self.latest.get_mut(index) {
            *place = latest;
        }
    }

    /// The window is closed (or was refused).
    pub fn remove(&mut self, key: u32, start: i64) {
        let Some(base) = self.by_window.remove(&(key, start)) else { return };
        self.note_sketches(base, 0);
        if self.latest(key).base == base {
            self.note_latest(key, NOTHING);
        }
        if let Some(words) = self.words_at(base) {
            words.fill(0);
        }
        if let Some(sketches) = self.sketches_at(base) {
            sketches.clear();
        }
        self.free.push(base);
    }

    pub fn entry(&self, base: u32) -> Option<Entry> {
        self.entries.get(base as usize / self.stride).copied()
    }

    /// The cell of a key and a start, where it is cached.
    pub fn find(&self, key: u32, start: i64) -> Option<u32> {
        let latest = self.latest(key);
        if latest.start == start && latest.base != BIN {
            return Some(latest.base);
        }
        self.by_window.get(&(key, start)).copied()
    }

    pub fn words_of(&self, base: u32) -> &[u64] {
        let base = base as usize;
        self.words.get(base..base + self.stride).unwrap_or_default()
    }

    pub fn words_at(&mut self, base: u32) -> Option<&mut [u64]> {
        let base = base as usize;
        self.words.get_mut(base..base + self.stride)
    }

    /// A cell's sketches take that many bytes in the state, and about twice as many here.
    pub fn note_sketches(&mut self, base: u32, bytes: usize) {
        let Some(entry) = self.entries.get_mut(base as usize / self.stride) else { return };
        let now = if bytes == 0 { 0 } else { SKETCHED_CELL_BYTES.saturating_add(2 * bytes as u32) };
        self.sketch_bytes = self.sketch_bytes.saturating_sub(entry.sketch_bytes as usize) + now as usize;
        entry.sketch_bytes = now;
    }

    pub fn sketches_at(&mut self, base: u32) -> Option<&mut Vec<Sketch>> {
        self.sketches.get_mut(base as usize / self.stride)
    }

    /// How many cells are cached.
    pub fn count(&self) -> usize {
        self.by_window.len()
    }
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
