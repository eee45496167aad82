//! Flapping: an alert that fires and resolves again and again.
//!
//! Whole numbers only, so that a replay decides the same on every machine: an alert flaps once `changes` of its changes lie within `within_ns`, and is calm again
//! when fewer than half of that many do (two bounds, as in Nagios' flap detection, so that flapping does not flap). A change is a firing or a resolving; while
//! it flaps, every turn between ok and not ok.

use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flap {
    /// At least 3, or 0: never.
    pub changes: u32,
    pub within_ns: i64,
}

/// The newest changes of one alert, at most as many as the policy counts.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Changes(VecDeque<i64>);

impl Changes {
    pub fn push(&mut self, at_unix_ns: i64, flap: &Flap) {
        self.0.push_back(at_unix_ns);
        let more = self.0.len().saturating_sub(flap.changes as usize);
        self.0.drain(..more);
    }

    /// Whether it is enough to call it flapping.
    pub fn too_many(&self, at_unix_ns: i64, flap: &Flap) -> bool {
        let nth = self.newest(flap.changes);
        nth.is_some_and(|nth| at_unix_ns.saturating_sub(nth) < flap.within_ns)
    }

    /// When it is calm, if nothing changes until then.
    pub fn calm_at(&self, flap: &Flap) -> i64 {
        self.newest(flap.changes.div_ceil(2)).map_or(i64::MIN, |nth| nth.saturating_add(flap.within_ns))
    }

    /// The n-th newest, from 1.
    fn newest(&self, n: u32) -> Option<i64> {
        let n = n as usize;
        if n == 0 { None } else { self.0.len().checked_sub(n).and_then(|at| self.0.get(at)).copied() }
    }
}
