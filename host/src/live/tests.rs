//! What the page does with frames, in small, and that it always ends at the newest picture.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::diff::between;
use super::frame::encode;
use crate::charts::picture::{ChartVersion, Column, Table, Values};

/// A cell as the client sees it, with NaN as its bits.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Missing,
    Number(u64),
    Bool(u8),
    Text(String),
}

type Rows = Vec<Vec<Cell>>;

/// What the client keeps: the description, and rows of cells by table.
#[derive(Debug, Default, PartialEq)]
struct Client {
    version: u64,
    description: Value,
    tables: BTreeMap<String, Rows>,
}

impl Client {
    fn take(&mut self, frame: &[u8]) -> Value {
        let length = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
        assert_eq!((4 + length) % 8, 0);
        let header: Value = serde_json::from_slice(&frame[4..4 + length]).unwrap();
        if header["kind"] == "snapshot" {
            self.tables.clear();
        }
        if let Some(description) = header.get("description") {
            self.description = description.clone();
        }
        self.version = header["version"].as_u64().unwrap();
        for table in header["tables"].as_array().unwrap() {
            let (drop, keep) =
                (table["drop"].as_u64().unwrap() as usize, table["keep"].as_u64().unwrap() as usize);
            let rows = self.tables.entry(table["name"].as_str().unwrap().to_owned()).or_default();
            let mut kept: Rows = rows.iter().skip(drop).take(keep).cloned().collect();
            assert_eq!(kept.len(), keep, "kept rows that are not there");
            kept.extend(decode(frame, table));
            *rows = kept;
        }
        header
    }
}

fn decode(frame: &[u8], table: &Value) -> Rows {
    let rows = table["rows"].as_u64().unwrap() as usize;
    let cell = |column: &Value, row: usize| {
        let offset = column["offset"].as_u64().unwrap() as usize;
        assert_eq!(offset % 8, 0);
        if let Some(valid) = column["valid_offset"].as_u64() {
            assert_eq!(valid % 8, 0);
            if frame[valid as usize + row] == 0 {
                return Cell::Missing;
            }
        }
        match column["type"].as_str().unwrap() {
            "f64" | "time" => {
                Cell::Number(u64::from_le_bytes(frame[offset + row * 8..][..8].try_into().unwrap()))
            }
            "bool" => Cell::Bool(frame[offset + row]),
            "text" => {
                let code = u32::from_le_bytes(frame[offset + row * 4..][..4].try_into().unwrap());
                Cell::Text(column["names"][code as usize].as_str().unwrap().to_owned())
            }
            other => panic!("unknown type {other}"),
        }
    };
    let columns = table["columns"].as_array().unwrap();
    (0..rows).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
}

/// The rows of a table without the wire.
fn rows(table: &Table) -> Rows {
    let cell = |column: &Column, row: usize| {
        if column.valid.as_ref().is_some_and(|valid| valid[row] == 0) {
            return Cell::Missing;
        }
        match &column.values {
            Values::F64(values) | Values::Time(values) => Cell::Number(values[row].to_bits()),
            Values::Bool(values) => Cell::Bool(values[row]),
            Values::Text { codes, names } => Cell::Text(names[codes[row] as usize].to_string()),
        }
    };
    (0..table.rows).map(|row| table.columns.iter().map(|column| cell(column, row)).collect()).collect()
}

fn expected(version: &ChartVersion) -> Client {
    Client {
        version: version.version,
        description: (*version.description).clone(),
        tables: version.tables.iter().map(|table| (table.name.to_string(), rows(table))).collect(),
    }
}

fn picture(version: u64, tables: Vec<Table>) -> ChartVersion {
    ChartVersion {
        chart: "c".into(),
        epoch: 1,
        version,
        newest_unix_ns: Some(5),
        description: Arc::new(json!({ "title": "t", "part": version / 4 })),
        tables: tables.into_iter().map(Arc::new).collect(),
    }
}

/// Table with the points start..end of something that only depends on the point.
fn window(name: &str, start: usize, end: usize) -> Table {
    let points = || start..end;
    let names: Vec<Arc<str>> = (0..end).rev().map(|point| format!("p{point}").into()).collect();
    let column =
        |name: &str, values: Values, valid: Option<Vec<u8>>| Column { name: name.into(), values, valid };
    Table {
        name: name.into(),
        rows: end - start,
        columns: vec![
            column("time", Values::Time(points().map(|point| point as f64 * 1e3).collect()), None),
            column(
                "value",
                Values::F64(
                    points().map(|point| if point % 7 == 0 { f64::NAN } else { point as f64 }).collect(),
                ),
                Some(points().map(|point| u8::from(point % 7 != 0)).collect()),
            ),
            column(
                "name",
                Values::Text { codes: points().map(|point| (end - 1 - point) as u32).collect(), names },
                None,
            ),
            column("odd", Values::Bool(points().map(|point| (point % 2) as u8).collect()), None),
        ],
    }
}

