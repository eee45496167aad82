//! Key numbers as entries of a checkpoint, and back.
//!
//! Out: of each number that changed `k` and the number (u32, big-endian), with its scope (u32) and encoded values, or nothing where it is free; and `l`, the lists
//! that say which number is given next. In: the same entries, in the order of their keys. Numbers are in the order in which they were given, so that after a
//! restart the same rows get the same numbers.

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use serde_json::{Value, json};

use super::{Key, KeyTable};
use crate::state::dump::Entry;
use crate::triplet::Triplet;

/// What changed since the last checkpoint.
#[derive(Debug, Default)]
pub struct Touched {
    pub numbers: HashSet<u32, FixedState>,
    /// The lists: numbers that are free, or not announced yet, and the scopes.
    pub lists: bool,
}

impl KeyTable {
    pub fn track(&mut self) {
        self.touched.get_or_insert_default().lists = true;
    }

    pub(super) fn touch(&mut self, number: u32) {
        if let Some(touched) = &mut self.touched {
            touched.numbers.insert(number);
            touched.lists = true;
        }
    }

    /// What changed, or all of it.
    pub fn dump(&mut self, all: bool, out: &mut Vec<Entry>) {
        let touched = self.touched.take();
        let is_tracked = touched.is_some();
        let touched = touched.unwrap_or_default();
        let mut put = |number: u32| {
            let Some(key) = self.keys.get(number as usize).filter(|key| !key.free) else {
                out.push((number_key(number), None));
                return;
            };
            let mut value = key.scope.to_le_bytes().to_vec();
            value.extend_from_slice(&key.encoded);
            out.push((number_key(number), Some(value)));
        };
        if all {
            (0..self.keys.len() as u32).for_each(&mut put);
        } else {
            touched.numbers.iter().copied().for_each(&mut put);
        }
        if all || touched.lists {
            let scopes: Vec<&str> = self.scopes.iter().map(Triplet::as_str).collect();
            let lists = json!({ "given": self.keys.len(), "scopes": scopes, "free": self.free, "forgotten": self.forgotten });
            out.push((vec![b'l'], Some(lists.to_string().into_bytes())));
        }
        self.touched = is_tracked.then(Touched::default);
    }

    /// An entry that [`KeyTable::dump`] made; false where it is none.
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
        self.by_value.insert(key.encoded.clone(), number);
        *self.keys.get_mut(number as usize)? = key;
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
            self.keys.push(Key { scope: 0, encoded: Box::default(), held: 0, free: true });
        }
    }
}

fn number_key(number: u32) -> Vec<u8> {
    [b"k", number.to_be_bytes().as_slice()].concat()
}
