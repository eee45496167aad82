//! Why events were rejected: counted, kept to be looked at, the first ones logged.
//!
//! In: what a codec rejected of a piece of bytes. Out: [`RejectedRow`]s in the bounded [`RejectedRows`](super::super::RejectedRows), and the first of
//! them for an answer. A sender of rubbish must not fill the log: at most [`LOGGED_MAX`] of each input are logged.

use std::mem;

use weir_core::codec::Rejected;
use weir_core::triplet::Triplet;

use super::super::{Outlet, RejectedRow, rejected};
use crate::intake::SourceCounters;
use crate::units::codec::CODEC_FAULT;

/// Rejected rows of one connection that are logged.
const LOGGED_MAX: u64 = 5;

/// Longest kept reason.
const MESSAGE_BYTES_MAX: usize = 300;

/// Bytes that were decoded, and where they lie in the connection or body.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    pub chunk: &'a [u8],
    pub offset_bytes: u64,
    pub arrived_unix_ns: i64,
}

/// Counts the rejected rows of an input, moves their reasons to where they can be looked at, logs the first ones and returns as many as are
/// asked for.
pub fn note_rejected(
    outlet: &Outlet,
    stream: Option<&Triplet>,
    piece: Piece<'_>,
    rejected: &mut Vec<Rejected>,
    bad: u64,
    before: &mut u64,
    first_max: usize,
) -> Vec<RejectedRow> {
    SourceCounters::add(&outlet.counters.rejected_total, bad);
    let faults = rejected.iter().filter(|row| row.code == CODEC_FAULT).count();
    SourceCounters::add(&outlet.counters.codec_faults_total, faults as u64);
    let logged = LOGGED_MAX.saturating_sub(*before) as usize;
    *before += bad;
    if rejected.is_empty() {
        return Vec::new();
    }
    let one = |row: Rejected| RejectedRow {
        at_unix_ns: piece.arrived_unix_ns,
        source: outlet.name.clone(),
        stream: stream.cloned(),
        offset_bytes: piece.offset_bytes + row.offset as u64,
        length_bytes: row.length as u64,
        line: row.line,
        code: row.code,
        message: shortened(row.message),
        first_bytes: rejected::first_bytes(event(piece.chunk, row.offset, row.length)),
    };
    let rows: Vec<RejectedRow> = mem::take(rejected).into_iter().map(one).collect();
    for row in rows.iter().take(logged) {
        let RejectedRow { offset_bytes, line, code, message, .. } = row;
        tracing::debug!(source = %outlet.name, offset_bytes, line, code, message, "event rejected");
    }
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
