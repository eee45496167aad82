//! A dead letter: rows that a unit could not take, with all that is needed to look at them and to give them to it once more.
//!
//! In: the rows as the unit got them, its digest and what was wrong. Out: [`DeadLetter`]s with their [`LetterId`], which is the same whenever the record that they come from is run
//! again: its offset, the unit, and the place among the letters that the unit made of it. A letter has at most [`ROWS_MAX`] rows and, unless one row alone has more, about [`BYTES_MAX`] of values,
//! so that looking at one, giving one back and pushing one out stay small; more rows are more letters. What a letter's batch says of position and rows is the event's own, however often it was given back.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::batch::{Batch, Origin, Position, RowIds};
use crate::projection::slice;
use crate::record::Record;
use crate::triplet::Triplet;
use crate::unit::Due;

/// Most rows of one letter.
pub const ROWS_MAX: usize = 1_000;
/// Most bytes of values of one letter that has more than one row.
pub const BYTES_MAX: usize = 256 << 10;
/// A reason longer than this is cut.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// What a letter is called by. In the order of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    /// Of the record that was run.
    pub offset: u64,
    /// pipeline/unit
    pub unit: Arc<str>,
    pub lane: u32,
    /// Counts the letters of that unit and lane within the record, from 0.
    pub ordinal: u32,
}

impl LetterId {
    /// Before all letters of the record at this offset.
    pub fn first_of(offset: u64) -> Self {
        Self { offset, unit: "".into(), lane: 0, ordinal: 0 }
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, unit, lane, ordinal } = self;
        match lane {
            0 => write!(f, "{offset}-{unit}-{ordinal}"),
            lane => write!(f, "{offset}-{unit}-{lane}.{ordinal}"),
        }
    }
}

/// A text that is the id of no letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id of a dead letter; ids are like 1200-checkout/score-0")]
pub struct NoLetterId(pub String);

impl FromStr for LetterId {
    type Err = NoLetterId;

    fn from_str(text: &str) -> Result<Self, NoLetterId> {
        let parts = || {
            let (offset, rest) = text.split_once('-')?;
            let (unit, ordinal) = rest.rsplit_once('-')?;
            let (lane, ordinal) = ordinal.split_once('.').unwrap_or(("0", ordinal));
            let id = Self {
                offset: offset.parse().ok()?,
                unit: unit.into(),
                lane: lane.parse().ok()?,
                ordinal: ordinal.parse().ok()?,
            };
            // One id, one text.
            (id.to_string() == text && !unit.is_empty()).then_some(id)
        };
        parts().ok_or_else(|| NoLetterId(text.chars().take(100).collect()))
    }
}

/// Who could not take what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterOf {
    /// Rows, by a unit.
    Rows,
    /// Timers, by a unit: a row for each, with key number and slot.
    Timers,
    /// Rows, by a derived stream whose type they choose.
    Stream,
}

#[derive(Debug, Clone)]
pub struct DeadLetter {
    pub id: LetterId,
    pub pipeline: Arc<str>,
    /// Of the component that ran; empty where none did.
    pub digest: Arc<str>,
    pub code: String,
    pub message: String,
    pub of: LetterOf,
    /// How often the unit was given these rows.
    pub attempts: u32,
    /// When the record was accepted.
    pub at_unix_ns: i64,
    pub batch: Batch,
}

impl DeadLetter {
    /// One that has still to be [`stamp`]ed.
    pub fn new(unit: Arc<str>, digest: Arc<str>, code: String, message: String, batch: Batch) -> Self {
        Self {
            id: LetterId { unit, ..LetterId::first_of(batch.position.offset) },
            pipeline: "".into(),
            digest,
            code,
            message,
            of: LetterOf::Rows,
            attempts: 1,
            at_unix_ns: batch.accepted_at_unix_ns,
            batch,
        }
    }

