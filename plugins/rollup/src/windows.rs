//! Tumbling event-time windows per key: rows in, one row per (key, window) out when the watermark says that it is complete.
//!
//! In: batches as columns of little-endian bytes, key numbers made by the host, and timers that are due. Out: indexes of late rows, and of the windows
//! that close their keys, starts and aggregates. Windows are [k * window, (k + 1) * window), in ns since 1970; a window closes when the watermark reaches its end
//! plus the lateness. A row whose window is closed is late and is not folded. All state is in the host (see [`Host`]): the accumulators here are
//! written through at the end of each batch and read back where a new instance does not have them. Rows are folded in their order, so that rows
//! that are not late give the same bits however they are cut into batches.
//! Limits: where the host's state is full, rows that would open new windows are given back as refused. No error leaves but [`Refusal`].

use crate::cache::{BIN, Cache};
use crate::layout::{ColumnWords, Layout, Output};

/// What this needs of the host: the state table of the windows and timers by watermark. Numbers as little-endian bytes.
pub trait Host {
    /// Values of n windows; zeros where there is none.
    fn read(&mut self, keys: &[u8], starts: &[u8]) -> Vec<u8>;
    fn write(&mut self, keys: &[u8], starts: &[u8], values: &[u8]) -> Result<(), Refusal>;
    fn remove(&mut self, keys: &[u8], starts: &[u8]);
    fn wake(&mut self, keys: &[u8], starts: &[u8], times: &[u8]);
}

/// The host did not take a write: "quota" and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

/// A column of the batch; `valid` has one byte per row, none: all are there.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    pub f64s: &'a [u8],
    pub valid: Option<&'a [u8]>,
}

pub struct Rows<'a> {
    /// n x i64
    pub time: &'a [u8],
    /// n x u32, or empty: all rows have key 0.
    pub keys: &'a [u8],
    /// In the order of the layout's columns; none where the stream does not have it.
    pub columns: &'a [Option<Values<'a>>],
}

/// Rows of a batch that did not count, as n x u32, rising.
#[derive(Debug, Default, PartialEq)]
pub struct Folded {
    pub late: Vec<u8>,
    /// Their window lies outside of what 64 bits of nanoseconds can say.
    pub out_of_range: Vec<u8>,
    /// With the host's reason.
    pub refused: Option<(Vec<u8>, Refusal)>,
    /// Values that were NaN or infinite: they count as missing.
    pub not_finite: u64,
}

/// Windows that closed, in the order of the timers.
#[derive(Debug, Default, PartialEq)]
pub struct Closed {
    /// n x u32
    pub keys: Vec<u8>,
    /// n x i64
    pub starts: Vec<u8>,
    pub columns: Vec<Output>,
}

/// The host gives the watermark in steps of this many ns, rounded down.
const WATERMARK_STEP_NS: i64 = 1_024;

pub struct Windows {
    layout: Layout,
    window_ns: i64,
    lateness_ns: i64,
    cache: Cache,
    /// For each row of the batch the base of its window; kept for its memory.
    bases: Vec<u32>,
    /// Windows of this batch that were not cached.
    fresh: Vec<u32>,
    watermark_ns: i64,
    folded: Folded,
}

