//! Times at which an address is due: one for each address, in the order of (time, handle, slot).
//!
//! Used for timers (by watermark and by clock) and for the expiry of entries.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::layer::Address;

/// "Never" in the contract: clears a timer.
pub const NEVER: i64 = i64::MAX;

#[derive(Debug, Default, Clone)]
pub struct Schedule {
    order: BTreeSet<(i64, u32, i64)>,
    by_address: HashMap<Address, i64, FixedState>,
}

impl Schedule {
    /// Sets or clears (`NEVER`) the time of an address and gives the time that it had.
    pub fn set(&mut self, address: Address, time: i64) -> i64 {
        let old = if time == NEVER {
            self.by_address.remove(&address)
        } else {
            self.by_address.insert(address, time)
        };
        if let Some(old) = old {
            if old == time {
                return old;
            }
            self.order.remove(&(old, address.0, address.1));
        }
        if time != NEVER {
            self.order.insert((time, address.0, address.1));
        }
        old.unwrap_or(NEVER)
    }

    /// [`NEVER`] where there is none.
    pub fn get(&self, address: Address) -> i64 {
        self.by_address.get(&address).copied().unwrap_or(NEVER)
    }

    pub fn first(&self) -> Option<i64> {
        self.order.first().map(|entry| entry.0)
    }

    /// Up to `limit` addresses whose time is not after `until`; they stay until they are cleared.
    pub fn due(&self, until: i64, limit: usize) -> Vec<(i64, Address)> {
        self.order
            .iter()
            .take_while(|(time, _, _)| *time <= until)
            .take(limit)
            .map(|(time, handle, slot)| (*time, (*handle, *slot)))
            .collect()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, Address)> + '_ {
        self.order.iter().map(|(time, handle, slot)| (*time, (*handle, *slot)))
    }
}
