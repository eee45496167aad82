//! A set of places, a bit for each: 64 neighbouring handles of a table's slot are one word.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::layer::Address;

/// An address in the table of that number.
pub type Place = (u16, Address);

const WORD: u32 = 64;

#[derive(Debug, Default, Clone)]
pub struct Marks {
    words: HashMap<(u16, u32, i64), u64, FixedState>,
}

impl Marks {
    /// Empty, with room for as many as there are in another one: growing would hold records up.
    pub fn as_large_as(other: &Self) -> Self {
        Self { words: HashMap::with_capacity_and_hasher(other.words.len(), FixedState::default()) }
    }

    pub fn insert(&mut self, (table, (handle, slot)): Place) {
        *self.words.entry((table, handle / WORD, slot)).or_default() |= 1 << (handle % WORD);
    }

    pub fn contains(&self, (table, (handle, slot)): Place) -> bool {
        let word = self.words.get(&(table, handle / WORD, slot)).copied().unwrap_or(0);
        word & (1 << (handle % WORD)) != 0
    }

    /// By table, handle and slot.
    pub fn sorted(&self) -> Vec<Place> {
        let len = self.words.values().map(|word| word.count_ones() as usize).sum();
        let mut words: Vec<_> = self.words.iter().collect();
        words.sort_unstable();
        let mut sorted = Vec::with_capacity(len);
        for (&(table, page, slot), &word) in words {
            sorted.extend(bits(word).map(|bit| (table, (page * WORD + bit, slot))));
        }
        // Slots of one word follow each other, and their handles are one among the other.
        sorted.sort();
        sorted
    }
}

impl FromIterator<Place> for Marks {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Self {
        let mut marks = Self::default();
        places.into_iter().for_each(|place| marks.insert(place));
        marks
    }
}

/// Numbers of the bits that are set, rising.
pub fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_in_order(places in proptest::collection::vec((0..2_u16, (0..200_u32, -1..2_i64)), 0..200)) {
            let marks: Marks = places.iter().copied().collect();
            let plain: BTreeSet<Place> = places.into_iter().collect();
            prop_assert_eq!(marks.sorted(), plain.iter().copied().collect::<Vec<_>>());
            for place in [(0, (63, 0)), (0, (64, 0)), (1, (5, -1))] {
                prop_assert_eq!(marks.contains(place), plain.contains(&place));
            }
        }
    }
}
