//! The head of the log: the sequencer, what is known of each stream, and which flows get which records.
//!
//! One lock around all of it, taken once per delivery of a source: a position is given, the record is handed to the journal, where there is one, and put into every flow's
//! queue in one step, so that all flows see one order, which is that of the journal. What the journal has already goes the same way without it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use weir_core::batch::{Batch, Incoming, Position};
use weir_core::codec::StreamCounters;
use weir_core::config::Durability;
use weir_core::recent::Recent;
use weir_core::record::{Command, Note, Payload, Record, Request, Run};
use weir_core::seen::{self, Seen};
use weir_core::sequencer::{STREAMS_MAX, Sequencer};
use weir_core::triplet::Triplet;
use weir_journal::{Journal, Stopped, Ticket};

use super::actor::Actor;
use super::build::Routed;
use super::checkpoint::capture::totals;
use super::checkpoint::stored::{Global, StreamTotals};
use super::holes::Holes;
use crate::intake::{Receipt, Took};

/// How soon what a source calls `interval` is on disk.
const INTERVAL: Duration = Duration::from_millis(200);

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
    /// None: nothing outlives the process.
    pub journal: Option<Arc<Journal>>,
    pub streams: HashMap<Triplet, Stream>,
    flows: Vec<Routed>,
    /// What operators have paused or stopped as of the newest record, by name of the pipeline or id of the node.
    pub runs: HashMap<Arc<str>, Run>,
    /// What was accepted, changed with each position.
    pub seen: Seen,
    /// Of the newest record that is to be on disk soon.
    promised: Option<Ticket>,
    /// What starts found missing in the journal.
    pub holes: Holes,
    generation: u64,
    pub refused_rows_total: u64,
    pub records_total: u64,
    /// Rows of sources.
    pub events_total: u64,
    /// What comes before is in a checkpoint, but for some flows.
    base: u64,
    /// Of the configuration behind the newest record.
    revision: u64,
    recent_bytes: usize,
}

/// Actors that got their first waiting record and must be put into the line.
pub type Claimed = Vec<Arc<Actor>>;

impl Log {
    pub fn new(sequencer: Sequencer) -> Self {
        Self {
            sequencer,
            journal: None,
            streams: HashMap::new(),
            flows: Vec::new(),
            runs: HashMap::new(),
            seen: Seen::default(),
            promised: None,
            holes: Holes::default(),
            generation: 0,
            refused_rows_total: 0,
            records_total: 0,
            events_total: 0,
            base: 0,
            revision: 0,
            recent_bytes: 0,
        }
    }

    /// What was not accepted before, in order. With a note all of it is one in the journal.
    pub fn batches(
        &mut self,
        batches: Vec<Incoming>,
        durability: Durability,
        note: Option<Note>,
        clock_unix_ns: i64,
        claimed: &mut Claimed,
    ) -> Took {
        let mut took = Took::default();
        if let Err(stopped) = self.alive() {
            self.refused_rows_total += batches.iter().map(|batch| batch.rows() as u64).sum::<u64>();
            took.receipt = Receipt::lost(stopped);
            return took;
        }
        let Some(note) = note else {
            for (number, incoming) in batches.into_iter().enumerate() {
                let Some(new) = self.new_of(incoming, number, &mut took) else { continue };
                let receipt = self.batch(new, durability, (None, false), clock_unix_ns, claimed);
                took.receipt = receipt.after(std::mem::take(&mut took.receipt));
            }
            self.cover_duplicates(durability, &mut took);
            return took;
        };
        let mut new = Vec::with_capacity(batches.len());
        for (number, incoming) in batches.into_iter().enumerate() {
            new.extend(self.new_of(incoming, number, &mut took));
        }
        let note = self.noted(note, took.duplicate_rows() as u64, clock_unix_ns);
        let count = new.len();
        for (number, incoming) in new.into_iter().enumerate() {
            let is_last = number + 1 == count;
            let noted = (is_last.then(|| Arc::clone(&note)), !is_last);
            let receipt = self.batch(incoming, durability, noted, clock_unix_ns, claimed);
            took.receipt = receipt.after(std::mem::take(&mut took.receipt));
        }
        if count == 0 && matches!(&*note, Note::Files(_)) {
            self.tick_noted(note, clock_unix_ns, claimed);
        }
        self.cover_duplicates(durability, &mut took);
        took
    }

