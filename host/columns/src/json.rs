//! JSON: bytes of a connection to rows of [`Tables`].
//!
//! Events are objects: one on a line, one after another, or in an array (`[{...}, {...}]`, over several lines too); white space between
//! them and a byte order mark at the start are skipped. An event that is not whole stays in the chunk until it is. Nested objects become
//! columns with dotted names, arrays text columns with their JSON as it came; null is as if the key were not there. Whole numbers are
//! Int64, above that UInt64, above that Float64; numbers with `.` or an exponent are Float64.
//!
//! # How
//! One pass. Senders repeat themselves byte by byte: between the value of `status` and the value of `latency_ms` there always stands
//! `,"latency_ms":`. So the shape of a row that was taken is remembered, and one comparison of 32 bytes for each value replaces the work on comma, key,
//! colon, nesting, duplicates and the row's end; see [`shape`](crate::shape). A row that leaves all known shapes goes on from there value by value: each leaf field
//! remembers what followed it ([`learned`]), and where that does not fit either, a generic step reads token by token and learns ([`tokens`]). Senders that write their keys in no
//! order are looked at a second way: the frame of the event is found by bits, and the values are read in the order of their fields ([`frame`]). Values are read with vectors ([`lanes`](crate::lanes); AVX2 where the machine has it, else plain Rust, with the
//! same results) and staged; the row is written when its `}` is there.
//!
//! # What is taken and what is refused
//! | input | answer |
//! |---|---|
//! | `{"a":1}`, in lines, one behind the other, in `[ ]` | rows |
//! | byte order mark at the start; white space (space, tab, LF, CR) between tokens | skipped |
//! | an empty object; null; a missing key | a row; no value |
//! | `-0` | the whole number 0; `-0.0` is the float |
//! | whole numbers beyond 64 bits; floats | the nearest float, to the last bit as `str::parse` reads it |
//! | a number that is not finite as f64 | `number_out_of_range` (inside arrays it is kept as text) |
//! | a leading zero, `+1`, `.5`, `1.`, `NaN`, `True`, comments, single quotes, a trailing comma | `syntax` |
//! | an unknown escape, a lone surrogate, a raw control character in a text | `syntax` |
//! | `\u0000` and every other escape | the character |
//! | bytes that are no UTF-8 in a text or key | `invalid_utf8` |
//! | one path twice in an event, also as `{"a":{"b":1},"a.b":2}`, also where one is null | `duplicate_key` (not looked for inside arrays, nor among names for which the table has no room) |
//! | anything but an object as an event | `not_an_object` |
//! | the input ends inside an event or an array | `cut_off` |
//! | over a limit of [`Limits`](crate::Limits) | `event_too_long`, `too_deep`, `too_many_keys`, `key_too_long`, `string_too_long`; `too_many_tables` |
//! | a time that is none; a route field that is no text | `bad_time`; `bad_route`, or what the [`Router`] says |
//!
//! A bad event costs only itself. Where it is whole JSON decoding goes on behind it; where it is not, at the next line, and lines that can
//! only be its rest (they start with a quote or a closing bracket) are skipped with it. Array brackets are then taken loosely, since one of
//! them may have been in what was skipped. Trailing garbage after an event is an event of its own, and refused as `not_an_object`.

use self::held::Held;
use self::rows::Rows;
use self::skip::is_space;
use self::stop::{Cause, Stop};
use crate::input::Input;
use crate::lanes::Vectors;
use crate::reject::{REJECTED_KEPT_MAX, Refusal, Rejected};
use crate::routes::Router;
use crate::tables::Tables;

mod frame;
mod held;
mod keys;
mod learned;
pub(crate) mod number;
mod roles;
mod rows;
mod skip;
mod stop;
mod text;
mod tokens;

pub(crate) use learned::Learned;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Scanner of one connection. What it learns of the senders' habits stays in the [`Tables`].
#[derive(Debug)]
pub struct Scanner {
    place: Place,
    /// The byte order mark is behind us.
    started: bool,
    /// The rest of the line belongs to a rejected event.
    discarding: bool,
    /// Lines that can only be the rest of a rejected event are skipped.
    continues: bool,
    /// Lines before the chunk.
    lines: u64,
    held: Held,
    vectors: Vectors,
}

/// Where we are between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Top,
    /// After `[`.
    ArrayFirst,
    /// After an event in an array.
    ArrayNext,
    /// After a comma in an array.
    ArrayValue,
    /// In an array, after an event that was no JSON.
    ArrayLoose,
}

/// How it goes on.
enum Flow {
    /// From there.
    On(usize),
    /// With more bytes; those from there on are needed again.
    Hold(usize),
}

