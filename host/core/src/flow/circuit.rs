//! When to stop calling a unit that only fails.
//!
//! Counts records in which a call gave nothing but faults. [`FAILURES_MAX`] of them within [`WINDOW_NS`] open the circuit; [`PROBE_AFTER_NS`] later one record is
//! let through as a probe: if it works the circuit closes, else it stays open as long again. Times are times of acceptance, the newest that the
//! flow knows of, not the clock.

use std::collections::VecDeque;

pub const FAILURES_MAX: usize = 5;
pub const WINDOW_NS: i64 = 10_000_000_000;
pub const PROBE_AFTER_NS: i64 = 10_000_000_000;

#[derive(Debug, Default, Clone, serde::Serialize, serde::Deserialize)]
pub struct Circuit {
    failures: VecDeque<i64>,
    opened_at: Option<i64>,
    probing: bool,
}

impl Circuit {
    /// Whether a call may be tried; after a while an open circuit lets one through.
    pub fn allows(&mut self, now: i64) -> bool {
        match self.opened_at {
            None => true,
            Some(opened) => {
                self.probing |= now.saturating_sub(opened) >= PROBE_AFTER_NS;
                self.probing
            }
        }
    }

    pub fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    /// A call gave something.
    pub fn worked(&mut self) {
        if self.opened_at.is_some() || !self.failures.is_empty() {
            self.close();
        }
    }

    /// A call gave nothing but faults. True when this opens the circuit.
    pub fn failed(&mut self, now: i64) -> bool {
        if self.opened_at.is_some() {
            self.opened_at = Some(now);
            self.probing = false;
            return false;
        }
        while self.failures.front().is_some_and(|first| now.saturating_sub(*first) > WINDOW_NS) {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        let opens = self.failures.len() >= FAILURES_MAX;
        if opens {
            self.opened_at = Some(now);
        }
        opens
    }

    /// Forgets everything: a call worked, or an operator says so.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn five_failures_in_ten_seconds_open_it_and_a_probe_closes_it() {
        let mut circuit = Circuit::default();
        for second in 0..4 {
            assert!(!circuit.failed(second * S));
        }
        assert!(circuit.failed(4 * S));
        assert!(!circuit.allows(5 * S));
        assert!(circuit.allows(14 * S));
        assert!(!circuit.failed(14 * S));
        assert!(!circuit.allows(15 * S));
        assert!(circuit.allows(24 * S));
        circuit.worked();
        assert!(circuit.allows(24 * S) && !circuit.is_open());
    }

    #[test]
    fn failures_far_apart_do_not_open_it() {
        let mut circuit = Circuit::default();
        assert!((0..20).all(|n| !circuit.failed(n * 4 * S)));
    }
}
