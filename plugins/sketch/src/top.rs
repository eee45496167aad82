//! The heaviest of many items with a bounded number of counters: Space-Saving (Metwally, Agrawal, El Abbadi, ICDT 2005).
//!
//! In: items (bytes) with a weight >= 0. Out: the heaviest with their weight and how much of it may be too much. Bounds, with N the sum of all weights
//! and m counters: a weight is never too small and at most N / m too great; every item heavier than N / m is there; with up to m different items
//! all is exact. The counter that a new item takes is the lightest, of equal ones the one that has been so longest, so the result depends on the order of
//! the items and on nothing else. Merging (Agrawal and others, Mergeable summaries, PODS 2012) adds the bounds of both.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::bytes::{Damaged, Reader, put_bytes, put_f64, put_u64};
use crate::distinct::hash;

pub const CAPACITY_MAX: usize = 10_000;
const FORMAT: u8 = 1;

#[derive(Clone, Debug, PartialEq)]
pub struct Counter {
    pub item: Box<[u8]>,
    pub weight: f64,
    /// At most that much of the weight is another item's.
    pub error: f64,
    /// Grows with each change of any counter: the order in which counters were last raised.
    turn: u64,
}

/// Where an item was counted; good until another item takes the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    counter: u32,
    /// Turn at which the item took the counter.
    since: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Top {
    capacity: usize,
    counters: Vec<Counter>,
    /// For each counter the turn at which its item came.
    since: Vec<u64>,
    index: HashMap<Box<[u8]>, u32, BuildHasherDefault<ItemHasher>>,
    /// Counters as a heap, the one to be given away first; and the place of each in it.
    heap: Vec<u32>,
    at: Vec<u32>,
    turn: u64,
}

