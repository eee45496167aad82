//! What one unit remembers: tables, timers and key numbers, all of it transactional per record of the log.
//!
//! The unit's calls (see `wit/state.wit`, `wit/timers.wit`) write in place and an undo log keeps what was there, so that reads see the writes of
//! the same record, [`UnitState::commit`] is free and [`UnitState::roll_back`] costs what was written. Numbers in byte slices are
//! little-endian: handles n x u32, slots and times n x i64. Bounds: [`Quota`]. Errors: a [`Bug`] is the unit's mistake and ends its call
//! like a trap; a [`Refusal`] it may handle. Layers for candidates are in [`table`].

mod bytes;
pub mod dump;
mod expiry;
pub mod frozen;
pub mod layer;
pub mod marks;
pub mod paged;
mod quota;
pub mod schedule;
pub mod table;
mod timers;
mod values;

use std::sync::Arc;

use crate::keys::KeyTable;
use crate::plan::Plan;
pub use bytes::unpack;
use bytes::{PackedBuilder, addresses, cursor_address, longs};
use layer::Address;
pub use quota::Quota;
use schedule::Schedule;
use table::Table;

/// Most timers handed to one `tick`.
pub const DUE_MAX: usize = 4_096;
/// Most entries that one `scan` returns.
const SCAN_MAX: usize = 65_536;

/// A wrong table, handle or length: the unit's bug, which ends its call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Bug(pub String);

/// The state is full or a value too large: nothing of the call was written, and the unit may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
}

/// What a writing call answers: `Err` is the unit's bug, `Ok(Err)` a refusal that it may handle.
pub type Written<T> = Result<Result<T, Refusal>, Bug>;

/// n byte strings: offsets (n + 1) x u32 and their data, as in the contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    pub offsets: Vec<u8>,
    pub data: Vec<u8>,
}

/// Entries of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub handles: Vec<u8>,
    pub slots: Vec<u8>,
    pub names: Packed,
    pub cursor: Vec<u8>,
}

/// A point in the undo log to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    undo: usize,
    old_bytes: usize,
}

#[derive(Debug)]
enum Undo {
    /// `old`: where the old value lies in `old_bytes`; none: there was none.
    Value {
        table: u16,
        address: Address,
        old: Option<(u32, u32)>,
    },
    Timer {
        clock: bool,
        address: Address,
        old: i64,
    },
    Expiry {
        table: u16,
        address: Address,
        old: i64,
    },
    Key,
}

#[derive(Debug)]
pub struct UnitState {
    tables: Vec<Table>,
    /// For each table the expiry of its entries.
    expiries: Vec<Schedule>,
    /// Timers by watermark, one schedule for each scope of the keys.
    timers: Vec<Schedule>,
    clock_timers: Schedule,
    /// From where tables that expire as a whole count: the watermark of the call.
    written_at_ns: i64,
    /// Names of free tables: name to handle, and back.
    names: Vec<crate::keys::Names>,
    pub keys: KeyTable,
    quota: Quota,
    /// Writes that did not fit, since somebody asked.
    over_quota: u64,
    undo: Vec<Undo>,
    old_bytes: Vec<u8>,
    /// None: nobody wants to know.
    dirty: Option<dump::Dirty>,
    /// What a checkpoint reads.
    frozen: Option<dump::FrozenState>,
}

impl UnitState {
    pub fn new(plan: &Plan, quota: Quota) -> Self {
        let tables: Vec<Table> = plan.tables.iter().cloned().map(Table::new).collect();
        Self {
            expiries: tables.iter().map(|_| Schedule::default()).collect(),
            names: tables.iter().map(|_| crate::keys::Names::default()).collect(),
            tables,
            timers: Vec::new(),
            clock_timers: Schedule::default(),
            written_at_ns: 0,
            keys: KeyTable::new(plan.keys.clone(), plan.across, quota.keys),
            quota,
            over_quota: 0,
            undo: Vec::new(),
            old_bytes: Vec::new(),
            dirty: None,
            frozen: None,
        }
    }

    pub fn shared(self) -> SharedState {
        Arc::new(parking_lot::Mutex::new(self))
    }

    /// Writes that were refused because there is no room, since the last time. They count whatever becomes of their record.
    pub fn take_over_quota(&mut self) -> u64 {
        std::mem::take(&mut self.over_quota)
    }

    // ---- the record as a transaction ----

    pub fn mark(&self) -> Mark {
        Mark { undo: self.undo.len(), old_bytes: self.old_bytes.len() }
    }

    pub fn changed_since(&self, mark: Mark) -> bool {
        self.undo.len() != mark.undo
    }

