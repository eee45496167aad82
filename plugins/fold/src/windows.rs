//! Tumbling and sliding event-time windows per key: rows in, one row per (key, window) out when the watermark says that it is complete.
//!
//! In: batches as columns of little-endian bytes, key numbers made by the host, and timers that are due. Out: indexes of late rows, and of the windows
//! that close their keys, starts and results. A row is folded into one pane, [k * slide, (k + 1) * slide) in ns since 1970; a window is one pane (tumbling) or
//! several that are merged when it closes (sliding). It closes when the watermark reaches its end plus the lateness; a row is late, and not folded, when
//! the first window with its pane has closed. All state is in the host (see [`Host`]): the accumulators here are
//! written through at the end of each batch and read back where a new instance does not have them. Rows are folded in their order, so that rows
//! that are not late give the same bits however they are cut into batches. Early results depend on what has come until then, and so on the cut.
//! Limits: where the host's state is full, rows that would open new windows are given back as refused. At most [`PANES_AT_ONCE`] panes are merged and
//! [`SKETCHES_AT_ONCE`] sketched cells read in one call; timers beyond that are set again and come with the next. No error leaves but [`Refusal`].

use crate::cache::{ANOTHER, BIN, Cache, NEVER};
use crate::host::{Addresses, Closed, Due, Folded, Host, Refusal, Rows, Wakes};
use crate::layout::Layout;
use crate::{sketches, words};

/// The host gives the watermark in steps of this many ns, rounded down.
const WATERMARK_STEP_NS: i64 = 1_024;
/// Of one call, so that it stays within its deadline: about 5 ms.
const PANES_AT_ONCE: usize = 65_536;
const SKETCHES_AT_ONCE: usize = 1_024;
/// Added to a window's start to make the slot of its early timer: starts are multiples of a millisecond.
const EARLY: i64 = 1;

/// Rows that are looked up together: enough for the processor to wait for many lines at once, and few enough that most panes are there when rows meet them again.
const ROWS_AT_ONCE: usize = 64;

/// The one around the row at work.
#[derive(Clone, Copy)]
struct Pane {
    start: i64,
    /// In the cache; [`NEVER`] where it has none or may be closed.
    number: u32,
}

/// Lengths in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub window_ns: i64,
    /// Divides the window; the window itself where windows do not overlap.
    pub slide_ns: i64,
    pub lateness_ns: i64,
    /// Pace of early results, 0: none. Of tumbling windows only.
    pub early_ns: i64,
}

pub struct Windows {
    layout: Layout,
    shape: Shape,
    cache: Cache,
    /// For each row of the batch the base of its pane; kept for its memory.
    bases: Vec<u32>,
    /// Panes of this batch that were not cached.
    fresh: Vec<u32>,
    watermark_ns: i64,
    folded: Folded,
}

