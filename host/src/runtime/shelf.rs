//! What is kept to be looked at: faults. A bounded ring, newest last. Dead letters: [`super::dead`].

use std::collections::VecDeque;

use weir_core::unit::Fault;

const FAULTS_MAX: usize = 1_000;

#[derive(Default)]
pub struct Shelf {
    /// With the time of acceptance of the record, ns since 1970.
    pub faults: VecDeque<(i64, Fault)>,
    pub faults_total: u64,
    pub hops_exceeded_total: u64,
    pub panics_total: u64,
}

impl Shelf {
    pub fn take(&mut self, faults: Vec<(i64, Fault)>, hops_exceeded: u64) {
        for fault in faults {
            self.faults_total += 1;
            if self.faults.len() >= FAULTS_MAX {
                self.faults.pop_front();
            }
            self.faults.push_back(fault);
        }
        self.hops_exceeded_total += hops_exceeded;
    }
}
