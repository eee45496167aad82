//! The way back: the store if it is good, else a new one of the newest good snapshot, else nothing and the whole journal.
//!
//! In: the engine's place, the folder of the snapshots, and who takes the entries. Out: a store that was checked to its last entry, its entries handed over, and
//! [`Way`], which says which way it went and why, for the log and the page. A store that is behind the newest snapshot is not trusted either: an engine may open
//! with an older state than it had promised. A broken engine's files are put aside, not removed. A start comes through; what is returned as an error is
//! only that no new store could be made or the folder not be read.
//!
//! Also here: snapshots of a store, and stores of a snapshot ([`export`], [`import`]).

use std::fmt;
use std::sync::Arc;

use weir_disk::Disk;

use crate::engine::Place;
use crate::manifest::Checkpoint;
use crate::snapshot::{self, SnapshotError};
use crate::store::{Store, StoreError};

/// Takes a state. [`Entries::begin`] comes first and again whenever what came so far is not to be believed.
pub trait Entries {
    fn begin(&mut self);
    fn entry(&mut self, key: &[u8], value: &[u8]);
}

/// Only checks.
pub struct Unwanted;

impl Entries for Unwanted {
    fn begin(&mut self) {}
    fn entry(&mut self, _: &[u8], _: &[u8]) {}
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// There was nothing.
    New,
    /// The store was as it was left.
    Store,
    /// The store was not good, and a new one was made of a snapshot.
    Snapshot { file: String, why: String },
    /// Neither was good: everything comes from the journal.
    Journal { why: String },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => write!(f, "a new state"),
            Self::Store => write!(f, "the state as it was left"),
            Self::Snapshot { file, why } => write!(f, "the state from {file}, because {why}"),
            Self::Journal { why } => write!(f, "the state from the journal alone, because {why}"),
        }
    }
}

#[derive(Debug)]
pub struct Recovered {
    pub store: Store,
    pub way: Way,
}

impl Recovered {
    /// Offset of the first record that is not in the state.
    pub fn replay_from(&self) -> u64 {
        let newest = self.store.newest();
        if newest.number == 0 { 0 } else { newest.position.offset + 1 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("the state cannot be opened nor made anew: {0}")]
    Store(#[from] StoreError),
    #[error("the snapshots cannot be read: {0}")]
    Snapshot(#[from] SnapshotError),
}

pub fn recover(
    place: &dyn Place,
    disk: &Arc<dyn Disk>,
    entries: &mut dyn Entries,
) -> Result<Recovered, RecoverError> {
    snapshot::clean(&**disk).map_err(SnapshotError::from)?;
    let mut snapshots = snapshot::list(&**disk).map_err(SnapshotError::from)?;
    snapshots.reverse();
    let newest = snapshots.iter().find_map(|name| snapshot::checkpoint_of(&**disk, name).ok());
    let mut why = match from_store(place, newest.as_ref(), entries) {
        Ok(store) => {
            let way = if store.newest().number == 0 { Way::New } else { Way::Store };
            return Ok(Recovered { store, way });
        }
        Err(why) => why,
    };
    for file in snapshots {
        entries.begin();
        match snapshot::read(&**disk, &file, &mut |key, value| entries.entry(key, value)) {
            Ok(checkpoint) => {
                let store = rebuilt(place, &**disk, &file, checkpoint)?;
                return Ok(Recovered { store, way: Way::Snapshot { file, why } });
            }
            Err(error) => why = format!("{why}; {error}"),
        }
    }
    entries.begin();
    place.set_aside().map_err(SnapshotError::from)?;
    let mut store = Store::open(place.open().map_err(StoreError::from)?)?;
    store.count_after(snapshot::newest_number(&**disk).map_err(SnapshotError::from)?);
    Ok(Recovered { store, way: Way::Journal { why } })
}

/// The store, if it is good and not behind the snapshots; else why it is not.
fn from_store(
    place: &dyn Place,
    newest: Option<&Checkpoint>,
    entries: &mut dyn Entries,
) -> Result<Store, String> {
    let engine = place.open().map_err(|error| error.to_string())?;
    let store = Store::open(engine).map_err(|error| error.to_string())?;
    if let Some(newest) = newest.filter(|newest| newest.position > store.newest().position) {
        let behind = store.newest().number;
        return Err(format!("the state is of checkpoint {behind} and a snapshot is of {}", newest.number));
    }
    entries.begin();
    store.load(&mut |key, value| entries.entry(key, value)).map_err(|error| error.to_string())?;
    Ok(store)
}

fn rebuilt(
    place: &dyn Place,
    disk: &dyn Disk,
    file: &str,
    checkpoint: Checkpoint,
) -> Result<Store, RecoverError> {
    place.set_aside().map_err(SnapshotError::from)?;
    let mut store = Store::open(place.open().map_err(StoreError::from)?)?;
    fill(&mut store, disk, file, checkpoint)?;
    Ok(store)
}

/// The entries of a snapshot that was read before.
fn fill(store: &mut Store, disk: &dyn Disk, file: &str, checkpoint: Checkpoint) -> Result<(), RecoverError> {
    let mut writing = store.restore(&checkpoint)?;
    let mut failed = None;
    snapshot::read(disk, file, &mut |key, value| {
        if failed.is_none() {
            failed = writing.put(key, Some(value)).err();
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(writing.commit(checkpoint.position, checkpoint.note)?),
    }
}

/// A snapshot of the newest checkpoint; the name of its file.
pub fn export(store: &Store, disk: &Arc<dyn Disk>) -> Result<String, RecoverError> {
    let mut writer = snapshot::Writer::create(Arc::clone(disk), store.newest())?;
    let mut failed = None;
    store.load(&mut |key, value| {
        if failed.is_none() {
            failed = writer.put(key, value).err();
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(writer.finish()?),
    }
}

/// A new store of one snapshot; what was in the place is put aside.
pub fn import(place: &dyn Place, disk: &dyn Disk, file: &str) -> Result<Store, RecoverError> {
    let checkpoint = snapshot::read(disk, file, &mut |_, _| {})?;
    rebuilt(place, disk, file, checkpoint)
}
