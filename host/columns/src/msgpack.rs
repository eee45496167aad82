//! MessagePack: bytes of a connection to rows of [`Tables`].
//!
//! Events are maps, one behind the other or in arrays. An event that is not whole stays in the chunk until it is.
//!
//! # What becomes of what
//! | value | becomes |
//! |---|---|
//! | nil; a key that is not there | no value |
//! | bool, int, uint, float 32 and 64 | Boolean, Int64 (UInt64 above its range), Float64 |
//! | str, bin | Utf8, Binary |
//! | map | columns with dotted names |
//! | array | Utf8: JSON text; in it bin is hex digits, a timestamp ns, another extension `{"type":5,"data":"00ff"}`, a float that is not finite null |
//! | timestamp (extension -1; 4, 8 or 12 bytes) | Timestamp(ns); the event time in its field |
//! | another extension | two columns, `name.type` (Int64) and `name.data` (Binary) |
//! | a key that is a whole number; a bin as a key | its digits; its bytes as text |
//!
//! # What is refused
//! | input | answer |
//! |---|---|
//! | anything but a map as an event | `not_an_object`; such values one behind the other outside of arrays are one rejected event |
//! | 0xc1, which no value begins with | `syntax`; everything to the end of the connection is skipped, since nobody knows where the next event begins |
//! | the input ends inside an event or an array | `cut_off` |
//! | a float of an event that is not finite | `number_out_of_range` |
//! | a text or key that is not UTF-8 | `invalid_utf8` |
//! | a key of another type; one path twice, also where one is nil | `bad_key`; `duplicate_key` |
//! | over a limit of [`Limits`](crate::Limits) | `event_too_long`, `too_deep`, `too_many_keys`, `key_too_long`, `string_too_long`; `too_many_tables` |
//! | a time that is none (a timestamp outside of 1677 to 2262 too); a route field that is no text | `bad_time`; `bad_route`, or what the [`Router`](crate::Router) says |
//!
//! A bad event costs only itself: its end is found without decoding it ([`measure`]), in constant memory however long it is.
//! [`Rejected::line`] is the number of the event, from 1.
//!
//! # How
//! One pass, by hand over the bytes. A map that comes in the shape of one before is compared with it, heads and keys at once ([`shape`](crate::shape)). In others the
//! key that followed last time is compared with what comes; where it fits, nothing is looked up. Values are staged and written when the map has ended.

use self::event::Scratch;
use self::head::{Head, Reader, Stop};
use self::measure::{Measure, Measured};
use self::shaped::Shaped;
use crate::input::Input;
use crate::lanes::Vectors;
use crate::limits::Limits;
use crate::reject::{REJECTED_KEPT_MAX, Refusal, Rejected};
use crate::schema::Object;
use crate::tables::Tables;

mod event;
mod head;
mod measure;
mod shaped;
mod text;

/// Decoder of one connection.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Elements of the array around the events that are still to come; 0: no array.
    array_left: u64,
    /// Events so far, bad ones too.
    events: u64,
    /// The last value outside of arrays was no map and was rejected.
    stray: bool,
    state: State,
    scratch: Scratch,
    vectors: Vectors,
}

#[derive(Debug, Default)]
enum State {
    /// Before a value.
    #[default]
    Ready,
    /// An event is not whole yet; measured up to there in it.
    Held { measure: Measure, measured_to: usize },
    /// In a rejected value.
    Skipping(Measure),
    /// A byte that no value begins with was met.
    Lost,
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
    input: Input<'a>,
    limits: Limits,
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

    /// Returns the number of consumed bytes. A trailing piece of an event stays for the next call, whose chunk starts with it, unless
    /// `end` says that no more will come; it is never longer than `Limits::event_bytes_max`. Bad events are counted in `tables`, and up
    /// to [`REJECTED_KEPT_MAX`] of them are in `rejected`.
    pub fn decode(&mut self, input: Input<'_>, tables: &mut Tables, rejected: &mut Vec<Rejected>) -> usize {
        let limits = tables.settings().limits.clone();
        self.scratch.shapes = std::mem::take(&mut tables.msgpack_shapes);
        let mut call = Call { input, limits, tables, rejected };
        let consumed = self.run(&mut call);
        tables.msgpack_shapes = std::mem::take(&mut self.scratch.shapes);
        if input.end {
            // After the end another input may come.
            *self = Self { scratch: std::mem::take(&mut self.scratch), ..Self::with_vectors(self.vectors) };
        }
        consumed
    }

    fn run(&mut self, call: &mut Call<'_>) -> usize {
        let (bytes, end) = (call.input.chunk, call.input.end);
        let mut at = 0;
        while at < bytes.len() {
            match self.step(call, at) {
                Flow::On(next) => at = next,
                Flow::Hold(from) if end => {
                    let refusal = Refusal::new("cut_off", "the input ends inside a value");
                    self.reject(call, from, bytes.len(), refusal);
                    self.array_left = 0;
                    at = bytes.len();
                }
                Flow::Hold(from) => return from,
            }
        }
        if end && self.array_left > 0 && matches!(self.state, State::Ready) {
            let refusal = Refusal::new("cut_off", "the input ends inside an array");
            self.reject(call, bytes.len(), bytes.len(), refusal);
        }
        bytes.len()
    }

