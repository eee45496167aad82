//! Charts: a formatter's pictures of a metric, drawn once for all who look.
//!
//! In: a [`ChartSpec`] with its component, and the series store. Out: [`ChartVersion`]s, numbered, the last [`VERSIONS_MAX`] kept so that a client that
//! was away can go on. One thread ([`Renderer`]) draws every chart that somebody watches, at most every [`DRAW_EVERY`], when points came or the
//! window moved by a pixel or a second. Size: the widest watcher's, in steps of [`WIDTH_STEP`]. A formatter that fails is counted, shown to the
//! watchers and asked again after a pause that doubles; the last good picture stays.

mod draw;
pub mod picture;
mod renderer;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value, json};
use weir_core::config::ChartSpec;
use weir_core::series::SeriesStore;
use weir_engine::{Component, Fault};

use self::draw::EngineFormatter;
pub use self::draw::{Ask, Drawn, Formatter};
use self::picture::ChartVersion;
pub use self::renderer::{Renderer, Round, Rounds};
use crate::runtime::holes::Hole;

/// Pictures of a chart that are kept.
const VERSIONS_MAX: usize = 32;
/// Memory of the pictures of a chart that are kept; the newest is kept in any case.
const VERSIONS_BYTES_MAX: usize = 4 << 20;
const DRAW_EVERY: Duration = Duration::from_millis(50);
const WIDTH_DEFAULT: u32 = 800;
const WIDTH_STEP: u32 = 200;
const WIDTH_MAX: u32 = 4_000;
const HEIGHT_DEFAULT: u32 = 240;
const HEIGHT_MAX: u32 = 2_000;
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// One chart of the configuration.
pub struct Chart {
    pub id: Arc<str>,
    pub title: String,
    pub metric: Arc<str>,
    /// Name of the component as the configuration has it.
    pub uses: String,
    pub window_ns: i64,
    /// Configuration of the formatter, JSON.
    pub options: String,
    /// Which life of this chart: rises with each one opened.
    pub epoch: u64,
    pub counters: ChartCounters,
    formatter: Mutex<Box<dyn Formatter>>,
    state: Mutex<State>,
}

/// All only grow.
#[derive(Debug, Default)]
pub struct ChartCounters {
    pub draws_total: AtomicU64,
    pub draw_ns_total: AtomicU64,
    pub versions_total: AtomicU64,
    pub faults_total: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Width and height that each watcher asked for.
    watchers: HashMap<u64, (u32, u32)>,
    /// Oldest first.
    versions: VecDeque<Arc<ChartVersion>>,
    /// Whether the newest version was drawn since somebody watches.
    current: bool,
    last: Option<Last>,
    /// How many errors there were, and the one that stands.
    errors_total: u64,
    error: Option<String>,
    retry: Option<(Instant, Duration)>,
}

/// The last drawing.
struct Last {
    at: Instant,
    metric_version: u64,
    end_unix_ns: i64,
    size: (u32, u32),
}

/// Somebody looks at a chart for as long as this lives.
pub struct Watch {
    chart: Arc<Chart>,
    watcher: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.chart.state.lock().watchers.remove(&self.watcher);
    }
}

impl Watch {
    pub fn chart(&self) -> &Arc<Chart> {
        &self.chart
    }
}

impl Chart {
    /// Makes the formatter's instance; the component is compiled and the configuration checked already.
    pub fn open(spec: &ChartSpec, component: &Component) -> Result<Self, Fault> {
        let formatter = EngineFormatter::open(&spec.id, component)?;
        Ok(Self::with_formatter(spec, Box::new(formatter)))
    }

    /// A chart over any formatter.
    pub fn with_formatter(spec: &ChartSpec, formatter: Box<dyn Formatter>) -> Self {
        Self {
            id: Arc::clone(&spec.id),
            title: spec.title.clone(),
            metric: Arc::clone(&spec.metric),
            uses: spec.uses.clone(),
            window_ns: spec.window_ns.max(1),
            options: spec.config.to_string(),
            epoch: next_epoch(),
            counters: ChartCounters::default(),
            formatter: Mutex::new(formatter),
            state: Mutex::new(State::default()),
        }
    }

    /// As `GET /api/charts` and `hello` show it.
    pub fn view(&self) -> Value {
        json!({
            "id": &*self.id,
            "title": self.title,
            "component": self.uses,
            "metric": &*self.metric,
            "window_ns": self.window_ns,
            "epoch": self.epoch,
        })
    }

    /// Begins to watch. 0: no wish for a size.
    pub fn watch(self: &Arc<Self>, width: u32, height: u32) -> Watch {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let watcher = NEXT.fetch_add(1, Ordering::Relaxed);
        self.state.lock().watchers.insert(watcher, (width, height));
        Watch { chart: Arc::clone(self), watcher }
    }

    pub fn watchers(&self) -> usize {
        self.state.lock().watchers.len()
    }

    /// The newest picture, once there is one that was drawn since somebody watches.
    pub fn newest(&self) -> Option<Arc<ChartVersion>> {
        let state = self.state.lock();
        if state.current { state.versions.back().cloned() } else { None }
    }

    /// An older picture, where it is still kept.
    pub fn kept(&self, epoch: u64, version: u64) -> Option<Arc<ChartVersion>> {
        if epoch != self.epoch {
            return None;
        }
        self.state.lock().versions.iter().find(|kept| kept.version == version).cloned()
    }

