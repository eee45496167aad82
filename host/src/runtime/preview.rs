//! A metric tried over the recent rings: what it would give if it were added now, without anything being changed.
//!
//! In: a metric as it is wanted. The configuration is checked with it, so that all that an addition would be refused for is told here. Then its units, and the filter that
//! leads to them, run in a flow of their own over copies of the batches in the rings, and time is put forward until no window is open. Out: the points, those of open
//! windows last, and the text that would be written. Bounded: rings are, [`TIME_MAX_NS`] of work (one call of a unit more), [`SERIES_MAX`] series. A unit that faults
//! loses the rows as it would when it runs, and its fault is told. Slow (it may compile): call it off the async runtime.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use weir_core::batch::Batch;
use weir_core::config::{MetricSpec, Problem, Topology};
use weir_core::edit::{self, Wanted};
use weir_core::flow::counters::NodeCounters;
use weir_core::flow::effects::Effects;
use weir_core::flow::{Flow, Outcome};
use weir_core::record::{Payload, Record};
use weir_core::sequencer;
use weir_core::series::SeriesStore;
use weir_core::triplet::Triplet;

use super::build::{self, CountersById, FlowPlan};
use super::commit::append;
use super::configure::Checked;
use super::edits::Refused;
use super::handoff::Legacies;
use super::views::metric_view;
use super::{Runtime, backfill, monotonic_ns};
use crate::view;

/// Of running, after which what is left is left out.
const TIME_MAX_NS: u64 = 1_000_000_000;
/// Series that are shown.
pub const SERIES_MAX: usize = 200;
/// Time is put forward by this to close what is open: longer than any window that a ring of a thousand events fills.
const FORWARD_NS: i64 = 400 * 86_400 * 1_000_000_000;
/// Ticks to hand out what is due then, 2,048 windows each.
const TICKS_MAX: usize = 128;
const FAULTS_MAX: usize = 10;

pub struct Preview {
    pub toml: String,
    pub metric: view::MetricView,
    pub warnings: Vec<view::ProblemView>,
    /// Events in the rings, and those of them that passed `where`.
    pub events: u64,
    pub rows: u64,
    pub watermark_unix_ns: Option<i64>,
    pub elapsed: Duration,
    pub cut: bool,
    /// All points, and apart those of windows that are not over.
    pub points: SeriesStore,
    pub open: SeriesStore,
    /// Unit and message.
    pub faults: Vec<(String, String)>,
}

/// What is wrong with a metric, in its own text.
pub struct Wrong {
    pub refused: Refused,
    pub toml: String,
}

impl Runtime {
    /// At most `limit` points of each series.
    pub fn preview(&self, wanted: &Wanted, limit: usize) -> Result<Preview, Wrong> {
        let begun_ns = monotonic_ns();
        let toml =
            wanted.text().map_err(|error| Wrong { refused: Refused::Edit(error), toml: String::new() })?;
        let wrong = |refused| Wrong { refused, toml: toml.clone() };
        let text =
            edit::placed(&self.configuration(), wanted).map_err(|error| wrong(Refused::Edit(error)))?;
        let own = |problems: &[Problem]| own_places(&text, &toml, problems);
        let checked = Checked::new(&text, &self.components)
            .map_err(|problems| wrong(Refused::Problems(own(&problems))))?;
        let prefix = format!("metric \"{}\"", wanted.name);
        let warnings: Vec<Problem> =
            checked.warnings.iter().filter(|warning| warning.place.starts_with(&prefix)).cloned().collect();
        let lost = || {
            let message = "the metric cannot be made".to_owned();
            wrong(Refused::Problems(own(&[Problem { place: prefix.clone(), message }])))
        };
        let topology = &checked.topology;
        let metric = topology.metrics.iter().find(|metric| *metric.name == *wanted.name).ok_or_else(lost)?;
        let view = metric_view(topology, metric).ok_or_else(lost)?;
        let mut counters = CountersById::new();
        let plans =
            build::plans(topology, &checked.graph, &self.components, &mut counters).map_err(|_| lost())?;
        let plan = plan_of(topology, metric, &plans).ok_or_else(lost)?;
        let batches = self.ring_batches(&plan);
        let events = batches.iter().map(|batch| batch.rows() as u64).sum();
        let mut run = Run::new(&plan, topology, metric, limit);
        run.replay(batches);
        run.close();
        run.end();
        Ok(Preview {
            warnings: own(&warnings),
            metric: view,
            events,
            rows: run.rows(events),
            watermark_unix_ns: run.watermarks.values().copied().max(),
            elapsed: Duration::from_nanos(monotonic_ns().saturating_sub(begun_ns)),
            cut: run.cut || run.points.refused_total > 0,
            points: run.points,
            open: run.open,
            faults: run.faults,
            toml: toml.clone(),
        })
    }

