//! A formatter's chart, checked: every mark's table, column and axis exists, axes are labelled, everything is bounded.
//!
//! In: a raw chart. Out: a [`Chart`] with typed columns. Marks and axes are plain texts and are passed on as they came.

use std::collections::HashSet;

use super::column::{Column, Names, Values, check_column, check_name};
use super::{Budget, Known, OutputLimits, Wrong, check_distinct, count};
use crate::bindings::raw;
pub use crate::bindings::raw::{Axis, Gap, Mark};

const TABLES_MAX: usize = 64;
const AXES_MAX: usize = 16;
const MARKS_MAX: usize = 256;
const BINDINGS_MAX: usize = 32;
const GAPS_MAX: usize = 4096;

/// Columns that marks point into.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: String,
    pub rows: usize,
    /// "time" is a column like others; categories are whole.
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug)]
pub struct Chart {
    pub title: String,
    pub summary: String,
    pub tables: Vec<Table>,
    pub axes: Vec<Axis>,
    pub marks: Vec<Mark>,
    pub gaps: Vec<Gap>,
    pub extras: Vec<(String, String)>,
}

pub fn chart(chart: raw::Chart, limits: &OutputLimits) -> Result<Chart, Wrong> {
    let mut budget = Budget::new(limits);
    count("tables", chart.tables.len(), TABLES_MAX)?;
    count("axes", chart.axes.len(), AXES_MAX)?;
    count("marks", chart.marks.len(), MARKS_MAX)?;
    count("gaps", chart.gaps.len(), GAPS_MAX)?;
    budget.text("title", &chart.title)?;
    budget.text("summary", &chart.summary)?;
    let mut tables = Vec::with_capacity(chart.tables.len());
    for raw in chart.tables {
        let name = short(&raw.name);
        let table = check_table(raw, &mut budget).map_err(|wrong| format!("table \"{name}\": {wrong}"))?;
        if tables.iter().any(|other: &Table| other.name == table.name) {
            return Err(format!("table \"{name}\" is there twice"));
        }
        tables.push(table);
    }
    let mut axes = HashSet::new();
    for axis in &chart.axes {
        check_axis(axis, &mut budget).map_err(|wrong| format!("axis \"{}\": {wrong}", short(&axis.name)))?;
        if !axes.insert(axis.name.as_str()) {
            return Err(format!("axis \"{}\" is there twice", short(&axis.name)));
        }
    }
    for (index, mark) in chart.marks.iter().enumerate() {
        check_mark(mark, &tables, &axes, &mut budget).map_err(|wrong| format!("mark {index}: {wrong}"))?;
    }
    for (index, gap) in chart.gaps.iter().enumerate() {
        check_gap(gap, &tables, &mut budget).map_err(|wrong| format!("gap {index}: {wrong}"))?;
    }
    let extras = budget.extras(chart.extras)?;
    Ok(Chart {
        title: chart.title,
        summary: chart.summary,
        tables,
        axes: chart.axes,
        marks: chart.marks,
        gaps: chart.gaps,
        extras,
    })
}

fn check_table(table: raw::Table, budget: &mut Budget) -> Result<Table, Wrong> {
    let rows = table.rows as usize;
    budget.text("its name", &table.name)?;
    if table.name.is_empty() {
        return Err("its name is empty".to_owned());
    }
    count("rows", rows, budget.limits().rows)?;
    count("columns", table.columns.len(), budget.limits().columns)?;
    check_distinct(table.columns.iter().map(|column| column.name.as_str()))?;
    let mut columns = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        check_name(&column.name)?;
        let column = check_column(column, rows, &Known::default(), budget)?;
        if let Values::Categories(categories) = &column.values
            && matches!(categories.names, Names::Given { .. })
        {
            return Err(format!("column \"{}\": categories of a chart carry all their names", column.name));
        }
        columns.push(column);
    }
    Ok(Table { name: table.name, rows, columns })
}

fn check_axis(axis: &Axis, budget: &mut Budget) -> Result<(), Wrong> {
    for (what, text) in
        [("name", &axis.name), ("label", &axis.label), ("measure", &axis.measure), ("scale", &axis.scale)]
    {
        budget.text(what, text)?;
        if text.is_empty() {
            return Err(format!("its {what} is empty (measure \"1\" for a plain number)"));
        }
    }
    budget.extras(axis.extras.clone()).map(drop)
}

fn check_mark(mark: &Mark, tables: &[Table], axes: &HashSet<&str>, budget: &mut Budget) -> Result<(), Wrong> {
    budget.text("shape", &mark.shape)?;
    budget.text("label", &mark.label)?;
    budget.text("stack", &mark.stack)?;
    count("bindings", mark.bindings.len(), BINDINGS_MAX)?;
    budget.extras(mark.extras.clone())?;
    if mark.shape.is_empty() {
        return Err("its shape is empty".to_owned());
    }
    let Some(table) = tables.iter().find(|table| table.name == mark.table) else {
        return Err(format!("table \"{}\" does not exist", short(&mark.table)));
    };
    for binding in &mark.bindings {
        budget.text("role", &binding.role)?;
        if !table.columns.iter().any(|column| column.name == binding.column) {
            let (column, table) = (short(&binding.column), &table.name);
            return Err(format!("column \"{column}\" does not exist in table \"{table}\""));
        }
        if !binding.axis.is_empty() && !axes.contains(binding.axis.as_str()) {
            return Err(format!("axis \"{}\" does not exist", short(&binding.axis)));
        }
    }
    Ok(())
}

fn check_gap(gap: &Gap, tables: &[Table], budget: &mut Budget) -> Result<(), Wrong> {
    budget.text("label", &gap.label)?;
    if !gap.table.is_empty() && !tables.iter().any(|table| table.name == gap.table) {
        return Err(format!("table \"{}\" does not exist", short(&gap.table)));
    }
    if gap.end < gap.start {
        return Err(format!("it ends at {} before it starts at {}", gap.end, gap.start));
    }
    Ok(())
}

fn short(name: &str) -> String {
    name.chars().take(64).collect()
}
