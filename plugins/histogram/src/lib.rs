//! histogram: a formatter that counts how often values fall into bins.
//!
//! In: series; the points of one field within the window. Out: a bar for each bin, of all series together or with a colour for each; or, over time, a heat map: a cell for each bin and slice of
//! time. Bins are equally wide, begin at a multiple of their width, and hold their lower edge but not their upper one. Without a width it is chosen as 1, 2 or 5 times a power of ten near the rule of
//! Freedman and Diaconis (2 * interquartile range / cube root of n; Zeitschrift für Wahrscheinlichkeitstheorie 57 (1981)), so that there are between [`BINS_MIN`] and [`BINS_MAX`] bins. Empty
//! bins within the range are there, with 0; empty cells are not. Limits: [`BINS_MAX`] bins (a width that would give more is widened, and the chart says so), `series_max` series, [`SLICES_MAX`] slices.

mod bins;
mod heat;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use weir_sdk::drawing::names::natural;
use weir_sdk::drawing::{
    axis, column, cut, extra, fields, mark, measure, name, one_or_more, table, title, wanted_fields,
};
use weir_sdk::formatter::{Chart, Formatter, Request};
use weir_sdk::{Column, ColumnExt, Description, Extra, Failure};
use weir_text::{count, measured, number};

use bins::Bins;

pub const BINS_MIN: usize = 5;
pub const BINS_MAX: usize = 100;
/// Slices of time of a heat map.
pub const SLICES_MAX: usize = 120;
const SERIES_MAX: usize = 12;

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Histogram",
  "description": "How often values fall into bins of equal width.",
  "examples": [{ "field": "mean_ms", "measure": "ms" }, { "field": "mean_ms", "over_time": true, "measure": "ms" }],
  "additionalProperties": false,
  "properties": {
    "field": { "type": "string", "title": "Field", "minLength": 1, "description": "The field of the series whose points are counted; left out: the first one.", "examples": ["mean_ms"] },
    "width": { "type": "number", "exclusiveMinimum": 0, "title": "Width of a bin", "description": "In the unit of the field; left out: chosen by the spread of the values.", "examples": [10] },
    "over_time": { "type": "boolean", "default": false, "title": "Over time", "description": "A heat map: how often values fell into each bin in each slice of time." },
    "by_series": { "type": "boolean", "default": false, "title": "A colour for each series", "description": "Bars of the series stand on each other; else, and over time, all series are counted together." },
    "label_by": { "type": "string", "default": "", "title": "Named by", "description": "The label that names a series; left out: all of its labels." },
    "label": { "type": "string", "default": "", "title": "Name of the axis", "description": "Left out: the field." },
    "measure": { "type": "string", "default": "", "title": "Unit of measurement", "examples": ["ms"], "description": "Left out: that of the series." },
    "series_max": { "type": "integer", "minimum": 1, "maximum": 40, "default": 12, "title": "Most series", "description": "With a colour for each series: how many further ones are left out is said." }
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Empty: the first; the schema takes one at most.
    #[serde(default, deserialize_with = "one_or_more")]
    field: Vec<String>,
    width: Option<f64>,
    #[serde(default)]
    over_time: bool,
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

/// Times and values that are counted together.
#[derive(Default)]
struct Part {
    /// Empty: all series.
    name: String,
    times: Vec<i64>,
    values: Vec<f64>,
}

pub struct Histogram;

impl Formatter for Histogram {
    type Config = Config;

    fn describe() -> Description {
        let summary = "How often values fall into bins of equal width, as bars or over time as a heat map";
        Description::new("formatter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(CONFIG)
    }

    fn render(options: Config, request: Request) -> Result<Chart, Failure> {
        let wanted = wanted_fields(&request, &options.field)?;
        let apart = options.by_series && !options.over_time;
        let mut parts: Vec<Part> = Vec::new();
        for input in &request.inputs {
            let Some((_, values)) = fields(input, &request, &wanted).into_iter().next() else { continue };
            let times = weir_sdk::drawing::times_of(input, &request);
            if apart || parts.is_empty() {
                let name = if apart { name(input, &options.label_by) } else { String::new() };
                parts.push(Part { name, ..Part::default() });
            }
            let Some(part) = parts.last_mut() else { continue };
            for (time, value) in times.into_iter().zip(values).filter(|(_, value)| value.is_finite()) {
                part.times.push(time);
                part.values.push(value);
            }
        }
        parts.retain(|part| !part.values.is_empty());
        parts.sort_by(|left, right| natural(&left.name, &right.name));
        let left_out = cut(&mut parts, options.series_max.unwrap_or(SERIES_MAX));
        let field = wanted.first().map_or("", String::as_str);
        Ok(chart(&options, &request, field, &parts, left_out))
    }
}

fn chart(options: &Config, request: &Request, field: &str, parts: &[Part], left_out: Option<Extra>) -> Chart {
    let measure = measure(request, &options.measure);
    let label = if options.label.is_empty() { field } else { &options.label };
    let values: Vec<f64> = parts.iter().flat_map(|part| part.values.iter().copied()).collect();
    let title = title(request);
    let mut chart = Chart {
        summary: format!("{title}: no values."),
        title,
        tables: Vec::new(),
        axes: vec![axis("x", label, &measure, "linear"), axis("y", "values", "1", "linear")],
        marks: Vec::new(),
        gaps: Vec::new(),
        extras: Vec::new(),
    };
    if let Some(bins) = Bins::of(&values, options.width) {
        chart.summary = bins.summary(&chart.title, &values, &measure);
        let text = format!("{} bins of {}", bins.count, measured(bins.width, &measure));
        chart.extras.push(extra("weir.bins", text));
        if options.width.is_some_and(|width| width < bins.width) {
            let width = number(bins.width);
            let text = format!("bins widened to {width} so that there are at most {BINS_MAX}");
            chart.extras.push(extra("weir.downsampled", text));
        }
        if !options.over_time {
            bars(&mut chart, parts, &bins, field);
        } else if let Some(part) = parts.first() {
            heat::cells(&mut chart, part, &bins, request);
        }
    }
    if options.over_time {
        chart.axes = heat::axes(request, label, &measure);
    }
    chart.extras.extend(left_out);
    chart
}

fn bars(chart: &mut Chart, parts: &[Part], bins: &Bins, field: &str) {
    for part in parts {
        let columns = vec![
            column("middle", &bins.middles()),
            column("from", &bins.edges(0)),
            column("to", &bins.edges(1)),
            Column::of_u64s("count", &bins.fill(&part.values)),
        ];
        let name = if part.name.is_empty() { "all series" } else { &part.name };
        chart.tables.push(table(name, bins.count, columns));
        let shown = if part.name.is_empty() { field } else { &part.name };
        let bindings =
            [("x", "middle", "x"), ("x_low", "from", "x"), ("x_high", "to", "x"), ("y", "count", "y")];
        let mut bars = mark("bar", name, shown, &bindings);
        bars.stack = if parts.len() > 1 { "stack".to_owned() } else { String::new() };
        chart.marks.push(bars);
    }
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
