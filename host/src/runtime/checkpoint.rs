//! Checkpoints while everything runs: what the flows know is written beside the journal, so that a start replays only what came since.
//!
//! One thread. It asks all flows for what changed, at one position of the log, under the log's lock; each answers on its own worker between two records ([`capture`]): it
//! freezes its states and goes on. The thread waits until the journal is on disk up to that position, so that no checkpoint knows more than the journal, reads the frozen
//! states piece by piece, and writes. Then it folds older checkpoints together, and now and then writes a snapshot, which needs no engine; the journal is kept from the oldest snapshot on.
//!
//! When: before replaying what came since the last one would take longer than `state.replay`, by the rate at which this machine replays or is taken to; at least every
//! [`EVERY_MAX`] if anything came; and at the end. A round that fails (a flow that does not answer, a journal that is full) is tried again as a whole: what was to change or to
//! go is not known any more, so the next one holds everything and what else is stored goes. After an error of the store (a full disk, say) it is opened again each
//! [`AGAIN_EVERY`], or made anew; the journal is kept from where the oldest snapshot is, and until then a restart takes longer, which the log says.

pub mod capture;
pub mod restore;
pub mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use parking_lot::Mutex;
use weir_checkpoint::recover::export;
use weir_checkpoint::{Store, snapshot};
use weir_core::batch::Position;
use weir_core::seen::Cursor;
use weir_disk::Disk;

use self::capture::{Captured, FrozenState, Numbers, Round};
use self::stored::{Below, GLOBAL_KEY, Global, StoredRevision, flow_key, json, put, revision_key, state_key};
use super::{Runtime, clock_unix_ns};
use crate::intake::Receipt;

const LOOK: Duration = Duration::from_millis(50);
/// Between two checkpoints, however much comes.
const EVERY_MIN: Duration = Duration::from_secs(1);
/// At least so often, if anything came; where the bound of the replay is short, more often.
const EVERY_MAX: Duration = Duration::from_secs(60);
const EVERY_MAX_REPLAYS: u32 = 20;
/// What a replay does in a second, until one has shown it.
const EVENTS_PER_S: f64 = 500_000.0;
const RECORDS_PER_S: f64 = 20_000.0;
/// After this the flows give what they have where they stand.
const HURRY: Duration = Duration::from_secs(2);
const GIVE_UP: Duration = Duration::from_secs(20);
const KEPT_MAX: Duration = Duration::from_secs(20);
/// A store that failed is opened again so often.
const AGAIN_EVERY: Duration = Duration::from_secs(5);
/// Dead letters that wait are written so often.
const LETTERS_EVERY: Duration = Duration::from_secs(1);
const SNAPSHOT_EVERY: Duration = Duration::from_secs(300);
/// Series of a metric that are looked at under one lock.
const SERIES_PIECE: usize = 256;
/// Producers that are looked at under one lock.
const SEEN_PIECE: usize = 1_024;
/// Revisions that outlive the process.
const REVISIONS_KEPT: usize = 32;

/// The part that flows and thread share.
#[derive(Default)]
pub struct Checkpoints {
    pub numbers: Mutex<Numbers>,
    /// Position of the newest round: episodes that ended before are stored.
    pub since: AtomicU64,
    revisions: Mutex<BTreeSet<u64>>,
    finish: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub status: Mutex<CheckpointStatus>,
}

/// For people and metrics.
#[derive(Debug, Clone, Default)]
pub struct CheckpointStatus {
    pub number: u64,
    /// Offset of the first record that is not in it.
    pub offset: u64,
    pub at_unix_ns: i64,
    pub taken_total: u64,
    pub failed_total: u64,
    pub seconds_last: f64,
    pub entries_last: u64,
    pub snapshots_total: u64,
    pub bytes_on_disk: u64,
    /// Why there are none just now.
    pub stopped: Option<String>,
}

impl Checkpoints {
    fn restored(&self, revision: u64) {
        self.revisions.lock().insert(revision);
    }
}

