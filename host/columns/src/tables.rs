//! The tables of one decoder thread: rows of many connections in, batches out.
//!
//! A decoder stages a row with [`Tables::row`]; committing it finds its table by the route fields and writes its columns. Batches of a table
//! leave in the order of its rows: full at [`Limits::batch_rows_max`](crate::Limits) rows or [`Limits::batch_bytes_max`](crate::Limits)
//! bytes of events, then finished at once, in the middle of a chunk too; due when the first row is
//! [`Limits::batch_age_max_ns`](crate::Limits) old. Time comes in as an argument.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::column::Blank;
use crate::json::Learned;
use crate::limits::Limits;
use crate::order::InOrder;
use crate::reject::Refusal;
use crate::routes::{Router, Routes};
use crate::row::Row;
use crate::schema::{Fields, NONE};
use crate::settings::{ROUTE_FIELDS_MAX, Settings};
use crate::shape::Shapes;
use crate::stage::{Cell, Kind, Stage};
use crate::table::{Finished, Table, TableCounters};
use crate::time::TimeReader;
use crate::value::Raw;

/// A batch that has rows.
#[derive(Debug)]
struct Waiting {
    table: u32,
    batch: u64,
    since_unix_ns: i64,
}

#[derive(Debug)]
pub struct Tables {
    pub(crate) settings: Settings,
    pub(crate) fields: Fields,
    pub(crate) stage: Stage,
    /// Bits of all route fields.
    pub(crate) all_routes: u8,
    /// A row brought fields for which its table had no room.
    lately_full: bool,
    pub(crate) time: TimeReader,
    /// What the JSON scanner learned; here, so that all connections of a thread share it.
    pub(crate) learned: Learned,
    /// The same of the other formats.
    pub(crate) msgpack_shapes: Shapes,
    pub(crate) logfmt_shapes: Shapes,
    blank: Blank,
    tables: Vec<Table>,
    by_name: HashMap<Arc<str>, u32, RandomState>,
    pub(crate) routes: Routes,
    /// In the order of their first rows; entries of batches that were finished early are skipped.
    waiting: VecDeque<Waiting>,
    full: Vec<Finished>,
    rows_total: u64,
    rejected_total: u64,
    lost_total: u64,
}

impl Tables {
    pub fn new(settings: Settings) -> Self {
        Self {
            all_routes: settings.all_routes(),
            lately_full: false,
            settings,
            fields: Fields::new(),
            stage: Stage::new(),
            time: TimeReader::default(),
            learned: Learned::default(),
            msgpack_shapes: Shapes::default(),
            logfmt_shapes: Shapes::default(),
            blank: Blank::new(),
            tables: Vec::new(),
            by_name: HashMap::default(),
            routes: Routes::default(),
            waiting: VecDeque::new(),
            full: Vec::new(),
            rows_total: 0,
            rejected_total: 0,
            lost_total: 0,
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes which fields choose the table and which is the time. What was learned stays.
    pub fn use_fields(&mut self, route_fields: Vec<Arc<str>>, time_field: Option<Arc<str>>) {
        self.settings.route_fields = route_fields;
        self.settings.time_field = time_field;
        self.all_routes = self.settings.all_routes();
        self.fields.assign_roles(&self.settings);
        self.learned.forget();
        self.msgpack_shapes.forget();
        self.logfmt_shapes.forget();
        self.routes.forget();
    }

    /// To be called when the [`Router`] may answer otherwise than before.
    pub fn forget_routes(&mut self) {
        self.routes.forget();
        for shapes in [&mut self.learned.shapes, &mut self.msgpack_shapes, &mut self.logfmt_shapes] {
            shapes.forget_heads();
        }
    }

    /// Begins a row. `chunk` is what it is decoded from: texts that lie in it are not copied until they are in a column.
    pub fn row<'t>(&'t mut self, chunk: &'t [u8], router: &'t dyn Router) -> Row<'t> {
        Row::begin(self, chunk, router)
    }

