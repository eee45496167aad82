//! The built-in JSON codec: bytes of a connection to rows of a [`Gather`].
//!
//! Events are objects: one on a line, one after another, or in an array (`[{...}, {...}]`, over several lines too); white space between
//! them and a byte order mark at the start are skipped. An event that is not whole stays in the chunk until it is. How an event becomes a
//! row: [`row`]. The parser is jiter; a faster one can stand behind the same trait.
//!
//! A bad event costs only itself. Where it is whole JSON (a key twice, a bad time, over a limit) decoding goes on behind it; where it is
//! not, at the next line, and lines that can only be its rest (they start with a quote or a closing bracket) are skipped with it. Array
//! brackets are then taken loosely, since one of them may have been in what was skipped.
//!
//! Codes of rejected rows: `syntax`, `invalid_utf8`, `not_an_object`, `cut_off` (the input ended), `event_too_long`, `too_deep`,
//! `too_many_keys`, `key_too_long`, `string_too_long`, `duplicate_key`, `number_out_of_range` (not finite as f64), `bad_time`,
//! `no_triplet`, `bad_triplet`, `not_allowed`, `too_many_streams`.
//!
//! Differences from serde_json: `-0` is the integer 0; a key twice is an error, except inside arrays; a number inside an array may be
//! beyond f64, since arrays are kept as text.

use jiter::{Jiter, JiterErrorType, JsonErrorType};

use self::held::Held;
use self::reader::Reader;
use self::row::{Parts, Refusal, Row, Stop};
use super::stream::Stream;
use super::time::TimeReader;
use super::{Decode, Defaults, Gather, REJECTED_KEPT_MAX, Rejected};
use crate::triplet::Triplet;

mod held;
mod reader;
mod row;
#[cfg(test)]
mod tests;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Decoder of one connection.
#[derive(Debug)]
pub struct JsonDecoder {
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
    /// The stream of the last event; most often that of the next one too.
    current: Option<Current>,
    parts: Parts,
    time: TimeReader,
    /// jiter's buffer for texts with escapes.
    tape: Vec<u8>,
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

#[derive(Clone, Debug)]
struct Current {
    number: u32,
    triplet: Triplet,
    /// Bits of the parts that the defaults have the same, so that an event need not name them.
    by_default: u8,
}

/// What one call works with.
struct Call<'a> {
    chunk: &'a [u8],
    end: bool,
    arrived_unix_ns: i64,
    defaults: &'a Defaults,
    gather: &'a mut Gather,
    rejected: &'a mut Vec<Rejected>,
    /// Up to where the lines were counted.
    lines_counted_to: usize,
}

impl Default for JsonDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decode for JsonDecoder {
    fn decode(
        &mut self,
        chunk: &[u8],
        end: bool,
        arrived_unix_ns: i64,
        defaults: &Defaults,
        gather: &mut Gather,
        rejected: &mut Vec<Rejected>,
    ) -> usize {
        gather.use_fields(&defaults.fields);
        self.check_current(defaults, gather);
        let mut call = Call { chunk, end, arrived_unix_ns, defaults, gather, rejected, lines_counted_to: 0 };
        let consumed = self.run(&mut call);
        self.count_lines(&mut call, consumed);
        if end {
            self.restart();
        }
        consumed
    }
}

impl JsonDecoder {
    pub fn new() -> Self {
        Self {
            place: Place::Top,
            started: false,
            discarding: false,
            continues: false,
            lines: 0,
            held: Held::default(),
            current: None,
            parts: Parts::default(),
            time: TimeReader::default(),
            tape: Vec::new(),
        }
    }

    /// After the end another input may come; what was learned stays.
    fn restart(&mut self) {
        self.place = Place::Top;
        self.started = false;
        self.discarding = false;
        self.continues = false;
        self.lines = 0;
        self.held.clear();
    }

