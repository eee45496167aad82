//! The column builders of all streams of one decoder thread.
//!
//! In: rows from the decoders of many connections. Out: [`Incoming`] batches, for each stream in the order of its rows. A batch is full at
//! [`Limits::batch_rows_max`] rows or [`Limits::batch_bytes_max`] bytes of events, and is then finished at once, in the middle of a chunk
//! too; it is due when its first row is [`Limits::batch_age_max_ns`] old. Time comes in as an argument.
//!
//! The work is that of [`weir_columns::Tables`]; here its tables get the names of streams.

use std::sync::Arc;

use weir_columns::{Finished, Settings, Tables};

use super::pushed::Pushed;
use super::router::StreamRouter;
use super::{Defaults, FieldNames, Limits, StreamCounters};
use crate::batch::{DICTIONARY_ID, Incoming};
use crate::triplet::{Selector, Triplet};

#[derive(Debug)]
pub struct Gather {
    pub(super) tables: Tables,
    source: Arc<str>,
    fields: FieldNames,
    /// For what the tables remember which stream an event is of.
    routed_for: (Option<Triplet>, Vec<Selector>),
    /// Of each table.
    triplets: Vec<Option<Triplet>>,
    /// From codecs that give columns.
    pushed: Pushed,
}

impl Gather {
    pub fn new(limits: Limits, source: impl Into<Arc<str>>) -> Self {
        let fields = FieldNames::default();
        let pushed = Pushed::new(limits.clone());
        let settings = Settings {
            limits,
            route_fields: route_fields(&fields),
            time_field: Some(fields.time.clone()),
            reserved_name: Some("time".into()),
            dictionary_id_key: DICTIONARY_ID.into(),
            ..Settings::default()
        };
        let routed_for = (None, Vec::new());
        Self {
            tables: Tables::new(settings),
            source: source.into(),
            fields,
            routed_for,
            triplets: Vec::new(),
            pushed,
        }
    }

    /// Batches that are full.
    pub fn take_full(&mut self) -> Vec<Incoming> {
        let finished = self.tables.take_full();
        let mut batches = self.incoming(finished);
        batches.extend(self.pushed.take_full());
        batches
    }

    /// Batches that are full or old enough.
    pub fn take_due(&mut self, now_unix_ns: i64) -> Vec<Incoming> {
        let finished = self.tables.take_due(now_unix_ns);
        let mut batches = self.incoming(finished);
        batches.extend(self.pushed.take_due(now_unix_ns));
        batches
    }

    /// All batches with rows.
    pub fn take_all(&mut self) -> Vec<Incoming> {
        let finished = self.tables.take_all();
        let mut batches = self.incoming(finished);
        batches.extend(self.pushed.take_all());
        batches
    }

    /// When `take_due` will have something; none: no rows wait.
    pub fn next_due_unix_ns(&self) -> Option<i64> {
        self.tables.next_due_unix_ns().into_iter().chain(self.pushed.next_due_unix_ns()).min()
    }

    /// Events taken by all streams.
    pub fn rows_total(&self) -> u64 {
        self.tables.rows_total() + self.pushed.rows_total
    }

    /// Events rejected by the decoders that feed this, those without a kept reason too.
    pub fn rejected_total(&self) -> u64 {
        self.tables.rejected_total() + self.pushed.rejected_total
    }

    /// Rows of batches that Arrow refused: 0, or a bug of the builders.
    pub fn lost_total(&self) -> u64 {
        self.tables.lost_total() + self.pushed.lost_total
    }

    /// What happened since the last call, for each stream in which something did.
    pub fn drain_counters(&mut self) -> Vec<(Triplet, StreamCounters)> {
        let changed = self.tables.drain_counters();
        changed.into_iter().filter_map(|(_, name, counters)| Some((name.parse().ok()?, counters))).collect()
    }

    /// What happened in one stream since the last call; none: nothing, or no such stream.
    pub fn drain_counters_of(&mut self, triplet: &Triplet) -> Option<StreamCounters> {
        self.tables.drain_counters_of(triplet.as_str())
    }

    /// Takes a batch that a codec made whole.
    pub fn push_batch(&mut self, batch: Incoming, arrived_unix_ns: i64) {
        self.pushed.push(batch, arrived_unix_ns);
    }

    /// Counts rows that a codec outside of here rejected.
    pub fn count_rejected_rows(&mut self, rows: u64) {
        self.pushed.rejected_total += rows;
    }

    /// To be called before rows come under `defaults`. A gather most often serves one source, whose defaults stay.
    pub(super) fn prepare(&mut self, defaults: &Defaults) {
        if self.fields != defaults.fields {
            self.fields = defaults.fields.clone();
            self.tables.use_fields(route_fields(&self.fields), Some(self.fields.time.clone()));
        }
        let (triplet, may_write) = &self.routed_for;
        if *triplet != defaults.triplet || *may_write != defaults.may_write {
            self.routed_for = (defaults.triplet.clone(), defaults.may_write.clone());
            self.tables.forget_routes();
        }
    }

    fn incoming(&mut self, finished: Vec<Finished>) -> Vec<Incoming> {
        finished.into_iter().filter_map(|one| self.name(one)).collect()
    }

    fn name(&mut self, finished: Finished) -> Option<Incoming> {
        let number = finished.table as usize;
        if self.triplets.len() <= number {
            self.triplets.resize(number + 1, None);
        }
        let slot = self.triplets.get_mut(number)?;
        if slot.is_none() {
            // The router named the table after a triplet.
            *slot = finished.name.parse().ok();
        }
        let triplet = slot.clone()?;
        let time = finished.time.into();
        Some(Incoming { triplet, source: self.source.clone(), time, columns: finished.columns })
    }
}

impl Defaults {
    pub(super) fn router(&self) -> StreamRouter<'_> {
        StreamRouter::new(self)
    }
}

fn route_fields(fields: &FieldNames) -> Vec<Arc<str>> {
    vec![fields.application.clone(), fields.environment.clone(), fields.event_type.clone()]
}
