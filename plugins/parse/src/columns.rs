//! Parts of texts to columns, each distinct text taken apart once.
//!
//! A column of categories has each text once among its names, so parts are computed by name and spread by code; of a column of texts each row is its own.

use std::collections::HashMap;

use weir_sdk::column::{Number, PackedExt, U32s, bytes_of, pack};
use weir_sdk::expr::{self, Values as Computed};
use weir_sdk::{Categories, Column, ColumnExt, Packed, Values};

use crate::config::Field;
use crate::form::{Form, Part};

/// The texts of a column: `codes` into them, or one for each row.
pub struct Texts<'a> {
    texts: &'a Packed,
    codes: Option<U32s<'a>>,
}

impl<'a> Texts<'a> {
    /// None where it is no column of texts.
    pub fn of(column: &'a Column) -> Option<Self> {
        match &column.values {
            Values::Texts(texts) => Some(Self { texts, codes: None }),
            Values::Categories(categories) => {
                Some(Self { texts: &categories.names, codes: Some(U32s::new(&categories.codes)) })
            }
            _ => None,
        }
    }

    /// Which of the texts a row has.
    pub fn of_row(&self, row: usize) -> usize {
        self.codes.as_ref().map_or(row, |codes| codes.get(row) as usize)
    }
}

/// What became of the texts: for each field the parts, and which texts were of the form.
pub struct Parsed<'a> {
    /// By field, then by text.
    parts: Vec<Vec<Part<'a>>>,
    pub good: Vec<bool>,
}

pub fn parse<'a>(form: &Form, fields: &[Field], texts: &Texts<'a>) -> Parsed<'a> {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let count = texts.texts.count();
    let mut parts: Vec<Vec<Part<'a>>> = fields.iter().map(|_| Vec::with_capacity(count)).collect();
    let mut good = Vec::with_capacity(count);
    for text in 0..count {
        let found = form.parts(texts.texts.text_at(text), &names);
        good.push(found.is_some());
        let mut found = found.unwrap_or_default().into_iter();
        parts.iter_mut().for_each(|parts| parts.push(found.next().flatten()));
    }
    Parsed { parts, good }
}

impl Parsed<'_> {
    /// A column for each field, one value for each row where `valid` says that there is a text. A field without any value has none.
    pub fn columns(&self, fields: &[Field], texts: &Texts<'_>, valid: &[u8]) -> Vec<Result<Column, String>> {
        let fields = fields.iter().zip(&self.parts);
        fields
            .map(|(field, parts)| {
                let column = match field.kind {
                    None => categories(&field.column, parts, texts, valid),
                    Some(kind) => converted(&field.column, kind, parts, texts, valid),
                };
                column.ok_or_else(|| field.column.clone())
            })
            .collect()
    }
}

fn categories(name: &str, parts: &[Part<'_>], texts: &Texts<'_>, valid: &[u8]) -> Option<Column> {
    let mut by_name: HashMap<&str, u32> = HashMap::new();
    let mut names: Vec<&str> = Vec::new();
    let code_of_text: Vec<Option<u32>> = parts
        .iter()
        .map(|part| {
            let text = part.as_deref()?;
            Some(*by_name.entry(text).or_insert_with(|| {
                names.push(text);
                names.len() as u32 - 1
            }))
        })
        .collect();
    let (mut codes, mut there) = (Vec::with_capacity(valid.len() * 4), Vec::with_capacity(valid.len()));
    for (row, valid) in valid.iter().enumerate() {
        let code = code_of_text.get(texts.of_row(row)).copied().flatten().filter(|_| *valid == 1);
        code.unwrap_or(0).put_le(&mut codes);
        there.push(u8::from(code.is_some()));
    }
    finished(
        name,
        Values::Categories(Categories { codes, dictionary: 0, base: 0, names: pack(names) }),
        there,
    )
}

/// As the expression language converts texts.
fn converted(
    name: &str,
    kind: expr::Kind,
    parts: &[Part<'_>],
    texts: &Texts<'_>,
    valid: &[u8],
) -> Option<Column> {
    let mut source = Column::of_texts("part", parts.iter().map(|part| part.as_deref().unwrap_or_default()));
    source.valid = Some(parts.iter().map(|part| u8::from(part.is_some())).collect());
    let mut columns = expr::Columns::new(parts.len());
    columns.add("part", source.expr_source()?);
    let computed = expr::cast("part", kind).eval(&columns);
    let is_there = |text: usize| computed.valid.as_ref().is_none_or(|valid| valid.get(text) == Some(&1));
    let rows: Vec<Option<usize>> = valid
        .iter()
        .enumerate()
        .map(|(row, valid)| Some(texts.of_row(row)).filter(|text| *valid == 1 && is_there(*text)))
        .collect();
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
