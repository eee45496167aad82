//! The row in the making: values in the order of their arrival, before anything is written to columns.
//!
//! Because a row is staged first, its table may be named by its last field, a bad event leaves nothing behind, and columns are never taken
//! back. A text is noted by its place in the chunk, or, where it had escapes, in a scratch buffer.

use crate::routes::Numbers;
use crate::settings::ROUTE_FIELDS_MAX;
use crate::value::Raw;

/// A value of the row. 24 bytes, so that staging costs one store of a line for three.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub field: u32,
    pub kind: Kind,
    /// Bytes of a text.
    pub length: u32,
    /// The value's bits, or where its text starts.
    pub bits: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    UInt,
    Float,
    Bool,
    Time,
    /// In the chunk.
    Text,
    /// In the scratch buffer.
    Copied,
    /// Bytes in the scratch buffer.
    Bytes,
}

/// A place of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub start: usize,
    pub length: usize,
    pub copied: bool,
}

impl Span {
    pub const EMPTY: Self = Self { start: 0, length: 0, copied: false };
}

#[derive(Debug)]
pub(crate) struct Stage {
    pub cells: Vec<Cell>,
    pub scratch: Vec<u8>,
    /// Grows with each row; marks the fields that the row has.
    pub stamp: u64,
    /// Keys so far, those of objects and nulls too.
    pub keys: usize,
    /// Values passed over because their table has no room for their fields.
    pub dropped: u64,
    /// Some of them before its table was known, by a guess.
    pub guessed: bool,
    pub route: [Span; ROUTE_FIELDS_MAX],
    /// Bits of the route fields that the row has.
    pub named: u8,
    /// Numbers of those that came lately.
    pub route_numbers: Numbers,
    /// All that the row has did.
    pub all_recent: bool,
    /// Where all of them are there and say a table that is known.
    pub table: Option<u32>,
    pub time_unix_ns: Option<i64>,
    /// The row came in an order of its own.
    pub unordered: bool,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            cells: Vec::new(),
            scratch: Vec::new(),
            stamp: 0,
            keys: 0,
            dropped: 0,
            guessed: false,
            route: [Span::EMPTY; ROUTE_FIELDS_MAX],
            named: 0,
            route_numbers: Numbers::default(),
            all_recent: true,
            table: None,
            time_unix_ns: None,
            unordered: false,
        }
    }

    #[inline(always)]
    pub fn begin(&mut self) {
        self.cells.clear();
        self.scratch.clear();
        self.stamp += 1;
        self.keys = 0;
        self.dropped = 0;
        self.guessed = false;
        self.named = 0;
        self.route_numbers = Numbers::default();
        self.all_recent = true;
        self.table = None;
        self.time_unix_ns = None;
        self.unordered = false;
    }

    #[inline(always)]
    pub fn push(&mut self, field: u32, kind: Kind, bits: u64) {
        self.cells.push(Cell { field, kind, length: 0, bits });
    }

    #[inline(always)]
    pub fn push_text(&mut self, field: u32, span: Span) {
        let kind = if span.copied { Kind::Copied } else { Kind::Text };
        self.cells.push(Cell { field, kind, length: span.length as u32, bits: span.start as u64 });
    }

    pub fn copy(&mut self, bytes: &[u8]) -> Span {
        let start = self.scratch.len();
        self.scratch.extend_from_slice(bytes);
        Span { start, length: bytes.len(), copied: true }
    }

    #[inline(always)]
    pub fn text<'a>(&'a self, chunk: &'a [u8], span: Span) -> &'a [u8] {
        let from = if span.copied { &self.scratch } else { chunk };
        from.get(span.start..span.start + span.length).unwrap_or_default()
    }

    /// The text of a cell that lies in `from`.
    #[inline(always)]
    pub fn piece<'a>(&self, from: &'a [u8], cell: Cell) -> &'a [u8] {
        let start = cell.bits as usize;
        from.get(start..start + cell.length as usize).unwrap_or_default()
    }

    #[inline(always)]
    pub fn raw<'a>(&'a self, chunk: &'a [u8], cell: Cell) -> Raw<'a> {
        match cell.kind {
            Kind::Int => Raw::Int(cell.bits as i64),
            Kind::UInt => Raw::UInt(cell.bits),
            Kind::Float => Raw::Float(f64::from_bits(cell.bits)),
            Kind::Bool => Raw::Bool(cell.bits != 0),
            Kind::Time => Raw::Time(cell.bits as i64),
            Kind::Text => Raw::Text(self.piece(chunk, cell)),
            Kind::Copied => Raw::Text(self.piece(&self.scratch, cell)),
            Kind::Bytes => Raw::Bytes(self.piece(&self.scratch, cell)),
        }
    }
}
