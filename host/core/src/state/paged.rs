//! A map from addresses to small values, in which sixteen neighbouring handles of a slot lie side by side.
//!
//! Handles are given one after the other, so that most pages are full: a look-up meets the line of the last one as often as not, and the map is a sixteenth as long. An address whose
//! neighbours have nothing costs a page of its own, 80 bytes of `u32`.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::layer::Address;

const PAGE: u32 = 16;

#[derive(Debug, Clone)]
pub struct Paged<T> {
    pages: HashMap<(u32, i64), [T; PAGE as usize], FixedState>,
    /// Stands where there is no value; no value is like it.
    none: T,
    len: usize,
}

impl<T: Copy + PartialEq> Paged<T> {
    pub fn new(none: T) -> Self {
        Self { pages: HashMap::default(), none, len: 0 }
    }

    pub fn get(&self, (handle, slot): Address) -> Option<T> {
        let page = self.pages.get(&(handle / PAGE, slot))?;
        page.get((handle % PAGE) as usize).copied().filter(|value| *value != self.none)
    }

    /// Gives the value that was there.
    pub fn insert(&mut self, (handle, slot): Address, value: T) -> Option<T> {
        let page = self.pages.entry((handle / PAGE, slot)).or_insert([self.none; PAGE as usize]);
        let old = std::mem::replace(page.get_mut((handle % PAGE) as usize)?, value);
        let was_there = old != self.none;
        self.len += usize::from(!was_there);
        was_there.then_some(old)
    }

    /// Gives the value that was there.
    pub fn remove(&mut self, (handle, slot): Address) -> Option<T> {
        let key = (handle / PAGE, slot);
        let page = self.pages.get_mut(&key)?;
        let old = std::mem::replace(page.get_mut((handle % PAGE) as usize)?, self.none);
        if old == self.none {
            return None;
        }
        self.len -= 1;
        if page.iter().all(|value| *value == self.none) {
            self.pages.remove(&key);
        }
        Some(old)
    }

    /// In no order.
    pub fn iter(&self) -> impl Iterator<Item = (Address, T)> {
        self.pages.iter().flat_map(|(&(page, slot), values)| {
            let at = move |(at, value): (u32, &T)| ((page * PAGE + at, slot), *value);
            (0..).zip(values).map(at).filter(|(_, value)| *value != self.none)
        })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0..40_u32, 0..2_i64, 0..5_u32), 0..200)) {
            let (mut paged, mut plain) = (Paged::new(0), BTreeMap::new());
            for (handle, slot, value) in steps {
                let address = (handle, slot);
                if value == 0 {
                    prop_assert_eq!(paged.remove(address), plain.remove(&address));
                } else {
                    prop_assert_eq!(paged.insert(address, value), plain.insert(address, value));
                }
                prop_assert_eq!(paged.get(address), plain.get(&address).copied());
                prop_assert_eq!(paged.len(), plain.len());
            }
            let all: BTreeMap<Address, u32> = paged.iter().collect();
            prop_assert_eq!(all, plain);
        }
    }
}
