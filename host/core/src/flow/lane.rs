//! Lanes: copies of a flow that share its rows out by a hash of key columns, the same on every machine.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;

use crate::batch::Batch;
use crate::keys;
use crate::projection::pick;

/// Which rows of a batch a lane takes.
#[derive(Debug, Clone)]
pub struct Lane {
    pub index: u32,
    pub count: u32,
    pub by: Vec<Arc<str>>,
}

/// The rows of a lane; without lanes all.
pub(super) fn take_lane(lane: Option<&Lane>, batch: &Batch) -> Batch {
    let Some(lane) = lane else { return batch.clone() };
    let columns: Vec<Option<ArrayRef>> =
        lane.by.iter().map(|name| batch.columns.column_by_name(name).cloned()).collect();
    let mut scratch = Vec::new();
    let mine = |row| keys::partition(&columns, row, &mut scratch) % lane.count == lane.index;
    pick(batch, &BooleanBuffer::collect_bool(batch.rows(), mine))
}
