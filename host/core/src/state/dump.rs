//! A unit's state as entries of a checkpoint, and back.
//!
//! Out: the entries that changed since the last dump, or all of them; a key without a value is gone. In: all entries, in the order of their keys, into a new state of the same
//! tables. What changed is noted when a record commits, from its undo log, so that a state nobody dumps pays nothing.
//!
//! Keys begin with a letter: `e` expiry, `k` and `l` key numbers ([`crate::keys::dump`]), `n` a name of a free table, `t` timer, `v` value. Then the table (u16) or the
//! clock (u8: 1 the host's, 0 the watermark), the handle (u32) and the slot (u64, its sign turned), big-endian, so that they sort as numbers do. Times are i64, little-endian.

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::layer::Address;
use super::schedule::NEVER;
use super::{Undo, UnitState};

/// A key, and its value where there is one.
pub type Entry = (Vec<u8>, Option<Vec<u8>>);

/// What changed since the last dump.
#[derive(Debug, Default)]
pub struct Dirty {
    values: HashSet<(u16, Address), FixedState>,
    expiries: HashSet<(u16, Address), FixedState>,
    timers: HashSet<(bool, Address), FixedState>,
    /// Of each table, how many names were dumped.
    names: Vec<usize>,
}

impl Dirty {
    pub(super) fn note(&mut self, undo: &[Undo]) {
        for undo in undo {
            match undo {
                Undo::Value { table, address, .. } => drop(self.values.insert((*table, *address))),
                Undo::Expiry { table, address, .. } => drop(self.expiries.insert((*table, *address))),
                Undo::Timer { clock, address, .. } => drop(self.timers.insert((*clock, *address))),
                Undo::Key => {}
            }
        }
    }
}

impl UnitState {
    /// From here on it is known what changes.
    pub fn track(&mut self) {
        self.dirty.get_or_insert_default();
        self.keys.track();
    }

    /// Between two records: what changed since the last call, or all of it.
    pub fn dump(&mut self, all: bool, out: &mut Vec<Entry>) {
        let dirty = self.dirty.take();
        let is_tracked = dirty.is_some();
        let dirty = dirty.unwrap_or_default();
        self.keys.dump(all, out);
        self.dump_names(if all { &[] } else { &dirty.names }, out);
        if all {
            self.dump_all(out);
        } else {
            for (table, address) in &dirty.values {
                let value = self.tables.get(usize::from(*table)).and_then(|place| place.get(*address));
                out.push((at_table(b'v', *table, *address), value.map(<[u8]>::to_vec)));
            }
            for (table, address) in &dirty.expiries {
                let time =
                    self.expiries.get(usize::from(*table)).map_or(NEVER, |expiry| expiry.get(*address));
                out.push((at_table(b'e', *table, *address), time_value(time)));
            }
            for (clock, address) in &dirty.timers {
                let time = self.schedule(*clock, *address).get(*address);
                out.push((at_clock(*clock, *address), time_value(time)));
            }
        }
        let names = self.names.iter().map(crate::keys::Names::len).collect();
        self.dirty = is_tracked.then(|| Dirty { names, ..Dirty::default() });
    }

    fn dump_names(&self, done: &[usize], out: &mut Vec<Entry>) {
        for (table, names) in self.names.iter().enumerate() {
            for handle in done.get(table).copied().unwrap_or(0)..names.len() {
                let (table, number) = ((table as u16).to_be_bytes(), (handle as u32).to_be_bytes());
                let key = [b"n", table.as_slice(), &number].concat();
                out.push((key, names.name(handle as u32).map(<[u8]>::to_vec)));
            }
        }
    }

    fn dump_all(&self, out: &mut Vec<Entry>) {
        for (table, place) in self.tables.iter().enumerate() {
            for address in place.addresses() {
                out.push((at_table(b'v', table as u16, address), place.get(address).map(<[u8]>::to_vec)));
            }
        }
        for (table, expiry) in self.expiries.iter().enumerate() {
            out.extend(
                expiry
                    .iter()
                    .map(|(time, address)| (at_table(b'e', table as u16, address), time_value(time))),
            );
        }
        for (clock, schedule) in
            self.timers.iter().map(|timers| (false, timers)).chain([(true, &self.clock_timers)])
        {
            out.extend(schedule.iter().map(|(time, address)| (at_clock(clock, address), time_value(time))));
        }
    }

    /// An entry that [`UnitState::dump`] made, into a state that was new; false where it is none of this state's.
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

fn time_value(time: i64) -> Option<Vec<u8>> {
    (time != NEVER).then(|| time.to_le_bytes().to_vec())
}

fn time_of(value: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(value.try_into().ok()?))
}

fn at_table(kind: u8, table: u16, address: Address) -> Vec<u8> {
    at(&[&[kind], table.to_be_bytes().as_slice()].concat(), address)
}

fn at_clock(clock: bool, address: Address) -> Vec<u8> {
    at(&[b't', u8::from(clock)], address)
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
            let mut entries = Vec::new();
            state.dump(all, &mut entries);
            for (key, value) in entries {
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
        let mut entries = Vec::new();
        state.dump(true, &mut entries);
        entries.into_iter().filter(|(_, value)| value.is_some()).collect()
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
            state.take_due(0, round * 400);
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
}
