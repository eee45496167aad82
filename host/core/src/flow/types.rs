//! Derived streams whose type the rows choose: a batch in, one batch for each type out.
//!
//! The value of the column is the end of the type. A row without a value, or with one that cannot stand in a triplet, and a row whose type would be one more than the stream may
//! have, are refused with a code and a reason, for the dead letters. Types that a record made known are forgotten again if it is taken back. They are kept as long as the flow runs.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::batch::Batch;
use crate::projection::pick;
use crate::recent::value;
use crate::triplet::{Selector, Triplet};

/// The types that one derived stream has so far.
#[derive(Debug, Default)]
pub struct Types {
    known: Vec<Triplet>,
    /// How many of them finished records made known.
    settled: usize,
}

#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum Place {
    #[default]
    BadType,
    OverLimit,
    /// Index of the known type.
    At(usize),
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Parted {
    pub batches: Vec<Batch>,
    /// Rows with a code and a reason.
    pub refused: Vec<(Batch, &'static str, String)>,
}

impl Types {
    pub fn part(&mut self, batch: &Batch, pattern: &Selector, column: &str, types_max: usize) -> Parted {
        let places = self.places(batch, pattern, column, types_max);
        let rows_at = |place: Place| {
            let mask = BooleanBuffer::collect_bool(batch.rows(), |row| places.get(row) == Some(&place));
            (mask.count_set_bits() > 0).then(|| pick(batch, &mask))
        };
        let mut parted = Parted::default();
        for (index, triplet) in self.known.iter().enumerate() {
            if places.contains(&Place::At(index))
                && let Some(rows) = rows_at(Place::At(index))
            {
                parted.batches.push(Batch { triplet: triplet.clone(), ..rows });
            }
        }
        if let Some(rows) = rows_at(Place::BadType) {
            let reason = format!("the value of `{column}` is not there or cannot be the end of {pattern}");
            parted.refused.push((rows, "bad-type", reason));
        }
        if let Some(rows) = rows_at(Place::OverLimit) {
            let reason = format!("{pattern} has its {types_max} types already; raise `types` of the stream");
            parted.refused.push((rows, "types-over-limit", reason));
        }
        parted
    }

    /// What a checkpoint knew.
    pub fn restored(known: Vec<Triplet>) -> Self {
        Self { settled: known.len(), known }
    }

    pub fn known(&self) -> &[Triplet] {
        &self.known
    }

    /// The record is done.
    pub fn settle(&mut self) {
        self.settled = self.known.len();
    }

    /// The record did not happen.
    pub fn take_back(&mut self) {
        self.known.truncate(self.settled);
    }

    fn places(&mut self, batch: &Batch, pattern: &Selector, column: &str, types_max: usize) -> Vec<Place> {
        let Some(array) = batch.columns.column_by_name(column) else {
            return vec![Place::BadType; batch.rows()];
        };
        let codes = match array.data_type() {
            DataType::Dictionary(_, _) => array.as_dictionary_opt::<UInt32Type>().map(|codes| codes.keys()),
            _ => None,
        };
        // Each code or text is looked at once, in the order of the rows, which is what decides who is over the limit.
        let mut by_code: HashMap<u32, Place, FixedState> = HashMap::default();
        let mut by_text: HashMap<String, Place, FixedState> = HashMap::default();
        (0..batch.rows())
            .map(|row| {
                if array.is_null(row) {
                    return Place::BadType;
                }
                let code = codes.and_then(|codes| codes.values().get(row).copied());
                if let Some(place) = code.and_then(|code| by_code.get(&code)) {
                    return *place;
                }
                let text = super::text(&value(array.as_ref(), row));
                let place = match by_text.get(&text) {
                    Some(place) => *place,
                    None => self.place(pattern, &text, types_max),
                };
                by_text.insert(text, place);
                if let Some(code) = code {
                    by_code.insert(code, place);
                }
                place
            })
            .collect()
    }

    fn place(&mut self, pattern: &Selector, text: &str, types_max: usize) -> Place {
        let Some(triplet) = pattern.with_type_end(text).ok().filter(|_| !text.is_empty()) else {
            return Place::BadType;
        };
        if let Some(index) = self.known.iter().position(|known| *known == triplet) {
            return Place::At(index);
        }
        if self.known.len() >= types_max {
            return Place::OverLimit;
        }
        self.known.push(triplet);
        Place::At(self.known.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray};

    use super::*;
    use crate::batch::{Origin, Position, RowIds};

    fn batch(column: ArrayRef) -> Batch {
        let rows = column.len();
        Batch {
            triplet: "a/b/c".parse().unwrap(),
            position: Position { log: 0, epoch: 0, offset: 1 },
            accepted_at_unix_ns: 0,
            origin: Origin::Source("test".into()),
            row_ids: RowIds::From(0),
            time: vec![0; rows].into(),
            columns: RecordBatch::try_from_iter([("kind", column)]).unwrap(),
            hops: 1,
        }
    }

    /// Streams with their counts of rows, then codes of refusals with theirs.
    fn part(types: &mut Types, column: ArrayRef, types_max: usize) -> Vec<(String, usize)> {
        let parted = types.part(&batch(column), &"a/b/by-*".parse().unwrap(), "kind", types_max);
        let batches = parted.batches.iter().map(|batch| (batch.triplet.to_string(), batch.rows()));
        let refused = parted.refused.iter().map(|(rows, code, _)| ((*code).to_owned(), rows.rows()));
        batches.chain(refused).collect()
    }

    fn texts(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    fn wanted(list: &[(&str, usize)]) -> Vec<(String, usize)> {
        list.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
    }

    #[test]
    fn rows_go_to_the_type_that_their_value_names() {
        let mut types = Types::default();
        let rows = texts(&[Some("x"), Some("y"), None, Some("x"), Some("a/b"), Some("")]);
        let expected = [("a/b/by-x", 2), ("a/b/by-y", 1), ("bad-type", 3)];
        assert_eq!(part(&mut types, rows, 8), wanted(&expected));
        let coded: DictionaryArray<UInt32Type> =
            [Some("y"), None, Some("z"), Some("y")].into_iter().collect();
        let expected = [("a/b/by-y", 2), ("a/b/by-z", 1), ("bad-type", 1)];
        assert_eq!(part(&mut types, Arc::new(coded), 8), wanted(&expected));
        assert_eq!(part(&mut types, Arc::new(Int64Array::from(vec![7])), 8), wanted(&[("a/b/by-7", 1)]));
        assert_eq!(types.known().len(), 4);
    }

    #[test]
    fn a_type_over_the_limit_is_refused_and_known_ones_go_on() {
        let mut types = Types::default();
        let rows = texts(&[Some("x"), Some("y"), Some("z"), Some("x"), Some("z")]);
        assert_eq!(
            part(&mut types, rows, 2),
            wanted(&[("a/b/by-x", 2), ("a/b/by-y", 1), ("types-over-limit", 2)])
        );
    }

    #[test]
    fn what_was_taken_back_leaves_its_place_to_others() {
        let mut types = Types::default();
        part(&mut types, texts(&[Some("x")]), 2);
        types.settle();
        part(&mut types, texts(&[Some("y")]), 2);
        types.take_back();
        assert_eq!(
            part(&mut types, texts(&[Some("z"), Some("x")]), 2),
            wanted(&[("a/b/by-x", 1), ("a/b/by-z", 1)])
        );
    }

    #[test]
    fn a_batch_without_the_column_is_refused() {
        let mut types = Types::default();
        let parted = types.part(&batch(texts(&[Some("x")])), &"a/b/*".parse().unwrap(), "gone", 2);
        assert_eq!((parted.batches.len(), parted.refused[0].1), (0, "bad-type"));
    }
}
