//! histogram: a formatter that counts how often values fall into bins.
//!
//! In: series; the points of one field within the window, of all series together or with a colour for each. Out: a bar for each bin. Bins are equally wide, begin at a
//! multiple of their width, and hold their lower edge but not their upper one. Without a width it is chosen as 1, 2 or 5 times a power of ten near the rule of Freedman and Diaconis
//! (2 * interquartile range / cube root of n; Zeitschrift für Wahrscheinlichkeitstheorie 57 (1981)), so that there are between [`BINS_MIN`] and [`BINS_MAX`] bins. Empty bins within the
//! range are there, with 0. Limits: [`BINS_MAX`] bins (a width that would give more is widened, and the chart says so), `series_max` series.

mod bins;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use weir_sdk::drawing::{axis, column, extra, fields, mark, measure, name, table, title};
use weir_sdk::formatter::{Chart, Formatter, Request};
use weir_sdk::{Column, ColumnExt, Description, Failure, FailureExt};
use weir_text::{count, measured, number};

use bins::Bins;

pub const BINS_MIN: usize = 5;
pub const BINS_MAX: usize = 100;

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Histogram",
  "description": "How often values fall into bins of equal width.",
  "examples": [{ "field": "mean_ms", "measure": "ms" }],
  "additionalProperties": false,
  "properties": {
    "field": { "type": "string", "title": "Field", "minLength": 1, "description": "The field of the series whose points are counted; left out: the first one.", "examples": ["mean_ms"] },
    "width": { "type": "number", "exclusiveMinimum": 0, "title": "Width of a bin", "description": "In the unit of the field; left out: chosen by the spread of the values.", "examples": [10] },
    "by_series": { "type": "boolean", "default": false, "title": "A colour for each series", "description": "Bars of the series stand on each other; else all series are counted together." },
    "label_by": { "type": "string", "default": "", "title": "Named by", "description": "The label that names a series; left out: all of its labels." },
    "label": { "type": "string", "default": "", "title": "Name of the axis", "description": "Left out: the field." },
    "measure": { "type": "string", "default": "", "title": "Unit of measurement", "examples": ["ms"], "description": "Left out: that of the series." },
    "series_max": { "type": "integer", "minimum": 1, "maximum": 40, "default": 12, "title": "Most series", "description": "With a colour for each series: further ones are named as left out." }
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    field: Option<String>,
    width: Option<f64>,
    #[serde(default)]
    by_series: bool,
    #[serde(default)]
    label_by: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    measure: String,
    series_max: Option<usize>,
}

pub struct Histogram;

impl Formatter for Histogram {
    type Config = Config;

    fn describe() -> Description {
        let summary = "How often values fall into bins of equal width";
        Description::new("formatter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(CONFIG)
    }

    fn render(options: Config, request: Request) -> Result<Chart, Failure> {
        let wanted: Vec<String> = options.field.iter().cloned().collect();
        let mut parts: Vec<(String, Vec<f64>)> = Vec::new();
        let mut field_name = options.field.clone().unwrap_or_default();
        for input in &request.inputs {
            let Some((field, mut values)) = fields(input, &request, &wanted).into_iter().next() else {
                continue;
            };
            if field_name.is_empty() {
                field_name = field.to_owned();
            }
            values.retain(|value| value.is_finite());
            match parts.first_mut().filter(|_| !options.by_series) {
                Some((_, all)) => all.append(&mut values),
                None if options.by_series => parts.push((name(input, &options.label_by), values)),
                None => parts.push((String::new(), values)),
            }
        }
        let has_field = request
            .inputs
            .iter()
            .any(|input| input.batch.columns.iter().any(|column| column.name == field_name));
        if !request.inputs.is_empty() && !has_field {
            return Err(Failure::fail("no-field", format!("no series has a field `{field_name}`")));
        }
        parts.retain(|(_, values)| !values.is_empty());
        parts.sort_by(|left, right| left.0.cmp(&right.0));
        let left_out = parts.len().saturating_sub(options.series_max.unwrap_or(12));
        parts.truncate(parts.len() - left_out);
        Ok(chart(&options, &request, &field_name, &parts, left_out))
    }
}

fn chart(
    options: &Config,
    request: &Request,
    field: &str,
    parts: &[(String, Vec<f64>)],
    left_out: usize,
) -> Chart {
    let measure = measure(request, &options.measure);
    let label = if options.label.is_empty() { field } else { &options.label };
    let values: Vec<f64> = parts.iter().flat_map(|(_, values)| values.iter().copied()).collect();
    let title = title(request);
    let mut extras = Vec::new();
    let (mut tables, mut marks) = (Vec::new(), Vec::new());
    let mut summary = format!("{title}: no values.");
    if let Some(bins) = Bins::of(&values, options.width) {
        extras.push(extra("weir.bins", format!("{} bins of {}", bins.count, measured(bins.width, &measure))));
        if options.width.is_some_and(|width| width < bins.width) {
            extras.push(extra(
                "weir.downsampled",
                format!("bins widened to {} so that there are at most {BINS_MAX}", number(bins.width)),
            ));
        }
        for (part, (name, values)) in parts.iter().enumerate() {
            let counts = bins.fill(values);
            let table_name = if name.is_empty() { format!("bins {part}") } else { name.clone() };
            let columns = vec![
                column("middle", &bins.middles()),
                column("from", &bins.edges(0)),
                column("to", &bins.edges(1)),
                Column::of_u64s("count", &counts),
            ];
            tables.push(table(&table_name, bins.count, columns));
            let shown = if name.is_empty() { field } else { name };
            let mut bars = mark("bar", &table_name, shown, &[("x", "middle", "x"), ("y", "count", "y")]);
            bars.stack = if parts.len() > 1 { "stack".to_owned() } else { String::new() };
            marks.push(bars);
        }
        summary = bins.summary(&title, &values, &measure);
    }
    if left_out > 0 {
        extras.push(extra("weir.left_out", format!("{left_out} of {} series", left_out + parts.len())));
    }
    let axes = vec![axis("x", label, &measure, "linear"), axis("y", "values", "1", "linear")];
    Chart { title, summary, tables, axes, marks, gaps: Vec::new(), extras }
}

impl Bins {
    /// "latency: 1,200 values from 1.2 ms to 98 ms in 20 bins of 5 ms; most (310) from 10 ms to 15 ms."
    fn summary(&self, title: &str, values: &[f64], measure: &str) -> String {
        let counts = self.fill(values);
        let fullest = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count);
        let (at, most) = fullest.map_or((0, 0), |(at, count)| (at, *count));
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let text = |value: f64| measured(value, measure);
        let edge = |to: usize| text(self.edges(to).get(at).copied().unwrap_or(f64::NAN));
        format!(
            "{title}: {} values from {} to {} in {} bins of {}; most ({}) from {} to {}.",
            count(values.len() as u64),
            text(least),
            text(greatest),
            self.count,
            text(self.width),
            count(most),
            edge(0),
            edge(1),
        )
    }
}

weir_sdk::export_formatter!(Histogram);
