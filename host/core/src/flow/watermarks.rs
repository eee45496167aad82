//! How far the event time of each of a pipeline's streams is, before and after the record at work.
//!
//! Two marks per stream: a row is late by the one before the record, windows close by the one after. The mark after may be held back where more timers are
//! due than one record hands out; the next record goes on from there. Marks never fall.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::triplet::Triplet;

#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Marks {
    before: i64,
    after: i64,
    /// Where the log says that the stream is.
    wanted: i64,
}

#[derive(Debug, Default, Clone, serde::Serialize, serde::Deserialize)]
pub struct Watermarks {
    #[serde(with = "pairs")]
    streams: HashMap<Triplet, Marks, FixedState>,
    any: Option<Triplet>,
}

/// In a checkpoint: a list, sorted, so that equal marks are equal bytes.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{FixedState, HashMap, Marks, Triplet};

    type Streams = HashMap<Triplet, Marks, FixedState>;

    pub fn serialize<S: Serializer>(streams: &Streams, to: S) -> Result<S::Ok, S::Error> {
        let mut pairs: Vec<_> = streams.iter().collect();
        pairs.sort_by(|left, right| left.0.cmp(right.0));
        pairs.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Streams, D::Error> {
        Ok(Vec::<(Triplet, Marks)>::deserialize(from)?.into_iter().collect())
    }
}

impl Watermarks {
    /// A record says where a stream was before it and is after it.
    pub fn advance(&mut self, triplet: &Triplet, before: i64, after: i64) {
        if let Some(marks) = self.streams.get_mut(triplet) {
            marks.wanted = marks.wanted.max(after);
            marks.after = marks.after.max(marks.wanted);
            return;
        }
        let before = before.min(after);
        self.streams.insert(triplet.clone(), Marks { before, after, wanted: after });
        self.any.get_or_insert_with(|| triplet.clone());
    }

    /// Between two records: whether more was due than the last one handed out, so that the next should come soon.
    pub fn owes(&self) -> bool {
        self.streams.values().any(|marks| marks.before < marks.wanted)
    }

    /// Of a stream that is not known (rows that a unit gave another name) the least of all.
    pub fn before(&self, triplet: &Triplet) -> i64 {
        match self.streams.get(triplet) {
            Some(marks) => marks.before,
            None => self.streams.values().map(|marks| marks.before).min().unwrap_or(i64::MIN),
        }
    }

    pub fn after(&self, triplet: &Triplet) -> i64 {
        self.streams.get(triplet).map_or_else(|| self.least(), |marks| marks.after)
    }

    /// The least of all streams: what units that merge streams go by.
    pub fn least(&self) -> i64 {
        self.streams.values().map(|marks| marks.after).min().unwrap_or(i64::MIN)
    }

    /// Does not let a stream (or all) get beyond `mark` in this record; never below where it was before.
    pub fn hold_back(&mut self, triplet: Option<&Triplet>, mark: i64) {
        for (known, marks) in &mut self.streams {
            if triplet.is_none_or(|triplet| triplet == known) {
                marks.after = marks.after.min(mark).max(marks.before);
            }
        }
    }

    /// The record is done: after becomes before, and what was held back is tried again in the next.
    pub fn settle(&mut self) {
        for marks in self.streams.values_mut() {
            marks.before = marks.after;
            marks.after = marks.wanted;
        }
    }

    /// Forgets the streams that are not wanted any more: a stream that brings nothing would hold the least back for ever.
    pub fn retain(&mut self, wanted: impl Fn(&Triplet) -> bool) {
        self.streams.retain(|triplet, _| wanted(triplet));
        self.any = self.any.take().filter(|any| self.streams.contains_key(any));
        if self.any.is_none() {
            self.any = self.streams.keys().min().cloned();
        }
    }

    pub fn all(&self) -> impl Iterator<Item = (&Triplet, i64)> {
        self.streams.iter().map(|(triplet, marks)| (triplet, marks.before))
    }

    pub fn any(&self) -> Option<Triplet> {
        self.any.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_back_is_owed_until_it_was_handed_out() {
        let triplet = Triplet::new("shop", "prod", "order").unwrap();
        let mut marks = Watermarks::default();
        marks.advance(&triplet, 10, 10);
        marks.settle();
        assert!(!marks.owes());
        marks.advance(&triplet, 10, 20);
        marks.hold_back(None, 15);
        marks.settle();
        assert!(marks.owes());
        assert_eq!(marks.before(&triplet), 15);
        marks.advance(&triplet, 20, 20);
        marks.settle();
        assert!(!marks.owes());
        assert_eq!(marks.before(&triplet), 20);
    }
}
