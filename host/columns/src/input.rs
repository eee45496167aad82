//! What a decoder is given in one call.

use crate::routes::Router;

/// Bytes of a connection, and what is known of them.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Starts with what the last call did not consume.
    pub chunk: &'a [u8],
    /// No more will come.
    pub end: bool,
    pub arrived_unix_ns: i64,
    pub router: &'a dyn Router,
}
