//! What `weir journal ls|verify|cat|export` show: a folder read without a host, or beside one that writes.
//!
//! In: a folder. Out: what its segments are ([`ls`]), every place that is not what was written and every hole ([`verify`]), its records as lines of JSON
//! ([`cat`]) or its events as they could be sent again ([`export`]). Nothing is changed, and nothing is held but one window of one file. At the end of the
//! last file of a running host there may be bytes that are no frame yet; they are told apart from damage.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::{Map, Value, json};
use weir_core::batch::Batch;
use weir_core::record::{Payload, Record};
use weir_disk::Disk;

use crate::open::{Found, inspect};
use crate::reader::{Item, Reader};
use crate::scan::Scan;
use crate::segment::{self, SegmentName};
use crate::{Damaged, command, note};

/// One line of `ls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: SegmentName,
    pub bytes: u64,
    pub packed: bool,
    pub created_at_unix_ns: Option<i64>,
}

pub fn ls(disk: &dyn Disk) -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for name in segment::list(disk)? {
        let scan = match Scan::open(disk, name) {
            // Removed or set apart since the listing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let header = scan.header;
        listed.push(Listed {
            name,
            bytes: scan.len(),
            packed: header.is_some_and(|header| header.packed),
            created_at_unix_ns: header.map(|header| header.created_at_unix_ns),
        });
    }
    Ok(listed)
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub segments: u64,
    pub bytes: u64,
    pub records: u64,
    pub events: u64,
    pub damaged: Vec<Damaged>,
    /// Offsets from and up to which there are no records.
    pub holes: Vec<(u64, u64)>,
    /// At the end of the last file: not written to the end yet, or torn.
    pub tail_bytes: u64,
}

impl Verified {
    pub fn is_good(&self) -> bool {
        self.damaged.is_empty() && self.holes.is_empty()
    }
}

/// Reads all of it twice: the frames of each file, and the records in their order.
pub fn verify(disk: Arc<dyn Disk>) -> io::Result<Verified> {
    let segments = segment::list(&*disk)?;
    let mut verified = Verified { segments: segments.len() as u64, ..Verified::default() };
    for name in &segments {
        match inspect(&*disk, *name) {
            // Removed or set apart since the listing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(found) => noted(&mut verified, *name, found, segments.last() == Some(name)),
        }
    }
    let first = segments.first().map_or(0, |name| name.first);
    for item in Reader::open(disk, first)? {
        match item? {
            Item::Record(record) => {
                verified.records += 1;
                if let Payload::Batch { batch, .. } = &record.payload {
                    verified.events += batch.rows() as u64;
                }
            }
            Item::Hole { from, to } => verified.holes.push((from, to)),
            Item::Damage { segment, at, bytes } => {
                let damaged = Damaged { segment, at, bytes };
                if !verified.damaged.iter().any(|known| (known.segment, known.at) == (segment, at)) {
                    verified.damaged.push(damaged);
                }
            }
            Item::Tail { .. } => {}
        }
    }
    Ok(verified)
}

fn noted(verified: &mut Verified, segment: SegmentName, found: Found, is_last: bool) {
    verified.bytes += found.bytes;
    if found.is_damaged() || (!is_last && !found.places.is_empty()) || (!is_last && !found.header_is_good) {
        let header = Damaged { segment, at: 0, bytes: segment::HEADER_BYTES as u64 };
        let places = if found.places.is_empty() { vec![header] } else { found.places };
        verified.damaged.extend(places);
    } else if is_last {
        verified.tail_bytes = found.places.first().map_or(0, |place| found.bytes - place.at);
    } else if !found.closed {
        verified.damaged.push(Damaged { segment, at: found.bytes, bytes: 0 });
    }
}

