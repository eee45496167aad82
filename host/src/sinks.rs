//! Sinks: derived streams as files of JSON lines, each event once, also over a crash.
//!
//! In: the derived batches of each finished record. Out: files that are complete the moment they are there ([`file`]), named by the flow and the positions `[a, b)` of
//! the records whose rows they hold; a row's `id` is its position, and its place among the rows that the record gave to the sink, and so the same whenever the record is
//! run again.
//!
//! A file is made in memory, one for each sink and flow, and ended by its bounds or by a checkpoint of the flow ([`Sinks::seal`]); one thread then waits until the journal is on
//! disk (what is not might be gone after a crash, and the file would tell of what never was), writes it, and takes away files of the same flow whose positions it covers:
//! those are from a run that was cut off. A checkpoint counts only when the files before it are there ([`Sinks::published`]), so that a restart makes anew just what
//! is missing. Without a journal files are written as they end, and what was in memory is lost with the process.
//!
//! Bounds: the files that wait for the thread hold at most [`WAITING_BYTES_MAX`]; beyond it flows wait for the disk, as they would for a full one. A file that cannot be
//! written is tried again, counted and told.

mod file;
mod rows;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use weir_core::batch::{Batch, Position};
use weir_core::config::{FileSink, SinkKind, SinkSpec};

pub use file::Name;

pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// Flows that write to one sink at the same time, and lanes.
const OPEN_MAX: usize = 4_096;
/// A flow that lags longer than this behind the change that ended a sink writes to the one that took its place.
const ENDED_KEPT: Duration = Duration::from_secs(600);

/// Sink, flow, lane.
type Key = (Arc<str>, Arc<str>, u32);

#[derive(Default)]
pub struct Sinks {
    shared: Mutex<Shared>,
    /// Something is to be written, or the end has come.
    work: Condvar,
    /// Something was written.
    done: Condvar,
}

#[derive(Default)]
struct Shared {
    /// Where they write when nothing else is said: the folder of data; and what relative paths start from.
    data: PathBuf,
    beside: PathBuf,
    sinks: Vec<Sink>,
    counters: BTreeMap<Arc<str>, Counters>,
    open: BTreeMap<Key, Open>,
    waiting: VecDeque<Sealed>,
    waiting_bytes: usize,
    /// The sink whose file is being written.
    writing: Option<Arc<str>>,
    sealed: u64,
    published: u64,
    ended: bool,
}

struct Sink {
    spec: SinkSpec,
    folder: PathBuf,
    /// Offset of the change that made it: rows of records before are not for it.
    since: u64,
    /// Offset of the change that ended it, and when that was.
    ended: Option<(u64, Instant)>,
}

/// For people and metrics.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub rows_total: u64,
    pub files_total: u64,
    pub bytes_total: u64,
    pub errors_total: u64,
    /// Of the last attempt, where it failed.
    pub error: Option<String>,
    pub last_file: Option<String>,
}

/// What `GET /api/sinks` shows of one.
#[derive(Debug, Clone)]
pub struct State {
    pub name: Arc<str>,
    pub folder: PathBuf,
    pub from: Vec<String>,
    pub counters: Counters,
    /// Rows that are in memory, and files that wait to be written.
    pub open_rows: u64,
    pub waiting_files: usize,
}

/// A file that is being made.
struct Open {
    file: FileSink,
    folder: PathBuf,
    /// Offset of the first record with a row in it, and behind the last.
    from: u64,
    until: u64,
    rows: u64,
    bytes: Vec<u8>,
    begun: Instant,
}

/// One that is complete.
#[derive(Debug)]
pub struct Sealed {
    pub sink: Arc<str>,
    pub folder: PathBuf,
    pub name: Name,
    pub rows: u64,
    pub bytes: Vec<u8>,
}

impl Shared {
    /// Takes away the sinks that ended long ago. What a flow that was paused all the while has for one goes to the one that took its place.
    fn forget_ended(&mut self) {
        let (gone, kept): (Vec<Sink>, Vec<Sink>) = std::mem::take(&mut self.sinks)
            .into_iter()
            .partition(|sink| sink.ended.is_some_and(|(_, when)| when.elapsed() >= ENDED_KEPT));
        self.sinks = kept;
        for old in gone.iter().rev() {
            let heir = |sink: &&mut Sink| {
                sink.spec.name == old.spec.name && old.ended.is_some_and(|(at, _)| at == sink.since)
            };
            if let Some(heir) = self.sinks.iter_mut().find(heir) {
                heir.since = old.since;
            }
        }
    }
}

impl Sinks {
    /// The folder of data, and that of the configuration.
    pub fn keep_folders(&self, data: &Path, beside: &Path) {
        let mut shared = self.shared.lock();
        (shared.data, shared.beside) = (data.to_owned(), beside.to_owned());
    }

