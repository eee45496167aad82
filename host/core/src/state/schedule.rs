//! Times at which an address is due: one for each address, in the order of (time, handle, slot).
//!
//! Used for timers (by watermark and by clock) and for the expiry of entries. 64 neighbouring handles of a slot are a page. While all of a page are due at one time, as those of a window are, it is
//! that time and a word of bits: when a window of a hundred thousand keys closes, that is some 1,600 of them, and as many places in the order.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::layer::Address;
use super::marks::bits;

/// "Never" in the contract: clears a timer.
pub const NEVER: i64 = i64::MAX;

const PAGE: u32 = 64;

#[derive(Debug, Clone)]
enum Times {
    /// Those of these bits, of which there is one at least.
    One(i64, u64),
    Each(Box<[i64; PAGE as usize]>),
}

impl Times {
    fn get(&self, at: u32) -> i64 {
        match self {
            Self::One(time, mask) if mask & 1 << at != 0 => *time,
            Self::One(..) => NEVER,
            Self::Each(times) => times.get(at as usize).copied().unwrap_or(NEVER),
        }
    }

    /// Handles that are due at a time, as bits.
    fn due(&self, time: i64) -> u64 {
        match self {
            Self::One(own, mask) if *own == time => *mask,
            Self::One(..) => 0,
            Self::Each(times) => {
                times.iter().enumerate().fold(0, |mask, (at, own)| mask | u64::from(*own == time) << at)
            }
        }
    }

    /// `time` may be [`NEVER`].
    fn set(&mut self, at: u32, time: i64) {
        match self {
            Self::One(own, mask) if *own == time => *mask |= 1 << at,
            Self::One(_, mask) if time == NEVER => *mask &= !(1 << at),
            Self::One(own, mask) if *mask == 1 << at => *own = time,
            Self::One(own, mask) => {
                let time_of = |place: usize| if *mask & 1 << place == 0 { NEVER } else { *own };
                *self = Self::Each(Box::new(std::array::from_fn(time_of)));
                self.set(at, time);
            }
            Self::Each(times) => {
                if let Some(place) = times.get_mut(at as usize) {
                    *place = time;
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::One(_, mask) => *mask == 0,
            Self::Each(times) => times.iter().all(|time| *time == NEVER),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// Time, page and slot, once where any handle of the page is due then.
    order: BTreeSet<(i64, u32, i64)>,
    pages: HashMap<(u32, i64), Times, FixedState>,
    len: usize,
}

impl Schedule {
    /// Sets or clears (`NEVER`) the time of an address and gives the time that it had.
    pub fn set(&mut self, (handle, slot): Address, time: i64) -> i64 {
        let (page, at) = (handle / PAGE, handle % PAGE);
        let mut entry = match self.pages.entry((page, slot)) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                if time != NEVER {
                    entry.insert(Times::One(time, 1 << at));
                    self.order.insert((time, page, slot));
                    self.len += 1;
                }
                return NEVER;
            }
        };
        let times = entry.get_mut();
        let old = times.get(at);
        if old == time {
            return time;
        }
        let is_first = time != NEVER && times.due(time) == 0;
        times.set(at, time);
        let was_last = old != NEVER && times.due(old) == 0;
        if times.is_empty() {
            entry.remove();
        }
        if is_first {
            self.order.insert((time, page, slot));
        }
        if was_last {
            self.order.remove(&(old, page, slot));
        }
        self.len += usize::from(old == NEVER);
        self.len -= usize::from(time == NEVER);
        old
    }

    /// [`NEVER`] where there is none.
    pub fn get(&self, (handle, slot): Address) -> i64 {
        self.pages.get(&(handle / PAGE, slot)).map_or(NEVER, |times| times.get(handle % PAGE))
    }

    pub fn first(&self) -> Option<i64> {
        self.order.first().map(|(time, ..)| *time)
    }

    /// Up to `limit` addresses whose time is not after `until`; they stay until they are cleared.
    pub fn due(&self, until: i64, limit: usize) -> Vec<(i64, Address)> {
        self.iter().take_while(|(time, _)| *time <= until).take(limit).collect()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, Address)> + '_ {
        let mut rest = self.order.iter().peekable();
        std::iter::from_fn(move || {
            let &(time, page, slot) = rest.next()?;
            let mut all: Vec<Address> = self.due_of(time, page, slot).collect();
            // Slots of one page follow each other, and their handles are one among the other.
            let is_same = |next: &&(i64, u32, i64)| (next.0, next.1) == (time, page);
            if rest.peek().is_some_and(is_same) {
                while let Some(&(.., slot)) = rest.next_if(is_same) {
                    all.extend(self.due_of(time, page, slot));
                }
                all.sort_unstable();
            }
            Some(all.into_iter().map(move |address| (time, address)))
        })
        .flatten()
    }

    fn due_of(&self, time: i64, page: u32, slot: i64) -> impl Iterator<Item = Address> + use<> {
        let mask = self.pages.get(&(page, slot)).map_or(0, |times| times.due(time));
        bits(mask).map(move |bit| (page * PAGE + bit, slot))
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
