//! What is kept to be looked at: faults, dead letters. Bounded rings, newest last.

use std::collections::VecDeque;

use weir_core::flow::effects::{DeadLetter, Effects};
use weir_core::unit::Fault;

const FAULTS_MAX: usize = 1_000;
/// Rows of dead letters, and their bytes.
const DEAD_ROWS_MAX: usize = 10_000;
const DEAD_BYTES_MAX: usize = 64 << 20;

#[derive(Default)]
pub struct Shelf {
    /// With the time of acceptance of the record, ns since 1970.
    pub faults: VecDeque<(i64, Fault)>,
    pub faults_total: u64,
    pub dead: VecDeque<DeadLetter>,
    pub dead_total: u64,
    dead_rows: usize,
    dead_bytes: usize,
    pub hops_exceeded_total: u64,
    pub panics_total: u64,
}

impl Shelf {
    pub fn take(&mut self, effects: Effects) {
        for fault in effects.faults {
            self.faults_total += 1;
            if self.faults.len() >= FAULTS_MAX {
                self.faults.pop_front();
            }
            self.faults.push_back(fault);
        }
        for letter in effects.dead {
            self.bury(letter);
        }
        self.hops_exceeded_total += effects.hops_exceeded;
    }

    pub fn dead_rows(&self) -> usize {
        self.dead_rows
    }

    fn bury(&mut self, letter: DeadLetter) {
        self.dead_total += letter.batch.rows() as u64;
        self.dead_rows += letter.batch.rows();
        self.dead_bytes += letter.batch.bytes();
        self.dead.push_back(letter);
        while self.dead.len() > 1 && (self.dead_rows > DEAD_ROWS_MAX || self.dead_bytes > DEAD_BYTES_MAX) {
            if let Some(oldest) = self.dead.pop_front() {
                self.dead_rows -= oldest.batch.rows();
                self.dead_bytes -= oldest.batch.bytes();
            }
        }
    }
}