    /// The columns and times of timers: one row for each.
    pub fn batch_of_timers(due: &Due, triplet: Option<Triplet>, unit: (Arc<str>, u32), offset: u64) -> Batch {
        let keys: Vec<u64> = due.keys.iter().map(|key| u64::from(*key)).collect();
        let columns = arrow_array::RecordBatch::try_from_iter([
            ("timer.key", Arc::new(arrow_array::UInt64Array::from(keys)) as ArrayRef),
            ("timer.slot", Arc::new(arrow_array::Int64Array::from(due.slots.clone()))),
        ]);
        let columns = columns
            .unwrap_or_else(|_| arrow_array::RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty())));
        let time = if columns.num_rows() == due.times.len() { due.times.clone() } else { Vec::new() };
        Batch {
            triplet: triplet.unwrap_or_else(Triplet::internal),
            position: Position { log: 0, epoch: 0, offset },
            accepted_at_unix_ns: 0,
            origin: Origin::Unit { id: unit.0, ordinal: unit.1 },
            row_ids: RowIds::From(0),
            time: time.into(),
            columns,
            hops: 0,
        }
    }

    pub fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// Memory held.
    pub fn bytes(&self) -> usize {
        self.batch.bytes() + self.message.len() + 256
    }

    /// This letter, given again, came back with these rows of it, which then had the numbers from `start` on.
    #[must_use]
    pub fn returned(&self, mut again: Self, start: u32) -> Self {
        again.batch = self.original(&again.batch, start);
        again.attempts = self.attempts.saturating_add(1);
        again.of = self.of;
        again
    }

    /// Rows of this letter as the events that they were before it was given again.
    pub fn original(&self, rows: &Batch, start: u32) -> Batch {
        let own = |row| rows.row_ids.get(row).saturating_sub(start) as usize;
        let ids: Vec<u32> = (0..rows.rows()).map(|row| self.batch.row_ids.get(own(row))).collect();
        Batch {
            position: self.batch.position,
            accepted_at_unix_ns: self.batch.accepted_at_unix_ns,
            row_ids: RowIds::Picked(ids.into()),
            hops: self.batch.hops,
            ..rows.clone()
        }
    }
}

/// Gives the letters that one pipeline made of one record their ids, and cuts those that are too long. One without rows (a tick that nothing was due in) is none: its fault says all.
pub fn stamp(
    letters: Vec<DeadLetter>,
    pipeline: &Arc<str>,
    record: &Record,
    lane: u32,
) -> impl Iterator<Item = DeadLetter> {
    let mut ordinals: Vec<(Arc<str>, u32)> = Vec::new();
    let (offset, at_unix_ns) = (record.position.offset, record.accepted_at_unix_ns);
    letters.into_iter().filter(|letter| letter.rows() > 0).flat_map(move |mut letter| {
        let unit = Arc::clone(&letter.id.unit);
        let at = ordinals.iter().position(|(known, _)| *known == unit).unwrap_or(ordinals.len());
        if at == ordinals.len() {
            ordinals.push((Arc::clone(&unit), 0));
        }
        let first = ordinals.get(at).map_or(0, |(_, next)| *next);
        cut(&mut letter.message);
        let pieces = pieces(&letter.batch);
        if let Some((_, next)) = ordinals.get_mut(at) {
            *next += pieces.len() as u32;
        }
        let pipeline = Arc::clone(pipeline);
        (first..).zip(pieces).map(move |(ordinal, rows)| {
            let id = LetterId { offset, unit: Arc::clone(&letter.id.unit), lane, ordinal };
            let batch = if rows.len() == letter.rows() {
                letter.batch.clone()
            } else {
                slice(&letter.batch, rows.start, rows.len())
            };
            DeadLetter { id, pipeline: Arc::clone(&pipeline), at_unix_ns, batch, ..letter.clone() }
        })
    })
}

/// Rows that become one letter each. Follows from the values alone, so that the pieces are the same whenever the record is run again.
fn pieces(batch: &Batch) -> Vec<Range<usize>> {
    let (mut pieces, mut start, mut bytes) = (Vec::new(), 0, 0);
    for row in 0..batch.rows() {
        let own: usize = batch.columns.columns().iter().map(|column| value_bytes(column, row)).sum();
        if row > start && (row - start == ROWS_MAX || bytes + own > BYTES_MAX) {
            pieces.push(start..row);
            (start, bytes) = (row, 0);
        }
        bytes += own;
    }
    pieces.push(start..batch.rows());
    pieces
}

