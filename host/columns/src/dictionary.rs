//! The names of one text column, as codes that live across batches.
//!
//! In: texts; out: u32 codes and, at the end of a batch, the array of names. Under one id names are only appended, so that a reader's
//! work for a code stays good.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::ArrowError;
use foldhash::fast::RandomState;

use crate::words::Words;

/// Values after which the share of names says something.
const JUDGED_FROM_VALUES: u64 = 256;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A dictionary id that was not given before in this process, nor, behind [`begin_dictionary_ids`], on this log.
pub fn new_dictionary_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// From here on ids are of this epoch, which no earlier process on the same log had: those of batches that are replayed are never given again.
pub fn begin_dictionary_ids(epoch: u32) {
    NEXT_ID.store((u64::from(epoch) << 32) | 1, Ordering::Relaxed);
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    words: Words,
    code: u32,
}

/// The words of no text.
const EMPTY: Slot = Slot { words: Words::NONE, code: 0 };

/// Places for codes at first; a power of two.
const SLOTS_FIRST: usize = 32;

#[derive(Debug)]
pub(crate) struct Dictionary {
    pub id: u64,
    /// Values coded so far, for the share of names.
    pub values: u64,
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    /// The names as words, most of which say all, with their codes, at the places of their hashes or behind them; at least half of them are [`EMPTY`].
    slots: Vec<Slot>,
    state: RandomState,
    seeds: [u64; 2],
    /// The names as last shown; none when names came since.
    shown: Option<ArrayRef>,
}

impl Dictionary {
    pub fn new() -> Self {
        let state = RandomState::default();
        Self {
            id: new_dictionary_id(),
            values: 0,
            offsets: vec![0],
            bytes: Vec::new(),
            slots: vec![EMPTY; SLOTS_FIRST],
            seeds: [state.hash_one(0u8), state.hash_one(1u8)],
            state,
            shown: None,
        }
    }

    pub fn names(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn names_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether codes are worth their table: names repeat.
    pub fn pays(&self) -> bool {
        self.values < JUDGED_FROM_VALUES || self.names() as u64 * 2 <= self.values
    }

    #[inline(always)]
    pub fn code(&mut self, text: &[u8]) -> u32 {
        let words = Words::of(text);
        if !words.say_all() {
            return self.code_of_long(words, text);
        }
        let (places, hash) = (self.slots.len() - 1, words.hash(self.seeds));
        let mut place = hash as usize & places;
        while let Some(slot) = self.slots.get(place) {
            if slot.words == words {
                return slot.code;
            }
            if slot.words == Words::NONE {
                break;
            }
            place = (place + 1) & places;
        }
        self.append(words, place, text)
    }

    #[inline(never)]
    fn code_of_long(&mut self, words: Words, text: &[u8]) -> u32 {
        let places = self.slots.len() - 1;
        let mut place = hash(&self.state, text) as usize & places;
        while let Some(slot) = self.slots.get(place).filter(|slot| slot.words != Words::NONE) {
            if slot.words == words && self.name(slot.code) == text {
                return slot.code;
            }
            place = (place + 1) & places;
        }
        self.append(words, place, text)
    }

    pub fn name(&self, code: u32) -> &[u8] {
        match self.offsets.get(code as usize..code as usize + 2) {
            Some([start, end]) => self.bytes.get(*start as usize..*end as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    #[inline(never)]
    fn append(&mut self, words: Words, place: usize, text: &[u8]) -> u32 {
        let code = self.names() as u32;
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i32);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Slot { words, code };
        }
        if self.names() * 2 > self.slots.len() {
            self.grow();
        }
        self.shown = None;
        code
    }

    /// Twice the places.
    fn grow(&mut self) {
        let places = self.slots.len() * 2 - 1;
        let mut slots = vec![EMPTY; places + 1];
        for slot in self.slots.iter().filter(|slot| slot.words != Words::NONE) {
            let hash = match slot.words.say_all() {
                true => slot.words.hash(self.seeds),
                false => hash(&self.state, self.name(slot.code)),
            };
            let mut place = hash as usize & places;
            while slots.get(place).is_some_and(|other| other.words != Words::NONE) {
                place = (place + 1) & places;
            }
            if let Some(free) = slots.get_mut(place) {
                *free = *slot;
            }
        }
        self.slots = slots;
    }

    /// All names; the same array as long as none is added.
    pub fn array(&mut self) -> Result<ArrayRef, ArrowError> {
        if let Some(array) = &self.shown {
            return Ok(array.clone());
        }
        let offsets = OffsetBuffer::new(self.offsets.clone().into());
        let array: ArrayRef =
            Arc::new(StringArray::try_new(offsets, Buffer::from_slice_ref(&self.bytes), None)?);
        self.shown = Some(array.clone());
        Ok(array)
    }
}

fn hash(state: &RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_codes_in_order_and_the_array_grows_only_with_them() {
        let mut dictionary = Dictionary::new();
        assert_eq!((dictionary.code(b"a"), dictionary.code(b"b"), dictionary.code(b"a")), (0, 1, 0));
        let shown = dictionary.array().unwrap();
        assert!(Arc::ptr_eq(&shown, &dictionary.array().unwrap()));
        assert_eq!(dictionary.code(b"c"), 2);
        assert_eq!((shown.len(), dictionary.array().unwrap().len()), (2, 3));
    }

    #[test]
    fn thousands_of_names_of_all_lengths_keep_their_codes() {
        const COUNT: usize = if cfg!(miri) { 500 } else { 20_000 };
        let mut dictionary = Dictionary::new();
        let names: Vec<Vec<u8>> = (0..COUNT)
            .map(|number| {
                let text = format!("{number:x}");
                // Long ones differ in the middle, where no word looks.
                match number % 3 {
                    0 => text.into_bytes(),
                    _ => [&b"a long beginning "[..], text.as_bytes(), b" and a long end"].concat(),
                }
            })
            .collect();
        for _ in 0..2 {
            for (code, name) in (0..).zip(&names) {
                assert_eq!(dictionary.code(name), code);
                assert_eq!(dictionary.name(code), name);
            }
        }
        assert_eq!(dictionary.code(b""), COUNT as u32);
    }
}
