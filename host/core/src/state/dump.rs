//! A unit's state as entries of a checkpoint, and back.
//!
//! Out: the entries that changed since the last dump, or all of them; a key without a value is gone. [`UnitState::freeze`] fixes the moment, between two records, and costs next to
//! nothing; [`Reading::step`] gives entries as they were at that moment, in the order of their keys, some at a time, while records go on. In: all entries, in that order, into a
//! new state of the same tables. What changed is noted when a record commits, from its undo log, so that a state nobody dumps pays nothing.
//!
//! Keys begin with a letter: `e` expiry, `k` and `l` key numbers ([`crate::keys::dump`]), `n` a name of a free table, `t` timer, `v` value. Then the table (u16) or the
//! clock (u8: 1 the host's, 0 the watermark), the handle (u32) and the slot (u64, its sign turned), big-endian, so that they sort as numbers do. Times are i64, little-endian.

use std::ops::Range;
use std::sync::Arc;

use super::frozen::Frozen;
use super::layer::Address;
use super::marks::{Marks, Place};
use super::schedule::NEVER;
use super::{Undo, UnitState};
use crate::keys::dump::Lists;

/// A key, and its value where there is one.
pub type Entry = (Vec<u8>, Option<Vec<u8>>);

/// What changed since the last dump.
#[derive(Debug, Default)]
pub struct Dirty {
    values: Marks,
    expiries: Marks,
    /// In the table of the clock's number.
    timers: Marks,
    /// Of each table, how many names were dumped.
    names: Vec<usize>,
}

impl Dirty {
    pub(super) fn note(&mut self, undo: &[Undo]) {
        for undo in undo {
            match undo {
                Undo::Value { table, address, .. } => self.values.insert((*table, *address)),
                Undo::Expiry { table, address, .. } => self.expiries.insert((*table, *address)),
                Undo::Timer { clock, address, .. } => self.timers.insert((u16::from(*clock), *address)),
                Undo::Key => {}
            }
        }
    }
}

/// What changed up to a moment, while it is read.
#[derive(Debug)]
pub struct FrozenState {
    pub(super) values: Frozen,
    pub(super) expiries: Frozen,
    pub(super) timers: Frozen,
}

/// What is to be read of a frozen state; made on the flow's worker, read elsewhere.
#[derive(Debug)]
pub struct Changed {
    expiries: Arc<Marks>,
    numbers: Arc<Marks>,
    lists: Option<Lists>,
    /// Of each table.
    names: Vec<Range<usize>>,
    timers: Arc<Marks>,
    values: Arc<Marks>,
}

impl UnitState {
    /// From here on it is known what changes.
    pub fn track(&mut self) {
        self.dirty.get_or_insert_default();
        self.keys.track();
    }

    /// Between two records: what changed since the last call, or all of it, is fixed and waits to be read. What was frozen before and not read is forgotten, so
    /// whoever gives up reading asks for all the next time.
    pub fn freeze(&mut self, all: bool) -> Changed {
        let dirty = self.dirty.take();
        let is_tracked = dirty.is_some();
        let dirty = if all { self.everything() } else { dirty.unwrap_or_default() };
        let until: Vec<usize> = self.names.iter().map(crate::keys::Names::len).collect();
        let from = dirty.names.iter().copied().chain(std::iter::repeat(0));
        let names = from.zip(&until).map(|(from, until)| from..*until).collect();
        let (numbers, lists) = self.keys.freeze(all);
        let changed = Changed {
            expiries: Arc::new(dirty.expiries),
            numbers,
            lists,
            names,
            timers: Arc::new(dirty.timers),
            values: Arc::new(dirty.values),
        };
        self.frozen = Some(FrozenState {
            values: Frozen::new(&changed.values, self.tables.iter().map(|table| table.spec.size)),
            expiries: Frozen::new(&changed.expiries, self.tables.iter().map(|_| TIME_BYTES)),
            timers: Frozen::new(&changed.timers, [TIME_BYTES; 2]),
        });
        self.dirty = is_tracked.then(|| Dirty {
            values: Marks::as_large_as(&changed.values),
            expiries: Marks::as_large_as(&changed.expiries),
            timers: Marks::as_large_as(&changed.timers),
            names: until,
        });
        changed
    }

    /// Nobody reads what was frozen any more.
    pub fn thaw(&mut self) {
        self.frozen = None;
        self.keys.thaw();
    }

