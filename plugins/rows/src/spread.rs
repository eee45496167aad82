//! Parts of texts to typed columns: made once for a list of texts, given out as often as rows point into it.
//!
//! In: texts (or nothing) and the kind that they become, as the expression language converts. Out: a column with one value for each row, which names its text by
//! index or has none. Texts become categories with only the names that the rows use.

use std::collections::HashMap;

use weir_sdk::column::{Number, bytes_of, pack};
use weir_sdk::expr::{self, Kind, Values as Computed};
use weir_sdk::{Categories, Column, ColumnExt, Values};

pub struct Spread {
    cells: Cells,
}

enum Cells {
    /// Code of each text into the names.
    Texts {
        codes: Vec<Option<u32>>,
        names: Vec<String>,
    },
    Computed(expr::Column),
}

impl Spread {
    /// `kind` none: they stay texts.
    pub fn new<T: AsRef<str>>(kind: Option<Kind>, texts: &[Option<T>]) -> Self {
        let Some(kind) = kind else { return Self { cells: coded(texts) } };
        let mut source =
            Column::of_texts("part", texts.iter().map(|text| text.as_ref().map_or("", AsRef::as_ref)));
        source.valid = Some(texts.iter().map(|text| u8::from(text.is_some())).collect());
        let mut columns = expr::Columns::new(texts.len());
        if let Some(source) = source.expr_source() {
            columns.add("part", source);
        }
        Self { cells: Cells::Computed(expr::cast("part", kind).eval(&columns)) }
    }

    /// None where no row has a value.
    pub fn column(&self, name: &str, rows: &[Option<usize>]) -> Option<Column> {
        match &self.cells {
            Cells::Texts { codes, names } => categories(name, codes, names, rows),
            Cells::Computed(computed) => converted(name, computed, rows),
        }
    }
}

fn coded<T: AsRef<str>>(texts: &[Option<T>]) -> Cells {
    let mut by_name: HashMap<&str, u32> = HashMap::new();
    let mut names: Vec<String> = Vec::new();
    let codes = texts
        .iter()
        .map(|text| {
            let text = text.as_ref()?.as_ref();
            Some(*by_name.entry(text).or_insert_with(|| {
                names.push(text.to_owned());
                names.len() as u32 - 1
            }))
        })
        .collect();
    Cells::Texts { codes, names }
}

fn categories(name: &str, codes: &[Option<u32>], names: &[String], rows: &[Option<usize>]) -> Option<Column> {
    const UNUSED: u32 = u32::MAX;
    let mut local = vec![UNUSED; names.len()];
    let mut used: Vec<&str> = Vec::new();
    let (mut bytes, mut there) = (Vec::with_capacity(rows.len() * 4), Vec::with_capacity(rows.len()));
    for row in rows {
        let code = row.and_then(|text| codes.get(text).copied().flatten());
        let place = code.and_then(|code| Some((local.get_mut(code as usize)?, names.get(code as usize)?)));
        there.push(u8::from(place.is_some()));
        let code = place.map_or(0, |(place, name)| {
            if *place == UNUSED {
                *place = used.len() as u32;
                used.push(name);
            }
            *place
        });
        code.put_le(&mut bytes);
    }
    let values = Values::Categories(Categories { codes: bytes, dictionary: 0, base: 0, names: pack(used) });
    finished(name, values, there)
}

fn converted(name: &str, computed: &expr::Column, rows: &[Option<usize>]) -> Option<Column> {
    let is_there = |text: &usize| computed.valid.as_ref().is_none_or(|valid| valid.get(*text) == Some(&1));
    let rows: Vec<Option<usize>> = rows.iter().map(|row| row.filter(is_there)).collect();
    let values = match &computed.values {
        Computed::F64s(all) => Values::F64s(spread(all, &rows)),
        Computed::S64s(all) => Values::S64s(spread(all, &rows)),
        Computed::U64s(all) => Values::U64s(spread(all, &rows)),
        Computed::Timestamps(all) => Values::Timestamps(spread(all, &rows)),
        Computed::Bools(all) => Values::Bools(spread(all, &rows)),
        _ => return None,
    };
    finished(name, values, rows.iter().map(|row| u8::from(row.is_some())).collect())
}

fn spread<T: Number>(all: &[T], rows: &[Option<usize>]) -> Vec<u8> {
    let value = |row: &Option<usize>| row.and_then(|text| all.get(text).copied()).unwrap_or_default();
    bytes_of(&rows.iter().map(value).collect::<Vec<T>>())
}

fn finished(name: &str, values: Values, there: Vec<u8>) -> Option<Column> {
    if !there.contains(&1) {
        return None;
    }
    let valid = there.contains(&0).then_some(there);
    Some(Column { name: name.to_owned(), values, valid })
}
