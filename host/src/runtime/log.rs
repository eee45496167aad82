//! The head of the log: the sequencer, what is known of each stream, and which flows get which records.
//!
//! One lock around all of it, taken once per delivery of a source: a position is given and the record put into every flow's queue in one step, so
//! that all flows see one order. The journal's place is between the two.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use weir_core::batch::{Batch, Incoming, Position};
use weir_core::codec::StreamCounters;
use weir_core::recent::Recent;
use weir_core::record::{Command, Payload, Record, Run};
use weir_core::sequencer::{STREAMS_MAX, Sequencer};
use weir_core::triplet::Triplet;

use super::actor::Actor;
use super::build::Routed;

/// Newest events kept for each stream, and their bytes.
const RECENT_EVENTS: usize = 1_000;
const RECENT_BYTES: usize = 4 << 20;
/// Bytes of the recent rings of all streams together; beyond it the rings of new batches shrink to one batch.
const RECENT_BYTES_ALL: usize = 64 << 20;

/// What is known of one stream.
pub struct Stream {
    pub recent: Recent,
    pub events_total: u64,
    pub bytes_total: u64,
    pub schema: SchemaRef,
    pub schema_changes_total: u64,
    pub last_event_time_unix_ns: Option<i64>,
    pub derived: bool,
    /// What the builders of the sources had to do with its events.
    pub built: StreamCounters,
    /// Rows that units let out as late, once for each unit that did.
    pub late_total: u64,
    /// Indexes into `Log::flows`, by generation of the routes.
    routes: (u64, Arc<[usize]>),
}

pub struct Log {
    pub sequencer: Sequencer,
    pub streams: HashMap<Triplet, Stream>,
    flows: Vec<Routed>,
    /// What operators have paused or stopped as of the newest record, by name of the pipeline or id of the node.
    pub runs: HashMap<Arc<str>, Run>,
    generation: u64,
    pub refused_rows_total: u64,
    pub records_total: u64,
    recent_bytes: usize,
}

/// Actors that got their first waiting record and must be put into the line.
pub type Claimed = Vec<Arc<Actor>>;

impl Log {
    pub fn new(sequencer: Sequencer) -> Self {
        Self {
            sequencer,
            streams: HashMap::new(),
            flows: Vec::new(),
            runs: HashMap::new(),
            generation: 0,
            refused_rows_total: 0,
            records_total: 0,
            recent_bytes: 0,
        }
    }

    pub fn batch(
        &mut self,
        incoming: Incoming,
        clock_unix_ns: i64,
        claimed: &mut Claimed,
    ) -> Option<Position> {
        if incoming.rows() == 0 {
            return None;
        }
        let record = match self.sequencer.batch(incoming, clock_unix_ns) {
            Ok(record) => record,
            Err(refused) => {
                self.refused_rows_total += refused.rows as u64;
                tracing::warn!(error = %refused, "batch refused");
                return None;
            }
        };
        let position = record.position;
        let Payload::Batch { batch, .. } = &record.payload else { return Some(position) };
        let batch = batch.clone();
        self.note(&batch, false);
        let routes = self.routes(&batch.triplet);
        let record = Arc::new(record);
        self.records_total += 1;
        for flow in routes.iter().filter_map(|flow| self.flows.get(*flow)) {
            if flow.actor.push(Arc::clone(&record)) {
                claimed.push(Arc::clone(&flow.actor));
            }
        }
        Some(position)
    }

    pub fn tick(&mut self, clock_unix_ns: i64, claimed: &mut Claimed) {
        let record = self.sequencer.tick(clock_unix_ns);
        self.give_all(record, claimed);
    }

    pub fn command(&mut self, command: Command, clock_unix_ns: i64, claimed: &mut Claimed) -> Position {
        match &command {
            Command::Pipeline { pipeline: id, run: Run::Running }
            | Command::Unit { unit: id, run: Run::Running } => {
                self.runs.remove(id);
            }
            Command::Pipeline { pipeline: id, run } | Command::Unit { unit: id, run } => {
                self.runs.insert(Arc::clone(id), *run);
            }
            Command::Configure { .. } => {}
        }
        let record = self.sequencer.command(command, clock_unix_ns);
        let position = record.position;
        self.give_all(record, claimed);
        position
    }

    /// From the next record on these flows run.
    pub fn set_flows(&mut self, flows: Vec<Routed>) {
        self.flows = flows;
        self.generation += 1;
    }

    pub fn flows(&self) -> &[Routed] {
        &self.flows
    }

    /// Keeps a batch in its stream's ring.
    pub fn note(&mut self, batch: &Batch, derived: bool) {
        if !self.streams.contains_key(&batch.triplet) && self.streams.len() >= 2 * STREAMS_MAX {
            return;
        }
        let stream = self.streams.entry(batch.triplet.clone()).or_insert_with(|| Stream {
            recent: Recent::new(RECENT_EVENTS, RECENT_BYTES),
            events_total: 0,
            bytes_total: 0,
            schema: batch.columns.schema(),
            schema_changes_total: 0,
            last_event_time_unix_ns: None,
            derived,
            built: StreamCounters::default(),
            late_total: 0,
            routes: (u64::MAX, Arc::new([])),
        });
        let schema = batch.columns.schema_ref();
        if !Arc::ptr_eq(&stream.schema, schema) {
            stream.schema_changes_total += u64::from(!same_columns(&stream.schema, schema));
            stream.schema = Arc::clone(schema);
        }
        stream.events_total += batch.rows() as u64;
        stream.bytes_total += batch.bytes() as u64;
        let newest = batch.time.iter().copied().max();
        stream.last_event_time_unix_ns = stream.last_event_time_unix_ns.max(newest);
        let before = stream.recent.bytes();
        if self.recent_bytes > RECENT_BYTES_ALL {
            stream.recent = Recent::new(RECENT_EVENTS, RECENT_BYTES);
        }
        stream.recent.push(batch);
        self.recent_bytes = (self.recent_bytes + stream.recent.bytes()).saturating_sub(before);
    }

    fn give_all(&mut self, record: Record, claimed: &mut Claimed) {
        let record = Arc::new(record);
        for flow in &self.flows {
            if flow.actor.push(Arc::clone(&record)) {
                claimed.push(Arc::clone(&flow.actor));
            }
        }
    }

    fn routes(&mut self, triplet: &Triplet) -> Arc<[usize]> {
        let Some(stream) = self.streams.get_mut(triplet) else { return Arc::new([]) };
        if stream.routes.0 != self.generation {
            let flows = self.flows.iter().enumerate();
            let matching =
                flows.filter(|(_, flow)| flow.selectors.iter().any(|selector| selector.matches(triplet)));
            stream.routes = (self.generation, matching.map(|(index, _)| index).collect());
        }
        Arc::clone(&stream.routes.1)
    }
}

/// Names and types alike; the identity of dictionaries may differ.
fn same_columns(left: &SchemaRef, right: &SchemaRef) -> bool {
    left.fields().len() == right.fields().len()
        && left
            .fields()
            .iter()
            .zip(right.fields())
            .all(|(left, right)| left.name() == right.name() && left.data_type() == right.data_type())
}
