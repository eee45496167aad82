//! Sessions: windows per key that last as long as its events come at most a gap apart.
//!
//! In and out as in [`crate::windows`]; a session's start is the time of its first event. It closes when the watermark reaches its last event plus the gap plus the
//! lateness. A row between two sessions that is near enough to both makes one of them. A row is late when a session of its own would have closed. The open
//! sessions of a key are one value of the host's state, written through at the end of each batch. Rows are folded in their order: cut-invariant for rows that are
//! not late. Limits: [`OPEN_MAX`] open sessions per key, rows that would open more are refused; [`KEYS_MAX`] keys in the cache, then it is dropped;
//! at most [`KEYS_AT_ONCE`] keys close sessions in one call, the others' timers are set again.

use std::collections::{BTreeMap, BTreeSet};

use crate::columns::Columns;
use crate::layout::Layout;
use crate::sketches::{self, Sketch};
use crate::words;
use weir_sketch::bytes::{Damaged, Reader, put_bytes, put_i64, put_u64};

use crate::host::{Addresses, Closed, Due, Folded, Host, Refusal, Rows, Wakes};

pub const OPEN_MAX: usize = 256;
pub const KEYS_MAX: usize = 1 << 16;
/// Bytes that may be read and written until the cache is dropped: what is cached takes at most about three times as much, of 64 MiB.
const MOVED_BYTES_MAX: usize = 12 << 20;
const KEYS_AT_ONCE: usize = 1_024;
const FORMAT: u8 = 1;

#[derive(Clone, Debug)]
struct Session {
    start: i64,
    last: i64,
    words: Vec<u64>,
    sketches: Vec<Sketch>,
}

pub struct Sessions {
    layout: Layout,
    gap_ns: i64,
    lateness_ns: i64,
    /// Of cached keys their open sessions by time.
    open: BTreeMap<u32, Vec<Session>>,
    moved_bytes: usize,
}

