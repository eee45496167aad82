//! boxplot: a formatter that compares how values are distributed, one box for each series.
//!
//! In: series; the points of one field within the window. Out: a box of first quartile, median and third quartile for each series, whiskers, and the points beyond them. Quartiles are interpolated
//! linearly between the sorted values (type 7 of Hyndman and Fan, The American Statistician 50 (1996); what numpy and R do unless told otherwise). Whiskers, as configured: to the farthest
//! value within one and a half times the height of the box (Tukey), to the least and the greatest value, or to the 5th and 95th percentile; the chart says which. Limits: `series_max` boxes,
//! [`OUTLIERS_MAX`] points beyond the whiskers of each, the farthest first; what is left out is named. Series without a value have no box.

mod quartiles;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use weir_sdk::drawing::{axis, column, extra, fields, mark, measure, name, table, title};
use weir_sdk::formatter::{Chart, Formatter, Request};
use weir_sdk::{Column, ColumnExt, Description, Failure, FailureExt};
use weir_text::{count, measured};

use quartiles::Box5;
pub use quartiles::Whiskers;

/// Points drawn beyond the whiskers of one box.
pub const OUTLIERS_MAX: usize = 100;

const CONFIG: &str = r#"{
  "type": "object",
  "title": "Box plot",
  "description": "Compares how the values of series are distributed: a box from the first to the third quartile with the median, whiskers, and the points beyond them.",
  "examples": [{ "field": "mean_ms", "measure": "ms" }],
  "additionalProperties": false,
  "properties": {
    "field": { "type": "string", "title": "Field", "minLength": 1, "description": "The field of the series whose points are compared; left out: the first one.", "examples": ["mean_ms"] },
    "whiskers": {
      "enum": ["tukey", "range", "p5-p95"], "default": "tukey", "title": "Whiskers reach",
      "description": "tukey: to the farthest value within 1.5 times the height of the box. range: to the least and the greatest value. p5-p95: to the 5th and the 95th percentile."
    },
    "outliers": { "type": "boolean", "default": true, "title": "Points beyond the whiskers", "description": "Whether they are drawn." },
    "label_by": { "type": "string", "default": "", "title": "Named by", "description": "The label that names a box; left out: all of its labels." },
    "label": { "type": "string", "default": "", "title": "Name of the axis", "description": "Left out: the field." },
    "measure": { "type": "string", "default": "", "title": "Unit of measurement", "examples": ["ms"], "description": "Left out: that of the series." },
    "series_max": { "type": "integer", "minimum": 1, "maximum": 200, "default": 40, "title": "Most boxes", "description": "Further series are named as left out." }
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    field: Option<String>,
    #[serde(default)]
    whiskers: Whiskers,
    outliers: Option<bool>,
    #[serde(default)]
    label_by: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    measure: String,
    series_max: Option<usize>,
}

pub struct Boxplot;

impl Formatter for Boxplot {
    type Config = Config;

    fn describe() -> Description {
        let summary =
            "How values are distributed, one box for each series: quartiles, median, whiskers, points beyond";
        Description::new("formatter", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), summary)
            .config(CONFIG)
    }

    fn render(options: Config, request: Request) -> Result<Chart, Failure> {
        let wanted: Vec<String> = options.field.iter().cloned().collect();
        let mut boxes: Vec<(String, Box5)> = Vec::new();
        let mut field_name = options.field.clone().unwrap_or_default();
        for input in &request.inputs {
            let Some((field, values)) = fields(input, &request, &wanted).into_iter().next() else { continue };
            if field_name.is_empty() {
                field_name = field.to_owned();
            }
            if let Some(made) = Box5::of(values, options.whiskers) {
                boxes.push((name(input, &options.label_by), made));
            }
        }
        let has_field = request
            .inputs
            .iter()
            .any(|input| input.batch.columns.iter().any(|column| column.name == field_name));
        if !request.inputs.is_empty() && !has_field {
            return Err(Failure::fail("no-field", format!("no series has a field `{field_name}`")));
        }
        boxes.sort_by(|left, right| left.0.cmp(&right.0));
        let left_out = boxes.len().saturating_sub(options.series_max.unwrap_or(40));
        boxes.truncate(boxes.len() - left_out);
        Ok(chart(&options, &request, &field_name, &boxes, left_out))
    }
}

