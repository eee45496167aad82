//! sled 0.34 behind [`Engine`], in a folder of its own.
//!
//! What is known of it (and why it is never the only copy): its `flush` does not sync the log file on Linux, and what its own flusher runs into is only logged;
//! a damaged snapshot file of its own makes it refuse to open, though its log is whole; pages of more than a quarter of a segment go to files of their own, which are
//! never synced, nor all removed. So: after a flush its files and folder are synced here, segments are so large that no page goes there, and every panic over its files
//! is an error. One tree, and one batch per change: its only atomic step that later versions have too.
//!
//! It empties segments of which half or less is needed by moving one page each time that it writes another anew, which is far too seldom with entries as large as ours.
//! [`SledEngine::clean`] makes it do so more often, with a small page that only serves for that; its files then are half as large.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sled::{Batch, Config, Db, Mode, Tree};

use crate::engine::{Change, Engine, EngineError, EngineName, Place, Stored, Visit};

/// Its own default is 1 GiB.
const CACHE_BYTES: u64 = 48 << 20;
const FLUSH_EVERY_MS: u64 = 500;
/// A page has up to 17 blocks of 16 KiB and some on their way, and is to stay below a quarter of this.
const SEGMENT_BYTES: usize = 2 << 20;
/// Written, for each page that is moved.
const BYTES_PER_MOVE: usize = 48 << 10;
const MOVES_MAX: usize = 16;
/// So many changes of a page make it be written anew, and another one be moved.
const CHANGES_PER_MOVE: usize = 11;
/// The tree with the small page.
const CLEANER: &str = "cleaner";
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
const LOCK_LOOK: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub struct SledPlace {
    folder: PathBuf,
}

impl SledPlace {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Place for SledPlace {
    fn open(&self) -> Result<Box<dyn Engine>, EngineError> {
        let config = Config::new()
            .path(&self.folder)
            .cache_capacity(CACHE_BYTES)
            .mode(Mode::LowSpace)
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        let db = open_once_free(&config)?;
        let cleaner = guarded("opening", || db.open_tree(CLEANER))?;
        let mut engine =
            SledEngine { db: Some(db), cleaner: Some(cleaner), folder: self.folder.clone(), log: None };
        engine.sync_folder().map_err(|error| failed("syncing its folder", &error))?;
        let log =
            fs::File::open(self.folder.join("db")).map_err(|error| failed("opening its log", &error))?;
        engine.log = Some(log);
        Ok(Box::new(engine))
    }

    fn set_aside(&self) -> io::Result<()> {
        if !self.folder.exists() {
            return Ok(());
        }
        let aside = self.folder.with_extension("broken");
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        fs::rename(&self.folder, &aside)?;
        match self.folder.parent() {
            Some(parent) => fs::File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }

    fn engine(&self) -> EngineName {
        EngineName::Sled
    }
}

/// sled lets go of its files a moment after it was dropped; whoever opens them again in the same process waits for it.
fn open_once_free(config: &Config) -> Result<Db, EngineError> {
    let begun = Instant::now();
    loop {
        match guarded("opening", || config.open()) {
            Err(error)
                if error.reason.contains("could not acquire lock") && begun.elapsed() < LOCK_WAIT_MAX =>
            {
                std::thread::sleep(LOCK_LOOK);
            }
            other => return other,
        }
    }
}

fn failed(doing: &'static str, reason: &dyn std::fmt::Display) -> EngineError {
    EngineError { engine: EngineName::Sled.as_str(), doing, reason: reason.to_string() }
}

fn guarded<T>(doing: &'static str, call: impl FnOnce() -> sled::Result<T>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.map_err(|error| failed(doing, &error)),
        Err(_) => Err(failed(doing, &"it panicked")),
    }
}

#[derive(Debug)]
struct SledEngine {
    /// These are there until it is dropped.
    db: Option<Db>,
    cleaner: Option<Tree>,
    folder: PathBuf,
    /// Open for as long as the engine: an error of a write-back is told to those who had the file open.
    log: Option<fs::File>,
}

impl SledEngine {
    fn db(&self) -> sled::Result<&Db> {
        self.db.as_ref().ok_or_else(|| sled::Error::Io(io::ErrorKind::NotConnected.into()))
    }

    /// Lets it move as many pages as go with so many written bytes. What the small page has means nothing.
    fn clean(&self, bytes: usize) -> sled::Result<()> {
        let moves = (1 + bytes / BYTES_PER_MOVE).min(MOVES_MAX);
        let Some(cleaner) = &self.cleaner else { return Ok(()) };
        for change in 0..moves * CHANGES_PER_MOVE {
            cleaner.insert(CLEANER, &change.to_le_bytes())?;
        }
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            match fs::File::open(entry.path()) {
                // Its snapshots come and go.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?.sync_all()?,
            }
        }
        fs::File::open(&self.folder)?.sync_all()
    }
}

/// sled writes when it is closed, and may panic over a damaged file then too.
impl Drop for SledEngine {
    fn drop(&mut self) {
        let (db, cleaner) = (self.db.take(), self.cleaner.take());
        drop(catch_unwind(AssertUnwindSafe(|| drop((cleaner, db)))));
    }
}

impl Engine for SledEngine {
    fn apply(&mut self, changes: &[Change], durable: bool) -> Result<(), EngineError> {
        let mut batch = Batch::default();
        let bytes = changes.iter().filter_map(|change| change.value.as_ref()).map(Vec::len).sum();
        for change in changes {
            match &change.value {
                Some(value) => batch.insert(change.key.as_slice(), value.as_slice()),
                None => batch.remove(change.key.as_slice()),
            }
        }
        guarded("writing", || self.db()?.apply_batch(batch))?;
        guarded("cleaning up", || self.clean(bytes))?;
        if durable {
            guarded("flushing", || self.db()?.flush())?;
            if let Some(log) = &self.log {
                log.sync_all().map_err(|error| failed("syncing its log", &error))?;
            }
            self.sync_folder().map_err(|error| failed("syncing its folder", &error))?;
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(guarded("reading", || self.db()?.get(key))?.map(|value| value.to_vec()))
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<Stored>, EngineError> {
        let last = guarded("reading", || self.db()?.range(..=key).next_back().transpose())?;
        Ok(last.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    fn scan(&self, from: &[u8], visit: Visit) -> Result<(), EngineError> {
        guarded("reading", || {
            for entry in self.db()?.range(from..) {
                let (key, value) = entry?;
                if !visit(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn bytes_on_disk(&self) -> Result<u64, EngineError> {
        guarded("reading", || self.db()?.size_on_disk())
    }
}
