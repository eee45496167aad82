//! table: a formatter that shows the newest values of series as rows.
//!
//! In: series. Out: one row for each series with its labels, the newest value of each field within the window, and the time of its newest point; in natural order of the labels, or by a field. The
//! mark is of the shape `table`: nothing is drawn, the rows are shown, each field with its unit of measurement. Limits: `rows_max` rows, how many are left out is said; [`MEASURES_MAX`] units of
//! measurement. A value that is missing stays empty.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Deserialize;
use weir_sdk::column::S64s;
use weir_sdk::drawing::names::natural;
use weir_sdk::drawing::{
    axis, column, cut, fields, mark, measure, no_field, one_or_more, range, table, times, title,
};
use weir_sdk::formatter::{Axis, Binding, Chart, Formatter, Input, Request};
use weir_sdk::{Column, ColumnExt, Description, Extra, Failure};

const ROWS_MAX: usize = 50;
/// Of a mark; columns beyond have no name in it.
const BINDINGS_MAX: usize = 32;
/// Name of the column with the time of each row; one of a label with a space in it cannot be meant.
const NEWEST: &str = "newest point";
/// Axes of a chart that carry them, and one for the others.
const MEASURES_MAX: usize = 15;

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Table",
  "description": "The newest values of series as rows: labels, fields, and when they were.",
  "examples": [{ "field": ["n", "mean_ms"], "measures": { "mean_ms": "ms" }, "sort_by": "n", "descending": true }],
  "additionalProperties": false,
  "properties": {
    "field": {
      "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "items": { "type": "string", "minLength": 1 }, "maxItems": 32 }],
      "title": "Field", "description": "The field or fields of the series, as columns; left out: all.", "examples": [["n", "mean_ms"]]
    },
    "sort_by": { "type": "string", "default": "", "title": "Sorted by", "description": "A field or a label; left out: by all labels." },
    "descending": { "type": "boolean", "default": false, "title": "Greatest first", "description": "Rows without a value come last in any case." },
    "measure": { "type": "string", "default": "", "title": "Unit of measurement", "description": "Of all fields; left out: that of the series." },
    "measures": {
      "type": "object", "additionalProperties": { "type": "string", "minLength": 1 }, "maxProperties": 15, "default": {}, "title": "Units of measurement",
      "description": "Of single fields, where they differ.", "examples": [{ "mean_ms": "ms" }]
    },
    "rows_max": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 50, "title": "Most rows", "description": "How many further series are left out is said." }
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Empty: all.
    #[serde(default, deserialize_with = "one_or_more")]
    field: Vec<String>,
    #[serde(default)]
    sort_by: String,
    #[serde(default)]
    descending: bool,
    #[serde(default)]
    measure: String,
    /// By field.
    #[serde(default)]
    measures: BTreeMap<String, String>,
    rows_max: Option<usize>,
}

struct Row {
    labels: Vec<String>,
    values: Vec<f64>,
    time_ns: i64,
}

pub struct TableOf;

impl Formatter for TableOf {
    type Config = Config;

    fn describe() -> Description {
        let summary = "The newest values of series as rows";
        Description::new("formatter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(CONFIG)
    }

    fn render(options: Config, request: Request) -> Result<Chart, Failure> {
        let label_names =
            names(request.inputs.iter().flat_map(|input| input.labels.iter().map(|label| &label.name)));
        let columns =
            request.inputs.iter().flat_map(|input| input.batch.columns.iter().map(|column| &column.name));
        let there = names(columns);
        let missing = options.field.iter().find(|field| !there.contains(field));
        if let Some(field) = missing.filter(|_| !request.inputs.is_empty()) {
            return Err(no_field(&request, std::slice::from_ref(field)));
        }
        let field_names = if options.field.is_empty() { there } else { options.field.clone() };
        let rows = request.inputs.iter();
        let mut rows: Vec<Row> =
            rows.filter_map(|input| row(input, &request, &label_names, &field_names)).collect();
        sort(&mut rows, &options, &label_names, &field_names);
        let left_out = cut(&mut rows, options.rows_max.unwrap_or(ROWS_MAX));
        Ok(chart(&options, &request, &label_names, &field_names, &rows, left_out))
    }
}

/// Each once, in the order in which they appear.
fn names<'a>(all: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// None where the series has no point in the window.
fn row(input: &Input, request: &Request, label_names: &[String], field_names: &[String]) -> Option<Row> {
    let range = range(input, request);
    let time_ns =
        S64s::new(&input.batch.time).get(range.end.checked_sub(1).filter(|last| range.contains(last))?);
    let value_of = |name: &String| {
        input.labels.iter().find(|label| label.name == *name).map(|label| label.value.clone())
    };
    let fields = fields(input, request, field_names);
    let newest = |name: &String| {
        let values = fields.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice());
        values.unwrap_or_default().iter().rev().copied().find(|value| !value.is_nan()).unwrap_or(f64::NAN)
    };
    Some(Row {
        labels: label_names.iter().map(|name| value_of(name).unwrap_or_default()).collect(),
        values: field_names.iter().map(newest).collect(),
        time_ns,
    })
}

