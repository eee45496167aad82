//! Source `file`: files that grow are followed, or files are read whole, once.
//!
//! In: paths, in which `*`, `?`, `[...]` and `**` stand for what is there. Out: batches, in the order of each file. Followed (`read = "tail"`): files that are
//! there at the start are read from their end (or start, as configured), those that come later from their start. A file is known by its
//! device and inode, so that a rename makes nothing twice: what is still written to a renamed file is read until it was quiet for
//! [`followed::QUIET`], and the new file of that name is read beside it. A file that became shorter, or begins with other bytes than
//! before, was truncated and is read from its start. Whole (`read = "whole"`): all that are there at the start, in the order of their names;
//! then the source ends and, where `at_end` is "stop", asks the program to drain and end.
//!
//! Nothing is remembered over a restart. Limits: [`FILES_MAX`] files at once, more are left out and counted as refused; names that end like
//! compressed files (.gz and its like) are left out where a pattern found them. While a flow lags nothing is read. A file that cannot be read is logged
//! once, counted as refused, and tried again. The thread looks every [`LOOK`], which is also how late an event may be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_core::config::{AtEnd, Begin, FileSpec};

use super::StartError;
use super::decoder::{Decoder, Feed};
use super::outlet::Outlet;
use crate::intake::SourceCounters;

mod followed;
mod patterns;

use followed::{Followed, Step};
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
        let mut files = Files { outlet: own, decoder, patterns, open: Vec::new(), told: BTreeSet::new() };
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
}

impl Files {
    fn follow(&mut self, begin: Begin) {
        self.scan(begin);
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
            match self.decoder.flush_due() {
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
            match Followed::open(&path, begin, self.decoder.input()) {
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
        while let Some(file) = self.open.get_mut(index) {
            let mut step = Step::Nothing;
            for _ in 0..reads_max {
                step = file.step(&mut self.decoder);
                read |= step == Step::Read;
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
        self.decoder.flush_due();
        read
    }

    fn close(&mut self, index: usize) {
        let mut file = self.open.swap_remove(index);
        file.finish(&mut self.decoder);
        self.outlet.counters.connections_open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        tracing::info!(source = %self.outlet.name, path = %file.path().display(), "file is no longer followed");
    }

    fn read_whole(&mut self, at_end: AtEnd) {
        for path in self.patterns.files() {
            let mut file = match Followed::open(&path, Begin::Start, self.decoder.input()) {
                Ok(file) => file,
                Err(error) => {
                    self.tell(&path, &error.to_string());
                    continue;
                }
            };
            SourceCounters::add(&self.outlet.counters.connections_total, 1);
            while self.outlet.wait_room_blocking() && !self.outlet.is_stopped() {
                if !file.read_on(&mut self.decoder) {
                    break;
                }
                self.decoder.flush_due();
            }
            file.finish(&mut self.decoder);
            if self.outlet.is_stopped() {
                return;
            }
        }
        self.decoder.flush_all();
        tracing::info!(source = %self.outlet.name, "all files were read");
        if at_end == AtEnd::Stop {
            self.outlet.ask_stop();
        }
    }

    fn end(&mut self) {
        while !self.open.is_empty() {
            self.close(0);
        }
        self.decoder.flush_all();
    }
}

#[cfg(test)]
mod tests;
