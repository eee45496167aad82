//! Series as entries of a checkpoint, and back.
//!
//! Points are kept in pieces of [`SPAN_BITS`] of time, so that a checkpoint writes only the pieces in which something changed, and what fell out of the rings is removed piece by
//! piece. Keys: `m` and the metric: its fields (JSON). `s`, the metric, a zero byte and the number of the series (u64): its triplet and labels (JSON); the same with the
//! number of the piece (u64, its sign turned): the points, as count u32, fields u16, times i64, then the values of each field f64; keys big-endian, values little-endian.
//!
//! A dump may be newer than what is replayed over it: a point that comes again is put in its own place.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Labels, Metric, Series, SeriesStore};
use crate::state::dump::Entry;

/// 2^36 ns: a little over a minute, 64 points of one a second.
const SPAN_BITS: u32 = 36;
/// Pieces that one dump removes of one series; what is left then goes with later ones, or is trimmed when it is read.
const REMOVED_MAX: i64 = 10_000;
/// Nothing changed.
pub(super) const CLEAN: i64 = i64::MAX;

fn piece_of(time: i64) -> i64 {
    time >> SPAN_BITS
}

fn metric_key(metric: &str) -> Vec<u8> {
    [b"m", metric.as_bytes()].concat()
}

fn series_key(metric: &str, id: u64) -> Vec<u8> {
    [b"s", metric.as_bytes(), &[0], id.to_be_bytes().as_slice()].concat()
}

fn piece_key(metric: &str, id: u64, piece: i64) -> Vec<u8> {
    let piece = (piece as u64) ^ (1 << 63);
    [series_key(metric, id).as_slice(), &piece.to_be_bytes()].concat()
}

impl SeriesStore {
    /// From here on it is known what is forgotten.
    pub fn track(&mut self) {
        self.gone.get_or_insert_default();
    }

    /// What changed of a metric since the last call, or all of it; for series from `from` on, at most `count` of them. The place where the next call goes on; none: it
    /// was all.
    pub fn dump(
        &mut self,
        metric: &str,
        all: bool,
        (from, count): (usize, usize),
        out: &mut Vec<Entry>,
    ) -> Option<usize> {
        let metric = self.metrics.get_mut(metric)?;
        if from == 0 {
            let fields: Vec<&str> = metric.fields.iter().map(|field| &**field).collect();
            out.push((metric_key(&metric.name), Some(json!({ "fields": fields }).to_string().into_bytes())));
        }
        let name = Arc::clone(&metric.name);
        let until = metric.series.len().min(from + count);
        for series in metric.series.get_mut(from..until).unwrap_or_default() {
            series.dump(&name, all, out);
        }
        (until < metric.series.len()).then_some(until)
    }

    /// Keys of what was forgotten since the last call.
    pub fn take_gone(&mut self, out: &mut Vec<Entry>) {
        for (metric, id, pieces) in self.gone.as_mut().map(std::mem::take).unwrap_or_default() {
            out.push((series_key(&metric, id), None));
            if let Some((first, last)) = pieces {
                let last = last.min(first.saturating_add(REMOVED_MAX));
                out.extend((first..=last).map(|piece| (piece_key(&metric, id, piece), None)));
            }
        }
    }

    /// An entry that a dump made, in the order of keys.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) {
        match key.split_first() {
            Some((b'm', metric)) => drop(self.restore_metric(metric, value)),
            Some((b's', rest)) => drop(self.restore_series(rest, value)),
            _ => {}
        }
    }

    fn restore_metric(&mut self, metric: &[u8], value: &[u8]) -> Option<()> {
        let name = std::str::from_utf8(metric).ok()?;
        let value: Value = serde_json::from_slice(value).ok()?;
        let fields = value.get("fields")?.as_array()?.iter().map(|field| Some(Arc::from(field.as_str()?)));
        let fields = fields.collect::<Option<Vec<Arc<str>>>>()?;
        let known = self.metrics.get_mut(name)?;
        // In the order in which they were, because values are by that.
        for field in fields {
            known.field(&field);
        }
        Some(())
    }

    fn restore_series(&mut self, rest: &[u8], value: &[u8]) -> Option<()> {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (name, rest) = (std::str::from_utf8(rest.get(..end)?).ok()?, rest.get(end + 1..)?);
        let (id, piece) = rest.split_first_chunk::<8>()?;
        let id = u64::from_be_bytes(*id);
        let now_unix_ns = self.now_unix_ns;
        let metric = self.metrics.get_mut(name)?;
        if piece.is_empty() {
            let value: Value = serde_json::from_slice(value).ok()?;
            let triplet = value.get("triplet")?.as_str()?.parse().ok()?;
            let pairs = value
                .get("labels")?
                .as_array()?
                .iter()
                .map(|pair| Some((Arc::from(pair.get(0)?.as_str()?), Arc::from(pair.get(1)?.as_str()?))));
            let labels = pairs.collect::<Option<Vec<(Arc<str>, Arc<str>)>>>()?;
            metric.series.push(Series::new(triplet, Labels::from(labels), id, now_unix_ns));
            self.series_total += 1;
            self.next_id = self.next_id.max(id + 1);
            return Some(());
        }
        let keep_points = metric.keep_points;
        let series = metric.series.last_mut().filter(|series| series.id == id)?;
        put_points(series, value, keep_points)
    }

    /// Behind the last entry.
    pub fn restored(&mut self) {
        let hasher = &self.hasher;
        for metric in self.metrics.values_mut() {
            metric.version += 1;
            metric.index_again(hasher);
            metric.series.iter_mut().for_each(Series::settled);
        }
    }
}