/// What one call works with.
struct Call<'a> {
    chunk: &'a [u8],
    end: bool,
    arrived_unix_ns: i64,
    router: &'a dyn Router,
    tables: &'a mut Tables,
    rejected: &'a mut Vec<Rejected>,
    /// Up to where the lines were counted.
    lines_counted_to: usize,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    pub fn new() -> Self {
        Self::with_vectors(Vectors::of_the_machine())
    }

    /// A scanner that uses no vectors, though the machine may have them: to compare and to measure.
    pub fn portable() -> Self {
        Self::with_vectors(Vectors::NONE)
    }

    fn with_vectors(vectors: Vectors) -> Self {
        Self {
            place: Place::Top,
            started: false,
            discarding: false,
            continues: false,
            lines: 0,
            held: Held::default(),
            vectors,
        }
    }

    /// Returns the number of consumed bytes. A trailing piece of an event stays for the next call, whose chunk starts with it, unless
    /// `end` says that no more will come; it is never longer than `Limits::event_bytes_max`. Bad events are counted in `tables`, and up
    /// to [`REJECTED_KEPT_MAX`] of them are in `rejected`.
    pub fn scan(&mut self, input: Input<'_>, tables: &mut Tables, rejected: &mut Vec<Rejected>) -> usize {
        let Input { chunk, end, arrived_unix_ns, router } = input;
        let mut call = Call { chunk, end, arrived_unix_ns, router, tables, rejected, lines_counted_to: 0 };
        let consumed = self.run(&mut call);
        self.count_lines(&mut call, consumed);
        if end {
            self.restart();
        }
        consumed
    }

    /// After the end another input may come.
    fn restart(&mut self) {
        *self = Self::with_vectors(self.vectors);
    }

    fn run(&mut self, call: &mut Call<'_>) -> usize {
        let mut at = 0;
        if !self.started {
            match skip_mark(call) {
                Some(after) => at = after,
                None => return 0,
            }
            self.started |= !call.chunk.is_empty();
        }
        loop {
            if self.discarding {
                let Some(newline) = find_newline(call.chunk, at) else { return call.chunk.len() };
                self.discarding = false;
                at = newline;
            }
            let Some((next, byte)) = skip_space(call.chunk, at) else { break };
            at = next;
            match self.step(call, at, byte) {
                Flow::On(next) => at = next,
                Flow::Hold(from) => return from,
            }
        }
        if call.end && !matches!(self.place, Place::Top | Place::ArrayLoose) {
            self.place = Place::Top;
            let refusal = Refusal::new("cut_off", "the input ends inside an array");
            self.reject(call, call.chunk.len(), call.chunk.len(), refusal);
        }
        call.chunk.len()
    }

    /// Deals with what starts at `at`.
    fn step(&mut self, call: &mut Call<'_>, at: usize, byte: u8) -> Flow {
        let limit = call.tables.settings().limits.event_bytes_max;
        if at == 0 && !call.end && !self.held.worth_trying(call.chunk, limit) {
            return Flow::Hold(at);
        }
        if self.continues && matches!(byte, b'"' | b'}') {
            self.discarding = true;
            return Flow::On(at);
        }
        self.continues = false;
        match (byte, self.place) {
            (b'{', Place::Top | Place::ArrayFirst | Place::ArrayValue | Place::ArrayLoose) => {
                return self.events(call, at);
            }
            (b'[', Place::Top | Place::ArrayLoose) => self.place = Place::ArrayFirst,
            (b']', Place::ArrayFirst | Place::ArrayNext | Place::ArrayLoose) => self.place = Place::Top,
            (b',', Place::ArrayNext) => self.place = Place::ArrayValue,
            (b',', Place::ArrayLoose) => {}
            (_, Place::ArrayFirst | Place::ArrayValue) if !matches!(byte, b',' | b']' | b'}') => {
                let refusal = Refusal::new("not_an_object", "an event must be a JSON object");
                return self.refuse(call, at, refusal);
            }
            _ => {
                let refusal = match self.place {
                    Place::Top | Place::ArrayLoose => {
                        Refusal::new("not_an_object", "an event must be a JSON object, `{...}`")
                    }
                    _ => Refusal::new("syntax", "expected `,` or `]` or an object in the array"),
                };
                self.reject_line(call, at, refusal);
                return Flow::On(at);
            }
        }
        Flow::On(at + 1)
    }

    /// Events from the `{` at `at` on, as many as follow each other without more ado.
    fn events(&mut self, call: &mut Call<'_>, at: usize) -> Flow {
        let mut rows = Rows {
            chunk: call.chunk,
            in_array: self.place != Place::Top,
            arrived_unix_ns: call.arrived_unix_ns,
            router: call.router,
            learned: std::mem::take(&mut call.tables.learned),
            tables: &mut *call.tables,
            row_start: at,
            again: false,
        };
        let scanned = run(&mut rows, self.vectors);
        let (start, learned) = (rows.row_start, rows.learned);
        call.tables.learned = learned;
        if start > at {
            self.held.clear();
            if self.place == Place::ArrayFirst {
                self.place = Place::ArrayValue;
            }
        }
        let stop = match scanned {
            Ok(end) => {
                self.held.clear();
                self.after_event();
                return Flow::On(end);
            }
            Err(stop) => stop,
        };
        call.tables.abandon();
        match stop.cause() {
            Cause::Refused(refusal) => self.refuse(call, start, refusal),
            Cause::Cut(_) if !call.end => self.hold(call, start),
            cause => {
                self.reject_line(call, start, cause.into_refusal(start));
                self.continues = true;
                Flow::On(start)
            }
        }
    }

    /// Keeps a piece of an event for the next call, as long as it is not too long.
    fn hold(&mut self, call: &mut Call<'_>, at: usize) -> Flow {
        let piece = call.chunk.get(at..).unwrap_or_default();
        let limit = call.tables.settings().limits.event_bytes_max;
        if piece.len() <= limit {
            self.held.keep(piece);
            return Flow::Hold(at);
        }
        self.reject_line(call, at, Refusal::event_too_long(limit));
        self.continues = true;
        Flow::On(at)
    }

    /// Rejects what starts at `at` and goes on behind it where it is whole JSON, else at the next line.
    fn refuse(&mut self, call: &mut Call<'_>, at: usize, refusal: Refusal) -> Flow {
        match skip::value(call.chunk, at, skip::DEPTH_MAX) {
            Ok(end) => {
                self.held.clear();
                self.reject(call, at, end, refusal);
                self.after_event();
                Flow::On(end)
            }
            Err(stop) if stop.is_cut() && !call.end => self.hold(call, at),
            Err(_) => {
                self.reject_line(call, at, refusal);
                self.continues = true;
                Flow::On(at)
            }
        }
    }

    fn after_event(&mut self) {
        self.place = match self.place {
            Place::ArrayFirst | Place::ArrayValue => Place::ArrayNext,
            other => other,
        };
    }

    /// Rejects what starts at `at` with the rest of its line.
    fn reject_line(&mut self, call: &mut Call<'_>, at: usize, refusal: Refusal) {
        self.held.clear();
        self.discarding = true;
        if self.place != Place::Top {
            self.place = Place::ArrayLoose;
        }
        let line_end = find_newline(call.chunk, at).unwrap_or(call.chunk.len());
        self.reject(call, at, line_end, refusal);
    }

    fn reject(&mut self, call: &mut Call<'_>, start: usize, end: usize, refusal: Refusal) {
        call.tables.count_rejected();
        if call.rejected.len() >= REJECTED_KEPT_MAX {
            return;
        }
        self.count_lines(call, start);
        call.rejected.push(Rejected {
            offset: start,
            length: end - start,
            line: self.lines + 1,
            code: refusal.code,
            message: refusal.message,
        });
    }

    fn count_lines(&mut self, call: &mut Call<'_>, to: usize) {
        let part = call.chunk.get(call.lines_counted_to..to).unwrap_or_default();
        self.lines += memchr::memchr_iter(b'\n', part).count() as u64;
        call.lines_counted_to = call.lines_counted_to.max(to);
    }
}

