//! Values of a table, many at once: the loops behind `read`, `write` and `remove`.
//!
//! In: addresses whose handles are checked. A table of very many keys lies in no cache, so each loop does one thing that has to wait for memory, for all addresses, and does not wait for one
//! before it asks for the next: where the values are, then what they were (which the undo log wants anyway), then the change. The same address may come twice.

use super::layer::Address;
use super::schedule::NEVER;
use super::table::Table;
use super::{Refusal, Undo, UnitState, Written};

/// n x size bytes; zeros where there is no value.
pub(super) fn read(
    place: &Table,
    wanted: impl ExactSizeIterator<Item = Address> + Clone,
    size: usize,
) -> Vec<u8> {
    let mut out = vec![0; wanted.len() * size];
    let cells: Vec<Option<u32>> = wanted.clone().map(|address| place.cell(address)).collect();
    for ((address, cell), out) in wanted.zip(cells).zip(out.chunks_exact_mut(size.max(1))) {
        let value = match cell {
            Some(cell) => Some(place.value(cell)),
            None if place.is_flat() => None,
            None => place.get(address),
        };
        if let Some(value) = value {
            out.copy_from_slice(value);
        }
    }
    out
}

impl UnitState {
    pub(super) fn write_all<'a>(
        &mut self,
        table: u32,
        wanted: impl Iterator<Item = Address> + Clone,
        values: impl Iterator<Item = &'a [u8]>,
        bytes: usize,
    ) -> Written<()> {
        let place = self.table(table)?;
        let mut count = 0;
        for address in wanted.clone() {
            self.check_handle(place, table, address.0)?;
            count += 1;
        }
        // Which entries are new is only looked up where it decides.
        let new = if self.entries() + count > self.quota.entries {
            wanted.clone().filter(|address| place.get(*address).is_none()).count()
        } else {
            0
        };
        if self.entries() + new > self.quota.entries || self.bytes() + bytes > self.quota.bytes {
            self.over_quota += 1;
            let message = format!(
                "the state is full: {} entries of {}, {} bytes of {}",
                self.entries(),
                self.quota.entries,
                self.bytes(),
                self.quota.bytes
            );
            return Ok(Err(Refusal { code: "quota", message }));
        }
        let table = table as usize;
        let cells = self.remember(table, wanted.clone());
        for ((address, value), cell) in wanted.zip(values).zip(cells) {
            match cell {
                Some(cell) => self.overwrite(table, address, cell, value),
                None => self.put_new(table, address, value),
            }
        }
        Ok(Ok(()))
    }

    /// Where the current layer has values; they go to the undo log.
    fn remember(&mut self, table: usize, wanted: impl Iterator<Item = Address> + Clone) -> Vec<Option<u32>> {
        let Some(place) = self.tables.get(table) else { return Vec::new() };
        let cells: Vec<Option<u32>> = wanted.clone().map(|address| place.cell(address)).collect();
        for (address, cell) in wanted.zip(&cells) {
            if let Some(cell) = cell {
                let (from, value) = (self.old_bytes.len(), place.value(*cell));
                self.old_bytes.extend_from_slice(value);
                let old = Some((from as u32, value.len() as u32));
                self.undo.push(Undo::Value { table: table as u16, address, old });
            }
        }
        cells
    }

    /// Of a value that is remembered.
    fn overwrite(&mut self, table: usize, address: Address, cell: u32, value: &[u8]) {
        let Some(place) = self.tables.get_mut(table) else { return };
        if let Some(frozen) = &mut self.frozen {
            frozen.values.before((table as u16, address), || Some(place.value(cell)));
        }
        place.overwrite(cell, value);
        self.note_written(table, address);
    }

    /// Where the current layer has nothing, or had nothing when the loop began.
    fn put_new(&mut self, table: usize, address: Address, value: &[u8]) {
        let Some(place) = self.tables.get_mut(table) else { return };
        let before = place.get(address);
        if let Some(frozen) = &mut self.frozen {
            frozen.values.before((table as u16, address), || before);
        }
        let old = before.map(|before| {
            let from = self.old_bytes.len();
            self.old_bytes.extend_from_slice(before);
            (from as u32, before.len() as u32)
        });
        self.undo.push(Undo::Value { table: table as u16, address, old });
        place.put(address, value, old.map(|(_, len)| len as usize));
        if place.spec.by_key && old.is_none() {
            self.keys.hold(address.0);
        }
        self.note_written(table, address);
    }

    fn note_written(&mut self, table: usize, address: Address) {
        if let Some(expire_ns) = self.tables.get(table).and_then(|place| place.spec.expire_ns) {
            self.set_expiry(table, address, self.written_at_ns.saturating_add(expire_ns));
        }
    }

    pub(super) fn remove_all(&mut self, table: usize, wanted: impl Iterator<Item = Address> + Clone) {
        let Some(place) = self.tables.get(table) else { return };
        if !place.is_flat() {
            wanted.for_each(|address| self.remove_one(table, address));
            return;
        }
        let cells = self.remember(table, wanted.clone());
        for (address, cell) in wanted.zip(cells) {
            if let Some(cell) = cell {
                self.forget(table, address, cell);
            }
        }
    }

    fn forget(&mut self, table: usize, address: Address, cell: u32) {
        let Some(place) = self.tables.get_mut(table) else { return };
        if let Some(frozen) = &mut self.frozen {
            frozen.values.before((table as u16, address), || Some(place.value(cell)));
        }
        let bytes = place.value(cell).len();
        if place.remove(address, bytes) {
            self.note_removed(table, address);
        }
    }

    /// Through all layers.
    pub(super) fn remove_one(&mut self, table: usize, address: Address) {
        let Some(place) = self.tables.get_mut(table) else { return };
        let Some(old) = place.get(address) else { return };
        let (at, len) = (self.old_bytes.len() as u32, old.len());
        self.old_bytes.extend_from_slice(old);
        if let Some(frozen) = &mut self.frozen {
            frozen.values.before((table as u16, address), || Some(old));
        }
        self.undo.push(Undo::Value { table: table as u16, address, old: Some((at, len as u32)) });
        place.remove(address, len);
        self.note_removed(table, address);
    }

    fn note_removed(&mut self, table: usize, address: Address) {
        if self.tables.get(table).is_some_and(|place| place.spec.by_key) {
            self.keys.release(address.0);
        }
        if self.expiries.get(table).is_some_and(|expiry| !expiry.is_empty()) {
            self.set_expiry(table, address, NEVER);
        }
    }
}