    /// Another call may come with another gather or other defaults.
    fn check_current(&mut self, defaults: &Defaults, gather: &Gather) {
        let Some(current) = self.current.take() else { return };
        let same = gather
            .streams
            .get(current.number as usize)
            .is_some_and(|stream| stream.triplet == current.triplet);
        if same && may_write(defaults, &current.triplet) {
            self.current = Some(Current { by_default: by_default(defaults, &current.triplet), ..current });
        }
    }

    fn run(&mut self, call: &mut Call) -> usize {
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
                Some(next) => at = next,
                None => return at,
            }
        }
        if call.end && !matches!(self.place, Place::Top | Place::ArrayLoose) {
            self.place = Place::Top;
            let refusal = Refusal::new("cut_off", "the input ends inside an array".to_owned());
            self.reject(call, call.chunk.len(), call.chunk.len(), refusal);
        }
        call.chunk.len()
    }

    /// Deals with what starts at `at`; answers where it goes on, or none where more bytes are needed.
    fn step(&mut self, call: &mut Call, at: usize, byte: u8) -> Option<usize> {
        if at == 0 && !call.end && !self.held.worth_trying(call.chunk, call.gather.limits.event_bytes_max) {
            return None;
        }
        if self.continues && matches!(byte, b'"' | b'}') {
            self.discarding = true;
            return Some(at);
        }
        self.continues = false;
        match (byte, self.place) {
            (b'{', Place::Top | Place::ArrayFirst | Place::ArrayValue | Place::ArrayLoose) => {
                return self.event(call, at);
            }
            (b'[', Place::Top | Place::ArrayLoose) => self.place = Place::ArrayFirst,
            (b']', Place::ArrayFirst | Place::ArrayNext | Place::ArrayLoose) => self.place = Place::Top,
            (b',', Place::ArrayNext) => self.place = Place::ArrayValue,
            (b',', Place::ArrayLoose) => {}
            (_, Place::ArrayFirst | Place::ArrayValue) if !matches!(byte, b',' | b']' | b'}') => {
                let refusal = Refusal::new("not_an_object", "an event must be a JSON object".to_owned());
                return self.refuse(call, at, refusal);
            }
            _ => {
                let refusal = match self.place {
                    Place::Top | Place::ArrayLoose => {
                        Refusal::new("not_an_object", "an event must be a JSON object, `{...}`".to_owned())
                    }
                    _ => Refusal::new("syntax", "expected `,` or `]` or an object in the array".to_owned()),
                };
                self.reject_line(call, at, refusal);
                return Some(at);
            }
        }
        Some(at + 1)
    }

    fn event(&mut self, call: &mut Call, at: usize) -> Option<usize> {
        let piece = call.chunk.get(at..).unwrap_or_default();
        match self.write_event(call, piece) {
            Ok(length) => {
                self.held.clear();
                self.after_event();
                Some(at + length)
            }
            Err(Stop::Refused(refusal)) => self.refuse(call, at, refusal),
            Err(Stop::Json(error_type, _)) if is_cut(&error_type) && !call.end => self.hold(call, at),
            Err(stop) => {
                let refusal = stop.into_refusal();
                self.reject_line(call, at, refusal);
                self.continues = true;
                Some(at)
            }
        }
    }

    /// Keeps a piece of an event for the next call, as long as it is not too long.
    fn hold(&mut self, call: &mut Call, at: usize) -> Option<usize> {
        let piece = call.chunk.get(at..).unwrap_or_default();
        let limit = call.gather.limits.event_bytes_max;
        if piece.len() <= limit {
            self.held.keep(piece);
            return None;
        }
        self.reject_line(call, at, Refusal::too_long(limit));
        self.continues = true;
        Some(at)
    }

    /// Rejects what starts at `at` and goes on behind it where it is whole JSON, else at the next line.
    fn refuse(&mut self, call: &mut Call, at: usize, refusal: Refusal) -> Option<usize> {
        let piece = call.chunk.get(at..).unwrap_or_default();
        let mut jiter = Jiter::new(piece);
        match jiter.next_skip() {
            // A number that ends with the chunk may go on.
            Ok(()) if jiter.current_index() < piece.len() || call.end || piece.ends_with(b"}") => {
                let length = jiter.current_index();
                self.held.clear();
                self.reject(call, at, at + length, refusal);
                self.after_event();
                Some(at + length)
            }
            Ok(()) => self.hold(call, at),
            Err(error) => match &error.error_type {
                JiterErrorType::JsonError(error_type) if is_cut(error_type) && !call.end => {
                    self.hold(call, at)
                }
                _ => {
                    self.reject_line(call, at, refusal);
                    self.continues = true;
                    Some(at)
                }
            },
        }
    }

    fn after_event(&mut self) {
        self.place = match self.place {
            Place::ArrayFirst | Place::ArrayValue => Place::ArrayNext,
            other => other,
        };
    }

    /// Rejects what starts at `at` with the rest of its line.
    fn reject_line(&mut self, call: &mut Call, at: usize, refusal: Refusal) {
        self.held.clear();
        self.discarding = true;
        if self.place != Place::Top {
            self.place = Place::ArrayLoose;
        }
        let line_end = find_newline(call.chunk, at).unwrap_or(call.chunk.len());
        self.reject(call, at, line_end, refusal);
    }

    fn reject(&mut self, call: &mut Call, start: usize, end: usize, refusal: Refusal) {
        call.gather.count_rejected();
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

    fn count_lines(&mut self, call: &mut Call, to: usize) {
        let part = call.chunk.get(call.lines_counted_to..to).unwrap_or_default();
        // Short pieces, so that the count of each fits a byte and the loop needs no wider lanes.
        let count = |piece: &[u8]| u64::from(piece.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>());
        self.lines += part.chunks(192).map(count).sum::<u64>();
        call.lines_counted_to = call.lines_counted_to.max(to);
    }
}

