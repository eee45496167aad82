//! The running program behind sources, API and charts: the log, the flows and their workers, the stores, the configuration.
//!
//! In: batches ([`Runtime::accept`]), ticks and commands. Out: views for the API, series for charts. Everything that changes what runs goes through the log
//! as a command. Locks are short and never nested except in the order log, queue. One file for each part: `log` (head of the log and streams),
//! `queue`, `actor`, `overs` (who makes sources wait), `switch` (the moment of a change), `handoff`, `backfill` (new metrics over the recent rings), `workers`,
//! `folder` (of data), `holes` (what a start found missing), `upkeep` (old segments), `replay` (the journal through the flows), `checkpoint` (what they know, written and read), `build` (configuration to flows), `shelf` (faults), `dead` and `redeliver` (dead letters), `alerting` (words of rules to alerts and channels), `commit` (effects of a record),
//! `configure`, `edits` (changes that are asked for), `preview` (a metric tried), `revisions`, `rates`, `views`, `notices` (alarms of its own), `own` (counters as events).

mod actor;
mod alerting;
mod backfill;
mod build;
pub mod checkpoint;
mod commit;
mod configure;
mod dead;
mod edits;
pub mod folder;
mod handoff;
pub mod holes;
mod log;
mod notices;
mod outline;
mod overs;
mod own;
mod preview;
mod queue;
mod rates;
mod redeliver;
mod replay;
mod revisions;
mod shelf;
mod switch;
mod trace;
pub mod upkeep;
mod views;
mod workers;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use weir_core::batch::{Incoming, Position};
use weir_core::codec::StreamCounters;
use weir_core::config::Durability;
use weir_core::record::{Command, FilePlace, Note, Request, Run};
use weir_core::sequencer::Sequencer;
use weir_core::series::SeriesStore;
use weir_core::triplet::{Selector, Triplet};
use weir_journal::{Journal, Status};

use crate::intake::{Busy, Receipt, SourceCounters, Took, Why};
use crate::sinks::Sinks;
use crate::units::Components;
use configure::Configured;
use log::{Claimed, Log};
use overs::Overs;
use rates::Rates;
use shelf::Shelf;
use workers::{FindHandoff, Workers};

pub use build::FlowPlan;
pub use configure::Checked;
pub use dead::DeadStatus;
pub use edits::{By, Changed, Refused};
pub use preview::{Preview, Wrong, open_points};
pub use redeliver::{Letters, Redelivered};
pub use replay::Replayed;
pub use views::alerts::Which;
pub use views::dead::{LettersWanted, letter_rows, letter_view};
pub use views::rfc3339;

/// Ticks move idle streams on and wake timers.
const TICK: Duration = Duration::from_millis(100);
/// As long as a flow has more timers due than a record hands out: about what one piece of them takes.
const TICK_OWED: Duration = Duration::from_millis(10);
/// Rates are taken over this time.
const RATES_EVERY: u32 = 10;
/// What a busy answer asks a client to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a drain waits for flows that do not get empty.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const DRAIN_LOOK: Duration = Duration::from_millis(5);
/// How long a command waits for its place on disk.
const KEPT_MAX: Duration = Duration::from_secs(10);

/// What an operator may do to a pipeline or a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Start,
    Stop,
    Pause,
}

impl Action {
    fn run(self) -> Run {
        match self {
            Self::Start => Run::Running,
            Self::Stop => Run::Stopped,
            Self::Pause => Run::Paused,
        }
    }
}

/// What is known of what was accepted.
#[derive(Debug, Clone, Copy)]
pub struct SeenCounts {
    pub producers: usize,
    pub producers_evicted_total: u64,
    /// Numbers of producers that never came and are not waited for any more.
    pub given_up_total: u64,
    pub requests: usize,
    pub requests_evicted_total: u64,
}

struct Source {
    name: String,
    kind: &'static str,
    counters: Arc<SourceCounters>,
}