    /// Batches that are full.
    pub fn take_full(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.full)
    }

    /// Batches that are full or old enough.
    pub fn take_due(&mut self, now_unix_ns: i64) -> Vec<Finished> {
        let age_max_ns = self.settings.limits.batch_age_max_ns;
        self.finish_while(|since_unix_ns| since_unix_ns.saturating_add(age_max_ns) <= now_unix_ns);
        self.take_full()
    }

    /// All batches with rows.
    pub fn take_all(&mut self) -> Vec<Finished> {
        self.finish_while(|_| true);
        self.take_full()
    }

    /// When `take_due` will have something; none: no rows wait.
    pub fn next_due_unix_ns(&self) -> Option<i64> {
        if !self.full.is_empty() {
            return Some(i64::MIN);
        }
        let first = self.waiting.iter().find(|waiting| self.still_waits(waiting))?;
        Some(first.since_unix_ns.saturating_add(self.settings.limits.batch_age_max_ns))
    }

    /// Events taken by all tables.
    pub fn rows_total(&self) -> u64 {
        self.rows_total
    }

    /// Events rejected by the decoders that feed this, those without a kept reason too.
    pub fn rejected_total(&self) -> u64 {
        self.rejected_total
    }

    /// Rows of batches that Arrow refused: 0, or a bug of the builders.
    pub fn lost_total(&self) -> u64 {
        self.lost_total
    }

    /// To be called by a decoder for each event that it rejects.
    pub fn count_rejected(&mut self) {
        self.rejected_total += 1;
    }

    /// What happened since the last call, for each table (number, name) in which something did.
    pub fn drain_counters(&mut self) -> Vec<(u32, Arc<str>, TableCounters)> {
        let numbered = (0u32..).zip(&mut self.tables);
        let changed = numbered.filter(|(_, table)| table.counters != TableCounters::default());
        changed
            .map(|(number, table)| (number, table.name.clone(), std::mem::take(&mut table.counters)))
            .collect()
    }

    /// What happened in one table since the last call; none: nothing, or no such table.
    pub fn drain_counters_of(&mut self, name: &str) -> Option<TableCounters> {
        let number = *self.by_name.get(name)?;
        let table = self.tables.get_mut(number as usize)?;
        Some(std::mem::take(&mut table.counters)).filter(|counters| *counters != TableCounters::default())
    }

    /// The table of the staged row, where it came lately.
    #[inline(always)]
    fn recent_table(&self) -> Option<u32> {
        self.stage
            .table
            .or_else(|| self.routes.recent(self.stage.route_numbers).filter(|_| self.stage.all_recent))
    }

    /// The table of the staged row, as far as its route fields are known.
    pub(crate) fn known_table(&mut self, chunk: &[u8]) -> Option<u32> {
        let Self { stage, routes, .. } = self;
        routes.find(stage.named, &route_parts(stage, chunk))
    }

    /// Writes the staged row, whose event has `bytes`, or says why not; then nothing of it is left.
    #[inline]
    pub(crate) fn commit(
        &mut self,
        chunk: &[u8],
        bytes: usize,
        arrived_unix_ns: i64,
        router: &dyn Router,
    ) -> Result<(), Refusal> {
        let number = match self.recent_table().or_else(|| self.known_table(chunk)) {
            Some(number) => number,
            None => self.new_combination(chunk, router)?,
        };
        self.stage.table = Some(number);
        if self.fields.len() > self.fields.settled() {
            self.settle_fields(number);
        }
        let Self { stage, tables, settings, fields, .. } = self;
        let Some(table) = tables.get_mut(number as usize) else { return Ok(()) };
        if !(stage.unordered && put_in_order(table, stage, chunk)) {
            for cell in &stage.cells {
                let mut column = table.column_of(cell.field);
                if column == NONE {
                    let room = table.columns.len() < settings.limits.columns_max;
                    if !room || fields.get(cell.field).is_none() {
                        table.counters.columns_over_limit += 1;
                        continue;
                    }
                    column = table.add_column(cell.field, fields.column_name(cell.field, settings));
                }
                put(table, stage, chunk, column, *cell);
            }
        }
        table.counters.columns_over_limit += stage.dropped;
        table.end_row(stage.time_unix_ns.unwrap_or(arrived_unix_ns), bytes);
        self.rows_total += 1;
        let (rows, bytes) = (table.time.len(), table.bytes);
        if rows == 1 {
            let batch = table.batch;
            self.waiting.push_back(Waiting { table: number, batch, since_unix_ns: arrived_unix_ns });
        }
        if rows >= settings.limits.batch_rows_max || bytes >= settings.limits.batch_bytes_max {
            self.finish(number);
        }
        Ok(())
    }

    /// Whether unknown fields need no look: the staged row is of a table that has no room for another, or, as long as its table is not known,
    /// such a row came lately. What was passed over by that guess is checked when the row ends ([`Tables::passed_over_wrongly`]).
    pub(crate) fn has_no_room(&self) -> bool {
        self.stage.table.map_or(self.lately_full, |number| self.is_full(number))
    }

    fn is_full(&self, number: u32) -> bool {
        let limits = &self.settings.limits;
        self.tables.get(number as usize).is_some_and(|table| table.fields >= fields_max(limits))
            || self.fields.settled() >= limits.fields_max
    }

    /// Whether the staged row, of which fields were passed over before its table was known, is of a table that has room for them. They are
    /// looked at from then on, until a table lacks room again.
    #[inline(never)]
    pub(crate) fn passed_over_wrongly(&mut self, chunk: &[u8]) -> bool {
        let number = self.recent_table().or_else(|| self.known_table(chunk));
        let wrongly = !number.is_some_and(|number| self.is_full(number));
        self.lately_full &= !wrongly;
        wrongly
    }

    /// Whether the staged row is of a table that came lately and has a column for each of its values.
    #[inline(always)]
    pub(crate) fn has_all_columns(&self) -> bool {
        let table = self.recent_table().and_then(|number| self.tables.get(number as usize));
        table.is_some_and(|table| self.stage.cells.iter().all(|cell| table.column_of(cell.field) != NONE))
    }

    /// Drops the staged row.
    #[inline]
    pub(crate) fn abandon(&mut self) {
        if self.fields.len() > self.fields.settled() {
            let settled = self.fields.settled();
            self.fields.settle(settled);
        }
    }

    /// Keeps as many of the row's new fields as its table has room for.
    #[inline(never)]
    fn settle_fields(&mut self, number: u32) {
        let Some(table) = self.tables.get_mut(number as usize) else { return };
        let limits = &self.settings.limits;
        let settled = self.fields.settled();
        let room = fields_max(limits).saturating_sub(table.fields);
        let room = room.min(limits.fields_max.saturating_sub(settled));
        self.lately_full = self.fields.len() > settled + room;
        self.fields.settle(settled + room);
        table.fields += self.fields.len() - settled;
    }

    #[inline(never)]
    fn new_combination(&mut self, chunk: &[u8], router: &dyn Router) -> Result<u32, Refusal> {
        let Self { stage, routes, tables, by_name, settings, .. } = self;
        let parts = route_parts(stage, chunk);
        let named = stage.named;
        let mut texts = [None; ROUTE_FIELDS_MAX];
        for (number, (text, part)) in texts.iter_mut().zip(parts).enumerate() {
            if named & 1 << number != 0 {
                *text = Some(std::str::from_utf8(part).unwrap_or_default());
            }
        }
        let count = settings.route_fields.len().min(ROUTE_FIELDS_MAX);
        let name = router.table(texts.get(..count).unwrap_or_default())?;
        let number = match by_name.get(&name) {
            Some(number) => *number,
            None if tables.len() >= settings.limits.tables_max => {
                return Err(router.too_many(&name, settings.limits.tables_max));
            }
            None => {
                let number = tables.len() as u32;
                by_name.insert(name.clone(), number);
                tables.push(Table::new(number, name));
                number
            }
        };
        routes.remember(named, &parts, number, tables.len());
        Ok(number)
    }

    fn finish_while(&mut self, goes: impl Fn(i64) -> bool) {
        while let Some(waiting) = self.waiting.pop_front() {
            if !self.still_waits(&waiting) {
                continue;
            }
            if !goes(waiting.since_unix_ns) {
                self.waiting.push_front(waiting);
                return;
            }
            self.finish(waiting.table);
        }
    }

    fn still_waits(&self, waiting: &Waiting) -> bool {
        self.tables.get(waiting.table as usize).is_some_and(|table| table.batch == waiting.batch)
    }

    #[inline(never)]
    fn finish(&mut self, number: u32) {
        let Some(table) = self.tables.get_mut(number as usize) else { return };
        let rows = table.time.len() as u64;
        match table.finish(number, &self.settings, &mut self.blank) {
            Ok(finished) => self.full.push(finished),
            Err(_) => self.lost_total += rows,
        }
        // Finished batches leave notes behind; a flood into one table must not pile them up.
        while self.waiting.front().is_some_and(|waiting| !self.still_waits(waiting)) {
            self.waiting.pop_front();
        }
    }
}