/// An event into its stream: first as if it were of the same stream and had the same columns as the last, which is most often so.
impl JsonDecoder {
    /// Writes the event at the start of `piece`; its length.
    fn write_event(&mut self, call: &mut Call, piece: &[u8]) -> Result<usize, Stop> {
        if let Some(Current { number, by_default, .. }) = self.current {
            match self.write_row(call, piece, number, by_default, false) {
                Err(Stop::Elsewhere) => {}
                Err(Stop::Learn) => return self.learn_event(call, piece),
                done => return done,
            }
        }
        row::find_parts(piece, &call.defaults.fields, &mut self.parts)?;
        let known = self.parts.text(call.defaults).and_then(|text| call.gather.find(text));
        let Some(number) = known else { return self.learn_event(call, piece) };
        let by_default = self.enter(call, number)?;
        match self.write_row(call, piece, number, by_default, false) {
            Err(Stop::Learn | Stop::Elsewhere) => self.learn_event(call, piece),
            done => done,
        }
    }

    /// An event that brings something new: a stream, a key, a type. It is checked as a whole before anything is learned from it, so that a
    /// bad event leaves nothing behind.
    fn learn_event(&mut self, call: &mut Call, piece: &[u8]) -> Result<usize, Stop> {
        self.survey(call, piece)?;
        let triplet = self.parts.triplet(call.defaults)?;
        if !may_write(call.defaults, &triplet) {
            return Err(not_allowed(&triplet));
        }
        let Some(number) = call.gather.find_or_make(&triplet) else {
            let limit = call.gather.limits.streams_max;
            return Err(Refusal::new(
                "too_many_streams",
                format!("`{triplet}` would be one more than {limit} streams"),
            )
            .into());
        };
        let by_default = self.enter(call, number)?;
        self.write_row(call, piece, number, by_default, true)
    }

    /// Makes a stream the current one, if it may be written; the parts that events of it need not name.
    fn enter(&mut self, call: &Call, number: u32) -> Result<u8, Stop> {
        let triplet = match call.gather.streams.get(number as usize) {
            Some(stream) => stream.triplet.clone(),
            None => return Err(Stop::Learn),
        };
        if !may_write(call.defaults, &triplet) {
            return Err(not_allowed(&triplet));
        }
        let by_default = by_default(call.defaults, &triplet);
        self.current = Some(Current { number, by_default, triplet });
        Ok(by_default)
    }

