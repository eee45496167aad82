//! Timers of a unit's keys: by the watermark of their scope, and by the host's clock.
//!
//! In: times at which the unit wants to be woken. Out: those that are due, some at a time and in order; what is handed out is cleared, as part of the record. Bounded by the quota.

use super::bytes::{addresses, longs};
use super::layer::Address;
use super::schedule::{NEVER, Schedule};
use super::{Bug, DUE_MAX, Undo, UnitState, dump};
use crate::unit::Due;

impl UnitState {
    pub fn wake(&mut self, keys: &[u8], slots: &[u8], times: &[u8], by_clock: bool) -> Result<(), Bug> {
        let times = longs(times, "timers.wake: times")?;
        let wanted = addresses(keys, slots)?;
        if times.len() != wanted.len() {
            return Err(Bug(format!("timers.wake: {} times for {} keys", times.len(), wanted.len())));
        }
        for (address, time) in wanted.zip(times) {
            if self.keys.is_keyed() && !self.keys.knows(address.0) {
                return Err(Bug(format!("timers.wake: key number {} was not given", address.0)));
            }
            if time != NEVER && self.timers() >= self.quota.timers {
                return Err(Bug(format!("timers.wake: more than {} timers", self.quota.timers)));
            }
            self.set_timer(by_clock, address, time);
        }
        Ok(())
    }

    /// Takes timers of a scope that are due at this watermark, up to `limit` and [`DUE_MAX`], in the order of (time, key, slot).
    pub fn take_due(&mut self, scope: usize, watermark: i64, limit: usize) -> Due {
        let limit = limit.min(DUE_MAX);
        let due = self.timers.get(scope).map(|schedule| schedule.due(watermark, limit)).unwrap_or_default();
        self.hand_out(false, due)
    }

    /// Time of the first timer of a scope that is due at this watermark.
    pub fn first_due(&self, scope: usize, watermark: i64) -> Option<i64> {
        self.timers.get(scope)?.first().filter(|first| *first <= watermark)
    }

    pub fn take_due_by_clock(&mut self, now: i64) -> Due {
        let due = self.clock_timers.due(now, DUE_MAX);
        self.hand_out(true, due)
    }

    fn hand_out(&mut self, clock: bool, due: Vec<(i64, Address)>) -> Due {
        let mut out = Due::default();
        for (time, address) in due {
            out.keys.push(address.0);
            out.slots.push(address.1);
            out.times.push(time);
            self.set_timer(clock, address, NEVER);
        }
        out
    }

    fn set_timer(&mut self, clock: bool, address: Address, time: i64) {
        let old = self.schedule(clock, address).set(address, time);
        if old != time {
            if let Some(frozen) = &mut self.frozen {
                frozen.timers.before((u16::from(clock), address), || dump::time_bytes(old));
            }
            self.undo.push(Undo::Timer { clock, address, old });
            self.count_timer(address, old, time);
        }
    }

    pub(super) fn count_timer(&mut self, address: Address, old: i64, new: i64) {
        match (old == NEVER, new == NEVER) {
            (true, false) => self.keys.hold(address.0),
            (false, true) => self.keys.release(address.0),
            _ => {}
        }
    }

    pub(super) fn schedule(&mut self, clock: bool, address: Address) -> &mut Schedule {
        if clock {
            return &mut self.clock_timers;
        }
        let scope = self.keys.scope_of(address.0);
        if self.timers.len() <= scope {
            self.timers.resize_with(scope + 1, Schedule::default);
        }
        match self.timers.get_mut(scope) {
            Some(schedule) => schedule,
            None => &mut self.clock_timers,
        }
    }
}
