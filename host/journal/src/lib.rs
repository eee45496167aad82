//! The log on disk: batches, ticks and commands in segment files, and the way back from them.
//!
//! [`Journal`] is what a running host writes to: `append` gives a ticket and returns at once, one thread of its own encodes, writes and syncs, and a ticket is
//! done when its record is durable; one sync serves all that wait. [`Writer`] is the same without the thread. [`open`] finds the end after a crash, cuts a
//! torn tail, sets damaged segments apart, and begins a new epoch. [`Reader`] gives records from a position on, with every hole told. [`upkeep`] packs and
//! forgets old segments. [`offline`] lists, verifies, prints and exports, also while a host writes. The format is `docs/journal.md`.
//! [`letters`] are the dead letters beside it.
//!
//! Errors: a full disk is waited out, nothing that was acknowledged is lost. Any other error of a write or a sync stops the journal for good: no
//! sync is ever tried again, because a second one would hide what the first one lost.

mod bytes;
mod columns;
mod command;
pub mod decode;
pub mod encode;
pub mod frame;
pub mod journal;
pub mod letters;
mod note;
pub mod offline;
pub mod open;
pub mod reader;
pub mod scan;
pub mod segment;
pub mod upkeep;
pub mod writer;

pub use journal::{Durability, Journal, Refused, Status, Ticket};
pub use open::{Damaged, Opened, open};
pub use reader::{Item, Reader};
pub use upkeep::{Upkeep, upkeep};
pub use writer::{Settings, Stopped, Writer};
