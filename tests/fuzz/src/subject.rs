//! What is tested: a decoder that lives long, as rows and rejected events.
//!
//! In: the bytes of one input in chunks, the next of which starts with what was not consumed. Out, at the end of the input: the rows of each stream in
//! their order, and the rejected events in theirs. What a decoder learned stays for the next input. [`Codec`] is the decoder of Weir behind its
//! seam; tests put broken ones behind the same trait.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use weir_core::codec::{Decode, Defaults, Gather, Limits, decoder};

/// Time of arrival of all events; rows without a time of their own have it.
pub const ARRIVED_UNIX_NS: i64 = 1_000_000_007;
/// Stream of events that name none.
pub const STREAM: &str = "a/b/c";

/// One value of a row as the columns have it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Int(i64),
    UInt(u64),
    Float(f64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
    Time(i64),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub time_unix_ns: i64,
    /// By column; null is not there.
    pub cells: BTreeMap<String, Cell>,
}

/// A rejected event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// From the start of the input, bytes.
    pub offset: usize,
    pub code: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    pub rows: BTreeMap<String, Vec<Row>>,
    pub rejected: Vec<Bad>,
}

pub trait Subject {
    /// Takes a chunk, says how much of it was consumed; `end`: the input ends with it. Offsets of rejected events are those in the chunk plus `base`.
    fn feed(&mut self, chunk: &[u8], base: usize, end: bool) -> Result<usize>;

    /// What came of the input since the last call.
    fn take(&mut self) -> Result<Output>;

    /// Values that were left out since the last call, because there are too many columns or fields.
    fn left_out(&mut self) -> u64;
}

/// Makes a subject that has learned nothing.
pub type Make<'a> = &'a dyn Fn() -> Result<Box<dyn Subject>>;

/// Gives the input in pieces that end at `cuts` (rising) and at its end.
pub fn feed_all(subject: &mut dyn Subject, input: &[u8], cuts: &[usize]) -> Result<Output> {
    let mut start = 0;
    for cut in cuts.iter().copied().chain([input.len()]) {
        let end = cut == input.len();
        let chunk = input.get(start..cut).context("cuts must rise and stay within the input")?;
        // A chunk on the heap by itself, so that a sanitizer sees each byte read beyond it.
        let own: Box<[u8]> = chunk.into();
        let used = subject.feed(&own, start, end)?;
        ensure!(used <= chunk.len(), "consumed {used} of {} bytes", chunk.len());
        start += used;
        if end {
            break;
        }
    }
    subject.take()
}

/// A decoder of Weir.
pub struct Codec {
    decoder: Box<dyn Decode>,
    gather: Gather,
    defaults: Defaults,
    rejected: Vec<Bad>,
}

impl Codec {
    pub fn new(name: &str) -> Result<Self> {
        let mut defaults = Defaults::new("fuzz");
        defaults.triplet = Some(STREAM.parse()?);
        let decoder = decoder(name).with_context(|| format!("there is no codec `{name}`"))?;
        Ok(Self { decoder, gather: Gather::new(Limits::default(), "fuzz"), defaults, rejected: Vec::new() })
    }
}

impl Subject for Codec {
    fn feed(&mut self, chunk: &[u8], base: usize, end: bool) -> Result<usize> {
        let mut rejected = Vec::new();
        let Self { decoder, gather, defaults, .. } = self;
        let used = decoder.decode(chunk, end, ARRIVED_UNIX_NS, defaults, gather, &mut rejected);
        for bad in rejected {
            let within = bad.offset.checked_add(bad.length).is_some_and(|end| end <= chunk.len());
            ensure!(within, "a rejected event lies outside of its chunk: {bad:?}");
            self.rejected.push(Bad { offset: base + bad.offset, code: bad.code.to_owned() });
        }
        Ok(used)
    }

    fn take(&mut self) -> Result<Output> {
        let mut output = Output { rejected: std::mem::take(&mut self.rejected), ..Output::default() };
        for batch in self.gather.take_all() {
            let rows = rows(&batch.time, &batch.columns)?;
            output.rows.entry(batch.triplet.to_string()).or_default().extend(rows);
        }
        ensure!(self.gather.lost_total() == 0, "arrow refused a batch");
        Ok(output)
    }

    fn left_out(&mut self) -> u64 {
        self.gather.drain_counters().iter().map(|(_, counters)| counters.columns_over_limit).sum()
    }
}

/// The rows of a batch, its arrays checked in full.
pub(crate) fn rows(time: &[i64], columns: &RecordBatch) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> =
        time.iter().map(|time| Row { time_unix_ns: *time, cells: BTreeMap::new() }).collect();
    for (field, array) in columns.schema().fields().iter().zip(columns.columns()) {
        array.to_data().validate_full().with_context(|| format!("column {}", field.name()))?;
        let name: Arc<str> = field.name().as_str().into();
        for (at, row) in rows.iter_mut().enumerate() {
            if let Some(cell) = cell(array, at)? {
                ensure!(row.cells.insert(name.to_string(), cell).is_none(), "two columns `{name}`");
            }
        }
    }
    Ok(rows)
}

/// None: null.
fn cell(array: &ArrayRef, row: usize) -> Result<Option<Cell>> {
    if array.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match array.data_type() {
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => Cell::UInt(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            Cell::Time(array.as_primitive::<TimestampNanosecondType>().value(row))
        }
        DataType::Dictionary(_, _) => {
            let coded = array.as_dictionary_opt::<UInt32Type>().context("codes are not u32")?;
            let names = coded.values().as_string_opt::<i32>().context("names are no texts")?;
            Cell::Text(names.value(coded.keys().value(row) as usize).to_owned())
        }
        other => anyhow::bail!("a column of type {other}"),
    }))
}
