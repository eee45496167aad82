//! Rows there and back again.

use weir_sdk::column::{S64s, pack};
use weir_sdk::testing::batch;
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Output, Values};

use crate::{Broken, Gather, encode, rows_per_chunk};

fn input() -> Batch {
    let mut size = Column::of_s64s("size", &[1, 0, 3]);
    size.valid = Some(vec![1, 0, 1]);
    let columns = vec![
        size,
        Column::of_f64s("ms", &[0.5, 1.5, 2.5]),
        Column::of_u64s("n", &[u64::MAX, 1, 2]),
        Column::of_bools("ok", &[true, false, true]),
        Column::of_texts("line", ["a", "", "ü"]),
        Column::of_categories("host", ["x", "y", "x"]),
        Column::new("raw", Values::Blobs(pack([&b"\xff"[..], b"", b"2"]))),
    ];
    batch(&[10, 20, 30], &[], columns)
}

fn batches(gather: Gather, keyed: bool) -> Vec<Batch> {
    let outputs = gather.into_outputs(0, keyed).into_iter();
    outputs
        .map(|output| match output {
            Output::Emit(emit) => emit.batch,
            _ => panic!("not emitted"),
        })
        .collect()
}

#[test]
fn rows_come_back_as_they_were() {
    let mut gather = Gather::default();
    gather.push(&encode(&input(), &[0, 1, 2]), 0).unwrap();
    let back = batches(gather, false).remove(0);
    assert_eq!(format!("{:?}", back.columns), format!("{:?}", input().columns));
    assert_eq!((back.times().to_vec(), back.keys.len()), (vec![10, 20, 30], 0));
}

#[test]
fn chunks_are_joined_in_their_order_with_their_keys() {
    let mut gather = Gather::default();
    gather.push(&encode(&input(), &[2]), 7).unwrap();
    gather.push(&encode(&input(), &[0, 1]), 3).unwrap();
    assert_eq!(gather.rows, 3);
    let back = batches(gather, true).remove(0);
    assert_eq!((back.times().to_vec(), back.key_numbers().to_vec()), (vec![30, 10, 20], vec![7, 3, 3]));
}

#[test]
fn a_column_that_a_row_lacks_has_no_value_there() {
    let mut gather = Gather::default();
    gather.push(&encode(&batch(&[1], &[], vec![Column::of_categories("a", ["x"])]), &[0]), 0).unwrap();
    gather.push(&encode(&batch(&[2], &[], vec![Column::of_s64s("b", &[5])]), &[0]), 0).unwrap();
    let back = batches(gather, false).remove(0);
    let valid: Vec<_> = back.columns.iter().map(|column| column.valid.clone().unwrap()).collect();
    assert_eq!(valid, [[1, 0], [0, 1]]);
}

#[test]
fn two_kinds_of_one_name_are_two_batches() {
    let mut gather = Gather::default();
    let rows = [Column::of_s64s("a", &[1]), Column::of_f64s("a", &[1.5]), Column::of_s64s("a", &[2])];
    for column in rows {
        gather.push(&encode(&batch(&[1], &[], vec![column]), &[0]), 0).unwrap();
    }
    let back = batches(gather, false);
    assert_eq!(back.len(), 2);
    let Values::S64s(bytes) = &back[0].columns[0].values else { panic!("not s64s") };
    assert_eq!(S64s::new(bytes).to_vec(), [1, 2]);
}

#[test]
fn what_is_no_chunk_is_refused_whole() {
    let chunk = encode(&input(), &[0, 1, 2]);
    for length in 0..chunk.len() {
        let mut gather = Gather::default();
        assert_eq!(gather.push(&chunk[..length], 0), Err(Broken), "{length} bytes");
        assert!(batches(gather, false).is_empty());
    }
    assert_eq!(Gather::default().push(&[&chunk[..], &[0]].concat(), 0), Err(Broken));
}

#[test]
fn large_rows_make_small_chunks() {
    let long = "x".repeat(1000);
    let texts = batch(&[1, 2], &[], vec![Column::of_texts("t", [&long, &long])]);
    assert_eq!(rows_per_chunk(&texts, 4096), 4);
    let names = batch(&[1, 2], &[], vec![Column::of_categories("t", [&long, &long])]);
    assert_eq!(rows_per_chunk(&names, 4096), 4);
    assert_eq!(rows_per_chunk(&texts, 10), 1);
}
