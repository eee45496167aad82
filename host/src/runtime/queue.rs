//! One flow's part of the log: the records that concern it and that it has not run yet.
//!
//! Bounded by the flow's lag (bytes, age). Beyond it either its sources wait ([`Pushed::over`]) or the oldest batches are left out, counted. A flow that is
//! held (paused, stopped by a circuit) never makes sources wait: beyond the bytes it leaves out, whatever their age. Twice the bound is never exceeded, whatever the sources do.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_core::config::{Beyond, LagSpec};
use weir_core::record::{Command, Payload, Record, Run};

/// What a replay lets wait for one flow: enough that it never runs dry.
const CROWDED_BYTES: u64 = 8 << 20;

#[derive(Debug)]
pub struct Queue {
    records: VecDeque<Arc<Record>>,
    bytes: u64,
    lag: LagSpec,
    /// Whether the flow waits for an operator or a circuit.
    pub held: bool,
    pub skipped_records: u64,
    pub skipped_rows: u64,
    /// While the past is replayed its age says nothing.
    pub ageless: bool,
}

impl Queue {
    pub fn new(lag: LagSpec) -> Self {
        let (records, skipped_records, skipped_rows) = (VecDeque::new(), 0, 0);
        Self { records, bytes: 0, lag, held: false, skipped_records, skipped_rows, ageless: false }
    }

    pub fn push(&mut self, record: Arc<Record>) {
        // A held flow needs no two ticks in a row: the later one says all that the earlier said.
        if self.held
            && matches!(&record.payload, Payload::Tick { .. })
            && self.records.len() > 1
            && let Some(last) = self.records.back()
            && matches!(&last.payload, Payload::Tick { moved } if moved.is_empty())
        {
            self.records.pop_back();
        } else {
            self.bytes += record.bytes as u64;
        }
        self.records.push_back(record);
        let skips = self.lag.beyond == Beyond::Skip;
        let bound = if skips || self.held { self.lag.bytes } else { self.lag.bytes.saturating_mul(2) };
        // Whoever pauses to repair wants what came meanwhile, however long it takes.
        while self.bytes > bound || (skips && self.is_too_old()) {
            if !self.skip_oldest() {
                break;
            }
        }
    }

    pub fn pop(&mut self) -> Option<Arc<Record>> {
        let record = self.records.pop_front()?;
        self.bytes -= (record.bytes as u64).min(self.bytes);
        Some(record)
    }

    /// A record that was taken and not run after all.
    pub fn put_back(&mut self, record: Arc<Record>) {
        self.bytes += record.bytes as u64;
        self.records.push_front(record);
    }

    /// Whether the sources must wait for this flow.
    pub fn is_over(&self) -> bool {
        let over = self.bytes > self.lag.bytes || self.is_too_old();
        over && !self.held && self.lag.beyond == Beyond::BackPressure
    }

    /// Whether who replays had better wait: far from the bound at which something is left out.
    pub fn is_crowded(&self) -> bool {
        !self.held && self.has_much()
    }

    /// Whether whoever gives more than sources do had better wait, held or not.
    pub fn has_much(&self) -> bool {
        self.bytes > CROWDED_BYTES.min(self.lag.bytes / 2)
    }

    fn is_too_old(&self) -> bool {
        !self.ageless && self.age_ns() > self.lag.age_ns
    }

