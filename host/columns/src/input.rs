//! What a decoder is given in one call, and what all decoders are.

use crate::reject::Rejected;
use crate::routes::Router;
use crate::tables::Tables;

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

/// Reads the bytes of one connection. The decoders of the crate: [`json::Scanner`](crate::json::Scanner),
/// [`msgpack::Decoder`](crate::msgpack::Decoder), [`logfmt::Decoder`](crate::logfmt::Decoder).
pub trait Decoder: Send {
    /// Returns the number of consumed bytes; the next chunk must start with the rest.
    fn decode(&mut self, input: Input<'_>, tables: &mut Tables, rejected: &mut Vec<Rejected>) -> usize;
}
