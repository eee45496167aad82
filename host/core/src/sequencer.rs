//! Gives every record its place: position, time of acceptance, watermark.
//!
//! In: decoded batches, ticks and commands, one after the other, with the host's clock reading. Out: [`Record`]s, in the order in which all flows see
//! them. This is the seam of the journal: a record that leaves here is complete, and is written before a flow gets it.
//!
//! The watermark of a stream is the greatest event time seen. Times more than [`FUTURE_MAX_NS`] ahead of the clock are counted and do not move it. A stream
//! that is silent for [`IDLE_NS`] moves on with the clock from a tick, less that time. Pipelines subtract their own lateness. Streams are bounded
//! ([`STREAMS_MAX`]); a batch of one more is refused.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::batch::{Batch, Incoming, Origin, Position, RowIds};
use crate::record::{Command, Payload, Record};
use crate::triplet::Triplet;

/// Event times further ahead than five minutes do not move the watermark.
pub const FUTURE_MAX_NS: i64 = 300_000_000_000;
/// Silence after which ticks move a stream's watermark.
pub const IDLE_NS: i64 = 1_000_000_000;
pub const STREAMS_MAX: usize = 10_000;
/// Before any event.
pub const WATERMARK_START: i64 = i64::MIN;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct StreamClock {
    pub watermark_unix_ns: i64,
    /// Greatest event time, future ones left out.
    pub event_time_unix_ns: i64,
    /// Of its newest batch.
    pub accepted_at_unix_ns: i64,
    /// Rows too far in the future.
    pub future_total: u64,
}

#[derive(Debug)]
pub struct Sequencer {
    log: u16,
    epoch: u32,
    next: u64,
    accepted_at_unix_ns: i64,
    streams: HashMap<Triplet, StreamClock, FixedState>,
}

/// The bound of streams is reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stream {triplet} is one too many: {STREAMS_MAX} are the limit")]
pub struct TooManyStreams {
    pub triplet: Triplet,
    pub rows: usize,
}

impl Sequencer {
    pub fn new(log: u16, epoch: u32, next: u64) -> Self {
        Self { log, epoch, next, accepted_at_unix_ns: 0, streams: HashMap::default() }
    }

    pub fn batch(&mut self, incoming: Incoming, clock_unix_ns: i64) -> Result<Record, TooManyStreams> {
        let accepted_at_unix_ns = self.accept_at(clock_unix_ns);
        if !self.has_place(&incoming.triplet) {
            return Err(TooManyStreams { rows: incoming.rows(), triplet: incoming.triplet });
        }
        let stream = self
            .streams
            .entry_ref(&incoming.triplet)
            .or_insert_with(|| StreamClock::starting_at(accepted_at_unix_ns));
        let watermark_before_unix_ns = stream.watermark_unix_ns;
        stream.take(&incoming.time, accepted_at_unix_ns);
        let watermark_unix_ns = stream.watermark_unix_ns;
        let bytes = incoming.bytes();
        let position = self.take_position();
        let batch = Batch {
            triplet: incoming.triplet,
            position,
            accepted_at_unix_ns,
            origin: Origin::Source(incoming.source),
            row_ids: RowIds::From(0),
            time: incoming.time,
            columns: incoming.columns,
            hops: 0,
        };
        let payload = Payload::Batch { batch, watermark_before_unix_ns, watermark_unix_ns };
        Ok(Record::new(position, accepted_at_unix_ns, payload, bytes))
    }

    /// Whether a batch of that stream would be taken.
    pub fn has_place(&self, triplet: &Triplet) -> bool {
        self.streams.len() < STREAMS_MAX || self.streams.contains_key(triplet)
    }

    pub fn tick(&mut self, clock_unix_ns: i64) -> Record {
        let accepted_at_unix_ns = self.accept_at(clock_unix_ns);
        let mut moved: Vec<(Triplet, i64)> = Vec::new();
        for (triplet, stream) in &mut self.streams {
            if stream.idle(accepted_at_unix_ns) {
                moved.push((triplet.clone(), stream.watermark_unix_ns));
            }
        }
        moved.sort_unstable();
        let payload = Payload::Tick { moved: moved.into() };
        Record::new(self.take_position(), accepted_at_unix_ns, payload, 64)
    }