impl Top {
    /// 1 to [`CAPACITY_MAX`] counters.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.clamp(1, CAPACITY_MAX), ..Self::default() }
    }

    pub fn add(&mut self, item: &[u8], weight: f64) -> Place {
        if let Some(&counter) = self.index.get(item) {
            self.raise(counter, weight);
            return self.place(counter);
        }
        self.turn += 1;
        let item: Box<[u8]> = item.into();
        if self.counters.len() < self.capacity {
            let counter = self.counters.len() as u32;
            self.index.insert(item.clone(), counter);
            self.counters.push(Counter { item, weight, error: 0.0, turn: self.turn });
            self.since.push(self.turn);
            self.at.push(counter);
            self.heap.push(counter);
            self.up(counter as usize);
            return self.place(counter);
        }
        let counter = self.heap.first().copied().unwrap_or(0);
        if let (Some(place), Some(since)) =
            (self.counters.get_mut(counter as usize), self.since.get_mut(counter as usize))
        {
            let error = place.weight;
            let old = std::mem::replace(
                place,
                Counter { item: item.clone(), weight: error + weight, error, turn: self.turn },
            );
            *since = self.turn;
            self.index.remove(&old.item);
            self.index.insert(item, counter);
        }
        self.down(0);
        self.place(counter)
    }

    /// The same for an item that was counted at a place before; false where the place is another item's now.
    #[inline]
    pub fn add_at(&mut self, place: Place, weight: f64) -> bool {
        if self.since.get(place.counter as usize) != Some(&place.since) {
            return false;
        }
        self.raise(place.counter, weight);
        true
    }

    fn place(&self, counter: u32) -> Place {
        Place { counter, since: self.since.get(counter as usize).copied().unwrap_or(0) }
    }

    #[inline]
    fn raise(&mut self, counter: u32, weight: f64) {
        self.turn += 1;
        if let Some(place) = self.counters.get_mut(counter as usize) {
            place.weight += weight;
            place.turn = self.turn;
        }
        if let Some(at) = self.at.get(counter as usize) {
            self.down(*at as usize);
        }
    }

    /// The heaviest, at most k; of equal ones the lesser item first.
    pub fn heaviest(&self, k: usize) -> Vec<&Counter> {
        let mut all: Vec<&Counter> = self.counters.iter().collect();
        all.sort_unstable_by(|left, right| {
            right.weight.total_cmp(&left.weight).then_with(|| left.item.cmp(&right.item))
        });
        all.truncate(k);
        all
    }

    /// The sum of all weights.
    pub fn total(&self) -> f64 {
        self.counters.iter().map(|counter| counter.weight).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    pub fn merge(&mut self, other: &Self) {
        let least = |top: &Self| {
            let full = top.counters.len() >= top.capacity;
            let first = top.heap.first().and_then(|first| top.counters.get(*first as usize));
            first.filter(|_| full).map_or(0.0, |first| first.weight)
        };
        let (mine, others) = (least(self), least(other));
        let mut all = self.counters.clone();
        for counter in &mut all {
            match other.index.get(&counter.item).and_then(|at| other.counters.get(*at as usize)) {
                Some(same) => {
                    counter.weight += same.weight;
                    counter.error += same.error;
                }
                None => {
                    counter.weight += others;
                    counter.error += others;
                }
            }
        }
        for counter in other.counters.iter().filter(|counter| !self.index.contains_key(&counter.item)) {
            all.push(Counter {
                weight: counter.weight + mine,
                error: counter.error + mine,
                ..counter.clone()
            });
        }
        all.sort_unstable_by(|left, right| {
            right.weight.total_cmp(&left.weight).then_with(|| left.item.cmp(&right.item))
        });
        all.truncate(self.capacity);
        all.reverse();
        *self = Self::of(self.capacity, all);
    }

    /// Counters in the order in which they were raised.
    fn of(capacity: usize, counters: Vec<Counter>) -> Self {
        let mut top = Self::new(capacity);
        for counter in counters {
            top.turn += 1;
            let at = top.counters.len() as u32;
            top.index.insert(counter.item.clone(), at);
            top.counters.push(Counter { turn: top.turn, ..counter });
            top.since.push(top.turn);
            top.at.push(at);
            top.heap.push(at);
            top.up(at as usize);
        }
        top
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        put_u64(out, self.capacity as u64);
        put_u64(out, self.counters.len() as u64);
        let mut order: Vec<&Counter> = self.counters.iter().collect();
        order.sort_unstable_by_key(|counter| counter.turn);
        for counter in order {
            put_bytes(out, &counter.item);
            put_f64(out, counter.weight);
            put_f64(out, counter.error);
        }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Damaged> {
        if reader.u8()? != FORMAT {
            return Err(Damaged);
        }
        let (capacity, length) = (reader.u64()? as usize, reader.u64()? as usize);
        if !(1..=CAPACITY_MAX).contains(&capacity) || length > capacity {
            return Err(Damaged);
        }
        let mut counters = Vec::with_capacity(length);
        for _ in 0..length {
            let item = reader.bytes()?.into();
            counters.push(Counter { item, weight: reader.f64()?, error: reader.f64()?, turn: 0 });
        }
        let top = Self::of(capacity, counters);
        if top.index.len() == top.counters.len() { Ok(top) } else { Err(Damaged) }
    }

    // ---- the heap ----

    /// Whether the counter at one place of the heap goes before that at another.
    fn is_before(&self, left: usize, right: usize) -> bool {
        let counter = |at: usize| self.heap.get(at).and_then(|at| self.counters.get(*at as usize));
        let (Some(left), Some(right)) = (counter(left), counter(right)) else { return false };
        left.weight.total_cmp(&right.weight).then(left.turn.cmp(&right.turn)) == Ordering::Less
    }

    fn swap(&mut self, left: usize, right: usize) {
        self.heap.swap(left, right);
        for at in [left, right] {
            if let Some(place) = self.heap.get(at).and_then(|counter| self.at.get_mut(*counter as usize)) {
                *place = at as u32;
            }
        }
    }

    fn up(&mut self, mut at: usize) {
        while at > 0 && self.is_before(at, (at - 1) / 2) {
            self.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn down(&mut self, mut at: usize) {
        loop {
            let mut first = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.is_before(child, first) {
                    first = child;
                }
            }
            if first == at {
                return;
            }
            self.swap(at, first);
            at = first;
        }
    }
}

/// The same on every machine; the order of the map is never seen.
#[derive(Clone, Debug, Default)]
struct ItemHasher(u64);

impl Hasher for ItemHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(7) ^ hash(bytes);
    }

    fn write_usize(&mut self, length: usize) {
        self.0 = self.0.rotate_left(7) ^ length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
