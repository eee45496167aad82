//! The folder of data: who holds it, the journal in it, and the text of the configuration file that was taken last.
//!
//! In: a path. Out: [`Data`], which keeps every other host out for as long as it lives (a lock of the system's, which a crash releases), and the journal as the last run left
//! it, mended. Errors name the folder, who holds it, and what to do.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_checkpoint::{EngineName, Entries, Place, Recovered, Store, snapshot};
use weir_core::batch::Position;
use weir_core::config::StateEngine;
use weir_disk::{Disk, RealDisk};
use weir_journal::{Opened, Reader, Settings, Writer};

const LOCK: &str = "lock";
const LOADED: &str = "loaded.toml";
/// Longest text in the lock that is shown.
const HOLDER_BYTES_MAX: u64 = 200;

#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(
        "the data folder {folder} is in use by {holder}; end that one, or name another folder with --data"
    )]
    InUse { folder: PathBuf, holder: String },
    #[error(
        "{doing} in the data folder {folder} failed: {error}; check the folder and its disk, or name another one with --data"
    )]
    Io { folder: PathBuf, doing: &'static str, error: io::Error },
}

/// A folder that is ours.
pub struct Data {
    folder: PathBuf,
    root: RealDisk,
    pub journal: Arc<dyn Disk>,
    /// Checkpoints and snapshots.
    pub state: Arc<dyn Disk>,
    /// Dead letters.
    pub dead: Arc<dyn Disk>,
    /// Held open: the lock is ours until it is closed.
    _lock: fs::File,
}

impl Data {
    /// Takes the folder. What stands in the lock is for whoever comes second.
    pub fn open(folder: &Path, says: &str) -> Result<Self, DataError> {
        let failed = |doing| move |error| DataError::Io { folder: folder.to_owned(), doing, error };
        let root = RealDisk::open(folder).map_err(failed("opening"))?;
        let mut lock = match root.lock(LOCK) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let holder = holder(&folder.join(LOCK));
                return Err(DataError::InUse { folder: folder.to_owned(), holder });
            }
            Err(error) => return Err(failed("taking the lock")(error)),
        };
        let text = format!("process {}{says}", std::process::id());
        let written =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(text.as_bytes()));
        written.map_err(failed("writing the lock"))?;
        let journal = RealDisk::open(&folder.join("journal")).map_err(failed("opening the journal"))?;
        let state = RealDisk::open(&folder.join("state")).map_err(failed("opening the state"))?;
        let dead =
            RealDisk::open(&folder.join("dead")).map_err(failed("opening the folder of dead letters"))?;
        let (journal, state, dead) = (Arc::new(journal), Arc::new(state), Arc::new(dead));
        Ok(Self { folder: folder.to_owned(), root, journal, state, dead, _lock: lock })
    }

    /// A new, empty state; what was there is put aside.
    pub fn new_state(&self, engine: StateEngine) -> Result<Store, DataError> {
        let place = self.place(engine)?;
        let failed = |error: String| self.failed("making a new state", io::Error::other(error));
        place.set_aside().map_err(|error| failed(error.to_string()))?;
        let opened = place.open().map_err(|error| failed(error.to_string()))?;
        let mut store = Store::open(opened).map_err(|error| failed(error.to_string()))?;
        let newest = snapshot::newest_number(&*self.state).map_err(|error| failed(error.to_string()))?;
        store.count_after(newest);
        Ok(store)
    }

    /// The state of this run again, after its files failed; made anew where they are not good, all of which is read for that: else a damage
    /// inside would be met again with each checkpoint.
    pub fn reopen_state(&self, engine: StateEngine) -> Result<Store, DataError> {
        let place = self.place(engine)?;
        let opened = place.open().map_err(|error| error.to_string());
        let opened = opened.and_then(|opened| Store::open(opened).map_err(|error| error.to_string()));
        match opened
            .and_then(|store| store.load(&mut |_, _| {}).map(|()| store).map_err(|error| error.to_string()))
        {
            Ok(store) => Ok(store),
            Err(_) => self.new_state(engine),
        }
    }

    fn place(&self, engine: StateEngine) -> Result<Box<dyn Place>, DataError> {
        let name = match engine {
            StateEngine::Redb => EngineName::Redb,
            StateEngine::Sled => EngineName::Sled,
        };
        let place = name.place(&self.folder.join("state"), &self.state);
        place.map_err(|error| self.failed("opening the state", io::Error::other(error)))
    }

    /// The state as it was left, or made anew of a snapshot; `entries` takes it.
    pub fn recover_state(
        &self,
        engine: StateEngine,
        entries: &mut dyn Entries,
    ) -> Result<Recovered, DataError> {
        let recovered = weir_checkpoint::recover(&*self.place(engine)?, &self.state, entries);
        recovered.map_err(|error| self.failed("recovering the state", io::Error::other(error)))
    }

    /// The journal, to be written behind `at_least`.
    pub fn open_journal(&self, at_least: Position, now_unix_ns: i64) -> Result<(Writer, Opened), DataError> {
        let opened =
            weir_journal::open(Arc::clone(&self.journal), Settings::default(), at_least, now_unix_ns);
        let (mut writer, opened) = opened.map_err(|error| self.failed("opening the journal", error))?;
        writer
            .keep_reserve()
            .map_err(|stopped| self.failed("keeping a reserve", io::Error::other(stopped)))?;
        Ok((writer, opened))
    }

    pub fn read_journal(&self, from: u64) -> Result<Reader, DataError> {
        Reader::open(Arc::clone(&self.journal), from)
            .map_err(|error| self.failed("reading the journal", error))
    }

    /// The configuration file as it was when it was taken last.
    pub fn loaded(&self) -> Option<String> {
        fs::read_to_string(self.folder.join(LOADED)).ok()
    }

    pub fn keep_loaded(&self, text: &str) {
        if let Err(error) = weir_disk::replace(&self.root, LOADED, text.as_bytes()) {
            tracing::warn!(%error, "the text of the configuration file is not kept; after a restart a change of it may be told as a conflict");
        }
    }

    /// Segments, and their bytes.
    pub fn journal_files(&self) -> (usize, u64) {
        let segments = weir_journal::segment::list(&*self.journal).unwrap_or_default();
        let bytes = |name: &weir_journal::segment::SegmentName| {
            self.journal.open(&name.to_string()).and_then(|file| file.len()).unwrap_or(0)
        };
        (segments.len(), segments.iter().map(bytes).sum())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> DataError {
        DataError::Io { folder: self.folder.clone(), doing, error }
    }
}

