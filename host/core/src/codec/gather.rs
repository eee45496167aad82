//! The column builders of all streams of one decoder thread.
//!
//! In: rows from the decoders of many connections. Out: [`Incoming`] batches, for each stream in the order of its rows. A batch is full at
//! [`Limits::batch_rows_max`] rows or [`Limits::batch_bytes_max`] bytes of events, and is then finished at once, in the middle of a chunk
//! too; it is due when its first row is [`Limits::batch_age_max_ns`] old. Time comes in as an argument.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::stream::{Stream, StreamCounters};
use super::{FieldNames, Limits};
use crate::batch::Incoming;
use crate::triplet::Triplet;

/// A batch that has rows.
#[derive(Debug)]
struct Waiting {
    stream: u32,
    batch: u64,
    since_unix_ns: i64,
}

#[derive(Debug)]
pub struct Gather {
    pub(super) limits: Limits,
    pub(super) streams: Vec<Stream>,
    /// Learned keys of all streams.
    pub(super) learned_keys: usize,
    /// The names by which the streams' keys got their roles.
    pub(super) fields: FieldNames,
    source: Arc<str>,
    by_triplet: HashMap<Arc<str>, u32, RandomState>,
    /// In the order of their first rows; entries of batches that were finished early are skipped.
    waiting: VecDeque<Waiting>,
    full: Vec<Incoming>,
    rows_total: u64,
    rejected_total: u64,
    lost_total: u64,
}

impl Gather {
    pub fn new(limits: Limits, source: impl Into<Arc<str>>) -> Self {
        Self {
            limits,
            streams: Vec::new(),
            learned_keys: 0,
            fields: FieldNames::default(),
            source: source.into(),
            by_triplet: HashMap::default(),
            waiting: VecDeque::new(),
            full: Vec::new(),
            rows_total: 0,
            rejected_total: 0,
            lost_total: 0,
        }
    }

    /// Batches that are full.
    pub fn take_full(&mut self) -> Vec<Incoming> {
        std::mem::take(&mut self.full)
    }

    /// Batches that are full or old enough.
    pub fn take_due(&mut self, now_unix_ns: i64) -> Vec<Incoming> {
        self.finish_while(|since_unix_ns, limits| {
            since_unix_ns.saturating_add(limits.batch_age_max_ns) <= now_unix_ns
        });
        self.take_full()
    }

    /// All batches with rows.
    pub fn take_all(&mut self) -> Vec<Incoming> {
        self.finish_while(|_, _| true);
        self.take_full()
    }

    /// When `take_due` will have something; none: no rows wait.
    pub fn next_due_unix_ns(&self) -> Option<i64> {
        if !self.full.is_empty() {
            return Some(i64::MIN);
        }
        let first = self.waiting.iter().find(|waiting| self.still_waits(waiting))?;
        Some(first.since_unix_ns.saturating_add(self.limits.batch_age_max_ns))
    }

    /// Events taken by all streams.
    pub fn rows_total(&self) -> u64 {
        self.rows_total
    }

    /// Events rejected by the decoders that feed this, those without a kept reason too.
    pub fn rejected_total(&self) -> u64 {
        self.rejected_total
    }

    /// Rows of batches that Arrow refused: 0, or a bug of the builders.
    pub fn lost_total(&self) -> u64 {
        self.lost_total
    }

    /// What happened since the last call, for each stream in which something did.
    pub fn drain_counters(&mut self) -> Vec<(Triplet, StreamCounters)> {
        let changed = self.streams.iter_mut().filter(|stream| stream.counters != StreamCounters::default());
        changed.map(|stream| (stream.triplet.clone(), std::mem::take(&mut stream.counters))).collect()
    }

    /// What happened in one stream since the last call; none: nothing, or no such stream.
    pub fn drain_counters_of(&mut self, triplet: &Triplet) -> Option<StreamCounters> {
        let number = self.find(triplet.as_str())?;
        let stream = self.streams.get_mut(number as usize)?;
        Some(std::mem::take(&mut stream.counters)).filter(|counters| *counters != StreamCounters::default())
    }

    pub(super) fn count_rejected(&mut self) {
        self.rejected_total += 1;
    }

    pub(super) fn find(&self, triplet: &str) -> Option<u32> {
        self.by_triplet.get(triplet).copied()
    }

    /// The number of a stream, made where it is not there; none: too many streams.
    pub(super) fn find_or_make(&mut self, triplet: &Triplet) -> Option<u32> {
        if let Some(stream) = self.find(triplet.as_str()) {
            return Some(stream);
        }
        if self.streams.len() >= self.limits.streams_max {
            return None;
        }
        let number = self.streams.len() as u32;
        self.by_triplet.insert(triplet.as_str().into(), number);
        self.streams.push(Stream::new(triplet.clone()));
        Some(number)
    }

    /// Makes `fields` the names that count. One gather serves one source, so that this changes nothing after the first call.
    pub(super) fn use_fields(&mut self, fields: &FieldNames) {
        if self.fields != *fields {
            self.fields = fields.clone();
            for stream in &mut self.streams {
                stream.keys.assign_roles(fields);
            }
        }
    }

    /// Ends the row that was begun in a stream.
    pub(super) fn commit(&mut self, number: u32, time_unix_ns: i64, bytes: usize, arrived_unix_ns: i64) {
        let Some(stream) = self.streams.get_mut(number as usize) else { return };
        stream.commit(time_unix_ns, bytes);
        self.rows_total += 1;
        if stream.row() == 1 {
            self.waiting.push_back(Waiting {
                stream: number,
                batch: stream.batch,
                since_unix_ns: arrived_unix_ns,
            });
        }
        if stream.row() >= self.limits.batch_rows_max || stream.bytes >= self.limits.batch_bytes_max {
            self.finish(number);
        }
    }

    fn finish_while(&mut self, goes: impl Fn(i64, &Limits) -> bool) {
        while let Some(waiting) = self.waiting.pop_front() {
            if !self.still_waits(&waiting) {
                continue;
            }
            if !goes(waiting.since_unix_ns, &self.limits) {
                self.waiting.push_front(waiting);
                return;
            }
            self.finish(waiting.stream);
        }
    }

    fn still_waits(&self, waiting: &Waiting) -> bool {
        self.streams.get(waiting.stream as usize).is_some_and(|stream| stream.batch == waiting.batch)
    }

    fn finish(&mut self, number: u32) {
        let Some(stream) = self.streams.get_mut(number as usize) else { return };
        let rows = stream.row() as u64;
        match stream.finish(&self.source, &self.limits) {
            Ok(incoming) => self.full.push(incoming),
            Err(_) => self.lost_total += rows,
        }
        // Finished batches leave notes behind; a flood into one stream must not pile them up.
        while self.waiting.front().is_some_and(|waiting| !self.still_waits(waiting)) {
            self.waiting.pop_front();
        }
    }
}
