//! The dead letters that are kept: a bounded box, and what a file of it has still to learn.
//!
//! In: letters as records make them, and ids of those that are given back or dropped. Out: letters by id, in the order of the log; and, for [`file::LetterFile`], what is to be
//! written. Bounds: [`Keep`]; the oldest go first and are counted. A letter is held as the bytes that its file has of it ([`form`]).
//!
//! Each is there once: one whose id is there already, or is gone (dropped, given back, pushed out), is not taken again, so that a record may be run as often as a replay of the
//! journal wants. Ids that are gone are remembered as long as the journal may be replayed from before them, at most [`GONE_MAX`] of them.
//!
//! Nothing is written before the record that it comes from is durable: after a crash another record may get its offset. See `docs/dead-letters.md`.

pub mod file;
pub mod form;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use weir_core::letter::{DeadLetter, LetterId, LetterOf};

/// Ids that are remembered as gone; beyond it the oldest are forgotten.
const GONE_MAX: usize = 65_536;
/// What a letter takes beside its bytes.
const OVERHEAD_BYTES: u64 = 256;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub rows: u64,
    pub bytes: u64,
    pub age_ns: i64,
}

impl Keep {
    pub const ALL: Self = Self { rows: u64::MAX, bytes: u64::MAX, age_ns: i64::MAX };

    fn or_more(self, other: Self) -> Self {
        Self {
            rows: self.rows.max(other.rows),
            bytes: self.bytes.max(other.bytes),
            age_ns: self.age_ns.max(other.age_ns),
        }
    }
}

/// A letter as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub id: LetterId,
    pub pipeline: Arc<str>,
    pub code: Arc<str>,
    pub of: LetterOf,
    pub attempts: u32,
    pub rows: u32,
    /// Position and row of its first event, as which it came in.
    pub event: (u64, u32),
    pub at_unix_ns: i64,
    /// All of it.
    pub bytes: Arc<[u8]>,
}

impl Kept {
    pub fn of(letter: &DeadLetter) -> Self {
        Self { bytes: form::put(letter).into(), ..Self::of_head(letter) }
    }

    /// None where the bytes make no letter.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let letter = form::take(bytes)?;
        Some(Self { bytes: bytes.into(), ..Self::of_head(&letter) })
    }

    fn of_head(letter: &DeadLetter) -> Self {
        let (pipeline, code) = (Arc::clone(&letter.pipeline), letter.code.as_str().into());
        let (id, rows) = (letter.id.clone(), letter.rows() as u32);
        let (of, attempts, at_unix_ns) = (letter.of, letter.attempts, letter.at_unix_ns);
        let event = (letter.batch.position.offset, letter.batch.row_ids.get(0));
        Self { id, pipeline, code, of, attempts, rows, event, at_unix_ns, bytes: Arc::new([]) }
    }

    pub fn letter(&self) -> Option<DeadLetter> {
        form::take(&self.bytes)
    }

    fn cost(&self) -> u64 {
        self.bytes.len() as u64 + OVERHEAD_BYTES
    }
}

/// How a letter ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Dropped,
    /// Given to its unit again.
    Replayed,
    /// There were too many.
    Evicted,
    /// It was too old.
    Expired,
}

/// Rows, of this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub made: u64,
    pub dropped: u64,
    pub replayed: u64,
    pub evicted: u64,
    pub expired: u64,
}

/// One that is gone, which the file does not know yet.
#[derive(Debug)]
struct Unwritten {
    /// The record at this offset ended it; until that is durable it may not have.
    because: u64,
    id: LetterId,
    /// What the file must go on to have until then.
    kept: Option<Kept>,
}

/// What a file is to be told.
#[derive(Debug, Default)]
pub struct Change {
    pub letters: Vec<Arc<[u8]>>,
    pub gone: Vec<LetterId>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty() && self.gone.is_empty()
    }
}

#[derive(Debug, Default)]
pub struct Letters {
    /// None: all, as long as nobody has said.
    keep: Option<Keep>,
    kept: BTreeMap<LetterId, Kept>,
    rows: u64,
    bytes: u64,
    gone: BTreeSet<LetterId>,
    /// A file is told of all changes.
    has_file: bool,
    /// Kept, and not in the file yet.
    fresh: BTreeSet<LetterId>,
    unwritten: Vec<Unwritten>,
    /// How many letters units have.
    by_unit: HashMap<Arc<str>, u64, FixedState>,
    pub totals: Totals,
}

impl Letters {
    /// What a file had.
    pub fn restore(&mut self, letters: Vec<Kept>, gone: impl IntoIterator<Item = LetterId>) {
        self.has_file = true;
        self.gone.extend(gone);
        for kept in letters {
            if !self.gone.contains(&kept.id) && !self.kept.contains_key(&kept.id) {
                self.put(kept);
            }
        }
        self.evict();
    }

    fn put(&mut self, kept: Kept) {
        self.rows += u64::from(kept.rows);
        self.bytes += kept.cost();
        *self.by_unit.entry(Arc::clone(&kept.id.unit)).or_default() += 1;
        self.kept.insert(kept.id.clone(), kept);
    }