fn holder(lock: &Path) -> String {
    let mut text = String::new();
    let read = fs::File::open(lock).and_then(|file| file.take(HOLDER_BYTES_MAX).read_to_string(&mut text));
    if read.is_err() || text.is_empty() { "another process".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_and_the_second_is_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let first = Data::open(folder.path(), ", http://127.0.0.1:7070/").unwrap();
        let error = Data::open(folder.path(), "").map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()) && error.contains("7070"), "{error}");
        assert!(error.contains("--data"), "{error}");
        drop(first);
        assert!(Data::open(folder.path(), "").is_ok());
    }

    #[test]
    fn the_text_that_was_taken_last_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::open(folder.path(), "").unwrap();
        assert_eq!(data.loaded(), None);
        data.keep_loaded("[server]");
        drop(data);
        assert_eq!(Data::open(folder.path(), "").unwrap().loaded().as_deref(), Some("[server]"));
    }

    #[test]
    fn a_state_that_is_damaged_inside_is_made_anew() {
        for engine in [StateEngine::Redb, StateEngine::Sled] {
            let folder = tempfile::tempdir().unwrap();
            let data = Data::open(folder.path(), "").unwrap();
            let mut store = data.new_state(engine).unwrap();
            let mut writing = store.begin().unwrap();
            for key in 0..2_000u32 {
                let value: Vec<u8> = key.to_be_bytes().repeat(25);
                writing.put(&key.to_be_bytes(), Some(&value)).unwrap();
            }
            writing.commit(Position { log: 0, epoch: 1, offset: 7 }, Vec::new()).unwrap();
            drop(store);
            let count = |store: &Store| {
                let mut entries = 0;
                store.load(&mut |_, _| entries += 1).map(|()| entries)
            };
            let good = data.reopen_state(engine).unwrap();
            assert_eq!(count(&good).unwrap(), 2_000, "{engine:?}");
            drop(good);

            // In the middle of the values of one block, wherever the engine has it.
            let value = 1_234u32.to_be_bytes().repeat(25);
            let mut damaged = 0;
            let mut folders = vec![folder.path().join("state")];
            while let Some(next) = folders.pop() {
                for entry in fs::read_dir(next).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                        continue;
                    }
                    let mut bytes = fs::read(&path).unwrap();
                    let found: Vec<_> = bytes
                        .windows(value.len())
                        .enumerate()
                        .filter(|(_, window)| *window == value)
                        .map(|(at, _)| at)
                        .collect();
                    for at in &found {
                        bytes[at + 50] ^= 1;
                    }
                    damaged += found.len();
                    if !found.is_empty() {
                        fs::write(&path, bytes).unwrap();
                    }
                }
            }
            assert!(damaged > 0, "{engine:?}");
            let anew = data.reopen_state(engine).unwrap();
            assert_eq!(count(&anew).unwrap(), 0, "{engine:?}");
        }
    }
}