/// By all labels; then by the one or the field that is asked for.
fn sort(rows: &mut [Row], options: &Config, label_names: &[String], field_names: &[String]) {
    let turned = |ordering: Ordering| if options.descending { ordering.reverse() } else { ordering };
    let label = |row: &Row, at: usize| row.labels.get(at).cloned().unwrap_or_default();
    rows.sort_by(|left, right| {
        let orders = left.labels.iter().zip(&right.labels).map(|(left, right)| natural(left, right));
        orders.fold(Ordering::Equal, Ordering::then)
    });
    if let Some(at) = field_names.iter().position(|name| *name == options.sort_by) {
        let value = |row: &Row| row.values.get(at).copied().unwrap_or(f64::NAN);
        rows.sort_by(|left, right| {
            let (left, right) = (value(left), value(right));
            left.is_nan().cmp(&right.is_nan()).then_with(|| turned(left.total_cmp(&right)))
        });
    } else if let Some(at) = label_names.iter().position(|name| *name == options.sort_by) {
        rows.sort_by(|left, right| turned(natural(&label(left, at), &label(right, at))));
    } else if options.descending {
        rows.reverse();
    }
}

fn chart(
    options: &Config,
    request: &Request,
    label_names: &[String],
    field_names: &[String],
    rows: &[Row],
    left_out: Option<Extra>,
) -> Chart {
    let plain = measure(request, &options.measure);
    let (axes, axis_of) = axes(options, &plain, field_names);
    let mut columns: Vec<Column> = Vec::new();
    let mut bindings: Vec<(String, String)> = Vec::new();
    for (at, name) in label_names.iter().enumerate() {
        let texts = rows.iter().map(|row| row.labels.get(at).map_or("", String::as_str));
        columns.push(Column::of_texts(name, texts));
        bindings.push((name.clone(), String::new()));
    }
    for (at, field) in field_names.iter().enumerate() {
        // A label of the same name is a column already.
        let name = if label_names.contains(field) { format!("{field} value") } else { field.clone() };
        let values: Vec<f64> =
            rows.iter().map(|row| row.values.get(at).copied().unwrap_or(f64::NAN)).collect();
        columns.push(column(&name, &values));
        bindings.push((name, axis_of.get(at).cloned().unwrap_or_default()));
    }
    columns.push(times(NEWEST, &rows.iter().map(|row| row.time_ns).collect::<Vec<_>>()));
    bindings.push((NEWEST.to_owned(), String::new()));
    let title = title(request);
    let summary = match rows.len() {
        0 => format!("{title}: no values."),
        1 => format!("{title}: 1 row of newest values."),
        rows => format!("{title}: {rows} rows of newest values."),
    };
    let mut rows_of = mark("table", "newest values", "newest values", &[]);
    let binding = |(column, axis)| Binding { role: "column".to_owned(), column, axis };
    rows_of.bindings = bindings.into_iter().take(BINDINGS_MAX).map(binding).collect();
    Chart {
        title,
        summary,
        tables: vec![table("newest values", rows.len(), columns)],
        axes,
        marks: vec![rows_of],
        gaps: Vec::new(),
        extras: left_out.into_iter().collect(),
    }
}

/// An axis for each unit of measurement, and the name of that of each field.
fn axes(options: &Config, plain: &str, field_names: &[String]) -> (Vec<Axis>, Vec<String>) {
    let mut axes: Vec<Axis> = Vec::new();
    let mut names = Vec::new();
    for field in field_names {
        let measure = options.measures.get(field).map_or(plain, String::as_str);
        let known = axes.iter().find(|axis| axis.measure == measure).map(|axis| axis.name.clone());
        names.push(known.unwrap_or_else(|| {
            let name =
                if axes.len() < MEASURES_MAX { format!("y{}", axes.len()) } else { return String::new() };
            axes.push(axis(&name, "value", measure, "linear"));
            name
        }));
    }
    (axes, names)
}

weir_sdk::export_formatter!(TableOf);