    fn remove(&mut self, id: &LetterId) -> Option<Kept> {
        let kept = self.kept.remove(id)?;
        self.rows -= u64::from(kept.rows);
        self.bytes -= kept.cost();
        if let Some(letters) = self.by_unit.get_mut(&id.unit) {
            *letters -= 1;
            if *letters == 0 {
                self.by_unit.remove(&id.unit);
            }
        }
        Some(kept)
    }

    pub fn keep(&mut self, keep: Keep) {
        self.keep = Some(keep);
        self.evict();
    }

    /// While the past is run again, what a configuration of then would push out may be what the one of now keeps: bounds only grow.
    pub fn keep_at_least(&mut self, keep: Keep) {
        let there = Keep { rows: self.rows, bytes: self.bytes, age_ns: i64::MAX };
        self.keep = Some(self.keep.unwrap_or(there).or_more(keep));
    }

    /// False: it was there before.
    pub fn take(&mut self, kept: Kept) -> bool {
        if self.kept.contains_key(&kept.id) || self.gone.contains(&kept.id) {
            return false;
        }
        self.totals.made += u64::from(kept.rows);
        if self.has_file {
            self.fresh.insert(kept.id.clone());
        }
        self.put(kept);
        self.evict();
        true
    }

    /// Ends a letter because of the record at `because`. It will not come again, whether it is there or not.
    pub fn end(&mut self, id: &LetterId, because: u64, end: End) -> Option<Kept> {
        let kept = self.remove(id);
        let rows = kept.as_ref().map_or(0, |kept| u64::from(kept.rows));
        match end {
            End::Dropped => self.totals.dropped += rows,
            End::Replayed => self.totals.replayed += rows,
            End::Evicted => self.totals.evicted += rows,
            End::Expired => self.totals.expired += rows,
        }
        let was_fresh = self.fresh.remove(id);
        let is_new = self.gone.insert(id.clone());
        while self.gone.len() > GONE_MAX {
            self.gone.pop_first();
        }
        if self.has_file && (is_new || kept.is_some()) {
            let until_then = kept.clone().filter(|_| end == End::Replayed && !was_fresh);
            self.unwritten.push(Unwritten { because, id: id.clone(), kept: until_then });
        }
        kept
    }

    /// Those that are older than they may be.
    pub fn forget_old(&mut self, now_unix_ns: i64) {
        let oldest = now_unix_ns.saturating_sub(self.keep.unwrap_or(Keep::ALL).age_ns);
        while let Some((id, kept)) = self.kept.first_key_value() {
            if kept.at_unix_ns >= oldest {
                break;
            }
            let id = id.clone();
            self.end(&id, id.offset, End::Expired);
        }
    }

    fn evict(&mut self) {
        let keep = self.keep.unwrap_or(Keep::ALL);
        let newest = self.kept.last_key_value().map_or(0, |(id, _)| id.offset);
        while self.kept.len() > 1 && (self.rows > keep.rows || self.bytes > keep.bytes) {
            let Some(id) = self.kept.first_key_value().map(|(id, _)| id.clone()) else { break };
            self.end(&id, newest, End::Evicted);
        }
    }

    pub fn get(&self, id: &LetterId) -> Option<&Kept> {
        self.kept.get(id)
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.kept.values()
    }

    /// How many a unit has.
    pub fn of_unit(&self, unit: &str) -> u64 {
        self.by_unit.get(unit).copied().unwrap_or(0)
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the file has something to learn.
    pub fn is_dirty(&self) -> bool {
        !self.fresh.is_empty() || !self.unwritten.is_empty()
    }

    /// What the file may learn now that all records before `durable` are on disk. It counts as learned: after an error the file is made anew ([`Letters::whole`]).
    pub fn change(&mut self, durable: u64) -> Change {
        let later = self.fresh.split_off(&LetterId::first_of(durable));
        let ready = std::mem::replace(&mut self.fresh, later);
        let letters = ready.iter().filter_map(|id| self.kept.get(id)).map(|kept| Arc::clone(&kept.bytes));
        let letters = letters.collect();
        let gone = self.unwritten.extract_if(.., |ended| ended.because < durable).map(|ended| ended.id);
        Change { letters, gone: gone.collect() }
    }

    /// All that a new file is to have, by the same rule. No replay begins before `needed_from`.
    pub fn whole(&mut self, durable: u64, needed_from: u64) -> Change {
        let learned = self.change(durable);
        self.gone = self.gone.split_off(&LetterId::first_of(needed_from));
        let mut gone: BTreeSet<LetterId> = self.gone.iter().cloned().collect();
        gone.extend(learned.gone.into_iter().filter(|id| id.offset >= needed_from));
        let mut letters: Vec<Arc<[u8]>> = self
            .kept
            .values()
            .filter(|kept| !self.fresh.contains(&kept.id))
            .map(|kept| Arc::clone(&kept.bytes))
            .collect();
        for ended in &self.unwritten {
            gone.remove(&ended.id);
            letters.extend(ended.kept.as_ref().map(|kept| Arc::clone(&kept.bytes)));
        }
        Change { letters, gone: gone.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests;