    /// From the record at `at` on these sinks take rows; flows that are not there yet still write to the old ones. Before any record behind it is there.
    pub fn set(&self, specs: &[SinkSpec], at: u64) {
        let mut shared = self.shared.lock();
        shared.forget_ended();
        for sink in shared.sinks.iter_mut().filter(|sink| sink.ended.is_none()) {
            if !specs.iter().any(|spec| sink.is(spec)) {
                sink.ended = Some((at, Instant::now()));
            }
        }
        for spec in specs {
            if shared.sinks.iter().any(|sink| sink.ended.is_none() && sink.is(spec)) {
                continue;
            }
            let SinkKind::File(file) = &spec.kind;
            let folder = match &file.dir {
                Some(dir) => shared.beside.join(dir),
                None => shared.data.join("sinks").join(&*spec.name),
            };
            shared.counters.entry(Arc::clone(&spec.name)).or_default();
            shared.sinks.push(Sink { spec: spec.clone(), folder, since: at, ended: None });
        }
    }

    /// The rows that a record gave to derived streams.
    pub fn take(&self, flow: &Arc<str>, lane: u32, position: Position, derived: &[Batch]) {
        let wanted: Vec<(Arc<str>, Vec<&Batch>)> = {
            let shared = self.shared.lock();
            let of = |sink: &Sink| -> Vec<&Batch> {
                let fits =
                    |batch: &&Batch| sink.spec.from.iter().any(|selector| selector.matches(&batch.triplet));
                derived.iter().filter(fits).collect()
            };
            let all = shared
                .sinks
                .iter()
                .filter(|sink| sink.takes(position.offset))
                .map(|sink| (Arc::clone(&sink.spec.name), of(sink)));
            all.filter(|(_, batches)| !batches.is_empty()).collect()
        };
        for (sink, batches) in wanted {
            // Made without the lock: other flows write meanwhile.
            let (rows, bytes) = rows::lines(position, &batches);
            self.append((sink, Arc::clone(flow), lane), position.offset, rows, &bytes);
        }
    }

    fn append(&self, key: Key, offset: u64, rows: u64, bytes: &[u8]) {
        let mut shared = self.shared.lock();
        while shared.waiting_bytes > WAITING_BYTES_MAX && !shared.ended {
            self.done.wait(&mut shared);
        }
        let found = shared.sinks.iter().find(|sink| sink.spec.name == key.0 && sink.takes(offset));
        let Some((file, folder)) = found.map(|sink| (sink.file().clone(), sink.folder.clone())) else {
            return;
        };
        shared.counters.entry(Arc::clone(&key.0)).or_default().rows_total += rows;
        // Of a sink that was changed meanwhile.
        if shared.open.get(&key).is_some_and(|open| open.folder != folder || open.file != file) {
            shared.end(&key);
        }
        if shared.open.len() >= OPEN_MAX && !shared.open.contains_key(&key) {
            let all: Vec<Key> = shared.open.keys().cloned().collect();
            all.iter().for_each(|key| shared.end(key));
        }
        let open = shared.open.entry(key.clone()).or_insert_with(|| Open {
            file,
            folder,
            from: offset,
            until: offset,
            rows: 0,
            bytes: Vec::new(),
            begun: Instant::now(),
        });
        open.until = offset + 1;
        open.rows += rows;
        open.bytes.extend_from_slice(bytes);
        if open.is_full() {
            shared.end(&key);
            self.work.notify_one();
        }
    }

    /// Between two records of a flow, which is to have a checkpoint there: its files end here.
    pub fn seal(&self, flow: &str, lane: u32) {
        self.seal_where(|key| *key.1 == *flow && key.2 == lane);
    }

    /// Ends the files of all flows (name and lane) but those that go on: the others will not be asked any more.
    pub fn seal_all_but(&self, goes_on: impl Fn(&str, u32) -> bool) {
        self.seal_where(|key| !goes_on(&key.1, key.2));
    }

    fn seal_where(&self, which: impl Fn(&Key) -> bool) {
        let mut shared = self.shared.lock();
        let ended: Vec<Key> = shared.open.keys().filter(|key| which(key)).cloned().collect();
        ended.iter().for_each(|key| shared.end(key));
        self.work.notify_one();
    }

    /// Waits until all files that have ended by now are there. False: they are not.
    pub fn published(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut shared = self.shared.lock();
        let wanted = shared.sealed;
        while shared.published < wanted {
            if self.done.wait_until(&mut shared, until).timed_out() {
                return shared.published >= wanted;
            }
        }
        true
    }

    /// The end: nothing waits any more, and the thread ends.
    pub fn finish(&self, timeout: Duration) -> bool {
        self.seal_where(|_| true);
        let published = self.published(timeout);
        self.shared.lock().ended = true;
        self.work.notify_all();
        self.done.notify_all();
        published
    }

