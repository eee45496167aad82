//! What a checkpoint needs of a key-value engine, and the names by which engines are chosen.
//!
//! In: batches of changes, sorted by the caller, of some hundred KiB. Out: entries in the order of their keys. Promises: a batch is all there or not at all,
//! batches become durable in their order, and one that is asked to be durable is so when the call returns, with all before it. Whether an engine keeps its
//! promises is checked by whoever reads, not assumed.

use std::fmt::Debug;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use weir_disk::Disk;

use crate::redb_engine::RedbPlace;

/// A value, or none to remove the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// An engine did not do what it was asked. After one from [`Engine::apply`] the engine is not used again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{engine}: {doing}: {reason}")]
pub struct EngineError {
    pub engine: &'static str,
    pub doing: &'static str,
    pub reason: String,
}

/// A key and its value, as the engine has them.
pub type Stored = (Vec<u8>, Vec<u8>);

/// Called with key and value, and says whether to go on.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> bool;

pub trait Engine: Debug + Send {
    fn apply(&mut self, changes: &[Change], durable: bool) -> Result<(), EngineError>;
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;
    /// The greatest entry whose key is not greater than this.
    fn at_or_before(&self, key: &[u8]) -> Result<Option<Stored>, EngineError>;
    /// From `from` on, in the order of keys.
    fn scan(&self, from: &[u8], visit: Visit) -> Result<(), EngineError>;
    fn bytes_on_disk(&self) -> Result<u64, EngineError>;
}

/// Where the files of an engine are.
pub trait Place: Debug + Send {
    /// Opens what is there, or makes it. An engine that panics over its files gives an error.
    fn open(&self) -> Result<Box<dyn Engine>, EngineError>;
    /// Puts the files of a broken engine aside, in the place of older ones, so that a new one can be made and a person can look at them.
    fn set_aside(&self) -> std::io::Result<()>;
    fn engine(&self) -> EngineName;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineName {
    Sled,
    Redb,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEngine {
    #[error("`{0}` is no engine: it is `sled` or `redb`")]
    Unknown(String),
    #[error("this program was built without sled: choose `redb`")]
    NotBuilt,
}

impl FromStr for EngineName {
    type Err = NoEngine;

    fn from_str(text: &str) -> Result<Self, NoEngine> {
        match text {
            "sled" => Ok(Self::Sled),
            "redb" => Ok(Self::Redb),
            other => Err(NoEngine::Unknown(other.chars().take(40).collect())),
        }
    }
}

impl EngineName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }

    /// Whether this program has it.
    pub fn is_built(self) -> bool {
        self == Self::Redb || cfg!(feature = "sled")
    }

    /// The engine's place in a folder, which `disk` is the same of.
    pub fn place(self, folder: &Path, disk: &Arc<dyn Disk>) -> Result<Box<dyn Place>, NoEngine> {
        match self {
            Self::Redb => Ok(Box::new(RedbPlace::new(Arc::clone(disk)))),
            #[cfg(feature = "sled")]
            Self::Sled => Ok(Box::new(crate::SledPlace::new(folder.join("sled")))),
            #[cfg(not(feature = "sled"))]
            Self::Sled => {
                let _ = folder;
                Err(NoEngine::NotBuilt)
            }
        }
    }
}
