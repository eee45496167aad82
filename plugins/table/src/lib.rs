//! table: a formatter that shows the newest values of series as rows.
//!
//! In: series. Out: one row for each series with its labels, the newest value of each field within the window, and the time of its newest point; in natural order of the labels, or by a field. The
//! mark is of the shape `table`: nothing is drawn, the rows are shown. Limits: `rows_max` rows, the rest is counted in the note. A value that is missing stays empty.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use serde::Deserialize;
use weir_sdk::column::{S64s, bytes_of};
use weir_sdk::drawing::{axis, column, extra, fields, mark, measure, range, table, title};
use weir_sdk::formatter::{Chart, Formatter, Input, Request};
use weir_sdk::{Column, ColumnExt, Description, Failure, Values};

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Table",
  "description": "The newest values of series as rows: labels, fields, and when they were.",
  "examples": [{ "fields": ["n", "mean_ms"], "sort_by": "n", "descending": true }],
  "additionalProperties": false,
  "properties": {
    "fields": { "type": "array", "title": "Fields", "items": { "type": "string", "minLength": 1 }, "maxItems": 32, "default": [], "description": "Fields of the series, as columns; none: all.", "examples": [["n", "mean_ms"]] },
    "sort_by": { "type": "string", "default": "", "title": "Sorted by", "description": "A field or a label; left out: by all labels." },
    "descending": { "type": "boolean", "default": false, "title": "Greatest first", "description": "Rows without a value come last in any case." },
    "measure": { "type": "string", "default": "", "title": "Unit of measurement", "description": "Left out: that of the series." },
    "rows_max": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 50, "title": "Most rows", "description": "Further series are counted in the note." }
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    sort_by: String,
    #[serde(default)]
    descending: bool,
    #[serde(default)]
    measure: String,
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
        let field_names = if options.fields.is_empty() { names(columns) } else { options.fields.clone() };
        let mut rows: Vec<Row> = request
            .inputs
            .iter()
            .filter_map(|input| row(input, &request, &label_names, &field_names))
            .collect();
        rows.sort_by(|left, right| left.labels.cmp(&right.labels));
        sort(&mut rows, &options, &label_names, &field_names);
        let left_out = rows.len().saturating_sub(options.rows_max.unwrap_or(50));
        rows.truncate(rows.len() - left_out);
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

fn sort(rows: &mut [Row], options: &Config, label_names: &[String], field_names: &[String]) {
    let turned = |ordering: Ordering| if options.descending { ordering.reverse() } else { ordering };
    if let Some(at) = field_names.iter().position(|name| *name == options.sort_by) {
        rows.sort_by(|left, right| {
            let (left, right) = (left.values.get(at).copied(), right.values.get(at).copied());
            let (left, right) = (left.unwrap_or(f64::NAN), right.unwrap_or(f64::NAN));
            let missing = left.is_nan().cmp(&right.is_nan());
            missing.then_with(|| turned(left.total_cmp(&right)))
        });
    } else if let Some(at) = label_names.iter().position(|name| *name == options.sort_by) {
        rows.sort_by(|left, right| turned(left.labels.get(at).cmp(&right.labels.get(at))));
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
    left_out: usize,
) -> Chart {
    let empty = String::new();
    let mut columns: Vec<Column> = Vec::new();
    for (at, name) in label_names.iter().enumerate() {
        columns.push(Column::of_texts(name, rows.iter().map(|row| row.labels.get(at).unwrap_or(&empty))));
    }
    for (at, name) in field_names.iter().enumerate() {
        // A label of the same name is a column already.
        let name = if label_names.contains(name) { &format!("{name} value") } else { name };
        let values: Vec<f64> =
            rows.iter().map(|row| row.values.get(at).copied().unwrap_or(f64::NAN)).collect();
        columns.push(column(name, &values));
    }
    let times: Vec<i64> = rows.iter().map(|row| row.time_ns).collect();
    columns.push(Column::new("newest point", Values::Timestamps(bytes_of(&times))));
    let title = title(request);
    let shown = if rows.len() == 1 { "1 row".to_owned() } else { format!("{} rows", rows.len()) };
    let summary = if rows.is_empty() {
        format!("{title}: no values.")
    } else {
        format!("{title}: {shown} of newest values.")
    };
    let mut extras = Vec::new();
    if left_out > 0 {
        extras.push(extra("weir.left_out", format!("{left_out} of {} series", left_out + rows.len())));
    }
    let name = title.clone();
    Chart {
        title,
        summary,
        tables: vec![table(&name, rows.len(), columns)],
        axes: vec![axis("y", "value", &measure(request, &options.measure), "linear")],
        marks: vec![mark("table", &name, "newest values", &[])],
        gaps: Vec::new(),
        extras,
    }
}

weir_sdk::export_formatter!(TableOf);