/// How a store that failed comes back.
pub type Reopen = Box<dyn Fn() -> Result<Store, String> + Send>;

/// Begins; it ends with [`finish`].
pub fn start(
    runtime: &Arc<Runtime>,
    (store, reopen): (Store, Reopen),
    known: BTreeSet<Vec<u8>>,
    disk: Arc<dyn Disk>,
    replay_ns: i64,
) -> std::io::Result<()> {
    let newest = store.newest().clone();
    let mut keeper = Keeper {
        runtime: Arc::downgrade(runtime),
        store: Some(store),
        reopen,
        failed: Instant::now(),
        disk,
        replay: Duration::from_nanos(replay_ns.unsigned_abs()),
        // What came before the first one nobody has noted.
        all: newest.number == 0,
        known,
        counts: runtime.counts(),
        taken: Instant::now(),
        snapshot: None,
        flushed: Instant::now(),
    };
    keeper.keep_journal();
    *runtime.checkpoints.status.lock() = CheckpointStatus {
        number: newest.number,
        offset: newest.position.offset + 1,
        ..CheckpointStatus::default()
    };
    let thread = std::thread::Builder::new().name("checkpoint".into()).spawn(move || keeper.run())?;
    *runtime.checkpoints.thread.lock() = Some(thread);
    Ok(())
}

/// A last checkpoint, before the flows end; so that the next start has nothing to replay.
pub fn finish(runtime: &Runtime) {
    runtime.checkpoints.finish.store(true, Ordering::Release);
    let thread = runtime.checkpoints.thread.lock().take();
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("the thread of the checkpoints panicked");
    }
}

struct Keeper {
    runtime: Weak<Runtime>,
    /// None after it failed.
    store: Option<Store>,
    reopen: Reopen,
    /// When it failed, or could not be opened.
    failed: Instant,
    disk: Arc<dyn Disk>,
    replay: Duration,
    /// What changed since the last checkpoint is not known any more: the next one takes everything.
    all: bool,
    /// Keys of flows and prefixes of states and rules that are stored.
    known: BTreeSet<Vec<u8>>,
    /// Records and events at the last one.
    counts: (u64, u64),
    taken: Instant,
    snapshot: Option<Instant>,
    /// When dead letters were written.
    flushed: Instant,
}

type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What one checkpoint is to hold.
struct Gathered {
    /// All but what is in the states.
    changes: Changes,
    states: Vec<FrozenState>,
    known: BTreeSet<Vec<u8>>,
    /// Prefixes below which nothing else is to be stored.
    gone: Vec<Vec<u8>>,
    at: Position,
}

impl Keeper {
    fn run(&mut self) {
        while let Some(runtime) = self.runtime.upgrade() {
            let finish = runtime.checkpoints.finish.load(Ordering::Acquire);
            if self.is_due(&runtime, finish) {
                self.round(&runtime);
            }
            if finish {
                return;
            }
            self.flush_letters(&runtime);
            drop(runtime);
            std::thread::sleep(LOOK);
        }
    }

    /// One checkpoint, by a store that is opened again where it failed.
    fn round(&mut self, runtime: &Arc<Runtime>) {
        let store = match self.store.take() {
            Some(store) => Ok(store),
            None if self.failed.elapsed() < AGAIN_EVERY => return,
            None => (self.reopen)(),
        };
        let taken = store.and_then(|mut store| {
            self.take(runtime, &mut store)?;
            self.store = Some(store);
            Ok(())
        });
        let Err(why) = taken else { return };
        (self.all, self.snapshot, self.failed) = (true, None, Instant::now());
        let mut status = runtime.checkpoints.status.lock();
        status.failed_total += 1;
        if status.stopped.as_ref() != Some(&why) {
            let message = "no checkpoint can be stored; it is tried again, and until then a restart replays the journal from the last one";
            tracing::error!(error = why, "{message}");
            status.stopped = Some(why);
        }
    }

