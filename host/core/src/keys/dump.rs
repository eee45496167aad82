//! Key numbers as entries of a checkpoint, and back.
//!
//! Out: of each number that changed `k` and the number (u32, big-endian), with its scope (u32) and encoded values, or nothing where it is free; and `l`, the lists
//! that say which number is given next. In: the same entries, in the order of their keys. Numbers are in the order in which they were given, so that after a
//! restart the same rows get the same numbers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Encoded, Key, KeyTable};
use crate::state::dump::Entry;
use crate::state::frozen::Frozen;
use crate::state::marks::{Marks, Place};
use crate::triplet::Triplet;

/// What changed since the last checkpoint.
#[derive(Debug, Default)]
pub struct Touched {
    pub numbers: Marks,
    /// The lists: numbers that are free, or not announced yet, and the scopes.
    pub lists: bool,
}

/// Which number is given next.
#[derive(Debug)]
pub struct Lists {
    given: usize,
    scopes: Vec<Triplet>,
    free: Vec<u32>,
    forgotten: Vec<u32>,
}

impl Lists {
    pub fn entry(self) -> Entry {
        let scopes: Vec<&str> = self.scopes.iter().map(Triplet::as_str).collect();
        let lists =
            json!({ "given": self.given, "scopes": scopes, "free": self.free, "forgotten": self.forgotten });
        (vec![b'l'], Some(lists.to_string().into_bytes()))
    }
}

impl Key {
    pub(super) fn value(&self) -> Option<Vec<u8>> {
        (!self.free).then(|| [self.scope.to_le_bytes().as_slice(), &self.encoded].concat())
    }
}

impl KeyTable {
    pub fn track(&mut self) {
        self.touched.get_or_insert_default().lists = true;
    }

    pub(super) fn touch(&mut self, number: u32) {
        if let Some(touched) = &mut self.touched {
            touched.numbers.insert(place(number));
            touched.lists = true;
        }
    }

    /// What changed, or all of it, is fixed; the lists are copied where they changed.
    pub fn freeze(&mut self, all: bool) -> (Arc<Marks>, Option<Lists>) {
        let touched = self.touched.take();
        let is_tracked = touched.is_some();
        let touched = touched.unwrap_or_default();
        let numbers = if all { (0..self.keys.len() as u32).map(place).collect() } else { touched.numbers };
        let numbers = Arc::new(numbers);
        self.frozen = Some(Frozen::new(&numbers, [None]));
        self.touched = is_tracked.then(Touched::default);
        let lists = (all || touched.lists).then(|| Lists {
            given: self.keys.len(),
            scopes: self.scopes.clone(),
            free: self.free.clone(),
            forgotten: self.forgotten.clone(),
        });
        (numbers, lists)
    }

    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    /// A number is about to become another key's, or nobody's.
    pub(super) fn before(&mut self, number: u32) {
        if let Some(frozen) = &mut self.frozen {
            frozen.before(place(number), || self.keys.get(number as usize).and_then(Key::value));
        }
    }

    /// Of the moment of freezing.
    pub fn frozen_entry(&mut self, number: u32) -> Entry {
        let now = || self.keys.get(number as usize).and_then(Key::value);
        let value = match &mut self.frozen {
            Some(frozen) => frozen.take(place(number), now),
            None => now(),
        };
        (number_key(number), value)
    }

    /// An entry that [`KeyTable::frozen_entry`] or [`Lists::entry`] made; false where it is none.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key.split_first() {
            Some((b'k', number)) => self.restore_number(number, value).is_some(),
            Some((b'l', [])) => self.restore_lists(value).is_some(),
            _ => false,
        }
    }

    fn restore_number(&mut self, number: &[u8], value: &[u8]) -> Option<()> {
        let number = u32::from_be_bytes(number.try_into().ok()?);
        let (scope, encoded) = value.split_first_chunk::<4>()?;
        if number as usize >= self.limit {
            return None;
        }
        self.grow(number as usize + 1);
        let key = Key { scope: u32::from_le_bytes(*scope), encoded: encoded.into(), held: 0, free: false };
        *self.keys.get_mut(number as usize)? = key;
        self.enter(super::hash(encoded), number);
        self.idle += 1;
        Some(())
    }

    fn restore_lists(&mut self, value: &[u8]) -> Option<()> {
        let lists: Value = serde_json::from_slice(value).ok()?;
        let numbers = |name: &str| -> Option<Vec<u32>> {
            lists.get(name)?.as_array()?.iter().map(|number| u32::try_from(number.as_u64()?).ok()).collect()
        };
        let scopes = lists.get("scopes")?.as_array()?.iter().map(|scope| scope.as_str()?.parse().ok());
        self.scopes = scopes.collect::<Option<Vec<Triplet>>>()?;
        self.grow((lists.get("given")?.as_u64()? as usize).min(self.limit));
        (self.free, self.forgotten) = (numbers("free")?, numbers("forgotten")?);
        Some(())
    }

    fn grow(&mut self, len: usize) {
        while self.keys.len() < len {
            self.keys.push(Key { scope: 0, encoded: Encoded::new(), held: 0, free: true });
        }
    }
}

/// Numbers are the handles of one table.
pub(super) fn place(number: u32) -> Place {
    (0, (number, 0))
}

fn number_key(number: u32) -> Vec<u8> {
    [b"k", number.to_be_bytes().as_slice()].concat()
}
