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
use hashbrown::HashTable;

use crate::same::same;

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

#[derive(Debug)]
pub(crate) struct Dictionary {
    pub id: u64,
    /// Values coded so far, for the share of names.
    pub values: u64,
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    codes: HashTable<u32>,
    state: RandomState,
    /// The names as last shown; none when names came since.
    shown: Option<ArrayRef>,
}

impl Dictionary {
    pub fn new() -> Self {
        Self {
            id: new_dictionary_id(),
            values: 0,
            offsets: vec![0],
            bytes: Vec::new(),
            codes: HashTable::new(),
            state: RandomState::default(),
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

    pub fn code(&mut self, text: &[u8]) -> u32 {
        let hash = hash(&self.state, text);
        let Self { offsets, bytes, codes, .. } = self;
        if let Some(code) = codes.find(hash, |code| same(name(offsets, bytes, *code), text)) {
            return *code;
        }
        self.append(hash, text)
    }

    pub fn name(&self, code: u32) -> &[u8] {
        name(&self.offsets, &self.bytes, code)
    }

    #[inline(never)]
    fn append(&mut self, hash_of_text: u64, text: &[u8]) -> u32 {
        let code = self.names() as u32;
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i32);
        let Self { offsets, bytes, codes, state, .. } = self;
        codes.insert_unique(hash_of_text, code, |code| hash(state, name(offsets, bytes, *code)));
        self.shown = None;
        code
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

fn name<'a>(offsets: &[i32], bytes: &'a [u8], code: u32) -> &'a [u8] {
    match offsets.get(code as usize..code as usize + 2) {
        Some([start, end]) => bytes.get(*start as usize..*end as usize).unwrap_or_default(),
        _ => &[],
    }
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
}
