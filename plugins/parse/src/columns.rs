//! Parts of texts to columns, each distinct text taken apart once.
//!
//! A column of categories has each text once among its names, so parts are computed by name and spread by code; of a column of texts each row is its own.

use weir_rows::Spread;
use weir_sdk::column::{PackedExt, U32s};
use weir_sdk::{Column, Packed, Values};

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
pub struct Parsed {
    fields: Vec<Spread>,
    pub good: Vec<bool>,
}

pub fn parse(form: &Form, fields: &[Field], texts: &Texts<'_>) -> Parsed {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let count = texts.texts.count();
    let mut parts: Vec<Vec<Part<'_>>> = fields.iter().map(|_| Vec::with_capacity(count)).collect();
    let mut good = Vec::with_capacity(count);
    for text in 0..count {
        let found = form.parts(texts.texts.text_at(text), &names);
        good.push(found.is_some());
        let mut found = found.unwrap_or_default().into_iter();
        parts.iter_mut().for_each(|parts| parts.push(found.next().flatten()));
    }
    let fields = fields.iter().zip(&parts).map(|(field, parts)| Spread::new(field.kind, parts)).collect();
    Parsed { fields, good }
}

impl Parsed {
    /// A column for each field, one value for each row where `valid` says that there is a text; the name alone where there is no value.
    pub fn columns(&self, fields: &[Field], texts: &Texts<'_>, valid: &[u8]) -> Vec<Result<Column, String>> {
        let rows: Vec<Option<usize>> =
            valid.iter().enumerate().map(|(row, valid)| (*valid == 1).then(|| texts.of_row(row))).collect();
        let fields = fields.iter().zip(&self.fields);
        fields
            .map(|(field, spread)| spread.column(&field.column, &rows).ok_or_else(|| field.column.clone()))
            .collect()
    }
}