    /// Of the next record.
    pub fn first_offset(&self) -> Option<u64> {
        self.records.front().map(|record| record.position.offset)
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// From the oldest record that waits to the newest, by time of acceptance.
    pub fn age_ns(&self) -> i64 {
        match (self.records.front(), self.records.back()) {
            (Some(first), Some(last)) => last.accepted_at_unix_ns - first.accepted_at_unix_ns,
            _ => 0,
        }
    }

    /// Time of acceptance of the newest record.
    pub fn newest_unix_ns(&self) -> i64 {
        self.records.back().map_or(0, |record| record.accepted_at_unix_ns)
    }

    /// Commands that a held flow must see although records wait before them: those that start or stop something, and changes of the configuration. They
    /// stay in the queue, where they change nothing the second time.
    pub fn ahead(&self) -> Vec<Command> {
        let told = |record: &Arc<Record>| match &record.payload {
            Payload::Command(command @ Command::Configure { .. }) => Some(command.clone()),
            Payload::Command(command @ (Command::Pipeline { run, .. } | Command::Unit { run, .. })) => {
                Some(command.clone()).filter(|_| *run != Run::Paused)
            }
            _ => None,
        };
        self.records.iter().filter_map(told).collect()
    }

    /// All that waits before a change of the configuration, for the flow that takes this one's place. What follows the change is that flow's already.
    pub fn take_until(&mut self, revision: u64) -> VecDeque<Arc<Record>> {
        let mut records = std::mem::take(&mut self.records);
        self.bytes = 0;
        let is_end = |record: &Arc<Record>| matches!(&record.payload, Payload::Command(Command::Configure { revision: known, .. }) if *known == revision);
        if let Some(end) = records.iter().position(is_end) {
            records.truncate(end);
        }
        records
    }

    /// What a predecessor left: before everything else.
    pub fn put_before(&mut self, records: VecDeque<Arc<Record>>) {
        self.bytes += records.iter().map(|record| record.bytes as u64).sum::<u64>();
        for record in records.into_iter().rev() {
            self.records.push_front(record);
        }
    }

    /// Leaves out the oldest batch or tick; commands are never left out.
    fn skip_oldest(&mut self) -> bool {
        let at = self.records.iter().position(|record| !matches!(record.payload, Payload::Command(_)));
        let Some(record) = at.filter(|at| at + 1 < self.records.len()).and_then(|at| self.records.remove(at))
        else {
            return false;
        };
        self.bytes -= (record.bytes as u64).min(self.bytes);
        if let Payload::Batch { batch, .. } = &record.payload {
            self.skipped_records += 1;
            self.skipped_rows += batch.rows() as u64;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::sequencer::Sequencer;

    fn lag(beyond: Beyond) -> LagSpec {
        LagSpec { bytes: 1_000, age_ns: i64::MAX, beyond }
    }

    fn batch(sequencer: &mut Sequencer, bytes: usize) -> Arc<Record> {
        let mut record = sequencer.tick(0);
        let columns = arrow_array::RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty()));
        let incoming = weir_core::batch::Incoming {
            triplet: "a/b/c".parse().unwrap(),
            source: "test".into(),
            time: vec![0_i64].into(),
            columns,
        };
        let made = sequencer.batch(incoming, 0).unwrap();
        record.payload = made.payload;
        record.bytes = bytes;
        Arc::new(record)
    }

    #[test]
    fn a_slow_flow_makes_sources_wait_and_is_bounded_all_the_same() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        let mut queue = Queue::new(lag(Beyond::BackPressure));
        (0..3).for_each(|_| queue.push(batch(&mut sequencer, 400)));
        assert!(queue.is_over() && queue.skipped_records == 0);
        (0..30).for_each(|_| queue.push(batch(&mut sequencer, 400)));
        assert!(queue.bytes() <= 2_000);
        assert_eq!(queue.skipped_rows, 33 - queue.len() as u64);
    }

    #[test]
    fn a_held_flow_leaves_out_and_makes_nobody_wait() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        let mut queue = Queue::new(lag(Beyond::BackPressure));
        queue.held = true;
        (0..10).for_each(|_| queue.push(batch(&mut sequencer, 400)));
        assert!(!queue.is_over() && queue.bytes() <= 1_000);
        assert_eq!(queue.skipped_records, 8);
    }

    #[test]
    fn a_held_flow_keeps_what_is_old() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        for beyond in [Beyond::BackPressure, Beyond::Skip] {
            let mut queue = Queue::new(LagSpec { age_ns: 1_000, ..lag(beyond) });
            queue.held = true;
            queue.push(batch(&mut sequencer, 100));
            let mut later = (*batch(&mut sequencer, 100)).clone();
            later.accepted_at_unix_ns += 1_000_000;
            queue.push(Arc::new(later));
            assert_eq!(queue.skipped_records, u64::from(beyond == Beyond::Skip));
        }
    }

    #[test]
    fn what_waits_before_a_change_is_given_on_in_its_order() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        let mut queue = Queue::new(lag(Beyond::BackPressure));
        let waiting: Vec<Arc<Record>> = (0..2).map(|_| batch(&mut sequencer, 400)).collect();
        waiting.iter().for_each(|record| queue.push(Arc::clone(record)));
        let change = Command::Configure { revision: 7, text: "".into(), summary: "".into() };
        queue.push(Arc::new(sequencer.command(change, 0)));
        let rest = queue.take_until(7);
        assert!(queue.is_empty() && queue.bytes() == 0 && rest.len() == 2);
        let mut next = Queue::new(lag(Beyond::BackPressure));
        next.push(batch(&mut sequencer, 100));
        next.put_before(rest);
        assert_eq!((next.len(), next.bytes()), (3, 900));
        assert!(next.pop().is_some_and(|first| Arc::ptr_eq(&first, &waiting[0])));
    }

    #[test]
    fn commands_are_never_left_out() {
        let mut sequencer = Sequencer::new(0, 1, 0);
        let mut queue = Queue::new(lag(Beyond::Skip));
        let start = Command::Pipeline { pipeline: "p".into(), run: Run::Running };
        queue.push(Arc::new(sequencer.command(start, 0)));
        (0..10).for_each(|_| queue.push(batch(&mut sequencer, 400)));
        assert_eq!(queue.ahead().len(), 1);
    }
}