#[test]
fn a_moved_window_sends_only_what_is_new() {
    let old = picture(1, vec![window("a", 0, 100), window("b", 0, 50)]);
    let new = picture(3, vec![window("a", 10, 103), window("b", 0, 50)]);
    let mut client = Client::default();
    client.take(&encode(&old, &between(None, &old), 0, 7));
    let header = client.take(&encode(&new, &between(Some(&old), &new), 1, 8));
    assert_eq!(client, expected(&new));
    let tables = header["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 1, "b did not change");
    assert_eq!(json!([tables[0]["drop"], tables[0]["keep"], tables[0]["rows"]]), json!([10, 90, 3]));
    assert_eq!(
        (&header["merged"], header.get("description"), &header["kind"]),
        (&json!(1), None, &json!("delta"))
    );
    assert_eq!(tables[0]["columns"][2]["names"], json!(["p100", "p101", "p102"]));
}

#[test]
fn a_table_that_is_gone_or_another_epoch_makes_a_snapshot() {
    let old = picture(1, vec![window("a", 0, 10), window("b", 0, 10)]);
    let fewer = picture(2, vec![window("a", 0, 10)]);
    assert!(between(Some(&old), &fewer).snapshot);
    let other = ChartVersion { epoch: 2, ..picture(2, vec![window("a", 0, 10), window("b", 0, 10)]) };
    assert!(between(Some(&old), &other).snapshot);
}

#[test]
fn other_columns_and_empty_tables_are_sent_whole() {
    let mut client = Client::default();
    let mut narrow = window("a", 0, 10);
    narrow.columns.pop();
    let steps = [
        vec![window("a", 0, 10)],
        vec![narrow],
        vec![window("a", 3, 3)],
        vec![window("a", 0, 1), window("b", 0, 0)],
        vec![window("a", 0, 1), window("b", 2, 9)],
    ];
    let mut old: Option<ChartVersion> = None;
    for (at, tables) in steps.into_iter().enumerate() {
        let new = picture(at as u64 + 1, tables);
        client.take(&encode(&new, &between(old.as_ref(), &new), 0, 0));
        assert_eq!(client, expected(&new));
        old = Some(new);
    }
}

/// Random cells from few values, so that runs repeat and rows are alike.
fn random_table(random: &mut StdRng, name: &str) -> Table {
    let rows = random.random_range(0..12);
    let text: Vec<Arc<str>> =
        ["x", "y", "zä"].map(Arc::from).into_iter().cycle().skip(random.random_range(0..3)).take(3).collect();
    let columns = (0..random.random_range(1..4)).map(|at| {
        let values = match random.random_range(0..4) {
            0 => Values::F64((0..rows).map(|_| f64::from(random.random_range(0..2))).collect()),
            1 => Values::Time((0..rows).map(|row| (row + random.random_range(0..2)) as f64).collect()),
            2 => Values::Bool((0..rows).map(|_| random.random_range(0..2)).collect()),
            _ => Values::Text {
                codes: (0..rows).map(|_| random.random_range(0..3)).collect(),
                names: text.clone(),
            },
        };
        let valid = random.random_bool(0.5).then(|| (0..rows).map(|_| random.random_range(0..2)).collect());
        Column { name: format!("c{at}").into(), values, valid }
    });
    Table { name: name.into(), rows, columns: columns.collect() }
}

/// The table a while later: front dropped, something appended, sometimes a cell changed.
fn moved(random: &mut StdRng, table: &Table) -> Table {
    let pick: Vec<usize> = {
        let start = random.random_range(0..=table.rows);
        let more = if table.rows == 0 { 0 } else { random.random_range(0..4) };
        (start..table.rows).chain((0..more).map(|_| random.random_range(0..table.rows))).collect()
    };
    let column = |column: &Column| Column {
        name: Arc::clone(&column.name),
        values: match &column.values {
            Values::F64(values) => Values::F64(pick.iter().map(|&row| values[row]).collect()),
            Values::Time(values) => Values::Time(pick.iter().map(|&row| values[row]).collect()),
            Values::Bool(values) => Values::Bool(pick.iter().map(|&row| values[row]).collect()),
            Values::Text { codes, names } => {
                Values::Text { codes: pick.iter().map(|&row| codes[row]).collect(), names: names.clone() }
            }
        },
        valid: column.valid.as_ref().map(|valid| pick.iter().map(|&row| valid[row]).collect()),
    };
    Table {
        name: Arc::clone(&table.name),
        rows: pick.len(),
        columns: table.columns.iter().map(column).collect(),
    }
}

#[test]
fn old_plus_update_is_new_for_random_tables() {
    let mut random = StdRng::seed_from_u64(11);
    for round in 0..3_000_u64 {
        let mut client = Client::default();
        let mut tables = vec![random_table(&mut random, "a"), random_table(&mut random, "b")];
        let mut old: Option<ChartVersion> = None;
        for step in 0..4 {
            let new = picture(round * 10 + step, tables.clone());
            client.take(&encode(&new, &between(old.as_ref(), &new), 0, 0));
            assert_eq!(client, expected(&new), "round {round} step {step}");
            tables = tables
                .iter()
                .map(|table| {
                    if random.random_bool(0.8) {
                        moved(&mut random, table)
                    } else {
                        random_table(&mut random, &table.name)
                    }
                })
                .collect();
            old = Some(new);
        }
    }
}
