//! One stream's builders: its columns, event times and what it learned of its keys.
//!
//! A row is begun, gets values, and is then committed or taken back; a row that is taken back leaves no trace in columns or dictionaries.
//! [`Stream::finish`] makes the rows an [`Incoming`]. A column that no row of the batch has is all null, so that batches share one schema
//! until a column comes or changes its type or its dictionary.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use super::columns::{Adapted, Column, DictionaryEnd, Value};
use super::keys::{self, Keys};
use super::limits::Limits;
use crate::batch::Incoming;
use crate::triplet::Triplet;

/// What happened in a stream since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounters {
    /// Events taken.
    pub rows: u64,
    /// Their bytes as they came.
    pub bytes: u64,
    /// Batches whose schema differs from that of the batch before.
    pub schema_changes: u64,
    /// Columns whose number type got wider.
    pub widened: u64,
    /// Columns that became text because their values were of several types.
    pub mixed_to_text: u64,
    /// Values dropped because the stream has too many columns or keys.
    pub columns_over_limit: u64,
    /// Dictionaries that became too large and were begun anew.
    pub dictionaries_replaced: u64,
    /// Text columns that gave up their dictionary because names hardly repeat.
    pub dictionaries_to_text: u64,
}

impl StreamCounters {
    /// Adds what happened since; all counters only grow.
    pub fn add(&mut self, more: &Self) {
        self.rows += more.rows;
        self.bytes += more.bytes;
        self.schema_changes += more.schema_changes;
        self.widened += more.widened;
        self.mixed_to_text += more.mixed_to_text;
        self.columns_over_limit += more.columns_over_limit;
        self.dictionaries_replaced += more.dictionaries_replaced;
        self.dictionaries_to_text += more.dictionaries_to_text;
    }

    /// Whether anything beyond rows and bytes, which every batch says by itself, happened.
    pub fn is_notable(&self) -> bool {
        *self != Self { rows: self.rows, bytes: self.bytes, ..Self::default() }
    }
}

#[derive(Debug)]
pub(super) struct Stream {
    pub triplet: Triplet,
    /// The triplet's parts as JSON texts.
    pub parts: [Box<[u8]>; 3],
    pub keys: Keys,
    pub columns: Vec<Column>,
    /// Event times of the committed rows.
    pub time: Vec<i64>,
    /// Bytes of the committed rows' events.
    pub bytes: usize,
    /// Counts the batches, so that a note about an older batch is known to be old.
    pub batch: u64,
    pub counters: StreamCounters,
    /// Grows with each row that is begun; marks the keys that the row has.
    pub stamp: u64,
    schema: Option<SchemaRef>,
    schema_is_old: bool,
}

impl Stream {
    pub fn new(triplet: Triplet) -> Self {
        let parts = [triplet.application(), triplet.environment(), triplet.event_type()];
        Self {
            parts: parts.map(|part| keys::quoted(part, b"\"")),
            triplet,
            keys: Keys::new(),
            columns: Vec::new(),
            time: Vec::new(),
            bytes: 0,
            batch: 0,
            counters: StreamCounters::default(),
            stamp: 0,
            schema: None,
            schema_is_old: true,
        }
    }

    /// The number of the row that is not committed yet.
    pub fn row(&self) -> usize {
        self.time.len()
    }

    /// Makes the column of a key.
    pub fn add_column(&mut self, key: u32) -> u32 {
        let name = self.keys.column_name(key);
        // Two ways to write one path (`{"a.b":1}`, `{"a":{"b":1}}`) are one column. Rare, so a walk will do.
        let number = match self.columns.iter().position(|column| column.name == name) {
            Some(number) => number as u32,
            None => {
                self.columns.push(Column::new(name));
                self.columns.len() as u32 - 1
            }
        };
        if let Some(key) = self.keys.get_mut(key) {
            key.column = number;
        }
        number
    }

    /// Changes a column's type so that it can hold a value, and counts that.
    pub fn adapt(&mut self, column: u32, value: Value) {
        let Some(column) = self.columns.get_mut(column as usize) else { return };
        match column.adapt(value) {
            Adapted::Typed => {}
            Adapted::Widened => self.counters.widened += 1,
            Adapted::MixedToText => self.counters.mixed_to_text += 1,
        }
        self.schema_is_old = true;
    }

    pub fn take_back(&mut self) {
        let row = self.row();
        for column in &mut self.columns {
            column.take_back(row);
        }
    }

    pub fn commit(&mut self, time_unix_ns: i64, bytes: usize) {
        self.time.push(time_unix_ns);
        self.bytes += bytes;
        self.counters.rows += 1;
        self.counters.bytes += bytes as u64;
    }

    /// All committed rows as a batch. No row may be begun.
    pub fn finish(&mut self, source: &Arc<str>, limits: &Limits) -> Result<Incoming, ArrowError> {
        let rows = self.row();
        let time = std::mem::replace(&mut self.time, Vec::with_capacity(rows));
        self.bytes = 0;
        self.batch += 1;
        for column in &mut self.columns {
            match column.settle_dictionary(limits) {
                DictionaryEnd::Kept => continue,
                DictionaryEnd::Replaced => self.counters.dictionaries_replaced += 1,
                DictionaryEnd::ToText => self.counters.dictionaries_to_text += 1,
            }
            self.schema_is_old = true;
        }
        let schema = self.current_schema();
        let arrays = self
            .columns
            .iter_mut()
            .map(|column| column.finish(rows))
            .collect::<Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        Ok(Incoming { triplet: self.triplet.clone(), source: source.clone(), time: time.into(), columns })
    }

    fn current_schema(&mut self) -> SchemaRef {
        if let Some(schema) = &self.schema
            && !self.schema_is_old
        {
            return schema.clone();
        }
        let schema = Arc::new(Schema::new(self.columns.iter().map(Column::field).collect::<Vec<_>>()));
        if self.schema.is_some() {
            self.counters.schema_changes += 1;
        }
        self.schema = Some(schema.clone());
        self.schema_is_old = false;
        schema
    }
}