/// Everything that runs, shared by sources, API and charts.
pub struct Runtime {
    own: Weak<Self>,
    components: Components,
    log: Mutex<Log>,
    series: Mutex<SeriesStore>,
    shelf: Mutex<Shelf>,
    dead: dead::Dead,
    notices: notices::Notices,
    alerting: alerting::Alerting,
    pub sinks: Arc<Sinks>,
    configured: Mutex<Configured>,
    /// None: nothing outlives the process.
    journal: parking_lot::RwLock<Option<Arc<Journal>>>,
    /// Held while an event is traced: one at a time.
    tracing: Mutex<()>,
    /// Held while a configuration is made ready, so that two changes do not cross.
    configuring: Mutex<()>,
    handoffs: Mutex<Vec<(u64, Arc<handoff::Handoff>)>>,
    workers: Workers,
    /// Flows that make the sources of their streams wait.
    overs: Arc<Overs>,
    sources: Mutex<Vec<Source>>,
    rates: Mutex<Rates>,
    /// When the use of CPU was looked at last, and what it was; ns.
    process: Mutex<(u64, f64)>,
    /// Whether what nothing uses yet is being compiled, or was.
    warms_components: AtomicBool,
    ready: AtomicBool,
    /// The clock runs: what is replayed brings its own time.
    live: AtomicBool,
    replayed: Mutex<Option<Replayed>>,
    data: Mutex<Option<Arc<folder::Data>>>,
    checkpoints: checkpoint::Checkpoints,
    /// Offset of the first record that a replay may still need.
    needed_from: AtomicU64,
    stopping: AtomicBool,
    /// A flow has more timers due than its last record handed out.
    owed: AtomicBool,
}

impl Runtime {
    /// Starts workers and ticks; nothing is configured yet.
    pub fn start(components: Components) -> io::Result<Arc<Self>> {
        let count = std::thread::available_parallelism().map_or(2, usize::from);
        let (workers, lines) = Workers::new(count);
        let runtime = Arc::new_cyclic(|own| Self {
            own: Weak::clone(own),
            components,
            log: Mutex::new(Log::new(Sequencer::new(0, 1, 1))),
            series: Mutex::default(),
            shelf: Mutex::default(),
            dead: dead::Dead::default(),
            notices: notices::Notices::default(),
            alerting: alerting::Alerting::default(),
            sinks: Arc::default(),
            configured: Mutex::default(),
            journal: parking_lot::RwLock::default(),
            tracing: Mutex::default(),
            configuring: Mutex::default(),
            handoffs: Mutex::default(),
            workers,
            overs: Arc::default(),
            sources: Mutex::default(),
            rates: Mutex::new(Rates::new()),
            process: Mutex::default(),
            warms_components: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            live: AtomicBool::new(false),
            replayed: Mutex::default(),
            data: Mutex::default(),
            checkpoints: checkpoint::Checkpoints::default(),
            needed_from: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            owed: AtomicBool::new(false),
        });
        // So that the first points are not taken for ones of 1970.
        runtime.series.lock().forget_silent(clock_unix_ns());
        let weak = Arc::downgrade(&runtime);
        let find: Arc<FindHandoff> = Arc::new(move |revision| weak.upgrade()?.handoff(revision));
        let commit: Arc<dyn actor::Commit + Send + Sync> =
            Arc::new(commit::ToRuntime(Arc::downgrade(&runtime)));
        runtime.workers.start(&lines, &commit, &find)?;
        let (sinks, kept) = (Arc::clone(&runtime.sinks), Arc::downgrade(&runtime));
        let durable = move || kept.upgrade().map_or(Ok(()), |runtime| runtime.durable_now());
        std::thread::Builder::new().name("sinks".into()).spawn(move || crate::sinks::run(&sinks, durable))?;
        let ticker = Arc::downgrade(&runtime);
        std::thread::Builder::new().name("ticks".into()).spawn(move || {
            let (mut pause, mut waited) = (TICK, Duration::ZERO);
            loop {
                std::thread::sleep(pause);
                let Some(runtime) =
                    ticker.upgrade().filter(|runtime| !runtime.stopping.load(Ordering::Acquire))
                else {
                    return;
                };
                runtime.tick();
                waited += pause;
                if waited >= TICK * RATES_EVERY {
                    waited = Duration::ZERO;
                    runtime.sample_rates();
                    runtime.forget_old_letters(clock_unix_ns());
                    runtime.tell_notices();
                }
                pause = if runtime.owed.swap(false, Ordering::Relaxed) { TICK_OWED } else { TICK };
            }
        })?;
        Ok(runtime)
    }

    pub fn components_catalog(&self) -> &Components {
        &self.components
    }

    /// Whether there is room for more events of these streams.
    pub fn room(&self, streams: &[Selector]) -> Result<(), Busy> {
        if !self.overs.room(streams) {
            return Err(Busy { retry_after: RETRY_AFTER, why: Why::Lag });
        }
        match self.journal() {
            Some(journal) => journal
                .room()
                .map_err(|refused| Busy { retry_after: RETRY_AFTER, why: Why::Journal(refused) }),
            None => Ok(()),
        }
    }

    /// Positions from here on; before anything is put into the log.
    pub fn begin_epoch(&self, position: Position) {
        weir_core::codec::begin_dictionary_ids(position.epoch);
        self.log.lock().sequencer.begin_epoch(position);
    }