/// Records from `from` on, `most` of them, as one line of JSON each; what is missing as lines too.
pub fn cat(disk: Arc<dyn Disk>, from: u64, most: u64, out: &mut dyn Write) -> io::Result<u64> {
    let mut shown = 0;
    for item in Reader::open(disk, from)? {
        let line = match item? {
            Item::Record(_) if shown >= most => break,
            Item::Record(record) => {
                shown += 1;
                line(&record)
            }
            Item::Hole { from, to } => json!({"hole": {"from": from, "to": to}}),
            Item::Damage { segment, at, bytes } => {
                json!({"damage": {"segment": segment.to_string(), "at": at, "bytes": bytes}})
            }
            Item::Tail { segment, at, bytes } => {
                json!({"tail": {"segment": segment.to_string(), "at": at, "bytes": bytes}})
            }
        };
        writeln!(out, "{line}")?;
    }
    Ok(shown)
}

fn line(record: &Record) -> Value {
    let mut line = Map::new();
    line.insert("epoch".into(), record.position.epoch.into());
    line.insert("offset".into(), record.position.offset.into());
    line.insert("accepted_at_unix_ns".into(), record.accepted_at_unix_ns.into());
    match &record.payload {
        Payload::Batch { batch, watermark_unix_ns, .. } => {
            line.insert("stream".into(), batch.triplet.as_str().into());
            line.insert("watermark_unix_ns".into(), (*watermark_unix_ns).into());
            line.insert("events".into(), rows(batch).collect());
        }
        Payload::Tick { moved } => {
            let moved = moved.iter().map(|(triplet, time)| (triplet.as_str().to_owned(), Value::from(*time)));
            line.insert("tick".into(), Value::Object(moved.collect()));
        }
        Payload::Command(command) => {
            let command = serde_json::from_str(&command::text(command)).unwrap_or_default();
            line.insert("command".into(), command);
        }
    }
    if let Some(note) = &record.note {
        line.insert("note".into(), serde_json::from_str(&note::text(note)).unwrap_or_default());
    }
    Value::Object(line)
}

/// What an export came to. What is missing is not in its lines, which are events alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    pub events: u64,
    /// Offsets from and up to which there are no records.
    pub holes: Vec<(u64, u64)>,
    pub damaged: Vec<Damaged>,
    /// At the end of the last file: not written to the end yet, or torn.
    pub tail_bytes: u64,
}

impl Exported {
    pub fn is_whole(&self) -> bool {
        self.holes.is_empty() && self.damaged.is_empty()
    }
}

/// Events from `from` on as one line of JSON each, with their stream and their time, as a source takes them.
pub fn export(disk: Arc<dyn Disk>, from: u64, out: &mut dyn Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    for item in Reader::open(disk, from)? {
        let batch = match item? {
            Item::Record(Record { payload: Payload::Batch { batch, .. }, .. }) => batch,
            Item::Record(_) => continue,
            Item::Hole { from, to } => {
                exported.holes.push((from, to));
                continue;
            }
            Item::Damage { segment, at, bytes } => {
                exported.damaged.push(Damaged { segment, at, bytes });
                continue;
            }
            Item::Tail { bytes, .. } => {
                exported.tail_bytes += bytes;
                continue;
            }
        };
        for (row, event) in rows(&batch).enumerate() {
            let Value::Object(fields) = event else { continue };
            let mut event = Map::new();
            event.insert("application".into(), batch.triplet.application().into());
            event.insert("environment".into(), batch.triplet.environment().into());
            event.insert("type".into(), batch.triplet.event_type().into());
            event.insert("time".into(), batch.time.get(row).copied().into());
            event.extend(fields);
            writeln!(out, "{}", Value::Object(event))?;
            exported.events += 1;
        }
    }
    Ok(exported)
}

fn rows(batch: &Batch) -> impl Iterator<Item = Value> {
    let schema = batch.columns.schema_ref();
    (0..batch.rows()).map(move |row| {
        let fields = schema.fields().iter().zip(batch.columns.columns());
        let present = fields.filter(move |(_, column)| column.is_valid(row));
        Value::Object(present.map(|(field, column)| (field.name().clone(), value(column, row))).collect())
    })
}

fn value(column: &ArrayRef, row: usize) -> Value {
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Timestamp(..) => column.as_primitive::<TimestampNanosecondType>().value(row).into(),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Binary => column
            .as_binary::<i32>()
            .value(row)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into(),
        _ => {
            let coded = column.as_dictionary::<UInt32Type>();
            let code = coded.keys().value(row) as usize;
            coded.values().as_string::<i32>().value(code).into()
        }
    }
}
