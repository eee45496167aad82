//! What a component remembers, kept by the host: tables of the plan, entries by handle (key number) and slot.
//!
//! Functions take and give the bytes of the contract, whole columns at a time: one call for a batch, not one for a row. `slots` empty means
//! slot 0. Reads see the writes of the same record. A refusal (quota, size) writes nothing; [`refused`] makes a failure of it.

use crate::bindings::unit::weir::plugin::state as host;
use crate::{Failure, FailureExt, Packed};

pub use host::{Page, Refusal};

macro_rules! call {
    ($name:ident($($argument:expr),*)) => {{
        #[cfg(target_family = "wasm")]
        let result = host::$name($($argument),*);
        #[cfg(not(target_family = "wasm"))]
        let result = crate::testing::host(|host| host.$name($($argument),*));
        result
    }};
}

/// n x size bytes; zeros where there is no value.
pub fn read(table: u32, handles: &[u8], slots: &[u8]) -> Vec<u8> {
    call!(read(table, handles, slots))
}

/// The last one wins where an entry is given twice.
pub fn write(table: u32, handles: &[u8], slots: &[u8], values: &[u8]) -> Result<(), Refusal> {
    call!(write(table, handles, slots, values))
}

/// Empty where there is no value.
pub fn read_packed(table: u32, handles: &[u8], slots: &[u8]) -> Packed {
    call!(read_packed(table, handles, slots))
}

pub fn write_packed(table: u32, handles: &[u8], slots: &[u8], values: &Packed) -> Result<(), Refusal> {
    call!(write_packed(table, handles, slots, values))
}

/// n x u8, 1 where there is a value.
pub fn present(table: u32, handles: &[u8], slots: &[u8]) -> Vec<u8> {
    call!(present(table, handles, slots))
}

pub fn remove(table: u32, handles: &[u8], slots: &[u8]) {
    call!(remove(table, handles, slots));
}

/// Values go by themselves when the watermark passes these times.
pub fn expire(table: u32, handles: &[u8], slots: &[u8], times: &[u8]) {
    call!(expire(table, handles, slots, times));
}

/// A page of the entries that have a value, in the order of (handle, slot), in a free table from the name `prefix` on.
pub fn scan(table: u32, prefix: &[u8], cursor: &[u8], limit: u32) -> Page {
    call!(scan(table, prefix, cursor, limit))
}

/// Handles for names in a free table.
pub fn define(table: u32, names: &Packed) -> Result<Vec<u8>, Refusal> {
    call!(define(table, names))
}

/// The call fails and the host replaces the instance.
pub fn refused(refusal: Refusal) -> Failure {
    Failure::fail(&refusal.code, refusal.message)
}