    /// Every address there is.
    fn everything(&self) -> Dirty {
        let tables = || self.tables.iter().enumerate();
        let timers = self.timers.iter().map(|timers| (0, timers)).chain([(1, &self.clock_timers)]);
        Dirty {
            values: tables()
                .flat_map(|(table, place)| {
                    place.addresses().into_iter().map(move |address| (table as u16, address))
                })
                .collect(),
            expiries: (self.expiries.iter().enumerate())
                .flat_map(|(table, expiry)| expiry.iter().map(move |(_, address)| (table as u16, address)))
                .collect(),
            timers: timers
                .flat_map(|(clock, timers)| timers.iter().map(move |(_, address)| (clock, address)))
                .collect(),
            names: Vec::new(),
        }
    }

    fn frozen_value(&mut self, (table, address): Place) -> Option<Vec<u8>> {
        let place = self.tables.get(usize::from(table));
        let now = || place.and_then(|place| place.get(address));
        match &mut self.frozen {
            Some(frozen) => frozen.values.take((table, address), now),
            None => now().map(<[u8]>::to_vec),
        }
    }

    fn frozen_expiry(&mut self, (table, address): Place) -> Option<Vec<u8>> {
        let place = self.expiries.get(usize::from(table));
        let now = || place.and_then(|expiry| time_bytes(expiry.get(address)));
        match &mut self.frozen {
            Some(frozen) => frozen.expiries.take((table, address), now),
            None => now().map(Vec::from),
        }
    }

    fn frozen_timer(&mut self, (clock, address): Place) -> Option<Vec<u8>> {
        let now = time_bytes(self.schedule(clock == 1, address).get(address));
        match &mut self.frozen {
            Some(frozen) => frozen.timers.take((clock, address), || now),
            None => now.map(Vec::from),
        }
    }

    /// An entry that [`Reading::step`] made, into a state that was new; false where it is none of this state's.
    pub fn restore_entry(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key.split_first() {
            Some((b'k' | b'l', _)) => self.keys.restore(key, value),
            Some((kind, rest)) => self.restore_one(*kind, rest, value).is_some(),
            None => false,
        }
    }

    fn restore_one(&mut self, kind: u8, rest: &[u8], value: &[u8]) -> Option<()> {
        if kind == b't' {
            let (clock, rest) = rest.split_first()?;
            let (address, time) = (address(rest)?, time_of(value)?);
            self.schedule(*clock == 1, address).set(address, time);
            self.keys.hold(address.0);
            return Some(());
        }
        let (table, rest) = rest.split_first_chunk::<2>()?;
        let table = usize::from(u16::from_be_bytes(*table));
        if kind == b'n' {
            let handle = self.names.get_mut(table)?.define(value);
            return (handle.to_be_bytes().as_slice() == rest).then_some(());
        }
        let address = address(rest)?;
        if kind == b'e' {
            self.expiries.get_mut(table)?.set(address, time_of(value)?);
            return Some(());
        }
        let place = self.tables.get_mut(table)?;
        if place.spec.size.is_some_and(|size| size as usize != value.len()) {
            return None;
        }
        place.put(address, value, None);
        if place.spec.by_key {
            self.keys.hold(address.0);
        }
        Some(())
    }
}

/// Reads what was frozen, in the order of keys.
#[derive(Debug)]
pub struct Reading {
    expiries: Left<Place>,
    numbers: Left<Place>,
    lists: Option<Lists>,
    names: Left<(u16, u32)>,
    timers: Left<Place>,
    values: Left<Place>,
}

/// Addresses that are left to be read.
type Left<K> = std::iter::Peekable<std::vec::IntoIter<K>>;

fn left<K>(addresses: Vec<K>) -> Left<K> {
    addresses.into_iter().peekable()
}

impl Reading {
    /// Sorts what changed: not for the flow's worker.
    pub fn new(changed: Changed) -> Self {
        let names = changed.names.iter().enumerate();
        let names =
            names.flat_map(|(table, range)| range.clone().map(move |name| (table as u16, name as u32)));
        Self {
            names: left(names.collect()),
            expiries: left(changed.expiries.sorted()),
            numbers: left(changed.numbers.sorted()),
            lists: changed.lists,
            timers: left(changed.timers.sorted()),
            values: left(changed.values.sorted()),
        }
    }

