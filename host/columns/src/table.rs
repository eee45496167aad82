//! The columns of one table: rows in, a record batch out.
//!
//! A column that no row of the batch has is all null, so that batches share one schema until a column comes or changes its type or its
//! dictionary.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use crate::column::{Adapted, Blank, Column, DictionaryEnd};
use crate::schema::{ChangeKind, NONE, SchemaChange};
use crate::settings::Settings;
use crate::value::Raw;

/// What happened in a table since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
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
    /// Values dropped because the table has too many columns or fields.
    pub columns_over_limit: u64,
    /// Dictionaries that became too large and were begun anew.
    pub dictionaries_replaced: u64,
    /// Text columns that gave up their dictionary because names hardly repeat.
    pub dictionaries_to_text: u64,
}

impl TableCounters {
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

/// Rows of one table as columns.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The table's number; stays.
    pub table: u32,
    /// The table's name, as the [`Router`](crate::Router) gave it.
    pub name: Arc<str>,
    /// The time of each row, ns since 1970.
    pub time: Vec<i64>,
    pub columns: RecordBatch,
    /// How the schema differs from that of the batch before.
    pub changes: Vec<SchemaChange>,
}

#[derive(Debug)]
pub(crate) struct Table {
    /// Among the tables.
    number: u32,
    pub name: Arc<str>,
    pub columns: Vec<Column>,
    /// Column of each field; [`NONE`] where it has none.
    pub column_of: Vec<u32>,
    /// Fields that are known because of this table, those without a column too.
    pub fields: usize,
    /// Times of the rows.
    pub time: Vec<i64>,
    /// Bytes of the rows' events.
    pub bytes: usize,
    /// Counts the batches, so that a note about an older batch is known to be old.
    pub batch: u64,
    pub counters: TableCounters,
    /// Since the last batch; at most one of each kind for a column and batch.
    changes: Vec<SchemaChange>,
    schema: Option<SchemaRef>,
    schema_is_old: bool,
}

impl Table {
    pub fn new(number: u32, name: Arc<str>) -> Self {
        Self {
            number,
            name,
            columns: Vec::new(),
            column_of: Vec::new(),
            fields: 0,
            time: Vec::new(),
            bytes: 0,
            batch: 0,
            counters: TableCounters::default(),
            changes: Vec::new(),
            schema: None,
            schema_is_old: true,
        }
    }

    /// The column of a field, or [`NONE`].
    #[inline(always)]
    pub fn column_of(&self, field: u32) -> u32 {
        self.column_of.get(field as usize).copied().unwrap_or(NONE)
    }

    /// Gives a field a column.
    pub fn add_column(&mut self, field: u32, name: Arc<str>) -> u32 {
        let number = self.columns.len() as u32;
        self.columns.push(Column::new(name, slack(self.number, number + 1)));
        let at = field as usize;
        if self.column_of.len() <= at {
            self.column_of.resize(at + 1, NONE);
        }
        if let Some(slot) = self.column_of.get_mut(at) {
            *slot = number;
        }
        number
    }

    /// Sets a value in the row that is being committed.
    #[inline(always)]
    pub fn put(&mut self, column: u32, value: Raw<'_>) {
        let row = self.time.len();
        let Some(builder) = self.columns.get_mut(column as usize) else { return };
        if builder.push(row, value).is_err() {
            self.adapt_and_put(column, value);
        }
    }

    /// The same for the kinds that are rarer.
    #[inline(never)]
    pub fn put_rare(&mut self, column: u32, value: Raw<'_>) {
        self.put(column, value);
    }

    #[inline(never)]
    fn adapt_and_put(&mut self, column: u32, value: Raw<'_>) {
        let row = self.time.len();
        let Some(builder) = self.columns.get_mut(column as usize) else { return };
        let from = builder.data_type();
        let adapted = builder.adapt(value);
        // Adapted to this very value, so that it fits.
        let put = builder.push(row, value);
        debug_assert!(put.is_ok(), "a column does not hold what it was adapted to");
        let to = builder.data_type();
        let kind = match adapted {
            Adapted::Typed => ChangeKind::New(to),
            Adapted::Widened => {
                self.counters.widened += 1;
                ChangeKind::Widened { from, to }
            }
            Adapted::MixedToText => {
                self.counters.mixed_to_text += 1;
                ChangeKind::MixedToText { from }
            }
        };
        let column = builder.name.clone();
        self.changes.push(SchemaChange { column, kind });
        self.schema_is_old = true;
    }

    pub fn end_row(&mut self, time_unix_ns: i64, bytes: usize) {
        self.time.push(time_unix_ns);
        self.bytes += bytes;
        self.counters.rows += 1;
        self.counters.bytes += bytes as u64;
    }

    /// All rows as a batch.
    pub fn finish(
        &mut self,
        number: u32,
        settings: &Settings,
        blank: &mut Blank,
    ) -> Result<Finished, ArrowError> {
        let rows = self.time.len();
        let capacity = rows + slack(number, 0);
        let time = std::mem::replace(&mut self.time, Vec::with_capacity(capacity));
        self.bytes = 0;
        self.batch += 1;
        for column in &mut self.columns {
            let kind = match column.settle_dictionary(&settings.limits) {
                DictionaryEnd::Kept => continue,
                DictionaryEnd::Replaced => {
                    self.counters.dictionaries_replaced += 1;
                    ChangeKind::DictionaryReplaced
                }
                DictionaryEnd::ToText => {
                    self.counters.dictionaries_to_text += 1;
                    ChangeKind::DictionaryToText
                }
            };
            self.changes.push(SchemaChange { column: column.name.clone(), kind });
            self.schema_is_old = true;
        }
        let schema = self.current_schema(&settings.dictionary_id_key);
        let arrays = self
            .columns
            .iter_mut()
            .map(|column| column.finish(rows, blank))
            .collect::<Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        let changes = std::mem::take(&mut self.changes);
        Ok(Finished { table: number, name: self.name.clone(), time, columns, changes })
    }

    fn current_schema(&mut self, id_key: &str) -> SchemaRef {
        if let Some(schema) = &self.schema
            && !self.schema_is_old
        {
            return schema.clone();
        }
        let fields: Vec<_> = self.columns.iter().map(|column| column.field(id_key)).collect();
        let schema = Arc::new(Schema::new(fields));
        if self.schema.is_some() {
            self.counters.schema_changes += 1;
        }
        self.schema = Some(schema.clone());
        self.schema_is_old = false;
        schema
    }
}

/// Room beyond a batch, in steps of 16 values (one or two cache lines), up to 1,008.
fn slack(table: u32, column: u32) -> usize {
    // Odd factors, so that neighbours of either kind get different steps.
    (table.wrapping_mul(13).wrapping_add(column.wrapping_mul(29)) % 64) as usize * 16
}
