//! Frames of one segment as records.
//!
//! In: frames in their order, whose checksums hold. Out: the records that were written, equal in everything that a flow sees: positions, times, watermarks,
//! columns, identities of dictionaries. A frame that makes no sense, or that needs a description that was lost, is [`Unreadable`] and changes nothing.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use weir_core::batch::{BATCH_ROWS_MAX, Batch, DICTIONARY_ID, Origin, Position, RowIds};
use weir_core::record::{Note, Payload, Record};
use weir_core::triplet::Triplet;

use crate::bytes::Take;
use crate::columns::{self, ints};
use crate::command;
use crate::frame::{Head, Kind};
use crate::note;

/// A frame that cannot be read, though its checksum may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the frame of record {offset} cannot be read")]
pub struct Unreadable {
    pub offset: u64,
}

#[derive(Debug)]
struct Names {
    texts: Vec<Box<str>>,
    /// Of all texts, as long as there are no more.
    array: Option<StringArray>,
}

#[derive(Debug)]
struct Stream {
    triplet: Triplet,
    source: Arc<str>,
    schema: SchemaRef,
    names: Vec<Option<Names>>,
}

/// What the segment has told so far.
#[derive(Debug)]
pub struct Decoder {
    log: u16,
    epoch: u32,
    streams: HashMap<u64, Stream, FixedState>,
}

impl Decoder {
    pub fn new(log: u16, epoch: u32) -> Self {
        Self { log, epoch, streams: HashMap::default() }
    }

    /// `None` for what is no record. Records before `from` are taken in without being made.
    pub fn take(&mut self, head: &Head, payload: &[u8], from: u64) -> Result<Option<Record>, Unreadable> {
        let unreadable = Unreadable { offset: head.offset };
        let mut take = Take(payload);
        if head.kind.is_record() && head.offset < from {
            return Ok(None);
        }
        let payload = match head.kind {
            Kind::Mark | Kind::End => return Ok(None),
            Kind::Stream => {
                let (id, stream) = describe(&mut take).ok_or(unreadable)?;
                self.streams.insert(id, stream);
                return Ok(None);
            }
            Kind::Names => return self.names(&mut take).map(|()| None).ok_or(unreadable),
            Kind::Batch => self.batch(&mut take, head).ok_or(unreadable)?,
            Kind::Tick => Payload::Tick { moved: moved(&mut take, head).ok_or(unreadable)? },
            Kind::Command => {
                take = Take(&[]);
                Payload::Command(command::of(payload).ok_or(unreadable)?)
            }
        };
        let note = noted(&mut take).ok_or(unreadable)?;
        let bytes = match &payload {
            Payload::Batch { batch, .. } => batch.bytes(),
            Payload::Tick { .. } => 64,
            Payload::Command(command) => command.bytes(),
        };
        let position = self.position(head);
        let record = Record::new(position, head.accepted_at_unix_ns, payload, bytes);
        Ok(Some(Record { note, goes_on: head.goes_on, ..record }))
    }

    fn position(&self, head: &Head) -> Position {
        Position { log: self.log, epoch: self.epoch, offset: head.offset }
    }

    fn names(&mut self, take: &mut Take) -> Option<()> {
        let stream = self.streams.get_mut(&take.varint()?)?;
        let index = usize::try_from(take.varint()?).ok()?;
        let names = stream.names.get_mut(index)?.as_mut()?;
        let first = usize::try_from(take.varint()?).ok()?;
        let count = take.count()?;
        let mut texts = Vec::with_capacity(count);
        for _ in 0..count {
            texts.push(Box::from(take.text()?));
        }
        // Names of before a damaged place are missing: batches of this dictionary cannot be read until the next segment.
        if first != names.texts.len() || !take.is_empty() {
            return None;
        }
        names.texts.append(&mut texts);
        names.array = None;
        Some(())
    }

    fn batch(&mut self, take: &mut Take, head: &Head) -> Option<Payload> {
        let stream = self.streams.get_mut(&take.varint()?)?;
        let rows = usize::try_from(take.varint()?).ok().filter(|rows| *rows <= BATCH_ROWS_MAX)?;
        let watermark_before_unix_ns = head.accepted_at_unix_ns.wrapping_add(take.signed()?);
        let watermark_unix_ns = head.accepted_at_unix_ns.wrapping_add(take.signed()?);
        let time = ints::take(take, rows)?.into();
        let fields = stream.schema.fields();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(fields.len());
        for (field, names) in fields.iter().zip(&mut stream.names) {
            let names = names.as_mut().map(Names::array);
            arrays.push(columns::take(take, field.data_type(), rows, names)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = RecordBatch::try_new_with_options(Arc::clone(&stream.schema), arrays, &options).ok()?;
        let batch = Batch {
            triplet: stream.triplet.clone(),
            position: Position { log: self.log, epoch: self.epoch, offset: head.offset },
            accepted_at_unix_ns: head.accepted_at_unix_ns,
            origin: Origin::Source(Arc::clone(&stream.source)),
            row_ids: RowIds::From(0),
            time,
            columns,
            hops: 0,
        };
        Some(Payload::Batch { batch, watermark_before_unix_ns, watermark_unix_ns })
    }
}

impl Names {
    fn array(&mut self) -> &StringArray {
        let Self { texts, array } = self;
        array.get_or_insert_with(|| StringArray::from_iter_values(texts))
    }
}

fn describe(take: &mut Take) -> Option<(u64, Stream)> {
    let id = take.varint()?;
    let triplet = take.text()?.parse().ok()?;
    let source = take.text()?.into();
    let metadata = metadata(take)?;
    let count = take.count()?;
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        let name = take.text()?;
        let data_type = columns::type_of(take.byte()?)?;
        let nullable = take.byte()? == 1;
        fields.push(Field::new(name, data_type, nullable).with_metadata(self::metadata(take)?));
    }
    let identity = |field: &Field| {
        let coded = matches!(field.data_type(), DataType::Dictionary(..));
        let named = coded && field.metadata().contains_key(DICTIONARY_ID);
        named.then(|| Names { texts: Vec::new(), array: None })
    };
    let names = fields.iter().map(identity).collect();
    let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
    take.is_empty().then_some((id, Stream { triplet, source, schema, names }))
}

/// What is behind all else.
fn noted(take: &mut Take) -> Option<Option<Arc<Note>>> {
    if take.is_empty() {
        return Some(None);
    }
    let note = note::of(take.text()?)?;
    take.is_empty().then(|| Some(Arc::new(note)))
}

fn metadata(take: &mut Take) -> Option<std::collections::HashMap<String, String>> {
    let count = take.count()?;
    (0..count).map(|_| Some((take.text()?.to_owned(), take.text()?.to_owned()))).collect()
}

fn moved(take: &mut Take, head: &Head) -> Option<Arc<[(Triplet, i64)]>> {
    let count = take.count()?;
    let one = |_| {
        let triplet = take.text()?.parse().ok()?;
        Some((triplet, head.accepted_at_unix_ns.wrapping_add(take.signed()?)))
    };
    let moved = (0..count).map(one).collect::<Option<Vec<_>>>()?;
    Some(moved.into())
}
