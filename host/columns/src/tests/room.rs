//! JSON rows whose new names come before their route: whether their table has room for them is guessed by the rows before.

use super::*;
use crate::json::Scanner;

/// What came of a text: each table's name, times and column names with the values of its last row.
fn scan(scanner: &mut Scanner, tables: &mut Tables, text: &str) -> Vec<(String, Vec<i64>, Vec<String>)> {
    let mut rejected = Vec::new();
    let input = Input { chunk: text.as_bytes(), end: true, arrived_unix_ns: 5, router: &Joined };
    scanner.scan(input, tables, &mut rejected);
    assert!(rejected.is_empty(), "{rejected:?}");
    let mut found: Vec<_> = tables
        .take_all()
        .into_iter()
        .map(|batch| {
            let last = batch.columns.num_rows() - 1;
            let schema = batch.columns.schema();
            let cells = schema.fields().iter().zip(batch.columns.columns());
            let set = cells.filter(|(_, array)| !array.is_null(last));
            let said = set.map(|(field, array)| {
                format!("{}={}", field.name(), array.as_primitive::<Int64Type>().value(last))
            });
            (batch.name.to_string(), batch.time.clone(), said.collect())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn they_are_passed_over_only_where_their_table_has_none() {
    for mut scanner in [Scanner::new(), Scanner::portable()] {
        let mut tables = tables(Limits { columns_max: 2, keys_max: 6, ..Limits::default() });
        let row =
            |row: usize| format!("{{\"n{row}\":1,\"m{row}\":{{\"x\":2}},\"app\":\"full\",\"type\":\"t\"}}\n");
        let found = scan(&mut scanner, &mut tables, &(0..20).map(row).collect::<String>());
        assert_eq!(found, [("full/t".to_owned(), vec![5; 20], vec![])]);
        let fields = tables.fields.len();

        // The other table has room: its row is read again, and what it brings is kept.
        let mixed = r#"{"z1":1,"app":"full","type":"t"}
{"k":5,"o":{"y":6},"app":"free","type":"t"}
{"z2":1,"n0":4,"app":"full","type":"t"}
{"k":7,"app":"free"}"#;
        let found = scan(&mut scanner, &mut tables, mixed);
        assert_eq!(
            found,
            [
                ("free/-".to_owned(), vec![5], vec!["k=7".to_owned()]),
                ("free/t".to_owned(), vec![5], vec!["k=5".to_owned(), "o.y=6".to_owned()]),
                ("full/t".to_owned(), vec![5; 2], vec!["n0=4".to_owned()]),
            ]
        );
        assert_eq!(tables.fields.len(), fields + 3);

        // The time is no plain field: in a full table it counts too, however late its name comes first.
        let timed = "{\"z3\":1,\"app\":\"full\",\"type\":\"t\"}{\"z4\":1,\"time\":17,\"app\":\"full\",\"type\":\"t\"}";
        let found = scan(&mut scanner, &mut tables, &timed.repeat(2));
        assert_eq!(found, [("full/t".to_owned(), vec![5, 17_000_000_000, 5, 17_000_000_000], vec![])]);
    }
}