impl Sessions {
    pub fn new(layout: Layout, gap_ns: i64, lateness_ns: i64) -> Self {
        Self { layout, gap_ns, lateness_ns, open: BTreeMap::new(), moved_bytes: 0 }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn fold(
        &mut self,
        watermark_ns: i64,
        forgotten: &[u8],
        rows: &Rows<'_>,
        host: &mut impl Host,
    ) -> Result<Folded, Refusal> {
        self.forget(forgotten);
        let times: Vec<i64> =
            rows.time.as_chunks::<8>().0.iter().map(|time| i64::from_le_bytes(*time)).collect();
        let key_of =
            |row: usize| rows.keys.as_chunks::<4>().0.get(row).map_or(0, |key| u32::from_le_bytes(*key));
        let touched: BTreeSet<u32> = (0..times.len()).map(key_of).collect();
        self.load(touched.iter().copied(), host)?;
        let mut folded = Folded::default();
        let mut over = Vec::new();
        let mut changed = BTreeSet::new();
        for (row, time) in times.into_iter().enumerate() {
            let number = (row as u32).to_le_bytes();
            let closes = time.checked_add(self.gap_ns).and_then(|end| end.checked_add(self.lateness_ns));
            let Some(closes) = closes.filter(|closes| *closes < i64::MAX) else {
                folded.out_of_range.extend(number);
                continue;
            };
            if closes <= watermark_ns {
                folded.late.extend(number);
                continue;
            }
            let sessions = self.open.entry(key_of(row)).or_default();
            let Some(at) = place(&self.layout, sessions, time, self.gap_ns) else {
                over.extend(number);
                continue;
            };
            if let Some(session) = sessions.get_mut(at) {
                folded.not_finite += fold_row(&self.layout, session, row, rows.time, rows.columns);
            }
            changed.insert(key_of(row));
        }
        if !over.is_empty() {
            let message =
                format!("a key has {OPEN_MAX} open sessions; a longer gap or less lateness makes fewer");
            folded.refused = Some((over, Refusal { code: "sessions-over-limit".to_owned(), message }));
        }
        self.store(changed, host)?;
        Ok(folded)
    }

    /// Closes the sessions that ended until their timers.
    pub fn close(&mut self, forgotten: &[u8], due: Due<'_>, host: &mut impl Host) -> Result<Closed, Refusal> {
        self.forget(forgotten);
        let mut wakes = Wakes::default();
        let mut ends: BTreeMap<u32, i64> = BTreeMap::new();
        let mut order = Vec::new();
        for (key, slot, time) in due.iter() {
            if order.len() >= KEYS_AT_ONCE {
                wakes.push(key, slot, time);
            } else {
                order.push(key);
                ends.insert(key, time);
            }
        }
        self.load(order.iter().copied(), host)?;
        let (mut closed, mut all_words, mut all_cells) = (Closed::default(), Vec::new(), Vec::new());
        for key in &order {
            let until = ends.get(key).copied().unwrap_or(i64::MIN);
            let sessions = self.open.entry(*key).or_default();
            let ended =
                |session: &Session| session.last.saturating_add(self.gap_ns + self.lateness_ns) <= until;
            for session in sessions.iter().filter(|session| ended(session)) {
                closed.keys.extend_from_slice(&key.to_le_bytes());
                closed.starts.extend_from_slice(&session.start.to_le_bytes());
                closed.provisional.push(0);
                all_words.extend_from_slice(&session.words);
                all_cells.push(session.sketches.clone());
            }
            sessions.retain(|session| !ended(session));
        }
        closed.columns = self.layout.read_out(&all_words, &all_cells);
        closed.cells = all_cells;
        self.store(order.into_iter().collect(), host)?;
        wakes.set(host);
        Ok(closed)
    }

    fn forget(&mut self, forgotten: &[u8]) {
        if self.open.len() > KEYS_MAX || self.moved_bytes > MOVED_BYTES_MAX {
            self.open.clear();
            self.moved_bytes = 0;
        }
        for key in forgotten.as_chunks::<4>().0 {
            self.open.remove(&u32::from_le_bytes(*key));
        }
    }

    fn load(&mut self, keys: impl Iterator<Item = u32>, host: &mut impl Host) -> Result<(), Refusal> {
        let missing: Vec<u32> = keys.filter(|key| !self.open.contains_key(key)).collect();
        let mut wanted = Addresses::default();
        missing.iter().for_each(|key| wanted.push(*key, 0));
        if wanted.is_empty() {
            return Ok(());
        }
        for (key, bytes) in missing.iter().zip(host.read_bytes(&wanted.keys, &wanted.starts)) {
            self.moved_bytes += bytes.len();
            let sessions = read(&self.layout, &bytes).map_err(|_| Refusal::damaged())?;
            self.open.insert(*key, sessions);
        }
        Ok(())
    }

    /// Writes the sessions of keys, or removes them, and sets each key's timer to the first end.
    fn store(&mut self, keys: BTreeSet<u32>, host: &mut impl Host) -> Result<(), Refusal> {
        let (mut written, mut gone, mut values) = (Addresses::default(), Addresses::default(), Vec::new());
        let mut wakes = Wakes::default();
        for key in keys {
            let sessions = self.open.get(&key).map_or(&[][..], |sessions| sessions);
            match sessions.iter().map(|session| session.last).min() {
                Some(last) => {
                    written.push(key, 0);
                    let bytes = bytes(sessions);
                    self.moved_bytes += bytes.len();
                    values.push(bytes);
                    wakes.push(key, 0, last + self.gap_ns + self.lateness_ns);
                }
                None => {
                    gone.push(key, 0);
                    self.open.remove(&key);
                }
            }
        }
        if !gone.is_empty() {
            host.remove_bytes(&gone.keys, &gone.starts);
        }
        if !written.is_empty() {
            host.write_bytes(&written.keys, &written.starts, &values)?;
        }
        wakes.set(host);
        Ok(())
    }
}

/// The session that a row of that time belongs to: one that is near enough, two that it joins, or a new one; none where there are too many.
fn place(layout: &Layout, sessions: &mut Vec<Session>, time: i64, gap_ns: i64) -> Option<usize> {
    let is_near = |session: &Session| {
        time >= session.start.saturating_sub(gap_ns) && time <= session.last.saturating_add(gap_ns)
    };
    let Some(at) = sessions.iter().position(is_near) else {
        if sessions.len() >= OPEN_MAX {
            return None;
        }
        let mut words = vec![0; layout.words];
        layout.begin(&mut words);
        let at = sessions.partition_point(|session| session.start < time);
        sessions.insert(at, Session { start: time, last: time, words, sketches: sketches::new(layout) });
        return Some(at);
    };
    if sessions.get(at + 1).is_some_and(is_near) {
        let later = sessions.remove(at + 1);
        if let Some(session) = sessions.get_mut(at) {
            words::merge(layout, &mut session.words, &later.words);
            sketches::merge(&mut session.sketches, &later.sketches);
            session.last = later.last;
        }
    }
    if let Some(session) = sessions.get_mut(at) {
        session.start = session.start.min(time);
        session.last = session.last.max(time);
    }
    Some(at)
}

/// One row into one session. It stands as the second cell, since base 0 is for rows that do not count.
fn fold_row(layout: &Layout, session: &mut Session, row: usize, time: &[u8], columns: &Columns<'_>) -> u64 {
    let base = layout.stride();
    let mut both = vec![0; base];
    both.extend_from_slice(&session.words);
    words::increment(&mut both, base);
    let not_finite = words::fold(layout, row, &[base as u32], time, columns, &mut both);
    session.words.copy_from_slice(both.get(base..).unwrap_or_default());
    let mut cells = [Vec::new(), std::mem::take(&mut session.sketches)];
    sketches::fold(layout, row, &[base as u32], columns, &mut cells);
    let [_, folded] = cells;
    session.sketches = folded;
    not_finite
}

fn bytes(sessions: &[Session]) -> Vec<u8> {
    let mut out = vec![FORMAT];
    put_u64(&mut out, sessions.len() as u64);
    for session in sessions {
        put_i64(&mut out, session.start);
        put_i64(&mut out, session.last - session.start);
        for word in &session.words {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let mut sketched = Vec::new();
        sketches::put(&session.sketches, &mut sketched);
        put_bytes(&mut out, &sketched);
    }
    out
}

fn read(layout: &Layout, bytes: &[u8]) -> Result<Vec<Session>, Damaged> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORMAT {
        return Err(Damaged);
    }
    let count = reader.u64()? as usize;
    let mut sessions = Vec::new();
    for _ in 0..count.min(OPEN_MAX) {
        let start = reader.i64()?;
        let last = start.checked_add(reader.i64()?).ok_or(Damaged)?;
        let words = (0..layout.words).map(|_| reader.f64().map(f64::to_bits)).collect::<Result<_, _>>()?;
        let sketches = sketches::read(layout, reader.bytes()?)?;
        sessions.push(Session { start, last, words, sketches });
    }
    reader.finish()?;
    Ok(sessions)
}
