//! The events of the proof and the records that carry them.
//!
//! In: chance and the position from which the log goes on. Out: records of one to four events, as the sequencer makes them. An event is {producer, seq, key, value}; producer and seq are its
//! id, seq rises by one for each producer and is never given twice, whatever becomes of the event. The first event of every record has key 0, so that any two records share one.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use weir_core::batch::{Incoming, Position};
use weir_core::record::{Payload, Record};
use weir_core::sequencer::Sequencer;
use weir_disk::sim::Chance;

const PRODUCERS: u64 = 3;
const KEYS: u64 = 6;
const COLUMNS: [&str; 4] = ["producer", "seq", "key", "value"];
const MS: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub producer: i64,
    pub seq: i64,
    pub key: i64,
    pub value: i64,
}

impl Event {
    pub fn id(&self) -> u64 {
        (self.producer as u64) << 32 | self.seq as u64
    }
}

#[derive(Debug)]
pub struct Maker {
    chance: Chance,
    next_seq: [i64; PRODUCERS as usize],
    schema: SchemaRef,
    sequencer: Sequencer,
    now_unix_ns: i64,
}

impl Maker {
    pub fn new(seed: u64) -> Self {
        let fields: Vec<Field> =
            COLUMNS.iter().map(|name| Field::new(*name, DataType::Int64, false)).collect();
        Self {
            chance: Chance::new(seed),
            next_seq: [1; PRODUCERS as usize],
            schema: Arc::new(Schema::new(fields)),
            sequencer: Sequencer::new(0, 1, 0),
            now_unix_ns: 1_795_305_600_000 * MS,
        }
    }

    /// After a start the log goes on from there; the producers go on from where they were.
    pub fn go_on(&mut self, next: Position) {
        self.sequencer = Sequencer::new(next.log, next.epoch, next.offset);
    }

    pub fn record(&mut self) -> Result<(Arc<Record>, Vec<Event>)> {
        self.now_unix_ns += MS;
        let rows = 1 + self.chance.below(4) as usize;
        let events: Vec<Event> = (0..rows).map(|row| self.event(row)).collect();
        let column = |value: fn(&Event) -> i64| -> ArrayRef {
            Arc::new(events.iter().map(value).collect::<Int64Array>())
        };
        let columns = vec![
            column(|event| event.producer),
            column(|event| event.seq),
            column(|event| event.key),
            column(|event| event.value),
        ];
        let incoming = Incoming {
            triplet: "proof/disk/event".parse().context("the triplet")?,
            source: "proof".into(),
            time: vec![self.now_unix_ns; rows].into(),
            columns: RecordBatch::try_new(Arc::clone(&self.schema), columns)?,
        };
        Ok((Arc::new(self.sequencer.batch(incoming, self.now_unix_ns)?), events))
    }

    fn event(&mut self, row: usize) -> Event {
        let producer = self.chance.below(PRODUCERS);
        let mut seq = 0;
        if let Some(next) = self.next_seq.get_mut(producer as usize) {
            (seq, *next) = (*next, *next + 1);
        }
        let key = if row == 0 { 0 } else { self.chance.below(KEYS) as i64 };
        Event { producer: producer as i64, seq, key, value: self.chance.below(1 << 40) as i64 }
    }
}

/// What a record carries; none of a record that is not of the proof.
pub fn events_of(record: &Record) -> Vec<Event> {
    let Payload::Batch { batch, .. } = &record.payload else { return Vec::new() };
    let column = |name: &str| batch.columns.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let [Some(producer), Some(seq), Some(key), Some(value)] = COLUMNS.map(column) else { return Vec::new() };
    let row = |row| Event {
        producer: producer.value(row),
        seq: seq.value(row),
        key: key.value(row),
        value: value.value(row),
    };
    (0..batch.rows()).map(row).collect()
}
