//! Series: the points of (metric, triplet, labels), each a ring of the last N.
//!
//! In: rows in columns, as a unit emits them ([`Points`]). Out: slices of a time window, for charts and the API.
//! A point is a time (ns since 1970) and one f64 for each field of the metric (NaN: no value; never infinite). Points come in any order;
//! the ring is kept sorted by time, and a point with the time of one that is there replaces it field by field. A row without any value is skipped.
//! Bounds: points per series (by metric), series per metric and per store, fields and labels; over the bound a new series is refused and counted, and its
//! points go to the one series of that metric whose only label is `__overflow__`. A point older than a full ring is dropped and counted. A series that nothing
//! was written to for long ([`SILENT_NS`], sooner where the bound is near) is forgotten, so that labels that went away give their place back.
//! Labels are sorted by name and a label without text is left out, so that a series has one identity however its rows are written.

mod columns;
mod dump;
mod ring;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use arrow_array::ArrayRef;
use hashbrown::HashTable;

use self::columns::{LabelColumn, NumberColumn};
pub use self::ring::{Ring, Slice};
use crate::triplet::Triplet;

/// Series of one metric, unless the store is made with another bound.
pub const METRIC_SERIES_MAX: usize = 10_000;
/// Series of all metrics together.
pub const STORE_SERIES_MAX: usize = 200_000;
/// Fields of one metric; further ones are left out and counted.
pub const FIELDS_MAX: usize = 64;
/// Labels of one series; further ones are left out.
pub const LABELS_MAX: usize = 32;
/// Points kept per series where the configuration does not say.
pub const KEEP_POINTS_DEFAULT: usize = 3_600;
/// A series that got no point for that long, by the clock and not by event time, is forgotten: a day, so that what ended in the night is still there in the morning.
pub const SILENT_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// The same where a metric or the store is more than three quarters full: then places are worth more than ends.
pub const SILENT_CROWDED_NS: i64 = 600 * 1_000_000_000;
/// Name and value of the label of the series that takes what is over the bound.
pub const OVERFLOW: &str = "__overflow__";

/// Name of a label and its value as text, sorted by name.
pub type Labels = Arc<[(Arc<str>, Arc<str>)]>;

/// One series and its ring.
#[derive(Debug, Clone)]
pub struct Series {
    pub triplet: Triplet,
    pub labels: Labels,
    pub ring: Ring,
    /// Grows with each change, for change detection.
    pub version: u64,
    /// When it last got a point, by the clock.
    touched_unix_ns: i64,
    /// Its number in the store, never given twice.
    id: u64,
    /// The oldest point that changed since the last dump.
    dirty_from: i64,
    /// Of time, that was dumped; none: nothing of it was.
    first_piece: Option<i64>,
}

/// Metric, number and pieces of a series that was forgotten.
type Gone = (Arc<str>, u64, Option<(i64, i64)>);

/// All series of one metric.
#[derive(Debug, Clone)]
pub struct Metric {
    pub name: Arc<str>,
    /// In the order in which they were declared or first came.
    pub fields: Vec<Arc<str>>,
    pub keep_points: usize,
    pub series: Vec<Series>,
    /// Grows with each change of any of its series.
    pub version: u64,
    /// Position in `series` by the hash of triplet and labels.
    index: HashTable<u32>,
    /// Position of the series that takes what is over the bound.
    overflow: Option<u32>,
}

/// Rows of one stream for one metric.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    pub triplet: &'a Triplet,
    /// ns since 1970, one for each row.
    pub time: &'a [i64],
    /// Of any type; each at least as long as `time`.
    pub labels: &'a [(Arc<str>, ArrayRef)],
    /// Field name and its column; of any type, what is no number counts as no value. A name that the metric does not know is added to it.
    pub values: &'a [(Arc<str>, ArrayRef)],
}

/// What became of the rows of one [`SeriesStore::append`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    pub stored: u64,
    /// Of `stored`: went to the overflow series.
    pub overflowed: u64,
    /// Older than a full ring.
    pub late: u64,
    /// Without any value.
    pub empty: u64,
}

