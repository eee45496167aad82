//! Holes of the journal that a start passed over: what is missing there is shown on every flow and chart that it touches.
//!
//! In: the offsets that a replay found missing, the times around them, and the first batch of each stream behind them. Out: for each hole when it was, by the host's clock and, for
//! each stream, by its event time: from the newest event before it to the first one behind it. It is part of checkpoints, so that later starts know it too.
//! Bounds: the newest [`HOLES_MAX`] holes, of each the first [`STREAMS_MAX`] streams.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_core::batch::Batch;
use weir_core::sequencer::{Sequencer, WATERMARK_START};
use weir_core::triplet::Triplet;

pub const HOLES_MAX: usize = 64;
const STREAMS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// First offset that is missing, and the one behind the last.
    pub from: u64,
    pub to: u64,
    /// When the record before it and the one behind it were accepted.
    pub start_unix_ns: i64,
    pub end_unix_ns: Option<i64>,
    /// Event times around it; no end: nothing came since.
    pub streams: BTreeMap<Triplet, (i64, Option<i64>)>,
    /// Names of the pipelines that did not have it yet.
    pub pipelines: Vec<String>,
}

impl Hole {
    /// When it was, for series of a stream.
    pub fn of_stream(&self, triplet: &Triplet) -> (i64, i64) {
        let end_unix_ns = self.end_unix_ns.unwrap_or(self.start_unix_ns);
        match self.streams.get(triplet) {
            Some((start, end)) => (*start, end.unwrap_or(end_unix_ns).max(*start)),
            None => (self.start_unix_ns, end_unix_ns),
        }
    }

    pub fn label(&self) -> String {
        match self.to.saturating_sub(self.from) {
            1 => format!("journal hole: 1 position lost, {}", self.from),
            lost => {
                format!("journal hole: {lost} positions lost, {} to {}", self.from, self.to.saturating_sub(1))
            }
        }
    }
}

#[derive(Debug, Default)]
pub struct Holes {
    list: Vec<Hole>,
    /// Some stream or hole has no end yet.
    open: bool,
}

impl Holes {
    pub fn restore(&mut self, list: Vec<Hole>) {
        self.list = list;
        self.open = !self.list.is_empty();
    }

    pub fn list(&self) -> &[Hole] {
        &self.list
    }

    pub fn begin(&mut self, (from, to): (u64, u64), sequencer: &Sequencer, pipelines: Vec<String>) {
        if self.list.iter().any(|known| known.from == from && known.to == to) {
            return;
        }
        let known = sequencer.clocks().filter(|(_, clock)| clock.event_time_unix_ns != WATERMARK_START);
        let streams = known.map(|(triplet, clock)| (triplet.clone(), (clock.event_time_unix_ns, None)));
        if self.list.len() >= HOLES_MAX {
            self.list.remove(0);
        }
        self.list.push(Hole {
            from,
            to,
            start_unix_ns: sequencer.accepted_at_unix_ns(),
            end_unix_ns: None,
            streams: streams.take(STREAMS_MAX).collect(),
            pipelines,
        });
        self.open = true;
    }

    /// A record behind it: once for each of the stream's, it is the end of the hole there.
    pub fn pass(&mut self, offset: u64, accepted_at_unix_ns: i64, batch: Option<&Batch>) {
        if !self.open {
            return;
        }
        let mut open = false;
        for hole in self.list.iter_mut().filter(|hole| hole.to <= offset) {
            hole.end_unix_ns.get_or_insert(accepted_at_unix_ns);
            if let Some(batch) = batch
                && let Some((start, end @ None)) = hole.streams.get_mut(&batch.triplet)
            {
                // Late ones may lie before it.
                *end = batch.time.iter().copied().filter(|time| time > start).min();
            }
            open |= hole.streams.values().any(|(_, end)| end.is_none());
        }
        self.open = open || self.list.iter().any(|hole| hole.end_unix_ns.is_none());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{RecordBatch, RecordBatchOptions};
    use arrow_schema::Schema;
    use weir_core::batch::Incoming;
    use weir_core::record::Payload;

    use super::*;

    fn batch(sequencer: &mut Sequencer, times: &[i64]) -> Batch {
        let options = RecordBatchOptions::new().with_row_count(Some(times.len()));
        let columns = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        let (triplet, time) = ("a/b/c".parse().unwrap(), times.to_vec().into());
        let incoming = Incoming { triplet, source: "s".into(), time, columns };
        let Payload::Batch { batch, .. } = sequencer.batch(incoming, 1 << 40).unwrap().payload else {
            panic!()
        };
        batch
    }

    #[test]
    fn a_hole_reaches_from_the_newest_event_before_it_to_the_first_behind_it() {
        let mut sequencer = Sequencer::new(0, 1, 1);
        batch(&mut sequencer, &[5_000, 9_000]);
        let mut holes = Holes::default();
        holes.begin((2, 10), &sequencer, vec!["p".into()]);
        holes.begin((2, 10), &sequencer, vec![]);
        let next = batch(&mut sequencer, &[20_000, 7_000, 15_000]);
        holes.pass(10, 1 << 41, Some(&next));
        holes.pass(11, 1 << 42, Some(&batch(&mut sequencer, &[12_000])));
        let [hole] = holes.list() else { panic!("{holes:?}") };
        assert_eq!(hole.of_stream(&"a/b/c".parse().unwrap()), (9_000, 15_000));
        assert_eq!(hole.of_stream(&"a/b/other".parse().unwrap()), (1 << 40, 1 << 41));
        assert_eq!(hole.label(), "journal hole: 8 positions lost, 2 to 9");
        assert_eq!(Hole { to: 3, ..hole.clone() }.label(), "journal hole: 1 position lost, 2");
        assert!(!holes.open);
    }
}