impl Windows {
    pub fn new(layout: Layout, shape: Shape) -> Self {
        let cache = Cache::new(&layout, shape.slide_ns);
        Self {
            layout,
            shape,
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
        self.find_panes(rows);
        let new = self.cache.load(&self.layout, &self.fresh, host)?;
        let (layout, bases) = (&self.layout, &self.bases);
        self.folded.not_finite +=
            words::fold(layout, 0, bases, rows.time, rows.columns, &mut self.cache.words);
        sketches::fold(layout, 0, bases, rows.columns, &mut self.cache.sketches);
        self.store(new, host)?;
        Ok(std::mem::take(&mut self.folded))
    }

    /// Fills `bases` and counts the rows of each pane. Three loops, in each of which no row waits for the memory of the one before: most lines of a pane among many are in no cache.
    fn find_panes(&mut self, rows: &Rows<'_>) {
        let times = rows.time.as_chunks::<8>().0;
        match rows.keys.as_chunks::<4>().0 {
            [] => self.find_each(times, |_| 0),
            keys => self.find_each(times, |row| keys.get(row).map_or(0, |key| u32::from_le_bytes(*key))),
        }
        for base in &self.bases {
            words::increment(&mut self.cache.words, *base as usize);
            self.cache.note_touched(*base);
        }
    }

    #[inline(always)]
    fn find_each(&mut self, times: &[[u8; 8]], key_of: impl Fn(usize) -> u32) {
        let mut bases = std::mem::take(&mut self.bases);
        bases.clear();
        let mut pane = Pane { start: i64::MIN, number: NEVER };
        for (times, first) in times.chunks(ROWS_AT_ONCE).zip((0..).step_by(ROWS_AT_ONCE)) {
            let mut others = 0;
            bases.extend(times.iter().zip(first..).map(|(time, row)| {
                pane = self.move_on(pane, i64::from_le_bytes(*time));
                let base = self.cache.first(key_of(row), pane.number);
                others += usize::from(base == ANOTHER);
                base
            }));
            if others == 0 {
                continue;
            }
            let found = bases.get_mut(first..).into_iter().flatten();
            for ((time, base), row) in times.iter().zip(found).zip(first..) {
                if *base == ANOTHER {
                    let (time, key) = (i64::from_le_bytes(*time), key_of(row));
                    pane = self.move_on(pane, time);
                    // A row before this one may have made it.
                    *base = match self.cache.first(key, pane.number) {
                        ANOTHER => self.find_pane(row as u32, time, key, pane),
                        base => base,
                    };
                }
            }
        }
        self.bases = bases;
    }

    /// The pane around a time; most often the one that is at hand.
    #[inline(always)]
    fn move_on(&self, pane: Pane, time: i64) -> Pane {
        let inside = time.wrapping_sub(pane.start).cast_unsigned() < self.shape.slide_ns.cast_unsigned();
        if inside { pane } else { self.open_pane(time) }
    }

    /// Has a number where it is surely open: where it may be closed, the slow path looks closely.
    #[inline(never)]
    fn open_pane(&self, time: i64) -> Pane {
        let open_after = self
            .watermark_ns
            .saturating_add(WATERMARK_STEP_NS - 1)
            .saturating_sub(self.shape.lateness_ns)
            .saturating_sub(self.shape.slide_ns);
        let start = self.pane_of(time).map(|(start, _)| start);
        let number = start.filter(|start| *start > open_after).and_then(|start| self.cache.number(start));
        Pane { start: start.unwrap_or(time), number: number.unwrap_or(NEVER) }
    }

    #[inline(never)]
    fn find_pane(&mut self, row: u32, time: i64, key: u32, pane: Pane) -> u32 {
        let touched = if pane.number != NEVER {
            self.cache.touch_at(key, pane.start, pane.number)
        } else {
            let Some((start, closes)) = self.pane_of(time) else {
                self.folded.out_of_range.extend(row.to_le_bytes());
                return BIN;
            };
            if self.is_closed(time, closes) {
                self.folded.late.extend(row.to_le_bytes());
                return BIN;
            }
            self.cache.touch(key, start)
        };
        if touched.fresh {
            self.fresh.push(touched.base);
        }
        touched.base
    }

    /// Start of the pane around a time, and when the first window with it closes. All windows with it lie within 64 bits.
    fn pane_of(&self, time: i64) -> Option<(i64, i64)> {
        let start = time.checked_sub(time.rem_euclid(self.shape.slide_ns))?;
        start.checked_sub(self.shape.window_ns)?;
        // The greatest time means "never" to the host.
        start
            .checked_add(self.shape.window_ns)?
            .checked_add(self.shape.lateness_ns)?
            .checked_add(EARLY)
            .filter(|last| *last < i64::MAX)?;
        Some((start, start + self.shape.slide_ns + self.shape.lateness_ns))
    }

    /// The true watermark lies up to 1,023 ns over the one that is given, and the host's timers go by the true one. For a window that closes in that
    /// stretch, rows before the given watermark are late (they are, by the stream's own measure) and rows after it are not. So a window is not
    /// opened a second time, and rows in order are never late, for times of whole microseconds.
    fn is_closed(&self, time: i64, closes: i64) -> bool {
        closes <= self.watermark_ns
            || (closes <= self.watermark_ns.saturating_add(WATERMARK_STEP_NS - 1) && time < self.watermark_ns)
    }

    /// Writes all touched panes through and sets timers for the new ones. Where the host refuses, the rows of new panes are given back and the
    /// rest is written: that needs no more room.
    fn store(&mut self, new: Vec<u32>, host: &mut impl Host) -> Result<(), Refusal> {
        let touched = std::mem::take(&mut self.cache.touched);
        if touched.is_empty() {
            return Ok(());
        }
        match self.cache.write(&self.layout, &touched, host) {
            Ok(()) => self.wake(&new, host),
            Err(refusal) if new.is_empty() => return Err(refusal),
            Err(refusal) => {
                let refused = self.cache.write_known(&self.layout, &touched, new, host)?;
                let rows = self.bases.iter().zip(0u32..);
                let rows = rows.filter(|(base, _)| refused.binary_search(base).is_ok());
                let rows = rows.flat_map(|(_, row)| row.to_le_bytes()).collect();
                self.folded.refused = Some((rows, refusal));
            }
        }
        self.cache.touched = touched;
        Ok(())
    }

    /// For each new pane all windows with it: their timers are due in the order of time, so that a pane's last window is the last to need it.
    fn wake(&self, new: &[u32], host: &mut impl Host) {
        let Shape { window_ns, slide_ns, lateness_ns, early_ns } = self.shape;
        let mut wakes = Wakes::default();
        for entry in new.iter().filter_map(|base| self.cache.entry(*base)) {
            let mut start = entry.start + slide_ns - window_ns;
            while start <= entry.start {
                wakes.push(entry.key, start, start + window_ns + lateness_ns);
                start += slide_ns;
            }
            if early_ns > 0 && early_ns < window_ns + lateness_ns {
                wakes.push(entry.key, entry.start + EARLY, entry.start + early_ns);
            }
        }
        wakes.set(host);
    }

    /// Closes the windows whose timers are due, and gives them in that order, with the early ones. `watermark_ns`: of the call.
    pub fn close(
        &mut self,
        watermark_ns: i64,
        forgotten: &[u8],
        due: Due<'_>,
        host: &mut impl Host,
    ) -> Result<Closed, Refusal> {
        self.cache.begin_call(forgotten);
        let Shape { window_ns, slide_ns, lateness_ns, early_ns } = self.shape;
        let (mut closing, mut wakes) = (Vec::new(), Wakes::default());
        let panes = (window_ns / slide_ns).max(1) as usize;
        let at_once = if self.layout.sketches.is_empty() { PANES_AT_ONCE } else { SKETCHES_AT_ONCE } / panes;
        for (key, slot, time) in due.iter() {
            let is_early = slot.rem_euclid(slide_ns) == EARLY;
            let start = slot - if is_early { EARLY } else { 0 };
            let closes = start + window_ns + lateness_ns;
            if is_early && closes <= watermark_ns {
                // Its final result comes with this record.
                continue;
            }
            if closing.len() >= at_once.max(1) {
                wakes.push(key, slot, time);
                continue;
            }
            closing.push((key, start, is_early));
            if is_early {
                // The next one that is not due yet.
                let behind = watermark_ns.saturating_sub(time).max(0) / early_ns.max(1);
                let next = time + (behind + 1) * early_ns;
                if next < closes {
                    wakes.push(key, slot, next);
                }
            } else if early_ns > 0 {
                wakes.push(key, start + EARLY, i64::MAX);
            }
        }
        let closed = self.read_out(&closing, panes, host);
        wakes.set(host);
        closed
    }

    fn read_out(
        &mut self,
        closing: &[(u32, i64, bool)],
        panes: usize,
        host: &mut impl Host,
    ) -> Result<Closed, Refusal> {
        if closing.is_empty() {
            return Ok(Closed::default());
        }
        let has_sketches = !self.layout.sketches.is_empty();
        let (mut wanted, mut gone) = (Addresses::default(), Addresses::default());
        // Cells are written through, so what is cached need not be read. Sketched cells are read: results are made of their stored bytes.
        let mut cached = Vec::with_capacity(closing.len() * panes);
        for (key, start, is_early) in closing {
            for pane in 0..panes as i64 {
                let pane_start = start + pane * self.shape.slide_ns;
                let base = self.cache.find(*key, pane_start).filter(|_| !has_sketches);
                if base.is_none() {
                    wanted.push(*key, pane_start);
                }
                cached.push(base);
            }
            if !is_early {
                gone.push(*key, *start);
            }
        }
        let stored = if wanted.is_empty() { Vec::new() } else { host.read(&wanted.keys, &wanted.starts) };
        let bytes = if has_sketches { host.read_bytes(&wanted.keys, &wanted.starts) } else { Vec::new() };
        let (mut stored, mut bytes) = (stored.chunks_exact(self.layout.bytes()), bytes.chunks(panes));
        let (mut closed, mut all_cells) = (Closed::default(), Vec::new());
        let mut all_words = Vec::with_capacity(closing.len() * self.layout.words);
        let mut read = vec![0; self.layout.words];
        for ((key, start, is_early), cached) in closing.iter().zip(cached.chunks(panes)) {
            let begin = all_words.len();
            all_words.resize(begin + self.layout.words, 0);
            let cell = all_words.get_mut(begin..).unwrap_or_default();
            for base in cached {
                match base {
                    Some(base) => words::merge(&self.layout, cell, self.cache.words_of(*base)),
                    None => {
                        let stored = stored.next().unwrap_or_default().as_chunks::<8>().0;
                        read.iter_mut()
                            .zip(stored)
                            .for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
                        words::merge(&self.layout, cell, &read);
                    }
                }
            }
            let mut sketched = Vec::new();
            for bytes in bytes.next().unwrap_or_default() {
                let read = sketches::read(&self.layout, bytes).map_err(|_| Refusal::damaged())?;
                sketches::merge(&mut sketched, &read);
            }
            // Its first pane is in no other window.
            match cached.first().copied().flatten() {
                _ if *is_early => {}
                Some(base) => self.cache.remove_at(*key, *start, base),
                None => self.cache.remove(*key, *start),
            }
            if all_words.get(begin) == Some(&0) {
                all_words.truncate(begin);
                continue;
            }
            all_cells.push(sketched);
            closed.keys.extend_from_slice(&key.to_le_bytes());
            closed.starts.extend_from_slice(&start.to_le_bytes());
            closed.provisional.push(u8::from(*is_early));
        }
        if !gone.is_empty() {
            host.remove(&gone.keys, &gone.starts);
            if has_sketches {
                host.remove_bytes(&gone.keys, &gone.starts);
            }
        }
        closed.columns = self.layout.read_out(&all_words, &all_cells);
        closed.cells = all_cells;
        Ok(closed)
    }

    /// How many panes are cached.
    pub fn cached(&self) -> usize {
        self.cache.count()
    }
}