#[derive(Debug)]
pub struct SeriesStore {
    pub metrics: BTreeMap<Arc<str>, Metric>,
    /// Rows that went to an overflow series.
    pub refused_total: u64,
    /// Rows that were older than a full ring.
    pub late_total: u64,
    /// Field columns of a batch that were left out because the metric has [`FIELDS_MAX`].
    pub fields_refused_total: u64,
    /// Series that were forgotten because they were silent.
    pub forgotten_total: u64,
    /// The clock as last told.
    now_unix_ns: i64,
    /// The metric that was looked through last.
    looked_through: Option<Arc<str>>,
    /// Of the next series.
    next_id: u64,
    /// None: nobody wants to know.
    gone: Option<Vec<Gone>>,
    series_total: usize,
    metric_series_max: usize,
    store_series_max: usize,
    hasher: foldhash::fast::RandomState,
}

impl Default for SeriesStore {
    fn default() -> Self {
        Self::with_bounds(METRIC_SERIES_MAX, STORE_SERIES_MAX)
    }
}

impl SeriesStore {
    pub fn with_bounds(metric_series_max: usize, store_series_max: usize) -> Self {
        Self {
            metrics: BTreeMap::new(),
            refused_total: 0,
            late_total: 0,
            fields_refused_total: 0,
            forgotten_total: 0,
            now_unix_ns: 0,
            looked_through: None,
            next_id: 1,
            gone: None,
            series_total: 0,
            metric_series_max,
            store_series_max,
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// Makes a metric known, or changes how many points it keeps. No fields: they are added as they come. Points that are there stay.
    pub fn declare(&mut self, metric: &str, fields: &[Arc<str>], keep_points: usize) {
        let name: Arc<str> = metric.into();
        let entry = self.metrics.entry(Arc::clone(&name)).or_insert_with(|| Metric::new(name));
        entry.keep_points = keep_points.max(1);
        entry.version += 1;
        for field in fields {
            entry.field(field);
        }
    }

    /// Ends a metric with all its points.
    pub fn forget(&mut self, metric: &str) {
        if let Some(gone) = self.metrics.remove(metric) {
            self.series_total -= gone.series.len();
        }
    }

    pub fn metric(&self, metric: &str) -> Option<&Metric> {
        self.metrics.get(metric)
    }

    /// Series of all metrics.
    pub fn series_total(&self) -> usize {
        self.series_total
    }

    /// Tells the time and forgets the silent series of one metric, the next one with each call: the work is bounded by the series of one metric.
    pub fn forget_silent(&mut self, now_unix_ns: i64) {
        self.now_unix_ns = self.now_unix_ns.max(now_unix_ns);
        let crowded = is_crowded(self.series_total, self.store_series_max);
        let after = |name: &Arc<str>| (std::ops::Bound::Excluded(name.clone()), std::ops::Bound::Unbounded);
        let next = match &self.looked_through {
            Some(last) => self.metrics.range_mut(after(last)).next(),
            None => self.metrics.iter_mut().next(),
        };
        let Some((name, metric)) = next else {
            self.looked_through = None;
            return;
        };
        self.looked_through = Some(Arc::clone(name));
        let count = metric.series.len();
        let crowded = crowded || is_crowded(count, self.metric_series_max);
        let silent_ns = if crowded { SILENT_CROWDED_NS } else { SILENT_NS };
        let since = self.now_unix_ns.saturating_sub(silent_ns);
        if let Some(gone) = &mut self.gone {
            metric.note_gone(since, gone);
        }
        metric.series.retain(|series| series.touched_unix_ns >= since);
        let gone = count - metric.series.len();
        if gone > 0 {
            self.series_total -= gone;
            self.forgotten_total += gone as u64;
            metric.version += 1;
            metric.index_again(&self.hasher);
        }
    }

    /// Adds rows. Costs a hash and a comparison of the labels' texts for each row; allocates only for a new series or a growing ring.
    /// An undeclared metric is declared with the defaults.
    pub fn append(&mut self, metric: &str, points: &Points<'_>) -> Appended {
        if !self.metrics.contains_key(metric) {
            self.declare(metric, &[], KEEP_POINTS_DEFAULT);
        }
        let Some(entry) = self.metrics.get_mut(metric) else { return Appended::default() };
        let mut numbers: Vec<Option<NumberColumn>> = Vec::new();
        for (name, array) in points.values {
            let Some(field) = entry.field(name) else {
                self.fields_refused_total += 1;
                continue;
            };
            if numbers.len() <= field {
                numbers.resize_with(field + 1, || None);
            }
            if let Some(slot) = numbers.get_mut(field) {
                *slot = Some(NumberColumn::new(array));
            }
        }
        let labels = LabelColumn::sorted(points.labels);
        let room = self.store_series_max.saturating_sub(self.series_total);
        let series_max = self.metric_series_max.min(entry.series.len().saturating_add(room));
        let before = entry.series.len();
        let now_unix_ns = self.now_unix_ns;
        let mut appender = Appender {
            metric: entry,
            hasher: &self.hasher,
            next_id: &mut self.next_id,
            series_max,
            now_unix_ns,
            row: Vec::new(),
            last: None,
        };
        let appended = appender.rows(points, &labels, &numbers);
        self.series_total += entry.series.len() - before;
        self.refused_total += appended.overflowed;
        self.late_total += appended.late;
        appended
    }
}

impl Metric {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            fields: Vec::new(),
            keep_points: KEEP_POINTS_DEFAULT,
            series: Vec::new(),
            version: 0,
            index: HashTable::new(),
            overflow: None,
        }
    }