    /// Letters are on disk soon, so that a look at the folder shows them. What fails is tried again, and before the next checkpoint.
    fn flush_letters(&mut self, runtime: &Runtime) {
        if self.flushed.elapsed() < LETTERS_EVERY || !runtime.letters_wait() {
            return;
        }
        self.flushed = Instant::now();
        drop(runtime.flush_all_letters());
    }

    fn is_due(&self, runtime: &Runtime, finish: bool) -> bool {
        let (records, events) = runtime.counts();
        let (records, events) = (records - self.counts.0, events - self.counts.1);
        if finish || records == 0 || self.taken.elapsed() < EVERY_MIN {
            return finish && records > 0;
        }
        let rate = runtime.replayed().filter(|done| done.events > 1_000_000);
        let events_per_s =
            rate.map_or(EVENTS_PER_S, |done| done.events as f64 / done.took.as_secs_f64().max(0.001));
        let seconds = events as f64 / events_per_s + records as f64 / RECORDS_PER_S;
        seconds * 2.0 > self.replay.as_secs_f64()
            || self.taken.elapsed() > EVERY_MAX.min(self.replay * EVERY_MAX_REPLAYS)
    }

    /// One checkpoint. An error is one of the store; others are counted.
    fn take(&mut self, runtime: &Arc<Runtime>, store: &mut Store) -> Result<(), String> {
        let (begun, counts) = (Instant::now(), runtime.counts());
        let all = self.all;
        let taken = runtime.ask(all).and_then(|asked| {
            // What the flows give now they will not give again.
            self.all = true;
            self.gather(runtime, asked, all)
        });
        self.taken = Instant::now();
        let Gathered { mut changes, states, known, gone, at } = match taken {
            Ok(taken) => taken,
            Err(why) => {
                tracing::warn!(why, "a checkpoint was not made; it is tried again");
                runtime.checkpoints.status.lock().failed_total += 1;
                return Ok(());
            }
        };
        remove_below(&gone, store, &mut changes).map_err(|error| error.to_string())?;
        let entries = write(store, &changes, states, at).map_err(|error| error.to_string())?;
        (self.all, self.known, self.counts) = (false, known, counts);
        while store.fold().map_err(|error| error.to_string())? {
            std::thread::yield_now();
        }
        let wants = self.snapshot.is_none_or(|last| last.elapsed() > SNAPSHOT_EVERY);
        if wants {
            export(store, &self.disk).map_err(|error| error.to_string())?;
            self.snapshot = Some(Instant::now());
        }
        self.keep_journal();
        let mut status = runtime.checkpoints.status.lock();
        status.number = store.newest().number;
        if status.stopped.take().is_some() {
            tracing::info!(checkpoint = status.number, "checkpoints are stored again");
        }
        (status.offset, status.at_unix_ns) = (at.offset + 1, clock_unix_ns());
        (status.seconds_last, status.entries_last) = (begun.elapsed().as_secs_f64(), entries);
        status.taken_total += 1;
        status.snapshots_total += u64::from(wants);
        status.bytes_on_disk = store.bytes_on_disk().unwrap_or(0);
        Ok(())
    }

