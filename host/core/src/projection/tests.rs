//! Projection of random columns: no row is lost or changed, whatever is asked for.

use std::sync::Arc;

use arrow_array::{BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow_schema::{Field, Schema};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::batch::{Origin, Position};

fn batch(array: ArrayRef) -> Batch {
    let rows = array.len();
    let schema = Schema::new(vec![Field::new("v", array.data_type().clone(), true)]);
    Batch {
        triplet: "a/b/c".parse().unwrap(),
        position: Position::default(),
        accepted_at_unix_ns: 0,
        origin: Origin::Source("test".into()),
        row_ids: RowIds::From(0),
        time: (0..rows as i64).collect::<Vec<_>>().into(),
        columns: RecordBatch::try_new(Arc::new(schema), vec![array]).unwrap(),
        hops: 0,
    }
}

fn arrays() -> impl Strategy<Value = ArrayRef> {
    let longs = prop_oneof![any::<i64>(), -9..9_i64];
    let doubles = prop_oneof![any::<f64>(), (-9..9_i64).prop_map(|n| n as f64)];
    let texts = prop_oneof!["[a-z]{0,3}", "-?[0-9]{1,4}(\\.[0-9])?", Just("true".to_owned())];
    let size = 1..20_usize;
    prop_oneof![
        vec(proptest::option::of(longs), size.clone())
            .prop_map(|v| Arc::new(Int64Array::from(v)) as ArrayRef),
        vec(proptest::option::of(any::<u64>()), size.clone())
            .prop_map(|v| Arc::new(UInt64Array::from(v)) as ArrayRef),
        vec(proptest::option::of(doubles), size.clone())
            .prop_map(|v| Arc::new(Float64Array::from(v)) as ArrayRef),
        vec(proptest::option::of(any::<bool>()), size.clone())
            .prop_map(|v| Arc::new(BooleanArray::from(v)) as ArrayRef),
        vec(proptest::option::of(texts), size).prop_map(|v| Arc::new(StringArray::from(v)) as ArrayRef),
    ]
}

fn kinds() -> impl Strategy<Value = ColumnKind> {
    use ColumnKind::{Any, Bools, Categories, F64s, S64s, Texts, Timestamps, U64s};
    prop::sample::select(vec![Any, F64s, S64s, U64s, Bools, Timestamps, Texts, Categories])
}

fn plan(kind: ColumnKind) -> Plan {
    let read = Read { name: "v".into(), kind, optional: false, growing: false };
    Plan { reads: Some(vec![read]), ..Plan::default() }
}

proptest! {
    #[test]
    fn every_row_is_given_or_refused_and_numbers_stay_what_they_are(array in arrays(), kind in kinds()) {
        let before = batch(array);
        let (given, refused) = project(&before, &plan(kind));
        let mut rows: Vec<u32> = Vec::new();
        for part in refused.iter().map(|refused| &refused.batch).chain(given.iter().map(|(batch, _)| batch)) {
            rows.extend((0..part.rows()).map(|row| part.row_ids.get(row)));
        }
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..before.rows() as u32).collect::<Vec<_>>());
        if let Some((batch, columns)) = &given {
            prop_assert_eq!(columns[0].array.len(), batch.rows());
            let old = batch.columns.column(0);
            for row in 0..batch.rows() {
                prop_assert_eq!(old.is_null(row), columns[0].array.is_null(row));
                let value = |array: &ArrayRef| crate::recent::value(array.as_ref(), row).as_f64();
                if let (Some(old), Some(new)) = (value(old), value(&columns[0].array)) {
                    prop_assert_eq!(old, new);
                }
            }
        }
    }
}

#[test]
fn a_missing_column_refuses_all_rows_unless_it_is_optional() {
    let before = batch(Arc::new(Int64Array::from(vec![1, 2])));
    let mut plan = plan(ColumnKind::F64s);
    for read in plan.reads.iter_mut().flatten() {
        read.name = "other".into();
    }
    let (given, refused) = project(&before, &plan);
    assert!(given.is_none() && refused[0].batch.rows() == 2 && refused[0].message.contains("`other`"));
    plan.reads.iter_mut().flatten().for_each(|read| read.optional = true);
    let (given, refused) = project(&before, &plan);
    assert!(refused.is_empty() && given.is_some_and(|(_, columns)| columns.is_empty()));
}
