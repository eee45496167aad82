//! Records as the frames of one segment.
//!
//! In: records in the order of their offsets. Out: frames, appended to a `Vec<u8>`; a batch is preceded by the description of its stream where the segment has
//! none yet, and by the names that its dictionaries got since. Everything that is needed to read a segment stands in it. Batches must be as the sequencer
//! makes them: from a source, rows numbered from 0. Others are refused, and nothing is written of them.
//!
//! Cost: some 10 to 15 ns per event at 1,024 rows; `cargo run --release -p weir-journal --example speed` measures it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Metadata, SchemaRef};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use weir_core::batch::{Batch, DICTIONARY_ID, Origin, RowIds};
use weir_core::record::{Payload, Record};
use weir_core::triplet::Triplet;

use crate::bytes::{put_bytes, put_signed, put_varint};
use crate::columns::{self, ints};
use crate::command;
use crate::frame::{self, Entry, Kind};
use crate::note;

/// Streams described in one segment; one more ends it.
pub const STREAMS_MAX: usize = 65_536;

/// Why a record is not written: a mistake of the program, never of what came in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    #[error("record {offset}: only batches of sources are written, with their rows numbered from 0")]
    NotOfSource { offset: u64 },
    #[error("record {offset}: column `{column}` has the type {data_type}, which batches do not have")]
    Type { offset: u64, column: String, data_type: String },
}

#[derive(Debug)]
struct Stream {
    id: u32,
    schema: SchemaRef,
    /// Names written so far of each column that is a dictionary with an identity.
    names: Vec<Option<usize>>,
}

/// What has been written to the segment so far.
#[derive(Debug, Default)]
pub struct Encoder {
    /// By triplet and source the descriptions of their batches, the one used last in front: decoders of several threads have dictionaries of their own, and
    /// so columns of their own.
    streams: HashMap<(Triplet, Arc<str>), Vec<Stream>, FixedState>,
    described: u32,
    frames: Frames,
}

/// Counts the frames.
#[derive(Debug, Default)]
struct Frames(u32);

impl Encoder {
    pub fn is_full(&self) -> bool {
        self.described as usize >= STREAMS_MAX
    }

    pub fn put(&mut self, out: &mut Vec<u8>, record: &Record) -> Result<(), Unwritable> {
        match &record.payload {
            Payload::Batch { batch, watermark_before_unix_ns, watermark_unix_ns } => {
                self.batch(out, record, batch, [*watermark_before_unix_ns, *watermark_unix_ns])
            }
            Payload::Tick { moved } => {
                let at = frame::begin(out);
                put_varint(out, moved.len() as u64);
                for (triplet, watermark_unix_ns) in moved.iter() {
                    put_bytes(out, triplet.as_str().as_bytes());
                    put_signed(out, watermark_unix_ns.wrapping_sub(record.accepted_at_unix_ns));
                }
                put_note(out, record);
                self.frames.close(out, at, Kind::Tick, record);
                Ok(())
            }
            Payload::Command(command) => {
                let at = frame::begin(out);
                command::put(out, command);
                self.frames.close(out, at, Kind::Command, record);
                Ok(())
            }
        }
    }

    /// `kind` is `Mark` or `End`; `offset` is the next record's.
    pub fn mark(&mut self, out: &mut Vec<u8>, kind: Kind, offset: u64, durable_bytes: u64) {
        let at = frame::begin(out);
        out.extend_from_slice(&durable_bytes.to_le_bytes());
        let entry = Entry { kind, number: self.frames.0, offset, accepted_at_unix_ns: 0, goes_on: false };
        frame::close(out, at, entry);
        self.frames.0 += 1;
    }

    /// Takes the newest mark back, which was not written.
    pub fn unmark(&mut self) {
        self.frames.0 = self.frames.0.saturating_sub(1);
    }

