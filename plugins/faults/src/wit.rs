//! The names of the contract that this component uses.

pub use weir_sdk::bindings::unit::exports::weir::plugin::lifecycle::{self, Entries, Opening};
pub use weir_sdk::bindings::unit::exports::weir::plugin::manifest::{self, Complaint};
pub use weir_sdk::bindings::unit::exports::weir::plugin::processing;
pub use weir_sdk::bindings::unit::weir::plugin::types::{
    Batch, Categories, Column, Context, Due, Emit, Extra, Failure, Forward, Output, Packed, Reject, Rows,
    Triplet, Values, Verdict,
};
pub use weir_sdk::bindings::unit::weir::plugin::{log, state, timers};
