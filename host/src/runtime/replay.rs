//! The way back after a restart: the records of the journal go through the flows again, before any source reads.
//!
//! In: a reader of the journal. Out: flows, series, alerts and rings as the records made them; what was found missing or damaged, counted. Batches and ticks go into the queues as
//! they did, changes of the configuration are made at the positions at which they were made, so that what ran is what runs again. Nobody is told of
//! alerts meanwhile, ticks of the clock wait, and no flow is given so much at once that it would leave something out.
//!
//! It always ends: a configuration that cannot run any more (a component that is gone) is passed over with an error, a flow that does not get on is not waited for longer
//! than [`STUCK`], and what is damaged is passed by. Errors of reading end it where they stand.

mod progress;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use weir_core::record::{Command, Payload, Record};
use weir_journal::{Item, Reader};

use self::progress::Progress;
use super::configure::{Checked, How};
use super::log::Claimed;
use super::{Runtime, rfc3339};

/// Records between two looks at how far the flows are.
const LOOK_RECORDS: u64 = 32;
const PAUSE: Duration = Duration::from_micros(200);
/// A flow that does not get on for so long is left behind.
const STUCK: Duration = Duration::from_secs(20);
/// Alerts that moved so shortly before a crash are told again.
const TOLD_AGAIN_NS: i64 = 60_000_000_000;
/// Damaged places that are told one by one.
const TOLD_PLACES_MAX: u64 = 20;

/// How far a start is, and what it came to.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    pub from: u64,
    /// Offset of the first record that is read: before `from` where the rings of recent events are filled too.
    read_from: u64,
    /// Offset behind the last record.
    pub until: u64,
    pub at: u64,
    pub records: u64,
    pub events: u64,
    /// Offsets without a record.
    pub missing: u64,
    pub damaged_places: u64,
    pub took: Duration,
    pub done: bool,
    newest_unix_ns: i64,
}

/// See [`Runtime::pin`].
pub struct Pinned<'a>(&'a Runtime);

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        self.0.components.pin(None);
    }
}

impl Replayed {
    /// Records read, and how many there are to read.
    fn read(&self) -> (u64, u64) {
        let all = self.until.saturating_sub(self.read_from);
        (self.at.saturating_sub(self.read_from).min(all), all)
    }

    /// Whole percent.
    pub fn percent(&self) -> u64 {
        let (done, all) = self.read();
        (done * 100).checked_div(all).unwrap_or(100)
    }

    /// For people, while it runs.
    pub fn told(&self) -> String {
        let ((done, all), percent, events) = (self.read(), self.percent(), self.events);
        format!("the journal is replayed: {done} of {all} records ({percent} %), {events} events")
    }
}

impl Runtime {
    /// Runs what the journal has from the reader's place on; `until` is the offset behind its last record. `clean`: the last run ended in peace.
    pub fn replay(
        &self,
        mut reader: Reader,
        from: u64,
        until: u64,
        clean: bool,
    ) -> std::io::Result<Replayed> {
        let begun = Instant::now();
        let mut done = Replayed { from, read_from: from, until, at: from, ..Replayed::default() };
        self.overs.replaying.store(true, Ordering::Release);
        self.alerting.begin_replay();
        let mut progress = Progress::new();
        *self.replayed.lock() = Some(done.clone());
        let outcome = loop {
            match reader.read() {
                Ok(None) => break Ok(()),
                Ok(Some(item)) => self.replay_item(item, &mut done),
                Err(error) => break Err(error),
            }
            if done.records.is_multiple_of(LOOK_RECORDS) {
                self.wait_uncrowded();
                *self.replayed.lock() = Some(done.clone());
            }
            done.took = begun.elapsed();
            progress.tell(&done);
        };
        progress.end();
        self.wait_idle();
        self.overs.replaying.store(false, Ordering::Release);
        let since = if clean { i64::MAX } else { done.newest_unix_ns.saturating_sub(TOLD_AGAIN_NS) };
        self.alerting.end_replay(since);
        (done.took, done.done) = (begun.elapsed(), true);
        *self.replayed.lock() = Some(done.clone());
        outcome.map(|()| done)
    }