    /// Takes back everything since the mark, newest first.
    pub fn roll_back(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            match self.undo.pop() {
                Some(Undo::Value { table, address, old }) => self.restore(table, address, old),
                Some(Undo::Timer { clock, address, old }) => {
                    let now = self.schedule(clock, address).set(address, old);
                    self.count_timer(address, now, old);
                }
                Some(Undo::Expiry { table, address, old }) => {
                    if let Some(expiry) = self.expiries.get_mut(table as usize) {
                        expiry.set(address, old);
                    }
                }
                Some(Undo::Key) => self.keys.forget_newest(),
                None => break,
            }
        }
        self.old_bytes.truncate(mark.old_bytes);
    }

    /// The record is done: there is no way back from here. Frees key numbers that nothing needs any more.
    pub fn commit(&mut self) {
        if let Some(dirty) = &mut self.dirty {
            dirty.note(&self.undo);
        }
        self.undo.clear();
        self.old_bytes.clear();
        self.keys.sweep();
    }

    fn restore(&mut self, table: u16, address: Address, old: Option<(u32, u32)>) {
        let Some(place) = self.tables.get_mut(table as usize) else { return };
        let by_key = place.spec.by_key;
        let now = place.get(address).map(<[u8]>::len);
        match old {
            Some((at, len)) => {
                let value = self.old_bytes.get(at as usize..(at + len) as usize).unwrap_or_default().to_vec();
                place.put(address, &value, now);
                if by_key && now.is_none() {
                    self.keys.hold(address.0);
                }
            }
            None => {
                if let Some(now) = now {
                    place.remove(address, now);
                    if by_key {
                        self.keys.release(address.0);
                    }
                }
            }
        }
    }

    /// Numbers the keys of a batch's rows (see [`KeyTable::number`]); new numbers are part of the record.
    pub fn number(&mut self, input: &crate::batch::Batch) -> Vec<u32> {
        let (numbers, new) = self.keys.number(input);
        self.undo.extend((0..new).map(|_| Undo::Key));
        numbers
    }

    // ---- counters ----

    pub fn entries(&self) -> usize {
        self.tables.iter().map(Table::entries).sum()
    }

    pub fn bytes(&self) -> usize {
        self.tables.iter().map(Table::bytes).sum()
    }

    pub fn timers(&self) -> usize {
        self.timers.iter().map(Schedule::len).sum::<usize>() + self.clock_timers.len()
    }

    pub fn tables_mut(&mut self) -> &mut [Table] {
        &mut self.tables
    }

    // ---- imports of the unit ----

    /// n x size bytes; zeros where there is no value.
    pub fn read(&self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Vec<u8>, Bug> {
        let place = self.table(table)?;
        let size = fixed_size(place)?;
        let wanted = addresses(handles, slots)?;
        for address in wanted.clone() {
            self.check_handle(place, table, address.0)?;
        }
        Ok(values::read(place, wanted, size))
    }

    pub fn write(&mut self, table: u32, handles: &[u8], slots: &[u8], values: &[u8]) -> Written<()> {
        let place = self.table(table)?;
        let size = fixed_size(place)?;
        let wanted = addresses(handles, slots)?;
        if values.len() != wanted.len() * size {
            return Err(Bug(format!(
                "state.write: {} bytes of values for {} handles of {size} bytes each",
                values.len(),
                wanted.len()
            )));
        }
        let chunks = values.chunks_exact(size.max(1));
        self.write_all(table, addresses(handles, slots)?, chunks, wanted.len() * size)
    }

    /// Empty where there is no value.
    pub fn read_packed(&self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Packed, Bug> {
        let place = self.table(table)?;
        let mut out = PackedBuilder::default();
        for address in addresses(handles, slots)? {
            self.check_handle(place, table, address.0)?;
            out.push(place.get(address).unwrap_or_default());
        }
        Ok(out.finish())
    }

    pub fn write_packed(
        &mut self,
        table: u32,
        handles: &[u8],
        slots: &[u8],
        offsets: &[u8],
        data: &[u8],
    ) -> Written<()> {
        let place = self.table(table)?;
        let values = unpack(offsets, data)?;
        let wanted = addresses(handles, slots)?;
        if values.len() != wanted.len() {
            return Err(Bug(format!(
                "state.write-packed: {} values for {} handles",
                values.len(),
                wanted.len()
            )));
        }
        if let Some(size) = place.spec.size {
            if let Some(wrong) = values.iter().find(|value| value.len() != size as usize) {
                return Err(Bug(format!(
                    "state.write-packed: a value of {} bytes in a table of {size}",
                    wrong.len()
                )));
            }
        } else if let Some(large) = values.iter().find(|value| value.len() > self.quota.value_bytes) {
            let limit = self.quota.value_bytes;
            let message = format!("a value of {} bytes is over the limit of {limit}", large.len());
            return Ok(Err(Refusal { code: "too-large", message }));
        }
        self.write_all(table, addresses(handles, slots)?, values.into_iter(), data.len())
    }

    /// n x u8, 1 where there is a value.
    pub fn present(&self, table: u32, handles: &[u8], slots: &[u8]) -> Result<Vec<u8>, Bug> {
        let place = self.table(table)?;
        addresses(handles, slots)?
            .map(|address| {
                self.check_handle(place, table, address.0)?;
                Ok(u8::from(place.get(address).is_some()))
            })
            .collect()
    }

    pub fn remove(&mut self, table: u32, handles: &[u8], slots: &[u8]) -> Result<(), Bug> {
        let place = self.table(table)?;
        for address in addresses(handles, slots)? {
            self.check_handle(place, table, address.0)?;
        }
        self.remove_all(table as usize, addresses(handles, slots)?);
        Ok(())
    }

    pub fn expire(&mut self, table: u32, handles: &[u8], slots: &[u8], times: &[u8]) -> Result<(), Bug> {
        self.table(table)?;
        let times = longs(times, "state.expire: times")?;
        let wanted = addresses(handles, slots)?;
        if times.len() != wanted.len() {
            return Err(Bug(format!("state.expire: {} times for {} handles", times.len(), wanted.len())));
        }
        for (address, time) in wanted.zip(times) {
            let place = self.table(table)?;
            self.check_handle(place, table, address.0)?;
            if place.get(address).is_some() {
                self.set_expiry(table as usize, address, time);
            }
        }
        Ok(())
    }

    /// Entries that have a value from `cursor` on, at most `limit`. The cursor is the address of the last entry given.
    pub fn scan(&self, table: u32, prefix: &[u8], cursor: &[u8], limit: u32) -> Result<Page, Bug> {
        let place = self.table(table)?;
        let free = !place.spec.by_key;
        let names = self.names.get(table as usize);
        let mut all: Vec<(&[u8], Address)> = place
            .addresses()
            .into_iter()
            .map(|address| (names.and_then(|names| names.name(address.0)).unwrap_or_default(), address))
            .filter(|(name, _)| !free || name.starts_with(prefix))
            .collect();
        if free {
            all.sort_unstable();
        }
        let from = match cursor {
            [] => 0,
            _ => {
                let last = cursor_address(cursor)?;
                let name = names.and_then(|names| names.name(last.0)).unwrap_or_default();
                all.partition_point(|entry| *entry <= (name, last))
            }
        };
        let limit = (limit as usize).clamp(1, SCAN_MAX);
        let mut page = Page::default();
        let mut packed = PackedBuilder::default();
        let rest = all.get(from..).unwrap_or_default();
        for (name, address) in rest.iter().take(limit) {
            page.handles.extend(address.0.to_le_bytes());
            page.slots.extend(address.1.to_le_bytes());
            if free {
                packed.push(name);
            }
        }
        page.names = packed.finish();
        if rest.len() > limit
            && let Some((_, last)) = rest.get(limit - 1)
        {
            page.cursor.extend(last.0.to_le_bytes());
            page.cursor.extend(last.1.to_le_bytes());
        }
        Ok(page)
    }

    /// Handles for names in a free table.
    pub fn define(&mut self, table: u32, offsets: &[u8], data: &[u8]) -> Written<Vec<u8>> {
        if self.table(table)?.spec.by_key {
            return Err(Bug(format!(
                "state.define: table {table} is by key, its handles are the key numbers"
            )));
        }
        let wanted = unpack(offsets, data)?;
        if wanted.iter().any(|name| name.is_empty()) {
            return Err(Bug("state.define: an empty name".into()));
        }
        let limit = self.quota.name_bytes;
        if wanted.iter().any(|name| name.len() > limit) {
            return Ok(Err(Refusal { code: "too-large", message: format!("a name is over {limit} bytes") }));
        }
        let Some(names) = self.names.get_mut(table as usize) else { return Ok(Ok(Vec::new())) };
        if names.len() + wanted.len() > self.quota.entries {
            self.over_quota += 1;
            let message = "the table has no room for more names".into();
            return Ok(Err(Refusal { code: "quota", message }));
        }
        // A name without a value is nothing: that the handle stays after a roll-back changes no result.
        Ok(Ok(wanted.iter().flat_map(|name| names.define(name).to_le_bytes()).collect()))
    }

    // ---- inside ----

    fn table(&self, table: u32) -> Result<&Table, Bug> {
        self.tables.get(table as usize).ok_or_else(|| {
            Bug(format!("state: there is no table {table}, the plan declares {}", self.tables.len()))
        })
    }

    fn check_handle(&self, place: &Table, table: u32, handle: u32) -> Result<(), Bug> {
        let known = if place.spec.by_key {
            self.keys.knows(handle)
        } else {
            self.names.get(table as usize).is_some_and(|names| names.name(handle).is_some())
        };
        if known {
            return Ok(());
        }
        Err(Bug(format!("state: handle {handle} of table `{}` was never given", place.spec.name)))
    }
}

/// The size of a fixed-size table's values.
fn fixed_size(table: &Table) -> Result<usize, Bug> {
    match table.spec.size {
        Some(size) if size > 0 => Ok(size as usize),
        _ => Err(Bug(format!("state: table `{}` has no fixed size: use the packed calls", table.spec.name))),
    }
}

/// Shared between a flow, the instance whose imports it serves, and the checkpoint that reads it frozen. The lock is a fair one: whoever waits for it while a busy flow takes
/// it again and again gets it within a millisecond.
pub type SharedState = Arc<parking_lot::Mutex<UnitState>>;

#[cfg(test)]
mod tests;