    /// Everything of one round, once the journal is on disk as far.
    fn gather(&self, runtime: &Runtime, asked: Asked, all: bool) -> Result<Gathered, String> {
        let Asked { round, answers, flows, global, receipt } = asked;
        let captured = wait(runtime, &round, &answers, flows)?;
        let mut changes = Changes::new();
        let mut states = Vec::new();
        let mut known = BTreeSet::new();
        let mut from = round.at;
        for one in captured {
            from = from.min(one.from);
            changes.extend(one.entries);
            known.insert(one.flow);
            known.extend(one.states.iter().map(|state| state_key(state.number)));
            states.extend(one.states);
            let rules = one.rules.iter();
            known.extend(
                rules.flat_map(|rule| [b'a', b'e'].map(|kind| weir_core::alerts::dump::prefix(kind, rule))),
            );
        }
        runtime.dump_series(all, &mut changes);
        if !runtime.dump_revisions(all, global.revision, &mut changes) {
            return Err("a change of the configuration is being made".to_owned());
        }
        changes.insert(GLOBAL_KEY.to_vec(), Some(json(&global)));
        if runtime.dump_seen(all, &mut changes) {
            // It may be newer than the round, and never newer than the journal on disk.
            runtime.durable_now()?;
        }
        receipt.wait(KEPT_MAX).map_err(|refused| refused.to_string())?;
        runtime.flush_letters(round.at)?;
        runtime.sinks.seal_all_but(|flow, lane| known.contains(&flow_key(flow, lane)));
        if !runtime.sinks.published(KEPT_MAX) {
            return Err("a sink's file cannot be written".to_owned());
        }
        runtime.checkpoints.since.store(from, Ordering::Relaxed);
        let at = Position { log: 0, epoch: global.epoch, offset: from.saturating_sub(1) };
        // Where this holds everything, all else goes.
        let gone = if all { vec![Vec::new()] } else { self.known.difference(&known).cloned().collect() };
        Ok(Gathered { changes, states, known, gone, at })
    }

    /// From the oldest snapshot on the journal is needed, whatever becomes of the store.
    fn keep_journal(&mut self) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        let snapshots = snapshot::list(&*self.disk).unwrap_or_default();
        let offset = |name: &String| {
            snapshot::checkpoint_of(&*self.disk, name).map_or(0, |checkpoint| checkpoint.position.offset)
        };
        let needed_from = snapshots.iter().map(offset).min().unwrap_or(0);
        runtime.needed_from.store(needed_from, Ordering::Release);
    }
}

/// Notes as gone what is stored below these prefixes and is not about to be stored.
fn remove_below(
    prefixes: &[Vec<u8>],
    store: &Store,
    changes: &mut Changes,
) -> Result<(), weir_checkpoint::StoreError> {
    if prefixes.is_empty() {
        return Ok(());
    }
    let mut below = Below { prefixes, found: Vec::new() };
    let visit = &mut |key: &[u8], value: &[u8]| weir_checkpoint::Entries::entry(&mut below, key, value);
    store.load(visit)?;
    for key in below.found {
        changes.entry(key).or_insert(None);
    }
    Ok(())
}

/// All entries in the order of their keys, those of states as they are read; how many.
fn write(
    store: &mut Store,
    changes: &Changes,
    mut states: Vec<FrozenState>,
    at: Position,
) -> Result<u64, weir_checkpoint::StoreError> {
    states.sort_unstable_by_key(|state| state.number);
    let mut entries = 0;
    let mut writing = store.begin()?;
    let mut changes = changes.iter().peekable();
    for mut state in states {
        let prefix = state_key(state.number);
        while let Some((key, value)) = changes.next_if(|(key, _)| **key < prefix) {
            entries += 1;
            put(&mut writing, key, value.as_deref())?;
        }
        state.read(&mut |(own, value)| {
            entries += 1;
            put(&mut writing, &[prefix.as_slice(), &own].concat(), value.as_deref())
        })?;
    }
    for (key, value) in changes {
        entries += 1;
        put(&mut writing, key, value.as_deref())?;
    }
    writing.commit(at, Vec::new())?;
    Ok(entries)
}

/// What was asked of the flows.
struct Asked {
    round: Arc<Round>,
    answers: Receiver<Captured>,
    flows: usize,
    global: Global,
    /// Of the last record before it.
    receipt: Receipt,
}

