//! What changed between two pictures of one chart.
//!
//! In: the picture that a client has (none: it has nothing) and the newest. Out: [`Update`], from which the client makes the newest out of what it has.
//! A chart's tables mostly lose rows at the front (the window moved), keep a long middle and gain rows at the end; that is what a [`Change`]
//! says. Where the columns are others, or nothing is kept, all rows are sent. A table that is gone makes a snapshot. Cost: a few passes over the rows.

use std::sync::Arc;

use crate::charts::picture::{ChartVersion, Column, Table, Values};

/// Starts of the kept middle that are tried: more would only help tables whose first row repeats.
const STARTS_MAX: usize = 16;

/// From what a client has to the newest picture.
#[derive(Debug)]
pub struct Update {
    pub snapshot: bool,
    /// Whether the description is to be sent.
    pub description: bool,
    /// Tables that changed.
    pub changes: Vec<Change>,
}

/// Old table without its first `drop` rows, of the rest `keep` rows, then the rows of `table` from `keep` on.
#[derive(Debug)]
pub struct Change {
    pub table: Arc<Table>,
    pub drop: usize,
    pub keep: usize,
}

pub fn between(old: Option<&ChartVersion>, new: &ChartVersion) -> Update {
    let gone = |old: &ChartVersion| old.tables.iter().any(|table| find(new, table).is_none());
    match old {
        Some(old) if old.epoch == new.epoch && !gone(old) => Update {
            snapshot: false,
            description: old.description != new.description,
            changes: new.tables.iter().filter_map(|table| change(find(old, table), table)).collect(),
        },
        _ => Update {
            snapshot: true,
            description: true,
            changes: new
                .tables
                .iter()
                .map(|table| Change { table: Arc::clone(table), drop: 0, keep: 0 })
                .collect(),
        },
    }
}

fn find<'a>(version: &'a ChartVersion, table: &Table) -> Option<&'a Arc<Table>> {
    version.tables.iter().find(|other| other.name == table.name)
}

/// None: the same.
fn change(old: Option<&Arc<Table>>, new: &Arc<Table>) -> Option<Change> {
    let whole = || Some(Change { table: Arc::clone(new), drop: 0, keep: 0 });
    let Some(old) = old else { return whole() };
    if Arc::ptr_eq(old, new) || old == new {
        return None;
    }
    let Some(comparison) = Comparison::new(old, new) else { return whole() };
    let (drop, keep) = comparison.best();
    if keep == 0 { whole() } else { Some(Change { table: Arc::clone(new), drop, keep }) }
}

/// Two tables with the same columns.
struct Comparison<'a> {
    old: &'a Table,
    new: &'a Table,
    /// For each column of text: the new code of each old one; `u32::MAX`: the name is gone.
    codes: Vec<Vec<u32>>,
}

impl<'a> Comparison<'a> {
    fn new(old: &'a Table, new: &'a Table) -> Option<Self> {
        let same =
            |(old, new): (&Column, &Column)| old.name == new.name && old.values.kind() == new.values.kind();
        if old.columns.len() != new.columns.len() || !old.columns.iter().zip(&new.columns).all(same) {
            return None;
        }
        let codes = old.columns.iter().zip(&new.columns).map(|(old, new)| match (&old.values, &new.values) {
            (Values::Text { names, .. }, Values::Text { names: new_names, .. }) => {
                translate(names, new_names)
            }
            _ => Vec::new(),
        });
        Some(Self { old, new, codes: codes.collect() })
    }

    /// The (drop, keep) that keeps most.
    fn best(&self) -> (usize, usize) {
        let starts =
            (0..self.old.rows).filter(|&start| self.new.rows > 0 && self.equal(start, 0)).take(STARTS_MAX);
        let runs = starts.map(|start| {
            let longest = (self.old.rows - start).min(self.new.rows);
            (start, (0..longest).take_while(|&row| self.equal(start + row, row)).count())
        });
        runs.max_by_key(|&(start, keep)| (keep, std::cmp::Reverse(start))).unwrap_or((0, 0))
    }

    fn equal(&self, old_row: usize, new_row: usize) -> bool {
        let columns = self.old.columns.iter().zip(&self.new.columns).zip(&self.codes);
        columns.into_iter().all(|((old, new), codes)| {
            valid(old, old_row) == valid(new, new_row)
                && equal(&old.values, old_row, &new.values, new_row, codes)
        })
    }
}

fn valid(column: &Column, row: usize) -> bool {
    column.valid.as_ref().is_none_or(|valid| valid.get(row).is_some_and(|&valid| valid == 1))
}

fn equal(old: &Values, old_row: usize, new: &Values, new_row: usize, codes: &[u32]) -> bool {
    match (old, new) {
        (Values::F64(old), Values::F64(new)) | (Values::Time(old), Values::Time(new)) => {
            old.get(old_row).map(|value| value.to_bits()) == new.get(new_row).map(|value| value.to_bits())
        }
        (Values::Bool(old), Values::Bool(new)) => old.get(old_row) == new.get(new_row),
        (Values::Text { codes: old, .. }, Values::Text { codes: new, .. }) => {
            let translated = old.get(old_row).and_then(|&code| codes.get(code as usize));
            translated == new.get(new_row)
        }
        _ => false,
    }
}

fn translate(names: &[Arc<str>], new_names: &[Arc<str>]) -> Vec<u32> {
    if names == new_names {
        return (0..names.len() as u32).collect();
    }
    let positions: std::collections::HashMap<&str, u32> =
        new_names.iter().enumerate().map(|(at, name)| (&**name, at as u32)).collect();
    names.iter().map(|name| positions.get(&**name).copied().unwrap_or(u32::MAX)).collect()
}
