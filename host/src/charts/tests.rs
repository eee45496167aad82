//! When a chart is drawn, what is kept, and what a formatter that fails does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use weir_core::config::{ChartSpec, Place};
use weir_core::series::{Points, SeriesStore};

use super::picture::{Column, Table, Values};
use super::{Ask, Chart, Drawn, Formatter};

const SECOND: i64 = 1_000_000_000;

/// Draws a table of the times of the first series, or fails while told to.
struct Times {
    fails: Arc<Mutex<bool>>,
}

impl Formatter for Times {
    fn draw(&mut self, ask: &Ask) -> Result<Drawn, String> {
        if *self.fails.lock() {
            return Err("out of paint".to_owned());
        }
        let bytes = ask.inputs.first().map(|input| input.time.clone()).unwrap_or_default();
        let times: Vec<f64> =
            bytes.chunks(8).map(|one| i64::from_le_bytes(one.try_into().unwrap()) as f64 / 1e6).collect();
        let column = Column { name: "time".into(), values: Values::Time(times), valid: None };
        let table = Table { name: "t".into(), rows: column.values.len(), columns: vec![column] };
        Ok(Drawn { description: json!({ "width": ask.width }), tables: vec![table] })
    }
}

struct World {
    chart: Arc<Chart>,
    store: Mutex<SeriesStore>,
    fails: Arc<Mutex<bool>>,
    begun: Instant,
}

impl World {
    fn new() -> Self {
        let fails = Arc::new(Mutex::new(false));
        let spec = ChartSpec {
            id: "c".into(),
            title: "t".into(),
            metric: "m".into(),
            uses: "times".into(),
            config: json!({}),
            window_ns: 60 * SECOND,
            place: Place::default(),
        };
        let chart = Arc::new(Chart::with_formatter(&spec, Box::new(Times { fails: Arc::clone(&fails) })));
        Self { chart, store: Mutex::default(), fails, begun: Instant::now() }
    }

    fn point(&self, at_s: i64) {
        let value: arrow_array::ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![1.0]));
        let triplet = "a/b/c".parse().unwrap();
        let points =
            Points { triplet: &triplet, time: &[at_s * SECOND], labels: &[], values: &[("n".into(), value)] };
        self.store.lock().append("m", &points);
    }

    /// Looks at the chart so many ms after the start; whether there was news.
    fn look(&self, ms: u64) -> bool {
        let now = 1_000 * SECOND + ms as i64 * 1_000_000;
        self.chart.refresh(&self.store, &[], now, self.begun + Duration::from_millis(ms))
    }

    fn version(&self) -> Option<u64> {
        self.chart.newest().map(|newest| newest.version)
    }
}

#[test]
fn nothing_is_drawn_for_nobody() {
    let world = World::new();
    world.point(990);
    assert!(!world.look(0));
    let watch = world.chart.watch(0, 0);
    assert!(world.look(1));
    assert_eq!(world.version(), Some(1));
    drop(watch);
    assert!(!world.look(2_000));
    assert_eq!(world.version(), None, "an old picture is not shown as a new one");
    let _watch = world.chart.watch(0, 0);
    assert!(world.look(2_001));
    assert_eq!(world.version(), Some(1), "the same picture again");
}

#[test]
fn it_is_drawn_when_points_came_and_not_too_often() {
    let world = World::new();
    let _watch = world.chart.watch(0, 0);
    world.point(990);
    assert!(world.look(0));
    assert!(!world.look(60), "nothing changed");
    world.point(991);
    assert!(world.look(61));
    world.point(992);
    assert!(!world.look(100), "too early");
    assert!(world.look(112));
    assert_eq!(
        (world.version(), world.chart.newest().unwrap().newest_unix_ns),
        (Some(3), Some(992 * SECOND))
    );
    assert!(!world.look(1_200), "drawn as the window moved, but the same picture");
    assert!(world.look(50_500), "a point left the window");
    assert_eq!(world.chart.newest().unwrap().tables[0].rows, 2);
}

#[test]
fn the_widest_watcher_decides_the_size_in_steps() {
    let world = World::new();
    let _narrow = world.chart.watch(390, 200);
    let wide = world.chart.watch(1_001, 200);
    world.look(0);
    assert_eq!(world.chart.newest().unwrap().description["width"], 1_200);
    drop(wide);
    world.look(60);
    assert_eq!(world.chart.newest().unwrap().description["width"], 400);
}

#[test]
fn a_failure_is_shown_and_the_formatter_is_asked_again_later() {
    let world = World::new();
    let _watch = world.chart.watch(0, 0);
    world.point(990);
    assert!(world.look(0));
    *world.fails.lock() = true;
    world.point(991);
    assert!(world.look(100));
    assert_eq!(world.chart.error(), Some((1, "out of paint".to_owned())));
    assert!(!world.look(900), "the pause is a second");
    *world.fails.lock() = false;
    assert!(world.look(1_200));
    assert_eq!((world.chart.error(), world.version()), (None, Some(2)));
    assert_eq!(world.chart.counters.faults_total.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn the_last_versions_are_kept_for_those_who_come_back() {
    let world = World::new();
    let _watch = world.chart.watch(0, 0);
    for step in 0..40_u32 {
        world.point(950 + i64::from(step));
        assert!(world.look(u64::from(step) * 60));
    }
    let epoch = world.chart.epoch;
    assert!(world.chart.kept(epoch, 9).is_some() && world.chart.kept(epoch, 8).is_none());
    assert!(world.chart.kept(epoch + 1, 20).is_none());
    let other = World::new();
    assert!(other.chart.epoch > epoch);
}
