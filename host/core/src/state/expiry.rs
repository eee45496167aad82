//! Entries that go by themselves: each at a time of its own, or all of a table a while after they were written.
//!
//! In: the watermark of each call, and watermarks at which entries may have expired. Out: nothing; the entries are gone, as part of the record.

use super::layer::Address;
use super::{DUE_MAX, Undo, UnitState};

impl UnitState {
    /// A call begins: what it writes to a table that expires as a whole counts from this watermark. As long as there is none, from the time of acceptance.
    pub fn begin_call(&mut self, watermark_unix_ns: i64, now_unix_ns: i64) {
        self.written_at_ns = if watermark_unix_ns > 0 { watermark_unix_ns } else { now_unix_ns };
    }

    /// Whether any entry is going to expire.
    pub fn expires(&self) -> bool {
        self.expiries.iter().any(|expiry| !expiry.is_empty())
    }

    /// Removes entries of keys in `scope` (and of free tables, where `scope` is 0) that expire before the watermark.
    pub fn expire_due(&mut self, scope: usize, watermark: i64) {
        for table in 0..self.tables.len() {
            loop {
                let due = match self.expiries.get(table) {
                    Some(expiry) if expiry.first().is_some_and(|first| first < watermark) => {
                        expiry.due(watermark - 1, DUE_MAX)
                    }
                    _ => break,
                };
                let before = self.undo.len();
                for (_, address) in due {
                    let keyed = self.tables.get(table).is_some_and(|place| place.spec.by_key);
                    if (keyed && self.keys.scope_of(address.0) == scope) || (!keyed && scope == 0) {
                        self.remove_one(table, address);
                    }
                }
                if self.undo.len() == before {
                    break;
                }
            }
        }
    }

    /// [`super::schedule::NEVER`] clears it.
    pub(super) fn set_expiry(&mut self, table: usize, address: Address, time: i64) {
        if let Some(expiry) = self.expiries.get_mut(table) {
            let old = expiry.set(address, time);
            if old != time {
                if let Some(frozen) = &mut self.frozen {
                    frozen.expiries.before((table as u16, address), || super::dump::time_bytes(old));
                }
                self.undo.push(Undo::Expiry { table: table as u16, address, old });
            }
        }
    }
}