/// Text and bytes by their length, all else 8, nothing 1.
fn value_bytes(column: &ArrayRef, row: usize) -> usize {
    if row >= column.len() || column.is_null(row) {
        return 1;
    }
    let length = match column.data_type() {
        DataType::Utf8 => column.as_string_opt::<i32>().map(|texts| texts.value_length(row)),
        DataType::Binary => column.as_binary_opt::<i32>().map(|blobs| blobs.value_length(row)),
        DataType::Dictionary(_, _) => column.as_dictionary_opt::<UInt32Type>().and_then(|coded| {
            let names = coded.values().as_string_opt::<i32>()?;
            let code = coded.key(row).filter(|code| *code < names.len())?;
            Some(names.value_length(code))
        }),
        _ => None,
    };
    length.map_or(8, |length| length.unsigned_abs() as usize)
}

fn cut(message: &mut String) {
    if message.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_its_text_are_one() {
        let check = |text: &str, offset, unit: &str, lane, ordinal| {
            let id: LetterId = text.parse().unwrap();
            assert_eq!(id, LetterId { offset, unit: unit.into(), lane, ordinal });
            assert_eq!(id.to_string(), text);
        };
        check("1200-checkout/score-0", 1_200, "checkout/score", 0, 0);
        check("7-a-b/c-d-12", 7, "a-b/c-d", 0, 12);
        check("7-p/a/b/by-*-3.1", 7, "p/a/b/by-*", 3, 1);
        for wrong in ["", "7", "7-u", "x-u-1", "7-u-x", "7--1", "07-u-1", "7-u-0.1", "7-u-1.", "-u-1"] {
            assert!(wrong.parse::<LetterId>().is_err(), "{wrong}");
        }
    }

    fn of_texts(lengths: &[usize]) -> DeadLetter {
        let texts = lengths.iter().map(|length| "x".repeat(*length));
        let column = Arc::new(arrow_array::StringArray::from_iter_values(texts)) as ArrayRef;
        let batch = Batch {
            triplet: Triplet::internal(),
            position: Position { log: 0, epoch: 1, offset: 9 },
            accepted_at_unix_ns: 0,
            origin: Origin::Source("test".into()),
            row_ids: RowIds::From(0),
            time: vec![0; lengths.len()].into(),
            columns: arrow_array::RecordBatch::try_from_iter([("text", column)]).unwrap(),
            hops: 0,
        };
        DeadLetter::new("p/u".into(), "".into(), "trap".into(), "x".repeat(10_000), batch)
    }

    #[test]
    fn what_is_long_becomes_more_letters_and_no_row_is_lost() {
        let record = crate::sequencer::Sequencer::new(0, 1, 9).tick(0);
        let stamped = |letters: Vec<DeadLetter>| {
            let letters: Vec<DeadLetter> = stamp(letters, &"p".into(), &record, 0).collect();
            let ids = letters.iter().map(|letter| letter.id.to_string()).collect::<Vec<_>>();
            (ids, letters.iter().map(|letter| letter.batch.row_ids.get(0)).collect::<Vec<_>>(), letters)
        };
        let (ids, first, letters) = stamped(vec![of_texts(&[1; 2_500]), of_texts(&[]), of_texts(&[1])]);
        assert_eq!(ids, ["9-p/u-0", "9-p/u-1", "9-p/u-2", "9-p/u-3"]);
        assert_eq!(first, [0, 1_000, 2_000, 0]);
        assert_eq!(letters.iter().map(DeadLetter::rows).sum::<usize>(), 2_501);
        assert!(letters.iter().all(|letter| letter.message.len() == MESSAGE_BYTES_MAX));
        // One row is never cut, however long.
        let long = [BYTES_MAX / 2, BYTES_MAX / 2, 1, 2 * BYTES_MAX, 5];
        let (ids, first, _) = stamped(vec![of_texts(&long)]);
        assert_eq!((ids.len(), first), (4, vec![0, 2, 3, 4]));
    }

    #[test]
    fn ids_are_in_the_order_of_the_log() {
        let id = |text: &str| text.parse::<LetterId>().unwrap();
        assert!(id("9-z/z-5") < id("10-a/a-0") && id("9-a/a-9") < id("9-a/a-10"));
        assert!(LetterId::first_of(9) < id("9-a/a-0") && LetterId::first_of(9) > id("8-z/z-9"));
    }
}
