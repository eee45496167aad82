//! The contract (`wit/`) as Rust types, made by wasmtime's `bindgen!`.
//!
//! One made-up world exports every interface of the contract, so that `types` exists once in Rust. A component never has to fit that
//! world: each interface's `GuestIndices` are looked up by themselves. What goes to a guest is borrowed (`&[u8]`: Arrow buffers are
//! copied once, straight into guest memory); what comes from a guest is owned and not yet checked (see [`crate::check`]).
//! The imports (state, timers, log) are linked by hand in `link`, so that their bytes are read where they lie.

#[allow(dead_code, unused_qualifications, missing_docs, clippy::all)]
pub(crate) mod made {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package weir:host;
            world every {
                export weir:plugin/manifest@0.1.0;
                export weir:plugin/lifecycle@0.1.0;
                export weir:plugin/processing@0.1.0;
                export weir:plugin/evaluation@0.1.0;
                export weir:plugin/rendering@0.1.0;
                export weir:plugin/coding@0.1.0;
            }
        ",
        world: "weir:host/every",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// What the host hands to a guest. Names are those of the contract.
pub mod given {
    pub use super::made::exports::weir::plugin::coding::{Incoming, Setup};
    pub use super::made::exports::weir::plugin::lifecycle::{EntriesParam as Entries, Opening};
    pub use super::made::exports::weir::plugin::rendering::{Input, Request};
    pub use super::made::weir::plugin::types::{
        BatchParam as Batch, CategoriesParam as Categories, ColumnParam as Column, Due, ExtraParam as Extra,
        OtherValuesParam as OtherValues, PackedParam as Packed, TripletParam as Triplet,
        ValuesParam as Values,
    };
}

/// What a guest returned, not yet checked.
pub mod raw {
    pub use super::made::exports::weir::plugin::coding::{Decoded, Defect, Encoded};
    pub use super::made::exports::weir::plugin::evaluation::{Severity, Signal};
    pub use super::made::exports::weir::plugin::lifecycle::EntriesResult as Entries;
    pub use super::made::exports::weir::plugin::manifest::Complaint;
    pub use super::made::exports::weir::plugin::rendering::{Axis, Chart, Gap, Mark, Table};
    pub use super::made::weir::plugin::types::{
        BatchResult as Batch, CategoriesResult as Categories, ColumnResult as Column, Context,
        ExtraResult as Extra, Failure, Forward, Output, PackedResult as Packed, Reject, Rows,
        TripletResult as Triplet, ValuesResult as Values, Verdict,
    };
}
