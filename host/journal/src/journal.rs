//! The journal as a running host uses it: a queue of records, one thread that writes and syncs, and tickets that tell when a record is durable.
//!
//! In: records in the order of their offsets, each with the [`Durability`] that its source asks for. Out: a [`Ticket`]; [`Journal::wait`] and
//! [`Journal::when_durable`] tell when it and all before it are durable. While one sync runs the next group gathers, so one sync serves all that came meanwhile.
//!
//! Bounds: [`Limits::waiting_bytes`] of records wait; whoever may refuse asks [`Journal::room`] before giving a position. What has a position is always
//! taken, so the bound is passed by what was under way. Full disk: `room` refuses until there is room again, tickets wait, nothing acknowledged is lost.
//! Other errors stop the journal: every ticket that is not durable and every call from then on gets [`Stopped`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use weir_core::record::Record;

use crate::writer::{AppendError, Stopped, Writer};

/// How often a full disk is tried again.
const RESUME_EVERY: Duration = Duration::from_millis(500);

/// What a source's senders are promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced at once, with all that wait.
    Fsync,
    /// Synced within this time.
    Interval(Duration),
    /// Written, and synced when something else is.
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of records that wait to be written.
    pub waiting_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { waiting_bytes: 16 << 20 }
    }
}

/// Tickets rise with the records; one that is durable makes all before it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Why nothing is accepted now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the disk of the journal is full: free some space, acceptance goes on by itself")]
    Full,
    #[error("{waiting_bytes} bytes wait to be written to the journal, {limit_bytes} are the limit")]
    Busy { waiting_bytes: usize, limit_bytes: usize },
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error("the record was not durable in time")]
    TimedOut,
}

/// For people and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    pub appended: u64,
    pub durable: u64,
    pub waiting_bytes: usize,
    pub bytes_total: u64,
    pub syncs_total: u64,
    /// Records that could not be written at all; a mistake of the program.
    pub unwritable_total: u64,
    pub full: bool,
    pub stopped: Option<Stopped>,
    pub segment: u32,
    pub sync_ns_max: u64,
}

type WhenDurable = Box<dyn FnOnce(Result<(), Stopped>) + Send>;

#[derive(Default)]
struct Shared {
    waiting: Vec<(Arc<Record>, Durability)>,
    callbacks: VecDeque<(u64, WhenDurable)>,
    status: Status,
    closing: bool,
}

struct Inner {
    shared: Mutex<Shared>,
    /// For the thread: there is something to do.
    work: Condvar,
    /// For those who wait: something became durable, or will not.
    done: Condvar,
    limits: Limits,
}

/// Dropping it writes, syncs and ends the segment.
pub struct Journal {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    pub fn start(writer: Writer, limits: Limits) -> std::io::Result<Self> {
        let inner =
            Arc::new(Inner { shared: Mutex::default(), work: Condvar::new(), done: Condvar::new(), limits });
        inner.shared.lock().status.segment = writer.segment().number;
        let run = Run {
            inner: Arc::clone(&inner),
            writer,
            taken: 0,
            durable: 0,
            sync_longest: Duration::ZERO,
            sync_by: None,
            resume_at: None,
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || run.run())?;
        Ok(Self { inner, thread: Some(thread) })
    }

    /// Whether a record may be given a position now.
    pub fn room(&self) -> Result<(), Refused> {
        let shared = self.inner.shared.lock();
        if let Some(stopped) = &shared.status.stopped {
            return Err(stopped.clone().into());
        }
        let (waiting_bytes, limit_bytes) = (shared.status.waiting_bytes, self.inner.limits.waiting_bytes);
        if shared.status.full {
            Err(Refused::Full)
        } else if waiting_bytes >= limit_bytes {
            Err(Refused::Busy { waiting_bytes, limit_bytes })
        } else {
            Ok(())
        }
    }

    /// Takes a record, in the order of offsets.
    pub fn append(&self, record: Arc<Record>, durability: Durability) -> Result<Ticket, Stopped> {
        let mut shared = self.inner.shared.lock();
        if let Some(stopped) = &shared.status.stopped {
            return Err(stopped.clone());
        }
        shared.status.appended += 1;
        shared.status.waiting_bytes += record.bytes;
        shared.waiting.push((record, durability));
        let ticket = Ticket(shared.status.appended);
        drop(shared);
        self.inner.work.notify_one();
        Ok(ticket)
    }

    pub fn wait(&self, ticket: Ticket, timeout: Duration) -> Result<(), Refused> {
        let until = Instant::now() + timeout;
        let mut shared = self.inner.shared.lock();
        loop {
            if shared.status.durable >= ticket.0 {
                return Ok(());
            }
            if let Some(stopped) = &shared.status.stopped {
                return Err(stopped.clone().into());
            }
            if self.inner.done.wait_until(&mut shared, until).timed_out() && shared.status.durable < ticket.0
            {
                return Err(Refused::TimedOut);
            }
        }
    }

    /// Calls back once, on the thread of the journal or, where it is known already, on this one. It must not block.
    pub fn when_durable(&self, ticket: Ticket, call: impl FnOnce(Result<(), Stopped>) + Send + 'static) {
        let mut shared = self.inner.shared.lock();
        if shared.status.durable >= ticket.0 {
            drop(shared);
            return call(Ok(()));
        }
        if let Some(stopped) = shared.status.stopped.clone() {
            drop(shared);
            return call(Err(stopped));
        }
        let at = shared.callbacks.partition_point(|(other, _)| *other <= ticket.0);
        shared.callbacks.insert(at, (ticket.0, Box::new(call)));
    }