    /// The next entries, at most `limit`; none when that was all.
    pub fn step(&mut self, state: &mut UnitState, limit: usize, out: &mut Vec<Entry>) {
        out.extend(
            self.expiries.by_ref().take(limit).map(|(table, address)| {
                (at_table(b'e', table, address), state.frozen_expiry((table, address)))
            }),
        );
        let room = |out: &Vec<Entry>| limit.saturating_sub(out.len());
        out.extend(
            self.numbers.by_ref().take(room(out)).map(|(_, (number, _))| state.keys.frozen_entry(number)),
        );
        if room(out) > 0
            && let Some(lists) = self.lists.take()
        {
            out.push(lists.entry());
        }
        out.extend(self.names.by_ref().take(room(out)).map(|(table, handle)| {
            let key = [b"n", table.to_be_bytes().as_slice(), &handle.to_be_bytes()].concat();
            let name = state.names.get(usize::from(table)).and_then(|names| names.name(handle));
            (key, name.map(<[u8]>::to_vec))
        }));
        out.extend(
            self.timers
                .by_ref()
                .take(room(out))
                .map(|(clock, address)| (at_clock(clock, address), state.frozen_timer((clock, address)))),
        );
        out.extend(
            self.values.by_ref().take(room(out)).map(|(table, address)| {
                (at_table(b'v', table, address), state.frozen_value((table, address)))
            }),
        );
    }
}

/// Of the value of an expiry or a timer.
const TIME_BYTES: Option<u32> = Some(8);

pub(super) fn time_bytes(time: i64) -> Option<[u8; 8]> {
    (time != NEVER).then(|| time.to_le_bytes())
}

fn time_of(value: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(value.try_into().ok()?))
}

fn at_table(kind: u8, table: u16, address: Address) -> Vec<u8> {
    at(&[&[kind], table.to_be_bytes().as_slice()].concat(), address)
}

fn at_clock(clock: u16, address: Address) -> Vec<u8> {
    at(&[b't', clock as u8], address)
}

fn at(prefix: &[u8], address: Address) -> Vec<u8> {
    let slot = (address.1 as u64) ^ (1 << 63);
    [prefix, address.0.to_be_bytes().as_slice(), &slot.to_be_bytes()].concat()
}

