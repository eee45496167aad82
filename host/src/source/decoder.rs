//! One thread's decoding: bytes of many connections or bodies in, batches out to the log.
//!
//! In: a [`Decoder`] per thread, with one builder per stream, and an [`Input`] per connection. Out: batches, to the [`Outlet`], full ones at
//! once, others when they are due or asked for. Bytes are read into the thread's one buffer behind what the connection had left over and are
//! decoded where they lie; only the unfinished last event is copied, so that a quiet connection holds no buffer. Rejected rows are
//! counted, kept (bounded, see [`RejectedRows`](super::RejectedRows)), and the first of each connection logged. Limits are those of the
//! codec: what an input keeps is never longer than one event may be.

use std::io;
use std::mem;
use std::time::Duration;

use weir_core::batch::Incoming;
use weir_core::codec::json::JsonDecoder;
use weir_core::codec::{self, Decode, Defaults, FieldNames, Gather, Limits, Rejected, StreamCounters};
use weir_core::config::SourceSpec;
use weir_core::triplet::Triplet;

use super::{Outlet, RejectedRow, rejected};
use crate::intake::SourceCounters;

/// Bytes of one read: large enough that the system call is nothing per event, small enough to stay in a core's cache.
pub const READ_BYTES: usize = 128 << 10;

/// Rejected rows of one connection that are logged; a sender of rubbish must not fill the log.
const LOGGED_MAX: u64 = 5;

/// Longest kept reason.
const MESSAGE_BYTES_MAX: usize = 300;

/// An unfinished event longer than this gives its memory back once it is whole.
const TAIL_KEPT_BYTES_MAX: usize = 4 << 10;

/// Name of a member that no event has: the codec rejects names of that length.
const NO_MEMBER_BYTES: usize = 1_024;

/// What all decoders of a source start with.
#[derive(Clone)]
pub struct Feed {
    defaults: Defaults,
}

impl Feed {
    /// Events may name their stream themselves.
    pub fn new(spec: &SourceSpec) -> Self {
        let names = &spec.fields;
        let fields = FieldNames {
            application: names.application.as_str().into(),
            environment: names.environment.as_str().into(),
            event_type: names.event_type.as_str().into(),
            time: names.time.as_str().into(),
        };
        let (source, triplet) = (spec.name.clone(), spec.triplet.clone());
        Self { defaults: Defaults { source, triplet, fields, may_write: spec.may_write.clone() } }
    }

    /// The stream is named from outside, so that the members that would name it are ordinary fields.
    pub fn of_paths(spec: &SourceSpec) -> Self {
        let mut feed = Self::new(spec);
        let [application, environment, event_type] =
            ['1', '2', '3'].map(|n| String::from(n).repeat(NO_MEMBER_BYTES).into());
        let time = feed.defaults.fields.time;
        feed.defaults.fields = FieldNames { application, environment, event_type, time };
        feed
    }
}

/// What one connection leaves from one read to the next.
pub struct Input {
    codec: JsonDecoder,
    /// The unfinished event at the end of the last read.
    tail: Vec<u8>,
    /// Where in the connection `tail` begins.
    offset_bytes: u64,
    rejected_total: u64,
}

impl Input {
    pub fn new() -> Self {
        Self { codec: JsonDecoder::new(), tail: Vec::new(), offset_bytes: 0, rejected_total: 0 }
    }
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    /// 0: the sender closed.
    pub bytes: usize,
    /// Whether an event or white space ended in it.
    pub progress: bool,
}

/// What became of one body.
#[derive(Debug, Default)]
pub struct Taken {
    pub accepted: u64,
    pub rejected: u64,
    /// The first rejected rows.
    pub first: Vec<RejectedRow>,
}

/// One thread's builders.
pub struct Decoder {
    outlet: Outlet,
    defaults: Defaults,
    gather: Gather,
    buffer: Vec<u8>,
    /// Empty between two calls.
    rejected: Vec<Rejected>,
    /// As last seen in the gather.
    lost_total: u64,
}

impl Decoder {
    pub fn new(outlet: Outlet, feed: &Feed) -> Self {
        let gather = Gather::new(Limits::default(), outlet.name.clone());
        let defaults = feed.defaults.clone();
        Self { outlet, defaults, gather, buffer: Vec::new(), rejected: Vec::new(), lost_total: 0 }
    }