fn chart(
    options: &Config,
    request: &Request,
    field: &str,
    boxes: &[(String, Box5)],
    left_out: usize,
) -> Chart {
    let measure = measure(request, &options.measure);
    let label = if options.label.is_empty() { field } else { &options.label };
    let numbers = |of: fn(&Box5) -> f64| boxes.iter().map(|(_, one)| of(one)).collect::<Vec<f64>>();
    let counts: Vec<u64> = boxes.iter().map(|(_, one)| one.values).collect();
    let columns = vec![
        Column::of_texts("series", boxes.iter().map(|(name, _)| name)),
        column("low", &numbers(|one| one.low)),
        column("q1", &numbers(|one| one.q1)),
        column("median", &numbers(|one| one.median)),
        column("q3", &numbers(|one| one.q3)),
        column("high", &numbers(|one| one.high)),
        Column::of_u64s("n", &counts),
    ];
    let roles = [
        ("x", "series", "x"),
        ("low", "low", "y"),
        ("q1", "q1", "y"),
        ("y", "median", "y"),
        ("q3", "q3", "y"),
        ("high", "high", "y"),
    ];
    let mut tables = vec![table("boxes", boxes.len(), columns)];
    let mut marks = vec![mark("box", "boxes", label, &roles)];
    let mut extras = vec![extra("weir.whiskers", options.whiskers.words())];
    let beyond: u64 = boxes.iter().map(|(_, one)| one.outliers_total).sum();
    if options.outliers.unwrap_or(true) && beyond > 0 {
        let points = boxes
            .iter()
            .enumerate()
            .flat_map(|(at, (_, one))| one.outliers.iter().map(move |value| (at as f64, *value)));
        let (places, values): (Vec<f64>, Vec<f64>) = points.unzip();
        tables.push(table(
            "outliers",
            values.len(),
            vec![column("place", &places), column("value", &values)],
        ));
        marks.push(mark(
            "point",
            "outliers",
            "beyond the whiskers",
            &[("x", "place", "x"), ("y", "value", "y")],
        ));
        if (values.len() as u64) < beyond {
            extras.push(extra(
                "weir.downsampled",
                format!("{} of {} points beyond the whiskers", values.len(), count(beyond)),
            ));
        }
    }
    if left_out > 0 {
        extras.push(extra("weir.left_out", format!("{left_out} of {} series", left_out + boxes.len())));
    }
    let title = title(request);
    Chart {
        summary: summary(&title, boxes, &measure, beyond),
        title,
        tables,
        axes: vec![axis("x", "series", "1", "band"), axis("y", label, &measure, "linear")],
        marks,
        gaps: Vec::new(),
        extras,
    }
}

/// "latency: 3 boxes of 1,200 values; median from 12 ms (web1) to 48 ms (web3); 14 values beyond the whiskers."
fn summary(title: &str, boxes: &[(String, Box5)], measure: &str, beyond: u64) -> String {
    let medians = || boxes.iter().map(|(name, one)| (name, one.median));
    let least = medians().min_by(|left, right| left.1.total_cmp(&right.1));
    let most = medians().max_by(|left, right| left.1.total_cmp(&right.1));
    let (Some(least), Some(most)) = (least, most) else { return format!("{title}: no values.") };
    let values: u64 = boxes.iter().map(|(_, one)| one.values).sum();
    let text = |(name, value): (&String, f64)| format!("{} ({name})", measured(value, measure));
    let medians = if boxes.len() == 1 {
        format!("median {}", text(least))
    } else {
        format!("median from {} to {}", text(least), text(most))
    };
    let what = if boxes.len() == 1 { "1 box" } else { &format!("{} boxes", boxes.len()) };
    format!("{title}: {what} of {} values; {medians}; {} beyond the whiskers.", count(values), count(beyond))
}

weir_sdk::export_formatter!(Boxplot);
