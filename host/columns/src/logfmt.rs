//! Lines of `key=value` (logfmt): bytes of a connection to rows of [`Tables`].
//!
//! `level=info msg="took \"long\"" status=200 cached` is one event. Pairs stand between white space (any byte up to the space), lines end in LF or CR LF; empty lines and a byte
//! order mark at the start are skipped. A line that is not whole stays in the chunk until it is.
//!
//! # What becomes of what
//! | value | becomes |
//! |---|---|
//! | `key=17`, `key=-2.5e3` (a number as in JSON) | Int64 (UInt64 above its range, Float64 above that); Float64 |
//! | `key=true`, `key=false`; `key` alone | Boolean; true |
//! | `key=`, `key=null` | no value |
//! | `key="..."` | Utf8, always, with the escapes of JSON |
//! | any other text without white space or quotes (`12ms`, `007`, `1e999`, `/a?b=c`) | Utf8 |
//! | a route field | a text, whatever it looks like |
//! | `a.b=1` | column `a.b` |
//!
//! # What is refused
//! | input | answer |
//! |---|---|
//! | a line with no `=`, a value without key, a quote in a key or in the middle of a value, text right behind a closing quote, a quote that is not closed, an unknown escape | `syntax` |
//! | bytes that are no UTF-8 in a text or key | `invalid_utf8` |
//! | one key twice, also where one has no value | `duplicate_key` |
//! | over a limit of [`Limits`](crate::Limits) | `event_too_long`, `too_many_keys`, `key_too_long`, `string_too_long`; `too_many_tables` |
//! | a time that is none; what the [`Router`](crate::Router) refuses | `bad_time`; its code |
//!
//! A bad line costs only itself.
//!
//! # How
//! A line that comes in the shape of one before is compared with it key by key, and its values are read with vectors ([`shape`](crate::shape)). In others the key that
//! followed last time is compared with what comes; where it fits, nothing is looked up.

use self::line::Scratch;
use self::shaped::Shaped;
use crate::input::Input;
use crate::lanes::Vectors;
use crate::reject::{REJECTED_KEPT_MAX, Refusal, Rejected};
use crate::tables::Tables;

mod line;
mod shaped;
mod value;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Decoder of one connection.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The byte order mark is behind us.
    started: bool,
    /// The rest of the line belongs to a rejected event.
    discarding: bool,
    /// Lines so far.
    lines: u64,
    /// Bytes of the piece that was kept, in which there is no line feed.
    searched: usize,
    scratch: Scratch,
    vectors: Vectors,
}

/// What one call works with.
struct Call<'a> {
    input: Input<'a>,
    event_bytes_max: usize,
    tables: &'a mut Tables,
    rejected: &'a mut Vec<Rejected>,
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder that uses no vectors, though the machine may have them: to compare and to measure.
    pub fn portable() -> Self {
        Self::with_vectors(Vectors::NONE)
    }

    fn with_vectors(vectors: Vectors) -> Self {
        Self { vectors, ..Self::default() }
    }

    /// Returns the number of consumed bytes. A trailing piece of a line stays for the next call, whose chunk starts with it, unless
    /// `end` says that no more will come; it is never longer than `Limits::event_bytes_max`. Bad lines are counted in `tables`, and up
    /// to [`REJECTED_KEPT_MAX`] of them are in `rejected`.
    pub fn decode(&mut self, input: Input<'_>, tables: &mut Tables, rejected: &mut Vec<Rejected>) -> usize {
        let event_bytes_max = tables.settings().limits.event_bytes_max;
        self.scratch.shapes = std::mem::take(&mut tables.logfmt_shapes);
        let mut call = Call { input, event_bytes_max, tables, rejected };
        let consumed = self.run(&mut call);
        tables.logfmt_shapes = std::mem::take(&mut self.scratch.shapes);
        if input.end {
            // After the end another input may come.
            *self = Self { scratch: std::mem::take(&mut self.scratch), ..Self::with_vectors(self.vectors) };
        }
        consumed
    }

    fn run(&mut self, call: &mut Call<'_>) -> usize {
        let Input { chunk, end, .. } = call.input;
        let mut at = 0;
        if !self.started {
            if chunk.starts_with(BYTE_ORDER_MARK) {
                at = BYTE_ORDER_MARK.len();
            } else if !end && BYTE_ORDER_MARK.starts_with(chunk) {
                return 0;
            }
            self.started = true;
        }
        loop {
            let from = at + std::mem::take(&mut self.searched);
            let found = chunk.get(from..).and_then(|rest| memchr::memchr(b'\n', rest));
            let Some(found) = found else { break };
            self.line(call, at, from + found);
            self.lines += 1;
            at = from + found + 1;
        }
        if end {
            self.line(call, at, chunk.len());
            return chunk.len();
        }
        if !self.discarding && chunk.len() - at > call.event_bytes_max {
            self.line(call, at, chunk.len());
            self.discarding = true;
        }
        if self.discarding {
            return chunk.len();
        }
        self.searched = chunk.len() - at;
        at
    }

    fn line(&mut self, call: &mut Call<'_>, start: usize, end: usize) {
        if std::mem::take(&mut self.discarding) {
            return;
        }
        let limit = call.event_bytes_max;
        let taken = if end - start > limit {
            Err(Refusal::event_too_long(limit))
        } else {
            let shapes = &mut self.scratch.shapes;
            let shaped = Shaped { input: call.input, tables: &mut *call.tables, shapes, start, end };
            match shaped::take(shaped, self.vectors) {
                Ok(true) => return,
                Ok(false) => self.by_pairs(call, start, end),
                Err(refusal) => Err(refusal),
            }
        };
        let Err(Refusal { code, message }) = taken else { return };
        call.tables.count_rejected();
        if call.rejected.len() < REJECTED_KEPT_MAX {
            let line = self.lines + 1;
            call.rejected.push(Rejected { offset: start, length: end - start, line, code, message });
        }
    }

    fn by_pairs(&mut self, call: &mut Call<'_>, start: usize, end: usize) -> Result<(), Refusal> {
        let Input { chunk, router, arrived_unix_ns, .. } = call.input;
        self.scratch.shapes.begin_steps(0, 0);
        self.scratch.traced_to = 0;
        let mut row = call.tables.row(chunk, router);
        if line::read(chunk, start, end, &mut row, &mut self.scratch)? {
            row.commit(end - start, arrived_unix_ns)?;
            let tail = chunk.get(start + self.scratch.traced_to..end).unwrap_or_default();
            self.scratch.shapes.end_trace(tail);
        }
        Ok(())
    }
}

impl crate::Decoder for Decoder {
    fn decode(&mut self, input: Input<'_>, tables: &mut Tables, rejected: &mut Vec<Rejected>) -> usize {
        Self::decode(self, input, tables, rejected)
    }
}

#[cfg(test)]
mod tests;
