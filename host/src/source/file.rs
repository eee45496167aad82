//! Source `file`: files that grow are followed, or files are read whole, once.
//!
//! In: paths, in which `*`, `?`, `[...]` and `**` stand for what is there. Out: batches, in the order of each file. Followed (`read = "tail"`): files that are
//! there at the start are read from their end (or start, as configured), those that come later from their start. A file is known by its
//! device and inode, so that a rename makes nothing twice: what is still written to a renamed file is read until it was quiet for
//! [`followed::QUIET`], and the new file of that name is read beside it. A file that became shorter, or begins with other bytes than
//! before, was truncated and is read from its start. Whole (`read = "whole"`): all that are there at the start, in the order of their names;
//! then the source ends and, where `at_end` is "stop", asks the program to drain and end.
//!
//! How far each file was read is kept with the events, in the same record of the journal or in none, so that after a restart, also after a crash, reading goes on with the
//! event that is not in the log yet. A file is then known by its device and inode and by what it begins with; where the source has run before, files that are not
//! known came meanwhile and are read from their start. A codec that is a component begins anew at that place. Without a folder of data nothing is remembered.
//!
//! Limits: [`FILES_MAX`] files at once, more are left out and counted as refused; names that end like
//! compressed files (.gz and its like) are left out where a pattern found them. While a flow lags nothing is read. A file that cannot be read is logged
//! once, counted as refused, and tried again. The thread looks every [`LOOK`], which is also how late an event may be.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_core::config::{AtEnd, Begin, FileSpec};
use weir_core::record::{FilePlace, Note};

use super::StartError;
use super::decoder::{Decoder, Feed};
use super::outlet::Outlet;
use crate::intake::SourceCounters;

mod followed;
mod patterns;

use followed::{Followed, Identity, Step};
pub use patterns::Patterns;

/// Files of one source at once: each holds a file handle.
const FILES_MAX: usize = 512;

/// Pause between two looks at files that had nothing new.
const LOOK: Duration = Duration::from_millis(100);

/// Pause between two looks at what files there are.
const SCAN: Duration = Duration::from_millis(500);

/// Reads of one file before the next one has its turn.
const TURN_READS: usize = 16;

/// At the stop signal what is there is still read, for at most this long.
const DRAIN_MAX: Duration = Duration::from_millis(500);

pub(super) fn start(
    spec: &FileSpec,
    patterns: Patterns,
    feed: &Feed,
    outlet: &Outlet,
) -> Result<JoinHandle<()>, StartError> {
    let (own, feed, spec) = (outlet.clone(), feed.clone(), spec.clone());
    super::spawn_blocking(outlet, "", move || {
        let decoder = Decoder::new(own.clone(), &feed);
        let mut files = Files::new(own, decoder, patterns);
        match spec.tail {
            Some(begin) => files.follow(begin),
            None => files.read_whole(spec.at_end),
        }
        files.end();
    })
}

struct Files {
    outlet: Outlet,
    decoder: Decoder,
    patterns: Patterns,
    open: Vec<Followed>,
    /// Of which it was already said that they are left out.
    told: BTreeSet<PathBuf>,
    /// Where reading stood at the last stop; none: nothing is remembered.
    places: Option<HashMap<Identity, FilePlace>>,
    /// Those that are read no more, and nobody was told.
    gone: Vec<Identity>,
}

impl Files {
    fn new(outlet: Outlet, mut decoder: Decoder, patterns: Patterns) -> Self {
        let places = outlet.accept.places(&outlet.name);
        let by_id = |place: FilePlace| ((place.device, place.inode), place);
        let places = places.map(|places| places.into_iter().map(by_id).collect());
        if places.is_some() {
            decoder.hold();
        }
        let (open, told, gone) = (Vec::new(), BTreeSet::new(), Vec::new());
        Self { outlet, decoder, patterns, open, told, places, gone }
    }

    /// Where it was read before, it goes on there.
    fn open(&self, path: &Path, begin: Begin) -> io::Result<Followed> {
        let id = followed::identity(path)?;
        if let Some(place) = self.places.as_ref().and_then(|places| places.get(&id)) {
            if let Some(resumed) = Followed::resume(path, place, self.decoder.input())? {
                return Ok(resumed);
            }
            // Written anew since.
            return Followed::open(path, Begin::Start, self.decoder.input());
        }
        Followed::open(path, begin, self.decoder.input())
    }

    /// All rows, and in the same step how far they go.
    fn hand_over(&mut self) {
        if self.places.is_none() {
            self.decoder.flush_all();
            return;
        }
        let places: Vec<FilePlace> = self.open.iter_mut().filter_map(Followed::note).collect();
        let gone = std::mem::take(&mut self.gone);
        if places.is_empty() && gone.is_empty() && !self.decoder.holds_rows() {
            return;
        }
        self.decoder.flush_noted(Note::Files(weir_core::record::Files {
            source: self.outlet.name.clone(),
            places,
            gone,
        }));
    }

