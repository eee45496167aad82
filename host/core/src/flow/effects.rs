//! What a record does outside its flow, kept until the whole chain has finished it.

use std::sync::Arc;

use super::node::{Moment, Node};
use crate::batch::{Batch, Origin, RowIds};
use crate::triplet::Triplet;
use crate::unit::{Due, Fault, Signal};

/// Rows that a unit could not take, with the reason.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub at_unix_ns: i64,
    /// pipeline/unit
    pub unit: Arc<str>,
    pub digest: Arc<str>,
    pub code: String,
    pub message: String,
    pub batch: Batch,
}

impl DeadLetter {
    /// For timers that a unit could not take: one row for each, with key number and slot.
    pub(super) fn of_timers(node: &Node, due: &Due, moment: Moment, code: String, message: String) -> Self {
        let keys: Vec<u64> = due.keys.iter().map(|key| u64::from(*key)).collect();
        let columns = arrow_array::RecordBatch::try_from_iter([
            ("timer.key", Arc::new(arrow_array::UInt64Array::from(keys)) as arrow_array::ArrayRef),
            ("timer.slot", Arc::new(arrow_array::Int64Array::from(due.slots.clone()))),
        ]);
        let columns = columns
            .unwrap_or_else(|_| arrow_array::RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty())));
        let triplet = super::node::lock(&node.state).keys.scopes().first().cloned();
        let batch = Batch {
            triplet: triplet.unwrap_or_else(Triplet::internal),
            position: crate::batch::Position { log: 0, epoch: 0, offset: moment.position },
            accepted_at_unix_ns: moment.accepted_at_unix_ns,
            origin: Origin::Unit { id: Arc::clone(&node.id), ordinal: node.ordinal },
            row_ids: RowIds::From(0),
            time: if columns.num_rows() == due.times.len() {
                due.times.clone().into()
            } else {
                Vec::new().into()
            },
            columns,
            hops: 0,
        };
        Self {
            at_unix_ns: moment.accepted_at_unix_ns,
            unit: Arc::clone(&node.id),
            digest: Arc::clone(&node.digest),
            code,
            message,
            batch,
        }
    }
}

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