    /// The rows that did not come before, marked; none: nothing is left, or its stream is refused.
    fn new_of(&mut self, incoming: Incoming, number: usize, took: &mut Took) -> Option<Incoming> {
        if incoming.rows() == 0 {
            return None;
        }
        // What is marked is what is taken, so this comes first.
        if !self.sequencer.has_place(&incoming.triplet) {
            self.refused_rows_total += incoming.rows() as u64;
            tracing::warn!(stream = %incoming.triplet, "batch refused: its stream is one too many");
            return None;
        }
        let offset = self.sequencer.next().offset;
        let Some(found) = self.seen.producers.take(&incoming.source, &incoming.columns, offset) else {
            return Some(incoming);
        };
        took.unidentified += found.unidentified;
        let new = seen::without(incoming, &found.duplicates);
        if !found.duplicates.is_empty() {
            took.duplicates.push((number, found.duplicates));
        }
        new
    }

    /// The note as it is kept, and what it says known.
    fn noted(&mut self, note: Note, duplicates: u64, clock_unix_ns: i64) -> Arc<Note> {
        let at_unix_ns = self.sequencer.accepted_at_unix_ns().max(clock_unix_ns);
        match note {
            Note::Request(request) => {
                let request = Request { duplicates, ..request };
                self.seen.requests.insert(Arc::new(request.clone()), at_unix_ns);
                Arc::new(Note::Request(request))
            }
            Note::Files(files) => {
                self.seen.places.note(&files);
                Arc::new(Note::Files(files))
            }
        }
    }

    /// Who sent only what was there waits for the sync of what was.
    fn cover_duplicates(&self, durability: Durability, took: &mut Took) {
        if took.duplicates.is_empty() || durability != Durability::Fsync {
            return;
        }
        let earlier = self.promised();
        took.receipt = std::mem::take(&mut took.receipt).after(earlier);
    }

    /// For all that any sender was promised so far.
    pub fn promised(&self) -> Receipt {
        match (&self.journal, self.promised) {
            (Some(journal), Some(ticket)) => Receipt::of(journal, ticket),
            _ => Receipt::default(),
        }
    }

    fn batch(
        &mut self,
        incoming: Incoming,
        durability: Durability,
        (note, goes_on): (Option<Arc<Note>>, bool),
        clock_unix_ns: i64,
        claimed: &mut Claimed,
    ) -> Receipt {
        let rows = incoming.rows();
        let record = match self.sequencer.batch(incoming, clock_unix_ns) {
            Ok(record) => Record { note, goes_on, ..record },
            Err(refused) => {
                self.refused_rows_total += refused.rows as u64;
                tracing::warn!(error = %refused, "batch refused");
                return Receipt::default();
            }
        };
        let record = Arc::new(record);
        match self.keep(&record, durability) {
            Ok(receipt) => {
                self.give(record, claimed);
                receipt
            }
            Err(stopped) => {
                self.refused_rows_total += rows as u64;
                Receipt::lost(stopped)
            }
        }
    }

    /// For a note that no batch carries.
    fn tick_noted(&mut self, note: Arc<Note>, clock_unix_ns: i64, claimed: &mut Claimed) {
        let record = Record { note: Some(note), ..self.sequencer.tick(clock_unix_ns) };
        let record = Arc::new(record);
        if self.keep(&record, Durability::Interval).is_ok() {
            self.give(record, claimed);
        }
    }

