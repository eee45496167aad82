//! Times at which an address is due: one for each address, in the order of (time, handle, slot).
//!
//! Used for timers (by watermark and by clock) and for the expiry of entries. Addresses of one time and 64 neighbouring handles are words of bits: when a window of a hundred
//! thousand keys closes, that is some 1,600 of them.

use std::collections::BTreeMap;

use super::layer::Address;
use super::marks::bits;
use super::paged::Paged;

/// "Never" in the contract: clears a timer.
pub const NEVER: i64 = i64::MAX;

const WORD: u32 = 64;

#[derive(Debug, Clone)]
pub struct Schedule {
    /// By time and handles: slot and the handles that are due.
    order: BTreeMap<(i64, u32), Vec<(i64, u64)>>,
    by_address: Paged<i64>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { order: BTreeMap::new(), by_address: Paged::new(NEVER) }
    }
}

impl Schedule {
    /// Sets or clears (`NEVER`) the time of an address and gives the time that it had.
    pub fn set(&mut self, address: Address, time: i64) -> i64 {
        let old = match time {
            NEVER => self.by_address.remove(address),
            _ => self.by_address.insert(address, time),
        };
        if old == Some(time) {
            return time;
        }
        if let Some(old) = old {
            self.leave(old, address);
        }
        if time != NEVER {
            self.enter(time, address);
        }
        old.unwrap_or(NEVER)
    }

    fn enter(&mut self, time: i64, (handle, slot): Address) {
        let words = self.order.entry((time, handle / WORD)).or_default();
        let bit = 1 << (handle % WORD);
        match words.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, word)) => *word |= bit,
            None => words.push((slot, bit)),
        }
    }

    fn leave(&mut self, time: i64, (handle, slot): Address) {
        let Some(words) = self.order.get_mut(&(time, handle / WORD)) else { return };
        let bit = 1 << (handle % WORD);
        words.iter_mut().filter(|(known, _)| *known == slot).for_each(|(_, word)| *word &= !bit);
        words.retain(|(_, word)| *word != 0);
        if words.is_empty() {
            self.order.remove(&(time, handle / WORD));
        }
    }

    /// [`NEVER`] where there is none.
    pub fn get(&self, address: Address) -> i64 {
        self.by_address.get(address).unwrap_or(NEVER)
    }

    pub fn first(&self) -> Option<i64> {
        self.order.first_key_value().map(|((time, _), _)| *time)
    }

    /// Up to `limit` addresses whose time is not after `until`; they stay until they are cleared.
    pub fn due(&self, until: i64, limit: usize) -> Vec<(i64, Address)> {
        self.iter().take_while(|(time, _)| *time <= until).take(limit).collect()
    }

    pub fn len(&self) -> usize {
        self.by_address.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, Address)> + '_ {
        self.order.iter().flat_map(|(&(time, page), words)| {
            let addresses = |&(slot, word): &(i64, u64)| bits(word).map(move |bit| (page * WORD + bit, slot));
            let mut all: Vec<Address> = words.iter().flat_map(addresses).collect();
            if words.len() > 1 {
                all.sort_unstable();
            }
            all.into_iter().map(move |address| (time, address))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn addresses_are_due_in_order(
            steps in proptest::collection::vec((0..130_u32, 0..3_i64, 0..6_i64), 0..200),
            until in 0..6_i64,
            limit in 0..50_usize,
        ) {
            let (mut schedule, mut plain) = (Schedule::default(), BTreeMap::new());
            for (handle, slot, time) in steps {
                let address = (handle, slot);
                let time = if time == 0 { NEVER } else { time };
                let old = if time == NEVER { plain.remove(&address) } else { plain.insert(address, time) };
                prop_assert_eq!(schedule.set(address, time), old.unwrap_or(NEVER));
            }
            let order: BTreeSet<(i64, Address)> = plain.iter().map(|(address, time)| (*time, *address)).collect();
            prop_assert_eq!(schedule.len(), order.len());
            prop_assert_eq!(schedule.first(), order.first().map(|(time, _)| *time));
            let due: Vec<_> = order.into_iter().filter(|(time, _)| *time <= until).take(limit).collect();
            prop_assert_eq!(schedule.due(until, limit), due);
        }
    }
}
