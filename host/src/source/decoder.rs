//! One thread's decoding: bytes of many connections or bodies in, batches out to the log.
//!
//! In: a [`Decoder`] per thread, with one builder per stream, and an [`Input`] per connection. Out: batches, to the [`Outlet`], full ones at
//! once, others when they are due or asked for. Bytes are read into the thread's one buffer behind what the connection had left over and are
//! decoded where they lie; only the unfinished last event is copied, so that a quiet connection holds no buffer. Rejected rows are
//! counted, kept (bounded, see [`RejectedRows`](super::RejectedRows)), and the first of each connection logged. Limits are those of the
//! codec: what an input keeps is never longer than one event may be.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use weir_core::batch::Incoming;
use weir_core::codec::{
    self, Decode, Defaults, FieldNames, Gather, JsonDecoder, Limits, Rejected, StreamCounters,
};
use weir_core::config::{Durability, Framing, SourceKind, SourceSpec};
use weir_core::record::Note;
use weir_core::triplet::Triplet;

use super::check::Codecs;
use super::{Outlet, RejectedRow};
use crate::intake::{Receipt, SourceCounters, Took};
use crate::units::codec::{CodecMaker, ComponentDecoder, WasmCodec};

mod reasons;

use reasons::{Piece, note_rejected};

/// Bytes of one read: large enough that the system call is nothing per event, small enough to stay in a core's cache.
pub const READ_BYTES: usize = 128 << 10;

/// An unfinished event longer than this gives its memory back once it is whole.
const TAIL_KEPT_BYTES_MAX: usize = 4 << 10;

/// Longest message with a length before it: that of one event, which is what a connection may keep.
pub const FRAME_BYTES_MAX: usize = 256 << 10;

const LENGTH_BYTES: usize = 4;

/// Name of a member that no event has: the codec rejects names of that length.
const NO_MEMBER_BYTES: usize = 1_024;

/// What all decoders of a source start with.
#[derive(Clone)]
pub struct Feed {
    defaults: Defaults,
    framing: Framing,
    codec: Arc<str>,
    /// Where the codec is a component.
    component: Option<CodecMaker>,
    /// Senders of bodies are told how many of their events came before.
    tells_duplicates: bool,
}

impl Feed {
    /// Events may name their stream themselves.
    pub fn new(spec: &SourceSpec, codecs: &Codecs) -> Self {
        let names = &spec.fields;
        let fields = FieldNames {
            application: names.application.as_str().into(),
            environment: names.environment.as_str().into(),
            event_type: names.event_type.as_str().into(),
            time: names.time.as_str().into(),
        };
        let (source, triplet) = (spec.name.clone(), spec.triplet.clone());
        let framing = match spec.kind {
            SourceKind::Tcp { framing, .. } => framing,
            _ => Framing::Codec,
        };
        let defaults = Defaults { source, triplet, fields, may_write: spec.may_write.clone() };
        let (codec, component) = (spec.codec.uses.as_str().into(), codecs.of(&spec.name));
        Self { defaults, framing, codec, component, tells_duplicates: spec.dedup.is_some() }
    }

    /// The stream is named from outside, so that the members that would name it are ordinary fields.
    pub fn of_paths(spec: &SourceSpec, codecs: &Codecs) -> Self {
        let mut feed = Self::new(spec, codecs);
        let [application, environment, event_type] =
            ['1', '2', '3'].map(|n| String::from(n).repeat(NO_MEMBER_BYTES).into());
        let time = feed.defaults.fields.time;
        feed.defaults.fields = FieldNames { application, environment, event_type, time };
        feed
    }

    /// The codec of what does not say its own.
    pub fn codec(&self) -> &Arc<str> {
        &self.codec
    }
}

/// What one connection leaves from one read to the next.
pub struct Input {
    codec: Box<dyn Decode>,
    /// The unfinished event at the end of the last read.
    tail: Vec<u8>,
    /// Where in the connection `tail` begins.
    offset_bytes: u64,
    pub accepted_total: u64,
    pub rejected_total: u64,
    pub asks: Asks,
}