    fn write_row(
        &mut self,
        call: &mut Call,
        piece: &[u8],
        number: u32,
        by_default: u8,
        learn: bool,
    ) -> Result<usize, Stop> {
        let gather = &mut *call.gather;
        let Some(stream) = gather.streams.get_mut(number as usize) else { return Err(Stop::Learn) };
        let mut reader = Reader::new(piece, std::mem::take(&mut self.tape));
        let mut row = Row::new(stream, &gather.limits, &gather.fields, &mut self.time);
        row.by_default = by_default;
        row.learnable =
            if learn { gather.limits.learned_keys_max.saturating_sub(gather.learned_keys) } else { 0 };
        row.learn = learn;
        let result = row.write(&mut reader);
        let (time_unix_ns, learned, dropped) = (row.time_unix_ns, row.learned, row.dropped);
        let length = reader.index();
        self.tape = reader.into_tape();
        gather.learned_keys += learned;
        if let Err(stop) = result {
            stream.take_back();
            return Err(stop);
        }
        stream.counters.columns_over_limit += dropped;
        gather.commit(number, time_unix_ns.unwrap_or(call.arrived_unix_ns), length, call.arrived_unix_ns);
        Ok(length)
    }

    /// Checks an event as a whole and finds its parts of the triplet, by writing it into builders that are thrown away.
    fn survey(&mut self, call: &mut Call, piece: &[u8]) -> Result<(), Stop> {
        let scratch_triplet = Triplet::new("-", "-", "-").map_err(|_| Stop::Learn)?;
        let mut scratch = Stream::new(scratch_triplet);
        let mut limits = call.gather.limits.clone();
        limits.columns_max = limits.keys_max;
        let mut reader = Reader::new(piece, std::mem::take(&mut self.tape));
        self.parts.clear();
        let mut row = Row::new(&mut scratch, &limits, &call.gather.fields, &mut self.time);
        row.learn = true;
        row.learnable = usize::MAX;
        row.parts = Some(&mut self.parts);
        let result = row.write(&mut reader);
        self.tape = reader.into_tape();
        result
    }
}

fn may_write(defaults: &Defaults, triplet: &Triplet) -> bool {
    defaults.may_write.iter().any(|selector| selector.matches(triplet))
}

fn not_allowed(triplet: &Triplet) -> Stop {
    Refusal::new("not_allowed", format!("the source may not write `{triplet}`; see its `may_write`")).into()
}

fn by_default(defaults: &Defaults, triplet: &Triplet) -> u8 {
    let Some(default) = &defaults.triplet else { return 0 };
    u8::from(default.application() == triplet.application())
        | u8::from(default.environment() == triplet.environment()) << 1
        | u8::from(default.event_type() == triplet.event_type()) << 2
}

/// Whether an error may go away when more bytes come.
fn is_cut(error_type: &JsonErrorType) -> bool {
    use JsonErrorType::{
        EofWhileParsingList, EofWhileParsingObject, EofWhileParsingString, EofWhileParsingValue,
    };
    matches!(
        error_type,
        EofWhileParsingList | EofWhileParsingObject | EofWhileParsingString | EofWhileParsingValue
    )
}

/// Where the input starts after a byte order mark; none where the mark may be cut.
fn skip_mark(call: &Call) -> Option<usize> {
    if call.chunk.starts_with(BYTE_ORDER_MARK) {
        return Some(BYTE_ORDER_MARK.len());
    }
    let cut = !call.end && !call.chunk.is_empty() && BYTE_ORDER_MARK.starts_with(call.chunk);
    (!cut).then_some(0)
}

#[inline]
fn skip_space(chunk: &[u8], at: usize) -> Option<(usize, u8)> {
    let rest = chunk.get(at..)?;
    let found = rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))?;
    Some((at + found, *rest.get(found)?))
}

fn find_newline(chunk: &[u8], at: usize) -> Option<usize> {
    Some(at + chunk.get(at..)?.iter().position(|byte| *byte == b'\n')?)
}
