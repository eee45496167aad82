//! Which table a row is of: the values of its route fields to a table's number.
//!
//! The program's [`Router`] names the table of a combination once; the answer is remembered, and the last one without a hash. Refusals
//! are not remembered. Bound: combinations are forgotten all at once when there are many more of them than tables.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::reject::{Refusal, shown};
use crate::same::same;
use crate::settings::ROUTE_FIELDS_MAX;

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

#[derive(Debug, Default)]
pub(crate) struct Routes {
    known: Vec<Combination>,
    index: HashTable<u32>,
    state: RandomState,
    last: usize,
}

impl Routes {
    pub fn forget(&mut self) {
        self.known.clear();
        self.index.clear();
        self.last = 0;
    }

    /// The table that was found last, where `route` is one of its parts and reads the same: asked part by part, this needs no list of them.
    #[inline(always)]
    pub fn is_last(&self, route: u8, part: &[u8]) -> bool {
        let last = self.known.get(self.last).and_then(|last| last.parts.get(route as usize));
        last.is_some_and(|last| same(last, part))
    }

    /// The last table, if its combination names just these parts.
    #[inline(always)]
    pub fn last_table(&self, named: u8) -> Option<u32> {
        self.known.get(self.last).filter(|last| last.named == named).map(|last| last.table)
    }

    /// The table of the parts; those that are not named are empty.
    #[inline]
    pub fn find(&mut self, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX]) -> Option<u32> {
        if let Some(last) = self.known.get(self.last)
            && last.is(named, parts)
        {
            return Some(last.table);
        }
        let hash = hash(&self.state, named, parts);
        let known = &self.known;
        let same = |number: &u32| known.get(*number as usize).is_some_and(|one| one.is(named, parts));
        self.last = *self.index.find(hash, same)? as usize;
        self.known.get(self.last).map(|one| one.table)
    }

    pub fn remember(&mut self, named: u8, parts: &[&[u8]; ROUTE_FIELDS_MAX], table: u32, tables: usize) {
        if self.known.len() >= (tables + 1) * COMBINATIONS_PER_TABLE {
            self.forget();
        }
        self.last = self.known.len();
        self.known.push(Combination { named, parts: parts.map(Box::from), table });
        let Self { known, index, state, last } = self;
        let hash_of = |number: &u32| {
            known
                .get(*number as usize)
                .map_or(0, |one| hash(state, one.named, &one.parts.each_ref().map(|part| &**part)))
        };
        index.insert_unique(hash(state, named, parts), *last as u32, hash_of);
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
