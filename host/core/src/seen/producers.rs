//! Which events of which producers were accepted: a producer numbers its events, and one that comes again is known by its number.
//!
//! In: batches of sources that name the columns, on columns, row by row in one pass. Out: the rows that came before ([`Found`]). Per producer all numbers below
//! one and the runs above it ([`Ranges`]); [`RUNS_MAX`] holes are kept open, then the lowest is given up and counted: what still comes of it counts as seen.
//!
//! Bounds: [`PRODUCERS_MAX`] of all sources, then a sixteenth goes, those silent longest; [`RUNS_ALL_MAX`] runs in all, beyond which each producer keeps [`RUNS_MIN`].
//! All of it follows from the log alone, so that a replay comes to the same.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::ranges::Ranges;
use crate::batch::DICTIONARY_ID;
use crate::config::DedupSpec;

pub const PRODUCERS_MAX: usize = 100_000;
/// Holes of one producer that stay open.
pub const RUNS_MAX: usize = 4_096;
pub const RUNS_ALL_MAX: usize = 1 << 20;
/// Beyond [`RUNS_ALL_MAX`].
pub const RUNS_MIN: usize = 16;
/// Longest name of a producer; events of one with a longer one are not known again.
pub const NAME_BYTES_MAX: usize = 256;
/// Dictionaries whose codes are known: those of the threads of one source, and of a few streams.
const CACHES_MAX: usize = 8;
/// From here on more than one whole number is the same float.
const FLOAT_END: f64 = 9_007_199_254_740_992.0;
const NOWHERE: u32 = u32::MAX;

/// What one batch has that was there before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Rising.
    pub duplicates: Vec<u32>,
    /// Rows without a producer or a number: they are taken.
    pub unidentified: u64,
}

#[derive(Debug)]
pub(super) struct Producer {
    pub name: Arc<str>,
    pub ranges: Ranges,
    /// Offset of the record of its newest event.
    pub at: u64,
    /// It is not in a checkpoint as it is.
    pub changed: bool,
}

#[derive(Debug)]
struct Cache {
    dictionary: String,
    /// Of each code; [`NOWHERE`]: not asked yet.
    slots: Vec<u32>,
}

#[derive(Debug, Default)]
pub(super) struct OfSource {
    /// None: the source does not ask for it any more.
    pub fields: Option<Arc<DedupSpec>>,
    by_name: HashMap<Arc<str>, u32, FixedState>,
    pub slots: Vec<Producer>,
    caches: Vec<Cache>,
    oldest_cache: usize,
}

#[derive(Debug, Default)]
pub struct Producers {
    pub(super) sources: HashMap<Arc<str>, OfSource, FixedState>,
    asked: bool,
    pub(super) count: usize,
    pub(super) runs: usize,
    pub evicted_total: u64,
    /// Numbers that never came and are not waited for any more.
    pub given_up_total: u64,
    /// Source and name, for a checkpoint.
    pub(super) gone: Vec<(Arc<str>, Arc<str>)>,
}