    /// While the journal has no room time stands still too: a tick is one more record.
    pub fn tick(&mut self, clock_unix_ns: i64, claimed: &mut Claimed) {
        if self.journal.as_ref().is_some_and(|journal| journal.room().is_err()) {
            return;
        }
        let record = Arc::new(self.sequencer.tick(clock_unix_ns));
        if self.keep(&record, Durability::Off).is_ok() {
            self.give(record, claimed);
        }
    }

    pub fn command(
        &mut self,
        command: Command,
        clock_unix_ns: i64,
        claimed: &mut Claimed,
    ) -> Result<(Position, Receipt), Stopped> {
        let (record, receipt) = self.command_taken(command, clock_unix_ns, claimed)?;
        Ok((record.position, receipt))
    }

    /// The same, with the record that was made of it.
    pub fn command_taken(
        &mut self,
        command: Command,
        clock_unix_ns: i64,
        claimed: &mut Claimed,
    ) -> Result<(Arc<Record>, Receipt), Stopped> {
        self.alive()?;
        let record = Arc::new(self.sequencer.command(command, clock_unix_ns));
        let receipt = self.keep(&record, Durability::Fsync)?;
        self.give(Arc::clone(&record), claimed);
        Ok((record, receipt))
    }

    /// Whether there is somebody who takes it: of letters of a unit that is no more, nobody.
    pub fn is_wanted(&self, record: &Record) -> bool {
        self.flows.iter().any(|flow| flow.wants_command(&record.payload))
    }

    /// A record that has its position and its place in the journal already.
    pub fn replay(&mut self, record: Arc<Record>, claimed: &mut Claimed) {
        if record.position.offset < self.base {
            return self.give_again(&record, claimed);
        }
        self.sequencer.follow(&record);
        self.seen.follow(&record);
        self.give(record, claimed);
    }