    /// Hands over what is due. Returns how long until something is; none: nothing waits.
    fn flush_due(&mut self) -> Option<Duration> {
        if self.places.is_none() {
            return self.decoder.flush_due();
        }
        let only_places = !self.decoder.holds_rows() && self.open.iter().any(Followed::has_news);
        if self.decoder.is_due() || only_places || !self.gone.is_empty() {
            self.hand_over();
        }
        self.decoder.flush_due()
    }

    fn follow(&mut self, begin: Begin) {
        let ran_before = self.places.as_ref().is_some_and(|places| !places.is_empty());
        self.scan(if ran_before { Begin::Start } else { begin });
        let mut scanned = Instant::now();
        while !self.outlet.is_stopped() && self.outlet.wait_room_blocking() {
            if scanned.elapsed() >= SCAN {
                self.scan(Begin::Start);
                scanned = Instant::now();
            }
            if !self.look(TURN_READS) {
                self.pause();
            }
        }
        // What has been written before the stop signal is still taken.
        let until = Instant::now() + DRAIN_MAX;
        while Instant::now() < until && self.outlet.room().is_ok() && self.look(TURN_READS) {}
    }

    /// Batches leave when they are due, not only when there is something new.
    fn pause(&mut self) {
        let until = Instant::now() + LOOK;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            match self.flush_due() {
                Some(due) => std::thread::sleep(due.min(left)),
                None => return std::thread::sleep(left),
            }
        }
    }

    /// Opens files that are not known yet.
    fn scan(&mut self, begin: Begin) {
        for path in self.patterns.files() {
            let known = match followed::identity(&path) {
                Ok(id) => self.open.iter_mut().find(|file| file.id() == id),
                Err(error) => {
                    self.tell(&path, &error.to_string());
                    continue;
                }
            };
            if let Some(known) = known {
                known.found_at(&path);
                continue;
            }
            if self.open.len() >= FILES_MAX {
                self.tell(&path, "too many files are followed; use several sources");
                continue;
            }
            match self.open(&path, begin) {
                Ok(file) => {
                    tracing::info!(source = %self.outlet.name, path = %path.display(), "file is followed");
                    self.told.remove(&path);
                    SourceCounters::add(&self.outlet.counters.connections_total, 1);
                    SourceCounters::add(&self.outlet.counters.connections_open, 1);
                    self.open.push(file);
                }
                Err(error) => self.tell(&path, &error.to_string()),
            }
        }
    }

    /// Once for each file.
    fn tell(&mut self, path: &Path, error: &str) {
        if self.told.len() < FILES_MAX && self.told.insert(path.to_owned()) {
            SourceCounters::add(&self.outlet.counters.refused_total, 1);
            tracing::warn!(source = %self.outlet.name, path = %path.display(), error, "file is left out");
        }
    }

    /// Reads what is new in all files. False: nothing was.
    fn look(&mut self, reads_max: usize) -> bool {
        let mut read = false;
        let mut index = 0;
        while index < self.open.len() {
            let mut step = Step::Nothing;
            for _ in 0..reads_max {
                let Some(file) = self.open.get_mut(index) else { break };
                step = file.step(&mut self.decoder);
                read |= step == Step::Read;
                if self.places.is_some() && self.decoder.is_due() {
                    self.hand_over();
                }
                if step != Step::Read || self.outlet.room().is_err() {
                    break;
                }
            }
            if step == Step::Gone {
                self.close(index);
            } else {
                index += 1;
            }
        }
        self.flush_due();
        read
    }

    fn close(&mut self, index: usize) {
        let mut file = self.open.swap_remove(index);
        if self.places.is_some() && self.outlet.is_stopped() {
            // What is not whole yet is read with its rest after the next start.
        } else {
            file.finish(&mut self.decoder);
            if let Some(places) = &mut self.places {
                places.remove(&file.id());
                self.gone.push(file.id());
            }
        }
        self.outlet.counters.connections_open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        tracing::info!(source = %self.outlet.name, path = %file.path().display(), "file is no longer followed");
    }

    fn read_whole(&mut self, at_end: AtEnd) {
        for path in self.patterns.files() {
            let file = match self.open(&path, Begin::Start) {
                Ok(file) => file,
                Err(error) => {
                    self.tell(&path, &error.to_string());
                    continue;
                }
            };
            SourceCounters::add(&self.outlet.counters.connections_total, 1);
            self.open.push(file);
            while self.outlet.wait_room_blocking() && !self.outlet.is_stopped() {
                let file = self.open.last_mut();
                if !file.is_some_and(|file| file.read_on(&mut self.decoder)) {
                    break;
                }
                self.flush_due();
            }
            let stopped = self.outlet.is_stopped();
            let file = self.open.last_mut();
            if let Some(file) = file.filter(|_| !stopped || self.places.is_none()) {
                file.finish(&mut self.decoder);
            }
            self.hand_over();
            // Its place stays known: it is not read a second time.
            self.open.pop();
            if stopped {
                return;
            }
        }
        tracing::info!(source = %self.outlet.name, "all files were read");
        if at_end == AtEnd::Stop {
            self.outlet.ask_stop();
        }
    }

    fn end(&mut self) {
        // With the places of files that are still open.
        self.hand_over();
        while !self.open.is_empty() {
            self.close(0);
        }
        self.hand_over();
    }
}

#[cfg(test)]
mod tests;