impl Input {
    /// What is here of an event that is not whole yet.
    pub fn unfinished_bytes(&self) -> usize {
        self.tail.len()
    }
}

/// Whether the sender wants to be told what is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Asks {
    #[default]
    No,
    /// Its first line says it.
    Perhaps,
    Yes,
}

/// The first line of a connection that wants to be told. No codec begins an event like this, nor is it a length that is taken.
const ASK: &[u8] = b"weir ack\n";

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    /// 0: the sender closed.
    pub bytes: usize,
    /// Whether an event or white space ended in it.
    pub progress: bool,
    /// Where the next event begins cannot be known: the connection is of no more use.
    pub out_of_step: bool,
}

/// What became of one body or message.
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
    feed: Feed,
    /// The thread's one instance of a codec that is a component.
    component: Option<Arc<Mutex<WasmCodec>>>,
    gather: Gather,
    buffer: Vec<u8>,
    /// Empty between two calls.
    rejected: Vec<Rejected>,
    /// As last seen in the gather.
    lost_total: u64,
    /// Of all that was handed over since it was last taken.
    receipt: Receipt,
    /// What is handed over is promised to be.
    pub durability: Durability,
    /// Whose rows wait, where a sender is told how many of its own came before.
    owners: Option<Owners>,
    /// Rows leave only when they are asked for.
    holds: bool,
}

/// Rows in the builders, by stream, and which body they are of.
#[derive(Default)]
struct Owners {
    waiting: HashMap<Triplet, VecDeque<(usize, usize)>>,
    /// By number of the body.
    duplicates: Vec<u64>,
}

impl Owners {
    fn came(&mut self, triplet: &Triplet, rows: u64) {
        let number = self.duplicates.len();
        self.duplicates.push(0);
        self.waiting.entry(triplet.clone()).or_default().push_back((number, rows as usize));
    }

    /// A batch left; these of its rows came before.
    fn left(&mut self, triplet: &Triplet, rows: usize, duplicates: &[u32]) {
        let Some(waiting) = self.waiting.get_mut(triplet) else { return };
        let (mut at, mut duplicates) = (0, duplicates.iter().copied().peekable());
        while at < rows
            && let Some((number, own)) = waiting.front_mut()
        {
            let count = (*own).min(rows - at);
            at += count;
            while duplicates.next_if(|row| (*row as usize) < at).is_some() {
                if let Some(told) = self.duplicates.get_mut(*number) {
                    *told += 1;
                }
            }
            *own -= count;
            if *own == 0 {
                waiting.pop_front();
            }
        }
    }
}

impl Decoder {
    pub fn new(outlet: Outlet, feed: &Feed) -> Self {
        let gather = Gather::new(Limits::default(), outlet.name.clone());
        let component = feed.component.clone().map(|maker| Arc::new(Mutex::new(WasmCodec::new(maker))));
        let (feed, durability) = (feed.clone(), outlet.durability);
        let (buffer, rejected, receipt) = (Vec::new(), Vec::new(), Receipt::default());
        Self {
            outlet,
            feed,
            component,
            gather,
            buffer,
            rejected,
            lost_total: 0,
            receipt,
            durability,
            owners: None,
            holds: false,
        }
    }

    pub fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// The beginning of a connection or of another run of bytes.
    pub fn input(&self) -> Input {
        self.input_of(&self.feed.codec)
    }

    /// The same in another codec: a built-in one, or that of the source.
    fn input_of(&self, codec: &str) -> Input {
        let component = self.component.as_ref().filter(|_| *codec == *self.feed.codec);
        let codec: Box<dyn Decode> = match component {
            Some(instance) => Box::new(ComponentDecoder::new(Arc::clone(instance))),
            // The name was checked at the start.
            None => codec::decoder(codec).unwrap_or_else(|| Box::new(JsonDecoder::new())),
        };
        Input {
            codec,
            tail: Vec::new(),
            offset_bytes: 0,
            accepted_total: 0,
            rejected_total: 0,
            asks: Asks::No,
        }
    }