    /// Whether records can still be kept.
    pub fn alive(&self) -> Result<(), Stopped> {
        match self.journal.as_ref().map(|journal| journal.room()) {
            Some(Err(weir_journal::Refused::Stopped(stopped))) => Err(stopped),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, record: &Arc<Record>, durability: Durability) -> Result<Receipt, Stopped> {
        let Some(journal) = &self.journal else { return Ok(Receipt::default()) };
        let wanted = match durability {
            Durability::Fsync => weir_journal::Durability::Fsync,
            Durability::Interval => weir_journal::Durability::Interval(INTERVAL),
            Durability::Off => weir_journal::Durability::Off,
        };
        let ticket = journal.append(Arc::clone(record), wanted)?;
        if durability != Durability::Off {
            self.promised = Some(ticket);
        }
        // Who was promised less is not kept waiting.
        let waits = durability == Durability::Fsync;
        Ok(if waits { Receipt::of(journal, ticket) } else { Receipt::default() })
    }

    /// A tick that is on disk soon: the last record of a checkpoint. None: the journal has no room.
    pub fn kept_tick(&mut self, clock_unix_ns: i64, claimed: &mut Claimed) -> Option<Receipt> {
        if self.journal.as_ref().is_some_and(|journal| journal.room().is_err()) {
            return None;
        }
        let record = Arc::new(self.sequencer.tick(clock_unix_ns));
        let receipt = self.keep(&record, Durability::Fsync).ok()?;
        self.give(record, claimed);
        Some(receipt)
    }

    /// What a checkpoint says of the log.
    pub fn global(&self, at: Position) -> Global {
        let streams = self.streams.iter().filter(|(_, stream)| !stream.derived);
        Global {
            revision: self.revision,
            epoch: at.epoch,
            at: at.offset,
            accepted_at_unix_ns: self.sequencer.accepted_at_unix_ns(),
            clocks: self
                .sequencer
                .clocks()
                .map(|(triplet, clock)| (triplet.clone(), clock.clone()))
                .collect(),
            runs: self.runs.iter().map(|(name, run)| (name.to_string(), *run)).collect(),
            streams: streams.map(|(triplet, stream)| totals(triplet, stream)).collect(),
            holes: self.holes.list().to_vec(),
        }
    }

    /// A checkpoint holds what came before this offset.
    pub fn begin_at(&mut self, base: u64, revision: u64) {
        (self.base, self.revision) = (base, revision);
    }

    /// These offsets are missing in what is replayed.
    pub fn begin_hole(&mut self, from: u64, to: u64) {
        let wants = |flow: &&Routed| flow.actor.wants(to.saturating_sub(1));
        let behind = self
            .flows
            .iter()
            .filter(wants)
            .flat_map(|flow| flow.actor.pipelines.iter().map(ToString::to_string));
        let pipelines: BTreeSet<String> = behind.collect();
        self.holes.begin((from, to), &self.sequencer, pipelines.into_iter().collect());
    }

    pub fn base(&self) -> u64 {
        self.base
    }

    pub fn restore_totals(&mut self, totals: &StreamTotals) {
        let stream = Stream {
            recent: Recent::new(RECENT_EVENTS, RECENT_BYTES),
            events_total: totals.events,
            bytes_total: totals.bytes,
            schema: Arc::new(arrow_schema::Schema::empty()),
            schema_changes_total: totals.schema_changes,
            last_event_time_unix_ns: totals.last_event_time_unix_ns,
            derived: totals.derived,
            built: StreamCounters::default(),
            late_total: totals.late,
            routes: (u64::MAX, Arc::new([])),
        };
        self.streams.insert(totals.triplet.clone(), stream);
    }

    /// A record that the totals know already: for the rings and for flows that were behind. What of it they know they pass over.
    fn give_again(&mut self, record: &Arc<Record>, claimed: &mut Claimed) {
        if let Payload::Batch { batch, .. } = &record.payload {
            let Some(stream) = self.streams.get_mut(&batch.triplet) else { return };
            stream.schema = batch.columns.schema();
            stream.recent.push(batch);
        }
        let behind = |flow: &&Routed| flow.actor.wants(record.position.offset);
        let wanted = |flow: &&Routed| match &record.payload {
            Payload::Batch { batch, .. } => flow.selectors.iter().any(|one| one.matches(&batch.triplet)),
            payload => flow.wants_command(payload),
        };
        for flow in self.flows.iter().filter(behind).filter(wanted) {
            if flow.actor.push(Arc::clone(record)) {
                claimed.push(Arc::clone(&flow.actor));
            }
        }
    }

    /// To the flows that want it; and what it says of streams and of what is paused.
    fn give(&mut self, record: Arc<Record>, claimed: &mut Claimed) {
        self.records_total += 1;
        let batch = if let Payload::Batch { batch, .. } = &record.payload { Some(batch) } else { None };
        self.holes.pass(record.position.offset, record.accepted_at_unix_ns, batch);
        match &record.payload {
            Payload::Batch { batch, .. } => {
                let batch = batch.clone();
                self.events_total += batch.rows() as u64;
                self.note(&batch, false);
                let routes = self.routes(&batch.triplet);
                for flow in routes.iter().filter_map(|flow| self.flows.get(*flow)) {
                    if flow.actor.push(Arc::clone(&record)) {
                        claimed.push(Arc::clone(&flow.actor));
                    }
                }
                return;
            }
            Payload::Command(command) => self.note_runs(command),
            Payload::Tick { .. } => {}
        }
        for flow in self.flows.iter().filter(|flow| flow.wants_command(&record.payload)) {
            if flow.actor.push(Arc::clone(&record)) {
                claimed.push(Arc::clone(&flow.actor));
            }
        }
    }

    fn note_runs(&mut self, command: &Command) {
        match command {
            Command::Pipeline { pipeline: id, run: Run::Running }
            | Command::Unit { unit: id, run: Run::Running } => {
                self.runs.remove(id);
            }
            Command::Pipeline { pipeline: id, run } | Command::Unit { unit: id, run } => {
                self.runs.insert(Arc::clone(id), *run);
            }
            Command::Configure { revision, .. } => self.revision = *revision,
            Command::Redeliver { .. } => {}
        }
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
