//! Keys that were seen before, found by their bytes: what shuffled keys are looked up in.
//!
//! In: where a row is (the context, the object) and a key as it stands between its quotes; out: the leaf that it names. A key of up to
//! [`KEY_BYTES_MAX`] bytes is two words and a length, so that finding it is one hash of two words, one line of memory and three comparisons.
//!
//! Bound: [`KEYS`] places, of which each key has two; a key takes the place of another. Longer keys, and those that lost their place, are looked
//! up by name.

use super::learned::Leaf;

/// Places; a power of two.
const KEYS: usize = 512;

/// Longest key; two words say it all.
const KEY_BYTES_MAX: usize = 16;

/// For each length from 1 on, the bytes of the two words that belong to the key.
const MASKS: [[u64; 2]; KEY_BYTES_MAX] = {
    let mut masks = [[0; 2]; KEY_BYTES_MAX];
    let mut length = 1;
    while length <= KEY_BYTES_MAX {
        let both = u128::MAX >> (128 - 8 * length);
        masks[length - 1] = [both as u64, (both >> 64) as u64];
        length += 1;
    }
    masks
};

/// A key as two words. The last is 0 where the first says all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    first: u64,
    last: u64,
    /// With the length in the highest bits, so that one comparison tells both; objects are far fewer.
    place: u64,
    context: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    words: Words,
    leaf: Leaf,
}

#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Empty until the first key is remembered.
    known: Vec<Option<Known>>,
}

impl Words {
    /// The key at `start` with `length` bytes; none: too long, or too near the end of `bytes` to be read by words.
    #[inline(always)]
    pub fn at(bytes: &[u8], start: usize, length: usize, context: u32, object: u32) -> Option<Self> {
        // Masks and no branches: the lengths of shuffled keys cannot be foretold.
        let [first_mask, last_mask] = MASKS.get(length.wrapping_sub(1))?;
        let both = u128::from_le_bytes(*bytes.get(start..)?.first_chunk::<KEY_BYTES_MAX>()?);
        let (first, last) = (both as u64 & first_mask, (both >> 64) as u64 & last_mask);
        Some(Self { first, last, place: (length as u64) << 32 | u64::from(object), context })
    }

    #[inline(always)]
    fn slot(&self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = self.first
            ^ self.last.rotate_left(23)
            ^ self.place.rotate_left(41)
            ^ u64::from(self.context) << 7;
        (mixed.wrapping_mul(ODD) >> 48) as usize % KEYS
    }
}

impl Keys {
    pub fn forget(&mut self) {
        self.known.clear();
    }

    #[inline(always)]
    pub fn find(&self, words: &Words) -> Option<Leaf> {
        let slot = words.slot();
        match self.known.get(slot) {
            Some(Some(known)) if known.words == *words => Some(known.leaf),
            _ => self.find_beside(slot, words),
        }
    }

    /// A key whose place another has stands in the one beside it.
    #[inline(never)]
    fn find_beside(&self, slot: usize, words: &Words) -> Option<Leaf> {
        let known = self.known.get(slot ^ 1)?.as_ref()?;
        (known.words == *words).then_some(known.leaf)
    }

    /// Notes the leaf of a name in an object.
    pub fn remember(&mut self, name: &[u8], context: u32, object: u32, leaf: Leaf) {
        let mut padded = [0; KEY_BYTES_MAX + 8];
        let Some(room) = padded.get_mut(..name.len()) else { return };
        room.copy_from_slice(name);
        // These stand with an escape in the text, and must not be found there without.
        if name.iter().any(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')) {
            return;
        }
        let Some(words) = Words::at(&padded, 0, name.len(), context, object) else { return };
        if self.known.is_empty() {
            self.known.resize(KEYS, None);
        }
        let slot = words.slot();
        let taken = |place: &Option<Known>| place.is_some_and(|known| known.words != words);
        let slot = if self.known.get(slot).is_some_and(taken) { slot ^ 1 } else { slot };
        if let Some(place) = self.known.get_mut(slot) {
            *place = Some(Known { words, leaf });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Role;

    #[test]
    fn a_key_is_found_by_all_of_its_bytes_its_object_and_its_context() {
        let name = b"abcdefghijklmnopq";
        for length in 0..=name.len() {
            let mut keys = Keys::default();
            let leaf = Leaf { node: 1, field: 2, canonical: 3, role: Role::Value };
            keys.remember(&name[..length], 4, 5, leaf);
            let text = [b"\"", &name[..length], b"\":12345678901234"].concat();
            let found = |text: &[u8], length, context, object| {
                Words::at(text, 1, length, context, object).and_then(|words| keys.find(&words)).is_some()
            };
            assert_eq!(found(&text, length, 4, 5), (1..=16).contains(&length), "{length}");
            assert!(
                !found(&text, length, 5, 5) && !found(&text, length, 4, 4) && !found(&text, length + 1, 4, 5)
            );
            for wrong in 1..=length {
                let mut other = text.clone();
                other[wrong] ^= 1;
                assert!(!found(&other, length, 4, 5), "{length} {wrong}");
            }
        }
    }

    #[test]
    fn a_key_that_stands_with_an_escape_is_not_found_without() {
        let leaf = Leaf { node: 1, field: 2, canonical: 3, role: Role::Value };
        for name in ["a\"b", "a\\b", "a\nb", "a/b"] {
            let mut keys = Keys::default();
            keys.remember(name.as_bytes(), 4, 5, leaf);
            let text = format!("{name}{}", " ".repeat(KEY_BYTES_MAX));
            let words = Words::at(text.as_bytes(), 0, name.len(), 4, 5).unwrap();
            assert_eq!(keys.find(&words).is_some(), name == "a/b", "{name}");
        }
    }
}