impl Producers {
    pub fn configure<'a>(&mut self, specs: impl Iterator<Item = (&'a Arc<str>, &'a DedupSpec)>) {
        self.sources.values_mut().for_each(|source| source.fields = None);
        self.asked = false;
        for (name, spec) in specs {
            self.sources.entry(Arc::clone(name)).or_default().fields = Some(Arc::new(spec.clone()));
            self.asked = true;
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Marks the rows of a batch that is about to be the record at `offset`. None: its source does not ask for it.
    pub fn take(&mut self, source: &Arc<str>, columns: &RecordBatch, offset: u64) -> Option<Found> {
        if !self.asked {
            return None;
        }
        let of_source = self.sources.get_mut(source)?;
        let fields = of_source.fields.clone()?;
        let mut found = Found::default();
        let numbers = columns.column_by_name(&fields.seq).and_then(Numbers::of);
        let names = columns.column_by_name(&fields.producer);
        let (Some(numbers), Some(names)) = (numbers, names) else {
            found.unidentified = columns.num_rows() as u64;
            return Some(found);
        };
        let before = of_source.slots.len();
        let mut marking =
            Marking { source: of_source, numbers, offset, found, runs: self.runs, given_up: 0, last: None };
        let dictionary = columns.schema_ref().field_with_name(&fields.producer).ok();
        let dictionary = dictionary.and_then(|field| field.metadata().get(DICTIONARY_ID));
        marking.all(names, dictionary.map(String::as_str));
        let Marking { found, runs, given_up, source: of_source, .. } = marking;
        self.count += of_source.slots.len() - before;
        self.runs = runs;
        self.given_up_total += given_up;
        if self.count > PRODUCERS_MAX {
            self.evict();
        }
        Some(found)
    }

    /// What a checkpoint knew.
    pub(super) fn restore(&mut self, source: &str, name: &str, at: u64, ranges: Ranges) {
        let of_source = self.sources.entry(source.into()).or_default();
        let slot = of_source.slot(name, at);
        let Some(producer) = of_source.slots.get_mut(slot as usize) else { return };
        self.runs += ranges.len();
        producer.ranges = ranges;
        producer.changed = false;
        self.count += 1;
    }

    /// A sixteenth of them, those silent longest.
    fn evict(&mut self) {
        let mut ages: Vec<u64> =
            self.sources.values().flat_map(|source| &source.slots).map(|producer| producer.at).collect();
        let drop_count = PRODUCERS_MAX / 16;
        let (_, bound, _) = ages.select_nth_unstable(drop_count.min(self.count.saturating_sub(1)));
        let bound = *bound;
        for (name, source) in &mut self.sources {
            for gone in source.slots.extract_if(.., |producer| producer.at < bound) {
                self.runs -= gone.ranges.len();
                self.count -= 1;
                self.evicted_total += 1;
                self.gone.push((Arc::clone(name), gone.name));
            }
            source.renumber();
        }
        // All of one record: there is no oldest.
        if self.count > PRODUCERS_MAX {
            for (name, source) in &mut self.sources {
                let keep = source.slots.len().min(PRODUCERS_MAX - drop_count);
                for gone in source.slots.drain(keep..) {
                    self.runs -= gone.ranges.len();
                    self.count -= 1;
                    self.evicted_total += 1;
                    self.gone.push((Arc::clone(name), gone.name));
                }
                source.renumber();
            }
        }
    }
}

impl OfSource {
    fn renumber(&mut self) {
        self.caches.clear();
        self.by_name.clear();
        let numbered = self.slots.iter().enumerate();
        self.by_name.extend(numbered.map(|(slot, producer)| (Arc::clone(&producer.name), slot as u32)));
    }

    fn slot(&mut self, name: &str, at: u64) -> u32 {
        if let Some(slot) = self.by_name.get(name) {
            return *slot;
        }
        let (slot, name) = (self.slots.len() as u32, Arc::<str>::from(name));
        self.by_name.insert(Arc::clone(&name), slot);
        self.slots.push(Producer { name, ranges: Ranges::default(), at, changed: true });
        slot
    }

    /// Known codes of a dictionary, whose names are only ever appended to.
    fn cache(&mut self, dictionary: &str) -> usize {
        if let Some(known) = self.caches.iter().position(|cache| cache.dictionary == dictionary) {
            return known;
        }
        let cache = Cache { dictionary: dictionary.to_owned(), slots: Vec::new() };
        if self.caches.len() < CACHES_MAX {
            self.caches.push(cache);
            return self.caches.len() - 1;
        }
        self.oldest_cache = (self.oldest_cache + 1) % CACHES_MAX;
        let place = self.oldest_cache;
        if let Some(old) = self.caches.get_mut(place) {
            *old = cache;
        }
        place
    }
}

/// One pass over a batch.
struct Marking<'a> {
    source: &'a mut OfSource,
    numbers: Numbers<'a>,
    offset: u64,
    found: Found,
    /// Of all producers.
    runs: usize,
    given_up: u64,
    /// Code or number of the row before, and its slot.
    last: Option<(u64, u32)>,
}

