//! Columns of every type, there and back.

use super::*;
use proptest::prelude::*;

/// There and back, and every cut of the bytes is refused.
fn check(column: ArrayRef) {
    let mut out = Vec::new();
    put(&mut out, &column, false);
    let mut from = Take(&out);
    let back = take(&mut from, column.data_type(), column.len(), None).unwrap();
    assert!(from.is_empty());
    assert_eq!(&back, &column);
    for cut in [0, 1, out.len() / 2, out.len().saturating_sub(1)] {
        let got = take(&mut Take(&out[..cut]), column.data_type(), column.len(), None);
        assert!(got.is_none() || cut == out.len(), "cut at {cut} of {}", out.len());
    }
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        (-100_000i64..100_000).prop_map(|cents| cents as f64 / 100.0),
        Just(-0.0),
        Just(f64::NAN),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn numbers_come_back(values in prop::collection::vec(prop::option::of(any::<i64>()), 1..50), small in prop::collection::vec(-300i64..300, 1..50)) {
        check(Arc::new(Int64Array::from(values.clone())));
        check(Arc::new(UInt64Array::from_iter(values.iter().map(|value| value.map(|value| value as u64)))));
        check(Arc::new(TimestampNanosecondArray::from(values.clone())));
        check(Arc::new(BooleanArray::from_iter(values.iter().map(|value| value.map(|value| value > 0)))));
        check(Arc::new(Int64Array::from(small)));
    }

    #[test]
    fn floats_keep_their_bits(values in prop::collection::vec(float(), 1..50)) {
        let mut out = Vec::new();
        floats::put(&mut out, &values);
        let back = floats::take(&mut Take(&out), values.len()).unwrap();
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&back), bits(&values));
    }

    #[test]
    fn texts_come_back(values in prop::collection::vec(prop::option::of(".{0,12}"), 1..50)) {
        check(Arc::new(StringArray::from(values.clone())));
        let bytes: Vec<_> = values.iter().map(|value| value.as_ref().map(|text| text.as_bytes())).collect();
        check(Arc::new(BinaryArray::from(bytes)));
        check(Arc::new(values.iter().map(Option::as_deref).collect::<DictionaryArray<UInt32Type>>()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), code in 1u8..9, rows in 0usize..80) {
        let _ = take(&mut Take(&bytes), &type_of(code).unwrap(), rows, None);
    }
}

#[test]
fn pieces_of_columns_come_back() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("ccc"), Some("dd")]));
    let flags: ArrayRef =
        Arc::new(BooleanArray::from((0..40).map(|n| (n % 7 != 0).then_some(n % 3 == 0)).collect::<Vec<_>>()));
    let numbers: ArrayRef = Arc::new(Int64Array::from((0..40).collect::<Vec<_>>()));
    check(texts.slice(1, 2));
    check(flags.slice(3, 21));
    check(numbers.slice(5, 9));
    check(numbers.slice(5, 0));
}

#[test]
fn names_that_are_known_are_cut_to_their_time() {
    let old: DictionaryArray<UInt32Type> = [Some("x"), None, Some("y")].into_iter().collect();
    let mut out = Vec::new();
    let column: ArrayRef = Arc::new(old.clone());
    put(&mut out, &column, true);
    let now = StringArray::from(vec!["x", "y", "z"]);
    let back = take(&mut Take(&out), old.data_type(), 3, Some(&now)).unwrap();
    assert_eq!(&back, &column);
    assert!(take(&mut Take(&out), old.data_type(), 3, Some(&now.slice(0, 1))).is_none());
}