    pub fn is_durable(&self, ticket: Ticket) -> bool {
        self.inner.shared.lock().status.durable >= ticket.0
    }

    pub fn status(&self) -> Status {
        self.inner.shared.lock().status.clone()
    }

    /// Writes and syncs what waits and ends the segment.
    pub fn close(mut self) -> Result<(), Stopped> {
        self.end();
        match self.inner.shared.lock().status.stopped.clone() {
            Some(stopped) => Err(stopped),
            None => Ok(()),
        }
    }

    fn end(&mut self) {
        self.inner.shared.lock().closing = true;
        self.inner.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the journal panicked");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread.
struct Run {
    inner: Arc<Inner>,
    writer: Writer,
    /// The newest ticket that was taken from the queue, and the newest that is durable.
    taken: u64,
    durable: u64,
    sync_longest: Duration,
    /// When what is written must be durable.
    sync_by: Option<Instant>,
    resume_at: Option<Instant>,
}

impl Run {
    fn run(mut self) {
        let mut group = Vec::new();
        loop {
            let closing = self.gather(&mut group);
            let stopped = self.turn(&mut group, closing).err();
            let stop = closing || stopped.is_some();
            self.publish(stopped);
            if stop {
                return;
            }
        }
    }

    /// Waits until there is something to do; true when it is to end.
    fn gather(&mut self, group: &mut Vec<(Arc<Record>, Durability)>) -> bool {
        let mut shared = self.inner.shared.lock();
        loop {
            if !shared.waiting.is_empty() || shared.closing {
                std::mem::swap(&mut shared.waiting, group);
                return shared.closing;
            }
            match [self.sync_by, self.resume_at].into_iter().flatten().min() {
                None => self.inner.work.wait(&mut shared),
                Some(until) if self.inner.work.wait_until(&mut shared, until).timed_out() => return false,
                Some(_) => {}
            }
        }
    }

    fn turn(&mut self, group: &mut Vec<(Arc<Record>, Durability)>, closing: bool) -> Result<(), Stopped> {
        self.taken += group.len() as u64;
        let now = Instant::now();
        for (record, durability) in group.drain(..) {
            match self.writer.append(&record) {
                Ok(()) => {}
                Err(AppendError::Stopped(stopped)) => return Err(stopped),
                Err(AppendError::Unwritable(unwritable)) => {
                    tracing::error!(error = %unwritable, "a record is not in the journal");
                    self.inner.shared.lock().status.unwritable_total += 1;
                }
            }
            let by = match durability {
                Durability::Fsync => Some(now),
                Durability::Interval(time) => Some(now + time),
                Durability::Off => None,
            };
            self.sync_by = [self.sync_by, by].into_iter().flatten().min();
        }
        if self.writer.is_full() && self.resume_at.is_none_or(|at| at <= now) {
            self.writer.resume()?;
            self.resume_at = Some(now + RESUME_EVERY);
        }
        let written = self.writer.flush()?;
        self.resume_at = self.resume_at.or(Some(now + RESUME_EVERY)).filter(|_| self.writer.is_full());
        if !written {
            // What is not written cannot be synced: it waits for room.
            self.sync_by = self.sync_by.map(|by| by.max(now + RESUME_EVERY));
            let reason = "the disk is full and something is not written".into();
            return if closing { Err(Stopped { doing: "closing", reason }) } else { Ok(()) };
        }
        if closing {
            self.writer.close()?;
            self.durable = self.taken;
        } else if self.sync_by.is_some_and(|by| by <= now) {
            self.writer.sync()?;
            self.sync_longest = self.sync_longest.max(now.elapsed());
            self.sync_by = None;
            self.durable = self.taken;
            if self.inner.shared.lock().waiting.is_empty() {
                // Nothing else to do: the mark of this sync is handed to the system, for whenever it writes it.
                self.writer.flush()?;
            }
        }
        Ok(())
    }

    /// Tells those who wait.
    fn publish(&mut self, stopped: Option<Stopped>) {
        let mut shared = self.inner.shared.lock();
        let waiting: usize = shared.waiting.iter().map(|(record, _)| record.bytes).sum();
        shared.status.durable = self.durable;
        shared.status.sync_ns_max = self.sync_longest.as_nanos() as u64;
        shared.status.waiting_bytes = waiting + self.writer.waiting_bytes();
        shared.status.bytes_total = self.writer.bytes_total();
        shared.status.syncs_total = self.writer.syncs_total();
        shared.status.segment = self.writer.segment().number;
        if shared.status.full != self.writer.is_full() {
            shared.status.full = self.writer.is_full();
            match shared.status.full {
                true => tracing::error!(
                    "the disk of the journal is full: nothing is accepted until there is room"
                ),
                false => tracing::warn!("the disk of the journal has room again: acceptance goes on"),
            }
        }
        if let Some(stopped) = stopped {
            tracing::error!(error = %stopped, "the journal stopped");
            shared.status.stopped = Some(stopped);
        }
        let durable = shared.status.durable;
        let ready = shared.callbacks.partition_point(|(ticket, _)| *ticket <= durable);
        let ready: Vec<_> = shared.callbacks.drain(..ready).collect();
        let outcome = shared.status.stopped.clone();
        let failed: Vec<_> =
            if outcome.is_some() { shared.callbacks.drain(..).collect() } else { Vec::new() };
        drop(shared);
        self.inner.done.notify_all();
        for (_, call) in ready {
            call(Ok(()));
        }
        if let Some(stopped) = outcome {
            for (_, call) in failed {
                call(Err(stopped.clone()));
            }
        }
    }
}
