//! What a Weir component in Rust is written with.
//!
//! Simplest first: [`filter`] and [`transform`] on one function over an [`Event`]; [`Aggregate`], a struct and two functions per key and window;
//! [`Unit`], [`Rule`], [`Formatter`] and [`Codec`] with `export_unit!` and its like for everything. Columns come as little-endian bytes: [`column`] reads
//! and makes them, [`output`] makes decisions of them. State, timers and log are the host's ([`state`], [`timers`], [`log`]).
//! On other targets than Wasm the same code runs over [`testing`], a host in memory, so that logic is tested with `cargo test`.
//! A panic becomes a line in the log and a trap; the host replaces the instance.

extern crate self as weir_sdk;

pub mod aggregate;
#[doc(hidden)]
pub mod bindings;
pub mod codec;
pub mod column;
pub mod drawing;
pub mod event;
pub mod failure;
pub mod formatter;
pub mod log;
pub mod manifest;
pub mod output;
pub mod per_key;
pub mod rule;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod timers;
pub mod unit;

pub use aggregate::Aggregate;
pub use codec::Codec;
pub use column::{BatchExt, ColumnExt};
pub use event::Event;
pub use failure::FailureExt;
pub use formatter::Formatter;
pub use manifest::{Complaint, Description, Plan, Port, Read, Table};
pub use rule::Rule;
pub use unit::Unit;

pub use bindings::unit::exports::weir::plugin::lifecycle::{Entries, Opening};
pub use bindings::unit::weir::plugin::types::{
    Batch, Categories, Column, Context, Due, Emit, Extra, Failure, Forward, Output, Packed, Reject, Rows,
    Triplet, Values, Verdict,
};
pub use weir_expr as expr;
pub use weir_sdk_macros::{Columns, Event, State, filter, transform};
#[doc(hidden)]
pub use wit_bindgen::rt;

/// Of units that need no configuration.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}
