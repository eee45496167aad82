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

/// Places of recent combinations; a power of two.
const RECENT: usize = 64;

/// Places of recent parts of each route field: so many groups of so many. Powers of two.
const GROUPS: usize = 32;
const GROUP: usize = 4;

/// The numbers of the parts of a row, 16 bits each: one word, so that telling combinations apart is one comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Says the number of a part of which nothing was said.
    #[inline(always)]
    pub fn say(&mut self, route: u8, number: u16) {
        self.0 |= u64::from(number) << (16 * (u32::from(route) % ROUTE_FIELDS_MAX as u32));
    }

    #[inline(always)]
    fn place(self) -> usize {
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % RECENT
    }
}

/// A part that came lately.
#[derive(Clone, Debug, Default)]
struct Part {
    words: Words,
    number: u16,
    /// Where the words do not say all.
    text: Box<[u8]>,
}

/// The tables of combinations that came lately. A part has the places of a group, a combination one; they take those of others.
#[derive(Debug)]
struct Recent {
    /// One group after the other, route field by route field.
    parts: Vec<Part>,
    /// Parts as their numbers, those that are not named [`UNKNOWN`], and the table. Unused ones are [`NONE`], which is no table.
    combinations: Vec<(Numbers, u32)>,
    /// The part of each route field that was asked for last: most rows have the one of the row before.
    last: [(Words, u16); ROUTE_FIELDS_MAX],
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
            parts: vec![Part::default(); ROUTE_FIELDS_MAX * GROUPS * GROUP],
            combinations: vec![(Numbers::default(), NONE); RECENT],
            last: [(Words::NONE, UNKNOWN); ROUTE_FIELDS_MAX],
            numbers: 0,
            seeds: [state.hash_one(0u8), state.hash_one(1u8)],
        }
    }
}

impl Recent {
    /// The first place of a part's group.
    #[inline(always)]
    fn group(&self, route: usize, words: &Words) -> usize {
        (route * GROUPS + words.hash(self.seeds) as usize % GROUPS) * GROUP
    }

    #[inline(always)]
    fn number(&mut self, route: usize, part: &[u8]) -> u16 {
        let words = Words::of(part);
        match self.last.get(route) {
            Some((last, number)) if *last == words => *number,
            _ => self.look_up(route, words, part),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, route: usize, words: Words, part: &[u8]) -> u16 {
        let group = self.parts.get(self.group(route, &words)..).and_then(|rest| rest.first_chunk::<GROUP>());
        let Some(group) = group else { return UNKNOWN };
        for known in group {
            if known.words == words && (words.say_all() || *known.text == *part) {
                if words.say_all()
                    && let Some(last) = self.last.get_mut(route)
                {
                    *last = (words, known.number);
                }
                return known.number;
            }
        }
        UNKNOWN
    }

    #[inline(always)]
    fn find(&self, numbers: Numbers) -> Option<u32> {
        let (known, table) = self.combinations.get(numbers.place())?;
        (*known == numbers && *table != NONE).then_some(*table)
    }

    /// Notes the table of the parts that are named.
    #[inline(never)]
    fn remember(&mut self, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX], table: u32) {
        let mut numbers = Numbers::default();
        for (at, part) in parts.iter().enumerate() {
            if named & 1 << at == 0 {
                continue;
            }
            let mut number = self.number(at, part);
            if number == UNKNOWN {
                // A number that was given again must not mean what it did.
                if self.numbers == u16::MAX {
                    *self = Self::default();
                    return;
                }
                self.numbers += 1;
                number = self.numbers;
                let words = Words::of(part);
                let text = if words.say_all() { Box::default() } else { (*part).into() };
                let place = self.group(at, &words) + usize::from(self.numbers) % GROUP;
                if let Some(slot) = self.parts.get_mut(place) {
                    *slot = Part { words, number, text };
                }
            }
            numbers.say(at as u8, number);
        }
        if let Some(slot) = self.combinations.get_mut(numbers.place()) {
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
    pub fn number(&mut self, route: u8, part: &[u8]) -> u16 {
        self.recent.number(usize::from(route), part)
    }

    /// The table of parts as their numbers; those that are not named have none.
    #[inline(always)]
    pub fn recent(&self, numbers: Numbers) -> Option<u32> {
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

    fn numbers_of(parts: &[u16]) -> Numbers {
        let mut numbers = Numbers::default();
        (0..).zip(parts).for_each(|(route, number)| numbers.say(route, *number));
        numbers
    }

    #[test]
    fn recent_combinations_are_told_apart_whatever_takes_their_place() {
        let mut routes = Routes::default();
        let texts: Vec<String> =
            (0..200).map(|number| format!("{}{number}", "part".repeat(number % 7))).collect();
        for round in 0..3 {
            for (table, text) in (0..).zip(&texts) {
                let parts = [b"same".as_slice(), text.as_bytes(), b"", b""];
                let numbers = [0, 1].map(|route| routes.number(route as u8, parts[route]));
                let all = numbers_of(&numbers);
                if numbers[0] != UNKNOWN
                    && numbers[1] != UNKNOWN
                    && let Some(found) = routes.recent(all)
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
        let (first, second) = (routes.number(0, parts[0]), routes.number(1, parts[1]));
        assert_eq!(routes.recent(numbers_of(&[first, second])), Some(7));
        assert_eq!(routes.recent(numbers_of(&[first])), None);
        assert_eq!(routes.recent(numbers_of(&[second, first])), None);
    }
}