#[allow(unsafe_code)]
fn run(rows: &mut Rows<'_>, vectors: Vectors) -> Result<usize, Stop> {
    #[cfg(target_arch = "x86_64")]
    if vectors.are_there() {
        // SAFETY: the machine was asked, see `Vectors`.
        return unsafe { rows::run_avx2(rows) };
    }
    let _ = vectors;
    rows::run_portable(rows)
}

/// Where the input starts after a byte order mark; none where the mark may be cut.
fn skip_mark(call: &Call<'_>) -> Option<usize> {
    if call.chunk.starts_with(BYTE_ORDER_MARK) {
        return Some(BYTE_ORDER_MARK.len());
    }
    let cut = !call.end && !call.chunk.is_empty() && BYTE_ORDER_MARK.starts_with(call.chunk);
    (!cut).then_some(0)
}

#[inline]
fn skip_space(chunk: &[u8], at: usize) -> Option<(usize, u8)> {
    let rest = chunk.get(at..)?;
    let found = rest.iter().position(|byte| !is_space(*byte))?;
    Some((at + found, *rest.get(found)?))
}

fn find_newline(chunk: &[u8], at: usize) -> Option<usize> {
    Some(at + memchr::memchr(b'\n', chunk.get(at..)?)?)
}

impl crate::Decoder for Scanner {
    fn decode(&mut self, input: Input<'_>, tables: &mut Tables, rejected: &mut Vec<Rejected>) -> usize {
        Self::scan(self, input, tables, rejected)
    }
}

#[cfg(test)]
mod tests;