    /// Position of a field; adds it where there is room.
    fn field(&mut self, name: &Arc<str>) -> Option<usize> {
        if let Some(at) = self.field_position(name) {
            return Some(at);
        }
        if self.fields.len() >= FIELDS_MAX {
            return None;
        }
        self.fields.push(Arc::clone(name));
        Some(self.fields.len() - 1)
    }

    pub fn field_position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|known| &**known == name)
    }

    /// Newest time of any point.
    pub fn last_time(&self) -> Option<i64> {
        self.series.iter().filter_map(|series| series.ring.last_time()).max()
    }

    fn index_again(&mut self, hasher: &foldhash::fast::RandomState) {
        self.index.clear();
        self.overflow = None;
        for (at, series) in self.series.iter().enumerate() {
            if series.is_overflow() {
                self.overflow = Some(at as u32);
                continue;
            }
            let hash = series.hash(hasher);
            let all = &self.series;
            self.index.insert_unique(hash, at as u32, |&other| {
                all.get(other as usize).map_or(0, |series| series.hash(hasher))
            });
        }
    }
}

impl Series {
    fn new(triplet: Triplet, labels: Labels, id: u64, now_unix_ns: i64) -> Self {
        let (ring, version, dirty_from, first_piece) = (Ring::default(), 0, dump::CLEAN, None);
        Self { triplet, labels, ring, version, touched_unix_ns: now_unix_ns, id, dirty_from, first_piece }
    }

    fn is_overflow(&self) -> bool {
        self.labels.len() == 1
            && self.labels.iter().all(|(name, value)| &**name == OVERFLOW && &**value == OVERFLOW)
    }

    fn has<'a>(&'a self, texts: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
        self.labels.iter().map(|(name, text)| (&**name, &**text)).eq(texts)
    }

    fn hash(&self, hasher: &foldhash::fast::RandomState) -> u64 {
        hash_of(hasher, &self.triplet, self.labels.iter().map(|(name, value)| (&**name, &**value)))
    }
}

fn is_crowded(count: usize, bound: usize) -> bool {
    count.saturating_mul(4) > bound.saturating_mul(3)
}