    /// From here on records are kept.
    pub fn attach(&self, journal: Journal, data: &Arc<folder::Data>) {
        *self.data.lock() = Some(Arc::clone(data));
        let journal = Arc::new(journal);
        self.log.lock().journal = Some(Arc::clone(&journal));
        *self.journal.write() = Some(journal);
    }

    /// The clock begins to run.
    pub fn go_live(&self) {
        self.live.store(true, Ordering::Release);
        if let Some(topology) = self.topology() {
            self.keep_letters(&topology.dead);
        }
    }

    fn journal(&self) -> Option<Arc<Journal>> {
        self.journal.read().clone()
    }

    /// None: nothing outlives the process.
    pub fn journal_status(&self) -> Option<Status> {
        self.journal().map(|journal| journal.status())
    }

    /// None: nothing outlives the process.
    pub fn checkpoint_status(&self) -> Option<checkpoint::CheckpointStatus> {
        self.data.lock().as_ref().map(|_| self.checkpoints.status.lock().clone())
    }

    /// Waits until what the log has by now is on disk; what is replayed is.
    fn durable_now(&self) -> Result<(), String> {
        self.durable_until().map(drop)
    }

    /// The same; gives the offset before which everything is.
    fn durable_until(&self) -> Result<u64, String> {
        if !self.live.load(Ordering::Acquire) {
            return Ok(self.log.lock().sequencer.next().offset);
        }
        let mut claimed = Claimed::new();
        let (receipt, until) = {
            let mut log = self.log.lock();
            if log.journal.is_none() {
                return Ok(u64::MAX);
            }
            let receipt = log.kept_tick(clock_unix_ns(), &mut claimed);
            (receipt, log.sequencer.next().offset)
        };
        self.schedule(claimed);
        let receipt = receipt.ok_or("the journal takes nothing")?;
        receipt.wait(KEPT_MAX).map_err(|refused| refused.to_string())?;
        Ok(until)
    }

    /// Segments on disk, and their bytes.
    pub fn journal_files(&self) -> (usize, u64) {
        let data = self.data.lock().clone();
        data.map_or((0, 0), |data| data.journal_files())
    }

    /// Writes and syncs what waits, after the drain. The error says why something may not be on disk.
    pub fn close_journal(&self) -> Result<(), String> {
        self.log.lock().journal = None;
        let Some(journal) = self.journal.write().take() else { return Ok(()) };
        match Arc::try_unwrap(journal) {
            Ok(journal) => journal.close().map_err(|stopped| stopped.to_string()),
            // An answer is on its way to somebody: who drops it last closes.
            Err(_) => Ok(()),
        }
    }

    pub fn accept(&self, batches: Vec<Incoming>, durability: Durability, note: Option<Note>) -> Took {
        let mut claimed = Claimed::new();
        let took = {
            let mut log = self.log.lock();
            log.batches(batches, durability, note, clock_unix_ns(), &mut claimed)
        };
        self.schedule(claimed);
        took
    }

    /// What a request of that key was answered, and when that is on disk.
    pub fn request(&self, key: &[u8; 16]) -> Option<(Arc<Request>, Receipt)> {
        let mut log = self.log.lock();
        let now = log.sequencer.accepted_at_unix_ns().max(clock_unix_ns());
        let known = log.seen.requests.get(key, now)?;
        Some((known, log.promised()))
    }

    /// How far the files of a source have been read; none: nothing outlives the process.
    pub fn places(&self, source: &str) -> Option<Vec<FilePlace>> {
        let log = self.log.lock();
        log.journal.is_some().then(|| log.seen.places.of(source))
    }

    /// Numbers for metrics.
    pub fn seen_counts(&self) -> SeenCounts {
        let log = self.log.lock();
        let (producers, requests) = (&log.seen.producers, &log.seen.requests);
        SeenCounts {
            producers: producers.count(),
            producers_evicted_total: producers.evicted_total,
            given_up_total: producers.given_up_total,
            requests: requests.count(),
            requests_evicted_total: requests.evicted_total,
        }
    }

    /// Adds what happened in the builders of streams; of a stream that the log does not know there is nothing to show.
    pub fn note_changes(&self, changes: &[(Triplet, StreamCounters)]) {
        let mut log = self.log.lock();
        for (triplet, counters) in changes {
            if let Some(stream) = log.streams.get_mut(triplet) {
                stream.built.add(counters);
            }
        }
    }

    /// The clock for people, RFC 3339.
    pub fn now_text(&self) -> String {
        rfc3339(clock_unix_ns())
    }

    pub fn now_unix_ns(&self) -> i64 {
        clock_unix_ns()
    }

