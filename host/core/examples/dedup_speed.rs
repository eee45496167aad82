//! What it costs to know events again: ns per event of marking a batch, by how numbers come.
//!
//! `cargo run --release -p weir-core --example dedup_speed`

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a measurement that is printed, and may stop")]

use std::sync::Arc;
use std::time::Instant;

use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{Field, Schema};
use weir_core::batch::DICTIONARY_ID;
use weir_core::config::DedupSpec;
use weir_core::seen::Producers;

const ROWS: usize = 4_096;
const BATCHES: u64 = 2_000;

fn batch(producers: usize, first: u64, step: u64) -> RecordBatch {
    let names = StringArray::from_iter_values((0..producers).map(|n| format!("producer-{n}")));
    let codes = UInt32Array::from_iter_values((0..ROWS).map(|row| (row % producers) as u32));
    let names = DictionaryArray::<UInt32Type>::new(codes, Arc::new(names));
    let number = |row: usize| (first + step * (row / producers) as u64) as i64;
    let numbers = Int64Array::from_iter_values((0..ROWS).map(number));
    let id: std::collections::HashMap<String, String> = [(DICTIONARY_ID.to_owned(), "7".to_owned())].into();
    let (names, numbers): (ArrayRef, ArrayRef) = (Arc::new(names), Arc::new(numbers));
    let fields = vec![
        Field::new("producer", names.data_type().clone(), true).with_metadata(id),
        Field::new("seq", numbers.data_type().clone(), true),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![names, numbers]).expect("columns fit")
}

fn main() {
    let source = Arc::from("s");
    for (what, producers, step) in [
        ("one producer, rising", 1, 1),
        ("100 producers, rising", 100, 1),
        ("one producer, each second number", 1, 2),
    ] {
        let mut seen = Producers::default();
        let spec = DedupSpec::default();
        seen.configure([(&source, &spec)].into_iter());
        let per_batch = (ROWS / producers + 1) as u64 * step;
        let batches: Vec<_> = (0..BATCHES).map(|n| batch(producers, n * per_batch, step)).collect();
        for pass in ["new", "again"] {
            let begun = Instant::now();
            let found: usize = (0..)
                .zip(&batches)
                .filter_map(|(offset, batch)| Some(seen.take(&source, batch, offset)?.duplicates.len()))
                .sum();
            let ns = begun.elapsed().as_nanos() as f64 / (BATCHES as f64 * ROWS as f64);
            println!("{what}, {pass}: {ns:.1} ns/event, {found} duplicates");
        }
    }
    let (mut seen, columns) = (Producers::default(), batch(1, 0, 1));
    let begun = Instant::now();
    let asked = (0..1_000_000).filter(|offset| seen.take(&source, &columns, *offset).is_some()).count();
    println!("not asked for: {:.1} ns/batch, {asked}", begun.elapsed().as_nanos() as f64 / 1e6);
}
