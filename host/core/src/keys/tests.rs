//! Key numbers: equal values, equal numbers; nothing is given twice while it is known.

use arrow_array::types::UInt32Type as Codes;
use arrow_array::{DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{Field, Schema};

use super::*;
use crate::batch::{Origin, Position, RowIds};

fn batch(name: &str, array: ArrayRef, dictionary: Option<u64>) -> Batch {
    let mut field = Field::new(name, array.data_type().clone(), true);
    if let Some(id) = dictionary {
        field = field.with_metadata([(DICTIONARY_ID.to_owned(), id.to_string())]);
    }
    let rows = array.len();
    Batch {
        triplet: "a/b/c".parse().unwrap(),
        position: Position::default(),
        accepted_at_unix_ns: 0,
        origin: Origin::Source("test".into()),
        row_ids: RowIds::From(0),
        time: vec![0; rows].into(),
        columns: RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap(),
        hops: 0,
    }
}

fn coded(codes: &[u32], names: &[&str]) -> ArrayRef {
    let names = Arc::new(StringArray::from(names.to_vec()));
    Arc::new(DictionaryArray::<Codes>::new(UInt32Array::from(codes.to_vec()), names))
}

fn table() -> KeyTable {
    KeyTable::new(vec!["k".into()], false, 100)
}

#[test]
fn text_has_one_number_whether_coded_or_plain() {
    let mut keys = table();
    let plain = keys.number(&batch("k", Arc::new(StringArray::from(vec!["x", "y", "x"])), None)).0;
    assert_eq!(plain, [0, 1, 0]);
    assert_eq!(keys.number(&batch("k", coded(&[1, 0, 1], &["y", "x"]), Some(7))).0, [0, 1, 0]);
}

#[test]
fn a_growing_dictionary_and_a_replaced_one_keep_the_numbers() {
    let mut keys = table();
    assert_eq!(keys.number(&batch("k", coded(&[0, 1], &["x", "y"]), Some(1))).0, [0, 1]);
    assert_eq!(keys.number(&batch("k", coded(&[2, 1], &["x", "y", "z"]), Some(1))).0, [2, 1]);
    assert_eq!(keys.number(&batch("k", coded(&[0, 1], &["z", "x"]), Some(2))).0, [2, 0]);
}

#[test]
fn a_whole_number_is_one_key_in_every_type() {
    let mut keys = table();
    assert_eq!(keys.number(&batch("k", Arc::new(Int64Array::from(vec![5, 6])), None)).0, [0, 1]);
    assert_eq!(
        keys.number(&batch("k", Arc::new(Float64Array::from(vec![6.0, 5.0, 5.5])), None)).0,
        [1, 0, 2]
    );
}

#[test]
fn a_row_without_a_value_has_a_key_of_its_own() {
    let mut keys = table();
    let array = Int64Array::from(vec![Some(1), None, Some(0), None]);
    assert_eq!(keys.number(&batch("k", Arc::new(array), None)).0, [0, 1, 2, 1]);
    // A missing column is a missing value.
    assert_eq!(keys.number(&batch("other", Arc::new(Int64Array::from(vec![9])), None)).0, [1]);
}

#[test]
fn over_the_bound_new_keys_are_refused_and_known_ones_are_not() {
    let mut keys = KeyTable::new(vec!["k".into()], false, 2);
    let numbers = keys.number(&batch("k", Arc::new(Int64Array::from(vec![1, 2, 3, 1])), None)).0;
    assert_eq!(numbers, [0, 1, REFUSED, 0]);
}

#[test]
fn roll_back_gives_the_same_numbers_again() {
    let mut keys = table();
    keys.number(&batch("k", coded(&[0], &["x"]), Some(1)));
    keys.sweep();
    let (_, new) = keys.number(&batch("k", coded(&[1, 2], &["x", "y", "z"]), Some(1)));
    (0..new).for_each(|_| keys.forget_newest());
    assert_eq!(keys.number(&batch("k", coded(&[2, 1], &["x", "y", "z"]), Some(1))).0, [1, 2]);
}

#[test]
fn numbers_that_nothing_holds_are_announced_before_they_are_given_again() {
    let mut keys = KeyTable::new(vec!["k".into()], false, 100_000);
    let many: Vec<i64> = (0..5_000).collect();
    keys.number(&batch("k", Arc::new(Int64Array::from(many)), None));
    keys.hold(17);
    keys.sweep();
    assert!(!keys.knows(0) && keys.knows(17));
    let fresh = keys.number(&batch("k", Arc::new(Int64Array::from(vec![-1])), None)).0;
    assert_eq!(fresh, [5_000]);
    let forgotten = keys.take_forgotten();
    assert_eq!(forgotten.len(), 4_999);
    assert_eq!(keys.number(&batch("k", Arc::new(Int64Array::from(vec![-2])), None)).0, [0]);
}

#[test]
fn values_come_back_as_columns() {
    let mut keys = table();
    keys.number(&batch("k", Arc::new(StringArray::from(vec![Some("x"), None])), None));
    let columns = keys.rebuild(&[1, 0]);
    let texts = columns[0].1.as_string::<i32>();
    assert!(texts.is_null(0) && texts.value(1) == "x");
}