impl Marking<'_> {
    fn all(&mut self, names: &ArrayRef, dictionary: Option<&str>) {
        let rows = names.len();
        if let Some(coded) = names.as_dictionary_opt::<UInt32Type>() {
            let Some(texts) = coded.values().as_string_opt::<i32>() else { return self.none(rows) };
            let cache = dictionary.map(|dictionary| self.source.cache(dictionary));
            for (row, code) in coded.keys().iter().enumerate() {
                let slot = code.and_then(|code| self.slot_of_code(texts, code, cache));
                self.mark(row, slot);
            }
        } else if let Some(texts) = names.as_string_opt::<i32>() {
            for (row, name) in texts.iter().enumerate() {
                let slot = name.and_then(|name| self.slot_of_name(name));
                self.mark(row, slot);
            }
        } else if let Some(numbers) = Numbers::of(names) {
            for row in 0..rows {
                let slot = numbers.at(row).and_then(|number| self.slot_of_number(number));
                self.mark(row, slot);
            }
        } else {
            self.none(rows);
        }
    }

    fn none(&mut self, rows: usize) {
        self.found.unidentified += rows as u64;
    }

    fn slot_of_name(&mut self, name: &str) -> Option<u32> {
        let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        fits.then(|| self.source.slot(name, self.offset))
    }

    fn slot_of_number(&mut self, number: u64) -> Option<u32> {
        if let Some((_, slot)) = self.last.filter(|(last, _)| *last == number) {
            return Some(slot);
        }
        let slot = self.source.slot(&number.to_string(), self.offset);
        self.last = Some((number, slot));
        Some(slot)
    }

    fn slot_of_code(&mut self, texts: &StringArray, code: u32, cache: Option<usize>) -> Option<u32> {
        if let Some((_, slot)) = self.last.filter(|(last, _)| *last == u64::from(code)) {
            return Some(slot);
        }
        let place = code as usize;
        let cached = |source: &OfSource| source.caches.get(cache?)?.slots.get(place).copied();
        let slot = match cached(self.source).filter(|slot| *slot != NOWHERE) {
            Some(slot) => slot,
            None => {
                let name = (place < texts.len()).then(|| texts.value(place))?;
                let slot = self.slot_of_name(name)?;
                if let Some(cache) = cache.and_then(|cache| self.source.caches.get_mut(cache)) {
                    if cache.slots.len() <= place {
                        cache.slots.resize(place + 1, NOWHERE);
                    }
                    if let Some(known) = cache.slots.get_mut(place) {
                        *known = slot;
                    }
                }
                slot
            }
        };
        self.last = Some((u64::from(code), slot));
        Some(slot)
    }

    fn mark(&mut self, row: usize, slot: Option<u32>) {
        let number = self.numbers.at(row);
        let producer = slot.and_then(|slot| self.source.slots.get_mut(slot as usize));
        let (Some(number), Some(producer)) = (number, producer) else {
            self.found.unidentified += 1;
            return;
        };
        let before = producer.ranges.len();
        if !producer.ranges.insert(number) {
            self.found.duplicates.push(row as u32);
            return;
        }
        (producer.at, producer.changed) = (self.offset, true);
        let mut runs = producer.ranges.len();
        if runs > before {
            let bound = if self.runs >= RUNS_ALL_MAX { RUNS_MIN } else { RUNS_MAX };
            while runs > bound {
                self.given_up += producer.ranges.give_up();
                runs = producer.ranges.len();
            }
        }
        self.runs = (self.runs + runs).saturating_sub(before);
    }
}

/// Whole numbers from 0 on, whatever the type of the column.
enum Numbers<'a> {
    Signed(&'a Int64Array),
    Unsigned(&'a UInt64Array),
    Floats(&'a Float64Array),
    /// One event that has something else there makes the column text for all.
    Texts(&'a StringArray),
    Coded(&'a UInt32Array, &'a StringArray),
}

/// A number as it stands where a column of numbers became text.
fn of_text(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|number| plain && *number <= i64::MAX as u64)
}

impl<'a> Numbers<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        column
            .as_primitive_opt::<Int64Type>()
            .map(Self::Signed)
            .or_else(|| column.as_primitive_opt::<UInt64Type>().map(Self::Unsigned))
            .or_else(|| column.as_primitive_opt::<Float64Type>().map(Self::Floats))
            .or_else(|| column.as_string_opt::<i32>().map(Self::Texts))
            .or_else(|| {
                let coded = column.as_dictionary_opt::<UInt32Type>()?;
                Some(Self::Coded(coded.keys(), coded.values().as_string_opt::<i32>()?))
            })
    }

    fn at(&self, row: usize) -> Option<u64> {
        match self {
            Self::Signed(numbers) if numbers.is_valid(row) => u64::try_from(numbers.value(row)).ok(),
            Self::Unsigned(numbers) if numbers.is_valid(row) => {
                Some(numbers.value(row)).filter(|number| *number <= i64::MAX as u64)
            }
            Self::Floats(numbers) if numbers.is_valid(row) => {
                let number = numbers.value(row);
                let whole = (0.0..FLOAT_END).contains(&number) && number.fract() == 0.0;
                whole.then_some(number as u64)
            }
            Self::Texts(texts) if texts.is_valid(row) => of_text(texts.value(row)),
            Self::Coded(codes, names) if codes.is_valid(row) => {
                let code = codes.value(row) as usize;
                (code < names.len()).then(|| names.value(code)).and_then(of_text)
            }
            _ => None,
        }
    }
}