    pub fn command(&mut self, command: Command, clock_unix_ns: i64) -> Record {
        let accepted_at_unix_ns = self.accept_at(clock_unix_ns);
        let bytes = command.bytes();
        let payload = Payload::Command(command);
        Record::new(self.take_position(), accepted_at_unix_ns, payload, bytes)
    }

    /// Goes the way of a record that has its place already: clocks and watermarks are then as they were behind it. The next position stays.
    pub fn follow(&mut self, record: &Record) {
        let at = record.accepted_at_unix_ns;
        self.accepted_at_unix_ns = self.accepted_at_unix_ns.max(at);
        match &record.payload {
            Payload::Batch { batch, .. } => {
                let stream = self.streams.entry_ref(&batch.triplet);
                stream.or_insert_with(|| StreamClock::starting_at(at)).take(&batch.time, at);
            }
            Payload::Tick { moved } => {
                for (triplet, watermark) in moved.iter() {
                    if let Some(stream) = self.streams.get_mut(triplet) {
                        stream.watermark_unix_ns = *watermark;
                    }
                }
            }
            Payload::Command(_) => {}
        }
    }

    /// From here on records get positions of this epoch, from this offset on.
    pub fn begin_epoch(&mut self, position: Position) {
        (self.log, self.epoch, self.next) = (position.log, position.epoch, position.offset);
    }

    /// The position that the next record gets.
    pub fn next(&self) -> Position {
        Position { log: self.log, epoch: self.epoch, offset: self.next }
    }

    /// All that it knows of streams, for a checkpoint.
    pub fn clocks(&self) -> impl Iterator<Item = (&Triplet, &StreamClock)> {
        self.streams.iter()
    }

    /// What a checkpoint knew.
    pub fn restore(
        &mut self,
        accepted_at_unix_ns: i64,
        clocks: impl Iterator<Item = (Triplet, StreamClock)>,
    ) {
        self.accepted_at_unix_ns = self.accepted_at_unix_ns.max(accepted_at_unix_ns);
        self.streams.extend(clocks.take(STREAMS_MAX));
    }

    pub fn stream(&self, triplet: &Triplet) -> Option<&StreamClock> {
        self.streams.get(triplet)
    }

    pub fn accepted_at_unix_ns(&self) -> i64 {
        self.accepted_at_unix_ns
    }

    fn take_position(&mut self) -> Position {
        let offset = self.next;
        self.next += 1;
        Position { log: self.log, epoch: self.epoch, offset }
    }

    /// Never falls, whatever the clock does; multiples of 1,024 ns are exact where numbers are doubles.
    fn accept_at(&mut self, clock_unix_ns: i64) -> i64 {
        self.accepted_at_unix_ns = self.accepted_at_unix_ns.max(clock_unix_ns & !1023);
        self.accepted_at_unix_ns
    }
}

/// Batches that have their positions already, as the records that they were: with the watermarks that their own times give, as if their streams began with
/// them. Oldest first.
pub fn replayed(mut batches: Vec<Batch>) -> Vec<Record> {
    batches.sort_by_key(|batch| batch.position);
    let mut streams: HashMap<Triplet, StreamClock, FixedState> = HashMap::default();
    let replay = |batch: Batch| {
        let accepted_at_unix_ns = batch.accepted_at_unix_ns;
        let stream = streams
            .entry_ref(&batch.triplet)
            .or_insert_with(|| StreamClock::starting_at(accepted_at_unix_ns));
        let watermark_before_unix_ns = stream.watermark_unix_ns;
        stream.take(&batch.time, accepted_at_unix_ns);
        let (position, bytes) = (batch.position, batch.bytes());
        let watermark_unix_ns = stream.watermark_unix_ns;
        let payload = Payload::Batch { batch, watermark_before_unix_ns, watermark_unix_ns };
        Record::new(position, accepted_at_unix_ns, payload, bytes)
    };
    batches.into_iter().map(replay).collect()
}

impl StreamClock {
    fn starting_at(accepted_at_unix_ns: i64) -> Self {
        Self {
            watermark_unix_ns: WATERMARK_START,
            event_time_unix_ns: WATERMARK_START,
            accepted_at_unix_ns,
            future_total: 0,
        }
    }

