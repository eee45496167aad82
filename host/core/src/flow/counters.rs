//! Counters of nodes and flows: written by the one worker that runs the flow, read by everybody.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// State of a node or flow as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Shown {
    Running,
    Paused,
    Stopped,
    Faulted,
    OpenCircuit,
}

impl Shown {
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Faulted => "faulted",
            Self::OpenCircuit => "open-circuit",
        }
    }
}

impl From<crate::record::Run> for Shown {
    fn from(run: crate::record::Run) -> Self {
        match run {
            crate::record::Run::Running => Self::Running,
            crate::record::Run::Paused => Self::Paused,
            crate::record::Run::Stopped => Self::Stopped,
        }
    }
}

/// Of one unit or rule; all lanes of a pipeline add to one.
#[derive(Debug, Default)]
pub struct NodeCounters {
    pub rows_in: AtomicU64,
    pub rows_out: AtomicU64,
    pub calls: AtomicU64,
    pub busy_ns: AtomicU64,
    pub faults: AtomicU64,
    pub rejected: AtomicU64,
    /// Rows that left by a port called "late".
    pub late: AtomicU64,
    /// Rows that ended at a stopped unit or an open circuit.
    pub dropped: AtomicU64,
    pub memory_bytes: AtomicU64,
    pub state_entries: AtomicU64,
    /// Rows and writes for which the unit's state had no room.
    pub over_quota: AtomicU64,
    /// When the newest of them was, ns since 1970 by the log; 0: never.
    over_quota_at: AtomicU64,
    shown: AtomicU8,
}

impl NodeCounters {
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub fn note_over_quota(&self, n: u64, at_unix_ns: i64) {
        Self::add(&self.over_quota, n);
        self.over_quota_at.store(at_unix_ns.unsigned_abs(), Ordering::Relaxed);
    }

    /// None: it never had too little room.
    pub fn over_quota_at_unix_ns(&self) -> Option<i64> {
        let at = self.over_quota_at.load(Ordering::Relaxed);
        (at > 0).then_some(at as i64)
    }

    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    pub fn show(&self, shown: Shown) {
        self.shown.store(shown as u8, Ordering::Relaxed);
    }

    pub fn shown(&self) -> Shown {
        match self.shown.load(Ordering::Relaxed) {
            1 => Shown::Paused,
            2 => Shown::Stopped,
            3 => Shown::Faulted,
            4 => Shown::OpenCircuit,
            _ => Shown::Running,
        }
    }
}