impl Series {
    /// What is in the rings is what was dumped.
    fn settled(&mut self) {
        self.dirty_from = CLEAN;
        self.first_piece = self.ring.all().time.first().copied().map(piece_of);
    }

    fn dump(&mut self, metric: &str, all: bool, out: &mut Vec<Entry>) {
        let from = if all { i64::MIN } else { self.dirty_from };
        let first = self.ring.all().time.first().copied();
        if from == CLEAN {
            return;
        }
        if self.first_piece.is_none() || all {
            let labels: Vec<[&str; 2]> =
                self.labels.iter().map(|(name, value)| [&**name, &**value]).collect();
            let value = json!({ "triplet": self.triplet.as_str(), "labels": labels });
            out.push((series_key(metric, self.id), Some(value.to_string().into_bytes())));
        }
        let mut rest = self.ring.slice(piece_start(piece_of(from))..i64::MAX);
        while let Some(first) = rest.time.first().copied() {
            let piece = piece_of(first);
            let slice = self.ring.slice(piece_start(piece)..piece_start(piece + 1));
            out.push((piece_key(metric, self.id, piece), Some(points(&slice))));
            rest = self.ring.slice(piece_start(piece + 1)..i64::MAX);
        }
        let first = first.map(piece_of);
        if let (Some(old), Some(new)) = (self.first_piece, first) {
            let until = new.min(old.saturating_add(REMOVED_MAX));
            out.extend((old..until).map(|piece| (piece_key(metric, self.id, piece), None)));
        }
        (self.first_piece, self.dirty_from) = (first, CLEAN);
    }

    /// For [`SeriesStore::take_gone`]: its number, and the first and last piece that was dumped.
    pub(super) fn pieces(&self) -> (u64, Option<(i64, i64)>) {
        (self.id, self.first_piece.zip(self.ring.last_time().map(piece_of)))
    }
}

impl Metric {
    pub(super) fn note_gone(&self, since_unix_ns: i64, gone: &mut Vec<super::Gone>) {
        let silent = self.series.iter().filter(|series| series.touched_unix_ns < since_unix_ns);
        gone.extend(silent.map(|series| {
            let (id, pieces) = series.pieces();
            (Arc::clone(&self.name), id, pieces)
        }));
    }
}

fn piece_start(piece: i64) -> i64 {
    piece.saturating_mul(1 << SPAN_BITS)
}

fn points(slice: &super::Slice<'_>) -> Vec<u8> {
    let fields = slice.fields();
    let mut out = (slice.time.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(fields as u16).to_le_bytes());
    out.extend(slice.time.iter().flat_map(|time| time.to_le_bytes()));
    for field in 0..fields {
        out.extend(slice.values(field).iter().flat_map(|value| value.to_le_bytes()));
    }
    out
}

fn put_points(series: &mut Series, value: &[u8], keep_points: usize) -> Option<()> {
    let (count, rest) = value.split_first_chunk::<4>()?;
    let (fields, rest) = rest.split_first_chunk::<2>()?;
    let (count, fields) = (u32::from_le_bytes(*count) as usize, usize::from(u16::from_le_bytes(*fields)));
    let (times, values) = rest.split_at_checked(count.checked_mul(8)?)?;
    let number = |bytes: &[u8], at: usize| Some(*bytes.get(at * 8..)?.first_chunk::<8>()?);
    let mut row = vec![f64::NAN; fields];
    for point in 0..count {
        for (field, value) in row.iter_mut().enumerate() {
            *value = f64::from_le_bytes(number(values, field * count + point)?);
        }
        series.ring.put(i64::from_le_bytes(number(times, point)?), &row, keep_points);
    }
    Some(())
}