    pub fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Lets `read` fill a buffer and decodes what it brought; 0 bytes end the input. An error of `read` changes nothing.
    pub fn read(
        &mut self,
        input: &mut Input,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Brought> {
        let held = input.tail.len();
        if self.buffer.len() < held + READ_BYTES {
            self.buffer.resize(held + READ_BYTES, 0);
        }
        let (front, rest) = self.buffer.split_at_mut(held);
        let bytes = read(rest.get_mut(..READ_BYTES).unwrap_or_default())?;
        front.copy_from_slice(&input.tail);
        let now_unix_ns = self.outlet.accept.now_unix_ns();
        let Self { outlet, defaults, gather, rejected, buffer, .. } = self;
        let chunk = buffer.get(..held + bytes).unwrap_or_default();
        let bad = gather.rejected_total();
        let consumed = input.codec.decode(chunk, bytes == 0, now_unix_ns, defaults, gather, rejected);
        let bad = gather.rejected_total() - bad;
        if bad > 0 {
            let piece = Piece { chunk, offset_bytes: input.offset_bytes, arrived_unix_ns: now_unix_ns };
            note_rejected(outlet, defaults, piece, rejected, bad, &mut input.rejected_total);
        }
        input.tail.clear();
        let left = chunk.get(consumed..).unwrap_or_default();
        if left.len() < TAIL_KEPT_BYTES_MAX && input.tail.capacity() > TAIL_KEPT_BYTES_MAX {
            input.tail = Vec::new();
        }
        input.tail.extend_from_slice(left);
        SourceCounters::add(&self.outlet.counters.bytes_total, bytes as u64);
        input.offset_bytes += consumed as u64;
        self.send_full();
        Ok(Brought { bytes, progress: consumed > 0 })
    }

    /// Takes what is left of an input as its last event.
    pub fn finish(&mut self, input: &mut Input) {
        if !input.tail.is_empty() {
            // Cannot fail: nothing is read.
            let _ = self.read(input, |_| Ok(0));
        }
    }

    /// Decodes a whole body into one stream. Its events leave with [`Self::flush_all`] at the latest.
    pub fn feed_body(&mut self, triplet: &Triplet, body: &[u8], first_max: usize) -> Taken {
        let now_unix_ns = self.outlet.accept.now_unix_ns();
        self.defaults.triplet = Some(triplet.clone());
        let Self { outlet, defaults, gather, rejected, .. } = self;
        let mut codec = JsonDecoder::new();
        let taken = codec::decode_whole(&mut codec, body, now_unix_ns, defaults, gather, rejected);
        let piece = Piece { chunk: body, offset_bytes: 0, arrived_unix_ns: now_unix_ns };
        let first = keep_rejected(outlet, defaults, piece, rejected, first_max);
        SourceCounters::add(&self.outlet.counters.rejected_total, taken.rejected);
        self.send_full();
        Taken { accepted: taken.accepted, rejected: taken.rejected, first }
    }

    /// Hands over what is due. Returns how long until something is; none while no row waits.
    pub fn flush_due(&mut self) -> Option<Duration> {
        let now_unix_ns = self.outlet.accept.now_unix_ns();
        let due = self.gather.take_due(now_unix_ns);
        self.send(due);
        let wait_ns = self.gather.next_due_unix_ns()?.saturating_sub(now_unix_ns);
        Some(Duration::from_nanos(wait_ns.max(0).unsigned_abs()))
    }

    pub fn flush_all(&mut self) {
        let all = self.gather.take_all();
        self.send(all);
    }

    /// Whether rows wait in the builders.
    pub fn holds_rows(&self) -> bool {
        self.gather.next_due_unix_ns().is_some()
    }

    fn send_full(&mut self) {
        let full = self.gather.take_full();
        self.send(full);
    }

    fn send(&mut self, batches: Vec<Incoming>) {
        let lost = self.gather.lost_total() - self.lost_total;
        if lost > 0 {
            self.lost_total += lost;
            SourceCounters::add(&self.outlet.counters.rejected_total, lost);
            tracing::error!(source = %self.outlet.name, rows = lost, "events lost: their batch could not be built");
        }
        let changes = self.changes(&batches);
        self.outlet.send(batches);
        if !changes.is_empty() {
            self.outlet.accept.note(changes);
        }
    }

    /// What happened in the builders of these batches' streams that the batches do not say themselves.
    fn changes(&mut self, batches: &[Incoming]) -> Vec<(Triplet, StreamCounters)> {
        let mut changes = Vec::new();
        for batch in batches {
            let counters = self.gather.drain_counters_of(&batch.triplet);
            if let Some(counters) = counters.filter(StreamCounters::is_notable) {
                changes.push((batch.triplet.clone(), counters));
            }
        }
        changes
    }
}

/// Bytes that were decoded, and where they lie in the connection or body.
#[derive(Clone, Copy)]
struct Piece<'a> {
    chunk: &'a [u8],
    offset_bytes: u64,
    arrived_unix_ns: i64,
}

/// Counts the rejected rows of a connection, keeps their reasons and logs the first ones.
fn note_rejected(
    outlet: &Outlet,
    defaults: &Defaults,
    piece: Piece<'_>,
    rejected: &mut Vec<Rejected>,
    bad: u64,
    before: &mut u64,
) {
    SourceCounters::add(&outlet.counters.rejected_total, bad);
    let logged = LOGGED_MAX.saturating_sub(*before) as usize;
    *before += bad;
    for row in keep_rejected(outlet, defaults, piece, rejected, logged) {
        let RejectedRow { offset_bytes, line, code, message, .. } = row;
        tracing::debug!(source = %outlet.name, offset_bytes, line, code, message, "event rejected");
    }
}

/// Moves the reasons to where they can be looked at, and returns the first ones.
fn keep_rejected(
    outlet: &Outlet,
    defaults: &Defaults,
    piece: Piece<'_>,
    rejected: &mut Vec<Rejected>,
    first_max: usize,
) -> Vec<RejectedRow> {
    if rejected.is_empty() {
        return Vec::new();
    }
    let one = |row: Rejected| RejectedRow {
        at_unix_ns: piece.arrived_unix_ns,
        source: outlet.name.clone(),
        stream: defaults.triplet.clone(),
        offset_bytes: piece.offset_bytes + row.offset as u64,
        length_bytes: row.length as u64,
        line: row.line,
        code: row.code,
        message: shortened(row.message),
        first_bytes: rejected::first_bytes(event(piece.chunk, row.offset, row.length)),
    };
    let rows: Vec<RejectedRow> = mem::take(rejected).into_iter().map(one).collect();
    let first = rows.iter().take(first_max).cloned().collect();
    outlet.rejected.take(&outlet.name, rows);
    first
}

/// An event's bytes, as far as they are in the chunk.
fn event(chunk: &[u8], offset: usize, length: usize) -> &[u8] {
    let rest = chunk.get(offset..).unwrap_or_default();
    rest.get(..length).unwrap_or(rest)
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests;