    pub fn states(&self) -> Vec<State> {
        let shared = self.shared.lock();
        let state = |sink: &Sink| State {
            name: Arc::clone(&sink.spec.name),
            folder: sink.folder.clone(),
            from: sink.spec.from.iter().map(ToString::to_string).collect(),
            counters: shared.counters.get(&sink.spec.name).cloned().unwrap_or_default(),
            open_rows: shared
                .open
                .iter()
                .filter(|(key, _)| key.0 == sink.spec.name)
                .map(|(_, open)| open.rows)
                .sum(),
            waiting_files: {
                let waiting = shared.waiting.iter().map(|sealed| &sealed.sink);
                waiting.chain(&shared.writing).filter(|name| **name == sink.spec.name).count()
            },
        };
        shared.sinks.iter().filter(|sink| sink.ended.is_none()).map(state).collect()
    }

    /// For the thread: the next file to write; none after a while without one, and with true at the end.
    pub fn next(&self, patience: Duration) -> (Option<Sealed>, bool) {
        let mut shared = self.shared.lock();
        shared.end_old();
        if shared.waiting.is_empty() && !shared.ended {
            self.work.wait_for(&mut shared, patience);
            shared.end_old();
        }
        let ended = shared.ended;
        let sealed = shared.waiting.pop_front();
        shared.writing = sealed.as_ref().map(|sealed| Arc::clone(&sealed.sink));
        (sealed, ended)
    }

    /// For the thread: it is there.
    pub fn wrote(&self, sealed: &Sealed) {
        let mut shared = self.shared.lock();
        shared.writing = None;
        shared.published += 1;
        shared.waiting_bytes = shared.waiting_bytes.saturating_sub(sealed.bytes.len());
        let counters = shared.counters.entry(Arc::clone(&sealed.sink)).or_default();
        counters.files_total += 1;
        counters.bytes_total += sealed.bytes.len() as u64;
        counters.error = None;
        counters.last_file = Some(sealed.name.to_string());
        self.done.notify_all();
    }

    /// For the thread: it will be tried again.
    pub fn failed(&self, sealed: Sealed, error: &str) {
        let mut shared = self.shared.lock();
        let counters = shared.counters.entry(Arc::clone(&sealed.sink)).or_default();
        counters.errors_total += 1;
        if counters.error.is_none() {
            tracing::warn!(sink = %sealed.sink, file = %sealed.name, error, "a file cannot be written; it is tried again");
        }
        counters.error = Some(error.to_owned());
        shared.writing = None;
        shared.waiting.push_front(sealed);
    }
}

impl Shared {
    fn end(&mut self, key: &Key) {
        let Some(open) = self.open.remove(key) else { return };
        self.waiting_bytes += open.bytes.len();
        self.sealed += 1;
        self.waiting.push_back(Sealed {
            sink: Arc::clone(&key.0),
            folder: open.folder,
            name: Name::new(&key.1, key.2, open.from, open.until),
            rows: open.rows,
            bytes: open.bytes,
        });
    }

    /// Files that have been open for as long as they may.
    fn end_old(&mut self) {
        let old: Vec<Key> =
            self.open.iter().filter(|(_, open)| open.is_old()).map(|(key, _)| key.clone()).collect();
        old.iter().for_each(|key| self.end(key));
    }
}

impl Open {
    fn is_full(&self) -> bool {
        self.rows >= self.file.rows || self.bytes.len() as u64 >= self.file.bytes
    }

    fn is_old(&self) -> bool {
        self.begun.elapsed() >= Duration::from_nanos(self.file.every_ns.unsigned_abs())
    }
}

impl Sink {
    fn file(&self) -> &FileSink {
        let SinkKind::File(file) = &self.spec.kind;
        file
    }

    /// The same but for its place in the text.
    fn is(&self, spec: &SinkSpec) -> bool {
        (&self.spec.name, &self.spec.from, &self.spec.kind) == (&spec.name, &spec.from, &spec.kind)
    }

    fn takes(&self, offset: u64) -> bool {
        offset >= self.since && self.ended.is_none_or(|(until, _)| offset < until)
    }
}

/// Writes files until the end. `durable` waits until what the log has by now is on disk.
pub fn run(sinks: &Sinks, durable: impl Fn() -> Result<(), String>) {
    const LOOK: Duration = Duration::from_millis(100);
    const AGAIN: Duration = Duration::from_secs(1);
    loop {
        let (sealed, ended) = sinks.next(LOOK);
        let Some(sealed) = sealed else {
            if ended {
                return;
            }
            continue;
        };
        match durable().and_then(|()| file::publish(&sealed).map_err(|error| error.to_string())) {
            Ok(()) => sinks.wrote(&sealed),
            Err(error) => {
                sinks.failed(sealed, &error);
                if ended {
                    return;
                }
                std::thread::sleep(AGAIN);
            }
        }
    }
}

#[cfg(test)]
mod tests;