    fn batch(
        &mut self,
        out: &mut Vec<u8>,
        record: &Record,
        batch: &Batch,
        watermarks_unix_ns: [i64; 2],
    ) -> Result<(), Unwritable> {
        let not_of_source = Unwritable::NotOfSource { offset: record.position.offset };
        let (Origin::Source(source), RowIds::From(0), 0) = (&batch.origin, &batch.row_ids, batch.hops) else {
            return Err(not_of_source);
        };
        let Self { streams, described, frames } = self;
        let streams = streams.entry((batch.triplet.clone(), Arc::clone(source))).or_default();
        let schema = batch.columns.schema_ref();
        let same = |stream: &Stream| Arc::ptr_eq(&stream.schema, schema);
        match streams
            .iter()
            .position(same)
            .or_else(|| streams.iter().position(|stream| stream.schema == *schema))
        {
            Some(known) => streams.swap(0, known),
            None => {
                check_types(record, &batch.columns)?;
                streams.insert(0, frames.describe(out, record, batch, source, *described));
                *described += 1;
            }
        }
        let Some(stream) = streams.first_mut() else { return Err(not_of_source) };
        for (index, column) in batch.columns.columns().iter().enumerate() {
            frames.names(out, record, stream, index, column);
        }
        let at = frame::begin(out);
        put_varint(out, u64::from(stream.id));
        put_varint(out, batch.rows() as u64);
        for watermark_unix_ns in watermarks_unix_ns {
            put_signed(out, watermark_unix_ns.wrapping_sub(record.accepted_at_unix_ns));
        }
        ints::put(out, &batch.time);
        for (column, names) in batch.columns.columns().iter().zip(&stream.names) {
            columns::put(out, column, names.is_some());
        }
        put_note(out, record);
        frames.close(out, at, Kind::Batch, record);
        Ok(())
    }
}

impl Frames {
    fn close(&mut self, out: &mut [u8], at: usize, kind: Kind, record: &Record) {
        let entry = Entry {
            kind,
            number: self.0,
            offset: record.position.offset,
            accepted_at_unix_ns: record.accepted_at_unix_ns,
            goes_on: record.goes_on && kind.is_record(),
        };
        frame::close(out, at, entry);
        self.0 += 1;
    }

    fn describe(
        &mut self,
        out: &mut Vec<u8>,
        record: &Record,
        batch: &Batch,
        source: &str,
        id: u32,
    ) -> Stream {
        let schema = batch.columns.schema();
        let at = frame::begin(out);
        put_varint(out, u64::from(id));
        put_bytes(out, batch.triplet.as_str().as_bytes());
        put_bytes(out, source.as_bytes());
        put_metadata(out, schema.metadata());
        put_varint(out, schema.fields().len() as u64);
        for field in schema.fields() {
            put_bytes(out, field.name().as_bytes());
            out.push(columns::type_code(field.data_type()).unwrap_or_default());
            out.push(u8::from(field.is_nullable()));
            put_metadata(out, field.metadata());
        }
        self.close(out, at, Kind::Stream, record);
        let names = schema.fields().iter().map(|field| has_identity(field).then_some(0)).collect();
        Stream { id, schema, names }
    }

    /// The names that a dictionary got since they were last written.
    fn names(
        &mut self,
        out: &mut Vec<u8>,
        record: &Record,
        stream: &mut Stream,
        index: usize,
        column: &ArrayRef,
    ) {
        let Some(Some(written)) = stream.names.get_mut(index) else { return };
        let names = column.as_dictionary::<UInt32Type>().values().as_string::<i32>();
        if names.len() <= *written {
            return;
        }
        let at = frame::begin(out);
        put_varint(out, u64::from(stream.id));
        put_varint(out, index as u64);
        put_varint(out, *written as u64);
        put_varint(out, (names.len() - *written) as u64);
        for name in names.iter().skip(*written) {
            put_bytes(out, name.unwrap_or_default().as_bytes());
        }
        self.close(out, at, Kind::Names, record);
        *written = names.len();
    }
}

/// Behind all else, and only where there is one.
fn put_note(out: &mut Vec<u8>, record: &Record) {
    if let Some(note) = &record.note {
        put_bytes(out, note::text(note).as_bytes());
    }
}

fn has_identity(field: &Field) -> bool {
    field.metadata().contains_key(DICTIONARY_ID) && columns::type_code(field.data_type()) == Some(8)
}

fn check_types(record: &Record, columns: &RecordBatch) -> Result<(), Unwritable> {
    let schema = columns.schema_ref();
    let unknown = schema.fields().iter().find(|field| columns::type_code(field.data_type()).is_none());
    match unknown {
        None => Ok(()),
        Some(field) => Err(Unwritable::Type {
            offset: record.position.offset,
            column: field.name().clone(),
            data_type: field.data_type().to_string(),
        }),
    }
}

fn put_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    let mut pairs: Vec<_> = metadata.iter().collect();
    pairs.sort_unstable();
    put_varint(out, pairs.len() as u64);
    for (key, value) in pairs {
        put_bytes(out, key.as_bytes());
        put_bytes(out, value.as_bytes());
    }
}