impl Windows {
    /// `window_ns` > 0, `lateness_ns` >= 0.
    pub fn new(layout: Layout, window_ns: i64, lateness_ns: i64) -> Self {
        let cache = Cache::new(layout.words);
        Self {
            layout,
            window_ns,
            lateness_ns,
            cache,
            bases: Vec::new(),
            fresh: Vec::new(),
            watermark_ns: i64::MIN,
            folded: Folded::default(),
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Folds a batch. `watermark_ns` is the one before the batch, `forgotten` n x u32.
    pub fn fold(
        &mut self,
        watermark_ns: i64,
        forgotten: &[u8],
        rows: &Rows<'_>,
        host: &mut impl Host,
    ) -> Result<Folded, Refusal> {
        self.watermark_ns = watermark_ns;
        self.cache.begin_call(forgotten);
        self.fresh.clear();
        self.find_windows(rows);
        let new = self.load(host);
        for (column, values) in self.layout.columns.iter().zip(rows.columns) {
            let words = &mut self.cache.words;
            match values {
                Some(values) => {
                    self.folded.not_finite += fold_column(column, &self.bases, rows.time, *values, words);
                }
                None => self.bases.iter().for_each(|base| increment(words, *base as usize + column.missing)),
            }
        }
        self.store(new, host)?;
        Ok(std::mem::take(&mut self.folded))
    }

    /// Fills `bases` and counts the rows of each window. The one loop over all rows.
    fn find_windows(&mut self, rows: &Rows<'_>) {
        let times = rows.time.as_chunks::<8>().0;
        match rows.keys.as_chunks::<4>().0 {
            [] => self.find_each(times, std::iter::repeat(&[0; 4])),
            keys => self.find_each(times, keys.iter()),
        }
    }

    #[inline(always)]
    fn find_each<'a>(&mut self, times: &[[u8; 8]], keys: impl Iterator<Item = &'a [u8; 4]>) {
        let mut bases = std::mem::take(&mut self.bases);
        bases.clear();
        bases.resize(times.len(), BIN);
        // Windows that start at or before this may be closed: the slow path looks closely.
        let open_after = self
            .watermark_ns
            .saturating_add(WATERMARK_STEP_NS - 1)
            .saturating_sub(self.lateness_ns)
            .saturating_sub(self.window_ns);
        let window = self.window_ns.cast_unsigned();
        for (row, ((time, key), place)) in times.iter().zip(keys).zip(&mut bases).enumerate() {
            let (time, key) = (i64::from_le_bytes(*time), u32::from_le_bytes(*key));
            let latest = self.cache.latest(key);
            let inside = time.wrapping_sub(latest.start).cast_unsigned() < window;
            let base = if inside && latest.start > open_after {
                if latest.call != self.cache.call {
                    self.cache.touch_latest(key);
                }
                latest.base
            } else {
                self.find_window(row as u32, time, key)
            };
            *place = base;
            increment(&mut self.cache.words, base as usize);
        }
        self.bases = bases;
    }

    #[inline(never)]
    fn find_window(&mut self, row: u32, time: i64, key: u32) -> u32 {
        let Some((start, closes)) = self.window_of(time) else {
            self.folded.out_of_range.extend(row.to_le_bytes());
            return BIN;
        };
        if self.is_closed(time, closes) {
            self.folded.late.extend(row.to_le_bytes());
            return BIN;
        }
        let touched = self.cache.touch(key, start);
        if touched.fresh {
            self.fresh.push(touched.base);
        }
        touched.base
    }

    /// Start of the window around a time, and when it closes.
    fn window_of(&self, time: i64) -> Option<(i64, i64)> {
        let start = time.checked_sub(time.rem_euclid(self.window_ns))?;
        let closes = start.checked_add(self.window_ns)?.checked_add(self.lateness_ns)?;
        // The greatest time means "never" to the host.
        (closes < i64::MAX).then_some((start, closes))
    }

    /// The true watermark lies up to 1,023 ns over the one that is given, and the host's timers go by the true one. For a window that closes in that
    /// stretch, rows before the given watermark are late (they are, by the stream's own measure) and rows after it are not. So a window is not
    /// opened a second time, and rows in order are never late, for times of whole microseconds.
    fn is_closed(&self, time: i64, closes: i64) -> bool {
        closes <= self.watermark_ns
            || (closes <= self.watermark_ns.saturating_add(WATERMARK_STEP_NS - 1) && time < self.watermark_ns)
    }

    /// Adds to windows that were not cached what the state holds of them. Gives those that the state does not hold: the new ones.
    fn load(&mut self, host: &mut impl Host) -> Vec<u32> {
        let mut new = Vec::new();
        if self.fresh.is_empty() {
            return new;
        }
        let (keys, starts) = self.addresses(&self.fresh);
        let stored = host.read(&keys, &starts);
        for (base, stored) in self.fresh.iter().zip(stored.chunks_exact(self.layout.bytes())) {
            let Some(words) = self.cache.words_at(*base) else { continue };
            // Rows of this batch are counted already.
            let rows = words.first().copied().unwrap_or(0);
            for (word, bytes) in words.iter_mut().zip(stored.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            let Some(count) = words.first_mut() else { continue };
            let is_new = *count == 0;
            *count += rows;
            if is_new {
                self.layout.begin(words);
                new.push(*base);
            }
        }
        new
    }

    /// Writes all touched windows through and sets timers for the new ones. Where the host refuses, the rows of new windows are given back and the
    /// rest is written: that needs no more room.
    fn store(&mut self, new: Vec<u32>, host: &mut impl Host) -> Result<(), Refusal> {
        let touched = std::mem::take(&mut self.cache.touched);
        if touched.is_empty() {
            return Ok(());
        }
        match self.write(&touched, host) {
            Ok(()) => self.wake(&new, host),
            Err(refusal) if new.is_empty() => return Err(refusal),
            Err(refusal) => {
                let mut refused = new;
                refused.sort_unstable();
                let known = |base: &u32| refused.binary_search(base).is_err();
                let old: Vec<u32> = touched.iter().copied().filter(known).collect();
                if !old.is_empty() {
                    self.write(&old, host)?;
                }
                let rows = self.bases.iter().zip(0u32..).filter(|(base, _)| !known(base));
                let rows = rows.flat_map(|(_, row)| row.to_le_bytes()).collect();
                for entry in refused.iter().filter_map(|base| self.cache.entry(*base)).collect::<Vec<_>>() {
                    self.cache.remove(entry.key, entry.start);
                }
                self.folded.refused = Some((rows, refusal));
            }
        }
        self.cache.touched = touched;
        Ok(())
    }

    fn write(&self, bases: &[u32], host: &mut impl Host) -> Result<(), Refusal> {
        let (keys, starts) = self.addresses(bases);
        let mut values = Vec::with_capacity(bases.len() * self.layout.bytes());
        for base in bases {
            let base = *base as usize;
            for word in self.cache.words.get(base..base + self.layout.words).unwrap_or_default() {
                values.extend_from_slice(&word.to_le_bytes());
            }
        }
        host.write(&keys, &starts, &values)
    }

    fn wake(&self, new: &[u32], host: &mut impl Host) {
        if new.is_empty() {
            return;
        }
        let (keys, starts) = self.addresses(new);
        let closes = |start: &[u8; 8]| i64::from_le_bytes(*start) + self.window_ns + self.lateness_ns;
        let times: Vec<u8> =
            starts.as_chunks::<8>().0.iter().flat_map(|start| closes(start).to_le_bytes()).collect();
        host.wake(&keys, &starts, &times);
    }

    fn addresses(&self, bases: &[u32]) -> (Vec<u8>, Vec<u8>) {
        let mut keys = Vec::with_capacity(bases.len() * 4);
        let mut starts = Vec::with_capacity(bases.len() * 8);
        for entry in bases.iter().filter_map(|base| self.cache.entry(*base)) {
            keys.extend_from_slice(&entry.key.to_le_bytes());
            starts.extend_from_slice(&entry.start.to_le_bytes());
        }
        (keys, starts)
    }

    /// Closes the windows whose timers are due (keys n x u32, starts n x i64) and gives them in that order.
    pub fn close(&mut self, forgotten: &[u8], keys: &[u8], starts: &[u8], host: &mut impl Host) -> Closed {
        self.cache.begin_call(forgotten);
        if keys.is_empty() {
            return Closed::default();
        }
        let stored = host.read(keys, starts);
        host.remove(keys, starts);
        let mut closed = Closed::default();
        let mut words = Vec::with_capacity(stored.len() / 8);
        let values = stored.chunks_exact(self.layout.bytes());
        for ((key, start), value) in keys.as_chunks::<4>().0.iter().zip(starts.as_chunks::<8>().0).zip(values)
        {
            self.cache.remove(u32::from_le_bytes(*key), i64::from_le_bytes(*start));
            let value = value.as_chunks::<8>().0;
            if value.first().is_none_or(|rows| *rows == [0; 8]) {
                continue;
            }
            words.extend(value.iter().map(|word| u64::from_le_bytes(*word)));
            closed.keys.extend_from_slice(key);
            closed.starts.extend_from_slice(start);
        }
        closed.columns = self.layout.read_out(&words);
        closed
    }

    #[cfg(test)]
    pub fn cached(&self) -> usize {
        self.cache.count()
    }
}

/// Folds one column into the words of its windows; gives how many values were not finite. One loop for each thing that is kept, so that none carries
/// branches that the configuration has settled.
fn fold_column(
    column: &ColumnWords,
    bases: &[u32],
    time: &[u8],
    values: Values<'_>,
    words: &mut [u64],
) -> u64 {
    let mut not_finite = 0;
    let mut skip = |words: &mut [u64], base: usize| {
        increment(words, base + column.missing);
        not_finite += u64::from(base != BIN as usize);
    };
    match column.sum {
        Some(sum) => each(bases, values, |base, value| match words.get_mut(base + sum) {
            Some(cell) if value.is_finite() => *cell = (f64::from_bits(*cell) + value).to_bits(),
            _ => skip(words, base),
        }),
        None => each(bases, values, |base, value| {
            if !value.is_finite() {
                skip(words, base);
            }
        }),
    }
    for (base, _) in bases.iter().zip(values.valid.unwrap_or_default()).filter(|(_, valid)| **valid == 0) {
        increment(words, *base as usize + column.missing);
    }
    if let Some(min) = column.min {
        each(bases, values, |base, value| {
            if let Some(cell) = words.get_mut(base + min)
                && value.is_finite()
                && value < f64::from_bits(*cell)
            {
                *cell = value.to_bits();
            }
        });
    }
    if let Some(max) = column.max {
        each(bases, values, |base, value| {
            if let Some(cell) = words.get_mut(base + max)
                && value.is_finite()
                && value > f64::from_bits(*cell)
            {
                *cell = value.to_bits();
            }
        });
    }
    if let Some(last) = column.last {
        fold_last(last, bases, time, values, words);
    }
    not_finite
}

fn fold_last(last: usize, bases: &[u32], time: &[u8], values: Values<'_>, words: &mut [u64]) {
    let values_valid =
        values.valid.map(|valid| valid.iter()).into_iter().flatten().chain(std::iter::repeat(&1));
    let rows =
        bases.iter().zip(time.as_chunks::<8>().0).zip(values.f64s.as_chunks::<8>().0).zip(values_valid);
    for (((base, time), value), valid) in rows {
        let (base, time, value) = (*base as usize, i64::from_le_bytes(*time), f64::from_le_bytes(*value));
        if *valid != 0
            && value.is_finite()
            && let Some([known, kept]) = words.get_mut(base + last..base + last + 2)
            && time >= known.cast_signed()
        {
            *known = time.cast_unsigned();
            *kept = value.to_bits();
        }
    }
}

fn increment(words: &mut [u64], word: usize) {
    if let Some(count) = words.get_mut(word) {
        *count = count.wrapping_add(1);
    }
}

/// Calls with base and value of each row that has a value.
#[inline(always)]
fn each(bases: &[u32], values: Values<'_>, mut call: impl FnMut(usize, f64)) {
    let rows = bases.iter().zip(values.f64s.as_chunks::<8>().0);
    match values.valid {
        None => rows.for_each(|(base, value)| call(*base as usize, f64::from_le_bytes(*value))),
        Some(valid) => rows.zip(valid).filter(|(_, valid)| **valid != 0).for_each(|((base, value), _)| {
            call(*base as usize, f64::from_le_bytes(*value));
        }),
    }
}