    /// The error that stands, and its number.
    pub fn error(&self) -> Option<(u64, String)> {
        let state = self.state.lock();
        state.error.clone().map(|message| (state.errors_total, message))
    }

    /// Draws if it is time to. True where watchers have something new to see, be it an error.
    fn refresh(&self, store: &Mutex<SeriesStore>, holes: &[Hole], now_unix_ns: i64, now: Instant) -> bool {
        let Some(size) = self.due(now) else { return false };
        let ask = {
            let store = store.lock();
            let metric = store.metric(&self.metric);
            let metric_version = metric.map_or(0, |metric| metric.version);
            if !self.changed(metric_version, now_unix_ns, size) {
                return false;
            }
            self.state.lock().last = Some(Last { at: now, metric_version, end_unix_ns: now_unix_ns, size });
            let mut ask = draw::collect(self, metric, now_unix_ns, size);
            ask.take_holes(holes);
            ask
        };
        let drawn = self.formatter.lock().draw(&ask);
        ChartCounters::add(&self.counters.draws_total, 1);
        ChartCounters::add(&self.counters.draw_ns_total, now.elapsed().as_nanos() as u64);
        match drawn {
            Ok(drawn) => self.publish(drawn, ask.newest_unix_ns),
            Err(message) => {
                ChartCounters::add(&self.counters.faults_total, 1);
                self.fail(message, now);
                true
            }
        }
    }

    /// The size to draw, if somebody watches and enough time went by.
    fn due(&self, now: Instant) -> Option<(u32, u32)> {
        let mut state = self.state.lock();
        if state.watchers.is_empty() {
            state.current = false;
            return None;
        }
        let early =
            state.last.as_ref().is_some_and(|last| now.duration_since(last.at) < DRAW_EVERY && state.current);
        let waits = state.retry.is_some_and(|(until, _)| now < until);
        if early || waits {
            return None;
        }
        let width = state.watchers.values().map(|&(width, _)| width).max().filter(|&width| width > 0);
        let height = state.watchers.values().map(|&(_, height)| height).max().filter(|&height| height > 0);
        let width = width.unwrap_or(WIDTH_DEFAULT).min(WIDTH_MAX).next_multiple_of(WIDTH_STEP);
        Some((width, height.unwrap_or(HEIGHT_DEFAULT).min(HEIGHT_MAX)))
    }

    fn changed(&self, metric_version: u64, now_unix_ns: i64, size: (u32, u32)) -> bool {
        let state = self.state.lock();
        let Some(last) = state.last.as_ref().filter(|_| state.current && state.error.is_none()) else {
            return true;
        };
        let pixel_ns = self.window_ns / i64::from(size.0.max(1));
        let moved_ns = now_unix_ns.saturating_sub(last.end_unix_ns);
        last.metric_version != metric_version || last.size != size || moved_ns >= pixel_ns.max(1_000_000_000)
    }

    fn publish(&self, drawn: Drawn, newest_unix_ns: Option<i64>) -> bool {
        let mut state = self.state.lock();
        let was_current = std::mem::replace(&mut state.current, true);
        let had_error = state.error.take().is_some();
        state.retry = None;
        let before = state.versions.back().cloned();
        // What did not change is shared with the picture before: less memory, and found to be equal at once.
        let tables = drawn.tables.into_iter().map(|table| {
            let old = before.as_ref().and_then(|before| before.tables.iter().find(|old| ***old == table));
            old.map_or_else(|| Arc::new(table), Arc::clone)
        });
        let tables: Vec<_> = tables.collect();
        // After an error a picture is sent in any case: that is how a client learns that it is over.
        if let Some(before) = &before
            && !had_error
            && *before.description == drawn.description
            && before.tables.len() == tables.len()
            && before.tables.iter().zip(&tables).all(|(old, new)| Arc::ptr_eq(old, new))
        {
            return !was_current;
        }
        state.versions.push_back(Arc::new(ChartVersion {
            chart: Arc::clone(&self.id),
            epoch: self.epoch,
            version: before.as_ref().map_or(1, |before| before.version + 1),
            newest_unix_ns,
            description: Arc::new(drawn.description),
            tables,
        }));
        ChartCounters::add(&self.counters.versions_total, 1);
        state.trim();
        true
    }

    fn fail(&self, message: String, now: Instant) {
        let mut state = self.state.lock();
        let pause = state.retry.map_or(RETRY_FIRST, |(_, pause)| (pause * 2).min(RETRY_MAX));
        state.retry = Some((now + pause, pause));
        if state.error.as_ref() != Some(&message) {
            tracing::warn!(chart = &*self.id, error = message, "a chart could not be drawn");
            state.errors_total += 1;
            state.error = Some(message);
        }
    }
}

impl ChartCounters {
    fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

impl State {
    fn trim(&mut self) {
        let mut bytes = 0;
        let fits = self.versions.iter().rev().take(VERSIONS_MAX).take_while(|version| {
            bytes += version.tables.iter().map(|table| table.bytes()).sum::<usize>();
            bytes <= VERSIONS_BYTES_MAX
        });
        let keep = fits.count().max(1);
        self.versions.drain(..self.versions.len().saturating_sub(keep));
    }
}

/// Ms since 1970 at first, then always one more than before at least; so a client can tell a chart of today from that of an earlier run.
fn next_epoch() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_millis() as u64);
    let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
    before.map_or(now, |last| now.max(last + 1))
}