    /// What the program does while it starts.
    pub fn doing(&self) -> String {
        match self.replayed() {
            None => "starting".to_owned(),
            Some(done) if done.done => "starting, the journal was replayed".to_owned(),
            Some(done) => done.told(),
        }
    }

    /// How far the replay of this start is; none: there was none.
    pub fn replayed(&self) -> Option<Replayed> {
        self.replayed.lock().clone()
    }

    fn replay_item(&self, item: Item, done: &mut Replayed) {
        match item {
            Item::Record(record) => {
                if done.records == 0 {
                    done.read_from = done.read_from.min(record.position.offset);
                }
                done.at = record.position.offset + 1;
                done.records += 1;
                done.newest_unix_ns = record.accepted_at_unix_ns;
                if let Payload::Batch { batch, .. } = &record.payload {
                    done.events += batch.rows() as u64;
                }
                self.replay_record(record);
            }
            // What only the rings of recent events would have had.
            Item::Hole { to, .. } if to <= done.from => {}
            Item::Hole { from, to } => {
                let from = from.max(done.from);
                done.missing += to - from;
                self.log.lock().begin_hole(from, to);
                tracing::error!(
                    from,
                    to,
                    "records are missing in the journal; what they would have changed is not there"
                );
            }
            Item::Damage { segment, at, bytes } => {
                done.damaged_places += 1;
                if done.damaged_places <= TOLD_PLACES_MAX {
                    tracing::error!(%segment, at, bytes, "a place of the journal is damaged and was passed over");
                }
            }
            Item::Tail { segment, at, bytes } => {
                tracing::warn!(%segment, at, bytes, "the journal ends in what makes no record");
            }
        }
    }

    fn replay_record(&self, record: Record) {
        if let Payload::Command(Command::Configure { revision, .. }) = &record.payload {
            let revision = *revision;
            // Of what runs now, or older: a checkpoint came behind it.
            if revision <= self.revision() && record.position.offset < self.log.lock().base() {
                return;
            }
            if let Err(message) = self.replay_configuration(record) {
                tracing::error!(
                    revision,
                    error = message,
                    "a configuration of the journal cannot run any more; the one before goes on in its place"
                );
            }
            return;
        }
        let mut claimed = Claimed::new();
        let record = Arc::new(record);
        let is_wanted = {
            let mut log = self.log.lock();
            log.replay(Arc::clone(&record), &mut claimed);
            log.is_wanted(&record)
        };
        // Letters that nobody takes stay letters.
        if is_wanted {
            self.note_redelivered(&record);
        }
        self.schedule(claimed);
    }

    fn replay_configuration(&self, record: Record) -> Result<(), String> {
        let Payload::Command(Command::Configure { revision, text, summary }) = &record.payload else {
            return Ok(());
        };
        let (text, summary) = (Arc::clone(text), Arc::clone(summary));
        let _pinned = self.pin(*revision);
        let words = |problems: Vec<weir_core::config::Problem>| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let checked = Checked::new(&text, &self.components).map_err(words)?;
        let taken = self.take_up(
            self.configuring.lock(),
            checked,
            "journal",
            &summary,
            How::Replay(Arc::new(record)),
        );
        taken.map(|_| ()).map_err(words)
    }

    /// Components are those that ran in that revision, for as long as what is given lives.
    pub(super) fn pin(&self, revision: u64) -> Pinned<'_> {
        self.components.pin(Some(revision));
        Pinned(self)
    }

    /// Until no flow has more waiting than it may; one that does not get on is left alone after a while.
    fn wait_uncrowded(&self) {
        let until = Instant::now() + STUCK;
        let crowded = || self.log.lock().flows().iter().any(|flow| flow.actor.queue.lock().is_crowded());
        while crowded() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
    }

    fn wait_idle(&self) {
        let until = Instant::now() + STUCK;
        while !self.is_idle() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
    }

    /// For people: what a start came to.
    pub fn tell_replayed(&self, done: &Replayed) {
        let seconds = done.took.as_secs_f64();
        let newest = rfc3339(done.newest_unix_ns);
        tracing::info!(
            records = done.records, events = done.events, missing = done.missing, damaged = done.damaged_places, seconds, %newest,
            "the journal was replayed"
        );
    }
}
