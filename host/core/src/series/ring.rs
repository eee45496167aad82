//! The points of one series: columns sorted by time, the last N kept.
//!
//! In: one point at a time ([`Ring::put`]). Out: slices of all or of a time window. A point in order is appended; one out of order is put in
//! its place at the cost of moving what is newer, and remembered as late ([`Ring::late`]); old points are cut off in blocks, so that an append costs constant time on average and memory
//! stays below 1.25 N points + 64 (and the growth of a `Vec`).

use std::collections::VecDeque;
use std::ops::Range;

/// Late points that are remembered as such; the oldest arrivals go first.
const LATE_MAX: usize = 64;

/// Columns of one series.
#[derive(Debug, Clone, Default)]
pub struct Ring {
    /// ns since 1970, rising, each once. Those before `first` are no longer part of it.
    time: Vec<i64>,
    /// One column for each field that ever had a value; NaN: none. Shorter than the metric's fields where later ones never came.
    values: Vec<Vec<f64>>,
    first: usize,
    /// Times of points that were put before newer ones, in the order in which they came, each with how far it was behind then (ns).
    late: VecDeque<(i64, i64)>,
}

/// Points of a window.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    pub time: &'a [i64],
    ring: &'a Ring,
    start: usize,
}

impl<'a> Slice<'a> {
    /// Fields that ever had a value.
    pub fn fields(&self) -> usize {
        self.ring.values.len()
    }

    /// Values of a field, as many as times; empty where the series never had that field.
    pub fn values(&self, field: usize) -> &'a [f64] {
        let column = self.ring.values.get(field);
        column.and_then(|column| column.get(self.start..self.start + self.time.len())).unwrap_or_default()
    }
}

impl Ring {
    pub fn len(&self) -> usize {
        self.time.len() - self.first
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn last_time(&self) -> Option<i64> {
        self.all().time.last().copied()
    }

    pub fn all(&self) -> Slice<'_> {
        self.slice_at(self.first..self.time.len())
    }

    /// Points with start <= time < end.
    pub fn slice(&self, window: Range<i64>) -> Slice<'_> {
        let times = self.all().time;
        let start = times.partition_point(|&time| time < window.start);
        let end = times.partition_point(|&time| time < window.end).max(start);
        self.slice_at(self.first + start..self.first + end)
    }

    /// The newest `count` points.
    pub fn newest(&self, count: usize) -> Slice<'_> {
        let start = self.first.max(self.time.len().saturating_sub(count));
        self.slice_at(start..self.time.len())
    }

    fn slice_at(&self, range: Range<usize>) -> Slice<'_> {
        Slice { start: range.start, time: self.time.get(range).unwrap_or_default(), ring: self }
    }

    /// Puts a point in its place; false where it is older than a ring that is full. NaN leaves a value that is there.
    pub fn put(&mut self, time: i64, row: &[f64], keep_points: usize) -> bool {
        let newest = self.last_time();
        if newest.is_none_or(|newest| newest < time) {
            self.insert(self.time.len(), time, row);
        } else {
            let times = self.all().time;
            match times.binary_search(&time) {
                Ok(at) => self.replace(self.first + at, row),
                Err(0) if times.len() >= keep_points => return false,
                Err(at) => {
                    self.insert(self.first + at, time, row);
                    self.note_late(time, newest.map_or(0, |newest| newest.saturating_sub(time)));
                }
            }
        }
        self.trim(keep_points);
        true
    }

    /// Points of the window that came after newer ones: their times and how far each was behind the newest (ns). The last [`LATE_MAX`] that came.
    pub fn late(&self, window: Range<i64>) -> impl Iterator<Item = (i64, i64)> {
        self.late.iter().copied().filter(move |(time, _)| window.contains(time))
    }

    fn note_late(&mut self, time: i64, behind_ns: i64) {
        if self.late.len() == LATE_MAX {
            self.late.pop_front();
        }
        self.late.push_back((time, behind_ns));
    }

    fn replace(&mut self, at: usize, row: &[f64]) {
        self.widen(row.len());
        for (column, &value) in self.values.iter_mut().zip(row) {
            if let Some(slot) = column.get_mut(at)
                && !value.is_nan()
            {
                *slot = value;
            }
        }
    }

    fn insert(&mut self, at: usize, time: i64, row: &[f64]) {
        self.widen(row.len());
        self.time.insert(at, time);
        for (field, column) in self.values.iter_mut().enumerate() {
            column.insert(at, row.get(field).copied().unwrap_or(f64::NAN));
        }
    }

    fn widen(&mut self, fields: usize) {
        while self.values.len() < fields {
            self.values.push(vec![f64::NAN; self.time.len()]);
        }
    }

    fn trim(&mut self, keep_points: usize) {
        self.first = self.first.max(self.time.len().saturating_sub(keep_points));
        if self.first > 64.max(keep_points / 4) {
            self.time.drain(..self.first);
            for column in &mut self.values {
                column.drain(..self.first);
            }
            self.first = 0;
        }
    }
}
