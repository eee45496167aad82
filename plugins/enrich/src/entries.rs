//! Entries of a table that comes as a stream: texts of the added columns, one value of the state for each key.
//!
//! A value is, for each column in its order, the length of the text and 1 (u32; 0: not there) and its bytes.

use weir_sdk::column::{Number, PackedExt, U32s, bytes_of, pack};
use weir_sdk::expr::{Kind, cast};
use weir_sdk::state::{self, refused};
use weir_sdk::{Batch, BatchExt, Column, ColumnExt, Failure, Values};

use crate::config::Field;

const ENTRIES: u32 = 0;

/// A column of any kind as texts.
pub struct Texts {
    column: Column,
}

impl Texts {
    pub fn of(batch: &Batch, name: &str) -> Self {
        let computed = cast(name, Kind::Text).eval(&batch.expr_columns());
        Self { column: Column::of_expr(name, computed, batch.rows as usize) }
    }

    pub fn get(&self, row: usize) -> Option<&str> {
        if !self.column.is_there(row) {
            return None;
        }
        match &self.column.values {
            Values::Texts(texts) => Some(texts.text_at(row)),
            Values::Categories(categories) => {
                Some(categories.names.text_at(U32s::new(&categories.codes).get(row) as usize))
            }
            // Nothing of it is a text.
            _ => None,
        }
    }
}

impl Texts {
    /// What `find` gives for the text of each row; each name of a dictionary is asked for once.
    pub fn find_each(&self, rows: usize, find: impl Fn(&str) -> Option<usize>) -> Vec<Option<usize>> {
        let Values::Categories(categories) = &self.column.values else {
            return (0..rows).map(|row| self.get(row).and_then(&find)).collect();
        };
        let codes = U32s::new(&categories.codes);
        let mut known: Vec<Option<Option<usize>>> = vec![None; categories.names.count()];
        let of_row = |row| {
            if !self.column.is_there(row) {
                return None;
            }
            let code = codes.get(row) as usize;
            let known = known.get_mut(code)?;
            *known.get_or_insert_with(|| find(categories.names.text_at(code)))
        };
        (0..rows).map(of_row).collect()
    }
}

/// Of rows with one key the last one counts.
pub fn write(input: &Batch, fields: &[Field]) -> Result<(), Failure> {
    let texts: Vec<Texts> = fields.iter().map(|field| Texts::of(input, &field.name)).collect();
    let value = |row: usize| {
        let mut value = Vec::new();
        for texts in &texts {
            let text = texts.get(row);
            text.map_or(0, |text| text.len() as u32 + 1).put_le(&mut value);
            value.extend(text.unwrap_or_default().as_bytes());
        }
        value
    };
    state::write_packed(ENTRIES, &input.keys, &[], &pack((0..input.rows as usize).map(value)))
        .map_err(refused)
}

/// For each of the keys its entry, as cells by column; and whether there is one.
pub fn read(keys: &[u32], fields: usize) -> (Vec<Vec<Option<String>>>, Vec<bool>) {
    let packed = state::read_packed(ENTRIES, &bytes_of(keys), &[]);
    let mut cells: Vec<Vec<Option<String>>> = (0..fields).map(|_| Vec::with_capacity(keys.len())).collect();
    let mut found = Vec::with_capacity(keys.len());
    for key in 0..keys.len() {
        let mut value = packed.bytes_at(key);
        found.push(!value.is_empty());
        cells.iter_mut().for_each(|cells| cells.push(cell(&mut value)));
    }
    (cells, found)
}

fn cell(value: &mut &[u8]) -> Option<String> {
    let (length, rest) = value.split_at_checked(4)?;
    let length = (<u32 as Number>::from_le(length) as usize).checked_sub(1);
    let (text, rest) = rest.split_at_checked(length.unwrap_or(0))?;
    *value = rest;
    length.and_then(|_| String::from_utf8(text.to_vec()).ok())
}
