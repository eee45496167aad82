//! What a record does outside its flow, kept until the whole chain has finished it.

use std::sync::Arc;

use crate::batch::Batch;
use crate::letter::DeadLetter;
use crate::triplet::Triplet;
use crate::unit::{Fault, Signal};

/// A rule's word on a key, with the key made readable.
#[derive(Debug, Clone)]
pub struct Said {
    /// rule/name
    pub rule: Arc<str>,
    pub triplet: Triplet,
    pub labels: Vec<(Arc<str>, String)>,
    pub position: u64,
    pub signal: Signal,
}

#[derive(Debug, Default)]
pub struct Effects {
    /// (pipeline, series) by index, and the points.
    pub series: Vec<((usize, usize), Batch)>,
    /// Batches of derived streams, for the recent ring; the flow itself has already handed them on.
    pub derived: Vec<Batch>,
    pub signals: Vec<Said>,
    pub dead: Vec<DeadLetter>,
    /// With the time of acceptance of the record.
    pub faults: Vec<(i64, Fault)>,
    /// Rows of derived streams dropped because of too many hops.
    pub hops_exceeded: u64,
    /// Rows that a unit let out as late, by their stream.
    pub late: Vec<(Triplet, u64)>,
}

impl Effects {
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
            && self.derived.is_empty()
            && self.signals.is_empty()
            && self.dead.is_empty()
            && self.faults.is_empty()
            && self.hops_exceeded == 0
            && self.late.is_empty()
    }
}