/// Writes the values in the order of their columns; false: they were not, because a column is missing, or there are too many.
#[inline(never)]
fn put_in_order(table: &mut Table, stage: &Stage, chunk: &[u8]) -> bool {
    let mut order = InOrder::new();
    if !order.take(&stage.cells, table) {
        return false;
    }
    order.each(|column, cell| {
        if let Some(cell) = stage.cells.get(cell) {
            put(table, stage, chunk, column as u32, *cell);
        }
    });
    true
}

/// Writes a value. The frequent kinds by name, so that each has its own short way into a column.
#[inline(always)]
fn put(table: &mut Table, stage: &Stage, chunk: &[u8], column: u32, cell: Cell) {
    match cell.kind {
        Kind::Text => table.put(column, Raw::Text(stage.piece(chunk, cell))),
        Kind::Int => table.put(column, Raw::Int(cell.bits as i64)),
        Kind::Float => table.put(column, Raw::Float(f64::from_bits(cell.bits))),
        _ => table.put_rare(column, stage.raw(chunk, cell)),
    }
}

/// Fields of one table: room for those that are no columns (objects, nulls), but not without end.
fn fields_max(limits: &Limits) -> usize {
    limits.columns_max.max(limits.keys_max)
}

#[inline(always)]
fn route_parts<'a>(stage: &'a Stage, chunk: &'a [u8]) -> [&'a [u8]; ROUTE_FIELDS_MAX] {
    let mut parts = [&[][..]; ROUTE_FIELDS_MAX];
    if stage.named != 0 {
        for (number, (part, span)) in parts.iter_mut().zip(stage.route).enumerate() {
            if stage.named & 1 << number != 0 {
                *part = stage.text(chunk, span);
            }
        }
    }
    parts
}