    fn ring_batches(&self, plan: &FlowPlan) -> Vec<Batch> {
        let selectors = plan.selectors();
        let log = self.log.lock();
        let wanted = log
            .streams
            .iter()
            .filter(|(triplet, _)| selectors.iter().any(|selector| selector.matches(triplet)));
        wanted.flat_map(|(_, stream)| stream.recent.newest(usize::MAX)).collect()
    }
}

/// Problems at their places in the metric's own text, where that stands in the whole as it is.
fn own_places(text: &str, toml: &str, problems: &[Problem]) -> Vec<view::ProblemView> {
    let before = text.find(toml).and_then(|at| text.get(..at)).map(|before| before.matches('\n').count());
    let lines = toml.matches('\n').count();
    let mut views = view::problems(text, problems);
    for problem in &mut views {
        // The line in the words is that of the whole.
        if let Some((words, _)) = problem.place.rsplit_once(" (line ") {
            problem.place = words.to_owned();
        }
        let own = before.and_then(|before| (problem.line? as usize).checked_sub(before));
        problem.line =
            own.filter(|line| (1..=lines).contains(line)).and_then(|line| u32::try_from(line).ok());
        problem.column = problem.column.filter(|_| problem.line.is_some());
    }
    views
}

fn plan_of(topology: &Topology, metric: &MetricSpec, plans: &[Arc<FlowPlan>]) -> Option<FlowPlan> {
    let spec = topology.pipelines.get(metric.pipeline)?;
    let mut pipelines = plans.iter().flat_map(|plan| &plan.pipelines);
    let pipeline = pipelines.find(|pipeline| pipeline.spec.name == spec.name)?;
    let units: HashSet<Arc<str>> = metric.units.iter().cloned().collect();
    Some(backfill::small("preview", pipeline, &units))
}

/// One flow over the rings.
struct Run {
    flow: Flow,
    points: SeriesStore,
    open: SeriesStore,
    closing: bool,
    watermarks: BTreeMap<Triplet, i64>,
    newest_unix_ns: i64,
    until_ns: u64,
    cut: bool,
    faults: Vec<(String, String)>,
    filter: Option<Arc<NodeCounters>>,
}

impl Run {
    fn new(plan: &FlowPlan, topology: &Topology, metric: &MetricSpec, limit: usize) -> Self {
        let store = || {
            let mut store = SeriesStore::with_bounds(SERIES_MAX, SERIES_MAX * metric.series.len().max(1));
            for (name, fields) in &metric.series {
                store.declare(name, fields, limit);
            }
            store
        };
        let filtered = topology.pipelines.get(metric.pipeline).and_then(|spec| {
            spec.units.iter().find(|unit| &*unit.name == "where" && !metric.units.contains(&unit.id))
        });
        let nodes = plan.pipelines.iter().flat_map(|pipeline| &pipeline.nodes);
        let filter = nodes.into_iter().find(|node| filtered.is_some_and(|unit| unit.id == node.made.id));
        Self {
            filter: filter.map(|node| Arc::clone(&node.counters)),
            flow: plan.build(0, &mut Legacies::default()),
            points: store(),
            open: store(),
            closing: false,
            watermarks: BTreeMap::new(),
            newest_unix_ns: 0,
            until_ns: monotonic_ns() + TIME_MAX_NS,
            cut: false,
            faults: Vec::new(),
        }
    }