/// One hash for a series, however its labels are held.
fn hash_of<'a>(
    hasher: &foldhash::fast::RandomState,
    triplet: &Triplet,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) -> u64 {
    let mut state = hasher.build_hasher();
    triplet.as_str().hash(&mut state);
    for (name, value) in labels {
        name.hash(&mut state);
        value.hash(&mut state);
    }
    state.finish()
}

/// The labels of a row; one without text is none.
fn texts(labels: &[LabelColumn], row: usize) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(move |label| (&*label.name, label.get(row))).filter(|(_, text)| !text.is_empty())
}

/// One run over the rows of one batch.
struct Appender<'a> {
    metric: &'a mut Metric,
    hasher: &'a foldhash::fast::RandomState,
    next_id: &'a mut u64,
    /// How many series the metric may have now.
    series_max: usize,
    now_unix_ns: i64,
    /// The values of one row, reused.
    row: Vec<f64>,
    /// Series of the row before; rows of one series often come together.
    last: Option<u32>,
}

impl Appender<'_> {
    fn rows(
        &mut self,
        points: &Points<'_>,
        labels: &[LabelColumn],
        numbers: &[Option<NumberColumn>],
    ) -> Appended {
        let mut appended = Appended::default();
        for (row, &time) in points.time.iter().enumerate() {
            self.row.clear();
            self.row.extend(
                numbers.iter().map(|column| column.as_ref().map_or(f64::NAN, |column| column.get(row))),
            );
            if self.row.iter().all(|value| value.is_nan()) {
                appended.empty += 1;
                continue;
            }
            let (at, overflowed) = self.find(points.triplet, labels, row);
            let keep_points = self.metric.keep_points;
            let Some(series) = self.metric.series.get_mut(at as usize) else { continue };
            if series.ring.put(time, &self.row, keep_points) {
                series.version += 1;
                series.dirty_from = series.dirty_from.min(time);
                series.touched_unix_ns = self.now_unix_ns;
                appended.stored += 1;
                appended.overflowed += u64::from(overflowed);
            } else {
                appended.late += 1;
            }
        }
        if appended.stored > 0 {
            self.metric.version += 1;
        }
        appended
    }

    /// Position of the row's series and whether it is the overflow series.
    fn find(&mut self, triplet: &Triplet, labels: &[LabelColumn], row: usize) -> (u32, bool) {
        let is_it = |series: &Series| series.triplet == *triplet && series.has(texts(labels, row));
        let all = &self.metric.series;
        if let Some(last) = self.last
            && all.get(last as usize).is_some_and(is_it)
        {
            return (last, false);
        }
        let hash = hash_of(self.hasher, triplet, texts(labels, row));
        let known = self.metric.index.find(hash, |&at| all.get(at as usize).is_some_and(is_it)).copied();
        if let Some(at) = known {
            self.last = Some(at);
            return (at, false);
        }
        if all.len() >= self.series_max {
            return (self.overflow(triplet), true);
        }
        let owned: Labels =
            texts(labels, row).map(|(name, text)| (Arc::from(name), Arc::from(text))).collect();
        let at = self.push(triplet, owned);
        let (all, hasher) = (&self.metric.series, self.hasher);
        self.metric.index.insert_unique(hash, at, |&other| {
            all.get(other as usize).map_or(0, |series| series.hash(hasher))
        });
        self.last = Some(at);
        (at, false)
    }

    /// The one series over the bound: each metric may have one, so the store's bound is exceeded by at most the count of metrics.
    fn overflow(&mut self, triplet: &Triplet) -> u32 {
        if let Some(at) = self.metric.overflow {
            return at;
        }
        let at = self.push(triplet, Arc::from([(Arc::from(OVERFLOW), Arc::from(OVERFLOW))]));
        self.metric.overflow = Some(at);
        at
    }

    fn push(&mut self, triplet: &Triplet, labels: Labels) -> u32 {
        let at = self.metric.series.len() as u32;
        self.metric.series.push(Series::new(triplet.clone(), labels, *self.next_id, self.now_unix_ns));
        *self.next_id += 1;
        at
    }
}

#[cfg(test)]
mod tests;
