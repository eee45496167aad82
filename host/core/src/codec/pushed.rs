//! Batches that came whole: from codecs that give columns and not rows.
//!
//! In: batches of a few rows, in the order in which they were made. Out: fewer and larger ones: neighbours of one stream and one schema are joined.
//! They leave when there are as many rows as a batch is full at, or when the oldest is old enough, as rows of builders do.

use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;

use super::Limits;
use crate::batch::Incoming;

#[derive(Debug)]
pub(super) struct Pushed {
    limits: Limits,
    batches: Vec<Incoming>,
    rows: usize,
    /// When the oldest came.
    since_unix_ns: i64,
    pub rows_total: u64,
    /// By codecs outside of this crate.
    pub rejected_total: u64,
    /// Rows that Arrow could not join.
    pub lost_total: u64,
}

impl Pushed {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            batches: Vec::new(),
            rows: 0,
            since_unix_ns: 0,
            rows_total: 0,
            rejected_total: 0,
            lost_total: 0,
        }
    }

    pub fn push(&mut self, batch: Incoming, arrived_unix_ns: i64) {
        if self.batches.is_empty() {
            self.since_unix_ns = arrived_unix_ns;
        }
        self.rows += batch.rows();
        self.rows_total += batch.rows() as u64;
        self.batches.push(batch);
    }

    pub fn take_full(&mut self) -> Vec<Incoming> {
        if self.rows >= self.limits.batch_rows_max { self.take_all() } else { Vec::new() }
    }

    pub fn take_due(&mut self, now_unix_ns: i64) -> Vec<Incoming> {
        let due = self.next_due_unix_ns().is_some_and(|due| due <= now_unix_ns);
        if due { self.take_all() } else { Vec::new() }
    }

    /// None: there are none.
    pub fn next_due_unix_ns(&self) -> Option<i64> {
        (!self.batches.is_empty()).then(|| self.since_unix_ns.saturating_add(self.limits.batch_age_max_ns))
    }

    /// All of them, joined where they fit.
    pub fn take_all(&mut self) -> Vec<Incoming> {
        self.rows = 0;
        let mut joined = Vec::new();
        let mut run: Vec<Incoming> = Vec::new();
        for batch in std::mem::take(&mut self.batches) {
            let fits = run.first().is_none_or(|first| {
                first.triplet == batch.triplet && first.columns.schema() == batch.columns.schema()
            });
            if !fits {
                self.end(&mut run, &mut joined);
            }
            run.push(batch);
        }
        self.end(&mut run, &mut joined);
        joined
    }

    fn end(&mut self, run: &mut Vec<Incoming>, joined: &mut Vec<Incoming>) {
        let rows: usize = run.iter().map(Incoming::rows).sum();
        match join(std::mem::take(run)) {
            Ok(batch) => joined.extend(batch),
            Err(_) => self.lost_total += rows as u64,
        }
    }
}

fn join(run: Vec<Incoming>) -> Result<Option<Incoming>, ArrowError> {
    if run.len() < 2 {
        return Ok(run.into_iter().next());
    }
    let Some(first) = run.first() else { return Ok(None) };
    let columns = concat_batches(&first.columns.schema(), run.iter().map(|batch| &batch.columns))?;
    let time: Vec<i64> = run.iter().flat_map(|batch| batch.time.iter().copied()).collect();
    let (triplet, source) = (first.triplet.clone(), first.source.clone());
    Ok(Some(Incoming { triplet, source, time: time.into(), columns }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;

    fn batch(stream: &str, column: &str, values: &[i64]) -> Incoming {
        let array: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        Incoming {
            triplet: stream.parse().unwrap(),
            source: "s".into(),
            time: values.to_vec().into(),
            columns: RecordBatch::try_from_iter([(column, array)]).unwrap(),
        }
    }

    #[test]
    fn neighbours_of_one_stream_and_schema_become_one_batch_in_their_order() {
        let mut pushed = Pushed::new(Limits::default());
        assert_eq!((pushed.next_due_unix_ns(), pushed.take_all().len()), (None, 0));
        for (stream, column, values) in
            [("a/b/c", "n", &[1, 2][..]), ("a/b/c", "n", &[3]), ("a/b/d", "n", &[4]), ("a/b/c", "m", &[5])]
        {
            pushed.push(batch(stream, column, values), 10 + values[0]);
        }
        let due = 11 + Limits::default().batch_age_max_ns;
        assert_eq!((pushed.rows_total, pushed.next_due_unix_ns()), (5, Some(due)));
        assert_eq!((pushed.take_full().len(), pushed.take_due(due - 1).len()), (0, 0));
        let joined = pushed.take_due(due);
        assert_eq!((joined.len(), pushed.lost_total, pushed.next_due_unix_ns()), (3, 0, None));
        assert_eq!(joined[0].columns.column(0).as_primitive::<Int64Type>().values()[..], [1, 2, 3]);
        assert_eq!(joined[0].time[..], [1, 2, 3]);
    }

    #[test]
    fn a_full_batch_does_not_wait() {
        let mut pushed = Pushed::new(Limits { batch_rows_max: 3, ..Limits::default() });
        pushed.push(batch("a/b/c", "n", &[1, 2]), 0);
        assert!(pushed.take_full().is_empty());
        pushed.push(batch("a/b/c", "n", &[3]), 0);
        assert_eq!(pushed.take_full()[0].rows(), 3);
    }
}