    fn rows(&self, events: u64) -> u64 {
        self.filter.as_ref().map_or(events, |counters| NodeCounters::get(&counters.rows_out))
    }

    fn replay(&mut self, batches: Vec<Batch>) {
        for record in sequencer::replayed(batches) {
            if self.is_over() {
                return;
            }
            if let Payload::Batch { batch, watermark_unix_ns, .. } = &record.payload {
                self.watermarks.insert(batch.triplet.clone(), *watermark_unix_ns);
            }
            self.newest_unix_ns = self.newest_unix_ns.max(record.accepted_at_unix_ns);
            self.run(&record);
        }
    }

    /// Puts time forward until nothing is open.
    fn close(&mut self) {
        self.closing = true;
        let forward = |(triplet, mark): (&Triplet, &i64)| (triplet.clone(), mark.saturating_add(FORWARD_NS));
        let moved: Arc<[(Triplet, i64)]> = self.watermarks.iter().map(forward).collect();
        for _ in 0..TICKS_MAX {
            if moved.is_empty() || self.is_over() || !self.waits() {
                return;
            }
            let payload = Payload::Tick { moved: Arc::clone(&moved) };
            let position = self.flow.cursor.unwrap_or_default();
            let record = Record::new(position, self.newest_unix_ns, payload, 0);
            self.run(&record);
        }
        self.cut |= self.waits();
    }

    /// Whether a window is open.
    fn waits(&self) -> bool {
        self.flow.nodes().any(|node| node.state.lock().timers() > 0)
    }

    fn is_over(&mut self) -> bool {
        self.cut |= monotonic_ns() > self.until_ns;
        self.cut
    }

    fn run(&mut self, record: &Record) {
        let flow = &mut self.flow;
        match catch_unwind(AssertUnwindSafe(|| flow.run(record, true, &monotonic_ns))) {
            Ok(Outcome::Done(effects) | Outcome::TakenBack(effects)) => self.take(effects),
            Err(_) => {
                self.flow.take_back();
                self.fault("preview", "the host failed at a record; its log says why");
            }
        }
    }

    fn take(&mut self, effects: Effects) {
        for ((pipeline, series), batch) in &effects.series {
            let spec =
                self.flow.pipelines.get(*pipeline).and_then(|pipeline| pipeline.spec.series.get(*series));
            // Of the pipeline's series only those of the metric were declared.
            if let Some(spec) = spec.filter(|spec| self.points.metric(&spec.metric).is_some()) {
                append(&mut self.points, spec, batch);
                if self.closing {
                    append(&mut self.open, spec, batch);
                }
            }
        }
        for (_, fault) in &effects.faults {
            self.fault(&fault.unit, &fault.message);
        }
    }

    /// Instances say good-bye.
    fn end(&mut self) {
        for node in self.flow.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.nodes) {
            node.unit.close();
        }
    }

    fn fault(&mut self, unit: &str, message: &str) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push((unit.to_owned(), message.to_owned()));
        }
    }
}

/// Points of windows that are not over, by metric, stream and labels.
pub fn open_points(open: &SeriesStore) -> HashMap<(Arc<str>, Triplet, weir_core::series::Labels), usize> {
    let metrics =
        open.metrics.values().flat_map(|metric| metric.series.iter().map(move |series| (metric, series)));
    let one = |(metric, series): (&weir_core::series::Metric, &weir_core::series::Series)| {
        ((Arc::clone(&metric.name), series.triplet.clone(), Arc::clone(&series.labels)), series.ring.len())
    };
    metrics.map(one).collect()
}