fn address(bytes: &[u8]) -> Option<Address> {
    let (handle, slot) = bytes.split_first_chunk::<4>()?;
    let slot = u64::from_be_bytes(slot.try_into().ok()?) ^ (1 << 63);
    Some((u32::from_be_bytes(*handle), slot as i64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::plan::{Plan, PlannedTable};
    use crate::state::Quota;

    fn plan() -> Plan {
        let table = |name: &str, by_key, size| PlannedTable {
            name: name.into(),
            by_key,
            size,
            expire_ns: Some(1_000),
        };
        Plan {
            keys: vec!["k".into()],
            tables: vec![table("fixed", true, Some(8)), table("free", false, None)],
            ..Plan::default()
        }
    }

    fn batch(keys: &[&str]) -> crate::batch::Batch {
        let column: arrow_array::ArrayRef = Arc::new(arrow_array::StringArray::from(keys.to_vec()));
        crate::batch::Batch {
            triplet: "a/b/c".parse().unwrap(),
            position: Default::default(),
            accepted_at_unix_ns: 0,
            origin: crate::batch::Origin::Source("test".into()),
            row_ids: crate::batch::RowIds::From(0),
            time: vec![0; keys.len()].into(),
            columns: arrow_array::RecordBatch::try_from_iter([("k", column)]).unwrap(),
            hops: 0,
        }
    }

    /// What all dumps so far have made of an empty store.
    #[derive(Default)]
    struct Stored(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Stored {
        fn take(&mut self, state: &mut UnitState, all: bool) {
            for (key, value) in entries(state, all) {
                match value {
                    Some(value) => drop(self.0.insert(key, value)),
                    None => drop(self.0.remove(&key)),
                }
            }
        }

        fn restored(&self) -> UnitState {
            let mut state = UnitState::new(&plan(), Quota::default());
            assert!(self.0.iter().all(|(key, value)| state.restore_entry(key, value)));
            state
        }
    }

    fn all_of(state: &mut UnitState) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        entries(state, true).into_iter().filter(|(_, value)| value.is_some()).collect()
    }

    fn entries(state: &mut UnitState, all: bool) -> Vec<Entry> {
        let mut reading = Reading::new(state.freeze(all));
        let mut entries = Vec::new();
        while read(&mut reading, state, 5, &mut entries) {}
        state.thaw();
        entries
    }

    /// One step; false when there was nothing left.
    fn read(reading: &mut Reading, state: &mut UnitState, limit: usize, out: &mut Vec<Entry>) -> bool {
        let mut piece = Vec::new();
        reading.step(state, limit, &mut piece);
        assert!(piece.len() <= limit);
        let is_there = !piece.is_empty();
        out.extend(piece);
        let rises = out.windows(2).all(|pair| pair[0].0 < pair[1].0);
        assert!(rises, "keys come in order");
        is_there
    }

    fn step(state: &mut UnitState, round: i64) {
        let names: Vec<String> = (0..4).map(|n| format!("{}", (round + n) % 9)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mark = state.mark();
        state.begin_call(round * 300, 0);
        let numbers = state.number(&batch(&names));
        let handles: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let slots: Vec<u8> = numbers.iter().flat_map(|_| (round % 3 - 1).to_le_bytes()).collect();
        let values: Vec<u8> = numbers.iter().flat_map(|_| round.to_le_bytes()).collect();
        state.write(0, &handles, &slots, &values).unwrap().unwrap();
        let handle = state.define(1, &[0, 0, 0, 0, 1, 0, 0, 0], names[0].as_bytes()).unwrap().unwrap();
        state.write_packed(1, &handle, &[], &[0, 0, 0, 0, 2, 0, 0, 0], b"xy").unwrap().unwrap();
        let times: Vec<u8> = numbers.iter().flat_map(|_| (round * 500).to_le_bytes()).collect();
        state.wake(&handles, &slots, &times, round % 2 == 0).unwrap();
        if round % 5 == 0 {
            state.roll_back(mark);
        } else if round % 3 == 0 {
            state.expire_due(0, round * 300);
            state.take_due(0, round * 400, 4_096);
        }
        state.commit();
    }

    #[test]
    fn a_state_that_was_dumped_piece_by_piece_comes_back_as_it_was() {
        let mut state = UnitState::new(&plan(), Quota::default());
        state.track();
        let mut stored = Stored::default();
        for round in 1..60 {
            step(&mut state, round);
            if round % 7 == 0 {
                stored.take(&mut state, false);
                let mut back = stored.restored();
                assert_eq!(all_of(&mut back), all_of(&mut state), "round {round}");
                assert_eq!(
                    (back.entries(), back.bytes(), back.timers()),
                    (state.entries(), state.bytes(), state.timers())
                );
            }
        }
        // What comes back goes on like the one that never went.
        stored.take(&mut state, false);
        let mut back = stored.restored();
        for round in 60..90 {
            step(&mut state, round);
            step(&mut back, round);
        }
        assert_eq!(all_of(&mut back), all_of(&mut state));
    }

    #[test]
    fn a_frozen_state_is_read_as_it_was_while_records_go_on() {
        for seed in 0..40 {
            let mut state = UnitState::new(&plan(), Quota::default());
            state.track();
            let mut stored = Stored::default();
            let mut round = 1;
            for _ in 0..12 {
                for _ in 0..3 + seed % 4 {
                    step(&mut state, round);
                    round += 1;
                }
                let expected = all_of_copy(&state, round);
                let mut reading = Reading::new(state.freeze(false));
                let mut entries = Vec::new();
                while read(&mut reading, &mut state, 1 + seed as usize % 7, &mut entries) {
                    for _ in 0..seed % 3 {
                        step(&mut state, round);
                        round += 1;
                    }
                }
                state.thaw();
                for (key, value) in entries {
                    match value {
                        Some(value) => drop(stored.0.insert(key, value)),
                        None => drop(stored.0.remove(&key)),
                    }
                }
                assert_eq!(all_of(&mut stored.restored()), expected, "seed {seed} round {round}");
            }
        }
    }

    /// What the same rounds make of a new state.
    fn all_of_copy(state: &UnitState, rounds: i64) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        let mut copy = UnitState::new(&plan(), Quota::default());
        (1..rounds).for_each(|round| step(&mut copy, round));
        assert_eq!(copy.entries(), state.entries());
        all_of(&mut copy)
    }
}
