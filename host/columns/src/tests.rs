//! What the builders make of rows, whatever format they came in.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type};
use arrow_schema::DataType;

use super::*;

mod cuts;
mod frames;
mod heads;
mod room;

/// Tables are named by what the route fields say.
struct Joined;

impl Router for Joined {
    fn table(&self, parts: &[Option<&str>]) -> Result<Arc<str>, Refusal> {
        let parts: Vec<&str> = parts.iter().map(|part| part.unwrap_or("-")).collect();
        Ok(parts.join("/").into())
    }
}

fn tables(limits: Limits) -> Tables {
    let route_fields = vec!["app".into(), "type".into()];
    Tables::new(Settings { limits, route_fields, time_field: Some("time".into()), ..Settings::default() })
}

/// Takes one row of top fields.
fn take(tables: &mut Tables, values: &[(&str, Value<'_>)]) -> Result<(), Refusal> {
    let mut row = tables.row(b"", &Joined);
    let mut previous = None;
    for (name, value) in values {
        let field = row.field(Object::ROOT, previous, name.as_bytes())?;
        row.put(field, *value)?;
        previous = Some(field);
    }
    row.commit(10, 77)
}

fn codes(results: &[Result<(), Refusal>]) -> Vec<&str> {
    results.iter().map(|result| result.as_ref().map_or_else(|refusal| refusal.code, |()| "ok")).collect()
}

#[test]
fn rows_find_their_table_by_the_route_fields_wherever_they_stand() {
    let mut tables = tables(Limits::default());
    let text = Value::Text;
    take(&mut tables, &[("app", text("a")), ("x", Value::Int(1)), ("type", text("t"))]).unwrap();
    take(&mut tables, &[("x", Value::Int(2)), ("type", text("u")), ("app", text("a"))]).unwrap();
    take(&mut tables, &[("type", text("t")), ("app", text("a")), ("x", Value::Int(3))]).unwrap();
    take(&mut tables, &[("y", Value::Int(4))]).unwrap();
    let batches = tables.take_all();
    let found: Vec<_> = batches
        .iter()
        .map(|one| (&*one.name, one.columns.num_rows(), one.columns.num_columns(), one.time.as_slice()))
        .collect();
    assert_eq!(found, [("a/t", 2, 1, &[77, 77][..]), ("a/u", 1, 1, &[77]), ("-/-", 1, 1, &[77])]);
    assert_eq!(batches[0].columns.column(0).as_primitive::<Int64Type>().values(), &[1, 3]);
}

#[test]
fn a_refused_row_leaves_neither_values_nor_names_behind() {
    let mut tables = tables(Limits { tables_max: 1, keys_max: 3, ..Limits::default() });
    let int = Value::Int(1);
    let results = [
        take(&mut tables, &[("x", int)]),
        take(&mut tables, &[("new", int), ("x", Value::Text("t")), ("x", int)]),
        take(&mut tables, &[("a", int), ("b", int), ("c", int), ("d", int)]),
        take(&mut tables, &[("other", int), ("app", Value::Text("b"))]),
        take(&mut tables, &[("app", int)]),
        take(&mut tables, &[("time", Value::Text("noon"))]),
        take(&mut tables, &[("f", Value::Float(f64::NAN))]),
        take(&mut tables, &[("x", int)]),
    ];
    assert_eq!(
        codes(&results),
        [
            "ok",
            "duplicate_key",
            "too_many_keys",
            "too_many_tables",
            "bad_route",
            "bad_time",
            "number_out_of_range",
            "ok"
        ]
    );
    let batch = tables.take_all().remove(0);
    assert_eq!((batch.columns.num_rows(), batch.columns.num_columns()), (2, 1));
    assert_eq!(*batch.columns.schema().field(0).data_type(), DataType::Int64);
    assert_eq!(tables.fields.len(), 1);
}

#[test]
fn nested_names_are_paths_and_two_spellings_of_one_are_one_field() {
    let mut tables = tables(Limits::default());
    let mut row = tables.row(b"", &Joined);
    let a = row.field(Object::ROOT, None, b"a").unwrap();
    let inside = row.object(a);
    let b = row.field(inside, None, b"b").unwrap();
    row.put(b, Value::Float(1.5)).unwrap();
    assert_eq!(row.field(Object::ROOT, Some(a), b"a.b").unwrap_err().code, "duplicate_key");
    drop(row);
    take(&mut tables, &[("z", Value::Int(1)), ("a.b", Value::Int(2))]).unwrap();
    let mut row = tables.row(b"", &Joined);
    let a = row.field(Object::ROOT, None, b"a").unwrap();
    let inside = row.object(a);
    let b = row.field(inside, None, b"b").unwrap();
    row.put(b, Value::Float(2.5)).unwrap();
    row.commit(1, 0).unwrap();
    let batch = tables.take_all().remove(0);
    assert_eq!(batch.columns.schema().field(1).name(), "a.b");
    assert_eq!(batch.columns.column(1).as_primitive::<Float64Type>().values(), &[2.0, 2.5]);
    assert!(batch.changes.iter().any(|change| matches!(change.kind, ChangeKind::Widened { .. })));
}

#[test]
fn bytes_and_times_are_columns_and_mixes_become_text() {
    let mut tables = tables(Limits::default());
    take(
        &mut tables,
        &[("b", Value::Bytes(b"\x01\xff")), ("t", Value::Time(5)), ("m", Value::Bytes(b"\xab"))],
    )
    .unwrap();
    take(&mut tables, &[("m", Value::Text("x")), ("time", Value::Time(9))]).unwrap();
    let batch = tables.take_all().remove(0);
    assert_eq!(batch.time, [77, 9]);
    assert_eq!(batch.columns.column(0).as_binary::<i32>().value(0), b"\x01\xff");
    assert!(batch.columns.column(1).is_null(1));
    let mixed = batch.columns.column(2).as_dictionary::<UInt32Type>();
    assert_eq!(mixed.values().as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["ab", "x"]);
}

#[test]
fn fields_without_room_are_forgotten_and_counted() {
    let mut tables = tables(Limits { columns_max: 2, keys_max: 4, ..Limits::default() });
    let int = Value::Int(1);
    for start in 0..50 {
        let names: Vec<String> = (0..4).map(|number| format!("k{start}-{number}")).collect();
        let values: Vec<(&str, Value<'_>)> = names.iter().map(|name| (name.as_str(), int)).collect();
        take(&mut tables, &values).unwrap();
    }
    take(&mut tables, &[("k0-1", Value::Int(7))]).unwrap();
    assert_eq!(tables.fields.len(), 4);
    let batch = tables.take_all().remove(0);
    assert_eq!((batch.columns.num_columns(), batch.columns.num_rows()), (2, 51));
    assert_eq!(batch.columns.column(1).as_primitive::<Int64Type>().value(50), 7);
    assert_eq!(tables.drain_counters()[0].2.columns_over_limit, 50 * 4 - 2);
}

#[test]
fn objects_of_forgotten_fields_go_and_those_of_kept_ones_stay() {
    let mut tables = tables(Limits::default());
    take(&mut tables, &[("kept", Value::Int(1))]).unwrap();
    let mut row = tables.row(b"", &Joined);
    let gone = row.field(Object::ROOT, None, b"gone").unwrap();
    let inside = row.object(gone);
    row.field(inside, None, b"x").unwrap();
    let kept = row.field(Object::ROOT, Some(gone), b"kept").unwrap();
    let inside = row.object(kept);
    row.field(inside, None, b"y").unwrap();
    drop(row);
    let mut row = tables.row(b"", &Joined);
    let kept = row.field(Object::ROOT, None, b"kept").unwrap();
    let inside = row.object(kept);
    let y = row.field(inside, None, b"y").unwrap();
    row.put(y, Value::Bool(true)).unwrap();
    row.commit(1, 0).unwrap();
    let schema = tables.take_all().remove(0).columns.schema();
    assert_eq!(
        schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
        ["kept", "kept.y"]
    );
}

#[test]
fn columns_that_a_whole_batch_lacks_are_null_and_of_their_type() {
    let mut tables = tables(Limits::default());
    let all = [
        ("i", Value::Int(1)),
        ("u", Value::UInt(u64::MAX)),
        ("f", Value::Float(1.5)),
        ("o", Value::Bool(true)),
        ("s", Value::Text("x")),
        ("b", Value::Bytes(b"x")),
        ("t", Value::Time(1)),
    ];
    take(&mut tables, &all).unwrap();
    let first = tables.take_all().remove(0).columns;
    take(&mut tables, &[]).unwrap();
    take(&mut tables, &[]).unwrap();
    let second = tables.take_all().remove(0).columns;
    assert_eq!(first.schema(), second.schema());
    assert!(second.columns().iter().all(|array| array.len() == 2 && array.null_count() == 2));
    take(&mut tables, &all).unwrap();
    assert_eq!(tables.take_all().remove(0).columns, first);
}
