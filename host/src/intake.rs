//! The one way in: sources hand decoded batches to the log.
//!
//! What comes back is a [`Receipt`], which tells when what was taken is on disk. A source asks [`Intake::room`] before it reads more, with the streams that it may write (TCP stops reading, HTTP answers 429 with
//! `retry_after`), then calls [`Intake::accept`]. It waits only for flows that could get its events. `accept` never blocks and never refuses: what was read is taken, so memory is bounded by the flows' lag bound plus
//! what the sources hold in their builders. Everything that a source takes, rejects or loses is counted in its [`SourceCounters`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use weir_core::batch::Incoming;
use weir_core::codec::StreamCounters;
use weir_core::config::Durability;
use weir_core::record::{FilePlace, Note, Request};
use weir_core::triplet::{Selector, Triplet};
use weir_journal::{Journal, Stopped, Ticket};

use crate::runtime::Runtime;

/// Why nothing can be taken now.
#[derive(Debug, Clone)]
pub struct Busy {
    pub retry_after: Duration,
    pub why: Why,
}

#[derive(Debug, Clone)]
pub enum Why {
    /// Some flow that would get these events is too far behind.
    Lag,
    /// The journal cannot take more, for a while or for good.
    Journal(weir_journal::Refused),
}

/// Tells when what was taken is on disk. Receipts of one sender follow each other: the last one stands for all.
#[derive(Clone, Default)]
pub struct Receipt(Option<Kept>);

#[derive(Clone)]
enum Kept {
    Waits(Arc<Journal>, Ticket),
    Lost(Stopped),
}

impl Receipt {
    pub fn of(journal: &Arc<Journal>, ticket: Ticket) -> Self {
        Self(Some(Kept::Waits(Arc::clone(journal), ticket)))
    }

    /// The journal stopped before it took all.
    pub fn lost(stopped: Stopped) -> Self {
        Self(Some(Kept::Lost(stopped)))
    }

    /// This one, or the earlier one where this one has nothing to wait for. What was lost stays lost.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        match (self.0, earlier.0) {
            (_, Some(Kept::Lost(stopped))) | (Some(Kept::Lost(stopped)), _) => Self::lost(stopped),
            (Some(kept), _) | (None, Some(kept)) => Self(Some(kept)),
            (None, None) => Self(None),
        }
    }

    /// Calls back once, here and now or on the journal's thread; the call must not block.
    pub fn when_durable(self, call: impl FnOnce(Result<(), Stopped>) + Send + 'static) {
        match self.0 {
            None => call(Ok(())),
            Some(Kept::Lost(stopped)) => call(Err(stopped)),
            Some(Kept::Waits(journal, ticket)) => journal.when_durable(ticket, call),
        }
    }

    /// The same for who can wait.
    pub fn wait(&self, timeout: Duration) -> Result<(), weir_journal::Refused> {
        match &self.0 {
            None => Ok(()),
            Some(Kept::Lost(stopped)) => Err(stopped.clone().into()),
            Some(Kept::Waits(journal, ticket)) => journal.wait(*ticket, timeout),
        }
    }
}

/// What became of batches that were handed over.
#[derive(Default)]
pub struct Took {
    /// Of the last one, and of what duplicates were of.
    pub receipt: Receipt,
    /// Rows that came before, by number of the batch; rising.
    pub duplicates: Vec<(usize, Vec<u32>)>,
    /// Rows without producer or number, where the source asks for them.
    pub unidentified: u64,
}

impl Took {
    pub fn duplicate_rows(&self) -> usize {
        self.duplicates.iter().map(|(_, rows)| rows.len()).sum()
    }
}

/// Counters of one source; all only grow.
#[derive(Debug, Default)]
pub struct SourceCounters {
    pub events_total: AtomicU64,
    pub bytes_total: AtomicU64,
    pub rejected_total: AtomicU64,
    pub connections_total: AtomicU64,
    pub connections_open: AtomicU64,
    pub refused_total: AtomicU64,
    /// Times that the source had to wait for a lagging flow.
    pub waits_total: AtomicU64,
    /// Datagrams that the kernel dropped because its buffer was full.
    pub kernel_drops_total: AtomicU64,
    /// What the kernel granted for that buffer; 0: there is none.
    pub receive_buffer_bytes: AtomicU64,
    /// Calls of a codec component that ended in a fault.
    pub codec_faults_total: AtomicU64,
    /// Events that had been accepted before.
    pub duplicates_total: AtomicU64,
    /// Events without producer or number, where the source tells events apart by them.
    pub unidentified_total: AtomicU64,
}

impl SourceCounters {
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

/// Clone one for each thread or task of a source.
#[derive(Clone)]
pub struct Intake {
    runtime: Arc<Runtime>,
}

impl Intake {
    pub fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime }
    }

    /// Whether there is room now for more events of these streams.
    pub fn room(&self, streams: &[Selector]) -> Result<(), Busy> {
        self.runtime.room(streams)
    }

    /// Puts batches into the log, in order, without what was accepted before. With a note they are in the journal all together or not at all, and the note with them.
    pub fn accept(&self, batches: Vec<Incoming>, durability: Durability, note: Option<Note>) -> Took {
        self.runtime.accept(batches, durability, note)
    }

    /// What a request of that key was answered, and a receipt for it.
    pub fn request(&self, key: &[u8; 16]) -> Option<(Arc<Request>, Receipt)> {
        self.runtime.request(key)
    }

    /// How far files of a source have been read; none: nothing of it outlives the process.
    pub fn places(&self, source: &str) -> Option<Vec<FilePlace>> {
        self.runtime.places(source)
    }

    /// What happened in the builders of streams, for their views.
    pub fn note(&self, changes: &[(Triplet, StreamCounters)]) {
        self.runtime.note_changes(changes);
    }

    /// Now, ns since 1970, as the log counts it: never falls.
    pub fn now_unix_ns(&self) -> i64 {
        self.runtime.now_unix_ns()
    }

    /// Registers a source (name, kind) and gives its counters.
    pub fn counters(&self, name: &str, kind: &'static str) -> Arc<SourceCounters> {
        self.runtime.source_counters(name, kind)
    }

    /// The host's own counters as events, for the `weir` source: one `Incoming` per kind of counter.
    pub fn own_counters(&self) -> Vec<Incoming> {
        self.runtime.own_counters()
    }
}
