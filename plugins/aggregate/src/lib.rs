//! aggregate: running results for each key since its first event, without windows.
//!
//! In: any stream; of it the key columns and those that the results are computed of. Out: on port `out` rows with the key's columns and the results so far:
//! for each batch, when they changed, at each Nth event of a key, or at a pace of event time. State is the host's: one cell for each key, written through at the end of
//! each batch; keys that were silent for as long as `forget` says begin anew. Cut-invariant where it gives a row at each Nth event; the other ways show what has
//! come so far, and so depend on how the rows were cut. Rows of keys that there is no room for are rejected with the host's code. Values that are missing, NaN or
//! infinite count as missing. A result may also be a number that begins as configured and that an expression carries on from event to event.

mod config;
mod unit;

pub use unit::Aggregate;

weir_sdk::export_unit!(Aggregate);

#[cfg(test)]
mod tests;