fn wait(
    runtime: &Runtime,
    round: &Round,
    answers: &Receiver<Captured>,
    flows: usize,
) -> Result<Vec<Captured>, String> {
    let begun = Instant::now();
    let mut captured = Vec::with_capacity(flows);
    while captured.len() < flows {
        match answers.recv_timeout(LOOK) {
            Ok(one) => captured.push(one),
            Err(RecvTimeoutError::Timeout) if begun.elapsed() > GIVE_UP => {
                return Err(format!("{} of {flows} flows did not come to it", flows - captured.len()));
            }
            Err(RecvTimeoutError::Timeout) if begun.elapsed() > HURRY => {
                round.hurry.store(true, Ordering::Relaxed);
                runtime.wake_all();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err("a flow ended meanwhile".to_owned()),
        }
    }
    Ok(captured)
}

impl Runtime {
    /// Records and events so far.
    fn counts(&self) -> (u64, u64) {
        let log = self.log.lock();
        (log.records_total, log.events_total)
    }

    fn ask(&self, all: bool) -> Result<Asked, String> {
        let mut claimed = Vec::new();
        let asked = {
            let mut log = self.log.lock();
            if !self.handoffs.lock().iter().all(|(_, handoff)| handoff.is_complete()) {
                return Err("a change of the configuration waits for a flow that lags".to_owned());
            }
            let receipt = log.kept_tick(clock_unix_ns(), &mut claimed).ok_or("the journal takes nothing")?;
            let flows = log.flows().len();
            // As many places as answers, so that no worker waits.
            let (out, answers) = crossbeam_channel::bounded(flows);
            let at = log.sequencer.next();
            let round = Arc::new(Round { at: at.offset, hurry: AtomicBool::new(false), all, out });
            for flow in log.flows() {
                flow.actor.ask(Arc::clone(&round));
                if flow.actor.claim() {
                    claimed.push(Arc::clone(&flow.actor));
                }
            }
            Asked { round, answers, flows, global: log.global(at), receipt }
        };
        self.schedule(claimed);
        Ok(asked)
    }

    /// Flows that are held look at what they are asked.
    fn wake_all(&self) {
        let claimed: Vec<_> = {
            let log = self.log.lock();
            log.flows().iter().map(|flow| Arc::clone(&flow.actor)).filter(|actor| actor.claim()).collect()
        };
        self.schedule(claimed);
    }

    /// Series may be newer than the flows: what is replayed over them comes to the same.
    fn dump_series(&self, all: bool, changes: &mut Changes) {
        let metrics: Vec<Arc<str>> = self.series.lock().metrics.keys().cloned().collect();
        let mut entries = Vec::new();
        {
            let mut series = self.series.lock();
            series.track();
            series.take_gone(&mut entries);
        }
        changes.extend(entries.drain(..));
        for metric in metrics {
            let mut next = Some(0);
            while let Some(from) = next {
                next = self.series.lock().dump(&metric, all, (from, SERIES_PIECE), &mut entries);
            }
            changes.extend(entries.drain(..));
        }
    }

    /// What was accepted; whether anything of it changed.
    fn dump_seen(&self, all: bool, changes: &mut Changes) -> bool {
        let (mut entries, mut cursor) = (Vec::new(), Cursor::default());
        while !self.log.lock().seen.dump(all, &mut cursor, SEEN_PIECE, &mut entries) {}
        let changed = !entries.is_empty();
        changes.extend(entries);
        changed
    }

    /// False where the running one is not listed yet.
    fn dump_revisions(&self, all: bool, running: u64, changes: &mut Changes) -> bool {
        let configured = self.configured.lock();
        let mut stored = self.checkpoints.revisions.lock();
        let newest: Vec<_> = configured.revisions.newest_of(REVISIONS_KEPT).collect();
        for known in newest.iter().filter(|known| all || !stored.contains(&known.revision)) {
            let value = StoredRevision {
                revision: known.revision,
                offset: known.position.offset,
                epoch: known.position.epoch,
                at_unix_ns: known.at_unix_ns,
                origin: known.origin.clone(),
                summary: known.summary.clone(),
                text: known.text.to_string(),
            };
            changes.insert(revision_key(known.revision), Some(json(&value)));
        }
        let kept: BTreeSet<u64> = newest.iter().map(|known| known.revision).collect();
        changes.extend(stored.difference(&kept).map(|gone| (revision_key(*gone), None)));
        *stored = kept;
        stored.contains(&running)
    }
}
