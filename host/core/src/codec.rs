//! The codec seam: bytes in; batches by stream, rejected rows and the number of consumed bytes out.
//!
//! A source gives each connection a [`Decode`] and each decoder thread a [`Gather`], which holds the column builders of all streams of
//! that thread; many connections feed one `Gather`. What a chunk held beyond the consumed bytes is the beginning of an event: the next
//! chunk must start with those bytes. Rows leave the `Gather` as [`Incoming`](crate::batch::Incoming) when 4,096 of a stream are there or
//! the oldest is 5 ms old. Rows of one connection and stream keep their order.
//!
//! Bounds: [`Limits`]. A bad event costs only itself: it becomes a [`Rejected`] with place and reason, and the `Gather` counts it. At most
//! [`REJECTED_KEPT_MAX`] reasons stand in one list; [`Gather::rejected_total`] counts all.
//! The built-in codecs are [`JsonDecoder`], [`MsgpackDecoder`] and [`LogfmtDecoder`]; others are components behind the same trait. How bytes become columns: the crate `weir-columns`.

use std::sync::Arc;

use crate::triplet::{Selector, Triplet};

mod builtin;
mod gather;
mod pushed;
mod router;
#[cfg(test)]
mod tests;

pub use builtin::{JsonDecoder, LogfmtDecoder, MsgpackDecoder};
pub use gather::Gather;
pub use weir_columns::{
    Limits, REJECTED_KEPT_MAX, Rejected, TableCounters as StreamCounters, begin_dictionary_ids,
    new_dictionary_id, time,
};

/// Names of the fields that are not columns: the triplet and the event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    pub application: Arc<str>,
    pub environment: Arc<str>,
    pub event_type: Arc<str>,
    pub time: Arc<str>,
}

impl Default for FieldNames {
    fn default() -> Self {
        Self {
            application: "application".into(),
            environment: "environment".into(),
            event_type: "type".into(),
            time: "time".into(),
        }
    }
}

/// What a source's configuration (or a request's path) says of events that do not say it themselves.
#[derive(Clone, Debug)]
pub struct Defaults {
    pub source: Arc<str>,
    /// Parts that an event does not name come from here; none: each event must name all three.
    pub triplet: Option<Triplet>,
    pub fields: FieldNames,
    /// Streams that may be written; an event of another one is rejected. Empty: none may.
    pub may_write: Vec<Selector>,
}

impl Defaults {
    /// No triplet, the usual field names, every stream may be written.
    pub fn new(source: impl Into<Arc<str>>) -> Self {
        let may_write = "*/*/*".parse().into_iter().collect();
        Self { source: source.into(), triplet: None, fields: FieldNames::default(), may_write }
    }
}

/// Turns the bytes of one connection into rows of `gather`.
pub trait Decode: Send {
    /// Returns the number of consumed bytes. A trailing piece of an event stays for the next call, whose chunk starts with it, unless
    /// `end` says that no more will come. What stays is never longer than [`Limits::event_bytes_max`].
    fn decode(
        &mut self,
        chunk: &[u8],
        end: bool,
        arrived_unix_ns: i64,
        defaults: &Defaults,
        gather: &mut Gather,
        rejected: &mut Vec<Rejected>,
    ) -> usize;

    /// Where the next event begins cannot be known any more: the connection is to be closed. The built-in codecs always find it.
    fn is_lost(&self) -> bool {
        false
    }
}

/// How many events of a whole body were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub accepted: u64,
    pub rejected: u64,
}

/// A decoder of the built-in codec of that name; one for each connection.
pub fn decoder(name: &str) -> Option<Box<dyn Decode>> {
    match name {
        "json" => Some(Box::new(JsonDecoder::new())),
        "msgpack" => Some(Box::new(MsgpackDecoder::new())),
        "logfmt" => Some(Box::new(LogfmtDecoder::new())),
        _ => None,
    }
}

/// Decodes a whole body: an object, an array of objects, objects one after another, or lines.
pub fn decode_whole(
    decoder: &mut dyn Decode,
    body: &[u8],
    arrived_unix_ns: i64,
    defaults: &Defaults,
    gather: &mut Gather,
    rejected: &mut Vec<Rejected>,
) -> Taken {
    let (rows, bad) = (gather.rows_total(), gather.rejected_total());
    decoder.decode(body, true, arrived_unix_ns, defaults, gather, rejected);
    Taken { accepted: gather.rows_total() - rows, rejected: gather.rejected_total() - bad }
}
