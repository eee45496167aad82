//! Which table a row is of: the values of its route fields to a table's number.
//!
//! The program's [`Router`] names the table of a combination once; the answer is remembered. Refusals are not. Parts that came lately have
//! numbers, and so have their combinations, so that rows of many tables in turn need no list of parts and no search ([`Recent`]). Bound: combinations are forgotten all at once when there are many more of them than tables.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::reject::{Refusal, shown};
use crate::same::same;
use crate::schema::NONE;
use crate::settings::ROUTE_FIELDS_MAX;
use crate::words::Words;

/// Combinations for each table before they are forgotten: a table may be named with and without its defaults.
const COMBINATIONS_PER_TABLE: usize = 8;

/// Names tables, and says which rows may not be taken.
pub trait Router {
    /// The name of the table for the values of the route fields, in their order; none where the row does not have the field.
    fn table(&self, parts: &[Option<&str>]) -> Result<Arc<str>, Refusal>;

    /// What a row gets for a route field that is no text.
    fn not_text(&self, field: &str) -> Refusal {
        Refusal::new("bad_route", format!("`{field}` must be a text"))
    }

    /// What a row gets for a table that would be one too many.
    fn too_many(&self, name: &str, limit: usize) -> Refusal {
        Refusal::new("too_many_tables", format!("`{}` would be one more than {limit} tables", shown(name)))
    }
}

/// Every row in one table.
#[derive(Clone, Debug)]
pub struct OneTable(pub Arc<str>);

impl Router for OneTable {
    fn table(&self, _parts: &[Option<&str>]) -> Result<Arc<str>, Refusal> {
        Ok(self.0.clone())
    }
}

#[derive(Debug)]
struct Combination {
    named: u8,
    parts: [Box<[u8]>; ROUTE_FIELDS_MAX],
    table: u32,
}

/// Number of a part that is not among the recent ones.
pub(crate) const UNKNOWN: u16 = 0;

/// Places of recent parts and of recent combinations, each; a power of two.
const RECENT: usize = 64;

/// A part that came lately.
#[derive(Clone, Debug, Default)]
struct Part {
    number: u16,
    text: Box<[u8]>,
}

/// The tables of combinations that came lately. A part or a combination has one place and takes that of another.
#[derive(Debug)]
struct Recent {
    parts: Vec<Part>,
    /// Parts as their numbers, those that are not named [`UNKNOWN`], and the table. Unused ones are [`NONE`], which is no table.
    combinations: Vec<([u16; ROUTE_FIELDS_MAX], u32)>,
    /// Numbers given.
    numbers: u16,
    seeds: [u64; 2],
}

#[derive(Debug, Default)]
pub(crate) struct Routes {
    known: Vec<Combination>,
    index: HashTable<u32>,
    state: RandomState,
    recent: Recent,
}

impl Default for Recent {
    fn default() -> Self {
        let state = RandomState::default();
        Self {
            parts: vec![Part::default(); RECENT],
            combinations: vec![([UNKNOWN; ROUTE_FIELDS_MAX], NONE); RECENT],
            numbers: 0,
            seeds: [state.hash_one(0u8), state.hash_one(1u8)],
        }
    }
}

impl Recent {
    #[inline(always)]
    fn place(&self, part: &[u8]) -> usize {
        Words::of(part).hash(self.seeds) as usize % RECENT
    }

    #[inline(always)]
    fn number(&self, part: &[u8]) -> u16 {
        self.parts
            .get(self.place(part))
            .filter(|known| same(&known.text, part))
            .map_or(UNKNOWN, |known| known.number)
    }

    #[inline(always)]
    fn place_of(numbers: &[u16; ROUTE_FIELDS_MAX]) -> usize {
        numbers.iter().fold(0usize, |sum, number| sum.wrapping_mul(5).wrapping_add(usize::from(*number)))
            % RECENT
    }

    #[inline(always)]
    fn find(&self, numbers: &[u16; ROUTE_FIELDS_MAX]) -> Option<u32> {
        let (known, table) = self.combinations.get(Self::place_of(numbers))?;
        (known == numbers && *table != NONE).then_some(*table)
    }