    /// Lets `read` fill a buffer and decodes what it brought; 0 bytes end the input. An error of `read` changes nothing.
    pub fn read(
        &mut self,
        input: &mut Input,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Brought> {
        let mut buffer = mem::take(&mut self.buffer);
        let brought = self.fill(&mut buffer, input, read).map(|bytes| {
            let chunk = buffer.get(..input.tail.len() + bytes).unwrap_or_default();
            self.take(input, chunk, bytes)
        });
        self.buffer = buffer;
        brought
    }

    /// Puts what was left over before what comes.
    fn fill(
        &mut self,
        buffer: &mut Vec<u8>,
        input: &Input,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let held = input.tail.len();
        if buffer.len() < held + READ_BYTES {
            buffer.resize(held + READ_BYTES, 0);
        }
        let (front, rest) = buffer.split_at_mut(held);
        let bytes = read(rest.get_mut(..READ_BYTES).unwrap_or_default())?;
        front.copy_from_slice(&input.tail);
        Ok(bytes)
    }

    /// The rest behind the line that asks; none: it may still become one.
    fn asked<'a>(input: &mut Input, chunk: &'a [u8], end: bool) -> Option<&'a [u8]> {
        if input.asks != Asks::Perhaps {
            return Some(chunk);
        }
        if let Some(rest) = chunk.strip_prefix(ASK) {
            input.asks = Asks::Yes;
            return Some(rest);
        }
        if !end && ASK.starts_with(chunk) {
            return None;
        }
        input.asks = Asks::No;
        Some(chunk)
    }

    fn take(&mut self, input: &mut Input, chunk: &[u8], bytes: usize) -> Brought {
        let Some(rest) = Self::asked(input, chunk, bytes == 0) else {
            SourceCounters::add(&self.outlet.counters.bytes_total, bytes as u64);
            input.tail = chunk.to_vec();
            return Brought { bytes, progress: false, out_of_step: false };
        };
        input.offset_bytes += (chunk.len() - rest.len()) as u64;
        let chunk = rest;
        let (consumed, out_of_step) = match self.feed.framing {
            Framing::Codec => {
                let consumed = self.decode(input, chunk, bytes == 0, 0).consumed;
                (consumed, input.codec.is_lost())
            }
            Framing::Length => self.frames(input, chunk, bytes == 0),
        };
        input.tail.clear();
        let left = chunk.get(consumed..).unwrap_or_default();
        if left.len() < TAIL_KEPT_BYTES_MAX && input.tail.capacity() > TAIL_KEPT_BYTES_MAX {
            input.tail = Vec::new();
        }
        input.tail.extend_from_slice(left);
        SourceCounters::add(&self.outlet.counters.bytes_total, bytes as u64);
        input.offset_bytes += consumed as u64;
        self.send_full();
        Brought { bytes, progress: consumed > 0, out_of_step }
    }

    /// Takes what is left of an input as its last event.
    pub fn finish(&mut self, input: &mut Input) {
        if !input.tail.is_empty() {
            // Cannot fail: nothing is read.
            let _ = self.read(input, |_| Ok(0));
        }
    }

    /// Decodes a message that is whole.
    pub fn message(&mut self, input: &mut Input, message: &[u8], first_max: usize) -> Taken {
        let decoded = self.decode(input, message, true, first_max);
        SourceCounters::add(&self.outlet.counters.bytes_total, message.len() as u64);
        input.offset_bytes += message.len() as u64;
        self.send_full();
        decoded.taken
    }

    /// Decodes a whole body into one stream. Its events leave with [`Self::flush_all`] at the latest.
    pub fn feed_body(&mut self, triplet: &Triplet, codec: &str, body: &[u8], first_max: usize) -> Taken {
        self.feed.defaults.triplet = Some(triplet.clone());
        let mut input = self.input_of(codec);
        let decoded = self.decode(&mut input, body, true, first_max);
        if self.feed.tells_duplicates {
            self.owners.get_or_insert_default().came(triplet, decoded.taken.accepted);
        }
        self.send_full();
        decoded.taken
    }

    /// The same for a body that is in the log as a whole, with a note, or not at all. Returns how many of its rows came before, too.
    pub fn feed_noted(
        &mut self,
        triplet: &Triplet,
        codec: &str,
        body: &[u8],
        first_max: usize,
        note: impl FnOnce(&Taken) -> Note,
    ) -> (Taken, u64) {
        self.flush_all();
        self.feed.defaults.triplet = Some(triplet.clone());
        let mut input = self.input_of(codec);
        let taken = self.decode(&mut input, body, true, first_max).taken;
        let (batches, note) = (self.gather.take_all(), note(&taken));
        let took = self.hand_over(batches, Some(note));
        (taken, took.duplicate_rows() as u64)
    }

    /// By number of the body since the last call: how many of its rows came before. Empty where nobody asks.
    pub fn take_duplicates(&mut self) -> Vec<u64> {
        self.owners.take().map(|owners| owners.duplicates).unwrap_or_default()
    }

    /// What is handed over next waits for this too.
    pub fn also_wait(&mut self, receipt: Receipt) {
        self.receipt = receipt.after(mem::take(&mut self.receipt));
    }

    /// From here on rows leave only with [`Self::flush_noted`].
    pub fn hold(&mut self) {
        self.holds = true;
    }

    /// Whether rows are due, or a batch is full.
    pub fn is_due(&self) -> bool {
        let now_unix_ns = self.outlet.accept.now_unix_ns();
        self.gather.next_due_unix_ns().is_some_and(|due| due <= now_unix_ns)
    }

    /// Hands over all rows, and what is true once they are in the log.
    pub fn flush_noted(&mut self, note: Note) {
        let batches = self.gather.take_all();
        self.hand_over(batches, Some(note));
    }

    /// Decodes a piece of an input that begins where the input stands.
    fn decode(&mut self, input: &mut Input, chunk: &[u8], end: bool, first_max: usize) -> Decoded {
        let arrived_unix_ns = self.outlet.accept.now_unix_ns();
        let Self { outlet, feed, gather, rejected, .. } = self;
        let (rows, bad) = (gather.rows_total(), gather.rejected_total());
        let consumed = input.codec.decode(chunk, end, arrived_unix_ns, &feed.defaults, gather, rejected);
        let (accepted, bad) = (gather.rows_total() - rows, gather.rejected_total() - bad);
        input.accepted_total += accepted;
        let mut taken = Taken { accepted, rejected: bad, first: Vec::new() };
        if bad > 0 {
            let piece = Piece { chunk, offset_bytes: input.offset_bytes, arrived_unix_ns };
            let stream = feed.defaults.triplet.as_ref();
            let before = &mut input.rejected_total;
            taken.first = note_rejected(outlet, stream, piece, rejected, bad, before, first_max);
        }
        Decoded { consumed, taken }
    }

    /// Decodes the messages of a chunk, each with its length before it. Returns the bytes that are done with, and whether a length cannot be one.
    fn frames(&mut self, input: &mut Input, chunk: &[u8], end: bool) -> (usize, bool) {
        let begin_bytes = input.offset_bytes;
        let mut rest = chunk;
        let mut out_of_step = false;
        while let Some((head, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_be_bytes(*head) as usize;
            if length > FRAME_BYTES_MAX {
                let message = format!(
                    "a message says that it has {length} bytes, at most {FRAME_BYTES_MAX} are taken; \
                     put the length of each message before it, as u32 big endian"
                );
                input.offset_bytes = begin_bytes + (chunk.len() - rest.len()) as u64;
                self.reject_rest(input, rest, "frame_too_long", message);
                (rest, out_of_step) = (&[], true);
                break;
            }
            let Some((message, next)) = after.split_at_checked(length) else { break };
            let done = (chunk.len() - after.len()) as u64;
            input.offset_bytes = begin_bytes + done;
            self.decode(input, message, true, 0);
            rest = next;
        }
        input.offset_bytes = begin_bytes + (chunk.len() - rest.len()) as u64;
        if end && !rest.is_empty() {
            self.reject_rest(input, rest, "cut_off", "the input ends inside a message".to_owned());
            rest = &[];
        }
        input.offset_bytes = begin_bytes;
        (chunk.len() - rest.len(), out_of_step)
    }

    /// One rejected row for bytes that no codec saw.
    fn reject_rest(&mut self, input: &mut Input, rest: &[u8], code: &'static str, message: String) {
        let arrived_unix_ns = self.outlet.accept.now_unix_ns();
        let piece = Piece { chunk: rest, offset_bytes: input.offset_bytes, arrived_unix_ns };
        let mut one = vec![Rejected { offset: 0, length: rest.len(), line: 1, code, message }];
        let stream = self.feed.defaults.triplet.as_ref();
        note_rejected(&self.outlet, stream, piece, &mut one, 1, &mut input.rejected_total, 0);
    }

    /// Hands over what is due. Returns how long until something is; none while no row waits.
    pub fn flush_due(&mut self) -> Option<Duration> {
        let now_unix_ns = self.outlet.accept.now_unix_ns();
        if !self.holds {
            let due = self.gather.take_due(now_unix_ns);
            self.send(due);
        }
        let wait_ns = self.gather.next_due_unix_ns()?.saturating_sub(now_unix_ns);
        Some(Duration::from_nanos(wait_ns.max(0).unsigned_abs()))
    }

    pub fn flush_all(&mut self) {
        let all = self.gather.take_all();
        self.send(all);
    }

    /// For all that was handed over since the last call.
    pub fn take_receipt(&mut self) -> Receipt {
        mem::take(&mut self.receipt)
    }

    /// Whether rows wait in the builders.
    pub fn holds_rows(&self) -> bool {
        self.gather.next_due_unix_ns().is_some()
    }

    fn send_full(&mut self) {
        if self.holds {
            return;
        }
        let full = self.gather.take_full();
        self.send(full);
    }

    fn send(&mut self, batches: Vec<Incoming>) {
        self.hand_over(batches, None);
    }

    fn hand_over(&mut self, batches: Vec<Incoming>, note: Option<Note>) -> Took {
        let lost = self.gather.lost_total() - self.lost_total;
        if lost > 0 {
            self.lost_total += lost;
            SourceCounters::add(&self.outlet.counters.rejected_total, lost);
            tracing::error!(source = %self.outlet.name, rows = lost, "events lost: their batch could not be built");
        }
        let changes = self.changes(&batches);
        let left: Vec<(Triplet, usize)> = match &self.owners {
            Some(_) if note.is_none() => {
                batches.iter().map(|batch| (batch.triplet.clone(), batch.rows())).collect()
            }
            _ => Vec::new(),
        };
        let mut took = self.outlet.send_as(batches, self.durability, note);
        if let Some(owners) = &mut self.owners {
            let duplicates = |number: usize| took.duplicates.iter().find(|(batch, _)| *batch == number);
            for (number, (triplet, rows)) in left.iter().enumerate() {
                let duplicates = duplicates(number).map(|(_, rows)| rows.as_slice());
                owners.left(triplet, *rows, duplicates.unwrap_or_default());
            }
        }
        self.receipt = mem::take(&mut took.receipt).after(mem::take(&mut self.receipt));
        if !changes.is_empty() {
            self.outlet.accept.note(changes);
        }
        took
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

struct Decoded {
    consumed: usize,
    taken: Taken,
}

#[cfg(test)]
mod tests;
