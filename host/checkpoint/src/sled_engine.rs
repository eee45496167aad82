//! sled 0.34 behind [`Engine`], in a folder of its own.
//!
//! What is known of it (and why it is never the only copy): its `flush` does not sync the log file on Linux, and what its own flusher runs into is only logged;
//! a damaged snapshot file of its own makes it refuse to open, though its log is whole; values of 128 KiB and more go to files that are never synced. So: after a
//! flush its files and folder are synced here, values stay below that size, and every panic over its files is an error. One tree, and one batch per change:
//! its only atomic step that later versions have too.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sled::{Batch, Config, Db, Mode};

use crate::engine::{Change, Engine, EngineError, EngineName, Place, Stored, Visit};

/// Its own default is 1 GiB.
const CACHE_BYTES: u64 = 48 << 20;
const FLUSH_EVERY_MS: u64 = 500;
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
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        let db = open_once_free(&config)?;
        let mut engine = SledEngine { db: Some(db), folder: self.folder.clone(), log: None };
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
    /// Always there until it is dropped.
    db: Option<Db>,
    folder: PathBuf,
    /// Open for as long as the engine: an error of a write-back is told to those who had the file open.
    log: Option<fs::File>,
}

impl SledEngine {
    fn db(&self) -> sled::Result<&Db> {
        self.db.as_ref().ok_or_else(|| sled::Error::Io(io::ErrorKind::NotConnected.into()))
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
        let db = self.db.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
    }
}

impl Engine for SledEngine {
    fn apply(&mut self, changes: &[Change], durable: bool) -> Result<(), EngineError> {
        let mut batch = Batch::default();
        for change in changes {
            match &change.value {
                Some(value) => batch.insert(change.key.as_slice(), value.as_slice()),
                None => batch.remove(change.key.as_slice()),
            }
        }
        guarded("writing", || self.db()?.apply_batch(batch))?;
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