    /// Notes the table of the parts that are named.
    #[inline(never)]
    fn remember(&mut self, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX], table: u32) {
        let mut numbers = [UNKNOWN; ROUTE_FIELDS_MAX];
        for (at, (number, part)) in numbers.iter_mut().zip(parts).enumerate() {
            if named & 1 << at == 0 {
                continue;
            }
            *number = self.number(part);
            if *number == UNKNOWN {
                // A number that was given again must not mean what it did.
                if self.numbers == u16::MAX {
                    *self = Self::default();
                    return;
                }
                self.numbers += 1;
                *number = self.numbers;
                let place = self.place(part);
                if let Some(slot) = self.parts.get_mut(place) {
                    *slot = Part { number: *number, text: (*part).into() };
                }
            }
        }
        if let Some(slot) = self.combinations.get_mut(Self::place_of(&numbers)) {
            *slot = (numbers, table);
        }
    }
}

impl Routes {
    pub fn forget(&mut self) {
        self.known.clear();
        self.index.clear();
        self.recent = Recent::default();
    }

    /// The number of a part, or [`UNKNOWN`].
    #[inline(always)]
    pub fn number(&self, part: &[u8]) -> u16 {
        self.recent.number(part)
    }

    /// The table of parts as their numbers; those that are not named have none.
    #[inline(always)]
    pub fn recent(&self, numbers: &[u16; ROUTE_FIELDS_MAX]) -> Option<u32> {
        self.recent.find(numbers)
    }

    /// The table of the parts; those that are not named are empty.
    #[inline(never)]
    pub fn find(&mut self, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX]) -> Option<u32> {
        let hash = hash(&self.state, named, parts);
        let known = &self.known;
        let same = |number: &u32| known.get(*number as usize).is_some_and(|one| one.is(named, parts));
        let table = self.known.get(*self.index.find(hash, same)? as usize)?.table;
        self.recent.remember(named, parts, table);
        Some(table)
    }

    pub fn remember(&mut self, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX], table: u32, tables: usize) {
        if self.known.len() >= (tables + 1) * COMBINATIONS_PER_TABLE {
            self.forget();
        }
        let number = self.known.len() as u32;
        self.known.push(Combination { named, parts: parts.map(Box::from), table });
        let Self { known, index, state, .. } = self;
        let hash_of = |number: &u32| {
            known
                .get(*number as usize)
                .map_or(0, |one| hash(state, one.named, &one.parts.each_ref().map(|part| &**part)))
        };
        index.insert_unique(hash(state, named, parts), number, hash_of);
    }
}

impl Combination {
    #[inline]
    fn is(&self, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX]) -> bool {
        self.named == named && self.parts.iter().zip(parts).all(|(mine, part)| same(mine, part))
    }
}

fn hash(state: &RandomState, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u8(named);
    for part in parts {
        hasher.write_u32(part.len() as u32);
        hasher.write(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_combinations_are_told_apart_whatever_takes_their_place() {
        let mut routes = Routes::default();
        let texts: Vec<String> = (0..200).map(|number| format!("part{number}")).collect();
        for round in 0..3 {
            for (table, text) in (0..).zip(&texts) {
                let parts = [b"same".as_slice(), text.as_bytes(), b"", b""];
                let numbers = parts.map(|part| routes.number(part));
                let numbers = [numbers[0], numbers[1], UNKNOWN, UNKNOWN];
                if numbers[0] != UNKNOWN
                    && numbers[1] != UNKNOWN
                    && let Some(found) = routes.recent(&numbers)
                {
                    assert_eq!(found, table);
                }
                match routes.find(0b11, &parts) {
                    Some(found) => assert_eq!(found, table),
                    None => {
                        assert_eq!(round, 0);
                        routes.remember(0b11, &parts, table, texts.len());
                    }
                }
            }
        }
        let parts = [b"same".as_slice(), texts[7].as_bytes(), b"", b""];
        assert_eq!(routes.find(0b11, &parts), Some(7));
        assert_eq!(
            routes.recent(&[routes.number(parts[0]), routes.number(parts[1]), UNKNOWN, UNKNOWN]),
            Some(7)
        );
        assert_eq!(routes.recent(&[routes.number(parts[0]), UNKNOWN, UNKNOWN, UNKNOWN]), None);
    }
}
