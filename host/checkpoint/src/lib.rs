//! State that outlives the process: checkpoints in an engine, portable snapshots beside it, and the way back from either.
//!
//! A checkpoint is {entries, position, what else belongs to it}, committed at once: everything that the log did up to and with the position is in the entries,
//! nothing of what came after. [`Store`] keeps it in an [`Engine`] ([`redb`] or, with the feature, sled) as insert-only deltas that one small commit
//! makes true and that are folded into the base in the background. [`snapshot`] writes the same as one file that any program can read. [`recover`] opens the store, checks every entry
//! and the sum of all, and where anything is wrong makes a new store of the newest good snapshot; the journal from its position on does the rest.
//!
//! No engine is trusted: sled 0.34 is not safe against a loss of power (it does not sync its log, and opens with a damaged or an older state), so a store is
//! never the only copy, and the journal is kept from the oldest kept snapshot on. Keys and values are bytes that mean nothing here; bounds are
//! [`KEY_BYTES_MAX`] and [`VALUE_BYTES_MAX`]. The formats are in `docs/checkpoints.md`.

mod block;
pub mod engine;
mod fold;
mod manifest;
mod merge;
pub mod recover;
#[cfg(feature = "sled")]
mod sled_engine;
pub mod snapshot;
pub mod store;

mod redb_engine;

pub use engine::{Change, Engine, EngineError, EngineName, Place};
pub use manifest::{Checkpoint, Sum};
pub use recover::{Entries, Recovered, Way, recover};
pub use redb_engine::RedbPlace;
#[cfg(feature = "sled")]
pub use sled_engine::SledPlace;
pub use store::{Store, StoreError, Writing};

pub const KEY_BYTES_MAX: usize = 4_096;
/// Below the size from which on sled writes values to files of their own, which it never syncs. A larger value is cut by its owner.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