    /// Registers a source, or gives the counters of the one of that name.
    pub fn source_counters(&self, name: &str, kind: &'static str) -> Arc<SourceCounters> {
        let mut sources = self.sources.lock();
        if let Some(known) = sources.iter().find(|source| source.name == name) {
            return Arc::clone(&known.counters);
        }
        let counters = Arc::<SourceCounters>::default();
        sources.push(Source { name: name.to_owned(), kind, counters: Arc::clone(&counters) });
        counters
    }

    pub fn act_on_pipeline(&self, pipeline: &str, action: Action) -> Result<Position, String> {
        let known = self.configured.lock().pipelines().any(|name| **name == *pipeline);
        if !known {
            return Err(format!("there is no pipeline `{pipeline}`"));
        }
        self.command(Command::Pipeline { pipeline: pipeline.into(), run: action.run() })
    }

    pub fn act_on_unit(&self, pipeline: &str, unit: &str, action: Action) -> Result<Position, String> {
        let id =
            self.node_id(pipeline, unit).ok_or_else(|| format!("there is no unit `{pipeline}/{unit}`"))?;
        self.command(Command::Unit { unit: id, run: action.run() })
    }

    /// A unit of a metric is known by its id, `latency/1s`, and by where it is, `metrics-.../latency-1s`.
    fn node_id(&self, pipeline: &str, unit: &str) -> Option<Arc<str>> {
        let configured = self.configured.lock();
        let id = format!("{pipeline}/{unit}");
        let by_place = |made: &crate::units::wasm::Made| *made.pipeline == *pipeline && *made.name == *unit;
        let nodes = || configured.nodes().map(|node| &node.made);
        let found = nodes().find(|made| *made.id == *id).or_else(|| nodes().find(|made| by_place(made)));
        found.map(|made| Arc::clone(&made.id))
    }

    /// The series store; lock it shortly.
    pub fn series(&self) -> &Mutex<SeriesStore> {
        &self.series
    }

    /// True once everything is started and until the drain begins.
    pub fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// After the sources have ended: runs what is left, then ends flows and workers. True if everything was run.
    pub fn drain(&self) -> bool {
        self.tick();
        let until = Instant::now() + DRAIN_MAX;
        let flows: Vec<_> = self.log.lock().flows().iter().map(|flow| Arc::clone(&flow.actor)).collect();
        let mut empty = false;
        while !empty && Instant::now() < until {
            // A flow that is to hand over is not among them any more.
            empty = self.is_idle();
            if !empty {
                std::thread::sleep(DRAIN_LOOK);
            }
        }
        empty &= self.sinks.finish(DRAIN_MAX);
        self.stopping.store(true, Ordering::Release);
        self.workers.stop();
        flows.iter().for_each(|actor| actor.close());
        self.alerting.channels.end();
        empty
    }

    /// Whether all flows have run what they can.
    fn is_idle(&self) -> bool {
        // One lock after the other: a change takes them in the other order.
        let handed_over = self.handoffs.lock().iter().all(|(_, handoff)| handoff.is_complete());
        handed_over && self.log.lock().flows().iter().all(|flow| flow.actor.is_idle())
    }

    /// Its being on disk is what makes it true; who asked for it waits for that.
    fn command(&self, command: Command) -> Result<Position, String> {
        let mut claimed = Claimed::new();
        let given = self.log.lock().command(command, clock_unix_ns(), &mut claimed);
        self.schedule(claimed);
        let (position, receipt) = given.map_err(|stopped| stopped.to_string())?;
        receipt.wait(KEPT_MAX).map_err(|refused| refused.to_string())?;
        Ok(position)
    }

    fn tick(&self) {
        if !self.live.load(Ordering::Acquire) {
            return;
        }
        let (mut claimed, clock) = (Claimed::new(), clock_unix_ns());
        self.log.lock().tick(clock, &mut claimed);
        self.schedule(claimed);
        self.series.lock().forget_silent(clock);
    }

    fn schedule(&self, claimed: Claimed) {
        for actor in claimed {
            self.workers.schedule(actor);
        }
    }

    fn handoff(&self, revision: u64) -> Option<Arc<handoff::Handoff>> {
        self.handoffs
            .lock()
            .iter()
            .find(|(known, _)| *known == revision)
            .map(|(_, handoff)| Arc::clone(handoff))
    }
}

/// The flows of a configuration, to be built and run by hand: for benches and for tests of what a flow promises.
pub fn plans(
    topology: &weir_core::config::Topology,
    graph: &weir_core::graph::Graph,
    components: &Components,
) -> Result<Vec<Arc<FlowPlan>>, String> {
    build::plans(topology, graph, components, &mut build::CountersById::default())
}

/// The host's clock. The one place where the log's time comes from.
fn clock_unix_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// For measuring how long something took.
fn monotonic_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