    /// Deals with what starts at `at`.
    fn step(&mut self, call: &mut Call<'_>, at: usize) -> Flow {
        let bytes = call.input.chunk;
        match std::mem::take(&mut self.state) {
            State::Lost => {
                self.state = State::Lost;
                return Flow::On(bytes.len());
            }
            State::Skipping(measure) => return self.skip(call, at, measure),
            State::Held { mut measure, measured_to } => match measure.run(bytes, at + measured_to) {
                Measured::More(to) if !call.input.end && bytes.len() - at <= call.limits.event_bytes_max => {
                    self.state = State::Held { measure, measured_to: to - at };
                    return Flow::Hold(at);
                }
                _ => {}
            },
            State::Ready => {}
        }
        let mut reader = Reader { bytes, at };
        match reader.head() {
            Ok(Head::Map(pairs)) => self.event(call, at, reader, pairs),
            Ok(Head::Array(length)) if self.array_left == 0 => {
                self.array_left = u64::from(length);
                self.stray = false;
                Flow::On(reader.at)
            }
            Ok(_) => {
                let refusal = Refusal::new("not_an_object", "an event must be a map");
                self.refuse(call, at, refusal)
            }
            Err(Stop::Reserved) => self.lose(call, at),
            Err(_) => Flow::Hold(at),
        }
    }

    fn event<'a>(&mut self, call: &mut Call<'a>, at: usize, mut reader: Reader<'a>, pairs: u32) -> Flow {
        self.stray = false;
        let bytes = call.input.chunk;
        let limit = call.limits.event_bytes_max;
        // What is longer is refused whatever is in it, wherever it was cut.
        let bounded = at.saturating_add(limit).min(bytes.len());
        reader.bytes = bytes.get(..bounded).unwrap_or_default();
        let shapes = &mut self.scratch.shapes;
        let shaped = Shaped { input: call.input, tables: &mut *call.tables, shapes, bounded };
        match shaped::take(shaped, at, self.vectors) {
            Ok(Some(end)) => {
                self.events += 1;
                self.element();
                return Flow::On(end);
            }
            Ok(None) => {}
            Err(refusal) => return self.refuse(call, at, refusal),
        }
        self.scratch.shapes.begin_steps(0, 0);
        self.scratch.traced_to = at;
        let mut row = call.tables.row(bytes, call.input.router);
        let read = event::map(&mut reader, pairs, &mut row, Object::ROOT, 1, &mut self.scratch, &call.limits)
            .and_then(|()| Ok(row.commit(reader.at - at, call.input.arrived_unix_ns)?));
        match read {
            Ok(()) => {
                let tail = bytes.get(self.scratch.traced_to..reader.at).unwrap_or_default();
                self.scratch.shapes.end_trace(tail);
                self.events += 1;
                self.element();
                Flow::On(reader.at)
            }
            Err(Stop::Refused(refusal)) => self.refuse(call, at, refusal),
            Err(Stop::Reserved) => self.lose(call, at),
            Err(Stop::Cut) if bounded < bytes.len() || bytes.len() - at > limit => {
                self.refuse(call, at, Refusal::event_too_long(limit))
            }
            Err(Stop::Cut) => {
                let mut measure = Measure::of_value();
                if let Measured::More(to) = measure.run(bytes, at) {
                    self.state = State::Held { measure, measured_to: to - at };
                }
                Flow::Hold(at)
            }
        }
    }

    /// Rejects what starts at `at` and passes over it, as far as it is there.
    fn refuse(&mut self, call: &mut Call<'_>, at: usize, refusal: Refusal) -> Flow {
        let mut measure = Measure::of_value();
        let to = match measure.run(call.input.chunk, at) {
            Measured::End(to) | Measured::More(to) => to,
            Measured::Reserved => call.input.chunk.len(),
        };
        let stray = refusal.code == "not_an_object" && self.array_left == 0;
        if !(stray && self.stray) {
            self.reject(call, at, to, refusal);
        }
        self.stray = stray;
        self.skip(call, at, Measure::of_value())
    }

    /// Passes over the rest of a rejected value.
    fn skip(&mut self, call: &Call<'_>, at: usize, mut measure: Measure) -> Flow {
        match measure.run(call.input.chunk, at) {
            Measured::End(to) => {
                self.element();
                Flow::On(to)
            }
            Measured::More(to) => {
                self.state = State::Skipping(measure);
                if call.input.end || to == call.input.chunk.len() {
                    Flow::On(call.input.chunk.len())
                } else {
                    Flow::Hold(to)
                }
            }
            Measured::Reserved => {
                self.state = State::Lost;
                Flow::On(call.input.chunk.len())
            }
        }
    }

    fn lose(&mut self, call: &mut Call<'_>, at: usize) -> Flow {
        let message =
            "0xc1 is no MessagePack; what follows is skipped, since where the next event begins is not known";
        self.reject(call, at, call.input.chunk.len(), Refusal::new("syntax", message));
        self.state = State::Lost;
        Flow::On(call.input.chunk.len())
    }

    /// A value has ended.
    fn element(&mut self) {
        self.array_left = self.array_left.saturating_sub(1);
    }

    fn reject(&mut self, call: &mut Call<'_>, start: usize, end: usize, refusal: Refusal) {
        self.events += 1;
        call.tables.count_rejected();
        if call.rejected.len() < REJECTED_KEPT_MAX {
            let Refusal { code, message } = refusal;
            call.rejected.push(Rejected {
                offset: start,
                length: end - start,
                line: self.events,
                code,
                message,
            });
        }
    }
}

impl crate::Decoder for Decoder {
    fn decode(&mut self, input: Input<'_>, tables: &mut Tables, rejected: &mut Vec<Rejected>) -> usize {
        Self::decode(self, input, tables, rejected)
    }
}

#[cfg(test)]
mod tests;