    fn take(&mut self, times: &[i64], accepted_at_unix_ns: i64) {
        let bound = accepted_at_unix_ns.saturating_add(FUTURE_MAX_NS);
        let greatest = times.iter().copied().max().unwrap_or(WATERMARK_START);
        let greatest = if greatest <= bound {
            greatest
        } else {
            let late = times.iter().filter(|time| **time > bound).count();
            self.future_total += late as u64;
            times.iter().copied().filter(|time| *time <= bound).max().unwrap_or(WATERMARK_START)
        };
        self.event_time_unix_ns = self.event_time_unix_ns.max(greatest);
        self.watermark_unix_ns = self.watermark_unix_ns.max(floor(greatest));
        self.accepted_at_unix_ns = accepted_at_unix_ns;
    }

    /// Whether the watermark moved. Event time goes on as fast as the clock while a stream is silent, so that a stream
    /// of old events is not declared late as a whole.
    fn idle(&mut self, accepted_at_unix_ns: i64) -> bool {
        let silent = accepted_at_unix_ns - self.accepted_at_unix_ns;
        if silent < IDLE_NS || self.event_time_unix_ns == WATERMARK_START {
            return false;
        }
        let moved = floor(self.event_time_unix_ns.saturating_add(silent - IDLE_NS));
        if moved <= self.watermark_unix_ns {
            return false;
        }
        self.watermark_unix_ns = moved;
        true
    }
}

/// Down to a multiple of 1,024 ns.
fn floor(time: i64) -> i64 {
    time & !1023
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::RecordBatch;
    use arrow_schema::Schema;

    fn rows(times: &[i64]) -> Incoming {
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(times.len()));
        let columns = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        Incoming {
            triplet: "a/b/c".parse().unwrap(),
            source: "test".into(),
            time: times.to_vec().into(),
            columns,
        }
    }

    fn watermark(sequencer: &Sequencer) -> i64 {
        sequencer.stream(&"a/b/c".parse().unwrap()).unwrap().watermark_unix_ns
    }

    const S: i64 = 1_000_000_000;

    #[test]
    fn who_follows_the_records_is_where_the_one_was_who_made_them() {
        let (mut first, mut second) = (Sequencer::new(0, 1, 1), Sequencer::new(0, 1, 1));
        let mut records = vec![first.batch(rows(&[S, 9 * S, 900 * S]), 10 * S).unwrap()];
        records.extend((11..20).map(|at| first.tick(at * S)));
        records.iter().for_each(|record| second.follow(record));
        second.begin_epoch(Position { log: 0, epoch: 2, offset: 11 });
        assert_eq!(watermark(&first), watermark(&second));
        let (next, other) = (first.tick(30 * S), second.tick(30 * S));
        assert_eq!((next.position.offset, other.position), (11, Position { log: 0, epoch: 2, offset: 11 }));
        assert_eq!(watermark(&first), watermark(&second));
    }

    #[test]
    fn positions_rise_and_time_never_falls() {
        let mut sequencer = Sequencer::new(0, 1, 10);
        let first = sequencer.batch(rows(&[S]), 5 * S).unwrap();
        let second = sequencer.tick(4 * S);
        assert_eq!((first.position.offset, second.position.offset), (10, 11));
        assert_eq!(first.accepted_at_unix_ns, second.accepted_at_unix_ns);
    }

    #[test]
    fn a_time_far_in_the_future_is_counted_and_moves_nothing() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        sequencer.batch(rows(&[1024, 5000 * S]), S).unwrap();
        assert_eq!(watermark(&sequencer), 1024);
        assert_eq!(sequencer.stream(&"a/b/c".parse().unwrap()).unwrap().future_total, 1);
    }

    #[test]
    fn a_silent_stream_moves_on_with_the_clock() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        sequencer.batch(rows(&[1024]), 100 * S).unwrap();
        let Payload::Tick { moved } = sequencer.tick(100 * S + S / 2).payload else { panic!() };
        assert!(moved.is_empty());
        let Payload::Tick { moved } = sequencer.tick(103 * S).payload else { panic!() };
        assert_eq!(moved.len(), 1);
        assert!(watermark(&sequencer) >= 2 * S && watermark(&sequencer) <= 2 * S + 1024);
    }

    #[test]
    fn a_row_is_late_by_the_watermark_before_its_batch() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        sequencer.batch(rows(&[10 * S]), 10 * S).unwrap();
        let record = sequencer.batch(rows(&[20 * S]), 11 * S).unwrap();
        let Payload::Batch { watermark_before_unix_ns, watermark_unix_ns, .. } = record.payload else {
            panic!()
        };
        assert!(watermark_before_unix_ns <= 10 * S && watermark_unix_ns > 19 * S);
    }
}
